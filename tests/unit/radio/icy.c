#include "radio/proto/icy.h"

#include "text.h"

static struct bytes block_of(uint8_t buf[ICY_BLOCK_MAX], struct bytes title, struct bytes url,
			     enum icy_charset charset)
{
	struct writer w = writer_of(buf, ICY_BLOCK_MAX);

	icy_metadata_write(title, url, charset, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(w.len, 1 + 16 * (size_t)buf[0]);
	assert_int_equal(buf[w.len - 1], 0);
	return writer_done(&w);
}

/* The text of a block without its padding, which must be NULs to the end. */
static struct bytes text_of(struct bytes block)
{
	struct bytes text = bytes_skip(block, 1);
	size_t end = bytes_find(text, 0);

	for (size_t i = end; i < text.len; i++)
		assert_int_equal(text.at[i], 0);
	assert_in_range(text.len - end, 1, 16);
	return bytes_first(text, end);
}

static void test_blocks(void **state)
{
	static const struct {
		const char *title, *url;
		enum icy_charset charset;
		const char *text;
	} cases[] = {
		{"", "", ICY_UTF8, "StreamTitle='';"},
		{"a", "", ICY_UTF8, "StreamTitle='a';"}, /* 16 bytes: a unit more, for the NUL */
		{"0123456789abcde", "", ICY_UTF8, "StreamTitle='0123456789abcde';"},
		{"0123456789abcdef", "", ICY_UTF8, "StreamTitle='0123456789abcdef';"},
		{"T", "http://a/?b;c", ICY_UTF8, "StreamTitle='T';StreamUrl='http://a/?b;c';"},
		{"Don't", "", ICY_UTF8, "StreamTitle='Don't';"},
		{"Rockin'", "", ICY_UTF8, "StreamTitle='Rockin'';"},
		{"'74'", "", ICY_UTF8, "StreamTitle=''74'';"},
		{"a';b", "", ICY_UTF8, "StreamTitle='a' ;b';"},
		{"a'';';", "", ICY_UTF8, "StreamTitle='a'' ;' ;';"},
		{";a", "", ICY_UTF8, "StreamTitle=' ;a';"},
		{"';StreamUrl='http://evil/", "", ICY_UTF8,
		 "StreamTitle='' ;StreamUrl='http://evil/';"},
		{"a\r\n\tb\x7f", "", ICY_UTF8, "StreamTitle='a   b ';"},
		{"a'\n;b", "", ICY_UTF8, "StreamTitle='a' ;b';"},
		{"Bj\xc3\xb6rk", "", ICY_UTF8, "StreamTitle='Bj\xc3\xb6rk';"},
		{"Bj\xc3\xb6rk", "", ICY_LATIN1, "StreamTitle='Bj\xf6rk';"},
		{"\xe2\x82\xac\xd0\x94", "", ICY_LATIN1, "StreamTitle='?\?';"},
		{"\xc2\x85x", "", ICY_LATIN1, "StreamTitle=' x';"},
		{"bad\xff", "", ICY_UTF8, "StreamTitle='bad\xef\xbf\xbd';"},
		{"bad\xff", "", ICY_LATIN1, "StreamTitle='bad?';"},
		{"", "http://a/it's \xc3\xb6\n", ICY_UTF8,
		 "StreamTitle='';StreamUrl='http://a/it%27s %C3%B6%0A';"},
		{"", ";x;", ICY_UTF8, "StreamTitle='';StreamUrl='%3Bx;';"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t buf[ICY_BLOCK_MAX];
		struct bytes title = guarded(bytes_str(cases[i].title));
		struct bytes url = guarded(bytes_str(cases[i].url));
		struct bytes block = block_of(buf, title, url, cases[i].charset);

		assert_bytes(text_of(block), bytes_str(cases[i].text));
		assert_int_equal(buf[0], strlen(cases[i].text) / 16 + 1);
		guarded_free(title);
		guarded_free(url);
	}
}

static void test_block_byte_for_byte(void **state)
{
	uint8_t buf[ICY_BLOCK_MAX];

	(void)state;
	assert_bytes(block_of(buf, BYTES(""), BYTES(""), ICY_UTF8), BYTES("\1StreamTitle='';\0"));
	assert_bytes(block_of(buf, BYTES("abc"), BYTES(""), ICY_UTF8),
		     BYTES("\2StreamTitle='abc';\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
	assert_bytes(icy_empty(), BYTES("\0"));
}

static void test_titles_too_long_are_cut(void **state)
{
	static const size_t lens[] = {4063, 4064, 4065, 4080, 5000};
	uint8_t buf[ICY_BLOCK_MAX], title[5000];

	(void)state;
	memset(title, 'x', sizeof title);
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		struct bytes block = block_of(buf, bytes_of(title, lens[i]), BYTES(""), ICY_UTF8);
		struct icy_fields fields;

		assert_int_equal(buf[0], 255);
		assert_true(icy_parse_fields(bytes_skip(block, 1), &fields));
		/* 4,080 less StreamTitle='…'; and the last NUL */
		assert_int_equal(fields.title.len, lens[i] < 4064 ? lens[i] : 4064);
		assert_false(fields.has_url);
	}
}

static void test_title_is_cut_at_a_character(void **state)
{
	uint8_t buf[ICY_BLOCK_MAX], title[5000];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		struct icy_fields fields;

		memset(title, 'x', shift);
		for (size_t i = shift; i + 4 <= sizeof title; i += 4)
			memcpy(title + i, "\xf0\x9f\x8e\xb5", 4);
		block_of(buf, bytes_of(title, shift + 4 * 1100), BYTES("http://a/"), ICY_UTF8);
		assert_true(icy_parse_fields(bytes_of(buf + 1, ICY_TEXT_MAX), &fields));
		assert_int_equal(fields.title.len, shift + (4064 - shift) / 4 * 4);
		assert_memory_equal(fields.title.at, title, fields.title.len);
	}
}

static void test_url_is_whole_or_absent(void **state)
{
	uint8_t buf[ICY_BLOCK_MAX], title[4064];
	struct icy_fields fields;

	(void)state;
	memset(title, 'x', sizeof title);
	/* StreamUrl='u'; takes 14 bytes. */
	block_of(buf, bytes_of(title, sizeof title - 14), BYTES("u"), ICY_UTF8);
	assert_true(icy_parse_fields(bytes_of(buf + 1, ICY_TEXT_MAX), &fields));
	assert_true(fields.has_url);
	assert_bytes(fields.url, BYTES("u"));
	block_of(buf, bytes_of(title, sizeof title - 13), BYTES("u"), ICY_UTF8);
	assert_true(icy_parse_fields(bytes_of(buf + 1, ICY_TEXT_MAX), &fields));
	assert_false(fields.has_url);
	assert_int_equal(fields.title.len, sizeof title - 13);
}

static void test_no_room_fails(void **state)
{
	uint8_t buf[32];

	(void)state;
	for (size_t size = 0; size < 17; size++) {
		struct writer w = writer_of(buf, size);

		icy_metadata_write(BYTES(""), BYTES(""), ICY_UTF8, &w);
		assert_false(writer_ok(&w));
	}
}

static void test_fields(void **state)
{
	static const struct {
		const char *text;
		const char *title, *url; /* NULL: not there */
	} cases[] = {
		{"StreamTitle='a - b';StreamUrl='http://c';", "a - b", "http://c"},
		{"StreamTitle='a - b';", "a - b", NULL},
		{"StreamTitle='';", "", NULL},
		{"StreamUrl='u';", NULL, "u"},
		{"StreamUrl='u';StreamTitle='t';", "t", "u"},
		{"streamtitle='t';STREAMURL='u';", "t", "u"},
		{"StreamTitle='Don't Stop';StreamUrl='';", "Don't Stop", ""},
		{"StreamTitle='Rockin'';", "Rockin'", NULL},
		{"StreamTitle=''Heroes'';StreamUrl='u';", "'Heroes'", "u"},
		{"StreamTitle='a';b';StreamUrl='u';", "a';b", "u"},
		{"StreamTitle='a';b';", "a';b", NULL},
		{"StreamTitle='a; b=c';", "a; b=c", NULL},
		{"StreamTitle='a = b';", "a = b", NULL},
		/* text=\"…\" inside a title is how iHeartRadio sends it */
		{"StreamTitle='X - text=\"Y\" song_spot=\"M\" id=\"1\"';",
		 "X - text=\"Y\" song_spot=\"M\" id=\"1\"", NULL},
		{"StreamTitle='a'", "a", NULL},
		{"StreamTitle='a", "a", NULL},
		{"StreamTitle='", "", NULL},
		{"StreamTitle=", "", NULL},
		{"StreamTitle=';", ";", NULL},
		{"StreamTitle=a;StreamUrl=b;", "a", "b"},
		{"StreamTitle=\"a\";StreamUrl=\"b\";", "a", "b"},
		{"adw_ad='true';insertionType='x';StreamTitle='t';", "t", NULL},
		{"junk;StreamTitle='t';", "t", NULL},
		{"StreamTitle='t'; StreamUrl='u'; ", "t", "u"},
		{"StreamTitle='first';StreamTitle='second';", "first", NULL},
		{"StreamTitles='x';", NULL, NULL},
		{"nothing here", NULL, NULL},
		{"=", NULL, NULL},
		{"';';=='", NULL, NULL},
		{"", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct icy_fields fields;
		struct bytes text = guarded(bytes_str(cases[i].text));

		assert_int_equal(icy_parse_fields(text, &fields),
				 cases[i].title != NULL || cases[i].url != NULL);
		assert_int_equal(fields.has_title, cases[i].title != NULL);
		assert_int_equal(fields.has_url, cases[i].url != NULL);
		assert_bytes(fields.title, bytes_str(cases[i].title));
		assert_bytes(fields.url, bytes_str(cases[i].url));
		guarded_free(text);
	}
}

static void test_nothing_behind_a_nul_counts(void **state)
{
	struct icy_fields fields;

	(void)state;
	assert_true(icy_parse_fields(BYTES("StreamTitle='t';\0StreamUrl='old';"), &fields));
	assert_bytes(fields.title, BYTES("t"));
	assert_false(fields.has_url);
}

static void test_phase(void **state)
{
	struct icy_phase phase = icy_phase_of(10);

	(void)state;
	assert_int_equal(icy_phase_audio(&phase, 4), 4);
	icy_phase_sent(&phase, 4);
	assert_false(icy_phase_due(&phase));
	assert_int_equal(icy_phase_audio(&phase, 100), 6);
	icy_phase_sent(&phase, 6);
	assert_true(icy_phase_due(&phase));
	assert_int_equal(icy_phase_audio(&phase, 100), 0);
	icy_phase_block_sent(&phase);
	assert_false(icy_phase_due(&phase));
	assert_int_equal(icy_phase_audio(&phase, 100), 10);

	phase = icy_phase_of(0);
	assert_int_equal(icy_phase_audio(&phase, SIZE_MAX), SIZE_MAX);
	icy_phase_sent(&phase, 1u << 20);
	assert_false(icy_phase_due(&phase));
	assert_int_equal(icy_phase_audio(&phase, 7), 7);
}

/* What a demux was given: all audio, and one line for each title. */
struct heard {
	uint8_t audio[4096], titles[8192];
	struct writer audio_w, titles_w;
};

static void heard_init(struct heard *heard)
{
	heard->audio_w = writer_of(heard->audio, sizeof heard->audio);
	heard->titles_w = writer_of(heard->titles, sizeof heard->titles);
}

static void feed(struct icy_demux *demux, struct bytes in, struct heard *heard)
{
	enum icy_demux_status status;

	do {
		struct icy_fields fields;
		struct bytes audio;
		size_t used;

		status = icy_demux_next(demux, in, &audio, &fields, &used);
		assert_true(used <= in.len);
		assert_true(used > 0 || in.len == 0);
		if (status == ICY_DEMUX_AUDIO)
			writer_put(&heard->audio_w, audio);
		if (status == ICY_DEMUX_TITLE) {
			writer_put(&heard->titles_w, fields.title);
			writer_str(&heard->titles_w, fields.has_url ? "|" : "");
			writer_put(&heard->titles_w, fields.url);
			writer_str(&heard->titles_w, "\n");
		}
		in = bytes_skip(in, used);
	} while (status != ICY_DEMUX_MORE);
	assert_int_equal(in.len, 0);
}

static struct bytes demux_input(uint8_t *buf, size_t size)
{
	struct writer w = writer_of(buf, size);

	writer_str(&w, "01234");
	icy_metadata_write(BYTES("One"), BYTES(""), ICY_UTF8, &w);
	writer_str(&w, "56789");
	writer_put(&w, icy_empty());
	writer_str(&w, "abcde");
	writer_put(&w, BYTES("\1unknown='x';\0\0\0\0"));
	writer_str(&w, "fghij");
	icy_metadata_write(BYTES("It's Two"), BYTES("http://u/"), ICY_UTF8, &w);
	writer_str(&w, "kl");
	assert_true(writer_ok(&w));
	return writer_done(&w);
}

static void test_demux_at_every_split(void **state)
{
	uint8_t buf[256];
	struct bytes in = demux_input(buf, sizeof buf);

	(void)state;
	for (size_t cut = 0; cut <= in.len; cut++) {
		struct heard heard;
		struct icy_demux demux;
		struct bytes first = guarded(bytes_first(in, cut));
		struct bytes second = guarded(bytes_skip(in, cut));

		heard_init(&heard);
		icy_demux_init(&demux, 5);
		feed(&demux, first, &heard);
		feed(&demux, second, &heard);
		assert_written(&heard.audio_w, "0123456789abcdefghijkl");
		assert_written(&heard.titles_w, "One\nIt's Two|http://u/\n");
		guarded_free(first);
		guarded_free(second);
	}
}

static void test_demux_byte_by_byte(void **state)
{
	uint8_t buf[256];
	struct bytes in = demux_input(buf, sizeof buf);
	struct heard heard;
	struct icy_demux demux;

	(void)state;
	heard_init(&heard);
	icy_demux_init(&demux, 5);
	for (size_t i = 0; i < in.len; i++)
		feed(&demux, bytes_of(in.at + i, 1), &heard);
	assert_written(&heard.audio_w, "0123456789abcdefghijkl");
	assert_written(&heard.titles_w, "One\nIt's Two|http://u/\n");
}

static void test_demux_takes_the_largest_block(void **state)
{
	uint8_t in[1 + ICY_BLOCK_MAX + 1];
	struct heard heard;
	struct icy_demux demux;

	(void)state;
	memset(in, 'x', sizeof in);
	in[1] = 255;
	memcpy(in + 2, "StreamTitle='", 13);
	heard_init(&heard);
	icy_demux_init(&demux, 1);
	for (size_t i = 0; i < sizeof in; i += 1000)
		feed(&demux, bytes_first(bytes_of(in + i, sizeof in - i), 1000), &heard);
	assert_written(&heard.audio_w, "xx");
	assert_int_equal(heard.titles_w.len, ICY_TEXT_MAX - 13 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_block_byte_for_byte),
		cmocka_unit_test(test_titles_too_long_are_cut),
		cmocka_unit_test(test_title_is_cut_at_a_character),
		cmocka_unit_test(test_url_is_whole_or_absent),
		cmocka_unit_test(test_no_room_fails),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_nothing_behind_a_nul_counts),
		cmocka_unit_test(test_phase),
		cmocka_unit_test(test_demux_at_every_split),
		cmocka_unit_test(test_demux_byte_by_byte),
		cmocka_unit_test(test_demux_takes_the_largest_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
