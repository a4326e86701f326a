#include "golden.h"

#include "radio/proto/mp3.h"

#define HEADER_44K 0xFFFB90C4u /* MPEG-1 layer III, no CRC, 128 kbit/s, 44.1 kHz, mono */
#define LEN_44K    417u
#define HEADER_48K 0xFFFB94C4u
#define LEN_48K    384u

static struct mp3_framer framer;
static uint8_t buffer[400000];

static void kind_init(void *into)
{
	mp3_init(into);
}

static enum framer_status kind_next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return mp3_next(from, in, end, unit);
}

static const struct framing_kind mp3 = {kind_init, kind_next, &framer};

static struct writer start(void)
{
	return writer_of(buffer, sizeof buffer);
}

static void put_frame(struct writer *w, uint32_t header, size_t len)
{
	writer_be(w, header, 4);
	writer_fill(w, 0x55, len - 4);
	assert_true(writer_ok(w));
}

/* An ID3v2.4 tag whose body looks like MPEG audio. */
static void put_id3v2(struct writer *w, size_t body, bool footer)
{
	writer_str(w, "ID3\x04");
	writer_u8(w, 0);
	writer_u8(w, footer ? 0x10 : 0);
	for (int shift = 21; shift >= 0; shift -= 7)
		writer_u8(w, body >> shift & 0x7F);
	for (; body >= LEN_44K; body -= LEN_44K)
		put_frame(w, HEADER_44K, LEN_44K);
	writer_fill(w, 0, body);
	if (footer)
		writer_put(w, BYTES("3DI\x04\0\x10\0\0\0\0"));
}

static void assert_cut(const struct cuts *cuts, size_t i, bool skip, size_t at, size_t len)
{
	assert_true(i < cuts->count);
	assert_int_equal(cuts->list[i].skip, skip);
	assert_int_equal(cuts->list[i].at, at);
	assert_int_equal(cuts->list[i].len, len);
	assert_int_equal(cuts->list[i].flags, skip ? 0 : UNIT_KEY);
}

/* Frames, sample rate, channels and samples in all are those that
 *   ffprobe -show_packets -show_streams FILE
 * says; the packets themselves are in FILE.packets (see tests/golden/make.sh). */
static void recordings_are_cut_as_ffprobe_does(void **state)
{
	static const struct {
		const char *name;
		const char *codec;
		size_t frames;
		size_t skipped; /* tags and the Xing or Info frame */
		uint32_t samples, sample_rate, channels;
	} files[] = {
		{"mp3_cbr.mp3", "mp3", 40, 348 + 128, 1152, 44100, 2},
		{"mp3_vbr.mp3", "mp3", 40, 526, 1152, 44100, 2},
		{"mp3_crc.mp3", "mp3", 40, 0, 1152, 44100, 1},
		{"mp3_mpeg2.mp3", "mp3", 41, 0, 576, 22050, 2},
		{"mp3_mpeg25.mp3", "mp3", 22, 0, 576, 11025, 1},
		{"mp2_layer2.mp2", "mp2", 39, 0, 1152, 44100, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct bytes in = golden_load(files[i].name);
		struct cuts cuts = cuts_always(&mp3, in, 7);
		size_t skipped = 0;

		assert_int_equal(assert_packets(&cuts, files[i].name), files[i].frames);
		for (size_t k = 0; k < cuts.count; k++)
			skipped += cuts.list[k].skip ? cuts.list[k].len : 0;
		assert_int_equal(skipped, files[i].skipped);
		assert_int_equal(cuts_units(&cuts, UNIT_KEY), files[i].frames);
		assert_int_equal(cuts_duration(&cuts), files[i].frames * files[i].samples *
							       1000000 / files[i].sample_rate);
		assert_string_equal(framer.about.codec, files[i].codec);
		assert_int_equal(framer.about.sample_rate, files[i].sample_rate);
		assert_int_equal(framer.about.channels, files[i].channels);
		free(cuts.list);
		golden_free(in);
	}
}

/* Lengths worked out by hand from ISO 11172-3, 2.4.3.1 and ISO 13818-3, 2.4.3. */
static void frame_lengths_follow_the_standard(void **state)
{
	static const struct {
		uint32_t header;
		size_t len;
		const char *codec;
		uint32_t sample_rate, bitrate, us, channels;
	} rows[] = {
		{0xFFFB9000, 417, "mp3", 44100, 128000, 26122, 2}, /* 144 * 128000 / 44100 */
		{0xFFFB9200, 418, "mp3", 44100, 128000, 26122, 2}, /* and padding */
		{0xFFFBE4C0, 960, "mp3", 48000, 320000, 24000, 1},
		{0xFFFA1800, 144, "mp3", 32000, 32000, 36000, 2}, /* with CRC */
		{0xFFF384C0, 192, "mp3", 24000, 64000, 24000, 1}, /* MPEG-2: 72 * 64000 / 24000 */
		{0xFFE318C0, 72, "mp3", 8000, 8000, 72000, 1},    /* MPEG-2.5 */
		{0xFFE3E000, 1044, "mp3", 11025, 160000, 52244, 2},
		{0xFFFDE800, 1728, "mp2", 32000, 384000, 36000, 2},
		{0xFFE5E800, 2880, "mp2", 8000, 160000, 144000, 2}, /* the longest of all */
		{0xFFFFE400, 448, "mp1", 48000, 448000, 8000, 2},   /* 12 * 448000 / 48000 * 4 */
		{0xFFFF1200, 36, "mp1", 44100, 32000, 8707, 2},     /* 8 slots and a padding slot */
		{0xFFF71400, 64, "mp1", 24000, 32000, 16000, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();

		for (int n = 0; n < 3; n++)
			put_frame(&w, rows[i].header, rows[i].len);
		struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);

		assert_int_equal(cuts.count, 3);
		for (size_t n = 0; n < 3; n++)
			assert_cut(&cuts, n, false, n * rows[i].len, rows[i].len);
		assert_int_equal(cuts.list[0].duration_us, rows[i].us);
		assert_string_equal(framer.about.codec, rows[i].codec);
		assert_int_equal(framer.about.sample_rate, rows[i].sample_rate);
		assert_int_equal(framer.about.bitrate, rows[i].bitrate);
		assert_int_equal(framer.about.channels, rows[i].channels);
		free(cuts.list);
	}
}

static void headers_that_the_standard_forbids_are_junk(void **state)
{
	static const uint32_t headers[] = {
		0xFFFB00C4, /* free format */
		0xFFFBF0C4, /* bitrate index 15 */
		0xFFFB9CC4, /* sample rate index 3 */
		0xFFEB90C4, /* reserved version */
		0xFFF990C4, /* reserved layer, as ADTS has */
		0xFFFB90C6, /* reserved emphasis */
		0xFFDB90C4, /* no sync word */
	};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		struct writer w = start();

		for (int n = 0; n < 5; n++)
			put_frame(&w, headers[i], LEN_44K);
		struct cuts cuts = cuts_always(&mp3, writer_done(&w), 0);

		assert_int_equal(cuts.count, 1);
		assert_cut(&cuts, 0, true, 0, w.len);
		free(cuts.list);
	}
}

static void a_day_of_frames_does_not_drift(void **state)
{
	uint64_t sum = 0;
	uint64_t count = 24 * 3600 * 44100ull / 1152;
	struct writer w = start();
	struct unit unit;

	(void)state;
	put_frame(&w, HEADER_44K, LEN_44K);
	put_frame(&w, HEADER_44K, LEN_44K);
	mp3_init(&framer);
	for (uint64_t i = 0; i < count; i++) {
		assert_int_equal(mp3_next(&framer, writer_done(&w), false, &unit), FRAMER_UNIT);
		sum += unit.duration_us;
	}
	assert_int_equal(sum, count * 1152 * 1000000 / 44100);
}

static void in_sync_a_frame_is_given_as_soon_as_it_is_whole(void **state)
{
	struct writer w = start();
	struct unit unit;

	(void)state;
	for (int n = 0; n < 3; n++)
		put_frame(&w, HEADER_44K, LEN_44K);
	mp3_init(&framer);
	/* The first needs the header of the second, not a byte more. */
	struct bytes in = writer_done(&w);

	assert_int_equal(mp3_next(&framer, bytes_first(in, LEN_44K + 3), false, &unit),
			 FRAMER_MORE);
	assert_int_equal(mp3_next(&framer, bytes_first(in, LEN_44K + 4), false, &unit),
			 FRAMER_UNIT);
	in = bytes_skip(in, LEN_44K);
	assert_int_equal(mp3_next(&framer, bytes_first(in, LEN_44K - 1), false, &unit),
			 FRAMER_MORE);
	assert_int_equal(mp3_next(&framer, bytes_first(in, LEN_44K), false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.data.len, LEN_44K);
}

static void junk_is_skipped_at_once_and_sync_found_again(void **state)
{
	struct writer w = start();
	struct unit unit;

	(void)state;
	writer_fill(&w, 'x', 1000);
	put_frame(&w, HEADER_44K, LEN_44K);
	put_frame(&w, HEADER_44K, LEN_44K);
	writer_fill(&w, 0xFF, 100);
	put_frame(&w, HEADER_44K, LEN_44K);
	writer_fill(&w, 'x', 70); /* a frame alone in junk is junk */
	put_frame(&w, HEADER_44K, LEN_44K);
	put_frame(&w, HEADER_44K, LEN_44K);

	struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);

	assert_int_equal(cuts.count, 6);
	assert_cut(&cuts, 0, true, 0, 1000);
	assert_cut(&cuts, 1, false, 1000, LEN_44K);
	assert_cut(&cuts, 2, false, 1000 + LEN_44K, LEN_44K);
	assert_cut(&cuts, 3, true, 1000 + 2 * LEN_44K, 100 + LEN_44K + 70);
	assert_cut(&cuts, 5, false, 1170 + 4 * LEN_44K, LEN_44K);
	free(cuts.list);

	mp3_init(&framer);
	assert_int_equal(mp3_next(&framer, bytes_first(writer_done(&w), 900), false, &unit),
			 FRAMER_SKIP);
	assert_int_equal(unit.data.len, 900);
}

static void a_header_inside_a_frame_does_not_cut_it(void **state)
{
	struct writer w = start();

	(void)state;
	for (int n = 0; n < 4; n++) {
		put_frame(&w, HEADER_44K, 100);
		put_frame(&w, HEADER_48K, LEN_44K - 100);
	}
	struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);

	assert_int_equal(cuts.count, 4);
	for (size_t n = 0; n < 4; n++)
		assert_cut(&cuts, n, false, n * LEN_44K, LEN_44K);
	free(cuts.list);
}

static void a_change_of_parameters_costs_no_frame(void **state)
{
	struct writer w = start();

	(void)state;
	for (int n = 0; n < 3; n++)
		put_frame(&w, HEADER_44K, LEN_44K);
	for (int n = 0; n < 3; n++)
		put_frame(&w, HEADER_48K, LEN_48K);
	struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);

	assert_int_equal(cuts.count, 6);
	assert_cut(&cuts, 3, false, 3 * LEN_44K, LEN_48K);
	assert_int_equal(cuts.list[5].duration_us, 24000);
	assert_int_equal(framer.about.sample_rate, 48000);
	free(cuts.list);
}

static void tags_are_skipped_wherever_they_stand(void **state)
{
	struct writer w = start();
	size_t ape = 32 + 100;

	(void)state;
	put_id3v2(&w, 1000, false);
	put_frame(&w, HEADER_44K, LEN_44K);
	put_id3v2(&w, 1000, true);
	put_frame(&w, HEADER_44K, LEN_44K);
	writer_str(&w, "TAG");
	writer_fill(&w, 0xFF, 125);
	put_frame(&w, HEADER_44K, LEN_44K);
	writer_str(&w, "APETAGEX");
	writer_le(&w, 2000, 4);
	writer_le(&w, 100, 4);
	writer_le(&w, 3, 4);
	writer_le(&w, 0xA0000000, 4);
	writer_fill(&w, 0, 8);
	writer_fill(&w, 0xFF, 100);
	put_frame(&w, HEADER_44K, LEN_44K);

	struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);
	size_t at = 0;
	size_t tags[] = {1010, 1020, 128, ape};

	assert_int_equal(cuts.count, 8);
	for (size_t n = 0; n < 4; n++) {
		assert_cut(&cuts, 2 * n, true, at, tags[n]);
		at += tags[n];
		assert_cut(&cuts, 2 * n + 1, false, at, LEN_44K);
		at += LEN_44K;
	}
	free(cuts.list);
}

static void a_tag_may_be_larger_than_any_buffer(void **state)
{
	struct writer w = start();

	(void)state;
	put_id3v2(&w, 300000, false);
	put_frame(&w, HEADER_44K, LEN_44K);
	put_frame(&w, HEADER_44K, LEN_44K);
	struct cuts cuts = cuts_always(&mp3, writer_done(&w), 0);

	assert_int_equal(cuts.count, 3);
	assert_cut(&cuts, 0, true, 0, 300010);
	assert_cut(&cuts, 1, false, 300010, LEN_44K);
	free(cuts.list);
}

static void frames_that_only_describe_a_file_are_skipped(void **state)
{
	/* Header, where the word stands and which it is. */
	static const struct {
		uint32_t header;
		size_t len, at;
		const char *word;
	} rows[] = {
		{0xFFFB9000, 417, 36, "Xing"}, /* MPEG-1 stereo */
		{0xFFFB90C0, 417, 21, "Info"}, /* mono */
		{0xFFFA9000, 417, 38, "Xing"}, /* the CRC counted */
		{0xFFFA9000, 417, 36, "Xing"}, /* and not */
		{0xFFF38400, 192, 21, "Info"}, /* MPEG-2 stereo */
		{0xFFE318C0, 72, 13, "Xing"},  /* MPEG-2.5 mono */
		{0xFFFB9000, 417, 36, "VBRI"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();

		for (int n = 0; n < 6; n++)
			put_frame(&w, rows[i].header, rows[i].len);
		/* In front of the first file, and of a second one sent behind it. */
		memcpy(buffer + rows[i].at, rows[i].word, 4);
		memcpy(buffer + 3 * rows[i].len + rows[i].at, rows[i].word, 4);
		struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);

		assert_int_equal(cuts.count, 6);
		for (size_t n = 0; n < 6; n++)
			assert_cut(&cuts, n, n % 3 == 0, n * rows[i].len, rows[i].len);
		free(cuts.list);
	}
}

static void a_frame_that_the_end_cut_off_is_skipped(void **state)
{
	struct writer w = start();

	(void)state;
	put_frame(&w, HEADER_44K, LEN_44K);
	put_frame(&w, HEADER_44K, LEN_44K);
	put_frame(&w, HEADER_44K, LEN_44K - 1);
	struct cuts cuts = cuts_always(&mp3, writer_done(&w), 1);

	assert_int_equal(cuts.count, 3);
	assert_cut(&cuts, 2, true, 2 * LEN_44K, LEN_44K - 1);
	free(cuts.list);
	/* One whole frame and the end is a stream. */
	cuts = cuts_always(&mp3, bytes_first(writer_done(&w), LEN_44K), 1);
	assert_int_equal(cuts.count, 1);
	assert_cut(&cuts, 0, false, 0, LEN_44K);
	free(cuts.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_cut_as_ffprobe_does),
		cmocka_unit_test(frame_lengths_follow_the_standard),
		cmocka_unit_test(headers_that_the_standard_forbids_are_junk),
		cmocka_unit_test(a_day_of_frames_does_not_drift),
		cmocka_unit_test(in_sync_a_frame_is_given_as_soon_as_it_is_whole),
		cmocka_unit_test(junk_is_skipped_at_once_and_sync_found_again),
		cmocka_unit_test(a_header_inside_a_frame_does_not_cut_it),
		cmocka_unit_test(a_change_of_parameters_costs_no_frame),
		cmocka_unit_test(tags_are_skipped_wherever_they_stand),
		cmocka_unit_test(a_tag_may_be_larger_than_any_buffer),
		cmocka_unit_test(frames_that_only_describe_a_file_are_skipped),
		cmocka_unit_test(a_frame_that_the_end_cut_off_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
