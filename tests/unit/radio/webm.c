/* WebM and Matroska: golden files against what ffprobe says of them, and streams made by hand. */
#include "golden_container.h"

#include "core/writer.h"
#include "radio/proto/webm.h"

FRAMING(webm)

static size_t blocks;

static void collect(void *state, enum framer_status status, const struct unit *unit)
{
	(void)state;
	if (status == FRAMER_UNIT && !(unit->flags & (UNIT_HEADER | UNIT_PART)))
		blocks += unit->data.at[0] == 0xa3 || unit->data.at[0] == 0xa0;
}

static const struct framing framing = {&webm_state, webm_framing_init, webm_framing_next, collect,
				       false};

/* blocks: packets of all streams, as ffprobe counts them. The durations are less than ffprobe's by
 * the last block. */
static const struct {
	const char *file, *codec;
	uint32_t rate, channels;
	size_t headers, keys, blocks;
	uint64_t duration_us;
} files[] = {
	{"opus.webm", "opus", 48000, 1, 7, 9, 401, 8001000},
	{"vp8-opus.webm", "opus", 48000, 1, 7, 4, 40 + 201, 4001000},
	{"h264-mp3.mkv", "mp3", 48000, 1, 7, 4, 40 + 168, 4008000},
	{"vorbis.mka", "vorbis", 48000, 1, 7, 9, 377, 7994000},
};

static void golden_files_are_what_ffprobe_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct bytes file = golden(files[i].file, 0);

		blocks = 0;
		struct tally t = golden_run(&framing, file);

		assert_string_equal(webm_state.about.codec, files[i].codec);
		assert_int_equal(webm_state.about.sample_rate, files[i].rate);
		assert_int_equal(webm_state.about.channels, files[i].channels);
		assert_int_equal(t.chains, 1);
		assert_int_equal(t.headers, files[i].headers);
		assert_int_equal(t.keys, files[i].keys);
		assert_int_equal(t.skipped, 0);
		assert_int_equal(blocks, files[i].blocks);
		assert_int_equal(t.duration_us, files[i].duration_us);
	}
}

static void comes_out_the_same_however_it_is_split(void **state)
{
	(void)state;
	golden_split(&framing, golden("opus.webm", 0), 2500);
	golden_split(&framing, golden("vp8-opus.webm", 0), 5000);
	golden_split(&framing, golden("vorbis.mka", 0), 7000);
}

static void a_second_stream_is_a_new_chain(void **state)
{
	static uint8_t both[2 * GOLDEN_MAX];
	struct bytes one = golden("opus.webm", 0);
	struct bytes two = golden("vp8-opus.webm", 1);
	struct writer w = writer_of(both, sizeof both);

	(void)state;
	writer_put(&w, one);
	writer_put(&w, two);
	struct tally t = golden_run(&framing, writer_done(&w));

	assert_int_equal(t.chains, 2);
	assert_int_equal(t.keys, 9 + 4);
	assert_int_equal(t.skipped, 0);
	assert_int_equal(webm_state.video_count, 1);
}

/* --- streams made by hand --- */

static uint8_t made[600000];
static struct writer out;

static void element(uint32_t id, struct bytes payload)
{
	writer_be(&out, id, id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1);
	writer_be(&out, 0x10000000u | payload.len, 4);
	writer_put(&out, payload);
	assert_true(writer_ok(&out));
}

static void unsized(uint32_t id)
{
	writer_be(&out, id, 4);
	writer_u8(&out, 0xff);
}

#define AUDIO_TRACK                                      \
	BYTES("\xae\x8d\xd7\x81\x01\x83\x81\x02\x86\x85" \
	      "A_XY/")

static void begin(bool video)
{
	struct bytes tracks = BYTES("\xae\x8d\xd7\x81\x01\x83\x81\x02\x86\x85"
				    "A_XY/"
				    "\xae\x8c\xd7\x81\x02\x83\x81\x01\x86\x84"
				    "V_ZZ");

	out = writer_of(made, sizeof made);
	element(EBML_HEADER, BYTES("\x42\x82\x84webm"));
	unsized(EBML_SEGMENT);
	element(EBML_INFO, BYTES("\x2a\xd7\xb1\x83\x0f\x42\x40"));
	element(EBML_TRACKS, bytes_first(tracks, video ? tracks.len : AUDIO_TRACK.len));
}

static void cluster(uint8_t second)
{
	uint8_t ms[2] = {(uint8_t)(second * 1000 >> 8), (uint8_t)(second * 1000)};

	unsized(EBML_CLUSTER);
	element(EBML_TIMESTAMP, bytes_of(ms, 2));
}

static void block(uint8_t track, uint8_t ms, bool key)
{
	const uint8_t data[] = {0x80 | track, 0, ms, key ? 0x80 : 0, 'd', 'a', 't', 'a'};

	element(EBML_SIMPLE_BLOCK, bytes_of(data, sizeof data));
}

static void expect(const struct framing_cut *want, size_t count)
{
	struct framing_cuts c = framing_run(&framing, writer_done(&out), 100, 0);

	assert_int_equal(c.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(c.at[i].skip, want[i].skip);
		assert_int_equal(c.at[i].flags, want[i].flags);
		assert_int_equal(c.at[i].duration_us, want[i].duration_us);
		if (want[i].len)
			assert_int_equal(c.at[i].len, want[i].len);
	}
	free(c.at);
	golden_split(&framing, writer_done(&out), 700);
}

#define HEADERS                                                              \
	{false, UNIT_HEADER | UNIT_CHAIN, 0, 0}, {false, UNIT_HEADER, 5, 0}, \
		{false, UNIT_HEADER, 0, 0},                                  \
	{                                                                    \
		false, UNIT_HEADER, 0, 0                                     \
	}
#define EXPECT(...)                                              \
	do {                                                     \
		const struct framing_cut want[] = {__VA_ARGS__}; \
		expect(want, sizeof want / sizeof *want);        \
	} while (0)

static void durations_are_steps_between_blocks(void **state)
{
	(void)state;
	begin(false);
	cluster(1);
	block(1, 10, true);
	block(1, 30, true);
	block(3, 35, true); /* of no known track */
	cluster(2);
	block(1, 0, true);
	cluster(1);
	block(1, 0, true); /* back */
	EXPECT(HEADERS, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 0},
	       {false, 0, 0, 20000}, {false, 0, 0, 0}, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0},
	       {false, 0, 0, 970000}, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 0});
	assert_string_equal(webm_state.about.codec, "xy");
	assert_int_equal(webm_state.about.sample_rate, 8000);
	assert_int_equal(webm_state.about.channels, 1);
}

static void with_video_key_is_a_cluster_that_begins_with_a_keyframe(void **state)
{
	(void)state;
	begin(true);
	cluster(1);
	block(1, 0, true);
	block(2, 0, true);
	cluster(2);
	block(1, 0, true);
	block(2, 0, false);
	block(2, 1, true);
	cluster(3);
	block(1, 0, true); /* no video at all */
	element(EBML_CUES, BYTES(""));
	EXPECT(HEADERS, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 0},
	       {false, 0, 0, 0}, {false, 0, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 1000000},
	       {false, 0, 0, 0}, {false, 0, 0, 0}, {false, 0, 5, 0}, {false, 0, 0, 0},
	       {false, 0, 0, 1000000}, {false, 0, 0, 0});
}

static void a_block_group_is_a_keyframe_unless_it_refers(void **state)
{
	(void)state;
	begin(true);
	cluster(1);
	element(EBML_BLOCK_GROUP, BYTES("\xa1\x85\x82\0\0\0d\x9b\x81\x05"));
	cluster(2);
	element(EBML_BLOCK_GROUP, BYTES("\xa1\x85\x82\0\0\0d\xfb\x81\x05"));
	EXPECT(HEADERS, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 0},
	       {false, 0, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 0});
}

static void a_large_element_comes_in_parts(void **state)
{
	static uint8_t large[150000] = {0x82, 0, 0, 0x80};
	struct unit unit;

	(void)state;
	begin(true);
	cluster(1);
	element(EBML_SIMPLE_BLOCK, bytes_of(large, sizeof large));
	block(1, 20, true);
	EXPECT(HEADERS, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, sizeof large + 5, 0},
	       {false, 0, 13, 0});

	webm_init(&webm_state);
	struct bytes in = writer_done(&out);
	static const uint32_t part[] = {0, UNIT_PART, UNIT_PART};
	static const size_t len[] = {65536, 65536, sizeof large + 5 - 2 * 65536};

	for (int i = 0; i < 6; i++) {
		assert_int_equal(webm_next(&webm_state, in, false, &unit), FRAMER_UNIT);
		in = bytes_skip(in, unit.data.len);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(webm_next(&webm_state, in, false, &unit), FRAMER_UNIT);
		assert_int_equal(unit.flags, part[i]);
		assert_int_equal(unit.data.len, len[i]);
		in = bytes_skip(in, unit.data.len);
	}
}

static void a_cluster_waits_no_longer_than_a_unit_for_its_video(void **state)
{
	static uint8_t large[70000] = {0x81, 0, 0, 0x80};
	struct unit unit;

	(void)state;
	begin(true);
	size_t head = out.len;

	cluster(1);
	element(EBML_SIMPLE_BLOCK, bytes_of(large, sizeof large));
	block(2, 0, true);
	webm_init(&webm_state);
	struct bytes in = writer_done(&out);

	while (in.len > out.len - head) {
		assert_int_equal(webm_next(&webm_state, in, false, &unit), FRAMER_UNIT);
		in = bytes_skip(in, unit.data.len);
	}
	assert_int_equal(webm_next(&webm_state, bytes_first(in, FRAMER_UNIT_MAX - 1), false, &unit),
			 FRAMER_MORE);
	assert_int_equal(webm_next(&webm_state, in, false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.flags, 0);
}

static void rubbish_is_skipped_up_to_the_next_cluster(void **state)
{
	(void)state;
	begin(false);
	size_t head = out.len;

	cluster(1);
	block(1, 0, true);
	writer_str(&out, "rubbish \x1f\x43\xb6 and \x1a more ");
	block(1, 20, true); /* goes under with it */
	cluster(2);
	block(1, 0, true);
	EXPECT(HEADERS, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 0},
	       {true, 0, 0, 0}, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {false, 0, 0, 1000000});

	/* Without headers nobody could play a cluster. */
	struct tally t = golden_run(&framing, bytes_skip(writer_done(&out), head));

	assert_int_equal(t.units, 0);
	assert_int_equal(t.skipped, out.len - head);
}

static void an_absurd_size_is_rubbish(void **state)
{
	(void)state;
	begin(false);
	cluster(1);
	writer_str(&out, "\xa3\x01\x7f\xff\xff\xff\xff\xff\xff");
	cluster(2);
	EXPECT(HEADERS, {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0}, {true, 0, 0, 0},
	       {false, UNIT_KEY, 5, 0}, {false, 0, 0, 0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_are_what_ffprobe_says),
		cmocka_unit_test(comes_out_the_same_however_it_is_split),
		cmocka_unit_test(a_second_stream_is_a_new_chain),
		cmocka_unit_test(durations_are_steps_between_blocks),
		cmocka_unit_test(with_video_key_is_a_cluster_that_begins_with_a_keyframe),
		cmocka_unit_test(a_block_group_is_a_keyframe_unless_it_refers),
		cmocka_unit_test(a_large_element_comes_in_parts),
		cmocka_unit_test(a_cluster_waits_no_longer_than_a_unit_for_its_video),
		cmocka_unit_test(rubbish_is_skipped_up_to_the_next_cluster),
		cmocka_unit_test(an_absurd_size_is_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
