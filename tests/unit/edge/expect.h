/* expect: what the tests of the front door compare: runs of bytes against text. */
#pragma once

#include <stdio.h>

#include "guarded.h"

#include "core/writer.h"

static inline void expect_bytes(struct bytes got, const char *want)
{
	/* want is never NULL; at -O3 gcc is not sure. */
	if (!bytes_equal(got, bytes_str(want)))
		fail_msg("got \"%.*s\", not \"%s\"", (int)got.len, (const char *)got.at,
			 want ? want : "");
}

static inline void expect_written(const struct writer *w, const char *want)
{
	assert_true(writer_ok(w));
	expect_bytes(writer_done(w), want);
}
