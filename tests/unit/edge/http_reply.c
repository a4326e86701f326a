/* http_reply: heads as they go out, and values that try to break out of their line. */
#include "edge/proto/http_reply.h"

#include "edge/proto/http1.h"
#include "expect.h"

static void a_listener_gets_what_icecast_sends(void **state)
{
	uint8_t buf[1024];
	struct writer w = writer_of(buf, sizeof buf);
	const struct http_reply reply = {
		.version = BYTES("HTTP/1.0"),
		.status = 200,
		.server = BYTES("ringmain"),
		.date = 784111777,
		.connection = HTTP_CONNECTION_CLOSE,
		.content_type = BYTES("audio/mpeg"),
		.cache_control = BYTES("no-cache, no-store"),
		.allow_origin = BYTES("*"),
		.expose_headers = BYTES("Icy-MetaInt, Icy-Name"),
	};

	(void)state;
	http_reply_begin(&w, &reply);
	http_reply_header(&w, BYTES("icy-name"), BYTES("Caf\303\251"));
	http_reply_header_dec(&w, BYTES("icy-metaint"), 16000);
	http_reply_end(&w);
	expect_written(&w, "HTTP/1.0 200 OK\r\n"
			   "Server: ringmain\r\n"
			   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
			   "Connection: close\r\n"
			   "Content-Type: audio/mpeg\r\n"
			   "Cache-Control: no-cache, no-store\r\n"
			   "Access-Control-Allow-Origin: *\r\n"
			   "Access-Control-Expose-Headers: Icy-MetaInt, Icy-Name\r\n"
			   "icy-name: Caf\303\251\r\n"
			   "icy-metaint: 16000\r\n"
			   "\r\n");
}

static void old_players_get_icy_and_nothing_unsaid(void **state)
{
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	http_reply_begin(&w, &(struct http_reply){.version = BYTES("ICY"), .status = 200});
	http_reply_end(&w);
	expect_written(&w, "ICY 200 OK\r\n\r\n");
}

static void a_preflight_is_answered(void **state)
{
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof buf);
	const struct http_reply reply = {
		.version = BYTES("HTTP/1.1"),
		.status = 204,
		.connection = HTTP_CONNECTION_KEEP_ALIVE,
		.allow_origin = BYTES("https://radio.example"),
		.allow_methods = BYTES("GET, HEAD"),
		.allow_headers = BYTES("Icy-Metadata, Range"),
		.max_age = 86400,
	};

	(void)state;
	http_reply_begin(&w, &reply);
	http_reply_end(&w);
	expect_written(&w, "HTTP/1.1 204 No Content\r\n"
			   "Connection: keep-alive\r\n"
			   "Access-Control-Allow-Origin: https://radio.example\r\n"
			   "Vary: Origin\r\n"
			   "Access-Control-Allow-Methods: GET, HEAD\r\n"
			   "Access-Control-Allow-Headers: Icy-Metadata, Range\r\n"
			   "Access-Control-Max-Age: 86400\r\n"
			   "\r\n");
}

static void values_cannot_leave_their_line(void **state)
{
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof buf);
	struct http1_response got;
	const struct http_reply reply = {
		.version = BYTES("HTTP/1.1"),
		.status = 200,
		.content_type = BYTES("a\r\nSet-Cookie: x"),
		.has_length = true,
		.length = UINT64_MAX,
		.allow_origin = BYTES("http://a\n\nb"),
	};

	(void)state;
	http_reply_begin(&w, &reply);
	http_reply_header(&w, BYTES("ice name:\r\n"), BYTES("\0\x7f\tx\r\n\r\n<html>"));
	http_reply_end(&w);
	assert_true(writer_ok(&w));
	assert_int_equal(http1_parse_response(writer_done(&w), 0, &got), HTTP1_OK);
	assert_int_equal(got.head.used, w.len);
	assert_int_equal(got.head.count, 5);
	expect_bytes(got.head.headers[0].value, "a  Set-Cookie: x");
	expect_bytes(got.head.headers[1].value, "18446744073709551615");
	expect_bytes(got.head.headers[2].value, "http://a  b");
	expect_bytes(got.head.headers[4].name, "ice-name---");
	expect_bytes(got.head.headers[4].value, "x    <html>");
}

static void a_full_buffer_shows(void **state)
{
	uint8_t buf[20];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	http_reply_begin(&w, &(struct http_reply){.version = BYTES("HTTP/1.1"), .status = 200});
	assert_true(writer_ok(&w));
	http_reply_header(&w, BYTES("A"), BYTES("b"));
	assert_false(writer_ok(&w));
}

static void reasons(void **state)
{
	(void)state;
	assert_string_equal(http_reason(101), "Switching Protocols");
	assert_string_equal(http_reason(401), "Unauthorized");
	assert_string_equal(http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(http_reason(299), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_gets_what_icecast_sends),
		cmocka_unit_test(old_players_get_icy_and_nothing_unsaid),
		cmocka_unit_test(a_preflight_is_answered),
		cmocka_unit_test(values_cannot_leave_their_line),
		cmocka_unit_test(a_full_buffer_shows),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
