#include "store/store_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/metric.h"

struct port {
	struct port *next; /* all */
	struct mailbox *to;
	uv_timer_t flush;
	unsigned at; /* the batch that is filled */
	bool closed; /* its loop has let go of the timer */
	bool unused; /* the store has let go of the batches; who is last frees it */
	struct store_batch batch[PORT_BATCHES];
};

static _Thread_local struct port *here;
static _Atomic(struct port *) all;

static void on_flush(uv_timer_t *timer)
{
	(void)timer;
	port_flush();
}

int port_open(uv_loop_t *loop, struct mailbox *to, void (*deliver)(struct message *message))
{
	/* Large and zeroed: pages that no event ever reaches are never touched. */
	struct port *port = calloc(1, sizeof *port);
	int error;

	if (!port)
		return -ENOMEM;
	error = uv_timer_init(loop, &port->flush);
	if (error) {
		free(port);
		return error;
	}
	for (unsigned i = 0; i < PORT_BATCHES; i++)
		port->batch[i].message.deliver = deliver;
	port->to = to;
	port->next = atomic_load_explicit(&all, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&all, &port->next, port, memory_order_release,
						      memory_order_relaxed))
		;
	here = port;
	return 0;
}

static struct store_batch *batch_of(struct port *port)
{
	struct store_batch *batch = &port->batch[port->at];

	return atomic_load_explicit(&batch->busy, memory_order_acquire) ? NULL : batch;
}

void port_flush(void)
{
	struct store_batch *batch = here ? batch_of(here) : NULL;

	if (!batch || !batch->len)
		return;
	atomic_store_explicit(&batch->busy, true, memory_order_relaxed);
	here->at = (here->at + 1) % PORT_BATCHES;
	uv_timer_stop(&here->flush);
	mailbox_post(here->to, &batch->message);
}

static void on_closed(uv_handle_t *handle)
{
	struct port *port = container_of((uv_timer_t *)handle, struct port, flush);

	port->closed = true;
	if (port->unused)
		free(port);
}

void port_close(void)
{
	if (!here)
		return;
	port_flush();
	uv_close((uv_handle_t *)&here->flush, on_closed);
	here = NULL;
}

void port_free_all(void)
{
	struct port *port = atomic_exchange_explicit(&all, NULL, memory_order_acquire);

	while (port) {
		struct port *next = port->next;

		port->unused = true;
		if (port->closed)
			free(port);
		port = next;
	}
}

/* Texts are cut in front of the first byte of a character that would not fit whole. */
static size_t text_length(const char *text)
{
	size_t len = text ? strnlen(text, STORE_TEXT_MAX + 1) : 0;

	if (len <= STORE_TEXT_MAX)
		return len;
	len = STORE_TEXT_MAX;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static uint32_t event_measure(struct store_event *event, const char *const *texts, unsigned count)
{
	size_t at = sizeof *event;

	for (unsigned i = 0; i < count; i++) {
		size_t len = i < event->blobs ? 32 : text_length(texts[i]);

		event->text_at[i] = (uint16_t)at;
		event->text_len[i] = (uint16_t)len;
		at += len + 1;
	}
	return (uint32_t)((at + 7) & ~(size_t)7);
}

static_assert(sizeof(struct store_event) + STORE_TEXTS * (STORE_TEXT_MAX + 1) <= PORT_BATCH,
	      "every event fits an empty batch, and its places into 16 bits");

bool port_all_written(void)
{
	for (struct port *port = atomic_load_explicit(&all, memory_order_acquire); port;
	     port = port->next)
		for (unsigned i = 0; i < PORT_BATCHES; i++)
			if (atomic_load_explicit(&port->batch[i].busy, memory_order_acquire))
				return false;
	return true;
}

bool port_is_open(void)
{
	return here != NULL;
}

bool port_has_room(size_t text_len)
{
	size_t size = sizeof(struct store_event) + text_len + STORE_TEXTS + 8;
	const struct store_batch *batch = here ? batch_of(here) : NULL;

	if (!batch)
		return false;
	return size <= PORT_BATCH - batch->len ||
	       !atomic_load_explicit(&here->batch[(here->at + 1) % PORT_BATCHES].busy,
				     memory_order_acquire);
}

void port_put(struct store_event *event, const char *const *texts, unsigned count)
{
	struct store_batch *batch;
	uint8_t *to;

	if (!here)
		return;
	event->size = event_measure(event, texts, count);
	batch = batch_of(here);
	if (batch && event->size > PORT_BATCH - batch->len) {
		port_flush();
		batch = batch_of(here);
	}
	if (!batch) {
		metric_add(METRIC_store_events_lost, 1);
		return;
	}
	to = batch->bytes + batch->len;
	memcpy(to, event, sizeof *event);
	for (unsigned i = 0; i < count; i++) {
		if (event->text_len[i])
			memcpy(to + event->text_at[i], texts[i], event->text_len[i]);
		to[event->text_at[i] + event->text_len[i]] = '\0';
	}
	if (!batch->len)
		uv_timer_start(&here->flush, on_flush, PORT_FLUSH_MS, 0);
	batch->len += event->size;
	batch->events++;
}
