#include "radio/proto/listener_answer.h"

#include <stdio.h>

#include "radio/proto/client_profile.h"
#include "text.h"

#define NO_CACHE                                     \
	"Cache-Control: no-cache, no-store\r\n"      \
	"Expires: Mon, 26 Jul 1997 05:00:00 GMT\r\n" \
	"Pragma: no-cache\r\n"
#define CORS                                                                              \
	"Access-Control-Allow-Origin: *\r\n"                                              \
	"Access-Control-Expose-Headers: Icy-MetaInt, Icy-Name, Icy-Br, Icy-Description, " \
	"Icy-Genre, Icy-Url, Icy-Pub, Ice-Audio-Info\r\n"
#define ABOUT                                     \
	"Server: ringmain\r\n"                    \
	"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" \
	"Connection: Close\r\n"

static const struct station station = {
	.name = "My Radio",
	.description = "All day",
	.genre = "Rock",
	.url = "http://radio.example/",
	.audio_info = "ice-bitrate=128",
	.bitrate = 128,
	.public_said = true,
	.is_public = true,
};

static struct listener_answer answer_of(enum listener_answer_kind kind)
{
	return (struct listener_answer){
		.kind = kind,
		.server = BYTES("ringmain"),
		.date = BYTES("Thu, 01 Jan 1970 00:00:00 GMT"),
		.content_type = BYTES("audio/mpeg"),
		.probe = {0xff, 0xfb},
	};
}

static void check(const struct listener_answer *answer, const char *want)
{
	uint8_t buf[LISTENER_ANSWER_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	listener_answer_write(answer, &w);
	assert_written(&w, want);
}

static void test_stream(void **state)
{
	struct listener_answer answer = answer_of(LISTENER_ANSWER_STREAM);

	(void)state;
	check(&answer,
	      "HTTP/1.0 200 OK\r\n" ABOUT "Content-Type: audio/mpeg\r\n" NO_CACHE CORS "\r\n");
	answer.station = &station;
	answer.metaint = 16000;
	check(&answer, "HTTP/1.0 200 OK\r\n" ABOUT "Content-Type: audio/mpeg\r\n" NO_CACHE
		       "icy-name: My Radio\r\nicy-genre: Rock\r\nicy-description: All day\r\n"
		       "icy-url: http://radio.example/\r\nicy-pub: 1\r\nicy-br: 128\r\n"
		       "ice-audio-info: ice-bitrate=128\r\nicy-metaint: 16000\r\n" CORS "\r\n");
	answer.station = &(struct station){.public_said = true};
	answer.metaint = 0;
	check(&answer, "HTTP/1.0 200 OK\r\n" ABOUT "Content-Type: audio/mpeg\r\n" NO_CACHE
		       "icy-pub: 0\r\n" CORS "\r\n");
}

static void test_quirks(void **state)
{
	struct listener_answer answer = answer_of(LISTENER_ANSWER_STREAM);

	(void)state;
	answer.quirks = QUIRK_ICY_STATUS;
	check(&answer, "ICY 200 OK\r\n" ABOUT "Content-Type: audio/mpeg\r\n" NO_CACHE CORS "\r\n");
	answer.quirks = QUIRK_AACP_AS_AAC;
	answer.content_type = BYTES("Audio/AACP; x=y");
	check(&answer,
	      "HTTP/1.0 200 OK\r\n" ABOUT "Content-Type: audio/aac\r\n" NO_CACHE CORS "\r\n");
	answer.content_type = BYTES("audio/aacplus");
	check(&answer,
	      "HTTP/1.0 200 OK\r\n" ABOUT "Content-Type: audio/aacplus\r\n" NO_CACHE CORS "\r\n");
	answer.quirks = QUIRK_LOWER_CASE_HEADERS;
	answer.content_type = BYTES("audio/aacp");
	check(&answer, "HTTP/1.0 200 OK\r\nserver: ringmain\r\n"
		       "date: Thu, 01 Jan 1970 00:00:00 GMT\r\nconnection: Close\r\n"
		       "content-type: audio/aacp\r\ncache-control: no-cache, no-store\r\n"
		       "expires: Mon, 26 Jul 1997 05:00:00 GMT\r\npragma: no-cache\r\n"
		       "access-control-allow-origin: *\r\n"
		       "access-control-expose-headers: Icy-MetaInt, Icy-Name, Icy-Br, "
		       "Icy-Description, Icy-Genre, Icy-Url, Icy-Pub, Ice-Audio-Info\r\n\r\n");
}

static void test_ranges(void **state)
{
	struct listener_answer answer = answer_of(LISTENER_ANSWER_PROBE);

	(void)state;
	check(&answer, "HTTP/1.0 206 Partial Content\r\n" ABOUT "Content-Type: audio/mpeg\r\n"
		       "Accept-Ranges: bytes\r\nContent-Range: bytes 0-1/1099511627775\r\n"
		       "Content-Length: 2\r\n" NO_CACHE CORS "\r\n\xff\xfb");
	answer.kind = LISTENER_ANSWER_PROBE_HEAD;
	check(&answer, "HTTP/1.0 206 Partial Content\r\n" ABOUT "Content-Type: audio/mpeg\r\n"
		       "Accept-Ranges: bytes\r\nContent-Range: bytes 0-1/1099511627775\r\n"
		       "Content-Length: 2\r\n" NO_CACHE CORS "\r\n");
	answer.kind = LISTENER_ANSWER_RANGE_STREAM;
	answer.quirks = QUIRK_ICY_STATUS;
	check(&answer,
	      "HTTP/1.0 206 Partial Content\r\n" ABOUT "Content-Type: audio/mpeg\r\n"
	      "Accept-Ranges: bytes\r\n"
	      "Content-Range: bytes 0-1099511627774/1099511627775\r\n" NO_CACHE CORS "\r\n");
}

static void test_preflight(void **state)
{
	struct listener_answer answer = answer_of(LISTENER_ANSWER_PREFLIGHT);

	(void)state;
	check(&answer, "HTTP/1.0 204 No Content\r\n" ABOUT "Access-Control-Allow-Origin: *\r\n"
		       "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
		       "Access-Control-Allow-Headers: Icy-MetaData, Range, Origin, Content-Type\r\n"
		       "Access-Control-Max-Age: 86400\r\n\r\n");
}

static void test_nothing_begins_a_line_of_its_own(void **state)
{
	struct listener_answer answer = answer_of(LISTENER_ANSWER_STREAM);
	struct station evil = {.name = "a\r\nX-Evil: 1", .audio_info = "x\n\ny"};

	(void)state;
	answer.station = &evil;
	answer.content_type = BYTES("audio/mpeg\r\n\r\n<script>\0");
	check(&answer,
	      "HTTP/1.0 200 OK\r\n" ABOUT "Content-Type: audio/mpeg    <script> \r\n" NO_CACHE
	      "icy-name: a  X-Evil: 1\r\nice-audio-info: x  y\r\n" CORS "\r\n");
}

#define SANDBOX                               \
	"X-Content-Type-Options: nosniff\r\n" \
	"Content-Security-Policy: sandbox; "  \
	"default-src 'none'\r\n"

static void test_what_is_no_sound_is_no_page_either(void **state)
{
	static const struct {
		const char *type, *said, *sandbox;
	} cases[] = {
		{"Audio/x", "Content-Type: Audio/x\r\n", ""},
		{" video/webm; a=b", "Content-Type:  video/webm; a=b\r\n", ""},
		{"application/ogg", "Content-Type: application/ogg\r\n", ""},
		{"text/html", "Content-Type: text/html\r\n", SANDBOX},
		{"audio/x, text/html", "Content-Type: audio/x, text/html\r\n", SANDBOX},
		{"audio", "Content-Type: audio\r\n", SANDBOX},
		{"", "", SANDBOX},
		{" Multipart/x; boundary=b", "Content-Type: application/octet-stream\r\n", SANDBOX},
	};
	char want[2048];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct listener_answer answer = answer_of(LISTENER_ANSWER_STREAM);

		answer.content_type = guarded(bytes_str(cases[i].type));
		snprintf(want, sizeof want, "HTTP/1.0 200 OK\r\n" ABOUT "%s%s" NO_CACHE CORS "\r\n",
			 cases[i].said, cases[i].sandbox);
		check(&answer, want);
		guarded_free(answer.content_type);
	}
}

static void test_range_policy(void **state)
{
	static const struct {
		const char *range;
		enum listener_range without_icy;
	} cases[] = {
		{"", LISTENER_RANGE_IGNORE},
		{"bytes=0-", LISTENER_RANGE_IGNORE},
		{"bytes=0-1", LISTENER_RANGE_PROBE},
		{" Bytes=0-1 ", LISTENER_RANGE_PROBE},
		{"bytes=0-1099511627774", LISTENER_RANGE_STREAM},
		{"bytes=0-1099511627775", LISTENER_RANGE_IGNORE},
		{"bytes=0-0", LISTENER_RANGE_IGNORE},
		{"bytes=0-2", LISTENER_RANGE_IGNORE},
		{"bytes=0-1,4-5", LISTENER_RANGE_IGNORE},
		{"bytes=1-2", LISTENER_RANGE_IGNORE},
		{"bytes=-1", LISTENER_RANGE_IGNORE},
		{"bytes=0-99999999999999999999", LISTENER_RANGE_IGNORE},
		{"items=0-1", LISTENER_RANGE_IGNORE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes range = guarded(bytes_str(cases[i].range));

		assert_int_equal(listener_range_policy(range, false), cases[i].without_icy);
		assert_int_equal(listener_range_policy(range, true), LISTENER_RANGE_IGNORE);
		guarded_free(range);
	}
}

static void test_largest_answer_fits(void **state)
{
	static struct station full;
	struct listener_answer answer = answer_of(LISTENER_ANSWER_RANGE_STREAM);
	uint8_t buf[LISTENER_ANSWER_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	memset(&full, 'x', sizeof full);
	full.name[sizeof full.name - 1] = full.description[sizeof full.description - 1] = '\0';
	full.genre[sizeof full.genre - 1] = full.url[sizeof full.url - 1] = '\0';
	full.audio_info[sizeof full.audio_info - 1] = '\0';
	full.public_said = full.is_public = true;
	full.bitrate = answer.metaint = UINT32_MAX;
	answer.station = &full;
	listener_answer_write(&answer, &w);
	assert_true(writer_ok(&w));
	assert_true(w.len < 3072);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_quirks),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_nothing_begins_a_line_of_its_own),
		cmocka_unit_test(test_what_is_no_sound_is_no_page_either),
		cmocka_unit_test(test_range_policy),
		cmocka_unit_test(test_largest_answer_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
