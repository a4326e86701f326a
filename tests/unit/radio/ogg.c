/* Ogg: golden files of each codec against what ffprobe says of them, and pages made by hand for
 * what no encoder here writes. */
#include "golden_container.h"

#include "core/reader.h"
#include "core/writer.h"
#include "radio/proto/crc_msb.h"
#include "radio/proto/ogg.h"

FRAMING(ogg)

static size_t data_packets;
static char titles[4][600];
static size_t title_count;

static void collect(void *state, enum framer_status status, const struct unit *unit)
{
	struct bytes title;

	if (ogg_title(state, &title) && title_count < 4)
		bytes_to_str(title, titles[title_count++], sizeof titles[0]);
	if (status == FRAMER_UNIT && !(unit->flags & UNIT_HEADER))
		for (size_t i = 0; i < unit->data.at[26]; i++)
			data_packets += unit->data.at[27 + i] < 255;
}

static const struct framing framing = {&ogg_state, ogg_framing_init, ogg_framing_next, collect,
				       false};

static struct tally run(struct bytes stream)
{
	data_packets = title_count = 0;
	return golden_run(&framing, stream);
}

/* The numbers are ffprobe's: packets, duration of the (audio) stream, rate, channels. */
static const struct {
	const char *file, *codec;
	uint32_t rate, channels, bitrate;
	size_t chains, headers, keys, plain, packets;
	uint64_t duration_us;
	const char *title, *title2;
} files[] = {
	{"vorbis.ogg", "vorbis", 44100, 2, 64000, 1, 2, 5, 0, 346, 8000000, "Tester - Eins – Zwö",
	 NULL},
	{"opus.opus", "opus", 48000, 1, 0, 1, 2, 9, 0, 401, 8006500, "Tester - Opus one", NULL},
	{"flac.oga", "flac", 22050, 1, 0, 1, 4, 12, 0, 58, 3000000, "Tester - Flac one", NULL},
	{"speex.spx", "speex", 16000, 1, 0, 1, 2, 7, 0, 401, 8000000, "Speex one", NULL},
	{"theora.ogv", "vorbis", 48000, 1, 48000, 1, 4, 4, 8, 40 + 189, 4000000, "Tester - Theora",
	 NULL},
	{"vorbis-chain.ogg", "vorbis", 44100, 2, 64000, 2, 4, 6, 0, 131 + 346, 11000000,
	 "First - Song", "Only a title"},
	{"opus-chain.opus", "opus", 48000, 1, 0, 2, 4, 13, 0, 151 + 401, 3006500 + 8006500,
	 "One - First", "Only an artist"},
	{"opus-picture.opus", "opus", 48000, 1, 0, 1, 2, 4, 0, 151, 3006500, "Long - Comment",
	 NULL},
};

static void golden_files_are_what_ffprobe_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct tally t = run(golden(files[i].file, 0));
		const struct framer_about *about = &ogg_state.about;

		assert_string_equal(about->codec, files[i].codec);
		assert_int_equal(about->sample_rate, files[i].rate);
		assert_int_equal(about->channels, files[i].channels);
		assert_int_equal(about->bitrate, files[i].bitrate);
		assert_int_equal(t.chains, files[i].chains);
		assert_int_equal(t.headers, files[i].headers);
		assert_int_equal(t.keys, files[i].keys);
		assert_int_equal(t.plain, files[i].plain);
		assert_int_equal(t.skipped, 0);
		assert_int_equal(data_packets, files[i].packets);
		assert_int_equal(t.duration_us, files[i].duration_us);
		assert_int_equal(title_count, files[i].title2 ? 2 : 1);
		assert_string_equal(titles[0], files[i].title);
		if (files[i].title2)
			assert_string_equal(titles[1], files[i].title2);
	}
}

static void comes_out_the_same_however_it_is_split(void **state)
{
	(void)state;
	golden_split(&framing, golden("vorbis.ogg", 0), 6000);
	golden_split(&framing, golden("theora.ogv", 0), 6000);
	golden_split(&framing, golden("flac.oga", 0), 6000);
	golden_split(&framing, golden("opus-chain.opus", 0), 3000);
}

/* --- pages made by hand --- */

static uint8_t made[400000];
static struct writer out;

static void page(uint32_t serial, uint32_t sequence, uint8_t flags, uint64_t granule,
		 const uint8_t *lacing, size_t segments, struct bytes body)
{
	size_t at = out.len;
	struct writer crc;

	writer_str(&out, "OggS");
	writer_u8(&out, 0);
	writer_u8(&out, flags);
	writer_le(&out, granule, 8);
	writer_le(&out, serial, 4);
	writer_le(&out, sequence, 4);
	writer_le(&out, 0, 4);
	writer_u8(&out, (uint8_t)segments);
	writer_put(&out, bytes_of(lacing, segments));
	writer_put(&out, body);
	assert_true(writer_ok(&out));
	crc = writer_of(made + at + 22, 4);
	writer_le(&crc, crc_msb_update(0, bytes_of(made + at, out.len - at)), 4);
}

/* A page with one packet of less than 255 bytes. */
static void packet_page(uint32_t serial, uint32_t sequence, uint8_t flags, uint64_t granule,
			struct bytes packet)
{
	uint8_t lacing = (uint8_t)packet.len;

	assert_true(packet.len < 255);
	page(serial, sequence, flags, granule, &lacing, 1, packet);
}

#define OPUS_HEAD BYTES("OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0")
#define OPUS_TAGS BYTES("OpusTags\x01\0\0\0v\x01\0\0\0\x07\0\0\0TITLE=x")

static void opus_headers(uint32_t serial)
{
	packet_page(serial, 0, 2, 0, OPUS_HEAD);
	packet_page(serial, 1, 0, 0, OPUS_TAGS);
}

static void begin(void)
{
	out = writer_of(made, sizeof made);
}

static struct framing_cuts cuts(void)
{
	golden_split(&framing, writer_done(&out), 1000);
	title_count = data_packets = 0;
	return framing_run(&framing, writer_done(&out), 5, 0);
}

static void a_damaged_page_is_junk_and_the_next_one_is_not(void **state)
{
	struct bytes file = golden("opus.opus", 0);
	static uint8_t bent[GOLDEN_MAX];
	struct tally whole = run(file);

	(void)state;
	memcpy(bent, file.at, file.len);
	bent[20000] ^= 1;
	struct tally t = run(bytes_of(bent, file.len));

	assert_int_equal(t.units, whole.units - 1);
	assert_int_equal(t.keys, whole.keys - 1);
	assert_in_range(t.skipped, 1000, 8000);
	/* The granule position of the next page covers the hole. */
	assert_int_equal(t.duration_us, whole.duration_us);
	golden_split(&framing, bytes_of(bent, file.len), 1500);
}

static void junk_between_pages_is_skipped(void **state)
{
	struct bytes file = golden("speex.spx", 0);

	(void)state;
	begin();
	writer_str(&out, "OggS\0OggOggSOggS\1 junk O");
	writer_put(&out, file);
	writer_str(&out, "OggS");
	struct tally whole = run(file);
	struct tally t = run(writer_done(&out));

	assert_int_equal(t.units, whole.units);
	assert_int_equal(t.skipped, out.len - file.len);
	golden_split(&framing, writer_done(&out), 500);
}

static void a_live_capture_does_not_last_for_days(void **state)
{
	const uint64_t day = 86400u * UINT64_C(48000);

	(void)state;
	begin();
	opus_headers(7);
	packet_page(7, 2, 0, day, BYTES("\xfc first"));
	packet_page(7, 3, 0, day + 960, BYTES("\xfc second"));
	packet_page(7, 4, 0, UINT64_MAX, BYTES("\xfc no packet ends, so it says"));
	packet_page(7, 5, 0, day + 3 * 960, BYTES("\xfc fourth"));
	packet_page(7, 6, 0, day, BYTES("\xfc back"));
	packet_page(7, 7, 0, 2 * day, BYTES("\xfc a day on"));
	packet_page(7, 8, 0, 2 * day + 1, BYTES("\xfc 20.833 us"));
	packet_page(7, 9, 0, 2 * day + 3, BYTES("\xfc 41.666 us"));
	struct framing_cuts c = cuts();
	static const uint32_t want[] = {0, 0, 0, 20000, 0, 40000, 0, 0, 20, 42};

	assert_int_equal(c.count, 10);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(c.at[i].duration_us, want[i]);
	free(c.at);
}

static void key_is_where_a_packet_begins(void **state)
{
	static const uint8_t full[255] = {0};
	uint8_t lacing[] = {255};
	uint8_t ends_and_begins[] = {3, 4};

	(void)state;
	begin();
	opus_headers(7);
	page(7, 2, 0, UINT64_MAX, lacing, 1, bytes_of(full, 255)); /* begins, goes on */
	page(7, 3, 1, UINT64_MAX, lacing, 1, bytes_of(full, 255)); /* only continued */
	page(7, 4, 1, 960, ends_and_begins, 1, BYTES("end"));      /* and ends there */
	page(7, 5, 1, 1920, ends_and_begins, 2, BYTES("endnext"));
	page(7, 6, 0, 1920, NULL, 0, BYTES(""));
	struct framing_cuts c = cuts();
	static const uint32_t want[] = {
		UNIT_HEADER | UNIT_CHAIN, UNIT_HEADER, UNIT_KEY, 0, 0, UNIT_KEY, 0};

	assert_int_equal(c.count, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(c.at[i].flags, want[i]);
	free(c.at);
}

static void a_comment_may_lie_over_many_pages(void **state)
{
	static uint8_t packet[200000];
	struct writer w = writer_of(packet, sizeof packet);
	uint32_t sequence = 1;

	(void)state;
	writer_str(&w, "OpusTags");
	writer_le(&w, 0, 4);
	writer_le(&w, 2, 4);
	writer_le(&w, 170000, 4);
	writer_str(&w, "METADATA_BLOCK_PICTURE=");
	writer_fill(&w, 'x', 170000 - 23);
	writer_le(&w, 12, 4);
	writer_str(&w, "TITLE=behind");
	begin();
	packet_page(9, 0, 2, 0, OPUS_HEAD);
	for (struct bytes left = writer_done(&w); left.len; sequence++) {
		uint8_t lacing[255];
		size_t n = left.len < sizeof lacing * 255 ? left.len : sizeof lacing * 255;
		size_t segments = (n + 254) / 255;

		memset(lacing, 255, sizeof lacing);
		if (n == left.len)
			lacing[segments - 1] = (uint8_t)(n % 255);
		page(9, sequence, sequence > 1, n == left.len ? 0 : UINT64_MAX, lacing, segments,
		     bytes_first(left, n));
		left = bytes_skip(left, n);
	}
	packet_page(9, sequence, 0, 960, BYTES("\xfc data"));
	struct tally t = run(writer_done(&out));

	assert_int_equal(t.headers, sequence);
	assert_int_equal(t.keys, 1);
	assert_int_equal(title_count, 1);
	assert_string_equal(titles[0], "behind");
	framing_compare(&framing, writer_done(&out), 1, 0);
}

static void skeleton_lasts_until_its_end(void **state)
{
	(void)state;
	begin();
	packet_page(1, 0, 2, 0, BYTES("fishead\0 and what it says"));
	packet_page(7, 0, 2, 0, OPUS_HEAD);
	packet_page(1, 1, 0, 0, BYTES("fisbone\0 of opus"));
	packet_page(7, 1, 0, 0, OPUS_TAGS);
	packet_page(1, 2, 0, 0, BYTES("index\0"));
	packet_page(1, 3, 4, 0, BYTES(""));
	packet_page(7, 2, 0, 960, BYTES("\xfc data"));
	packet_page(8, 5, 0, 960, BYTES("of a stream that nobody began"));
	struct framing_cuts c = cuts();

	assert_int_equal(c.count, 8);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(c.at[i].flags, UNIT_HEADER | (i ? 0 : UNIT_CHAIN));
	assert_int_equal(c.at[6].flags, UNIT_KEY);
	assert_true(c.at[7].skip);
	assert_string_equal(ogg_state.about.codec, "opus");
	free(c.at);
}

static void an_unknown_codec_is_pages(void **state)
{
	(void)state;
	begin();
	packet_page(5, 0, 2, 0, BYTES("\x80kate\0\0\0"));
	packet_page(5, 1, 0, 1, BYTES("data"));
	struct framing_cuts c = cuts();

	assert_int_equal(c.count, 2);
	assert_int_equal(c.at[0].flags, UNIT_HEADER | UNIT_CHAIN);
	assert_int_equal(c.at[1].flags, UNIT_KEY);
	assert_int_equal(c.at[1].duration_us, 0);
	assert_string_equal(ogg_state.about.codec, "");
	free(c.at);
}

static void video_alone_keeps_time_by_its_frames(void **state)
{
	/* 25 frames a second, six bits of the granule count since the keyframe. */
	struct bytes head = BYTES("\x80theora\3\2\1\0\4\0\3\0\0\x40\0\0\x30\0\0"
				  "\0\0\0\x19\0\0\0\1\0\0\1\0\0\1\0\0\0\0\x00\xc0");

	(void)state;
	begin();
	packet_page(4, 0, 2, 0, head);
	packet_page(4, 1, 0, 0, BYTES("\x81theora\0\0\0\0\1\0\0\0\x08\0\0\0ARTIST=a"));
	packet_page(4, 2, 0, 0, BYTES("\x82theora"));
	packet_page(4, 3, 0, 1 << 6, BYTES("\x00 keyframe 1"));
	packet_page(4, 4, 0, 1 << 6 | 4, BYTES("\x40 frame 5"));
	packet_page(4, 5, 0, 1 << 6 | 5, BYTES(""));
	packet_page(4, 6, 0, 11 << 6, BYTES("\x3f keyframe 11"));
	struct framing_cuts c = cuts();
	static const uint32_t flags[] = {
		UNIT_HEADER | UNIT_CHAIN, UNIT_HEADER, UNIT_HEADER, UNIT_KEY, 0, 0, UNIT_KEY};
	static const uint32_t want[] = {0, 0, 0, 40000, 160000, 40000, 200000};

	assert_int_equal(c.count, 7);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(c.at[i].flags, flags[i]);
		assert_int_equal(c.at[i].duration_us, want[i]);
	}
	assert_string_equal(ogg_state.about.codec, "theora");
	assert_int_equal(title_count, 1);
	assert_string_equal(titles[0], "a");
	free(c.at);
}

static void flac_that_does_not_count_its_headers(void **state)
{
	/* Mapping 1.0, count 0, STREAMINFO of 44.1 kHz, 2 channels. */
	struct bytes head = BYTES("\x7f"
				  "FLAC\x01\0\0\0fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0"
				  "\x0a\xc4\x42\xf0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

	(void)state;
	for (int last = 0; last < 2; last++) {
		begin();
		packet_page(3, 0, 2, 0, head);
		packet_page(3, 1, 0, 0, BYTES("\x04\0\0\x0f\0\0\0\0\x01\0\0\0\x07\0\0\0TITLE=f"));
		/* A block that says it is the last, or the audio itself, ends the headers. */
		packet_page(3, 2, 0, 0, last ? BYTES("\x81\0\0\0") : BYTES("\x01\0\0\0"));
		packet_page(3, 3, 0, 4410, last ? BYTES("\xfe") : BYTES("\xff\xf8 audio"));
		struct framing_cuts c = cuts();

		assert_int_equal(c.count, 4);
		assert_int_equal(c.at[1].flags, UNIT_HEADER);
		assert_int_equal(c.at[2].flags, UNIT_HEADER);
		assert_int_equal(c.at[3].flags, UNIT_KEY);
		assert_int_equal(c.at[3].duration_us, 100000);
		assert_int_equal(ogg_state.about.channels, 2);
		assert_int_equal(title_count, 1);
		assert_string_equal(titles[0], "f");
		free(c.at);
	}
}

static void lost_headers_make_no_key(void **state)
{
	struct bytes file = golden("vorbis.ogg", 0);
	struct unit unit;

	(void)state;
	/* The second page, with comment and codebooks, is missing. */
	ogg_init(&ogg_state);
	assert_int_equal(ogg_next(&ogg_state, file, true, &unit), FRAMER_UNIT);
	size_t first = unit.data.len;

	assert_int_equal(ogg_next(&ogg_state, bytes_skip(file, first), true, &unit), FRAMER_UNIT);
	begin();
	writer_put(&out, bytes_first(file, first));
	writer_put(&out, bytes_skip(file, first + unit.data.len));
	struct tally t = run(writer_done(&out));

	assert_int_equal(t.headers, 1);
	assert_int_equal(t.keys, 0);
	assert_int_equal(t.plain, 5);
}

static void more_streams_than_are_followed_pass_unflagged(void **state)
{
	(void)state;
	begin();
	for (uint32_t i = 0; i <= OGG_STREAMS; i++)
		packet_page(i, 0, 2, 0, OPUS_HEAD);
	for (uint32_t i = 0; i <= OGG_STREAMS; i++)
		packet_page(i, 1, 0, 0, OPUS_TAGS);
	packet_page(OGG_STREAMS, 2, 0, 960, BYTES("data"));
	packet_page(0, 2, 0, 960, BYTES("data"));
	struct framing_cuts c = cuts();

	assert_int_equal(c.count, 2 * (OGG_STREAMS + 1) + 2);
	assert_int_equal(c.at[OGG_STREAMS].flags, UNIT_HEADER);
	assert_int_equal(c.at[2 * OGG_STREAMS].flags, UNIT_HEADER);
	assert_int_equal(c.at[2 * OGG_STREAMS + 1].flags, 0);
	assert_int_equal(c.at[2 * OGG_STREAMS + 2].flags, 0);
	assert_int_equal(c.at[2 * OGG_STREAMS + 3].flags, UNIT_KEY);
	free(c.at);
}

static void rubbish_full_of_page_heads_is_not_crced_over_and_over(void **state)
{
	static uint8_t rubbish[8u << 20];
	struct bytes in = {rubbish, sizeof rubbish};
	uint64_t crced = 0;
	struct unit unit;

	(void)state;
	/* Every 282 bytes a head that claims the largest page. */
	memset(rubbish, 255, sizeof rubbish);
	for (size_t at = 0; at + 282 <= sizeof rubbish; at += 282) {
		memcpy(rubbish + at, "OggS\0\0", 6);
		rubbish[at + 26] = 255;
	}
	ogg_init(&ogg_state);
	while (in.len) {
		uint64_t before = ogg_state.debt;
		uint64_t earned;

		assert_int_equal(ogg_next(&ogg_state, in, true, &unit), FRAMER_SKIP);
		earned = 16 * unit.data.len;
		if (ogg_state.debt + earned > before && ogg_state.debt)
			crced += ogg_state.debt + earned - before;
		in = bytes_skip(in, unit.data.len);
	}
	/* Without the limit it would be 230 times the input. */
	assert_in_range(crced, sizeof rubbish, 18 * sizeof rubbish);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_are_what_ffprobe_says),
		cmocka_unit_test(comes_out_the_same_however_it_is_split),
		cmocka_unit_test(a_damaged_page_is_junk_and_the_next_one_is_not),
		cmocka_unit_test(junk_between_pages_is_skipped),
		cmocka_unit_test(a_live_capture_does_not_last_for_days),
		cmocka_unit_test(key_is_where_a_packet_begins),
		cmocka_unit_test(a_comment_may_lie_over_many_pages),
		cmocka_unit_test(skeleton_lasts_until_its_end),
		cmocka_unit_test(an_unknown_codec_is_pages),
		cmocka_unit_test(video_alone_keeps_time_by_its_frames),
		cmocka_unit_test(flac_that_does_not_count_its_headers),
		cmocka_unit_test(lost_headers_make_no_key),
		cmocka_unit_test(more_streams_than_are_followed_pass_unflagged),
		cmocka_unit_test(rubbish_full_of_page_heads_is_not_crced_over_and_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
