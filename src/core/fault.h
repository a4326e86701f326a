/* fault: which thread brought the process down, written where the next process can read it.
 *
 * A thread names a word of shared memory. If it then faults (SIGSEGV, SIGBUS, SIGILL, SIGFPE) or
 * aborts, the word becomes 1, and the signal goes on to do what it does. kill -9 writes nothing:
 * nobody's work is to blame for it. Thread: any, each for itself. */
#pragma once

#include <stdint.h>

/* From now on, and in this thread; NULL: no longer. */
void fault_tell(uint32_t *word);
