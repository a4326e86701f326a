#include "radio/radio_journal.h"

#include <stdatomic.h>
#include <string.h>

#include "core/fault.h"

#define JOURNAL_LAYOUT 1u

const struct estate_kind journal_kind = {
	.name = "radio.journal",
	.layout = JOURNAL_LAYOUT,
	.row_size = sizeof(struct journal),
};

static _Thread_local struct table table;
static _Thread_local struct journal *journal;

int journal_worker_start(const struct worker *worker, struct journal *left)
{
	uint32_t row = 0;
	int error = estate_table(&table, &journal_kind, worker->id, 1);

	if (error)
		return error;
	journal = table_settled(&table, 0);
	if (!journal) {
		journal = table_take(&table, &row);
		table_settle(&table, row);
	}
	*left = *journal;
	/* Until the listener is as it should be: this process may die before that, too. */
	if (left->kind != JOURNAL_LISTENER)
		journal_end();
	journal->faulted = 0;
	fault_tell(&journal->faulted);
	return 0;
}

void journal_worker_stop(void)
{
	fault_tell(NULL);
	journal = NULL;
	estate_close(&table);
}

/* Only the order of this thread's own stores matters: it is the process that dies, not the memory. */
static void note(enum journal_kind kind, uint32_t row)
{
	journal->row = row;
	atomic_signal_fence(memory_order_release);
	journal->kind = kind;
	atomic_signal_fence(memory_order_release);
}

void journal_listener(const struct listener *listener, uint32_t row)
{
	journal_end();
	memcpy(journal->listener, listener, LISTENER_CHANGES);
	note(JOURNAL_LISTENER, row);
}

void journal_source(uint32_t row)
{
	note(JOURNAL_SOURCE, row);
}

void journal_end(void)
{
	atomic_signal_fence(memory_order_release);
	journal->kind = JOURNAL_NOTHING;
	atomic_signal_fence(memory_order_release);
}
