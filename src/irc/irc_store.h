/* irc_store: what the rings do not have any more, from the store: asked on a worker, answered there.
 *
 *   worker ─▶ control: store_ask ─▶ store's thread ─▶ control ─▶ worker: then(page)
 *
 * Who asks may be gone when the answer comes: user, network, buffer and client are looked up anew. */
#pragma once

#include "irc/irc_part.h"
#include "store/store_irc.h"

/* Any question; then() runs on the worker that asked, and owns it again. False: no memory. */
struct irc_ask {
	struct message message;
	struct store_irc_ask store;
	struct worker *worker;
	void *context; /* whoever asked owns it */
	void (*then)(struct irc_ask *ask);
};

struct irc_ask *irc_ask_new(enum store_irc_query query);
void irc_ask_send(struct irc_ask *ask, void (*then)(struct irc_ask *ask));
void irc_ask_free(struct irc_ask *ask);
/* Why it was not answered, or not with all; NULL: it was. */
const char *irc_ask_fault(const struct irc_ask *ask);

/* --- lines of one buffer -------------------------------------------------------------------- */

struct irc_page {
	struct irc_user *user;
	struct irc_network *network;
	struct irc_buffer *buffer; /* NULL: it is gone */
	uint32_t client;
	uint64_t from, to;
	bool down;
	const char *fault; /* as irc_ask_fault() */
	bool is_off;       /* there is no store: what the ring has is all */
	size_t count;
	struct irc_record *records; /* the oldest first */
	void *context;
};

struct irc_page_wish {
	struct irc_user *user;
	struct irc_network *network;
	struct irc_buffer *buffer;
	uint32_t client;
	uint64_t from, to; /* [from, to) */
	uint32_t without;  /* kinds with one of these bits are left out */
	unsigned limit;
	bool down; /* the newest of them, not the oldest */
	void *context;
	void (*then)(struct irc_page *page); /* of which user, network and buffer may be NULL */
};

/* False: no memory; then() is not called. */
bool irc_page_ask(const struct irc_page_wish *wish);
