#include "core/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/check.h"

static _Thread_local uint32_t *told;

/* What another process sends (kill, a watchdog) is no fault of this thread's; abort() sends to itself. */
static void blame(const siginfo_t *about)
{
	if (told && (about->si_code > 0 || about->si_pid == getpid()))
		*told = 1;
}

/* SA_RESETHAND: an instruction faults again behind this, and the default takes its course. What was sent
 * does not come again by itself. */
static void on_fault(int number, siginfo_t *about, void *context)
{
	(void)context;
	blame(about);
	if (about->si_code <= 0)
		raise(number);
}

void fault_tell(uint32_t *word)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESETHAND};

	told = word;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		struct sigaction now;

		/* A sanitizer's own handlers say more. */
		if (sigaction(faults[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(faults[i], &action, NULL);
	}
}

/* --- what is spared ------------------------------------------------------------------------- */

static struct {
	_Atomic uintptr_t at; /* 0: free */
	_Atomic size_t len;   /* 0: not yet */
} spared[FAULT_SPARED_MAX];

static struct sigaction before;
static uintptr_t page_size;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* From there on to the end of its mapping, which stays as long. */
static bool put_zeroes(uintptr_t at)
{
	for (size_t i = 0; i < COUNT_OF(spared); i++) {
		uintptr_t from = atomic_load(&spared[i].at), page = at & ~(page_size - 1);
		size_t len = atomic_load(&spared[i].len);

		if (from && at >= from && at - from < len)
			return mmap((void *)page, from + len - page, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
				    0) != MAP_FAILED;
	}
	return false;
}

/* What is not spared goes on to what was there before, which is to know the address: it faults again. */
static void on_bus(int number, siginfo_t *about, void *context)
{
	(void)context;
	if (about->si_code > 0 && put_zeroes((uintptr_t)about->si_addr))
		return;
	blame(about);
	if (about->si_code > 0) {
		sigaction(number, &before, NULL);
	} else {
		signal(number, SIG_DFL);
		raise(number);
	}
}

static void watch_bus(void)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};

	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	sigaction(SIGBUS, &action, &before);
}

bool fault_spare(const void *at, size_t len)
{
	pthread_once(&once, watch_bus);
	for (size_t i = 0; i < COUNT_OF(spared); i++) {
		uintptr_t none = 0;

		if (!atomic_compare_exchange_strong(&spared[i].at, &none, (uintptr_t)at))
			continue;
		atomic_store(&spared[i].len, len);
		return true;
	}
	return false;
}

void fault_spare_end(const void *at)
{
	for (size_t i = 0; i < COUNT_OF(spared); i++)
		if (atomic_load(&spared[i].at) == (uintptr_t)at) {
			atomic_store(&spared[i].len, 0);
			atomic_store(&spared[i].at, 0);
			return;
		}
}
