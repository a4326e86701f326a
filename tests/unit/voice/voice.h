/* voice: comparing what a writer made with what it should have made, in hexadecimal. */
#pragma once

#include <stdio.h>

#include "core/reader.h"
#include "core/writer.h"
#include "guarded.h"

static inline void print_hex(const char *what, struct bytes in)
{
	char text[2 * 64 + 1] = "";

	for (size_t i = 0; i < in.len && i < 64; i++)
		snprintf(text + 2 * i, 3, "%02x", in.at[i]);
	print_error("%s %s (%zu)\n", what, text, in.len);
}

static inline void assert_bytes(struct bytes got, struct bytes want)
{
	if (!bytes_equal(got, want)) {
		print_hex("got ", got);
		print_hex("want", want);
	}
	assert_true(bytes_equal(got, want));
}
