#include "sfu/sfu_record_order.h"

#include "core/estate.h"

#define LAYOUT   1u
#define ROWS_MAX 1000u /* the most that sfu.recordings allows */

struct order_row {
	uint64_t in_use;
	int64_t since_us;
	char room[ROOM_NAME_MAX + 1];
	uint8_t pad[47];
};

static_assert(sizeof(struct order_row) == 192, "rows are whole cache lines");

static const struct estate_kind kind = {
	.name = "sfu.record_orders",
	.layout = LAYOUT,
	.row_size = sizeof(struct order_row),
};

static struct table rows OWNED_BY(on_control);

void record_order_know(void)
{
	estate_know(&kind);
}

int record_order_start(void (*found)(const char *room, int64_t since_us, uint32_t row))
{
	int error = estate_table(&rows, &kind, 0, ROWS_MAX);

	for (uint32_t at = 0; !error && at < rows.high; at++) {
		const struct order_row *row = table_settled(&rows, at);

		if (row && row->room[ROOM_NAME_MAX] == '\0' &&
		    room_name_is_good(bytes_str(row->room)))
			found(row->room, row->since_us, at);
	}
	return error;
}

uint32_t record_order_put(const char *room, int64_t since_us)
{
	uint32_t at;
	struct order_row *row = rows.map ? table_take(&rows, &at) : NULL;

	if (!row)
		return RECORD_ORDER_NONE;
	row->since_us = since_us;
	bytes_to_str(bytes_str(room), row->room, sizeof row->room);
	table_settle(&rows, at);
	return at;
}

void record_order_end(uint32_t row)
{
	if (row == RECORD_ORDER_NONE || !rows.map)
		return;
	table_doubt(&rows, row);
	table_give(&rows, row);
}

void record_order_fini(void)
{
	estate_close(&rows);
}
