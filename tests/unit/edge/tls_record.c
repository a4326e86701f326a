/* tls_record: headers, nonces, what is authenticated; and what a connected client may say, in pieces
 * of every size. The nonces and labels are those of RFC 8448's and RFC 5288's forms. */
#include "edge/proto/tls_record.h"

#include "expect.h"

static int header(enum tls_shape shape, uint8_t type, size_t wire_len, size_t *len)
{
	const uint8_t at[] = {type, 3, 3, (uint8_t)(wire_len >> 8), (uint8_t)wire_len};

	return tls_header_parse(shape, at, len);
}

static void headers_have_bounds(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(header(TLS_SHAPE_13, TLS_DATA, 17, &len), 0);
	assert_int_equal(len, 17);
	assert_int_equal(header(TLS_SHAPE_13, TLS_DATA, 16, &len), TLS_BAD_RECORD_MAC);
	assert_int_equal(header(TLS_SHAPE_13, TLS_DATA, 16384 + 256, &len), 0);
	assert_int_equal(header(TLS_SHAPE_13, TLS_DATA, 16384 + 257, &len), TLS_RECORD_OVERFLOW);
	assert_int_equal(header(TLS_SHAPE_13, TLS_CHANGE_CIPHER_SPEC, 1, &len),
			 TLS_UNEXPECTED_MESSAGE);
	assert_int_equal(header(TLS_SHAPE_13, TLS_ALERT, 19, &len), TLS_UNEXPECTED_MESSAGE);
	assert_int_equal(header(TLS_SHAPE_12_GCM, TLS_ALERT, 26, &len), 0);
	assert_int_equal(header(TLS_SHAPE_12_GCM, TLS_DATA, 23, &len), TLS_BAD_RECORD_MAC);
	assert_int_equal(header(TLS_SHAPE_12_GCM, TLS_DATA, 16384 + 24, &len), 0);
	assert_int_equal(header(TLS_SHAPE_12_GCM, TLS_DATA, 16384 + 25, &len), TLS_RECORD_OVERFLOW);
	assert_int_equal(header(TLS_SHAPE_12_CHACHA, TLS_DATA, 16384 + 17, &len),
			 TLS_RECORD_OVERFLOW);
	assert_int_equal(header(TLS_SHAPE_12_GCM, TLS_CHANGE_CIPHER_SPEC, 1, &len),
			 TLS_UNEXPECTED_MESSAGE);
	assert_int_equal(header(TLS_SHAPE_12_GCM, 'G', 80, &len), TLS_UNEXPECTED_MESSAGE);
}

static void nonces_are_made_as_each_version_says(void **state)
{
	static const uint8_t iv[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	static const uint8_t came[8] = {9, 9, 9, 9, 9, 9, 9, 9};
	uint8_t nonce[12];

	(void)state;
	tls_nonce(TLS_SHAPE_13, iv, 0x0102, NULL, nonce);
	assert_memory_equal(nonce, "\1\2\3\4\5\6\7\x8\x9\xa\xa\xe", 12);
	tls_nonce(TLS_SHAPE_12_CHACHA, iv, 0x0102, came, nonce);
	assert_memory_equal(nonce, "\1\2\3\4\5\6\7\x8\x9\xa\xa\xe", 12);
	tls_nonce(TLS_SHAPE_12_GCM, iv, 0x0102, NULL, nonce);
	assert_memory_equal(nonce, "\1\2\3\4\0\0\0\0\0\0\1\2", 12);
	tls_nonce(TLS_SHAPE_12_GCM, iv, 0x0102, came, nonce);
	assert_memory_equal(nonce, "\1\2\3\4\x9\x9\x9\x9\x9\x9\x9\x9", 12);
}

static void the_right_bytes_are_authenticated(void **state)
{
	uint8_t head[TLS_HEADER_LEN], aad[TLS_AAD_MAX];

	(void)state;
	tls_header_write(head, TLS_DATA, 0x1234);
	assert_int_equal(tls_aad(TLS_SHAPE_13, head, 7, 99, aad), 5);
	assert_memory_equal(aad, "\x17\3\3\x12\x34", 5);
	assert_int_equal(tls_aad(TLS_SHAPE_12_GCM, head, 7, 0x0102, aad), 13);
	assert_memory_equal(aad, "\0\0\0\0\0\0\0\7\x17\3\3\1\2", 13);
}

static void padding_comes_off(void **state)
{
	struct bytes data = BYTES("abc\x17\0\0\0");
	uint8_t type = 0;

	(void)state;
	assert_int_equal(tls_inner_parse(&data, &type), 0);
	assert_int_equal(type, TLS_DATA);
	assert_int_equal(data.len, 3);
	data = BYTES("\x16");
	assert_int_equal(tls_inner_parse(&data, &type), 0);
	assert_int_equal(data.len, 0);
	data = BYTES("\0\0\0");
	assert_int_equal(tls_inner_parse(&data, &type), TLS_UNEXPECTED_MESSAGE);
}

static void labels_are_written(void **state)
{
	uint8_t label[TLS_LABEL_MAX];

	(void)state;
	/* RFC 8448 section 3: "write traffic keys", info of the iv. */
	assert_int_equal(tls_label_write("iv", 12, label), 12);
	assert_memory_equal(label, "\x00\x0c\x08tls13 iv\x00", 12);
}

/* --- what comes in -------------------------------------------------------------------------- */

struct row {
	enum tls_shape shape;
	uint8_t type;
	struct bytes in;
	enum tls_news news;
	uint8_t alert;
};

#define V13 TLS_SHAPE_13
#define V12 TLS_SHAPE_12_GCM

static void one_record_is_told_from_another(void **state)
{
	const struct row rows[] = {
		{V13, TLS_DATA, BYTES("hello"), TLS_NEWS_DATA, 0},
		{V13, TLS_DATA, BYTES(""), TLS_NEWS_DATA, 0},
		{V13, TLS_ALERT, BYTES("\1\0"), TLS_NEWS_CLOSED, 0},
		{V13, TLS_ALERT, BYTES("\2\0"), TLS_NEWS_CLOSED, 0},
		{V13, TLS_ALERT, BYTES("\1\x5a"), TLS_NEWS_NONE, 90},
		{V13, TLS_ALERT, BYTES("\1\x64"), TLS_NEWS_ENDED, 100},
		{V13, TLS_ALERT, BYTES("\2\x14"), TLS_NEWS_ENDED, 20},
		{V13, TLS_ALERT, BYTES("\3\x14"), TLS_NEWS_FAULT, TLS_DECODE_ERROR},
		{V13, TLS_ALERT, BYTES("\1"), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V13, TLS_ALERT, BYTES("\1\x5a\1\0"), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V13, TLS_ALERT, BYTES(""), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V13, TLS_HANDSHAKE, BYTES("\x18\0\0\1\0"), TLS_NEWS_KEYS, 0},
		{V13, TLS_HANDSHAKE, BYTES("\x18\0\0\1\1"), TLS_NEWS_KEYS_ASKED, 0},
		{V13, TLS_HANDSHAKE, BYTES("\x18\0\0\1\2"), TLS_NEWS_FAULT, TLS_DECODE_ERROR},
		{V13, TLS_HANDSHAKE, BYTES("\x18\0\0\2\0\0"), TLS_NEWS_FAULT, TLS_DECODE_ERROR},
		{V13, TLS_HANDSHAKE, BYTES("\x18\0\0\1\0x"), TLS_NEWS_FAULT,
		 TLS_UNEXPECTED_MESSAGE},
		{V13, TLS_HANDSHAKE, BYTES("\1\0\0\1\0"), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V13, TLS_HANDSHAKE, BYTES(""), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V13, TLS_CHANGE_CIPHER_SPEC, BYTES("\1"), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V13, 0, BYTES("x"), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
		{V12, TLS_ALERT, BYTES("\1\0"), TLS_NEWS_CLOSED, 0},
		{V12, TLS_ALERT, BYTES("\1\x64"), TLS_NEWS_NONE, 100},
		{V12, TLS_ALERT, BYTES("\1\x64\1\x64\1\0"), TLS_NEWS_CLOSED, 0},
		{V12, TLS_ALERT, BYTES("\2\x64"), TLS_NEWS_ENDED, 100},
		{V12, TLS_HANDSHAKE, BYTES("\1\0\0\2ab"), TLS_NEWS_RENEGOTIATION, 0},
		{V12, TLS_HANDSHAKE, BYTES("\1\1\0\0"), TLS_NEWS_FAULT, TLS_DECODE_ERROR},
		{V12, TLS_HANDSHAKE, BYTES("\x18\0\0\1\0"), TLS_NEWS_FAULT, TLS_UNEXPECTED_MESSAGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_inbound in = {0};
		uint8_t alert;

		if (tls_inbound_take(&in, rows[i].shape, rows[i].type, rows[i].in, &alert) !=
			    rows[i].news ||
		    alert != rows[i].alert)
			fail_msg("row %zu", i);
	}
}

/* The last news of data that comes in two records. */
static enum tls_news in_two(enum tls_shape shape, uint8_t type, struct bytes data, size_t cut,
			    uint8_t *alert)
{
	struct tls_inbound in = {0};
	enum tls_news news = tls_inbound_take(&in, shape, type, bytes_first(data, cut), alert);

	if (news != TLS_NEWS_NONE && news != TLS_NEWS_RENEGOTIATION)
		return news;
	return tls_inbound_take(&in, shape, type, bytes_skip(data, cut), alert);
}

static void messages_may_be_in_pieces(void **state)
{
	struct bytes update = BYTES("\x18\0\0\1\1"), hello = BYTES("\1\0\0\5abcde");
	uint8_t alert;

	(void)state;
	for (size_t cut = 1; cut < update.len; cut++)
		assert_int_equal(in_two(V13, TLS_HANDSHAKE, update, cut, &alert),
				 TLS_NEWS_KEYS_ASKED);
	for (size_t cut = 1; cut < 4; cut++)
		assert_int_equal(in_two(V12, TLS_HANDSHAKE, hello, cut, &alert),
				 TLS_NEWS_RENEGOTIATION);
	for (size_t cut = 4; cut < hello.len; cut++)
		assert_int_equal(in_two(V12, TLS_HANDSHAKE, hello, cut, &alert), TLS_NEWS_NONE);
	assert_int_equal(in_two(V12, TLS_ALERT, BYTES("\1\0"), 1, &alert), TLS_NEWS_CLOSED);
	assert_int_equal(in_two(V12, TLS_ALERT, BYTES("\2\x14"), 1, &alert), TLS_NEWS_ENDED);
	assert_int_equal(alert, 20);
}

static void nothing_comes_between_the_pieces(void **state)
{
	struct tls_inbound in = {0};
	uint8_t alert;

	(void)state;
	assert_int_equal(tls_inbound_take(&in, V13, TLS_HANDSHAKE, BYTES("\x18\0"), &alert),
			 TLS_NEWS_NONE);
	assert_int_equal(tls_inbound_take(&in, V13, TLS_DATA, BYTES("x"), &alert), TLS_NEWS_FAULT);
	in = (struct tls_inbound){0};
	assert_int_equal(tls_inbound_take(&in, V12, TLS_ALERT, BYTES("\1"), &alert), TLS_NEWS_NONE);
	assert_int_equal(tls_inbound_take(&in, V12, TLS_DATA, BYTES("x"), &alert), TLS_NEWS_FAULT);
}

static void who_only_warns_is_let_go(void **state)
{
	struct tls_inbound in = {0};
	uint8_t alert;
	unsigned n = 0;

	(void)state;
	while (tls_inbound_take(&in, V12, TLS_ALERT, BYTES("\1\x64"), &alert) == TLS_NEWS_NONE)
		assert_true(n++ < 100);
	in = (struct tls_inbound){0};
	for (n = 0; n < 200; n++) {
		assert_int_equal(tls_inbound_take(&in, V12, TLS_ALERT, BYTES("\1\x64"), &alert),
				 TLS_NEWS_NONE);
		assert_int_equal(tls_inbound_take(&in, V12, TLS_DATA, BYTES("x"), &alert),
				 TLS_NEWS_DATA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_have_bounds),
		cmocka_unit_test(nonces_are_made_as_each_version_says),
		cmocka_unit_test(the_right_bytes_are_authenticated),
		cmocka_unit_test(padding_comes_off),
		cmocka_unit_test(labels_are_written),
		cmocka_unit_test(one_record_is_told_from_another),
		cmocka_unit_test(messages_may_be_in_pieces),
		cmocka_unit_test(nothing_comes_between_the_pieces),
		cmocka_unit_test(who_only_warns_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
