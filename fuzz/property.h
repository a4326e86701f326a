/* property: what a fuzz target asserts. It aborts, so that libFuzzer and the replay both see it. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROPERTY(what)                                                                      \
	do {                                                                                \
		if (!(what)) {                                                              \
			fprintf(stderr, "%s:%d: property broken: %s\n", __FILE__, __LINE__, \
				#what);                                                     \
			abort();                                                            \
		}                                                                           \
	} while (0)

/* Whether part lies inside whole (an empty part may lie anywhere). */
static inline bool part_inside(struct bytes part, struct bytes whole)
{
	return part.len == 0 || (part.at >= whole.at && part.len <= whole.len &&
				 (size_t)(part.at - whole.at) <= whole.len - part.len);
}
