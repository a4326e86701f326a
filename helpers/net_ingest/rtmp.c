#include "rtmp.h"

#define HANDSHAKE 1536u
#define VERSION   3u

/* Messages that steer the connection, section 5.4, and their lanes on the way out. */
enum {
	SET_CHUNK_SIZE = 1,
	ABORT = 2,
	ACKNOWLEDGEMENT = 3,
	USER_CONTROL = 4,
	WINDOW = 5,
	BANDWIDTH = 6
};
enum { LANE_CONTROL = 2, LANE_COMMAND = 3, LANE_STREAM = 5 };

#define WINDOW_OURS 2500000u
#define STREAM      1u

void rtmp_init(struct rtmp *rtmp)
{
	*rtmp = (struct rtmp){.stage = RTMP_C0_C1, .chunk_max = 128}; /* section 5.4.1 */
}

/* --- out ------------------------------------------------------------------------------------------ */

/* Sections 5.3.1.2.1 and 5.4: a header with all fields, for a message of one chunk. */
static void put_header(struct writer *out, unsigned lane, uint8_t type, size_t len, uint32_t stream)
{
	writer_u8(out, (uint8_t)lane);
	writer_be(out, 0, 3);
	writer_be(out, len, 3);
	writer_u8(out, type);
	writer_le(out, stream, 4);
}

static void put_control(struct writer *out, uint8_t type, uint32_t value)
{
	put_header(out, LANE_CONTROL, type, type == BANDWIDTH ? 5 : 4, 0);
	writer_be(out, value, 4);
	if (type == BANDWIDTH)
		writer_u8(out, 2); /* dynamic */
}

static void put_number(struct writer *out, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	writer_u8(out, 0);
	writer_be(out, bits, 8);
}

static void put_string(struct writer *out, const char *text)
{
	writer_u8(out, 2);
	writer_be(out, strlen(text), 2);
	writer_str(out, text);
}

static void put_member(struct writer *out, const char *name, const char *value)
{
	writer_be(out, strlen(name), 2);
	writer_str(out, name);
	put_string(out, value);
}

static void put_object_end(struct writer *out)
{
	writer_be(out, 9, 3);
}

/* A message in chunks of 128 bytes, which is what the peer expects until told otherwise. */
static void put_message(struct writer *out, unsigned lane, uint32_t stream, struct bytes body)
{
	put_header(out, lane, RTMP_COMMAND, body.len, stream);
	while (body.len > 0) {
		writer_put(out, bytes_first(body, 128));
		body = bytes_skip(body, 128);
		if (body.len > 0)
			writer_u8(out, (uint8_t)(0xc0 | lane)); /* section 5.3.1.2.4 */
	}
}

static void put_status(struct writer *body, const char *level, const char *code, const char *text)
{
	writer_u8(body, 3);
	put_member(body, "level", level);
	put_member(body, "code", code);
	put_member(body, "description", text);
	put_object_end(body);
}

static void put_null(struct writer *body)
{
	writer_u8(body, 5);
}

void rtmp_answer(struct writer *out, const struct rtmp_call *call)
{
	uint8_t buf[512];
	struct writer body = writer_of(buf, sizeof buf);

	if (call->verb == RTMP_CONNECT) {
		put_control(out, WINDOW, WINDOW_OURS);
		put_control(out, BANDWIDTH, WINDOW_OURS);
	}
	if (call->verb == RTMP_PUBLISH) {
		put_header(out, LANE_CONTROL, USER_CONTROL, 6, 0);
		writer_be(out, 0, 2); /* section 7.1.7: the stream begins */
		writer_be(out, STREAM, 4);
		put_string(&body, "onStatus");
		put_number(&body, 0);
		put_null(&body);
		put_status(&body, "status", "NetStream.Publish.Start", "go on");
		put_message(out, LANE_STREAM, STREAM, writer_done(&body));
		return;
	}
	put_string(&body, "_result");
	put_number(&body, call->transaction);
	if (call->verb == RTMP_CONNECT) {
		writer_u8(&body, 3);
		put_member(&body, "fmsVer", "FMS/3,0,1,123");
		put_object_end(&body);
		put_status(&body, "status", "NetConnection.Connect.Success", "connected");
	} else {
		put_null(&body);
		if (call->verb == RTMP_CREATE_STREAM)
			put_number(&body, STREAM);
	}
	put_message(out, LANE_COMMAND, 0, writer_done(&body));
}

void rtmp_refuse(struct writer *out, const struct rtmp_call *call, const char *why)
{
	uint8_t buf[512];
	struct writer body = writer_of(buf, sizeof buf);
	bool connect = call->verb == RTMP_CONNECT;

	put_string(&body, connect ? "_error" : "onStatus");
	put_number(&body, connect ? call->transaction : 0);
	put_null(&body);
	put_status(&body, "error",
		   connect ? "NetConnection.Connect.Rejected" : "NetStream.Publish.BadName", why);
	put_message(out, connect ? LANE_COMMAND : LANE_STREAM, connect ? 0 : STREAM,
		    writer_done(&body));
}

/* --- in: handshake -------------------------------------------------------------------------------- */

/* Section 5.2: version, then a page of time and random bytes, which the other side returns. */
static enum rtmp_status take_hello(struct rtmp *rtmp, struct bytes in, size_t *used,
				   struct writer *out)
{
	if (in.len > 0 && in.at[0] != VERSION)
		return RTMP_BROKEN;
	if (in.len < 1 + HANDSHAKE)
		return RTMP_MORE;
	writer_u8(out, VERSION);
	/* Nothing here is secret: our page is zeroes, whose second word says that it is not signed. */
	writer_fill(out, 0, HANDSHAKE);
	writer_put(out, bytes_of(in.at + 1, HANDSHAKE));
	*used += 1 + HANDSHAKE;
	rtmp->stage = RTMP_C2;
	return RTMP_CHUNK;
}

/* --- in: chunks ----------------------------------------------------------------------------------- */

static struct rtmp_lane *lane_find(struct rtmp *rtmp, uint32_t id)
{
	struct rtmp_lane *idle = NULL;

	for (size_t i = 0; i < RTMP_LANES; i++) {
		if (rtmp->lanes[i].id == id)
			return &rtmp->lanes[i];
		if (rtmp->lanes[i].id == 0 && !idle)
			idle = &rtmp->lanes[i];
	}
	return idle;
}

/* Section 5.3.1: 1 to 3 bytes of format and lane, 0 to 11 of what has changed, 0 or 4 of time. */
static enum rtmp_status take_header(struct rtmp *rtmp, struct bytes in, size_t *used)
{
	static const uint8_t sizes[] = {11, 7, 3, 0};
	struct reader r = reader_of(in);
	uint8_t first = reader_u8(&r);
	unsigned format = first >> 6;
	uint32_t id = first & 63, time;
	struct rtmp_lane *lane, next;
	struct reader fields;

	if (id == 0)
		id = 64u + reader_u8(&r);
	else if (id == 1) /* the second byte counts 256 times */
		id = 64u + (uint32_t)reader_le(&r, 2);
	fields = reader_of(reader_take(&r, sizes[format]));
	if (!reader_ok(&r))
		return RTMP_MORE;
	lane = lane_find(rtmp, id);
	/* The first of a lane says all; in the middle of a message nothing may change. */
	if (!lane || (lane->id == 0 && format != 0) || (lane->got > 0 && format != 3))
		return RTMP_BROKEN;
	next = *lane;
	next.id = id;
	time = format < 3 ? (uint32_t)reader_be(&fields, 3) : 0;
	if (format < 2) {
		next.len = (uint32_t)reader_be(&fields, 3);
		next.type = reader_u8(&fields);
	}
	if (format < 3)
		next.extended = time == 0xffffff;
	if (next.extended)
		time = reader_be32(&r);
	if (!reader_ok(&r))
		return RTMP_MORE;
	if (format < 3)
		next.delta = format == 0 ? 0 : time;
	if (format == 0)
		next.time = time;
	else if (lane->got == 0)
		next.time += next.delta;
	*lane = next;
	rtmp->lane = lane;
	rtmp->left = next.len - next.got < rtmp->chunk_max ? next.len - next.got : rtmp->chunk_max;
	*used += (size_t)(r.at - in.at);
	return RTMP_CHUNK;
}

/* Section 5.4: a control message is there as a whole. */
static bool obey(struct rtmp *rtmp, const struct rtmp_lane *lane)
{
	struct reader r = reader_of(bytes_of(lane->head, lane->len < 4 ? lane->len : 4));
	uint32_t value = reader_be32(&r);

	if (lane->type == SET_CHUNK_SIZE) {
		rtmp->chunk_max = value;
		return reader_ok(&r) && value > 0 && value <= RTMP_MESSAGE_MAX;
	}
	if (lane->type == WINDOW)
		rtmp->window = value;
	if (lane->type == ABORT)
		for (size_t i = 0; i < RTMP_LANES; i++)
			if (rtmp->lanes[i].id == value)
				rtmp->lanes[i].got = 0;
	return reader_ok(&r);
}

static void acknowledge(struct rtmp *rtmp, struct writer *out)
{
	if (rtmp->window == 0 || rtmp->received - rtmp->acknowledged < rtmp->window)
		return;
	put_control(out, ACKNOWLEDGEMENT, (uint32_t)rtmp->received);
	rtmp->acknowledged = rtmp->received;
}

/* As much of the payload as is there. True: *chunk is for the caller. */
static bool take_payload(struct rtmp *rtmp, struct bytes in, size_t *used, struct rtmp_chunk *chunk)
{
	struct rtmp_lane *lane = rtmp->lane;
	struct bytes piece = bytes_first(in, rtmp->left);
	bool control = lane->type >= SET_CHUNK_SIZE && lane->type <= BANDWIDTH;

	*chunk = (struct rtmp_chunk){.lane = (unsigned)(lane - rtmp->lanes),
				     .type = lane->type,
				     .time = lane->time,
				     .len = lane->len,
				     .off = lane->got,
				     .piece = piece};
	for (size_t i = 0; control && i < piece.len && lane->got + i < sizeof lane->head; i++)
		lane->head[lane->got + i] = piece.at[i];
	lane->got += (uint32_t)piece.len;
	rtmp->left -= (uint32_t)piece.len;
	*used += piece.len;
	if (rtmp->left == 0)
		rtmp->lane = NULL;
	return !control;
}

enum rtmp_status rtmp_input(struct rtmp *rtmp, struct bytes in, size_t *used,
			    struct rtmp_chunk *chunk, struct writer *out)
{
	enum rtmp_status status = RTMP_CHUNK;

	*used = 0;
	while (status == RTMP_CHUNK) {
		struct bytes rest = bytes_skip(in, *used);
		size_t before = *used;
		bool handed_on = false;

		if (rtmp->stage == RTMP_C0_C1) {
			status = take_hello(rtmp, rest, used, out);
		} else if (rtmp->stage == RTMP_C2) {
			if (rest.len < HANDSHAKE)
				return RTMP_MORE;
			*used += HANDSHAKE;
			rtmp->stage = RTMP_CHUNKS;
		} else if (!rtmp->lane) {
			status = take_header(rtmp, rest, used);
		} else {
			struct rtmp_lane *lane = rtmp->lane;

			if (rest.len == 0 && rtmp->left > 0)
				return RTMP_MORE;
			handed_on = take_payload(rtmp, rest, used, chunk);
			if (lane->got == lane->len) {
				lane->got = 0;
				if (!handed_on && !obey(rtmp, lane))
					status = RTMP_BROKEN;
			}
		}
		rtmp->received += *used - before;
		if (handed_on) {
			acknowledge(rtmp, out);
			return RTMP_CHUNK;
		}
	}
	return status;
}

/* --- commands (AMF 0, section 7.2) ---------------------------------------------------------------- */

enum {
	AMF_NUMBER = 0,
	AMF_BOOLEAN = 1,
	AMF_STRING = 2,
	AMF_OBJECT = 3,
	AMF_NULL = 5,
	AMF_UNDEFINED = 6,
	AMF_ECMA_ARRAY = 8,
	AMF_LONG_STRING = 12
};

static struct bytes read_string(struct reader *r)
{
	if (reader_u8(r) != AMF_STRING)
		r->failed = true;
	return reader_take(r, reader_be16(r));
}

static double read_number(struct reader *r)
{
	uint64_t bits;
	double value;

	if (reader_u8(r) != AMF_NUMBER)
		r->failed = true;
	bits = reader_be64(r);
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* The value of a plain kind; objects in objects are not what connect is made of. */
static void skip_value(struct reader *r, uint8_t kind)
{
	switch (kind) {
	case AMF_NUMBER: reader_skip(r, 8); break;
	case AMF_BOOLEAN: reader_skip(r, 1); break;
	case AMF_STRING: reader_skip(r, reader_be16(r)); break;
	case AMF_LONG_STRING: reader_skip(r, reader_be32(r)); break;
	case AMF_NULL:
	case AMF_UNDEFINED: break;
	default: r->failed = true;
	}
}

/* The member "app" of the object that connect has. */
static struct bytes read_app(struct reader *r)
{
	struct bytes app = {0};
	uint8_t kind = reader_u8(r);

	if (kind == AMF_ECMA_ARRAY)
		reader_skip(r, 4);
	else if (kind != AMF_OBJECT)
		r->failed = true;
	while (reader_ok(r)) {
		struct bytes name = reader_take(r, reader_be16(r));

		kind = reader_u8(r);
		if (name.len == 0)
			break; /* 9, the end */
		if (kind == AMF_STRING && bytes_equal(name, BYTES("app")))
			app = reader_take(r, reader_be16(r));
		else
			skip_value(r, kind);
	}
	return app;
}

bool rtmp_call_parse(struct bytes message, struct rtmp_call *call)
{
	static const struct {
		const char *name;
		enum rtmp_verb verb;
	} verbs[] = {
		{"connect", RTMP_CONNECT},  {"createStream", RTMP_CREATE_STREAM},
		{"publish", RTMP_PUBLISH},  {"FCUnpublish", RTMP_END},
		{"deleteStream", RTMP_END}, {"closeStream", RTMP_END},
	};
	struct reader r = reader_of(message);
	struct bytes name = read_string(&r);

	*call = (struct rtmp_call){.verb = RTMP_OTHER, .transaction = read_number(&r)};
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (bytes_equal(name, bytes_str(verbs[i].name)))
			call->verb = verbs[i].verb;
	if (call->verb == RTMP_CONNECT) {
		call->name = read_app(&r);
	} else if (call->verb == RTMP_PUBLISH) {
		skip_value(&r, reader_u8(&r));
		call->name = read_string(&r);
	}
	return reader_ok(&r);
}

struct bytes rtmp_data_trim(struct bytes message)
{
	struct reader r = reader_of(message);
	struct bytes name = read_string(&r);

	if (!reader_ok(&r) || !bytes_equal(name, BYTES("@setDataFrame")))
		return message;
	return bytes_of(r.at, reader_left(&r));
}

void rtmp_tag_head(uint8_t out[RTMP_TAG_HEAD], uint8_t type, uint32_t len, uint32_t time)
{
	struct writer w = writer_of(out, RTMP_TAG_HEAD);

	writer_u8(&w, type);
	writer_be(&w, len, 3);
	writer_be(&w, time & 0xffffff, 3);
	writer_u8(&w, (uint8_t)(time >> 24));
	writer_be(&w, 0, 3);
}

void rtmp_tag_tail(uint8_t out[RTMP_TAG_TAIL], uint32_t len)
{
	struct writer w = writer_of(out, RTMP_TAG_TAIL);

	writer_be(&w, len + RTMP_TAG_HEAD, 4);
}
