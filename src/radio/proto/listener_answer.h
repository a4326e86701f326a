/* listener_answer: the head of what a listener is answered, byte for byte.
 *
 * The body is never framed: no Transfer-Encoding and no Content-Length, whatever version the
 * request had, because many radios reject both; the end of the connection is the end of the
 * stream. Each header is written exactly once. What came from an encoder or a setting cannot
 * begin a line of its own: control characters in it become spaces. Pure: any thread, no
 * allocation. It does not write errors (401, 404, 503 …): those are HTTP's. */
#pragma once

#include "core/writer.h"
#include "radio/proto/station.h"

/* Enough for any answer with a content type, server and date of ordinary length. */
#define LISTENER_ANSWER_MAX 4096u

/* The length that a live stream is said to have when a player insists on one: 1 TiB less one byte,
 * two years at 128 kbit/s. Nothing counts it. */
#define LISTENER_TOTAL UINT64_C(1099511627775)

enum listener_range {
	LISTENER_RANGE_IGNORE, /* no range, or one to be ignored: 200 and the stream */
	LISTENER_RANGE_PROBE,  /* Safari asks whether ranges work: 206 and two bytes, no listener */
	LISTENER_RANGE_STREAM, /* it then asks for all that the probe promised: 206, the stream */
};

/* What to make of a Range header's value (empty: there was none). A range is only honoured where
 * the player plays nothing otherwise, and never with Icy-MetaData: AVPlayer, once it was given
 * 206, asks again without Icy-MetaData and loses its titles (docs/quirks.md). */
enum listener_range listener_range_policy(struct bytes range, bool icy_metadata);

enum listener_answer_kind {
	LISTENER_ANSWER_STREAM,       /* 200; also the whole answer to HEAD */
	LISTENER_ANSWER_RANGE_STREAM, /* 206 with all of LISTENER_TOTAL; the stream follows */
	LISTENER_ANSWER_PROBE,        /* 206 with two bytes, which are written as well */
	LISTENER_ANSWER_PROBE_HEAD,   /* the same without the two bytes: HEAD with that Range */
	LISTENER_ANSWER_PREFLIGHT,    /* 204, the whole answer to OPTIONS */
};

struct listener_answer {
	enum listener_answer_kind kind;
	uint32_t quirks; /* of client_profile_of() */
	struct bytes server;
	struct bytes date; /* IMF-fixdate, RFC 9110 section 5.6.7; empty: left out */
	struct bytes content_type;
	const struct station *station; /* NULL: nothing is known */
	struct bytes self;             /* our id, for a relay that asks (hops.h); else empty */
	uint32_t metaint;              /* 0: this listener gets no metadata */
	uint8_t probe[2];              /* what a probe gets: the first bytes of a frame */
};

void listener_answer_write(const struct listener_answer *answer, struct writer *out);
