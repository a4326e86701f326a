#include "core/fault.h"

#include <signal.h>
#include <stddef.h>

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
