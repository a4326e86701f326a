#include "core/mailbox.h"

#include <stdbool.h>
#include <stddef.h>

static void on_bell(uv_async_t *bell)
{
	mailbox_deliver(container_of(bell, struct mailbox, bell));
}

int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop)
{
	mailbox->first = NULL;
	mailbox->last = &mailbox->first;
	mailbox->taken = NULL;
	mailbox->taken_last = &mailbox->taken;
	pthread_mutex_init(&mailbox->lock, NULL);
	return uv_async_init(loop, &mailbox->bell, on_bell);
}

static bool is_empty(struct mailbox *mailbox)
{
	bool empty;

	pthread_mutex_lock(&mailbox->lock);
	empty = !mailbox->first;
	pthread_mutex_unlock(&mailbox->lock);
	return empty;
}

void mailbox_fini(struct mailbox *mailbox)
{
	do
		mailbox_deliver(mailbox);
	while (!is_empty(mailbox));
	uv_close((uv_handle_t *)&mailbox->bell, NULL);
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
	bool was_empty;

	message->next = NULL;
	pthread_mutex_lock(&mailbox->lock);
	was_empty = !mailbox->first;
	*mailbox->last = message;
	mailbox->last = &message->next;
	pthread_mutex_unlock(&mailbox->lock);
	if (was_empty)
		uv_async_send(&mailbox->bell);
}

/* Takes what was posted until now, behind what was taken before. */
static void take_posted(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->lock);
	if (mailbox->first) {
		*mailbox->taken_last = mailbox->first;
		mailbox->taken_last = mailbox->last;
		mailbox->first = NULL;
		mailbox->last = &mailbox->first;
	}
	pthread_mutex_unlock(&mailbox->lock);
}

/* A message may call this again (through mailbox_fini, say): the order holds all the same. */
void mailbox_deliver(struct mailbox *mailbox)
{
	take_posted(mailbox);
	while (mailbox->taken) {
		struct message *message = mailbox->taken;

		mailbox->taken = message->next;
		if (!mailbox->taken)
			mailbox->taken_last = &mailbox->taken;
		message->deliver(message);
	}
}
