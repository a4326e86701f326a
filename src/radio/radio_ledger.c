#include "radio/radio_ledger.h"

#include <stdatomic.h>

#define LEDGER_LAYOUT 1u
#define ROWS_MAX      16384u

#define ROUND_UP(n) (((n) + 63) / 64 * 64)

struct ledger_row {
	uint64_t in_use;
	uint64_t current;
	struct mount_words copies[2];
};

const struct estate_kind ledger_kind = {
	.name = "radio.mounts",
	.layout = LEDGER_LAYOUT,
	.row_size = ROUND_UP(sizeof(struct ledger_row)),
};

static struct table rows;

int ledger_open(void)
{
	return estate_table(&rows, &ledger_kind, 0, ROWS_MAX);
}

void ledger_close(void)
{
	estate_close(&rows);
}

bool ledger_take(uint32_t *row)
{
	return rows.map && table_take(&rows, row) != NULL;
}

void ledger_give(uint32_t row)
{
	if (!rows.map)
		return;
	table_doubt(&rows, row);
	table_give(&rows, row);
}

void ledger_save(uint32_t at, const struct mount_words *words)
{
	struct ledger_row *row;

	/* Closed: the mounts are another server's. */
	if (!rows.map)
		return;
	row = table_row(&rows, at);
	row->copies[!row->current] = *words;
	atomic_signal_fence(memory_order_release);
	row->current = !row->current;
	table_settle(&rows, at);
}

void ledger_each(void (*each)(uint32_t row, const struct mount_words *words))
{
	for (uint32_t at = 0; at < rows.high; at++) {
		const struct ledger_row *row = table_settled(&rows, at);

		if (row && row->current <= 1)
			each(at, &row->copies[row->current]);
	}
}
