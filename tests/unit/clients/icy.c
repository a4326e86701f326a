#include "icy.h"

#include "guarded.h"

enum { INTERVAL = 10 };

/* What came out: audio as it is, titles in angle brackets, so that their order is compared too. */
struct sink {
	struct icy icy;
	char out[16384];
	size_t len;
};

static void put(struct sink *sink, struct bytes in)
{
	memcpy(sink->out + sink->len, in.at, in.len);
	sink->len += in.len;
}

static void on_audio(struct icy *icy, struct bytes audio)
{
	put((struct sink *)(void *)((char *)icy - offsetof(struct sink, icy)), audio);
}

static void on_title(struct icy *icy, struct bytes title)
{
	struct sink *sink = (struct sink *)(void *)((char *)icy - offsetof(struct sink, icy));

	put(sink, BYTES("<"));
	put(sink, title);
	put(sink, BYTES(">"));
}

static void sink_init(struct sink *sink, size_t interval)
{
	icy_init(&sink->icy, interval);
	sink->icy.on_audio = on_audio;
	sink->icy.on_title = on_title;
	sink->len = 0;
}

struct body {
	uint8_t at[16384];
	size_t len;
};

static void add(struct body *body, struct bytes in)
{
	memcpy(body->at + body->len, in.at, in.len);
	body->len += in.len;
}

static void add_block(struct body *body, struct bytes text, unsigned count)
{
	body->at[body->len++] = (uint8_t)count;
	memset(body->at + body->len, 0, count * 16);
	memcpy(body->at + body->len, text.at, text.len);
	body->len += count * 16;
}

static void expect(const struct body *body, const char *out, uint64_t bad, uint64_t loose)
{
	struct bytes in = guarded(bytes_of(body->at, body->len));
	static struct sink sink;

	for (size_t cut = 0; cut <= in.len; cut++) {
		sink_init(&sink, INTERVAL);
		icy_input(&sink.icy, bytes_first(in, cut));
		icy_input(&sink.icy, bytes_skip(in, cut));
		assert_int_equal(sink.len, strlen(out));
		assert_memory_equal(sink.out, out, sink.len);
		assert_int_equal(sink.icy.bad, bad);
		assert_int_equal(sink.icy.loose, loose);
	}
	guarded_free(in);
}

static void titles_stand_between_the_audio(void **state)
{
	struct body body = {.len = 0};

	(void)state;
	add(&body, BYTES("0123456789"));
	add_block(&body, BYTES("StreamTitle='title 7';"), 2);
	add(&body, BYTES("abcdefghij"));
	add_block(&body, BYTES(""), 0);
	add(&body, BYTES("ABCDEFGHIJ"));
	add_block(&body, BYTES("StreamTitle='it's';StreamUrl='http://x/';"), 3);
	add(&body, BYTES("klm"));
	expect(&body, "0123456789<title 7>abcdefghijABCDEFGHIJ<it's>klm", 0, 0);
}

static void empty_title_and_loose_fill(void **state)
{
	struct body body = {.len = 0};

	(void)state;
	add(&body, BYTES("0123456789"));
	add_block(&body, BYTES("StreamTitle='';"), 2);
	expect(&body, "0123456789<>", 0, 1);
}

static void the_longest_block(void **state)
{
	static struct body body;
	static char text[ICY_BLOCK_MAX + 1], out[ICY_BLOCK_MAX + 20];

	(void)state;
	memset(text, 'x', ICY_BLOCK_MAX);
	memcpy(text, "StreamTitle='", 13);
	memcpy(text + ICY_BLOCK_MAX - 2, "';", 2);
	add(&body, BYTES("0123456789"));
	add_block(&body, bytes_str(text), 255);
	memcpy(out, "0123456789<", 11);
	memset(out + 11, 'x', ICY_BLOCK_MAX - 15);
	out[ICY_BLOCK_MAX - 4] = '>';
	expect(&body, out, 0, 0);
}

static void audio_taken_for_a_block_is_bad(void **state)
{
	static const char *const broken[] = {
		"audio, no text: ",   "StreamTitle='x'",  "StreamTitle=';",
		"StreamTitle='x';\n", "xStreamTitle='';", "';",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct body body = {.len = 0};

		add(&body, BYTES("0123456789"));
		add_block(&body, bytes_str(broken[i]), 2);
		expect(&body, "0123456789", 1, 0);
	}
}

static void text_behind_the_fill_is_bad(void **state)
{
	struct body body = {.len = 0};

	(void)state;
	add(&body, BYTES("0123456789"));
	add_block(&body, BYTES("StreamTitle='';\0x"), 2);
	expect(&body, "0123456789", 1, 0);
}

static void without_an_interval_all_is_audio(void **state)
{
	static struct sink sink;

	(void)state;
	sink_init(&sink, 0);
	icy_input(&sink.icy, BYTES("0123456789\x01"));
	assert_int_equal(sink.len, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(titles_stand_between_the_audio),
		cmocka_unit_test(empty_title_and_loose_fill),
		cmocka_unit_test(the_longest_block),
		cmocka_unit_test(audio_taken_for_a_block_is_bad),
		cmocka_unit_test(text_behind_the_fill_is_bad),
		cmocka_unit_test(without_an_interval_all_is_audio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
