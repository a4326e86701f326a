#include "radio/proto/shoutcast.h"

#include "text.h"

static enum shoutcast_first first_of(const char *text)
{
	struct bytes in = guarded(bytes_str(text));
	enum shoutcast_first first = shoutcast_is_handshake(in);

	guarded_free(in);
	return first;
}

static void test_told_apart(void **state)
{
	static const struct {
		const char *in;
		enum shoutcast_first first;
	} cases[] = {
		{"hackme\r\n", SHOUTCAST_FIRST_PASSWORD},
		{"hackme\nicy-name:x\r\n\r\n", SHOUTCAST_FIRST_PASSWORD},
		{"two words\n", SHOUTCAST_FIRST_PASSWORD},
		{"/live:hackme\r\n", SHOUTCAST_FIRST_PASSWORD},
		{"hackme:#2\r\n", SHOUTCAST_FIRST_PASSWORD},
		{"GETaway\n", SHOUTCAST_FIRST_PASSWORD},
		{"SOURCE\n", SHOUTCAST_FIRST_PASSWORD},
		{"SOURCE pw /live\n", SHOUTCAST_FIRST_XAUDIOCAST},
		{"SOURCE pw /live\r\nx-audiocast-name:x\r\n", SHOUTCAST_FIRST_XAUDIOCAST},
		{"", SHOUTCAST_FIRST_MORE},
		{"hackme", SHOUTCAST_FIRST_MORE},
		{"hackme\r", SHOUTCAST_FIRST_MORE},
		{"GET / HTTP/1.0", SHOUTCAST_FIRST_MORE},
		{"GET / HTTP/1.0\r\n", SHOUTCAST_FIRST_OTHER},
		{"GET /\r\n", SHOUTCAST_FIRST_OTHER},
		{"PUT /live HTTP/1.1\r\n", SHOUTCAST_FIRST_OTHER},
		{"SOURCE /live HTTP/1.0\r\n", SHOUTCAST_FIRST_OTHER},
		{"SOURCE /live ICE/1.0\r\n", SHOUTCAST_FIRST_OTHER},
		{"OPTIONS * RTSP/1.0\r\n", SHOUTCAST_FIRST_OTHER},
		{"PROPFIND / http/1.1\r\n", SHOUTCAST_FIRST_OTHER},
		{"\r\n", SHOUTCAST_FIRST_OTHER},
		{"/live:\r\n", SHOUTCAST_FIRST_OTHER},
		{"\x16\x03\x01", SHOUTCAST_FIRST_OTHER},
		{"pass\tword\n", SHOUTCAST_FIRST_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(first_of(cases[i].in), cases[i].first);
}

static void test_first_line_is_bounded(void **state)
{
	char text[SHOUTCAST_LINE_MAX + 8];

	(void)state;
	memset(text, 'x', sizeof text);
	text[SHOUTCAST_LINE_MAX - 1] = '\0';
	assert_int_equal(first_of(text), SHOUTCAST_FIRST_MORE);
	text[SHOUTCAST_LINE_MAX - 1] = '\n';
	text[SHOUTCAST_LINE_MAX] = '\0';
	assert_int_equal(first_of(text), SHOUTCAST_FIRST_PASSWORD);
	text[SHOUTCAST_LINE_MAX - 1] = 'x';
	assert_int_equal(first_of(text), SHOUTCAST_FIRST_OTHER);
}

/* Writes what happened as lines of text and gives back how much of in was used. */
static size_t run(struct shoutcast *shoutcast, struct bytes in, struct writer *log)
{
	size_t total = 0;

	for (;;) {
		struct shoutcast_part part;
		size_t used;
		enum shoutcast_status status = shoutcast_next(shoutcast, in, &part, &used);

		in = bytes_skip(in, used);
		total += used;
		switch (status) {
		case SHOUTCAST_MORE: return total;
		case SHOUTCAST_BAD: writer_str(log, "bad\n"); return total;
		case SHOUTCAST_AUDIO: writer_str(log, "audio\n"); return total;
		case SHOUTCAST_LOGIN:
			writer_str(log, "login [");
			writer_put(log, part.mount);
			writer_str(log, "][");
			writer_put(log, part.password);
			writer_str(log, "]\n");
			break;
		case SHOUTCAST_HEADER:
			writer_put(log, part.name);
			writer_str(log, "=");
			writer_put(log, part.value);
			writer_str(log, "\n");
			break;
		}
	}
}

static void test_handshakes_at_every_split(void **state)
{
	static const struct {
		const char *in, *log, *audio;
	} cases[] = {
		{"hackme\r\nicy-name:My Radio\r\nicy-br: 128\r\n\r\n\xff\xfb",
		 "login [][hackme]\n"
		 "icy-name=My Radio\nicy-br=128\naudio\n",
		 "\xff\xfb"},
		{"hackme\nicy-url:http://a:80/\n\nx",
		 "login [][hackme]\nicy-url=http://a:80/\naudio\n", "x"},
		{"/live:hack:me\r\n\r\n", "login [/live][hack:me]\naudio\n", ""},
		{"/nocolon\r\n\r\n", "login [][/nocolon]\naudio\n", ""},
		{"a:b\r\nicy-name:\r\n\r\n", "login [][a:b]\nicy-name=\naudio\n", ""},
		{"SOURCE pw /live\nx-audiocast-name:R\n\n\xff",
		 "login [/live][pw]\nx-audiocast-name=R\naudio\n", "\xff"},
		{"pw\r\nno header\r\n", "login [][pw]\nbad\n", ""},
		{"\r\n", "bad\n", ""},
		{"/live:\r\n", "bad\n", ""},
		{"\x16\x03\n", "bad\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes in = bytes_str(cases[i].in);

		for (size_t cut = 0; cut <= in.len; cut++) {
			uint8_t buf[256];
			struct writer log = writer_of(buf, sizeof buf);
			struct bytes first = guarded(bytes_first(in, cut));
			struct shoutcast shoutcast;

			shoutcast_init(&shoutcast);
			size_t used = run(&shoutcast, first, &log);
			struct bytes rest = guarded(bytes_skip(in, used));

			if (!bytes_end_with(writer_done(&log), BYTES("audio\n")) &&
			    !bytes_end_with(writer_done(&log), BYTES("bad\n")))
				used += run(&shoutcast, rest, &log);
			assert_written(&log, cases[i].log);
			assert_bytes(bytes_skip(in, used), bytes_str(cases[i].audio));
			guarded_free(first);
			guarded_free(rest);
		}
	}
}

static void test_whole_first_line_is_there(void **state)
{
	struct shoutcast shoutcast;
	struct shoutcast_part part;
	size_t used;

	(void)state;
	shoutcast_init(&shoutcast);
	assert_int_equal(shoutcast_next(&shoutcast, BYTES("/a:b\r\n"), &part, &used),
			 SHOUTCAST_LOGIN);
	assert_bytes(part.line, BYTES("/a:b"));
}

static void test_bounds(void **state)
{
	uint8_t line[SHOUTCAST_LINE_MAX];
	struct shoutcast shoutcast;
	struct shoutcast_part part;
	size_t used;

	(void)state;
	memset(line, 'x', sizeof line);
	shoutcast_init(&shoutcast);
	assert_int_equal(shoutcast_next(&shoutcast, bytes_of(line, sizeof line - 1), &part, &used),
			 SHOUTCAST_MORE);
	assert_int_equal(shoutcast_next(&shoutcast, bytes_of(line, sizeof line), &part, &used),
			 SHOUTCAST_BAD);

	shoutcast_next(&shoutcast, BYTES("pw\n"), &part, &used);
	for (size_t i = 0; i < SHOUTCAST_HEADERS_MAX; i++)
		assert_int_equal(shoutcast_next(&shoutcast, BYTES("a:b\n"), &part, &used),
				 SHOUTCAST_HEADER);
	assert_int_equal(shoutcast_next(&shoutcast, BYTES("a:b\n"), &part, &used), SHOUTCAST_BAD);
	assert_int_equal(shoutcast_next(&shoutcast, BYTES("\n"), &part, &used), SHOUTCAST_AUDIO);
	assert_int_equal(shoutcast_next(&shoutcast, BYTES("a:b\n"), &part, &used), SHOUTCAST_AUDIO);
	assert_int_equal(used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_apart),
		cmocka_unit_test(test_first_line_is_bounded),
		cmocka_unit_test(test_handshakes_at_every_split),
		cmocka_unit_test(test_whole_first_line_is_there),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
