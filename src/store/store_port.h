/* store_port: a thread's own way into the store: batches of events that are filled and handed over.
 *
 *   loop: ┌ batch ┐┌ batch ┐ … one is filled; after a moment, or when full, it goes
 *                     └──▶ mailbox of the store ──▶ written ──▶ busy = false: may be filled again
 *
 * All memory is taken when the port opens. When all batches are with the store, which is when the
 * disk does not take them, events are dropped and counted. Thread: the port's; a batch that is busy
 * is the store's. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "core/mailbox.h"
#include "store/store_event.h"

#define PORT_BATCHES  32u
#define PORT_BATCH    65536u
#define PORT_FLUSH_MS 50u

struct store_batch {
	struct message message;
	struct store_batch *next; /* in the store's list of what is to be written */
	_Atomic bool busy;        /* release by the store, acquire by the port */
	uint32_t len;
	uint32_t events;
	_Alignas(8) uint8_t bytes[PORT_BATCH];
};

/* Opens a port for this thread, to the given mailbox. 0 or -errno. */
int port_open(uv_loop_t *loop, struct mailbox *to, void (*deliver)(struct message *message));

/* Hands over what was not yet. */
void port_flush(void);

/* Hands over, and takes no more. The memory stays until port_free_all(). */
void port_close(void);

/* When the store and the workers have stopped. The port of a loop that has still to turn, as the
 * control thread's, is freed when that does. */
void port_free_all(void);

/* Whether one more event with texts of so many bytes would find room now: for who can wait. */
bool port_has_room(size_t text_len);

/* Whether all that was handed over by all threads is on disk. Any thread. */
bool port_all_written(void);

/* Whether this thread has a port: without, nothing is kept. */
bool port_is_open(void);

/* Puts an event into this thread's port; without one nothing happens. event->size and the places of
 * its texts are filled in here. */
void port_put(struct store_event *event, const char *const *texts, unsigned count);
