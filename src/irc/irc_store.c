#include "irc/irc_store.h"

#include <stdlib.h>

#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_user.h"
#include "store/store_port.h"

/* --- a question ----------------------------------------------------------------------------- */

static void deliver_back(struct message *message)
{
	struct irc_ask *ask = container_of(message, struct irc_ask, message);

	enter_worker();
	irc_here.asks--;
	ask->then(ask);
}

static void on_answered(struct store_ask *base)
{
	struct irc_ask *ask =
		container_of(container_of(base, struct store_irc_ask, ask), struct irc_ask, store);

	enter_control();
	ask->message.deliver = deliver_back;
	worker_post(ask->worker, &ask->message);
}

static void deliver_ask(struct message *message)
{
	struct irc_ask *ask = container_of(message, struct irc_ask, message);

	enter_control();
	store_ask(&ask->store.ask);
}

struct irc_ask *irc_ask_new(enum store_irc_query query)
{
	struct irc_ask *ask = calloc(1, sizeof *ask);

	if (!ask)
		return NULL;
	ask->store.query = query;
	ask->store.ask.run = store_irc_run;
	ask->store.ask.done = on_answered;
	return ask;
}

void irc_ask_send(struct irc_ask *ask, void (*then)(struct irc_ask *ask))
{
	ask->then = then;
	ask->worker = irc_here.worker;
	irc_here.asks++;
	ask->message.deliver = deliver_ask;
	control_post(&ask->message);
}

void irc_ask_free(struct irc_ask *ask)
{
	store_irc_fini(&ask->store);
	free(ask);
}

const char *irc_ask_fault(const struct irc_ask *ask)
{
	if (ask->store.ask.fault)
		return store_fault_text(ask->store.ask.fault);
	return ask->store.out_of_memory ? "out of memory" : NULL;
}

/* --- lines ---------------------------------------------------------------------------------- */

struct page_ask {
	char user[IRC_USER_SIZE];
	uint64_t network, buffer;
	struct irc_page page;
	void (*then)(struct irc_page *page);
};

static struct bytes cell_bytes(const struct store_rows *rows, const struct store_cell *cell)
{
	return bytes_of(store_cell_text(rows, cell), cell->len);
}

/* The seq of lines that are in the store is the ring's too: those that both have are told once. */
static bool page_take(struct irc_page *page, const struct store_rows *rows)
{
	page->records = calloc(rows->count ? rows->count : 1, sizeof *page->records);
	if (!page->records)
		return false;
	for (size_t i = 0; i < rows->count; i++) {
		size_t row = page->down ? rows->count - 1 - i : i;

		page->records[page->count++] = (struct irc_record){
			.seq = (uint64_t)store_cell(rows, row, 0)->number,
			.at_ms = store_cell(rows, row, 1)->number,
			.kind = (uint32_t)store_cell(rows, row, 2)->number,
			.tags = cell_bytes(rows, store_cell(rows, row, 3)),
			.line = cell_bytes(rows, store_cell(rows, row, 4)),
		};
	}
	return true;
}

static void on_page(struct irc_ask *ask)
{
	struct page_ask page = *(struct page_ask *)ask->context;
	struct irc_named *named;
	uint32_t at = 0;

	free(ask->context);
	page.page.user = irc_user_find(bytes_str(page.user));
	page.page.network = page.page.user ? irc_network_of_id(page.page.user, page.network) : NULL;
	page.page.buffer = NULL;
	/* Whoever asked is told in any case: what he has lent is his again. */
	while (page.page.network && (named = irc_index_next(&page.page.network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (buffer->id == page.buffer)
			page.page.buffer = buffer;
	}
	page.page.fault = irc_ask_fault(ask);
	page.page.is_off = ask->store.ask.fault == STORE_OFF;
	if (!page_take(&page.page, &ask->store.rows)) {
		page.page.count = 0;
		page.page.fault = "out of memory";
	}
	page.then(&page.page);
	free(page.page.records);
	irc_ask_free(ask);
}

bool irc_page_ask(const struct irc_page_wish *wish)
{
	struct irc_ask *ask = irc_ask_new(wish->down ? STORE_IRC_LINES_DOWN : STORE_IRC_LINES_UP);
	struct page_ask *page = malloc(sizeof *page);

	if (!ask || !page) {
		free(page);
		if (ask)
			irc_ask_free(ask);
		return false;
	}
	*page = (struct page_ask){
		.network = wish->network->id,
		.buffer = wish->buffer->id,
		.page = {.client = wish->client,
			 .from = wish->from,
			 .to = wish->to,
			 .down = wish->down,
			 .context = wish->context},
		.then = wish->then,
	};

	memcpy(page->user, wish->user->name, sizeof page->user);
	ask->store.number[0] = (int64_t)wish->buffer->id;
	ask->store.number[1] = (int64_t)wish->from;
	ask->store.number[2] = (int64_t)wish->to;
	ask->store.number[3] = wish->without;
	ask->store.number[4] = wish->limit;
	/* What a moment ago went into this worker's port is written before it is read. */
	irc_buffers_save();
	port_flush();
	ask->context = page;
	irc_ask_send(ask, on_page);
	return true;
}
