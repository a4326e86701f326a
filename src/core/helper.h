/* helper: where the programs are that come with the server. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The path of a helper program: beside the program, in libexec of where it was installed, or in its
 * build tree. False: it is nowhere, or size is too small. */
bool helper_find(const char *name, char *out, size_t size);
