/* golden: the offers of real programs, from tests/golden/sdp. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "guarded.h"

/* The file of that name, guarded. */
static inline struct bytes golden(const char *name)
{
	static uint8_t buf[65536];
	char path[512];
	FILE *file;
	size_t len;

	snprintf(path, sizeof path, "%s/%s.sdp", getenv("GOLDEN"), name);
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(buf, 1, sizeof buf, file);
	fclose(file);
	return guarded(bytes_of(buf, len));
}
