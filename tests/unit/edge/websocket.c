/* websocket: messages come out as they went in however the bytes are cut, and who breaks the rules is
 * told by the code that RFC 6455 has for it. */
#include "edge/websocket.h"

#include "expect.h"

#define OUT 4096u

struct ear {
	struct websocket *websocket;
	size_t messages, len, out_len, room, refuse_after;
	uint8_t heard[8192], out[OUT];
	bool text;
};

static bool on_message(void *user, struct bytes message, bool text)
{
	struct ear *ear = user;

	assert_true(ear->len + message.len + 1 <= sizeof ear->heard);
	if (message.len)
		memcpy(ear->heard + ear->len, message.at, message.len);
	ear->len += message.len;
	ear->heard[ear->len++] = '|';
	ear->text = text;
	return ++ear->messages != ear->refuse_after;
}

static bool on_put(void *user, struct bytes wire)
{
	struct ear *ear = user;

	if (ear->out_len + wire.len > ear->room)
		return false;
	memcpy(ear->out + ear->out_len, wire.at, wire.len);
	ear->out_len += wire.len;
	return true;
}

static const struct websocket_use use = {1000, on_message, on_put};

static struct ear ear;

static void start(void)
{
	websocket_destroy(&ear.websocket);
	ear = (struct ear){.room = OUT};
	ear.websocket = websocket_create(&use, &ear);
	assert_non_null(ear.websocket);
}

/* A client's frame; first: its first byte. */
static void frame(struct writer *w, uint8_t first, struct bytes body)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

	writer_u8(w, first);
	if (body.len < 126) {
		writer_u8(w, (uint8_t)(0x80 | body.len));
	} else {
		writer_u8(w, 0x80 | 126);
		writer_be(w, body.len, 2);
	}
	writer_put(w, bytes_of(mask, 4));
	for (size_t i = 0; i < body.len; i++)
		writer_u8(w, body.at[i] ^ mask[i % 4]);
}

static void expect_close(uint16_t code)
{
	assert_true(ear.out_len >= 4);
	assert_int_equal(ear.out[0], 0x88);
	assert_int_equal(ear.out[2] << 8 | ear.out[3], code);
}

static void the_key_is_answered_as_the_rfc_says(void **state)
{
	char out[WEBSOCKET_ACCEPT_SIZE + 1];

	(void)state;
	websocket_accept_key(BYTES("dGhlIHNhbXBsZSBub25jZQ=="), out); /* RFC 6455 1.3 */
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void messages_are_the_same_however_they_are_cut(void **state)
{
	uint8_t room[2048], longer[700];
	struct writer w = writer_of(room, sizeof room);
	size_t want;

	(void)state;
	memset(longer, 'x', sizeof longer);
	frame(&w, 0x82, BYTES("one"));
	frame(&w, 0x01, BYTES("two, in "));
	frame(&w, 0x89, BYTES("ping")); /* between fragments: RFC 6455 5.4 */
	frame(&w, 0x00, BYTES("three "));
	frame(&w, 0x80, BYTES("parts"));
	frame(&w, 0x82, bytes_of(longer, sizeof longer));
	frame(&w, 0x82, BYTES(""));
	assert_true(writer_ok(&w));
	want = sizeof "one|two, in three parts||" - 1 + sizeof longer + 1;
	for (size_t cut = 0; cut <= w.len; cut++) {
		start();
		assert_true(websocket_take(ear.websocket, bytes_of(room, cut)));
		assert_true(websocket_take(ear.websocket, bytes_of(room + cut, w.len - cut)));
		assert_int_equal(ear.messages, 4);
		assert_int_equal(ear.len, want);
		assert_memory_equal(ear.heard, "one|two, in three parts|xxx", 27);
		expect_bytes(bytes_of(ear.out, ear.out_len), "\x8a\x04ping");
	}
	start();
	for (size_t i = 0; i < w.len; i++)
		assert_true(websocket_take(ear.websocket, bytes_of(room + i, 1)));
	assert_int_equal(ear.len, want);
}

struct wrong {
	uint8_t bytes[16];
	size_t len;
	uint16_t code;
};

static const struct wrong wrongs[] = {
	{{0x82, 0x01, 'x'}, 3, WEBSOCKET_PROTOCOL},             /* without a mask */
	{{0xc2, 0x81, 0, 0, 0, 0, 'x'}, 7, WEBSOCKET_PROTOCOL}, /* RSV1 */
	{{0x83, 0x81, 0, 0, 0, 0, 'x'}, 7, WEBSOCKET_PROTOCOL}, /* opcode 3 */
	{{0x80, 0x81, 0, 0, 0, 0, 'x'}, 7, WEBSOCKET_PROTOCOL}, /* goes on with nothing */
	{{0x09, 0x80, 0, 0, 0, 0}, 6, WEBSOCKET_PROTOCOL},      /* half a ping */
	{{0x81, 0x81, 0, 0, 0, 0, 0xff}, 7, WEBSOCKET_NO_UTF8}, /* 8.1 */
	{{0x82, 0xfe, 0x03, 0xe9, 0, 0, 0, 0, 'x'}, 9, WEBSOCKET_TOO_BIG}, /* 1,001 bytes */
	{{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'x'},
	 15,
	 WEBSOCKET_TOO_BIG},
	{{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}, 8, WEBSOCKET_NORMAL}, /* goodbye */
};

static void who_breaks_the_rules_is_told_which(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		const struct wrong *wrong = &wrongs[i];
		bool goes_on = true;

		start();
		for (size_t n = 0; n < wrong->len && goes_on; n++)
			goes_on = websocket_take(ear.websocket, bytes_of(wrong->bytes + n, 1));
		if (goes_on)
			fail_msg("row %zu is taken", i);
		expect_close(wrong->code);
		assert_int_equal(ear.messages, 0);
		assert_false(websocket_send(ear.websocket, BYTES("late"), false));
	}
}

static void fragments_together_are_not_longer_than_a_message_may_be(void **state)
{
	uint8_t room[2048], part[600] = {0};
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	start();
	frame(&w, 0x02, bytes_of(part, sizeof part));
	frame(&w, 0x80, bytes_of(part, sizeof part));
	assert_false(websocket_take(ear.websocket, writer_done(&w)));
	expect_close(WEBSOCKET_TOO_BIG);
}

static void what_is_sent_is_framed_and_ends_where_there_is_no_room(void **state)
{
	uint8_t body[300] = {7};

	(void)state;
	start();
	assert_true(websocket_send(ear.websocket, BYTES("hi"), true));
	assert_true(websocket_send(ear.websocket, bytes_of(body, sizeof body), false));
	assert_true(websocket_ping(ear.websocket));
	assert_memory_equal(ear.out, "\x81\x02hi\x82\x7e\x01\x2c\x07", 9);
	assert_int_equal(ear.out_len, 4 + 4 + 300 + 2);
	ear.room = ear.out_len + 100;
	assert_false(websocket_send(ear.websocket, bytes_of(body, sizeof body), false));
	assert_false(websocket_send(ear.websocket, BYTES("x"), false));
	assert_false(websocket_take(ear.websocket, BYTES("")));
}

static void goodbyes_are_said_once(void **state)
{
	uint8_t room[64];
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	start();
	websocket_close(ear.websocket, WEBSOCKET_GOING_AWAY, "we stop");
	expect_close(WEBSOCKET_GOING_AWAY);
	assert_int_equal(ear.out_len, 2 + 2 + 7);
	assert_false(websocket_send(ear.websocket, BYTES("more"), false));
	frame(&w, 0x88, BYTES("\x03\xe9"));
	assert_false(websocket_take(ear.websocket, writer_done(&w)));
	assert_int_equal(ear.out_len, 2 + 2 + 7);
}

static void who_wants_no_more_gets_no_more(void **state)
{
	uint8_t room[64];
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	start();
	ear.refuse_after = 1;
	frame(&w, 0x82, BYTES("a"));
	frame(&w, 0x82, BYTES("b"));
	assert_false(websocket_take(ear.websocket, writer_done(&w)));
	assert_int_equal(ear.messages, 1);
}

static int clear(void **state)
{
	(void)state;
	websocket_destroy(&ear.websocket);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_is_answered_as_the_rfc_says),
		cmocka_unit_test(messages_are_the_same_however_they_are_cut),
		cmocka_unit_test(who_breaks_the_rules_is_told_which),
		cmocka_unit_test(fragments_together_are_not_longer_than_a_message_may_be),
		cmocka_unit_test(what_is_sent_is_framed_and_ends_where_there_is_no_room),
		cmocka_unit_test(goodbyes_are_said_once),
		cmocka_unit_test(who_wants_no_more_gets_no_more),
	};

	return cmocka_run_group_tests_name("websocket", tests, NULL, clear);
}
