/* fault: which thread brought the process down, written where the next process can read it.
 *
 * A thread names a word of shared memory. If it then faults (SIGSEGV, SIGBUS, SIGILL, SIGFPE) or
 * aborts, the word becomes 1, and the signal goes on to do what it does. What another process sends writes
 * nothing: nobody's work is to blame for it. Thread: any, each for itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on, and in this thread; NULL: no longer. */
void fault_tell(uint32_t *word);

/* Memory of a file that others may make shorter: from now on, zeroes are read where it has ended, and
 * the process lives. False: there is no room for more (FAULT_SPARED_MAX), and it will not. Any thread. */
#define FAULT_SPARED_MAX 1024
bool fault_spare(const void *at, size_t len);

/* Before it is unmapped. */
void fault_spare_end(const void *at);
