/* rtmp: the publisher's half of RTMP, as a server hears it: handshake, chunks, the few commands that
 * lead to a stream.
 *
 *   bytes ─▶ rtmp_input ─▶ RTMP_CHUNK: a piece of a message ─▶ the caller joins the pieces
 *                │                                               │ whole commands
 *                └─▶ out: handshake, acknowledgements    rtmp_call_parse ─▶ connect, publish …
 *                                                                └─▶ rtmp_answer_… ─▶ out
 *
 * Pieces of several messages may come in turns, each message in its own lane. Control messages (chunk
 * size, window) are obeyed here and not handed on. Pure: no I/O, clock or allocation; whoever calls has
 * the buffers. Playing, AMF3 and aggregates are not there: nobody publishes with them. What is cited is
 * Adobe's "RTMP Specification 1.0" of 2012. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

#define RTMP_LANES       8u        /* chunk streams of one peer at the same time */
#define RTMP_MESSAGE_MAX 0xffffffu /* the length has 24 bits */
#define RTMP_OUT_MAX     4096u     /* the most that one call writes */
#define RTMP_NAME_MAX    256u

enum rtmp_type {
	RTMP_AUDIO = 8,
	RTMP_VIDEO = 9,
	RTMP_DATA = 18,
	RTMP_COMMAND = 20,
};

struct rtmp_lane {
	uint32_t id; /* of the chunk stream; 0: free */
	uint32_t time, delta;
	uint32_t len, got; /* of the message under way */
	uint8_t type;
	bool extended;   /* the last whole header had a long timestamp, so short ones have too */
	uint8_t head[4]; /* of control messages */
};

struct rtmp {
	enum { RTMP_C0_C1, RTMP_C2, RTMP_CHUNKS } stage;
	struct rtmp_lane lanes[RTMP_LANES];
	struct rtmp_lane *lane; /* whose payload comes next; NULL: a header does */
	uint32_t left;          /* of this chunk's payload */
	uint32_t chunk_max;     /* as the peer has set it */
	uint32_t window;
	uint64_t received, acknowledged;
};

struct rtmp_chunk {
	unsigned lane;
	uint8_t type;
	uint32_t time;      /* ms */
	uint32_t len;       /* of the whole message */
	uint32_t off;       /* where the piece belongs in it */
	struct bytes piece; /* points into the input */
};

enum rtmp_status { RTMP_MORE, RTMP_CHUNK, RTMP_BROKEN };

void rtmp_init(struct rtmp *rtmp);

/* Takes *used bytes off the front of in. RTMP_CHUNK: *chunk is a piece, call again with the rest;
 * RTMP_MORE: it takes more bytes than in has; RTMP_BROKEN: this is no RTMP, or none that we take. out
 * has room for RTMP_OUT_MAX. */
enum rtmp_status rtmp_input(struct rtmp *rtmp, struct bytes in, size_t *used,
			    struct rtmp_chunk *chunk, struct writer *out);

enum rtmp_verb { RTMP_CONNECT, RTMP_CREATE_STREAM, RTMP_PUBLISH, RTMP_END, RTMP_OTHER };

struct rtmp_call {
	enum rtmp_verb verb;
	double transaction;
	struct bytes name; /* of the application or the stream; points into the message */
};

/* A whole command message. False: it is none. */
bool rtmp_call_parse(struct bytes message, struct rtmp_call *call);

/* What a call is answered with; refuse says no, in the words that encoders know. */
void rtmp_answer(struct writer *out, const struct rtmp_call *call);
void rtmp_refuse(struct writer *out, const struct rtmp_call *call, const char *why);

/* A data message as FLV has it: without the "@setDataFrame" that only the way has. */
struct bytes rtmp_data_trim(struct bytes message);

/* The 11 bytes of an FLV tag before the message, and the 4 behind it (FLV 1.0, E.4.1). */
#define RTMP_TAG_HEAD 11u
#define RTMP_TAG_TAIL 4u
void rtmp_tag_head(uint8_t out[RTMP_TAG_HEAD], uint8_t type, uint32_t len, uint32_t time);
void rtmp_tag_tail(uint8_t out[RTMP_TAG_TAIL], uint32_t len);
