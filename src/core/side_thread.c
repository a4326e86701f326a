#include "core/side_thread.h"

int side_thread_start(struct side_thread *side, void (*main)(void *unused))
{
	int error = 0;

	if (side->runs)
		return 0;
	if (!side->made) {
		error = uv_mutex_init(&side->mutex);
		if (error)
			return error;
		error = uv_cond_init(&side->wake);
		if (error) {
			uv_mutex_destroy(&side->mutex);
			return error;
		}
		side->made = true;
	}
	side->first = NULL;
	side->last = &side->first;
	side->stop = false;
	side->woken = false;
	error = uv_thread_create(&side->thread, main, NULL);
	side->runs = error == 0;
	return error;
}

void side_thread_give(struct side_thread *side, struct message *message)
{
	CHECK(side->runs);
	message->next = NULL;
	uv_mutex_lock(&side->mutex);
	*side->last = message;
	side->last = &message->next;
	uv_cond_signal(&side->wake);
	uv_mutex_unlock(&side->mutex);
}

void side_thread_wake(struct side_thread *side)
{
	if (!side->runs)
		return;
	uv_mutex_lock(&side->mutex);
	side->woken = true;
	uv_cond_signal(&side->wake);
	uv_mutex_unlock(&side->mutex);
}

struct message *side_thread_take(struct side_thread *side, uint64_t at_most, bool *stop)
{
	struct message *list;

	uv_mutex_lock(&side->mutex);
	/* Once: a sleep that ends for no reason is a round that comes sooner. */
	if (!side->first && !side->stop && !side->woken) {
		if (at_most == SIDE_THREAD_ANY)
			uv_cond_wait(&side->wake, &side->mutex);
		else
			(void)uv_cond_timedwait(&side->wake, &side->mutex, at_most);
	}
	side->woken = false;
	list = side->first;
	side->first = NULL;
	side->last = &side->first;
	*stop = side->stop;
	uv_mutex_unlock(&side->mutex);
	return list;
}

void side_thread_stop(struct side_thread *side)
{
	if (!side->runs)
		return;
	uv_mutex_lock(&side->mutex);
	side->stop = true;
	uv_cond_signal(&side->wake);
	uv_mutex_unlock(&side->mutex);
	uv_thread_join(&side->thread);
	side->runs = false;
}

void side_thread_fini(struct side_thread *side)
{
	side_thread_stop(side);
	if (side->made) {
		uv_cond_destroy(&side->wake);
		uv_mutex_destroy(&side->mutex);
	}
	side->made = false;
}
