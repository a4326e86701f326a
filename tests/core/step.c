#include "step.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/check.h"

/* Up to 400 instructions, each is tried. A sanitizer has far more, and other things to say. */
#ifdef __SANITIZE_ADDRESS__
#	define STEPS_AT_MOST 400u
#	define EACH          32
#else
#	define STEPS_AT_MOST 80000u
#	define EACH          1
#endif

/* --- in this thread ------------------------------------------------------------------------- */

#define TRAP_FLAG 0x100

static struct {
	unsigned count, at; /* instructions so far; where there is called, 0: at each */
	void (*there)(void *arg);
	void *arg;
} through;

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	through.count++;
	if (through.at ? through.count < through.at : through.count % EACH)
		return;
	if (through.at)
		at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
	through.there(through.arg);
}

/* The red zone below the stack pointer is the caller's. */
static inline __attribute__((always_inline)) void trap_set(void)
{
	__asm__ volatile(
		"lea -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
			"i"(TRAP_FLAG)
		: "memory", "cc");
}

static inline __attribute__((always_inline)) void trap_clear(void)
{
	__asm__ volatile(
		"lea -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
			"i"(~TRAP_FLAG)
		: "memory", "cc");
}

unsigned step_through(void (*action)(void *arg), void *arg, unsigned n, void (*there)(void *arg))
{
	/* A test that fails leaves there() by longjmp: the signal must not stay blocked. */
	struct sigaction on = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};

	CHECK(sigaction(SIGTRAP, &on, NULL) == 0);
	through.count = 0;
	through.at = n;
	through.there = there;
	through.arg = arg;
	trap_set();
	action(arg);
	trap_clear();
	return through.count;
}

unsigned step_through_each(void (*action)(void *arg), void *arg, void (*there)(void *arg))
{
	return step_through(action, arg, 0, there);
}

static struct {
	bool watched, over; /* over: there was called */
	enum step_wait how;
	void (*there)(void *arg);
} wait_of;

static void there_once(void *arg)
{
	if (wait_of.over)
		return;
	wait_of.there(arg);
	wait_of.over = true;
}

/* As the kernel would, but that nobody sleeps. there() may come after any instruction of this, too. */
static long futex_wait(const _Atomic uint32_t *word, uint32_t value)
{
	bool was_over = wait_of.over;

	if (atomic_load(word) != value) {
		errno = EAGAIN;
		return -1;
	}
	if (was_over) {
		wait_of.how = STEP_MISSED;
		errno = ETIMEDOUT;
		return -1;
	}
	if (!wait_of.over)
		wait_of.how = STEP_ASLEEP;
	there_once(through.arg);
	return 0;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (wait_of.watched && number == SYS_futex &&
	    ((unsigned)a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET)
		return futex_wait((const _Atomic uint32_t *)(uintptr_t)a[0], (uint32_t)a[2]);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

enum step_wait step_through_wait(void (*action)(void *arg), void *arg, unsigned n,
				 void (*there)(void *arg))
{
	wait_of.watched = true;
	wait_of.over = false;
	wait_of.how = STEP_AWAKE;
	wait_of.there = there;
	(void)step_through(action, arg, n, there_once);
	wait_of.watched = false;
	return wait_of.how;
}

/* --- in a child ----------------------------------------------------------------------------- */

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

void step_to_mark(struct step *step)
{
	CHECK(ptrace(PTRACE_CONT, step->pid, NULL, NULL) == 0);
	stopped(step);
}

void step_mark(void)
{
	BREAK();
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

unsigned step_stride(unsigned n)
{
	return 1 + (unsigned)((uint64_t)n * n / 2 / STEPS_AT_MOST);
}
