/* http1: heads that must be taken, and how; heads that must not, and why; each at every split. */
#include "edge/proto/http1.h"

#include "expect.h"

static struct bytes rebased(struct bytes part, struct bytes from)
{
	return part.at ? bytes_of((const uint8_t *)(part.at - from.at), part.len) : part;
}

/* Parts of a and b are the same places of their inputs. */
static void expect_same_part(struct bytes a, struct bytes in_a, struct bytes b, struct bytes in_b)
{
	assert_ptr_equal(rebased(a, in_a).at, rebased(b, in_b).at);
	assert_int_equal(a.len, b.len);
}

static void expect_same_head(const struct http1_head *a, struct bytes in_a,
			     const struct http1_head *b, struct bytes in_b)
{
	assert_int_equal(a->used, b->used);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->count, b->count);
	assert_ptr_equal(a->fault, b->fault);
	expect_same_part(a->method, in_a, b->method, in_b);
	expect_same_part(a->target, in_a, b->target, in_b);
	expect_same_part(a->version, in_a, b->version, in_b);
	for (size_t i = 0; i < a->count; i++) {
		expect_same_part(a->headers[i].name, in_a, b->headers[i].name, in_b);
		expect_same_part(a->headers[i].value, in_a, b->headers[i].value, in_b);
	}
}

/* The verdict on text, after the same verdict came out however it was cut in two, and when it came
 * byte by byte. */
static enum http1_status parse_split(struct bytes text, struct http1_head *head)
{
	enum http1_status whole = http1_parse_request(text, 0, head);
	struct http1_head other;
	enum http1_status status = HTTP1_MORE;

	for (size_t cut = 0; cut < text.len; cut++) {
		struct bytes part = guarded(bytes_first(text, cut));

		status = http1_parse_request(part, 0, &other);
		if (status == HTTP1_OK)
			assert_in_range(cut, head->used, text.len);
		if (status == HTTP1_BAD)
			assert_int_equal(whole, HTTP1_BAD);
		if (status == HTTP1_MORE) {
			assert_int_equal(http1_parse_request(text, cut, &other), whole);
			expect_same_head(head, text, &other, text);
		}
		guarded_free(part);
	}
	status = HTTP1_MORE;
	for (size_t seen = 0; status == HTTP1_MORE && seen < text.len; seen++)
		status = http1_parse_request(bytes_first(text, seen + 1), seen, &other);
	assert_int_equal(status, whole);
	expect_same_head(head, text, &other, text);
	return whole;
}

struct client {
	const char *who;
	const char *wire;
	const char *method, *target;
	int minor;
	size_t count;
	enum http1_framing framing;
	uint64_t length;
};

/* The first rows were recorded from the programs, the others follow their documentation. */
static const struct client clients[] = {
	{"ffmpeg 5.1, icecast://",
	 "PUT /live.mp3 HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\n"
	 "Expect: 100-continue\r\nConnection: close\r\nHost: 127.0.0.1:18701\r\n"
	 "Content-Type: audio/mpeg\r\nIcy-MetaData: 1\r\nIce-Name: N\303\244me\r\nIce-Genre: g\r\n"
	 "Ice-Public: 0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n\r\n",
	 "PUT", "/live.mp3", 1, 11, HTTP1_UNTIL_CLOSE, 0},
	{"ffmpeg 5.1, -legacy_icecast 1",
	 "SOURCE /live.mp3 HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\n"
	 "Connection: close\r\nHost: 127.0.0.1:18702\r\nContent-Type: audio/mpeg\r\n"
	 "Icy-MetaData: 1\r\nIce-Name: Name\r\nIce-Public: 0\r\n"
	 "Authorization: Basic c291cmNlOmhhY2ttZQ==\r\n\r\n",
	 "SOURCE", "/live.mp3", 1, 9, HTTP1_UNTIL_CLOSE, 0},
	{"ffmpeg 5.1, -method PUT http://",
	 "PUT /live.mp3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\nUser-Agent: Lavf/59.27.100\r\n"
	 "Accept: */*\r\nExpect: 100-continue\r\nConnection: close\r\nHost: 127.0.0.1:18703\r\n"
	 "Icy-MetaData: 1\r\n\r\n",
	 "PUT", "/live.mp3", 1, 7, HTTP1_CHUNKED, 0},
	{"ffmpeg 5.1 listens",
	 "GET /live HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\nRange: bytes=0-\r\n"
	 "Connection: close\r\nHost: 127.0.0.1:18704\r\nIcy-MetaData: 1\r\n\r\n",
	 "GET", "/live", 1, 6, HTTP1_NONE, 0},
	{"curl 7.88 -T file",
	 "PUT /live.mp3 HTTP/1.1\r\nHost: 127.0.0.1:18705\r\n"
	 "Authorization: Basic c291cmNlOmhhY2ttZQ==\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
	 "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
	 "PUT", "/live.mp3", 1, 6, HTTP1_LENGTH, 100},
	{"curl 7.88 -T -",
	 "PUT /live.mp3 HTTP/1.1\r\nHost: 127.0.0.1:18706\r\n"
	 "Authorization: Basic c291cmNlOmhhY2ttZQ==\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
	 "Transfer-Encoding: chunked\r\nContent-Type: audio/mpeg\r\nExpect: 100-continue\r\n\r\n",
	 "PUT", "/live.mp3", 1, 7, HTTP1_CHUNKED, 0},
	{"libshout 2.4.6 asks for TLS",
	 "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:18708\r\nUser-Agent: libshout/2.4.6\r\n"
	 "Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n\r\n",
	 "OPTIONS", "*", 1, 4, HTTP1_NONE, 0},
	{"libshout 2.4.6 probes",
	 "PUT /live.mp3 HTTP/1.1\r\nHost: 127.0.0.1:18708\r\nUser-Agent: libshout/2.4.6\r\n"
	 "Content-Type: audio/mpeg\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n"
	 "ice-public: 0\r\nice-name: Name\r\nPrefer: return=minimal\r\n\r\n",
	 "PUT", "/live.mp3", 1, 8, HTTP1_LENGTH, 0},
	{"libshout 2.4.6 streams",
	 "PUT /live.mp3 HTTP/1.1\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n"
	 "Host: 127.0.0.1:18708\r\nUser-Agent: libshout/2.4.6\r\nContent-Type: audio/mpeg\r\n"
	 "Expect: 100-continue\r\nice-public: 0\r\nice-name: Name\r\nPrefer: "
	 "return=minimal\r\n\r\n",
	 "PUT", "/live.mp3", 1, 8, HTTP1_UNTIL_CLOSE, 0},
	{"libshout 2.4.6 streams where only SOURCE is allowed",
	 "SOURCE /live.mp3 HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n"
	 "Host: 127.0.0.1:18709\r\nUser-Agent: libshout/2.4.6\r\nContent-Type: audio/mpeg\r\n"
	 "ice-public: 0\r\nice-name: Name\r\nPrefer: return=minimal\r\n\r\n",
	 "SOURCE", "/live.mp3", 0, 7, HTTP1_UNTIL_CLOSE, 0},
	{"BUTT",
	 "SOURCE /stream HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n"
	 "User-Agent: butt 0.1.40\r\nContent-Type: audio/mpeg\r\nice-name: no name\r\n"
	 "ice-public: 0\r\nice-audio-info: "
	 "ice-bitrate=128;ice-channels=2;ice-samplerate=44100\r\n\r\n",
	 "SOURCE", "/stream", 0, 6, HTTP1_UNTIL_CLOSE, 0},
	{"Barix Instreamer, bare LF",
	 "SOURCE /barix.mp3 HTTP/1.0\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\n"
	 "User-Agent: BarixInstreamer/1.0\nContent-Type: audio/mpeg\nice-name:Studio 1\n\n",
	 "SOURCE", "/barix.mp3", 0, 4, HTTP1_UNTIL_CLOSE, 0},
	{"an encoder of Icecast's first days",
	 "SOURCE /m ICE/1.0\nice-password: hackme\nice-name: x\n\n", "SOURCE", "/m", 0, 2,
	 HTTP1_UNTIL_CLOSE, 0},
	{"Safari's first request",
	 "GET /live HTTP/1.1\r\nHost: radio.example:8000\r\nX-Playback-Session-Id: 5C1F\r\n"
	 "Range: bytes=0-1\r\nAccept: */*\r\nUser-Agent: AppleCoreMedia/1.0.0.20G81\r\n"
	 "Accept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n",
	 "GET", "/live", 1, 7, HTTP1_NONE, 0},
	{"VLC",
	 "GET /live HTTP/1.1\r\nHost: radio.example:8000\r\nAccept: */*\r\nAccept-Language: de\r\n"
	 "User-Agent: VLC/3.0.18 LibVLC/3.0.18\r\nRange: bytes=0-\r\nIcy-MetaData: 1\r\n\r\n",
	 "GET", "/live", 1, 6, HTTP1_NONE, 0},
	{"a metadata update",
	 "GET /admin/metadata?mode=updinfo&mount=%2Flive&song=A%20B HTTP/1.0\r\n"
	 "Authorization: Basic c291cmNlOmhhY2ttZQ==\r\nUser-Agent: x (Mozilla Compatible)\r\n\r\n",
	 "GET", "/admin/metadata?mode=updinfo&mount=%2Flive&song=A%20B", 0, 2, HTTP1_NONE, 0},
};

static void recorded_clients_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
		const struct client *c = &clients[i];
		struct bytes text = bytes_str(c->wire);
		struct http1_head head;
		struct http1_body body;

		print_message("# %s\n", c->who);
		assert_int_equal(parse_split(text, &head), HTTP1_OK);
		assert_int_equal(head.used, text.len);
		expect_bytes(head.method, c->method);
		expect_bytes(head.target, c->target);
		assert_int_equal(head.minor, c->minor);
		assert_int_equal(head.count, c->count);
		assert_true(http1_body_of(&head, &body));
		assert_int_equal(body.framing, c->framing);
		assert_int_equal(body.length, c->length);
		assert_int_equal(body.must_close, c->framing == HTTP1_UNTIL_CLOSE);
	}
}

static void parts_are_cut_where_they_end(void **state)
{
	struct bytes text = BYTES("\r\n\nGET http://h:80/a?b HTTP/1.1\r\nA:\t b c \t\r\nEmpty:\r\n"
				  "X-\xc3: no\r\n\r\n");
	struct http1_head head;

	(void)state;
	assert_int_equal(parse_split(text, &head), HTTP1_BAD); /* a name is a token */
	text = BYTES("\r\n\nGET http://h:80/a?b HTTP/1.1\r\nA:\t b c \t\r\nEmpty:\r\na: "
		     "2\n\r\nbody\r\n");
	assert_int_equal(parse_split(text, &head), HTTP1_OK);
	assert_int_equal(head.used, text.len - 6);
	expect_bytes(head.version, "HTTP/1.1");
	expect_bytes(head.target, "http://h:80/a?b");
	expect_bytes(http1_target_path(head.target), "/a?b");
	expect_bytes(http1_header_get(&head, BYTES("a")), "b c");
	expect_bytes(http1_header_get(&head, BYTES("EMPTY")), "");
	assert_non_null(http1_header_get(&head, BYTES("empty")).at);
	assert_null(http1_header_get(&head, BYTES("emp")).at);
}

struct refused {
	const char *wire;
	size_t len; /* 0: to the NUL */
	const char *fault;
	unsigned refusal;
};

static const struct refused refusals[] = {
	{"\x16\x03\x01\x02", 0, "no method", 400},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, "this version of HTTP is not served here", 505},
	{"GET / HTTP/2.0\r\n", 0, "this version of HTTP is not served here", 505},
	{"GET / HTTP/1.10\r\n", 0, "this version of HTTP is not served here", 505},
	{"GET / http/1.1\r\n", 0, "not an HTTP version", 400},
	{"GET / HTTP/1.1 \r\n", 0, "not an HTTP version", 400},
	{"SOURCE password /mount\r\n", 0, "not an HTTP version", 400},
	{"GET /\r\n", 0, "no version", 400},
	{"GET\r\n", 0, "no target", 400},
	{"GET  HTTP/1.1\r\n", 0, "no target", 400},
	{" GET / HTTP/1.1\r\n", 0, "no method", 400},
	{"G\"T / HTTP/1.1\r\n", 0, "no method", 400},
	{"\rGET / HTTP/1.1\r\n", 0, "no method", 400},
	{"\n\n\r\n\n\nGET / HTTP/1.1\n\n", 0, "too many empty lines before the request", 400},
	{"GET  / HTTP/1.1\r\n", 0, "target has a blank or a control byte", 400},
	{"GET /a b HTTP/1.1\r\n", 0, "target has a blank or a control byte", 400},
	{"GET /a\0b HTTP/1.1\r\n", 20, "target has a blank or a control byte", 400},
	{"GET /a\x7f HTTP/1.1\r\n", 0, "target has a blank or a control byte", 400},
	{"GET * HTTP/1.1\r\n", 0, "target * without OPTIONS", 400},
	{"GET live HTTP/1.1\r\n", 0, "target is neither a path nor an http URL", 400},
	{"GET ftp://h/ HTTP/1.1\r\n", 0, "target is neither a path nor an http URL", 400},
	{"GET http://u@h/ HTTP/1.1\r\n", 0, "target is neither a path nor an http URL", 400},
	{"CONNECT h:443 HTTP/1.1\r\n", 0, "target is neither a path nor an http URL", 400},
	{"GET / HTTP/1.1\r\nA\r\n", 0, "header line without a colon", 400},
	{"GET / HTTP/1.1\r\n: b\r\n", 0,
	 "header name is empty or has a byte that names cannot have", 400},
	{"GET / HTTP/1.1\r\nA : b\r\n", 0,
	 "header name is empty or has a byte that names cannot have", 400},
	{"GET / HTTP/1.1\r\nA\0: b\r\n", 25,
	 "header name is empty or has a byte that names cannot have", 400},
	{"GET / HTTP/1.1\r\nA: b\r\n c\r\n", 0, "header line is folded or begins with a blank",
	 400},
	{"GET / HTTP/1.1\r\n\tA: b\r\n", 0, "header line is folded or begins with a blank", 400},
	{"GET / HTTP/1.1\r\nA: b\rB: c\r\n", 0, "header value has a control byte", 400},
	{"GET / HTTP/1.1\r\nA: b\r\r\n", 0, "header value has a control byte", 400},
	{"GET / HTTP/1.1\r\nA: b\0\r\n", 25, "header value has a control byte", 400},
	{"GET / HTTP/1.1\r\nA:\x0b\r\n", 0, "header value has a control byte", 400},
};

static void broken_heads_are_refused_with_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		const struct refused *r = &refusals[i];
		struct bytes text = r->len ? bytes_of(r->wire, r->len) : bytes_str(r->wire);
		struct http1_head head;

		if (parse_split(text, &head) != HTTP1_BAD)
			fail_msg("taken: %s", r->wire);
		assert_string_equal(head.fault, r->fault);
		assert_int_equal(head.refusal, r->refusal);
	}
}

static void control_bytes_are_found_wherever_they_stand(void **state)
{
	char text[] = "GET / HTTP/1.1\r\nA: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
	struct http1_head head;

	(void)state;
	for (size_t at = 19; at < 44; at++) {
		char before = text[at];

		for (int byte = 0; byte < 256; byte++) {
			bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;

			if (byte == '\n')
				continue;
			text[at] = (char)byte;
			assert_int_equal(http1_parse_request(bytes_of(text, sizeof text - 1), 0,
							     &head),
					 control ? HTTP1_BAD : HTTP1_OK);
		}
		text[at] = before;
	}
}

static void number_of_headers_is_bounded(void **state)
{
	char text[2048] = "GET / HTTP/1.1\r\n";
	struct http1_head head;

	(void)state;
	for (size_t i = 0; i < HTTP1_HEADERS_MAX; i++)
		strcat(text, "A: b\r\n");
	size_t full = strlen(text);

	strcat(text, "\r\n");
	assert_int_equal(http1_parse_request(bytes_str(text), 0, &head), HTTP1_OK);
	assert_int_equal(head.count, HTTP1_HEADERS_MAX);
	strcpy(text + full, "A: b\r\n\r\n");
	assert_int_equal(http1_parse_request(bytes_str(text), 0, &head), HTTP1_BAD);
	assert_string_equal(head.fault, "too many headers");
	assert_int_equal(head.refusal, 431);
}

/* A reader that looked at all bytes again at each call would be found out by this one: what was
 * seen is a trap, since there is a whole head in it. */
static void seen_bytes_are_not_searched_again(void **state)
{
	struct bytes text = BYTES("GET / HTTP/1.1\r\n\r\n");
	struct http1_head head;

	(void)state;
	assert_int_equal(http1_parse_request(text, text.len, &head), HTTP1_MORE);
	assert_int_equal(http1_parse_request(text, text.len - 1, &head), HTTP1_OK);
}

static void responses_are_understood(void **state)
{
	static const struct {
		const char *wire;
		enum http1_status status;
		unsigned code;
		const char *version, *reason;
	} rows[] = {
		{"HTTP/1.0 200 OK\r\nicy-metaint: 16000\r\n\r\n", HTTP1_OK, 200, "HTTP/1.0", "OK"},
		{"ICY 200 OK\r\nicy-metaint:16000\r\n\r\n", HTTP1_OK, 200, "ICY", "OK"},
		{"HTTP/1.1 404 Not here\nA: b\n\n", HTTP1_OK, 404, "HTTP/1.1", "Not here"},
		{"HTTP/1.1 302\r\nLocation: /\r\n\r\n", HTTP1_OK, 302, "HTTP/1.1", ""},
		{"HTTP/1.1 200 \r\n a: b\r\n\r\n", HTTP1_BAD, 200, "HTTP/1.1", ""},
		{"HTTP/1.1 20 OK\r\n\r\n", HTTP1_BAD, 0, "HTTP/1.1", ""},
		{"HTTP/1.1 099 OK\r\n\r\n", HTTP1_BAD, 0, "HTTP/1.1", ""},
		{"HTTP/1.1 2000 OK\r\n\r\n", HTTP1_BAD, 0, "HTTP/1.1", ""},
		{"HTTP/1.1 200 O\x01K\r\n\r\n", HTTP1_BAD, 0, "HTTP/1.1", ""},
		{"HTTP/2 200 OK\r\n\r\n", HTTP1_BAD, 0, NULL, ""},
		{"ICE/1.0 200 OK\r\n\r\n", HTTP1_BAD, 0, NULL, ""},
		{"OK2\r\nicy-caps:11\r\n\r\n", HTTP1_BAD, 0, NULL, ""},
		{"HTTP/1.0 200 OK\r\nA: b\r\n", HTTP1_MORE, 200, "HTTP/1.0", "OK"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes text = guarded(bytes_str(rows[i].wire));
		struct http1_response got;

		for (size_t cut = 0; cut < text.len; cut++) {
			enum http1_status part =
				http1_parse_response(bytes_first(text, cut), 0, &got);

			if (part == HTTP1_MORE)
				part = http1_parse_response(text, cut, &got);
			assert_int_equal(part, rows[i].status);
		}
		assert_int_equal(http1_parse_response(text, 0, &got), rows[i].status);
		assert_int_equal(got.status, rows[i].code);
		if (rows[i].version)
			expect_bytes(got.head.version, rows[i].version);
		expect_bytes(got.reason, rows[i].reason);
		if (rows[i].status == HTTP1_OK)
			assert_int_equal(got.head.used, text.len);
		guarded_free(text);
	}
}

static void header_lines_alone_are_understood(void **state)
{
	struct http1_head head;

	(void)state;
	assert_int_equal(http1_parse_fields(BYTES("icy-name:A\r\nicy-br:128\r\n\r\n\xff"), 0,
					    &head),
			 HTTP1_OK);
	assert_int_equal(head.used, 26);
	expect_bytes(http1_header_get(&head, BYTES("Icy-Br")), "128");
	assert_int_equal(http1_parse_fields(BYTES("\r\n"), 0, &head), HTTP1_OK);
	assert_int_equal(head.count, 0);
	assert_int_equal(http1_parse_fields(BYTES("icy-name:A\r\n"), 3, &head), HTTP1_MORE);
	assert_int_equal(http1_parse_fields(BYTES("icy name:A\r\n"), 0, &head), HTTP1_BAD);
}

static void comma_lists_are_searched_over_all_lines(void **state)
{
	struct http1_head head;
	struct bytes name = BYTES("connection");

	(void)state;
	assert_int_equal(
		http1_parse_request(BYTES("GET / HTTP/1.1\r\nConnection: a,, Keep-Alive ,c\r\n"
					  "X: d\r\nCONNECTION:Upgrade\r\n\r\n"),
				    0, &head),
		HTTP1_OK);
	assert_true(http1_header_has_token(&head, name, BYTES("keep-alive")));
	assert_true(http1_header_has_token(&head, name, BYTES("upgrade")));
	assert_true(http1_header_has_token(&head, name, BYTES("C")));
	assert_false(http1_header_has_token(&head, name, BYTES("keep")));
	assert_false(http1_header_has_token(&head, name, BYTES("d")));
	assert_false(http1_header_has_token(&head, BYTES("connect"), BYTES("a")));
}

static void absolute_targets_lose_scheme_and_host(void **state)
{
	(void)state;
	expect_bytes(http1_target_path(BYTES("http://h:8000/live?x=1")), "/live?x=1");
	expect_bytes(http1_target_path(BYTES("https://[::1]/")), "/");
	expect_bytes(http1_target_path(BYTES("http://h")), "/");
	expect_bytes(http1_target_path(BYTES("/http://h/x")), "/http://h/x");
	expect_bytes(http1_target_path(BYTES("*")), "*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_clients_are_understood),
		cmocka_unit_test(parts_are_cut_where_they_end),
		cmocka_unit_test(broken_heads_are_refused_with_the_reason),
		cmocka_unit_test(control_bytes_are_found_wherever_they_stand),
		cmocka_unit_test(number_of_headers_is_bounded),
		cmocka_unit_test(seen_bytes_are_not_searched_again),
		cmocka_unit_test(responses_are_understood),
		cmocka_unit_test(header_lines_alone_are_understood),
		cmocka_unit_test(comma_lists_are_searched_over_all_lines),
		cmocka_unit_test(absolute_targets_lose_scheme_and_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
