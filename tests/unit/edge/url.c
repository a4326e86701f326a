/* url: decoding, paths, queries, absolute URLs. */
#include "edge/proto/url.h"

#include "expect.h"

static void escapes_are_decoded_or_reported(void **state)
{
	static const struct {
		const char *in;
		enum url_status status;
		const char *out;
	} rows[] = {
		{"", URL_OK, ""},
		{"a%20b+c", URL_OK, "a b+c"},
		{"%c3%A4", URL_OK, "\303\244"},
		{"%25%32%30", URL_OK, "%20"},
		{"%41%", URL_BAD_ESCAPE, ""},
		{"%4", URL_BAD_ESCAPE, ""},
		{"%4g", URL_BAD_ESCAPE, ""},
		{"%g4", URL_BAD_ESCAPE, ""},
		{"%%41", URL_BAD_ESCAPE, ""},
		{"x%00", URL_NUL, ""},
		{"0123456789abcdefg", URL_NO_ROOM, ""},
		{"0123456789abcde%66", URL_OK, "0123456789abcdef"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes in = guarded(bytes_str(rows[i].in));
		uint8_t buf[16];
		struct writer w = writer_of(buf, sizeof buf);

		assert_int_equal(url_decode(in, &w), rows[i].status);
		expect_written(&w, rows[i].out);
		guarded_free(in);
	}
}

static void every_byte_is_encoded_and_decoded_back(void **state)
{
	uint8_t all[255];
	uint8_t text[3 * sizeof all];
	uint8_t back[sizeof all];
	struct writer w = writer_of(text, sizeof text);
	struct writer r = writer_of(back, sizeof back);

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)(i + 1);
	url_encode_component(&w, bytes_of(all, sizeof all));
	assert_int_equal(url_decode(writer_done(&w), &r), URL_OK);
	assert_int_equal(r.len, sizeof all);
	assert_memory_equal(back, all, sizeof all);

	w = writer_of(text, sizeof text);
	url_encode_component(&w, BYTES("a/b c~\303\244"));
	expect_written(&w, "a%2Fb%20c~%C3%A4");
	w = writer_of(text, sizeof text);
	url_encode_path(&w, BYTES("/a b/%?"));
	expect_written(&w, "/a%20b/%25%3F");
}

static void a_form_is_read_as_it_was_written(void **state)
{
	uint8_t text[100], room[100];
	struct writer w = writer_of(text, sizeof text), r = writer_of(room, sizeof room);
	struct url_param param;
	struct bytes rest;

	(void)state;
	url_form_put(&w, "a", BYTES("x&y=z"));
	url_form_put(&w, "none", BYTES(""));
	url_form_put_dec(&w, "most", UINT64_MAX);
	rest = writer_done(&w);
	expect_written(&w, "a=x%26y%3Dz&none=&most=18446744073709551615");
	assert_int_equal(url_query_next(&rest, &r, &param), URL_OK);
	assert_true(bytes_equal(param.value, BYTES("x&y=z")));
}

static void paths_have_one_spelling(void **state)
{
	static const struct {
		const char *in;
		enum url_status status;
		const char *out;
	} rows[] = {
		{"/", URL_OK, "/"},
		{"/live", URL_OK, "/live"},
		{"//live", URL_OK, "/live"},
		{"/a//b///", URL_OK, "/a/b/"},
		{"/a/./b/../c", URL_OK, "/a/c"},
		{"/%6Cive.mp3", URL_OK, "/live.mp3"},
		{"/a/..", URL_OK, "/"},
		{"/a/../", URL_OK, "/"},
		{"/a/b/..", URL_OK, "/a/"},
		{"/a/b/.", URL_OK, "/a/b/"},
		{"/.", URL_OK, "/"},
		{"/a/%2e%2E/b", URL_OK, "/b"},
		{"/a/.%2e/b", URL_OK, "/b"},
		{"/...", URL_OK, "/..."},
		{"/.a/..b", URL_OK, "/.a/..b"},
		{"/a/b/../../c/", URL_OK, "/c/"},
		{"/a+b", URL_OK, "/a+b"},
		{"/\303\244", URL_OK, "/\303\244"},
		/* RFC 3986 5.2.4's own examples */
		{"/a/b/c/./../../g", URL_OK, "/a/g"},
		{"/mid/content=5/../6", URL_OK, "/mid/6"},

		{"", URL_ABOVE_ROOT, ""},
		{"a/b", URL_ABOVE_ROOT, ""},
		{"*", URL_ABOVE_ROOT, ""},
		{"/..", URL_ABOVE_ROOT, ""},
		{"/../a", URL_ABOVE_ROOT, ""},
		{"/a/../../b", URL_ABOVE_ROOT, ""},
		{"//../a", URL_ABOVE_ROOT, ""},
		{"/%2e%2e/etc", URL_ABOVE_ROOT, ""},
		{"/a%2Fb", URL_BAD_BYTE, ""},
		{"/a%5cb", URL_BAD_BYTE, ""},
		{"/..\\a", URL_BAD_BYTE, ""},
		{"/a\tb", URL_BAD_BYTE, ""},
		{"/a%0d%0aSet-Cookie:x", URL_BAD_BYTE, ""},
		{"/a%7f", URL_BAD_BYTE, ""},
		{"/a%00.mp3", URL_NUL, ""},
		{"/a%zz", URL_BAD_ESCAPE, ""},
		{"/a%2", URL_BAD_ESCAPE, ""},
		{"/0123456789abcdef0123456789abcdef", URL_NO_ROOM, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes in = guarded(bytes_str(rows[i].in));
		uint8_t buf[32];
		struct writer w = writer_of(buf, sizeof buf);

		if (url_normalize_path(in, &w) != rows[i].status)
			fail_msg("path: %s", rows[i].in);
		expect_written(&w, rows[i].out);
		guarded_free(in);
	}
}

static void paths_are_written_behind_what_was_there(void **state)
{
	uint8_t buf[32];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	writer_str(&w, "root/x");
	assert_int_equal(url_normalize_path(BYTES("/../y"), &w), URL_ABOVE_ROOT);
	expect_written(&w, "root/x");
	assert_int_equal(url_normalize_path(BYTES("/a/../y"), &w), URL_OK);
	expect_written(&w, "root/x/y");
}

static void targets_are_split_at_the_first_question_mark(void **state)
{
	struct bytes path;
	struct bytes query;

	(void)state;
	url_split_target(BYTES("/a?b?c"), &path, &query);
	expect_bytes(path, "/a");
	expect_bytes(query, "b?c");
	url_split_target(BYTES("/a?"), &path, &query);
	assert_int_equal(query.len, 0);
	assert_non_null(query.at);
	url_split_target(BYTES("/a"), &path, &query);
	expect_bytes(path, "/a");
	assert_null(query.at);
}

static void queries_are_read_parameter_by_parameter(void **state)
{
	static const struct {
		enum url_status status;
		const char *name, *value;
	} want[] = {
		{URL_OK, "mode", "updinfo"},
		{URL_OK, "song", "A + B = \303\244"},
		{URL_OK, "flag", ""},
		{URL_OK, "", "x"},
		{URL_BAD_ESCAPE, "song", "100% hit"},
		{URL_NUL, "a%00", "b"},
		{URL_OK, "e", ""},
		{URL_END, NULL, NULL},
	};
	struct bytes rest =
		BYTES("&mode=updinfo&&song=A+%2B+B+=+%C3%A4&flag&=x&song=100% hit&a%00=b&e=&");
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);
	struct url_param param;

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		assert_int_equal(url_query_next(&rest, &w, &param), want[i].status);
		if (want[i].status == URL_END)
			break;
		expect_bytes(param.name, want[i].name);
		expect_bytes(param.value, want[i].value);
	}
	rest = BYTES("abcdefgh=12345678&i=9");
	w = writer_of(buf, 12);
	assert_int_equal(url_query_next(&rest, &w, &param), URL_NO_ROOM);
	expect_bytes(param.value, "12345678");
	assert_int_equal(w.len, 0);
	assert_int_equal(url_query_next(&rest, &w, &param), URL_OK);
	expect_bytes(param.value, "9");
}

struct absolute {
	const char *in;
	bool good;
	const char *userinfo, *host, *target;
	uint16_t port;
	bool tls, ipv6;
};

static const struct absolute absolutes[] = {
	{"http://a.example/live", true, NULL, "a.example", "/live", 80, false, false},
	{"HTTPS://a.example:8443/l?x=/y", true, NULL, "a.example", "/l?x=/y", 8443, true, false},
	{"https://a", true, NULL, "a", "", 443, true, false},
	{"http://a:/x", true, NULL, "a", "/x", 80, false, false},
	{"http://u:p@[2001:db8::1]:8000/x#y", true, "u:p", "2001:db8::1", "/x", 8000, false, true},
	{"http://[::ffff:192.0.2.1]", true, NULL, "::ffff:192.0.2.1", "", 80, false, true},
	{"http://192.0.2.1:65535", true, NULL, "192.0.2.1", "", 65535, false, false},
	{"http://a#/b", true, NULL, "a", "", 80, false, false},
	{"http://@a/", true, "", "a", "/", 80, false, false},

	{"", false, 0, 0, 0, 0, 0, 0},
	{"http:", false, 0, 0, 0, 0, 0, 0},
	{"http:/a/", false, 0, 0, 0, 0, 0, 0},
	{"http://", false, 0, 0, 0, 0, 0, 0},
	{"http:///x", false, 0, 0, 0, 0, 0, 0},
	{"http://:80/", false, 0, 0, 0, 0, 0, 0},
	{"ftp://a/", false, 0, 0, 0, 0, 0, 0},
	{"//a/", false, 0, 0, 0, 0, 0, 0},
	{"http://a:0/", false, 0, 0, 0, 0, 0, 0},
	{"http://a:65536/", false, 0, 0, 0, 0, 0, 0},
	{"http://a:8x/", false, 0, 0, 0, 0, 0, 0},
	{"http://a b/", false, 0, 0, 0, 0, 0, 0},
	{"http://a/\r\nX: y", false, 0, 0, 0, 0, 0, 0},
	{"http://a%41/", false, 0, 0, 0, 0, 0, 0},
	{"http://a?x=1", false, 0, 0, 0, 0, 0, 0},
	{"http://good?@evil/", false, 0, 0, 0, 0, 0, 0},
	{"http://good\\@evil/", false, 0, 0, 0, 0, 0, 0},
	{"http://a@b@c/", false, 0, 0, 0, 0, 0, 0},
	{"http://::1/", false, 0, 0, 0, 0, 0, 0},
	{"http://[::1/", false, 0, 0, 0, 0, 0, 0},
	{"http://[::1]x/", false, 0, 0, 0, 0, 0, 0},
	{"http://[]/", false, 0, 0, 0, 0, 0, 0},
	{"http://[192.0.2.1]/", false, 0, 0, 0, 0, 0, 0},
	{"http://[fe80::1%25eth0]/", false, 0, 0, 0, 0, 0, 0},
};

static void absolute_urls_are_cut_in_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof absolutes / sizeof *absolutes; i++) {
		const struct absolute *row = &absolutes[i];
		struct bytes in = guarded(bytes_str(row->in));
		struct url url;

		if (url_parse_http(in, &url) != row->good)
			fail_msg("url: %s", row->in);
		if (row->good) {
			assert_int_equal(url.userinfo.at != NULL, row->userinfo != NULL);
			expect_bytes(url.userinfo, row->userinfo ? row->userinfo : "");
			expect_bytes(url.host, row->host);
			expect_bytes(url.target, row->target);
			assert_int_equal(url.port, row->port);
			assert_int_equal(url.tls, row->tls);
			assert_int_equal(url.ipv6, row->ipv6);
		}
		guarded_free(in);
	}
}

static void every_status_has_its_own_words(void **state)
{
	(void)state;
	for (int a = URL_OK; a <= URL_NO_ROOM; a++)
		for (int b = URL_OK; b < a; b++)
			assert_string_not_equal(url_status_text((enum url_status)a),
						url_status_text((enum url_status)b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_are_decoded_or_reported),
		cmocka_unit_test(every_byte_is_encoded_and_decoded_back),
		cmocka_unit_test(a_form_is_read_as_it_was_written),
		cmocka_unit_test(paths_have_one_spelling),
		cmocka_unit_test(paths_are_written_behind_what_was_there),
		cmocka_unit_test(targets_are_split_at_the_first_question_mark),
		cmocka_unit_test(queries_are_read_parameter_by_parameter),
		cmocka_unit_test(absolute_urls_are_cut_in_parts),
		cmocka_unit_test(every_status_has_its_own_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
