#include "core/fault.h"
#include "core/check.h"
#include "guarded.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t *word; /* shared with the child */
static int *nowhere;   /* nobody may touch it */

static int share(void **state)
{
	(void)state;
	word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	nowhere = mmap(NULL, sizeof *nowhere, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return word == MAP_FAILED || nowhere == MAP_FAILED;
}

static int unshare_it(void **state)
{
	(void)state;
	return munmap(word, sizeof *word) || munmap(nowhere, sizeof *nowhere);
}

/* In a child that told where to write: it does this, and then waits for a signal. */
static pid_t child_that(void (*does)(void))
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	int ready[2];
	pid_t child;
	char c;

	*word = 0;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		/* A sanitizer's and cmocka's own would be left as they are. */
		for (size_t i = 0; i < COUNT_OF(faults); i++)
			signal(faults[i], SIG_DFL);
		fault_tell(word);
		(void)!write(ready[1], "", 1);
		does();
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return child;
}

static int ended_by(pid_t child)
{
	int status;

	alarm(60);
	assert_int_equal(waitpid(child, &status, 0), child);
	alarm(0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void touch_nothing(void)
{
	*(volatile int *)nowhere = 1;
}

static void does_nothing(void)
{
}

static void a_fault_is_told_and_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(ended_by(child_that(touch_nothing)), SIGSEGV);
	assert_int_equal(*word, 1);
}

static void an_abort_is_told_and_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(ended_by(child_that(abort)), SIGABRT);
	assert_int_equal(*word, 1);
}

/* As a watchdog sends SIGABRT: the first one is enough, and no thread's work is to blame. */
static void what_another_sends_ends_the_process(void **state)
{
	static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGKILL};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		pid_t child = child_that(does_nothing);

		assert_int_equal(kill(child, numbers[i]), 0);
		assert_int_equal(ended_by(child), numbers[i]);
		assert_int_equal(*word, 0);
	}
}

static void spare_something(void)
{
	static char some[64];

	fault_spare(some, sizeof some);
	*word = 2;
}

static void also_where_memory_is_spared(void **state)
{
	pid_t child = child_that(spare_something);

	(void)state;
	while (*(volatile uint32_t *)word != 2)
		usleep(1000);
	assert_int_equal(kill(child, SIGBUS), 0);
	assert_int_equal(ended_by(child), SIGBUS);
	assert_int_equal(*word, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_is_told_and_ends_the_process),
		cmocka_unit_test(an_abort_is_told_and_ends_the_process),
		cmocka_unit_test(what_another_sends_ends_the_process),
		cmocka_unit_test(also_where_memory_is_spared),
	};

	return cmocka_run_group_tests(tests, share, unshare_it);
}
