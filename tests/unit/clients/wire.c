#include "wire.h"

#include "guarded.h"

static void urls(void **state)
{
	struct wire_url url;

	(void)state;
	assert_true(wire_url_parse("http://source:p:w@127.0.0.1:8000/live?x=1", &url));
	assert_string_equal(url.user, "source");
	assert_string_equal(url.password, "p:w");
	assert_string_equal(url.host, "127.0.0.1");
	assert_string_equal(url.path, "/live?x=1");
	assert_int_equal(url.port, 8000);
	assert_true(wire_url_parse("HTTP://[::1]:81", &url));
	assert_string_equal(url.host, "::1");
	assert_string_equal(url.path, "/");
	assert_int_equal(url.port, 81);
	assert_true(wire_url_parse("http://localhost/a", &url));
	assert_int_equal(url.port, 80);
	assert_string_equal(url.user, "");
	assert_false(url.tls);
	assert_true(wire_url_parse("https://localhost/", &url));
	assert_true(url.tls);
	assert_int_equal(url.port, 443);
	assert_false(wire_url_parse("ftp://localhost/", &url));
	assert_false(wire_url_parse("http://", &url));
	assert_false(wire_url_parse("http://a:66000/", &url));
	assert_false(wire_url_parse("http://a:x/", &url));
}

static void basic_credentials(void **state)
{
	struct wire_url url;
	char out[64];

	(void)state;
	assert_true(wire_url_parse("http://Aladdin:open sesame@h/", &url));
	wire_basic(&url, out, sizeof(out)); /* RFC 7617 section 2 */
	assert_string_equal(out, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	assert_true(wire_url_parse("http://:hackme@h/", &url));
	wire_basic(&url, out, sizeof(out));
	assert_string_equal(out, "Authorization: Basic c291cmNlOmhhY2ttZQ==");
}

static void answers(void **state)
{
	struct bytes head = BYTES("HTTP/1.0 200 OK\r\nServer: x\r\nicy-metaint:16000\r\n\r\nbody");
	struct bytes value;

	(void)state;
	assert_int_equal(wire_status(head), 200);
	assert_int_equal(wire_status(BYTES("ICY 200 OK\r\n")), 200);
	assert_int_equal(wire_status(BYTES("HTTP/1.1 503\r\n")), 503);
	assert_int_equal(wire_status(BYTES("HTTP/1.1 50")), 0);
	assert_int_equal(wire_status(BYTES("OK2\r\n")), 0);
	assert_int_equal(wire_head_len(head), head.len - 4);
	assert_int_equal(wire_head_len(bytes_first(head, head.len - 5)), 0);
	assert_true(wire_field(head, BYTES("ICY-MetaInt"), &value));
	assert_true(bytes_equal(value, BYTES("16000")));
	assert_false(wire_field(head, BYTES("HTTP/1.0 200 OK"), &value));
	assert_false(wire_field(head, BYTES("icy-name"), &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(basic_credentials),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
