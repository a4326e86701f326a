#include "golden.h"

#include "radio/proto/flac.h"

static struct flac_framer framer;
static uint8_t buffer[8000000];

static void kind_init(void *into)
{
	flac_init(into);
}

static enum framer_status kind_next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return flac_next(from, in, end, unit);
}

static const struct framing_kind flac = {kind_init, kind_next, &framer};

/* Bit by bit, so as not to share the framer's own. */
static uint32_t crc_msb(struct bytes in, unsigned width, uint32_t poly)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < in.len * 8; i++) {
		uint32_t bit = in.at[i / 8] >> (7 - i % 8) & 1;
		uint32_t top = crc >> (width - 1) & 1;

		crc = (crc << 1 ^ (top ^ bit ? poly : 0)) & ((1u << width) - 1);
	}
	return crc;
}

static struct writer start(void)
{
	return writer_of(buffer, sizeof buffer);
}

static void put_block(struct writer *w, bool last, uint32_t type, size_t len)
{
	writer_u8(w, (uint8_t)(last << 7 | type));
	writer_be(w, len, 3);
	writer_fill(w, (uint8_t)('A' + type), len);
}

/* 48 kHz, stereo, 16 bits. */
static void put_chain(struct writer *w, bool last)
{
	writer_str(w, "fLaC");
	writer_u8(w, last ? 0x80 : 0);
	writer_be(w, 34, 3);
	writer_be(w, 4096, 2);
	writer_be(w, 4096, 2);
	writer_fill(w, 0, 6);
	writer_be(w, 48000ull << 44 | 1ull << 41 | 15ull << 36, 8);
	writer_fill(w, 0, 16);
}

/* A frame of len bytes that counts as 4096 samples unless the header (its first four bytes) has its
 * own: the data is noise that holds no sync code. */
static void put_frame_of(struct writer *w, uint32_t header, struct bytes extra, size_t len)
{
	size_t at = w->len;
	uint32_t noise = (uint32_t)at;

	writer_be(w, header, 4);
	writer_u8(w, 5); /* frame number */
	writer_put(w, extra);
	writer_u8(w, (uint8_t)crc_msb(bytes_of(w->at + at, w->len - at), 8, 0x07));
	while (w->len - at < len - 2) {
		noise = noise * 1664525u + 1013904223u;
		writer_u8(w, (uint8_t)((noise >> 24) % 255));
	}
	writer_be(w, crc_msb(bytes_of(w->at + at, w->len - at), 16, 0x8005), 2);
	assert_true(writer_ok(w));
}

#define HEADER_CD 0xFFF8CA18u /* 4096 samples, 48 kHz, two channels, 16 bits */

static void put_frame(struct writer *w, size_t len)
{
	put_frame_of(w, HEADER_CD, BYTES(""), len);
}

static void assert_cut(const struct cuts *cuts, size_t i, int flags, size_t at, size_t len)
{
	assert_true(i < cuts->count);
	assert_int_equal(cuts->list[i].at, at);
	assert_int_equal(cuts->list[i].len, len);
	assert_int_equal(cuts->list[i].skip, flags < 0);
	if (flags >= 0)
		assert_int_equal(cuts->list[i].flags, flags);
}

#define SKIPPED (-1)

/* From ffprobe -show_packets -show_streams FILE; blocks from metaflac --list FILE. */
static void recordings_are_cut_as_ffprobe_does(void **state)
{
	static const struct {
		const char *name;
		size_t frames;
		uint32_t samples;
		size_t headers
			[3]; /* their sizes: STREAMINFO with fLaC, and what is kept behind it */
		size_t skipped;
	} files[] = {
		/* STREAMINFO, SEEKTABLE (dropped), VORBIS_COMMENT, PADDING (last) */
		{"flac_fixed.flac", 10, 11200, {42, 58, 516}, 22},
		/* STREAMINFO, VORBIS_COMMENT, PADDING of 8192 (last) */
		{"flac_live.flac", 12, 11200, {42, 50, 8196}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct bytes in = golden_load(files[i].name);
		struct cuts cuts = cuts_always(&flac, in, 61);
		size_t skipped = 0;
		size_t headers = 0;

		assert_int_equal(assert_packets(&cuts, files[i].name), files[i].frames);
		for (size_t k = 0; k < cuts.count; k++) {
			if (cuts.list[k].skip)
				skipped += cuts.list[k].len;
			else if (cuts.list[k].flags & UNIT_HEADER)
				assert_int_equal(cuts.list[k].len, files[i].headers[headers++]);
		}
		assert_int_equal(headers, 3);
		assert_int_equal(skipped, files[i].skipped);
		assert_int_equal(cuts.list[0].flags, UNIT_HEADER | UNIT_CHAIN);
		assert_int_equal(cuts_units(&cuts, UNIT_KEY), files[i].frames);
		assert_int_equal(cuts_duration(&cuts), files[i].samples * 1000000ull / 16000);
		assert_string_equal(framer.about.codec, "flac");
		assert_int_equal(framer.about.sample_rate, 16000);
		assert_int_equal(framer.about.channels, 1);
		free(cuts.list);
		golden_free(in);
	}
}

static void headers_are_kept_but_for_what_a_live_stream_has_no_use_for(void **state)
{
	struct writer w = start();

	(void)state;
	put_chain(&w, false);
	put_block(&w, false, 6, 200000); /* PICTURE */
	put_block(&w, false, 4, 10);     /* VORBIS_COMMENT */
	put_block(&w, false, 3, 18);     /* SEEKTABLE */
	put_block(&w, false, 1, 0);      /* PADDING */
	put_block(&w, true, 6, 200000);  /* PICTURE, last: must stay */
	put_frame(&w, 100);
	struct cuts cuts = cuts_always(&flac, writer_done(&w), 0);

	assert_int_equal(cuts.count, 6);
	assert_cut(&cuts, 0, UNIT_HEADER | UNIT_CHAIN, 0, 42);
	assert_cut(&cuts, 1, SKIPPED, 42, 200004);
	assert_cut(&cuts, 2, UNIT_HEADER, 200046, 14);
	assert_cut(&cuts, 3, SKIPPED, 200060, 22 + 4);
	assert_cut(&cuts, 4, UNIT_HEADER, 200086, 200004);
	assert_int_equal(cuts.list[4].pieces, 4);
	assert_cut(&cuts, 5, UNIT_KEY, 400090, 100);
	free(cuts.list);
}

static void frame_headers_say_samples_and_rate(void **state)
{
	static const struct {
		uint32_t header;
		const char *extra;
		size_t extra_len;
		uint32_t samples, sample_rate, channels;
	} rows[] = {
		{0xFFF81918, "", 0, 192, 44100, 2},
		{0xFFF82418, "", 0, 576, 8000, 2},
		{0xFFF95418, "", 0, 4608, 8000, 2}, /* variable block size */
		{0xFFF86A18, "\xFF", 1, 256, 48000, 2},
		{0xFFF87A18, "\xFF\xFE", 2, 65535, 48000, 2},
		{0xFFF88018, "", 0, 256, 48000, 2},   /* the rate of the STREAMINFO */
		{0xFFF8F100, "", 0, 32768, 88200, 1}, /* and its sample size */
		{0xFFF8CC18, "\x60", 1, 4096, 96000, 2},
		{0xFFF8CD18, "\x27\x10", 2, 4096, 10000, 2},
		{0xFFF8CE78, "\x56\x22", 2, 4096, 220500, 8},
		{0xFFF8CAA8, "", 0, 4096, 48000, 2}, /* mid and side */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();
		struct bytes extra = bytes_of(rows[i].extra, rows[i].extra_len);

		put_chain(&w, true);
		put_frame_of(&w, rows[i].header, extra, 300);
		put_frame_of(&w, rows[i].header, extra, 20);
		struct cuts cuts = cuts_always(&flac, writer_done(&w), 1);

		assert_int_equal(cuts.count, 3);
		assert_cut(&cuts, 1, UNIT_KEY, 42, 300);
		assert_cut(&cuts, 2, UNIT_KEY, 342, 20);
		assert_int_equal(cuts_duration(&cuts),
				 2000000ull * rows[i].samples / rows[i].sample_rate);
		assert_int_equal(framer.about.sample_rate, rows[i].sample_rate);
		assert_int_equal(framer.about.channels, rows[i].channels);
		free(cuts.list);
	}
}

static void impossible_frame_headers_are_junk(void **state)
{
	static const struct {
		uint32_t header;
		const char *extra;
		size_t extra_len;
	} rows[] = {
		{0xFFFACA18, "", 0},         /* reserved bit */
		{0xFFF80A18, "", 0},         /* reserved block size */
		{0xFFF8CF18, "", 0},         /* forbidden rate */
		{0xFFF8CAB8, "", 0},         /* reserved channels */
		{0xFFF8CA16, "", 0},         /* reserved sample size */
		{0xFFF8CA19, "", 0},         /* reserved bit */
		{0xFFF87A18, "\xFF\xFF", 2}, /* 65536 samples */
		{0xFFF8CC18, "\0", 1},       /* 0 Hz */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();

		put_chain(&w, true);
		for (int n = 0; n < 3; n++)
			put_frame_of(&w, rows[i].header, bytes_of(rows[i].extra, rows[i].extra_len),
				     100);
		struct cuts cuts = cuts_always(&flac, writer_done(&w), 0);

		assert_int_equal(cuts.count, 2);
		assert_cut(&cuts, 1, SKIPPED, 42, 300);
		free(cuts.list);
	}
}

/* A whole valid frame header stands in the data of each frame, and one that is only a sync code. */
static void a_sync_code_inside_a_frame_does_not_cut_it(void **state)
{
	struct writer w = start();

	(void)state;
	put_chain(&w, true);
	for (int n = 0; n < 3; n++) {
		size_t at = w.len;

		put_frame(&w, 3000);
		memcpy(buffer + at + 1000, buffer + at, 6);
		memcpy(buffer + at + 2000, buffer + at, 3);
		w.len -= 2;
		writer_be(&w, crc_msb(bytes_of(buffer + at, 2998), 16, 0x8005), 2);
	}
	struct cuts cuts = cuts_always(&flac, writer_done(&w), 61);

	assert_int_equal(cuts.count, 4);
	for (size_t n = 0; n < 3; n++)
		assert_cut(&cuts, n + 1, UNIT_KEY, 42 + n * 3000, 3000);
	free(cuts.list);
}

/* Without the header behind it a sound frame has no end that is certain: it is lost with it. */
static void a_damaged_frame_does_not_take_others_along(void **state)
{
	static const struct {
		size_t data, header;   /* the frames that are damaged there */
		size_t first, skipped; /* the first run that is skipped */
		size_t second, skipped_too;
	} rows[] = {
		{1, 5, 1, 1, 4, 2},
		{1, 3, 1, 3, 0, 0}, /* the one between has no neighbour */
		{1, 2, 1, 2, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct writer w = start();
		bool skip[8] = {0};
		size_t n = 0;

		put_chain(&w, true);
		for (int k = 0; k < 8; k++)
			put_frame(&w, 3000);
		buffer[42 + rows[i].data * 3000 + 1500] ^= 1;
		buffer[42 + rows[i].header * 3000 + 2] ^= 0x10;
		for (size_t k = 0; k < rows[i].skipped; k++)
			skip[rows[i].first + k] = true;
		for (size_t k = 0; k < rows[i].skipped_too; k++)
			skip[rows[i].second + k] = true;
		struct cuts cuts = cuts_always(&flac, writer_done(&w), 331);

		for (size_t k = 0; k < 8; k++) {
			if (skip[k] && k && skip[k - 1])
				continue;
			n++;
			assert_true(n < cuts.count);
			assert_int_equal(cuts.list[n].at, 42 + k * 3000);
			assert_int_equal(cuts.list[n].skip, skip[k]);
		}
		assert_int_equal(cuts.count, n + 1);
		free(cuts.list);
	}
}

static void a_damaged_frame_is_known_with_the_end_of_the_next(void **state)
{
	struct writer w = start();
	struct unit unit;

	(void)state;
	put_chain(&w, true);
	for (int n = 0; n < 3; n++)
		put_frame(&w, 1000);
	buffer[42 + 500] ^= 1;
	struct bytes in = writer_done(&w);

	flac_init(&framer);
	assert_int_equal(flac_next(&framer, in, false, &unit), FRAMER_UNIT);
	in = bytes_skip(in, 42);
	assert_int_equal(flac_next(&framer, bytes_first(in, 2005), false, &unit), FRAMER_MORE);
	assert_int_equal(flac_next(&framer, bytes_first(in, 2006), false, &unit), FRAMER_SKIP);
	assert_int_equal(unit.data.len, 1000);
	in = bytes_skip(in, 1000);
	assert_int_equal(flac_next(&framer, bytes_first(in, 1006), false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.data.len, 1000);
}

/* Eight channels of 24 bits: such a frame may be larger than a unit. */
#define HEADER_BIG 0xFFF8FA7Cu

static void a_frame_larger_than_a_unit_comes_in_pieces(void **state)
{
	struct writer w = start();
	const size_t sizes[] = {200000, 65536 - 32, 65536, 2 * (65536 - 32), 10000};

	(void)state;
	put_chain(&w, true);
	for (size_t n = 0; n < 5; n++)
		put_frame_of(&w, HEADER_BIG, BYTES(""), sizes[n]);
	struct cuts cuts = cuts_always(&flac, writer_done(&w), 0);
	size_t at = 42;

	assert_int_equal(cuts.count, 6);
	for (size_t n = 0; n < 5; n++) {
		assert_cut(&cuts, n + 1, UNIT_KEY, at, sizes[n]);
		assert_in_range(cuts.list[n + 1].duration_us, 682666, 682667);
		at += sizes[n];
	}
	assert_int_equal(cuts.list[1].pieces, 4);
	assert_int_equal(cuts.list[2].pieces, 1);
	assert_int_equal(cuts.list[4].pieces, 2);
	free(cuts.list);
}

/* Nobody can take back the pieces that are out; what follows must be framed again. */
static void a_damaged_frame_larger_than_a_unit_ends_at_the_next(void **state)
{
	struct writer w = start();

	(void)state;
	put_chain(&w, true);
	put_frame_of(&w, HEADER_BIG, BYTES(""), 150000);
	buffer[100000] ^= 1;
	put_frame_of(&w, HEADER_BIG, BYTES(""), 20000);
	put_frame_of(&w, HEADER_BIG, BYTES(""), 20000);
	struct cuts cuts = cuts_always(&flac, writer_done(&w), 0);

	assert_int_equal(cuts.count, 4);
	assert_cut(&cuts, 1, UNIT_KEY, 42, 150000);
	assert_cut(&cuts, 2, UNIT_KEY, 150042, 20000);
	assert_cut(&cuts, 3, UNIT_KEY, 170042, 20000);
	free(cuts.list);
}

static void a_stream_joined_in_the_middle_is_framed(void **state)
{
	struct writer w = start();

	(void)state;
	writer_fill(&w, 0xFF, 5000);
	put_frame(&w, 3000);
	put_frame(&w, 3000);
	struct cuts cuts = cuts_always(&flac, writer_done(&w), 61);

	assert_int_equal(cuts.count, 3);
	assert_cut(&cuts, 0, SKIPPED, 0, 5000);
	assert_cut(&cuts, 1, UNIT_KEY, 5000, 3000);
	free(cuts.list);
}

static void a_new_chain_and_tags_end_the_frame_before(void **state)
{
	struct writer w = start();

	(void)state;
	writer_put(&w, BYTES("ID3\x04\0\0\0\0\0\x05hello"));
	put_chain(&w, true);
	put_frame(&w, 500);
	put_chain(&w, false);
	put_block(&w, true, 4, 20);
	put_frame(&w, 600);
	writer_str(&w, "TAG");
	writer_fill(&w, 0, 125);
	struct cuts cuts = cuts_always(&flac, writer_done(&w), 1);

	assert_int_equal(cuts.count, 7);
	assert_cut(&cuts, 0, SKIPPED, 0, 15);
	assert_cut(&cuts, 1, UNIT_HEADER | UNIT_CHAIN, 15, 42);
	assert_cut(&cuts, 2, UNIT_KEY, 57, 500);
	assert_cut(&cuts, 3, UNIT_HEADER | UNIT_CHAIN, 557, 42);
	assert_cut(&cuts, 4, UNIT_HEADER, 599, 24);
	assert_cut(&cuts, 5, UNIT_KEY, 623, 600);
	assert_cut(&cuts, 6, SKIPPED, 1223, 128);
	free(cuts.list);
}

static void what_the_end_cut_off_is_skipped(void **state)
{
	struct writer w = start();

	(void)state;
	put_chain(&w, false);
	put_block(&w, true, 4, 20);
	put_frame(&w, 500);
	put_frame(&w, 500);
	static const struct {
		size_t len, count, skipped;
	} rows[] = {{1065, 4, 499}, {566, 3, 0}, {570, 4, 4}, {60, 2, 18}, {44, 2, 2}, {30, 1, 30}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cuts cuts = cuts_always(&flac, bytes_first(writer_done(&w), rows[i].len), 1);
		const struct cut *last = &cuts.list[cuts.count - 1];

		assert_int_equal(cuts.count, rows[i].count);
		assert_int_equal(last->skip ? last->len : 0, rows[i].skipped);
		free(cuts.list);
	}
}

/* Frame headers without frames, 7 bytes apart: each looks like the beginning of a frame. A framer
 * that went back to each would run into the time limit of the tests. */
static void headers_without_frames_do_not_take_quadratic_time(void **state)
{
	struct writer w = start();

	(void)state;
	put_chain(&w, true);
	while (w.len < sizeof buffer - 100) {
		size_t at = w.len;

		writer_be(&w, HEADER_CD, 4);
		writer_u8(&w, 5);
		writer_u8(&w, (uint8_t)crc_msb(bytes_of(buffer + at, 5), 8, 0x07));
		writer_u8(&w, 0x11);
	}
	struct cuts cuts = cuts_of(&flac, writer_done(&w), FRAMING_WHOLE);

	assert_int_equal(cuts_units(&cuts, UNIT_HEADER), 1);
	assert_int_equal(cuts_units(&cuts, UNIT_KEY), 0);
	free(cuts.list);
	cuts = cuts_of(&flac, writer_done(&w), (struct framing_feed){.step = 700});
	assert_int_equal(cuts_units(&cuts, UNIT_KEY), 0);
	free(cuts.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_cut_as_ffprobe_does),
		cmocka_unit_test(headers_are_kept_but_for_what_a_live_stream_has_no_use_for),
		cmocka_unit_test(frame_headers_say_samples_and_rate),
		cmocka_unit_test(impossible_frame_headers_are_junk),
		cmocka_unit_test(a_sync_code_inside_a_frame_does_not_cut_it),
		cmocka_unit_test(a_damaged_frame_does_not_take_others_along),
		cmocka_unit_test(a_damaged_frame_is_known_with_the_end_of_the_next),
		cmocka_unit_test(a_frame_larger_than_a_unit_comes_in_pieces),
		cmocka_unit_test(a_damaged_frame_larger_than_a_unit_ends_at_the_next),
		cmocka_unit_test(a_stream_joined_in_the_middle_is_framed),
		cmocka_unit_test(a_new_chain_and_tags_end_the_frame_before),
		cmocka_unit_test(what_the_end_cut_off_is_skipped),
		cmocka_unit_test(headers_without_frames_do_not_take_quadratic_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
