/* slot_dir: the directory of slots: making, replacing, removing and awaiting them.
 *
 * A slot appears under its name whole: it is made without a name, all of its space is taken, its header
 * is written, and then it is linked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* FC_DIR, or where slots are without it. */
const char *fc_dir_name(void);

/* The directory of slots. A descriptor, or -errno. */
int fc_dir_open(bool make);

/* Returns when something has appeared in the directory, or a moment has passed, or at limit
 * (monotonic nanoseconds). */
void fc_dir_await(uint64_t limit);
