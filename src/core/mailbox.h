/* mailbox: the one door into another thread.
 *
 *   any thread ── mailbox_post(message) ──▶ list ──▶ owner's loop ── message->deliver(message)
 *
 * A message is a struct that begins with struct message; who posts it gives it away, and deliver()
 * frees it or posts it on. Messages of one sender arrive in order. However many come in one turn
 * of the owner's loop, it is woken once. Thread: post from any; deliver runs on the owner's. */
#pragma once

#include <pthread.h>
#include <uv.h>

#include "core/check.h"

struct message {
	struct message *next;
	void (*deliver)(struct message *message);
};

struct mailbox {
	pthread_mutex_t lock;
	struct message *first; /* under lock */
	struct message **last; /* under lock */
	struct message *taken; /* the owner's: what mailbox_deliver has not come to yet */
	struct message **taken_last;
	uv_async_t bell;
};

/* 0 or -errno. The mailbox is the loop's until mailbox_fini, which must be called on its thread
 * and followed by a turn of the loop. Messages still in it are delivered first, and those that
 * these bring; nobody may post any more afterwards. */
MUST_CHECK int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop);
void mailbox_fini(struct mailbox *mailbox);

void mailbox_post(struct mailbox *mailbox, struct message *message);

/* Delivers what waits. For the owner, who may want to before it goes to sleep. */
void mailbox_deliver(struct mailbox *mailbox);
