#include "core/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"

static struct worker *workers;
static unsigned count;
static const struct worker_hooks *const *hooks;
static struct mailbox control;
static _Thread_local struct worker *here;

#define LAST_TURN_MS 1
#define WATCH_MS     1000

static _Atomic unsigned batons_out;
static uv_loop_t *control_loop;
static uv_timer_t watch;  /* of control's loop; does not keep it turning */
static uv_sem_t answered; /* by each worker, once an errand */
static void (*job_of_all)(struct worker *worker);

/* How long a turn takes is how late everybody else on this worker is. */
static void on_turn_began(uv_check_t *check)
{
	container_of(check, struct worker, turn_began)->began = mono_now();
}

static void on_turn_ended(uv_prepare_t *prepare)
{
	struct worker *worker = container_of(prepare, struct worker, turn_ended);

	if (worker->began.us)
		metric_observe(METRIC_core_loop_turn_microseconds,
			       (uint64_t)mono_since_us(mono_now(), worker->began));
}

RUNS_ON(on_worker) static void turns_watch(struct worker *worker)
{
	uv_check_init(&worker->loop, &worker->turn_began);
	uv_check_start(&worker->turn_began, on_turn_began);
	uv_prepare_init(&worker->loop, &worker->turn_ended);
	uv_prepare_start(&worker->turn_ended, on_turn_ended);
}

RUNS_ON(on_worker) static void turns_forget(struct worker *worker)
{
	uv_close((uv_handle_t *)&worker->turn_began, NULL);
	uv_close((uv_handle_t *)&worker->turn_ended, NULL);
}

/* --- who is stuck ------------------------------------------------------------------------------ */

static void deliver_beat(struct message *message)
{
	struct worker *worker = container_of(message, struct worker, beat);

	atomic_store_explicit(&worker->asked, false, memory_order_release);
}

/* Questions are counted, not seconds: while the whole process was stopped nobody was asked. */
RUNS_ON(on_control) static bool is_stuck(struct worker *worker)
{
	if (atomic_load_explicit(&worker->asked, memory_order_acquire)) {
		if (++worker->owes == WORKERS_PATIENCE) {
			log_event(LOG_LEVEL_ERROR, "core", "a worker is stuck",
				  kv_u64("worker", worker->id), kv_u64("seconds", worker->owes));
			metric_add(METRIC_core_workers_stuck, 1);
			metric_add(METRIC_core_worker_stops, 1);
		}
		return worker->owes >= WORKERS_PATIENCE;
	}
	if (worker->owes >= WORKERS_PATIENCE) {
		log_event(LOG_LEVEL_WARNING, "core", "a worker turns again",
			  kv_u64("worker", worker->id), kv_u64("seconds", worker->owes));
		metric_add(METRIC_core_workers_stuck, -1);
	}
	worker->owes = 0;
	worker->beat.deliver = deliver_beat;
	atomic_store_explicit(&worker->asked, true, memory_order_relaxed);
	worker_post(worker, &worker->beat);
	return false;
}

unsigned workers_watch(void)
{
	unsigned stuck = 0;

	for (unsigned i = 0; i < count; i++)
		stuck += is_stuck(&workers[i]);
	return stuck;
}

static void on_watch(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	workers_watch();
}

/* --- life ---------------------------------------------------------------------------------------- */

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

RUNS_ON(on_worker) static bool anybody_busy(struct worker *worker)
{
	for (unsigned n = 0; hooks[n]; n++)
		if (hooks[n]->busy && hooks[n]->busy(worker))
			return true;
	return false;
}

static void on_last_turn(uv_timer_t *timer)
{
	struct worker *worker = container_of(timer, struct worker, last_turns);

	enter_worker();
	atomic_store_explicit(&worker->idle, !anybody_busy(worker), memory_order_relaxed);
}

static void deliver_stop(struct message *message)
{
	struct worker *worker = container_of(message, struct worker, errand);

	enter_worker();
	stop_hooks(worker);
	CHECK(uv_timer_init(&worker->loop, &worker->last_turns) == 0);
	uv_timer_start(&worker->last_turns, on_last_turn, 0, LAST_TURN_MS);
	uv_sem_post(&answered);
}

static void deliver_end(struct message *message)
{
	struct worker *worker = container_of(message, struct worker, errand);

	enter_worker();
	turns_forget(worker);
	uv_close((uv_handle_t *)&worker->last_turns, NULL);
	mailbox_fini(&worker->mailbox);
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
	enter_worker();
	here = worker;
	/* Without memory for a block of its own it counts in the shared one. */
	(void)metric_thread_start();
	turns_watch(worker);
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	metric_thread_stop();
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
	CHECK(uv_sem_init(&worker->go_on, 0) == 0);
	error = mailbox_init(&worker->mailbox, &worker->loop);
	if (!error) {
		error = uv_thread_create(&worker->thread, worker_main, worker);
		if (error)
			mailbox_fini(&worker->mailbox);
	}
	if (error) {
		uv_sem_destroy(&worker->go_on);
		loop_end(&worker->loop);
	}
	return error;
}

/* The hooks start when all workers can be posted to, one worker after the other. */
int workers_start(unsigned n, const struct worker_hooks *const *table, uv_loop_t *loop)
{
	int error;

	CHECK(n >= 1 && n <= WORKERS_MAX && !workers);
	role_here = ROLE_CONTROL;
	enter_control();
	hooks = table;
	workers = calloc(n, sizeof *workers);
	if (!workers)
		return -ENOMEM;
	control_loop = loop;
	error = mailbox_init(&control, control_loop);
	if (error) {
		free(workers);
		workers = NULL;
		return error;
	}
	CHECK(uv_sem_init(&answered, 0) == 0 && uv_timer_init(control_loop, &watch) == 0);
	uv_timer_start(&watch, on_watch, WATCH_MS, WATCH_MS);
	uv_unref((uv_handle_t *)&watch);
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

static bool all_idle(void)
{
	bool idle = atomic_load_explicit(&batons_out, memory_order_acquire) == 0;

	for (unsigned i = 0; i < count; i++)
		idle &= atomic_load_explicit(&workers[i].idle, memory_order_relaxed);
	return idle;
}

/* First all hooks stop, while all mailboxes are open; then what is under way arrives. */
void workers_stop(void)
{
	uv_close((uv_handle_t *)&watch, NULL);
	for (unsigned i = 0; i < count; i++)
		worker_send(&workers[i], deliver_stop);
	for (unsigned i = 0; i < count; i++)
		uv_sem_wait(&answered);
	/* At least once: what the hooks said last must not arrive when the workers are gone. */
	uv_run(control_loop, UV_RUN_NOWAIT);
	while (!all_idle()) {
		uv_sleep(1);
		uv_run(control_loop, UV_RUN_NOWAIT);
	}
	for (unsigned i = 0; i < count; i++) {
		worker_send(&workers[i], deliver_end);
		uv_thread_join(&workers[i].thread);
		CHECK(uv_loop_close(&workers[i].loop) == 0);
		uv_sem_destroy(&workers[i].go_on);
	}
	mailbox_fini(&control);
	uv_sem_destroy(&answered);
	free(workers);
	workers = NULL;
	count = 0;
}

static void deliver_job(struct message *message)
{
	struct worker *worker = container_of(message, struct worker, errand);

	enter_worker();
	if (job_of_all)
		job_of_all(worker);
	uv_sem_post(&answered);
}

static void deliver_halt(struct message *message)
{
	struct worker *worker = container_of(message, struct worker, errand);

	if (job_of_all)
		job_of_all(worker);
	uv_sem_post(&answered);
	uv_sem_wait(&worker->go_on);
	deliver_job(message);
}

RUNS_ON(on_control) static void wait_for_all(void)
{
	for (unsigned i = 0; i < count; i++)
		uv_sem_wait(&answered);
}

void workers_run(void (*job)(struct worker *worker))
{
	job_of_all = job;
	for (unsigned i = 0; i < count; i++)
		worker_send(&workers[i], deliver_job);
	wait_for_all();
}

void workers_halt(void (*before)(struct worker *worker))
{
	job_of_all = before;
	for (unsigned i = 0; i < count; i++)
		worker_send(&workers[i], deliver_halt);
	wait_for_all();
}

void workers_go_on(void (*job)(struct worker *worker))
{
	job_of_all = job;
	for (unsigned i = 0; i < count; i++)
		uv_sem_post(&workers[i].go_on);
	wait_for_all();
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
		atomic_fetch_sub_explicit(&batons_out, 1, memory_order_release);
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
	atomic_fetch_add_explicit(&batons_out, 1, memory_order_relaxed);
	baton->message.deliver = baton_deliver;
	worker_post(&workers[0], &baton->message);
}

void baton_pass(struct baton *baton, struct worker *worker)
{
	(void)baton;
	(void)worker;
}
