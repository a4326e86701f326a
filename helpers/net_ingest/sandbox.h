/* sandbox: what a process that reads untrusted media may still do: read files, use sockets, memory and
 * threads, and write into files that exist. It starts no program, maps nothing that runs, makes, renames or removes no file
 * unless it makes slots itself, and has no privilege, also when root has started it. */
#pragma once

#include <stdbool.h>

/* For good, for this thread and all that it starts. 0, or -errno: then the process should not go on. */
int sandbox_enter(bool makes_slots);
