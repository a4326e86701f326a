#include "step.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"

#define STEPS_AT_MOST 25000u /* for one action: about 0.1 s */

struct step_shared {
	_Atomic bool done;
};

#define BREAK() __asm__ volatile("int3" ::: "memory")

/* Waits for the child's next stop. */
static void stopped(struct step *step)
{
	int status;

	CHECK(waitpid(step->pid, &status, 0) == step->pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
}

static void gone(struct step *step, bool killed)
{
	int status;

	CHECK(waitpid(step->pid, &status, 0) == step->pid);
	CHECK(killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0);
	munmap(step->shared, sizeof *step->shared);
	*step = (struct step){0};
}

struct step step_start(void (*action)(void *arg), void *arg)
{
	struct step step = {.shared = mmap(NULL, sizeof *step.shared, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0)};

	CHECK(step.shared != MAP_FAILED);
	step.pid = fork();
	CHECK(step.pid != -1);
	if (step.pid == 0) {
		CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
		BREAK();
		action(arg);
		atomic_store(&step.shared->done, true);
		BREAK();
		_exit(0);
	}
	stopped(&step);
	CHECK(ptrace(PTRACE_SETOPTIONS, step.pid, NULL, PTRACE_O_EXITKILL) == 0);
	return step;
}

bool step_once(struct step *step)
{
	CHECK(ptrace(PTRACE_SINGLESTEP, step->pid, NULL, NULL) == 0);
	stopped(step);
	return !atomic_load(&step->shared->done);
}

bool step_by(struct step *step, unsigned count)
{
	bool going = true;

	while (going && count-- > 0)
		going = step_once(step);
	return going;
}

void step_run(struct step *step)
{
	CHECK(ptrace(PTRACE_CONT, step->pid, NULL, NULL) == 0);
	stopped(step);
	CHECK(ptrace(PTRACE_DETACH, step->pid, NULL, NULL) == 0);
	gone(step, false);
}

void step_kill(struct step *step)
{
	CHECK(kill(step->pid, SIGKILL) == 0);
	gone(step, true);
}

unsigned step_count(void (*action)(void *arg), void *arg)
{
	struct step step = step_start(action, arg);
	unsigned n = 0;

	while (step_once(&step))
		n++;
	step_run(&step);
	return n;
}

unsigned step_stride(unsigned n)
{
	return 1 + (unsigned)((uint64_t)n * n / 2 / STEPS_AT_MOST);
}
