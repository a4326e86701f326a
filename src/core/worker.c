#include "core/worker.h"

#include <errno.h>
#include <stdlib.h>

static struct worker *workers;
static unsigned count;
static const struct worker_hooks *const *hooks;
static struct mailbox control;
static _Thread_local struct worker *here;

static uv_sem_t answered; /* by each worker, once an errand */

RUNS_ON(on_worker) static void start_hooks(struct worker *worker)
{
	while (hooks[worker->hooked]) {
		worker->error = hooks[worker->hooked]->start(worker);
		if (worker->error)
			return;
		worker->hooked++;
	}
}

RUNS_ON(on_worker) static void stop_hooks(struct worker *worker)
{
	while (worker->hooked > 0)
		hooks[--worker->hooked]->stop(worker);
}

static void deliver_start(struct message *message)
{
	enter_worker();
	start_hooks(container_of(message, struct worker, errand));
	uv_sem_post(&answered);
}

static void deliver_stop(struct message *message)
{
	enter_worker();
	stop_hooks(container_of(message, struct worker, errand));
	uv_sem_post(&answered);
}

static void deliver_end(struct message *message)
{
	enter_worker();
	mailbox_fini(&container_of(message, struct worker, errand)->mailbox);
}

RUNS_ON(on_control)
static void worker_send(struct worker *worker, void (*errand)(struct message *message))
{
	worker->errand.deliver = errand;
	worker_post(worker, &worker->errand);
}

static void worker_main(void *arg)
{
	struct worker *worker = arg;

	role_here = ROLE_WORKER;
	here = worker;
	uv_run(&worker->loop, UV_RUN_DEFAULT);
}

static void loop_end(uv_loop_t *loop)
{
	uv_run(loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(loop) == 0);
}

/* A thread with its loop and mailbox, and no hooks yet. */
static int worker_start(struct worker *worker, unsigned id)
{
	int error = uv_loop_init(&worker->loop);

	if (error)
		return error;
	worker->id = id;
	error = mailbox_init(&worker->mailbox, &worker->loop);
	if (!error) {
		error = uv_thread_create(&worker->thread, worker_main, worker);
		if (error)
			mailbox_fini(&worker->mailbox);
	}
	if (error)
		loop_end(&worker->loop);
	return error;
}

/* The hooks start when all workers can be posted to, one worker after the other. */
int workers_start(unsigned n, const struct worker_hooks *const *table, uv_loop_t *control_loop)
{
	int error;

	CHECK(n >= 1 && n <= WORKERS_MAX && !workers);
	role_here = ROLE_CONTROL;
	enter_control();
	hooks = table;
	workers = calloc(n, sizeof *workers);
	if (!workers)
		return -ENOMEM;
	error = mailbox_init(&control, control_loop);
	if (error) {
		free(workers);
		workers = NULL;
		return error;
	}
	CHECK(uv_sem_init(&answered, 0) == 0);
	while (!error && count < n) {
		error = worker_start(&workers[count], count);
		count += !error;
	}
	for (unsigned i = 0; !error && i < n; i++) {
		worker_send(&workers[i], deliver_start);
		uv_sem_wait(&answered);
		error = workers[i].error;
	}
	if (error)
		workers_stop();
	return error;
}

/* First all hooks stop, while all mailboxes are open. What is under way then still arrives: a
 * baton goes from a lower worker to a higher one, so the mailboxes are closed in that order. */
void workers_stop(void)
{
	for (unsigned i = 0; i < count; i++)
		worker_send(&workers[i], deliver_stop);
	for (unsigned i = 0; i < count; i++)
		uv_sem_wait(&answered);
	for (unsigned i = 0; i < count; i++) {
		worker_send(&workers[i], deliver_end);
		uv_thread_join(&workers[i].thread);
		CHECK(uv_loop_close(&workers[i].loop) == 0);
	}
	mailbox_fini(&control);
	uv_sem_destroy(&answered);
	free(workers);
	workers = NULL;
	count = 0;
}

unsigned workers_count(void)
{
	return count;
}

struct worker *worker_of(unsigned id)
{
	CHECK(id < count);
	return &workers[id];
}

struct worker *worker_here(void)
{
	return here;
}

struct worker *worker_place(void)
{
	struct worker *least = &workers[0];

	for (unsigned i = 1; i < count; i++)
		if (atomic_load_explicit(&workers[i].load, memory_order_relaxed) <
		    atomic_load_explicit(&least->load, memory_order_relaxed))
			least = &workers[i];
	return least;
}

void worker_post(struct worker *worker, struct message *message)
{
	mailbox_post(&worker->mailbox, message);
}

void control_post(struct message *message)
{
	mailbox_post(&control, message);
}

static void baton_deliver(struct message *message)
{
	struct baton *baton = container_of(message, struct baton, message);

	if (baton->at == count) {
		baton->home(baton);
		return;
	}
	baton->visit(baton, here);
	baton->at++;
	if (baton->at < count)
		worker_post(&workers[baton->at], message);
	else
		control_post(message);
}

void baton_send(struct baton *baton)
{
	baton->at = 0;
	baton->message.deliver = baton_deliver;
	worker_post(&workers[0], &baton->message);
}
