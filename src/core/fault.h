/* fault: what is done when a thread faults: one of two things.
 *
 * Told: which thread brought the process down, written where the next process can read it. A thread
 * names a word of shared memory. If it then faults (SIGSEGV, SIGBUS, SIGILL, SIGFPE) or aborts, the
 * word becomes 1, and the signal goes on to do what it does. kill -9 writes nothing: nobody's work is
 * to blame for it.
 *
 * Survived: a thread that reads a mapped file of somebody else's says so first. If the file is cut
 * short meanwhile, what is missing reads as zeroes, and the thread is told afterwards.
 *
 * Thread: any, each for itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* From now on, and in this thread; NULL: no longer. */
void fault_tell(uint32_t *word);

/* Once, before the first guard, and before there are threads that use it. */
void fault_guard_install(void);

/* Around what reads mappings of files that others may cut short, and no other ones. */
void fault_guard_begin(void);
/* Whether one was: its mapping is zeroes from there on, and good for nothing but to be unmapped. */
bool fault_guard_end(void);
