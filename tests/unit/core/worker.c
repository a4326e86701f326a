#include "core/worker.h"
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "core/bytes.h"
#include "core/metric.h"
#include "oom.h"

#define HOOKS 3

static uv_loop_t loop;
static _Atomic unsigned started[HOOKS], stopped[HOOKS];
static _Atomic unsigned fail_worker, fail_hook;
static _Thread_local unsigned running; /* hooks that run on this thread */
static uv_timer_t timer[HOOKS][WORKERS_MAX];

static void on_time(uv_timer_t *handle)
{
	(void)handle;
}

/* Hooks start in order and stop in reverse, each on its worker's thread, with a handle of its own. */
static int hook_start(struct worker *worker, unsigned hook)
{
	enter_worker();
	CHECK(worker == worker_here() && worker == worker_of(worker->id));
	CHECK(running == hook);
	if (worker->id == atomic_load(&fail_worker) && hook == atomic_load(&fail_hook))
		return -EDOM;
	running++;
	CHECK(uv_timer_init(&worker->loop, &timer[hook][worker->id]) == 0);
	CHECK(uv_timer_start(&timer[hook][worker->id], on_time, 1000000, 0) == 0);
	atomic_fetch_add(&started[hook], 1);
	return 0;
}

static void hook_stop(struct worker *worker, unsigned hook)
{
	enter_worker();
	CHECK(worker == worker_here());
	CHECK(running == hook + 1);
	running--;
	uv_close((uv_handle_t *)&timer[hook][worker->id], NULL);
	atomic_fetch_add(&stopped[hook], 1);
}

#define HOOK(n)                                     \
	static int start_##n(struct worker *worker) \
	{                                           \
		return hook_start(worker, n);       \
	}                                           \
	static void stop_##n(struct worker *worker) \
	{                                           \
		hook_stop(worker, n);               \
	}                                           \
	static const struct worker_hooks hooks_##n = {start_##n, stop_##n, NULL};

HOOK(0)
HOOK(1)
HOOK(2)

static const struct worker_hooks *const hooks[] = {&hooks_0, &hooks_1, &hooks_2, NULL};

static int start(void **state)
{
	(void)state;
	for (int i = 0; i < HOOKS; i++)
		started[i] = stopped[i] = 0;
	fail_worker = fail_hook = 1000;
	return uv_loop_init(&loop);
}

static int stop(void **state)
{
	(void)state;
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void stop_workers(void)
{
	enter_control();
	workers_stop();
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void workers_start_and_stop_many_times(void **state)
{
	unsigned all = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		unsigned n = 1 + round % 8;

		assert_int_equal(workers_start(n, hooks, &loop), 0);
		assert_int_equal(workers_count(), n);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(worker_of(i)->id, i);
		stop_workers();
		assert_int_equal(workers_count(), 0);
		all += n;
		for (int i = 0; i < HOOKS; i++) {
			assert_int_equal(started[i], all);
			assert_int_equal(stopped[i], all);
		}
	}
	assert_int_equal(workers_start(WORKERS_MAX, hooks, &loop), 0);
	stop_workers();
}

static void a_hook_that_fails_stops_what_had_started(void **state)
{
	(void)state;
	for (unsigned worker = 0; worker < 4; worker++)
		for (unsigned hook = 0; hook < HOOKS; hook++) {
			fail_worker = worker;
			fail_hook = hook;
			assert_int_equal(workers_start(4, hooks, &loop), -EDOM);
			assert_int_equal(workers_count(), 0);
			uv_run(&loop, UV_RUN_NOWAIT);
			for (int i = 0; i < HOOKS; i++)
				assert_int_equal(started[i], stopped[i]);
		}
	fail_worker = 1000;
	assert_int_equal(workers_start(4, hooks, &loop), 0);
	stop_workers();
}

/* --- a worker that does not come back --------------------------------------------------------- */

static uv_sem_t let_go;

static void block(struct message *message)
{
	(void)message;
	uv_sem_wait(&let_go);
}

static void a_worker_that_is_stuck_is_noticed_until_it_turns_again(void **state)
{
	struct message trap = {.deliver = block};

	(void)state;
	enter_control();
	assert_int_equal(uv_sem_init(&let_go, 0), 0);
	assert_int_equal(workers_start(3, hooks, &loop), 0);
	assert_int_equal(workers_watch(), 0);
	worker_post(worker_of(1), &trap);
	/* The others answer in time, if the machine lets them: each has all the looks there are. */
	for (unsigned i = 0; i < 10 * WORKERS_PATIENCE; i++) {
		workers_watch();
		uv_sleep(1);
	}
	while (workers_watch() != 1)
		uv_sleep(1);
	assert_int_equal(metric_sum(METRIC_core_workers_stuck), 1);
	assert_true(metric_sum(METRIC_core_worker_stops) >= 1);
	uv_sem_post(&let_go);
	while (workers_watch() != 0)
		uv_sleep(1);
	assert_int_equal(metric_sum(METRIC_core_workers_stuck), 0);
	stop_workers();
	uv_sem_destroy(&let_go);
}

/* --- batons --------------------------------------------------------------------------------- */

struct tour {
	struct baton baton;
	unsigned visits;
	uint64_t seen;
};

static _Atomic unsigned tours, home;

static void visit(struct baton *baton, struct worker *worker)
{
	struct tour *tour = container_of(baton, struct tour, baton);

	enter_worker();
	CHECK(worker == worker_here() && worker->id == tour->visits);
	tour->visits++;
	tour->seen |= 1ull << worker->id;
}

static void come_home(struct baton *baton)
{
	struct tour *tour = container_of(baton, struct tour, baton);

	enter_control();
	CHECK(tour->visits == workers_count());
	CHECK(tour->seen == (1ull << tour->visits) - 1);
	free(tour);
	atomic_fetch_add(&home, 1);
}

static void send_tour(void)
{
	struct tour *tour = calloc(1, sizeof *tour);

	CHECK(tour);
	tour->baton.visit = visit;
	tour->baton.home = come_home;
	atomic_fetch_add(&tours, 1);
	baton_send(&tour->baton);
}

static void a_baton_visits_all_and_comes_home(void **state)
{
	(void)state;
	tours = home = 0;
	for (unsigned n = 1; n < 6; n++) {
		assert_int_equal(workers_start(n, hooks, &loop), 0);
		for (int i = 0; i < 100; i++)
			send_tour();
		while (home < tours)
			uv_run(&loop, UV_RUN_ONCE);
		stop_workers();
	}
	assert_int_equal(home, 500);
}

/* It met a worker whose mailbox was closed, and was lost or brought the process down. */
static void a_baton_under_way_at_the_end_comes_home(void **state)
{
	(void)state;
	tours = home = 0;
	for (int round = 0; round < 100; round++) {
		assert_int_equal(workers_start(4, hooks, &loop), 0);
		for (int i = 0; i < 20; i++)
			send_tour();
		stop_workers();
		assert_int_equal(home, tours);
	}
}

static int start_with_tour(struct worker *worker)
{
	enter_worker();
	(void)worker;
	send_tour();
	return 0;
}

static void stop_with_tour(struct worker *worker)
{
	enter_worker();
	(void)worker;
	send_tour();
}

/* It came home after those workers that had started by then. */
static void a_baton_sent_by_a_hook_visits_all(void **state)
{
	static const struct worker_hooks touring = {start_with_tour, stop_with_tour, NULL};
	static const struct worker_hooks *const table[] = {&touring, NULL};

	(void)state;
	tours = home = 0;
	for (int round = 0; round < 50; round++) {
		assert_int_equal(workers_start(4, table, &loop), 0);
		stop_workers();
		assert_int_equal(home, tours);
	}
	assert_int_equal(tours, 400);
}

static void the_least_loaded_is_chosen(void **state)
{
	(void)state;
	assert_int_equal(workers_start(3, hooks, &loop), 0);
	enter_control();
	assert_int_equal(worker_place()->id, 0);
	worker_of(0)->load = 5;
	worker_of(1)->load = 3;
	worker_of(2)->load = 4;
	assert_int_equal(worker_place()->id, 1);
	worker_of(1)->load = 4;
	assert_int_equal(worker_place()->id, 1);
	worker_of(1)->load = 6;
	assert_int_equal(worker_place()->id, 2);
	stop_workers();
}

/* --- what the system refuses ---------------------------------------------------------------- */

/* libuv's own requests are let through: 1.44 aborts when its table of descriptors cannot grow. */
static void refused_memory_is_an_error(void **state)
{
	bool hit = true;

	(void)state;
	for (unsigned n = 0; hit; n++) {
		int error;

		oom_arm(n);
		error = workers_start(3, hooks, &loop);
		hit = oom_disarm();
		if (!error)
			stop_workers();
		else
			assert_int_equal(error, -ENOMEM);
		assert_true(hit || !error);
		uv_run(&loop, UV_RUN_NOWAIT);
		for (int i = 0; i < HOOKS; i++)
			assert_int_equal(started[i], stopped[i]);
	}
}

static void stopping_needs_no_memory(void **state)
{
	(void)state;
	assert_int_equal(workers_start(3, hooks, &loop), 0);
	oom_arm(0);
	stop_workers();
	assert_false(oom_disarm());
}

/* Each descriptor in turn is the first that is refused; also the control mailbox's. Those that
 * uv_loop_init() of 1.44 leaks when it fails are closed here. */
static void refused_descriptors_are_an_error(void **state)
{
	unsigned failed = 0;
	struct rlimit before, low;
	int error = -1;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	for (rlim_t room = 0; error; room++) {
		int free_fd = open("/dev/null", O_RDONLY);

		assert_true(free_fd >= 0);
		close(free_fd);
		low.rlim_cur = (rlim_t)free_fd + room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		error = workers_start(3, hooks, &loop);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (error)
			assert_int_equal(error, -EMFILE);
		else
			stop_workers();
		failed += error != 0;
		uv_run(&loop, UV_RUN_NOWAIT);
		if (room)
			close_range((unsigned)free_fd, (unsigned)low.rlim_cur - 1, 0);
	}
	assert_in_range(failed, 8, 40);
	for (int i = 0; i < HOOKS; i++)
		assert_int_equal(started[i], stopped[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(workers_start_and_stop_many_times, start, stop),
		cmocka_unit_test_setup_teardown(a_hook_that_fails_stops_what_had_started, start,
						stop),
		cmocka_unit_test_setup_teardown(
			a_worker_that_is_stuck_is_noticed_until_it_turns_again, start, stop),
		cmocka_unit_test_setup_teardown(a_baton_visits_all_and_comes_home, start, stop),
		cmocka_unit_test_setup_teardown(a_baton_under_way_at_the_end_comes_home, start,
						stop),
		cmocka_unit_test_setup_teardown(a_baton_sent_by_a_hook_visits_all, start, stop),
		cmocka_unit_test_setup_teardown(the_least_loaded_is_chosen, start, stop),
		cmocka_unit_test_setup_teardown(refused_memory_is_an_error, start, stop),
		cmocka_unit_test_setup_teardown(stopping_needs_no_memory, start, stop),
		cmocka_unit_test_setup_teardown(refused_descriptors_are_an_error, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
