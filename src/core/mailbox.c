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
	pthread_mutex_init(&mailbox->lock, NULL);
	return uv_async_init(loop, &mailbox->bell, on_bell);
}

void mailbox_fini(struct mailbox *mailbox)
{
	mailbox_deliver(mailbox);
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

void mailbox_deliver(struct mailbox *mailbox)
{
	struct message *message;

	pthread_mutex_lock(&mailbox->lock);
	message = mailbox->first;
	mailbox->first = NULL;
	mailbox->last = &mailbox->first;
	pthread_mutex_unlock(&mailbox->lock);
	while (message) {
		struct message *next = message->next;

		message->deliver(message);
		message = next;
	}
}
