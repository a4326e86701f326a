/* chunked: takes the chunk framing (RFC 9112 7.1) off a body as it arrives, and puts it on.
 *
 *     in:   "5;x=y\r\nhello\r\n0\r\n\r\n" next head …
 *                     ^data            ^used with CHUNKED_END
 *
 * Data is handed out as it comes, where it lies: nothing is copied or kept, a chunk that arrives in
 * pieces is given out in pieces. The decoder is a few words that the caller zeroes once a body, and
 * the same bytes give the same data however they were chopped.
 *
 * Chunk extensions and trailers are skipped, within bounds. Lines must end with CR LF: all known
 * encoders send that, and what readers disagree about is how requests are smuggled. Pure. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

#define CHUNKED_LINE_MAX    256u  /* bytes of a size line, its extensions included */
#define CHUNKED_TRAILER_MAX 4096u /* bytes of all trailers together */

enum chunked_status {
	CHUNKED_DATA, /* *data is the next of the body, never empty */
	CHUNKED_MORE, /* all of in is used up, without any data at its end */
	CHUNKED_END,  /* the body is over: in.at + *used is behind it; said again at each call */
	CHUNKED_BAD,  /* not chunks; said again at each call: close the connection */
};

enum chunked_state {
	CHUNKED_SIZE_FIRST, /* the first digit of a size */
	CHUNKED_SIZE,
	CHUNKED_PAD, /* blanks behind the size (RFC 9112 7.1.1: BWS) */
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_BODY,
	CHUNKED_BODY_CR,
	CHUNKED_BODY_LF,
	CHUNKED_TRAILER_FIRST, /* at the beginning of a trailer line, or of the last line */
	CHUNKED_TRAILER,
	CHUNKED_TRAILER_LF,
	CHUNKED_LAST_LF,
	CHUNKED_DONE,
	CHUNKED_BROKEN,
};

struct chunked {
	uint64_t left;    /* bytes of this chunk still to come; its size while that is being read */
	uint32_t skipped; /* bytes of this size line, or of the trailers */
	enum chunked_state state;
};

/* Goes on from where the last call stopped. *used is how many bytes of in are behind us, framing
 * and data; the caller calls again with the rest until it is told CHUNKED_MORE. */
enum chunked_status chunked_next(struct chunked *chunked, struct bytes in, struct bytes *data,
				 size_t *used);
