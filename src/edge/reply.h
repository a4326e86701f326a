/* reply: what a request is answered with: status, type, further headers and a body.
 *
 * Made anywhere, on one thread at a time; given to conn_reply or call_reply, which frees it. */
#pragma once

#include "core/buffer.h"

#define REPLY_HEADERS_MAX 1024u

struct reply {
	unsigned status;
	const char *type;   /* Content-Type; a constant */
	struct buffer body; /* owned */
	struct bytes fixed; /* instead of body: bytes that live as long as the process */
	uint64_t later;     /* bytes of body that come behind these: conn_stream; or of a HEAD's */
	bool close;         /* the connection is not used again */
	bool cache;         /* may be cached by whoever likes; else no-store */
	size_t headers_len;
	char headers[REPLY_HEADERS_MAX]; /* further header lines, each with its CR LF */
};

/* A reply of one line of text. */
void reply_text(struct reply *reply, unsigned status, const char *text);

/* Adds a header; control characters in the value become blanks. What does not fit is left out. */
void reply_header(struct reply *reply, const char *name, struct bytes value);

void reply_fini(struct reply *reply);

/* Counts an answer of this status. */
void reply_count(unsigned status);
