/* A publisher's half of RTMP, as bytes: handshake, commands, media in chunks, cut at every place. */
#include "guarded.h"

#include <stdlib.h>

#include "rtmp.h"

struct stream {
	uint8_t bytes[16384];
	struct writer w;
};

struct heard {
	uint8_t messages[4][2048]; /* by lane */
	uint8_t joined[8192];      /* type, length, time and bytes of each whole message */
	struct writer w;
	uint8_t out[16384];
	size_t out_len;
	enum rtmp_status last;
};

static void put_chunk_0(struct writer *w, unsigned lane, uint32_t time, uint8_t type, size_t len)
{
	writer_u8(w, (uint8_t)lane);
	writer_be(w, time < 0xffffff ? time : 0xffffff, 3);
	writer_be(w, len, 3);
	writer_u8(w, type);
	writer_le(w, 1, 4);
	if (time >= 0xffffff)
		writer_be(w, time, 4);
}

static void put_handshake(struct writer *w)
{
	writer_u8(w, 3);
	writer_fill(w, 7, 1536);
	writer_fill(w, 0, 1536);
}

static void put_text(struct writer *w, const char *text)
{
	writer_u8(w, 2);
	writer_be(w, strlen(text), 2);
	writer_str(w, text);
}

static void put_number(struct writer *w, uint8_t value)
{
	double number = value;
	uint64_t bits;

	memcpy(&bits, &number, sizeof bits);
	writer_u8(w, 0);
	writer_be(w, bits, 8);
}

static struct bytes connect_message(uint8_t *buf, size_t size)
{
	struct writer w = writer_of(buf, size);

	put_text(&w, "connect");
	put_number(&w, 1);
	writer_u8(&w, 3);
	writer_be(&w, 3, 2);
	writer_str(&w, "app");
	put_text(&w, "live");
	writer_be(&w, 4, 2);
	writer_str(&w, "type");
	put_text(&w, "nonprivate");
	writer_be(&w, 9, 3);
	return writer_done(&w);
}

/* Audio and video in turns, a change of the chunk size, long times, short headers. */
static void put_session(struct stream *s)
{
	uint8_t buf[256], big[700];
	struct bytes connect = connect_message(buf, sizeof buf);

	s->w = writer_of(s->bytes, sizeof s->bytes);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7);
	put_handshake(&s->w);
	put_chunk_0(&s->w, 3, 0, RTMP_COMMAND, connect.len);
	writer_put(&s->w, connect);
	put_chunk_0(&s->w, 2, 0, 5, 4); /* acknowledge every 1,000 bytes */
	writer_be(&s->w, 1000, 4);
	/* 700 bytes of video, in whose middle there is sound */
	put_chunk_0(&s->w, 6, 0x1000000, RTMP_VIDEO, sizeof big);
	writer_put(&s->w, bytes_of(big, 128));
	put_chunk_0(&s->w, 4, 20, RTMP_AUDIO, 5);
	writer_str(&s->w, "sound");
	for (size_t at = 128; at < sizeof big; at += 128) {
		writer_u8(&s->w, 0xc6);
		writer_be(&s->w, 0x1000000, 4); /* section 5.3.1.3: again */
		writer_put(&s->w, bytes_first(bytes_of(big + at, sizeof big - at), 128));
	}
	put_chunk_0(&s->w, 2, 0, 1, 4); /* larger chunks */
	writer_be(&s->w, 600, 4);
	writer_u8(&s->w, 0x44); /* 23 ms later, 7 bytes, the same lane */
	writer_be(&s->w, 23, 3);
	writer_be(&s->w, 7, 3);
	writer_u8(&s->w, RTMP_AUDIO);
	writer_str(&s->w, "sounder");
	writer_u8(&s->w, 0xc4); /* and once more */
	writer_str(&s->w, "sounder");
	assert_true(writer_ok(&s->w));
}

/* All of in, in pieces that end where they are told to; each piece ends at an unmapped page. */
static void hear(struct heard *heard, struct rtmp *rtmp, struct bytes in)
{
	struct bytes left = in;

	for (;;) {
		uint8_t buf[RTMP_OUT_MAX];
		struct writer out = writer_of(buf, sizeof buf);
		struct rtmp_chunk chunk;
		size_t used;

		heard->last = rtmp_input(rtmp, left, &used, &chunk, &out);
		assert_true(used <= left.len);
		memcpy(heard->out + heard->out_len, buf, out.len);
		heard->out_len += out.len;
		left = bytes_skip(left, used);
		if (heard->last != RTMP_CHUNK)
			break;
		assert_true(chunk.off + chunk.piece.len <= chunk.len);
		assert_in_range(chunk.lane, 0, 3);
		memcpy(heard->messages[chunk.lane] + chunk.off, chunk.piece.at, chunk.piece.len);
		if (chunk.off + chunk.piece.len < chunk.len)
			continue;
		writer_u8(&heard->w, chunk.type);
		writer_be(&heard->w, chunk.len, 4);
		writer_be(&heard->w, chunk.time, 4);
		writer_put(&heard->w, bytes_of(heard->messages[chunk.lane], chunk.len));
	}
}

static void hear_guarded(struct heard *heard, struct rtmp *rtmp, struct bytes in)
{
	struct bytes copy = guarded(in);

	hear(heard, rtmp, copy);
	guarded_free(copy);
}

/* What the first piece left is heard again with the second. */
static struct heard *hear_in_two(const struct stream *s, size_t cut)
{
	struct heard *heard = calloc(1, sizeof *heard);
	struct bytes all = writer_done(&s->w);
	struct rtmp rtmp;

	assert_non_null(heard);
	heard->w = writer_of(heard->joined, sizeof heard->joined);
	rtmp_init(&rtmp);
	if (cut)
		hear_guarded(heard, &rtmp, bytes_first(all, cut));
	if (heard->last == RTMP_MORE)
		hear_guarded(heard, &rtmp, bytes_skip(all, rtmp.received));
	return heard;
}

static void a_session_is_the_same_wherever_it_is_cut(void **state)
{
	struct stream *s = malloc(sizeof *s);
	struct heard *whole, *parts;

	(void)state;
	assert_non_null(s);
	put_session(s);
	whole = hear_in_two(s, 0);
	assert_int_equal(whole->last, RTMP_MORE);
	for (size_t cut = 1; cut < s->w.len; cut++) {
		parts = hear_in_two(s, cut);
		assert_int_equal(parts->w.len, whole->w.len);
		assert_memory_equal(parts->joined, whole->joined, whole->w.len);
		free(parts);
	}
	/* connect, sound, video, sound, sound */
	{
		struct reader r = reader_of(writer_done(&whole->w));
		static const struct {
			uint8_t type;
			uint32_t len, time;
		} expected[] = {{RTMP_COMMAND, 0, 0},
				{RTMP_AUDIO, 5, 20},
				{RTMP_VIDEO, 700, 0x1000000},
				{RTMP_AUDIO, 7, 43},
				{RTMP_AUDIO, 7, 66}};

		for (size_t i = 0; i < 5; i++) {
			uint32_t len;

			assert_int_equal(reader_u8(&r), expected[i].type);
			len = reader_be32(&r);
			if (i > 0)
				assert_int_equal(len, expected[i].len);
			assert_int_equal(reader_be32(&r), expected[i].time);
			reader_skip(&r, len);
		}
		assert_true(reader_ok(&r));
		assert_int_equal(reader_left(&r), 0);
	}
	/* The handshake's answer, and an acknowledgement (type 3 in lane 2). */
	assert_true(whole->out_len > 3073);
	assert_int_equal(whole->out[0], 3);
	assert_int_equal(whole->out[1 + 1536], 7);
	assert_int_equal(whole->out[3073], 2);
	assert_int_equal(whole->out[3073 + 7], 3);
	free(whole);
	free(s);
}

static void calls_are_read_and_answered(void **state)
{
	uint8_t buf[256], answer[RTMP_OUT_MAX];
	struct writer out = writer_of(answer, sizeof answer), w;
	struct rtmp_call call;
	struct bytes message = connect_message(buf, sizeof buf);

	(void)state;
	assert_true(rtmp_call_parse(message, &call));
	assert_int_equal(call.verb, RTMP_CONNECT);
	assert_true(bytes_equal(call.name, BYTES("live")));
	for (size_t len = 0; len < message.len; len++) {
		struct bytes cut = guarded(bytes_first(message, len));

		assert_false(rtmp_call_parse(cut, &call) && call.name.len > 4);
		guarded_free(cut);
	}
	assert_true(rtmp_call_parse(message, &call));
	rtmp_answer(&out, &call);
	assert_true(writer_ok(&out));
	assert_true(bytes_find_nocase(writer_done(&out), BYTES("NetConnection.Connect.Success")) <
		    out.len);
	w = writer_of(buf, sizeof buf);
	put_text(&w, "publish");
	put_number(&w, 4);
	writer_u8(&w, 5);
	put_text(&w, "a key");
	assert_true(rtmp_call_parse(writer_done(&w), &call));
	assert_int_equal(call.verb, RTMP_PUBLISH);
	assert_true(bytes_equal(call.name, BYTES("a key")));
	out = writer_of(answer, sizeof answer);
	rtmp_refuse(&out, &call, "wrong stream key");
	assert_true(bytes_find_nocase(writer_done(&out), BYTES("NetStream.Publish.BadName")) <
		    out.len);
	assert_false(rtmp_call_parse(BYTES("\3\0"), &call));
}

static void what_is_no_rtmp_is_broken(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} after[] = {
		{"\xc3", 1},                                /* nothing was before */
		{"\x02\0\0\0\0\0\4\1\0\0\0\0\0\0\0\0", 16}, /* chunks of nothing */
		{"\x02\0\0\0\0\0\4\1\0\0\0\0\1\0\0\0", 16}, /* chunks beyond a message */
		{"\x02\0\0\0\0\0\0\1\0\0\0\0", 12},         /* a size without one */
		{"\x04\0\0\0\0\0\xff\x08\0\0\0\0", 12},     /* see below */
	};
	struct stream *s = malloc(sizeof *s);

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
		struct heard *heard;

		s->w = writer_of(s->bytes, sizeof s->bytes);
		put_handshake(&s->w);
		writer_put(&s->w, bytes_of(after[i].bytes, after[i].len));
		if (i == 4) { /* a new header in the middle of a message */
			writer_fill(&s->w, 0, 128);
			put_chunk_0(&s->w, 4, 0, RTMP_AUDIO, 5);
		}
		heard = hear_in_two(s, 0);
		assert_int_equal(heard->last, RTMP_BROKEN);
		free(heard);
	}
	s->w = writer_of(s->bytes, sizeof s->bytes);
	writer_str(&s->w, "GET / HTTP/1.1\r\n");
	{
		struct heard *heard = hear_in_two(s, 0);

		assert_int_equal(heard->last, RTMP_BROKEN);
		free(heard);
	}
	free(s);
}

static void flv_tags_and_data(void **state)
{
	static const uint8_t head[] = {9, 1, 2, 3, 5, 6, 7, 4, 0, 0, 0}, tail[] = {0, 1, 2, 14};
	uint8_t got[RTMP_TAG_HEAD], end[RTMP_TAG_TAIL];

	(void)state;
	rtmp_tag_head(got, RTMP_VIDEO, 0x010203, 0x04050607);
	assert_memory_equal(got, head, sizeof head);
	rtmp_tag_tail(end, 0x010203);
	assert_memory_equal(end, tail, sizeof tail);
	assert_true(bytes_equal(rtmp_data_trim(BYTES("\2\0\15@setDataFrame\2\0\12onMetaData")),
				BYTES("\2\0\12onMetaData")));
	assert_true(bytes_equal(rtmp_data_trim(BYTES("\2\0\12onMetaData")),
				BYTES("\2\0\12onMetaData")));
	assert_true(bytes_equal(rtmp_data_trim(BYTES("\2")), BYTES("\2")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_the_same_wherever_it_is_cut),
		cmocka_unit_test(calls_are_read_and_answered),
		cmocka_unit_test(what_is_no_rtmp_is_broken),
		cmocka_unit_test(flv_tags_and_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
