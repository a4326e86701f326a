#include "core/fault.h"

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/check.h"

static _Thread_local uint32_t *told;

/* SA_RESETHAND: the instruction faults again behind this, and the default takes its course. An abort
 * goes on by itself. */
static void on_fault(int number)
{
	(void)number;
	if (told)
		*told = 1;
}

void fault_tell(uint32_t *word)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_RESETHAND};

	told = word;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		struct sigaction now;

		/* A sanitizer's own handlers say more. */
		if (sigaction(faults[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(faults[i], &action, NULL);
	}
}

/* --- files that are cut short --------------------------------------------------------------- */

static _Thread_local bool guarded, cut;
static struct sigaction before_guard;
static uintptr_t page_size;

/* mmap() is a system call and no more: a handler may make it. */
static void on_bus(int number, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~(page_size - 1);

	(void)context;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel's pages have numbers */
	if (guarded && info->si_code == BUS_ADRERR &&
	    mmap((void *)page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != MAP_FAILED) {
		cut = true;
		return;
	}
	if (told)
		*told = 1;
	/* The instruction faults again, for whoever was there before us. */
	sigaction(number, &before_guard, NULL);
}

void fault_guard_install(void)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO}, now;

	if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_sigaction == on_bus)
		return;
	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	sigaction(SIGBUS, &action, &before_guard);
}

void fault_guard_begin(void)
{
	cut = false;
	guarded = true;
}

bool fault_guard_end(void)
{
	guarded = false;
	return cut;
}
