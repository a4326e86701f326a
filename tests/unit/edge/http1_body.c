/* http1_body: which bytes behind a head are its body, and byte ranges. */
#include "edge/proto/http1.h"

#include "expect.h"

struct row {
	const char *headers; /* of a POST HTTP/1.1 unless the line is there */
	const char *fault;
	enum http1_framing framing;
	uint64_t length;
	bool must_close;
};

static const struct row rows[] = {
	{"POST / HTTP/1.1\n", NULL, HTTP1_NONE, 0, false},
	{"POST / HTTP/1.1\nContent-Length: 5\n", NULL, HTTP1_LENGTH, 5, false},
	{"GET / HTTP/1.1\nContent-Length: 0\n", NULL, HTTP1_LENGTH, 0, false},
	{"POST / HTTP/1.1\nContent-Length: 9223372036854775807\n", NULL, HTTP1_LENGTH, INT64_MAX,
	 false},
	{"POST / HTTP/1.1\nContent-Length: 5, 5\nContent-Length:5\n", NULL, HTTP1_LENGTH, 5, false},
	{"POST / HTTP/1.1\nTransfer-Encoding: Chunked\n", NULL, HTTP1_CHUNKED, 0, false},
	{"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n", NULL, HTTP1_CHUNKED, 0, false},
	{"PUT / HTTP/1.0\nTransfer-Encoding: chunked\n", NULL, HTTP1_CHUNKED, 0, true},
	{"PUT / HTTP/1.1\nConnection: keep-alive\n", NULL, HTTP1_UNTIL_CLOSE, 0, true},
	{"SOURCE / HTTP/1.0\n", NULL, HTTP1_UNTIL_CLOSE, 0, true},
	{"SOURCE / ICE/1.0\nContent-Length: 7\n", NULL, HTTP1_LENGTH, 7, false},
	{"source / HTTP/1.0\n", NULL, HTTP1_NONE, 0, false},
	{"DELETE / HTTP/1.1\n", NULL, HTTP1_NONE, 0, false},

	/* what two readers of the same bytes could disagree about */
	{"POST / HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: chunked\n",
	 "both Transfer-Encoding and Content-Length", 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding:\nContent-Length: 5\n",
	 "both Transfer-Encoding and Content-Length", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 5\nContent-Length: 6\n",
	 "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 5, 6\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 5,\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length:\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: +5\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: -5\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 0x5\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 5 5\n", "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 9223372036854775808\n",
	 "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nContent-Length: 18446744073709551621\n",
	 "Content-Length is not one number", 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked\n",
	 "Transfer-Encoding is not just chunked", 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
	 "Transfer-Encoding is not just chunked", 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding: chunked;a=b\n",
	 "Transfer-Encoding is not just chunked", 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding: chunked,\n", "Transfer-Encoding is not just chunked",
	 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding:\n",
	 "Transfer-Encoding is not just chunked", 0, 0, true},
	{"POST / HTTP/1.1\nTransfer-Encoding: xchunked\n", "Transfer-Encoding is not just chunked",
	 0, 0, true},
	{"PUT / HTTP/1.1\nTransfer-Encoding: identity\n", "Transfer-Encoding is not just chunked",
	 0, 0, true},
};

static void framing_follows_rfc_9112(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		char text[256];
		struct http1_head head;
		struct http1_body body;

		snprintf(text, sizeof text, "%s\n", row->headers);
		print_message("# row %zu\n", i);
		assert_int_equal(http1_parse_request(bytes_str(text), 0, &head), HTTP1_OK);
		assert_int_equal(http1_body_of(&head, &body), row->fault == NULL);
		assert_int_equal(body.must_close, row->must_close);
		if (row->fault) {
			assert_string_equal(body.fault, row->fault);
			continue;
		}
		assert_null(body.fault);
		assert_int_equal(body.framing, row->framing);
		assert_int_equal(body.length, row->length);
	}
}

static void response_framing_follows_rfc_9112(void **state)
{
	static const struct {
		const char *head;
		bool to_head, good;
		enum http1_framing framing;
	} table[] = {
		{"ICY 200 OK\n\n", false, true, HTTP1_UNTIL_CLOSE},
		{"HTTP/1.1 200 OK\nContent-Length: 3\n\n", false, true, HTTP1_LENGTH},
		{"HTTP/1.1 200 OK\nContent-Length: 3\n\n", true, true, HTTP1_NONE},
		{"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", false, true, HTTP1_CHUNKED},
		{"HTTP/1.1 204 No\nContent-Length: 3\n\n", false, true, HTTP1_NONE},
		{"HTTP/1.1 304 No\nContent-Length: 3\n\n", false, true, HTTP1_NONE},
		{"HTTP/1.1 100 Continue\n\n", false, true, HTTP1_NONE},
		{"HTTP/1.1 200 OK\nContent-Length: 3, 4\n\n", false, false, HTTP1_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct http1_response response;
		struct http1_body body;

		assert_int_equal(http1_parse_response(bytes_str(table[i].head), 0, &response),
				 HTTP1_OK);
		assert_int_equal(http1_response_body_of(&response, table[i].to_head, &body),
				 table[i].good);
		assert_int_equal(body.framing, table[i].framing);
	}
}

static void single_ranges_are_read_and_all_else_ignored(void **state)
{
	static const struct {
		const char *text;
		bool good;
		struct http1_range range;
	} table[] = {
		{"bytes=0-1", true, {false, 0, 0, 1}},
		{"bytes=0-", true, {false, 0, 0, UINT64_MAX}},
		{" Bytes= 500-999 ", true, {false, 0, 500, 999}},
		{"bytes=-500", true, {true, 500, 0, UINT64_MAX}},
		{"bytes=-0", true, {true, 0, 0, UINT64_MAX}},
		{"bytes=7-7", true, {false, 0, 7, 7}},
		{"bytes=0-9223372036854775807", true, {false, 0, 0, INT64_MAX}},
		{"bytes=8-7", false, {0}},
		{"bytes=0-1,5-6", false, {0}},
		{"bytes=0-,-1", false, {0}},
		{"bytes=-", false, {0}},
		{"bytes=", false, {0}},
		{"bytes", false, {0}},
		{"", false, {0}},
		{"bytes=5", false, {0}},
		{"bytes=a-b", false, {0}},
		{"bytes=0x1-2", false, {0}},
		{"bytes=1--2", false, {0}},
		{"bytes =0-1", false, {0}},
		{"items=0-1", false, {0}},
		{"bytes=0-9223372036854775808", false, {0}},
		{"bytes=99999999999999999999-", false, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct bytes text = guarded(bytes_str(table[i].text));
		struct http1_range range;

		if (http1_parse_range(text, &range) != table[i].good)
			fail_msg("range: %s", table[i].text);
		if (table[i].good) {
			assert_int_equal(range.from_end, table[i].range.from_end);
			assert_int_equal(range.count, table[i].range.count);
			assert_int_equal(range.first, table[i].range.first);
			assert_true(range.last == table[i].range.last);
		}
		guarded_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(framing_follows_rfc_9112),
		cmocka_unit_test(response_framing_follows_rfc_9112),
		cmocka_unit_test(single_ranges_are_read_and_all_else_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
