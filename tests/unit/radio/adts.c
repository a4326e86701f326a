#include "golden.h"

#include "radio/proto/adts.h"

static struct adts_framer framer;
static uint8_t buffer[20000];

static void kind_init(void *into)
{
	adts_init(into);
}

static enum framer_status kind_next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return adts_next(from, in, end, unit);
}

static const struct framing_kind adts = {kind_init, kind_next, &framer};

struct adts_fields {
	uint32_t mpeg2, protected, rate_index, channels, blocks;
};

static struct writer start(void)
{
	return writer_of(buffer, sizeof buffer);
}

static void put_adts(struct writer *w, struct adts_fields f, size_t len)
{
	uint64_t header = 0xFFFull << 44 | (uint64_t)f.mpeg2 << 43 |
			  (uint64_t)(!f.protected) << 40 | 1ull << 38 |
			  (uint64_t)f.rate_index << 34 | (uint64_t)f.channels << 30 |
			  (uint64_t)len << 13 | 0x7FF << 2 | (f.blocks - 1);

	writer_be(w, header, 7);
	writer_fill(w, 0x55, len - 7);
	assert_true(writer_ok(w));
}

/* config: the first bytes of the AudioMuxElement. */
static void put_loas(struct writer *w, uint64_t config, size_t config_len, size_t len)
{
	writer_be(w, 0x2B7 << 13 | len, 3);
	writer_be(w, config, config_len);
	writer_fill(w, 0x55, len - config_len);
	assert_true(writer_ok(w));
}

static void assert_cut(const struct cuts *cuts, size_t i, bool skip, size_t at, size_t len)
{
	assert_true(i < cuts->count);
	assert_int_equal(cuts->list[i].skip, skip);
	assert_int_equal(cuts->list[i].at, at);
	assert_int_equal(cuts->list[i].len, len);
}

/* 45 packets of 1024 samples at 44.1 kHz, stereo: ffprobe -show_packets -show_streams FILE. The LATM
 * muxer of ffmpeg repeats the StreamMuxConfig every 20 frames (its -smc-interval). */
static void recordings_are_cut_as_ffprobe_does(void **state)
{
	static const struct {
		const char *name;
		size_t keys;
	} files[] = {{"aac_lc.aac", 45}, {"aac_latm.latm", 3}};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct bytes in = golden_load(files[i].name);
		struct cuts cuts = cuts_always(&adts, in, 1);

		assert_int_equal(assert_packets(&cuts, files[i].name), 45);
		assert_int_equal(cuts.count, 45);
		assert_int_equal(cuts_units(&cuts, UNIT_KEY), files[i].keys);
		assert_int_equal(cuts_duration(&cuts), 45ull * 1024 * 1000000 / 44100);
		assert_string_equal(framer.about.codec, "aac");
		assert_int_equal(framer.about.sample_rate, 44100);
		assert_int_equal(framer.about.channels, 2);
		free(cuts.list);
		golden_free(in);
	}
}

static void adts_headers_say_length_rate_and_channels(void **state)
{
	static const struct {
		struct adts_fields fields;
		size_t len;
		uint32_t sample_rate, channels, us;
	} rows[] = {
		{{0, 0, 3, 2, 1}, 8, 48000, 2, 21333},    {{1, 1, 4, 1, 1}, 10, 44100, 1, 23219},
		{{0, 0, 0, 6, 1}, 8191, 96000, 6, 10666}, {{0, 0, 12, 7, 1}, 700, 7350, 8, 139319},
		{{0, 0, 6, 0, 1}, 300, 24000, 0, 42666}, /* HE-AAC of 48 kHz; channels in-band */
		{{0, 1, 3, 2, 4}, 900, 48000, 2, 85333}, /* four blocks and their CRCs */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();

		put_adts(&w, rows[i].fields, rows[i].len);
		put_adts(&w, rows[i].fields, rows[i].len);
		struct cuts cuts = cuts_always(&adts, writer_done(&w), 1);

		assert_int_equal(cuts.count, 2);
		assert_cut(&cuts, 0, false, 0, rows[i].len);
		assert_cut(&cuts, 1, false, rows[i].len, rows[i].len);
		assert_int_equal(cuts.list[0].flags, UNIT_KEY);
		assert_int_equal(cuts.list[0].duration_us, rows[i].us);
		assert_int_equal(framer.about.sample_rate, rows[i].sample_rate);
		assert_int_equal(framer.about.channels, rows[i].channels);
		free(cuts.list);
	}
}

static void impossible_headers_are_junk(void **state)
{
	static const struct {
		struct adts_fields fields;
		size_t len;
	} rows[] = {
		{{0, 0, 13, 2, 1}, 100}, /* reserved rate */
		{{0, 0, 15, 2, 1}, 100}, /* no escape in ADTS */
		{{0, 0, 3, 2, 1}, 7},    /* nothing but a header */
		{{0, 1, 3, 2, 4}, 15},   /* nor but CRCs */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();

		for (int n = 0; n < 3; n++)
			put_adts(&w, rows[i].fields, rows[i].len);
		struct cuts cuts = cuts_always(&adts, writer_done(&w), 0);

		assert_int_equal(cuts.count, 1);
		assert_cut(&cuts, 0, true, 0, w.len);
		free(cuts.list);
	}
}

static void sync_is_kept_over_tags_and_found_again_behind_junk(void **state)
{
	const struct adts_fields lc = {0, 0, 3, 2, 1};
	const struct adts_fields other = {0, 0, 4, 2, 1};
	struct writer w = start();

	(void)state;
	writer_put(&w, BYTES("ID3\x03\0\0\0\0\0\x05hello"));
	put_adts(&w, lc, 100);
	writer_put(&w, BYTES("ID3\x03\0\0\0\0\0\x05hello"));
	put_adts(&w, lc, 100);
	writer_fill(&w, 0x56, 50);
	put_adts(&w, lc, 100); /* alone: junk */
	writer_fill(&w, 0xFF, 50);
	put_adts(&w, lc, 100);
	put_adts(&w, lc, 100);
	put_adts(&w, other, 100); /* a change of rate */
	put_adts(&w, other, 100);
	struct cuts cuts = cuts_always(&adts, writer_done(&w), 1);

	assert_int_equal(cuts.count, 9);
	assert_cut(&cuts, 0, true, 0, 15);
	assert_cut(&cuts, 1, false, 15, 100);
	assert_cut(&cuts, 2, true, 115, 15);
	assert_cut(&cuts, 3, false, 130, 100);
	assert_cut(&cuts, 4, true, 230, 200);
	assert_cut(&cuts, 5, false, 430, 100);
	assert_cut(&cuts, 7, false, 630, 100);
	assert_int_equal(framer.about.sample_rate, 44100);
	free(cuts.list);
}

/* StreamMuxConfigs written out by hand (ISO 14496-3, tables 1.42 and 1.15); the first bit is
 * useSameStreamMux. */
static void loas_takes_rate_and_samples_from_the_mux_config(void **state)
{
	static const struct {
		uint64_t config;
		size_t len;
		uint32_t sample_rate, channels, us;
	} rows[] = {
		/* 0 0 1 000000 0000 000 | 00010 0011 0010 0 0 0: AAC-LC 48 kHz stereo 1024 */
		{0x20001190, 4, 48000, 2, 21333},
		/* the same with frameLengthFlag: 960 samples */
		{0x20001194, 4, 48000, 2, 20000},
		/* numSubFrames 1: two frames in one */
		{0x20801190, 4, 48000, 2, 42666},
		/* 00101 0110 0001 0011 00010 0: SBR, core 24 kHz mono, 48 kHz out */
		{0x20002B098800, 6, 24000, 1, 42666},
		/* audioMuxVersion 1: 0 1 0 | 00 taraBufferFullness 8 | 1 000000 0000 000 |
		 * 00 ascLen 8 | 00010 0011 0010 000 */
		{0x47FC0000808C80, 7, 48000, 2, 21333},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();

		put_loas(&w, rows[i].config, rows[i].len, 60);
		put_loas(&w, 0x80, 1, 200); /* useSameStreamMux */
		put_loas(&w, rows[i].config, rows[i].len, 60);
		struct cuts cuts = cuts_always(&adts, writer_done(&w), 1);

		assert_int_equal(cuts.count, 3);
		assert_cut(&cuts, 1, false, 63, 203);
		assert_int_equal(cuts.list[0].flags, UNIT_KEY);
		assert_int_equal(cuts.list[1].flags, 0);
		assert_int_equal(cuts.list[0].duration_us, rows[i].us);
		assert_in_range(cuts.list[1].duration_us, rows[i].us, rows[i].us + 1);
		assert_int_equal(framer.about.sample_rate, rows[i].sample_rate);
		assert_int_equal(framer.about.channels, rows[i].channels);
		free(cuts.list);
	}
}

static void loas_starts_only_where_a_decoder_can(void **state)
{
	struct writer w = start();

	(void)state;
	put_loas(&w, 0x80, 1, 200);
	put_loas(&w, 0x80, 1, 200);
	put_loas(&w, 0x20001190, 4, 100);
	put_loas(&w, 0x80, 1, 200);
	struct cuts cuts = cuts_always(&adts, writer_done(&w), 1);

	assert_int_equal(cuts.count, 3);
	assert_cut(&cuts, 0, true, 0, 406);
	assert_cut(&cuts, 1, false, 406, 103);
	assert_int_equal(cuts.list[1].flags, UNIT_KEY);
	free(cuts.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_cut_as_ffprobe_does),
		cmocka_unit_test(adts_headers_say_length_rate_and_channels),
		cmocka_unit_test(impossible_headers_are_junk),
		cmocka_unit_test(sync_is_kept_over_tags_and_found_again_behind_junk),
		cmocka_unit_test(loas_takes_rate_and_samples_from_the_mux_config),
		cmocka_unit_test(loas_starts_only_where_a_decoder_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
