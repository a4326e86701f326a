/* text: comparing what a writer made with what it should have made. */
#pragma once

#include "core/writer.h"
#include "guarded.h"

static inline void assert_bytes(struct bytes got, struct bytes want)
{
	if (!bytes_equal(got, want))
		print_error("got  \"%.*s\" (%zu)\nwant \"%.*s\" (%zu)\n", (int)got.len,
			    (const char *)got.at, got.len, (int)want.len, (const char *)want.at,
			    want.len);
	assert_true(bytes_equal(got, want));
}

static inline void assert_written(const struct writer *w, const char *want)
{
	assert_true(writer_ok(w));
	assert_bytes(writer_done(w), bytes_str(want));
}
