/* Transport stream: golden files, and packets made by hand: tables, clocks, sync. */
#include "golden_container.h"

#include "core/writer.h"
#include "radio/proto/crc_msb.h"
#include "radio/proto/ts.h"

FRAMING(ts)

static const struct framing framing = {&ts_state, ts_framing_init, ts_framing_next, NULL, true};

static void golden_files_start_at_each_table_or_keyframe(void **state)
{
	/* Keys: PATs that ffmpeg wrote before sound; keyframes that ffprobe sees of a picture. The
	 * durations are the last PCR less the first, read off the file. */
	static const struct {
		const char *file, *codec;
		size_t keys;
		uint64_t duration_us;
		uint32_t video_count;
	} files[] = {
		{"aac.ts", "aac", 17, 5802666, 0},
		{"mp3.ts", "mp3", 17, 5760000, 0},
		{"h264-aac.ts", "aac", 4, 3900000, 1},
		{"mpeg2-mp2.ts", "mp3", 4, 3900000, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct tally t = golden_run(&framing, golden(files[i].file, 0));

		assert_string_equal(ts_state.about.codec, files[i].codec);
		assert_int_equal(t.keys, files[i].keys);
		assert_int_equal(t.headers, 0);
		assert_int_equal(t.skipped, 0);
		assert_int_equal(t.duration_us, files[i].duration_us);
		assert_int_equal(ts_state.pmt.video_count, files[i].video_count);
	}
}

static void comes_out_the_same_however_it_is_split(void **state)
{
	(void)state;
	golden_split(&framing, golden("aac.ts", 0), 3000);
	golden_split(&framing, golden("h264-aac.ts", 0), 6000);
	golden_split(&framing, golden("mpeg2-mp2.ts", 0), 3000);
}

/* --- packets made by hand --- */

static uint8_t made[400000];
static struct writer out;

static void begin(void)
{
	out = writer_of(made, sizeof made);
	ts_init(&ts_state);
}

/* adaptation: 0 for none, else its flags; with 0x10 a PCR of so many ticks of 27 MHz. */
static void packet(uint32_t pid, bool start, uint8_t adaptation, uint64_t pcr, struct bytes payload)
{
	size_t at = out.len;

	writer_u8(&out, 0x47);
	writer_be(&out, pid | (start ? 0x4000u : 0), 2);
	writer_u8(&out, adaptation ? 0x30 : 0x10);
	if (adaptation) {
		writer_u8(&out, adaptation & 0x10 ? 7 : 1);
		writer_u8(&out, adaptation);
		if (adaptation & 0x10)
			writer_be(&out, (pcr / 300) << 15 | 0x7e00 | pcr % 300, 6);
	}
	writer_put(&out, payload);
	writer_fill(&out, 0xff, TS_PACKET - (out.len - at));
	assert_true(writer_ok(&out));
}

/* A section with its CRC, cut over as many packets as it needs. */
static void table(uint32_t pid, struct bytes section)
{
	uint8_t data[1200];
	struct writer w = writer_of(data, sizeof data);

	writer_u8(&w, 0); /* pointer_field */
	writer_put(&w, section);
	writer_be(&w, crc_msb_update(UINT32_MAX, section), 4);
	for (struct bytes left = writer_done(&w); left.len; left = bytes_skip(left, 184))
		packet(pid, left.at == data, 0, 0, bytes_first(left, 184));
}

#define PAT                            \
	BYTES("\0\xb0\x11\0\1\xc1\0\0" \
	      "\0\0\xe0\x10"           \
	      "\0\1\xe1\x00")
#define PMT_AUDIO                                    \
	BYTES("\2\xb0\x12\0\1\xc1\0\0\xe1\x01\xf0\0" \
	      "\x0f\xe1\x01\xf0\0")
#define PMT_VIDEO                                    \
	BYTES("\2\xb0\x17\0\1\xc1\0\0\xe1\x01\xf0\0" \
	      "\x1b\xe1\x01\xf0\0"                   \
	      "\x0f\xe1\x02\xf0\0")
#define MEDIA BYTES("media")

static struct framing_cuts cuts(void)
{
	golden_split(&framing, writer_done(&out), 2000);
	return framing_run(&framing, writer_done(&out), 100, 0);
}

static void with_video_key_needs_an_access_point_before_the_next_table(void **state)
{
	(void)state;
	begin();
	table(0, PAT);
	table(0x100, PMT_VIDEO);
	packet(0x101, true, 0x40, 0, MEDIA);
	packet(0x101, false, 0, 0, MEDIA);
	table(0, PAT);
	table(0x100, PMT_VIDEO);
	packet(0x101, true, 0, 0, MEDIA);
	packet(0x102, true, 0x40, 0, MEDIA); /* sound may always be entered */
	table(0, PAT);
	packet(0x101, false, 0, 0, MEDIA);
	packet(0x101, true, 0x40, 0, MEDIA);
	struct framing_cuts c = cuts();

	/* The run without a key joins the one before it, as golden.h counts. */
	assert_int_equal(c.count, 2);
	assert_int_equal(c.at[0].flags, UNIT_KEY);
	assert_int_equal(c.at[0].len, 8 * TS_PACKET);
	assert_int_equal(c.at[1].flags, UNIT_KEY);
	assert_int_equal(c.at[1].len, 3 * TS_PACKET);
	assert_string_equal(ts_state.about.codec, "aac");
	free(c.at);
}

static void data_behind_the_key_does_not_wait(void **state)
{
	struct unit unit;

	(void)state;
	begin();
	table(0, PAT);
	struct bytes in = writer_done(&out);

	assert_int_equal(ts_next(&ts_state, bytes_first(in, 100), false, &unit), FRAMER_MORE);
	/* Sync needs three packets, and the first PAT its PMT. */
	assert_int_equal(ts_next(&ts_state, in, false, &unit), FRAMER_MORE);
	table(0x100, PMT_AUDIO);
	assert_int_equal(ts_next(&ts_state, writer_done(&out), false, &unit), FRAMER_MORE);
	packet(0x101, true, 0, 0, MEDIA);
	in = writer_done(&out);
	assert_int_equal(ts_next(&ts_state, in, false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.flags, UNIT_KEY);
	assert_int_equal(unit.data.len, 3 * TS_PACKET);
	size_t used = out.len;

	packet(0x101, false, 0, 0, MEDIA);
	in = bytes_skip(writer_done(&out), used);
	assert_int_equal(ts_next(&ts_state, in, false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.flags, 0);
	used = out.len;
	/* Now the PMT is known, a PAT alone is enough. */
	table(0, PAT);
	in = bytes_skip(writer_done(&out), used);
	assert_int_equal(ts_next(&ts_state, in, false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.flags, UNIT_KEY);
}

static void a_table_may_lie_over_packets_and_a_wrong_crc_is_ignored(void **state)
{
	uint8_t section[600];
	struct writer w = writer_of(section, sizeof section);

	(void)state;
	writer_put(&w, BYTES("\2\xb2\x00\0\1\xc1\0\0\xe1\x01\xf1\xee"));
	writer_fill(&w, 0x80, 494);
	writer_put(&w, BYTES("\x06\xe1\x01\xf0\x06\x05\x04Opus"));
	section[2] = (uint8_t)(w.len + 4 - 3);
	section[1] = (uint8_t)(0xb0 | (w.len + 4 - 3) >> 8);
	begin();
	table(0, PAT);
	table(0x100, writer_done(&w));
	packet(0x101, true, 0, 0, MEDIA);
	struct framing_cuts c = cuts();

	assert_int_equal(c.count, 1);
	assert_int_equal(c.at[0].flags, UNIT_KEY);
	assert_string_equal(ts_state.about.codec, "opus");
	free(c.at);

	made[2 * TS_PACKET + 40] ^= 1;
	c = cuts();
	assert_int_equal(c.count, 1);
	assert_int_equal(c.at[0].flags, 0);
	assert_string_equal(ts_state.about.codec, "");
	free(c.at);
}

static void the_clock_wraps_jumps_and_keeps_its_fractions(void **state)
{
	const uint64_t wrap = UINT64_C(300) << 33;
	struct unit unit;

	(void)state;
	begin();
	table(0, PAT);
	table(0x100, PMT_AUDIO);
	packet(0x101, false, 0x10, wrap - 1350000, MEDIA);
	packet(0x101, false, 0x10, 1350000, MEDIA);         /* 0.1 s over the wrap */
	packet(0x101, false, 0x10, 0, MEDIA);               /* back */
	packet(0x101, false, 0x10, 27000000ul * 70, MEDIA); /* too far */
	packet(0x101, false, 0x90, 0, MEDIA);               /* says that it jumps */
	packet(0x101, false, 0x10, 40, MEDIA);              /* 1.48 us */
	packet(0x102, false, 0x10, 999999, MEDIA);          /* another's clock */
	packet(0x101, false, 0x10, 81, MEDIA);              /* 3 us in all */
	struct tally t = golden_run(&framing, writer_done(&out));

	assert_int_equal(t.duration_us, 100003);
	golden_split(&framing, writer_done(&out), out.len);

	/* Fed packet by packet, the fraction is carried to a later unit. */
	static const uint32_t want[] = {0, 100000, 0, 0, 0, 1, 0, 2};

	ts_init(&ts_state);
	struct bytes in = writer_done(&out);

	assert_int_equal(ts_next(&ts_state, bytes_first(in, 3 * TS_PACKET), false, &unit),
			 FRAMER_UNIT);
	assert_int_equal(unit.duration_us, 0);
	for (size_t i = 1; i < 8; i++) {
		in = bytes_skip(in, unit.data.len);
		assert_int_equal(ts_next(&ts_state, bytes_first(in, TS_PACKET), false, &unit),
				 FRAMER_UNIT);
		assert_int_equal(unit.duration_us, want[i]);
	}
}

static void lost_sync_is_found_again(void **state)
{
	struct bytes file = golden("aac.ts", 0);

	(void)state;
	begin();
	writer_str(&out, "junkGjunk");
	writer_put(&out, bytes_first(file, 20 * TS_PACKET));
	writer_str(&out, "a hole");
	writer_put(&out, bytes_skip(file, 20 * TS_PACKET));
	writer_str(&out, "G and less than a packet");
	struct tally t = golden_run(&framing, writer_done(&out));

	assert_int_equal(t.skipped, 9 + 6 + 24);
	assert_int_equal(t.keys, 17);
	golden_split(&framing, writer_done(&out), 5000);
}

static void other_packet_sizes_are_junk(void **state)
{
	struct bytes file = golden("aac.ts", 0);
	struct bytes left = file;

	(void)state;
	begin();
	for (int i = 0; i < 50; i++) {
		writer_fill(&out, 0, 4);
		writer_put(&out, bytes_first(left, TS_PACKET));
		left = bytes_skip(left, TS_PACKET);
	}
	/* Only the last packet, with nothing behind it to be out of step with, passes for one. */
	struct tally t = golden_run(&framing, writer_done(&out));

	assert_in_range(t.units, 0, 1);
	assert_in_range(t.skipped, out.len - TS_PACKET, out.len);
	assert_int_equal(t.keys, 0);
}

static void a_run_is_no_longer_than_a_unit(void **state)
{
	struct unit unit;

	(void)state;
	begin();
	table(0, PAT);
	table(0x100, PMT_VIDEO);
	while (out.len < 2 * FRAMER_UNIT_MAX)
		packet(0x101, false, 0, 0, MEDIA);
	struct bytes in = writer_done(&out);

	/* No access point came: it waits for as long as it may. */
	assert_int_equal(ts_next(&ts_state, bytes_first(in, TS_RUN_MAX - 1), false, &unit),
			 FRAMER_MORE);
	assert_int_equal(ts_next(&ts_state, bytes_first(in, FRAMER_UNIT_MAX), false, &unit),
			 FRAMER_UNIT);
	assert_int_equal(unit.data.len, TS_RUN_MAX);
	assert_int_equal(unit.flags, 0);
	in = bytes_skip(in, unit.data.len);
	assert_int_equal(ts_next(&ts_state, in, false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.data.len, TS_RUN_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_start_at_each_table_or_keyframe),
		cmocka_unit_test(comes_out_the_same_however_it_is_split),
		cmocka_unit_test(with_video_key_needs_an_access_point_before_the_next_table),
		cmocka_unit_test(data_behind_the_key_does_not_wait),
		cmocka_unit_test(a_table_may_lie_over_packets_and_a_wrong_crc_is_ignored),
		cmocka_unit_test(the_clock_wraps_jumps_and_keeps_its_fractions),
		cmocka_unit_test(lost_sync_is_found_again),
		cmocka_unit_test(other_packet_sizes_are_junk),
		cmocka_unit_test(a_run_is_no_longer_than_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
