/* asleep: whether the kernel has put a process to sleep. Who is woken is awake from the moment of the wake
 * on, however late he comes to run: so a busy machine makes nobody look as if he still slept. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "core/check.h"

static inline bool is_asleep(pid_t pid)
{
	char path[64], line[256] = "";
	const char *name_end;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	file = fopen(path, "re");
	CHECK(file && fgets(line, sizeof line, file));
	fclose(file);
	name_end = strrchr(line, ')');
	return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}
