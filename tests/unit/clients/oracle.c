#include "oracle.h"

#include "guarded.h"

enum { ROOM = 64 * ORACLE_FRAME_MAX };

/* A stream that a test writes down and then feeds in pieces. */
struct stream {
	uint8_t at[ROOM];
	size_t len;
};

static void put_frame(struct stream *s, uint32_t stream, uint64_t number, unsigned kbps)
{
	struct oracle_frame frame = {number, stream, kbps, {(int64_t)number * 26122}};

	s->len += oracle_frame_make(s->at + s->len, &frame);
}

static void put_bytes(struct stream *s, struct bytes in)
{
	memcpy(s->at + s->len, in.at, in.len);
	s->len += in.len;
}

static void put_run(struct stream *s, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++)
		put_frame(s, 1, n, 128);
}

static struct oracle_counts hear(struct bytes in, size_t cut)
{
	struct oracle oracle;

	oracle_init(&oracle);
	oracle_input(&oracle, bytes_first(in, cut));
	oracle_input(&oracle, bytes_skip(in, cut));
	return oracle.counts;
}

/* Wherever the bytes are cut, the counts are the same: also byte by byte. */
static struct oracle_counts hear_split(const struct stream *s)
{
	struct bytes in = guarded(bytes_of(s->at, s->len));
	struct oracle_counts whole = hear(in, in.len), split;
	struct oracle single;

	for (size_t cut = 0; cut <= in.len; cut++) {
		split = hear(in, cut);
		assert_memory_equal(&whole, &split, sizeof(whole));
	}
	oracle_init(&single);
	for (size_t i = 0; i < in.len; i++)
		oracle_input(&single, bytes_first(bytes_skip(in, i), 1));
	assert_memory_equal(&whole, &single.counts, sizeof(whole));
	guarded_free(in);
	return whole;
}

static void a_frame_says_what_it_was_made_of(void **state)
{
	static const unsigned all[] = {32,  40,  48,  56,  64,  80,  96,
				       112, 128, 160, 192, 224, 256, 320};
	static const uint64_t numbers[] = {0, 1, 440, 441, 127, 128, UINT32_MAX, UINT64_MAX};

	(void)state;
	for (size_t k = 0; k < 14; k++) {
		for (size_t n = 0; n < 8; n++) {
			struct oracle_frame in = {numbers[n], UINT32_MAX - 3, all[k], {1234567890}};
			struct oracle_frame out;
			uint8_t frame[ORACLE_FRAME_MAX];
			size_t len = oracle_frame_make(frame, &in);

			assert_true(oracle_kbps_valid(all[k]));
			assert_int_equal(len, oracle_frame_len(all[k], numbers[n]));
			assert_true(oracle_frame_read(bytes_of(frame, len), &out));
			assert_int_equal(out.number, in.number);
			assert_int_equal(out.stream, in.stream);
			assert_int_equal(out.kbps, in.kbps);
			assert_int_equal(out.sent.us, in.sent.us);
			assert_int_equal(bytes_find(bytes_of(frame + 1, len - 1), 0xFF), len - 1);
		}
	}
	assert_false(oracle_kbps_valid(0));
	assert_false(oracle_kbps_valid(100));
}

static void frames_make_the_exact_bitrate_and_time(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (uint64_t n = 1000; n < 1000 + 441; n++)
		sum += oracle_frame_len(128, n);
	assert_int_equal(sum, 128000ull * 441 * 1152 / 44100 / 8);
	assert_int_equal(oracle_frame_len(128, 0), 417);
	assert_int_equal(oracle_frame_len(128, 1), 418);
	assert_int_equal(oracle_frame_len(320, 2), ORACLE_FRAME_MAX);
	assert_int_equal(oracle_frame_start_us(1), 26122);
	assert_int_equal(oracle_frame_start_us(441ull * 1000000), 11520000000000);
}

static void every_changed_bit_is_seen(void **state)
{
	struct oracle_frame in = {77, 5, 32, {99}}, out;
	uint8_t frame[ORACLE_FRAME_MAX];
	size_t len = oracle_frame_make(frame, &in);

	(void)state;
	for (size_t bit = 0; bit < len * 8; bit++) {
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(oracle_frame_read(bytes_of(frame, len), &out));
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(oracle_frame_read(bytes_of(frame, len), &out));
	assert_false(oracle_frame_read(bytes_of(frame, len - 1), &out));
	assert_false(oracle_frame_read(bytes_of(frame, 3), &out));
}

static void a_run_is_whole(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	put_run(&s, 1000, 1004);
	c = hear_split(&s);
	assert_int_equal(c.frames, 5);
	assert_int_equal(c.first, 1000);
	assert_int_equal(c.last, 1004);
	assert_true(oracle_is_whole(&c));
	assert_false(oracle_is_whole(&(struct oracle_counts){0}));
}

static void planted_gaps_are_counted_with_their_sizes(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	put_run(&s, 5, 6);
	put_run(&s, 8, 9);
	put_run(&s, 20, 20);
	c = hear_split(&s);
	assert_int_equal(c.frames, 5);
	assert_int_equal(c.gaps, 2);
	assert_int_equal(c.gap_frames, 1 + 10);
	assert_int_equal(c.gap_longest, 10);
	assert_int_equal(c.repeats + c.torn + c.torn_start_bytes, 0);
	assert_false(oracle_is_whole(&c));
}

static void planted_repeats_are_counted(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	put_run(&s, 5, 7);
	put_run(&s, 7, 8);
	put_run(&s, 6, 9);
	c = hear_split(&s);
	assert_int_equal(c.repeats, 2);
	assert_int_equal(c.repeat_frames, 1 + 3);
	assert_int_equal(c.gaps + c.torn, 0);
	assert_false(oracle_is_whole(&c));
}

static void planted_tears_are_counted_once_a_run(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;
	size_t cut;

	(void)state;
	put_run(&s, 1, 2);
	put_bytes(&s, BYTES("404 page not found\n"));
	put_run(&s, 3, 4);
	cut = s.len + 100;
	put_run(&s, 5, 5);
	s.len = cut; /* frame 5 ends inside, frame 6 begins */
	put_run(&s, 6, 6);
	put_bytes(&s, BYTES("\xFF\xFB\xFF\xFF\xFF\xFB\x90"));
	put_run(&s, 7, 7);
	c = hear_split(&s);
	assert_int_equal(c.frames, 6);
	assert_int_equal(c.torn, 3);
	assert_int_equal(c.torn_bytes, 19 + 100 + 7);
	assert_int_equal(c.gaps, 1); /* frame 5 is missing as well */
	assert_int_equal(c.torn_start_bytes, 0);
	assert_false(oracle_is_whole(&c));
}

static void a_lost_byte_and_a_changed_byte_tear(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	put_run(&s, 1, 6);
	memmove(s.at + 1000, s.at + 1001, --s.len - 1000);
	s.at[4 * 418 + 200] ^= 1;
	c = hear_split(&s);
	assert_int_equal(c.frames, 4);
	assert_int_equal(c.torn, 2);
	assert_int_equal(c.gaps, 2);
}

static void a_join_inside_a_frame_is_no_fault(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	put_run(&s, 1, 4);
	for (size_t cut = 1; cut < 418; cut++) {
		c = hear(bytes_of(s.at + cut, s.len - cut), 1000);
		assert_int_equal(c.torn_start_bytes, oracle_frame_len(128, 1) - cut);
		assert_int_equal(c.frames, 3);
		assert_int_equal(c.first, 2);
		assert_true(oracle_is_whole(&c));
	}
}

static void the_end_of_a_connection_is_a_tail(void **state)
{
	struct stream s = {.len = 0};
	struct oracle oracle;

	(void)state;
	put_run(&s, 1, 2);
	oracle_init(&oracle);
	oracle_input(&oracle, bytes_of(s.at, s.len - 18));
	assert_int_equal(oracle_tail(&oracle), oracle_frame_len(128, 2) - 18);
	assert_true(oracle_is_whole(&oracle.counts));
}

static void a_fallback_out_and_back_is_two_switches(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	put_run(&s, 1, 2);
	put_frame(&s, 9, 700, 64);
	put_frame(&s, 9, 701, 64);
	put_run(&s, 6, 7);
	c = hear_split(&s);
	assert_int_equal(c.switches, 2);
	assert_int_equal(c.switch_gap_frames, 3);
	assert_int_equal(c.switch_repeats, 0);
	assert_true(oracle_is_whole(&c));

	put_frame(&s, 9, 701, 64); /* a burst that plays again what was heard */
	put_frame(&s, 9, 702, 64);
	c = hear_split(&s);
	assert_int_equal(c.switches, 3);
	assert_int_equal(c.switch_repeats, 1);
	assert_int_equal(c.repeats + c.gaps, 0);
	assert_false(oracle_is_whole(&c));
}

static void more_streams_than_are_remembered_only_forget(void **state)
{
	struct stream s = {.len = 0};
	struct oracle_counts c;

	(void)state;
	for (uint32_t i = 0; i < ORACLE_STREAMS * 2; i++)
		put_frame(&s, i, 10, 32);
	c = hear(bytes_of(s.at, s.len), 7);
	assert_int_equal(c.switches, ORACLE_STREAMS * 2 - 1);
	assert_true(oracle_is_whole(&c));
}

static void rubbish_ends_and_makes_no_frame(void **state)
{
	uint8_t rubbish[20000];
	uint32_t x = 1;
	struct oracle oracle;

	(void)state;
	for (size_t i = 0; i < sizeof(rubbish); i++) {
		x = x * 1664525 + 1013904223;
		rubbish[i] = x >> 30 ? (uint8_t)(x >> 24) : 0xFF;
	}
	oracle_init(&oracle);
	oracle_input(&oracle, bytes_of(rubbish, sizeof(rubbish)));
	assert_int_equal(oracle.counts.frames, 0);
	assert_int_equal(oracle.counts.torn_start_bytes + oracle_tail(&oracle), sizeof(rubbish));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_says_what_it_was_made_of),
		cmocka_unit_test(frames_make_the_exact_bitrate_and_time),
		cmocka_unit_test(every_changed_bit_is_seen),
		cmocka_unit_test(a_run_is_whole),
		cmocka_unit_test(planted_gaps_are_counted_with_their_sizes),
		cmocka_unit_test(planted_repeats_are_counted),
		cmocka_unit_test(planted_tears_are_counted_once_a_run),
		cmocka_unit_test(a_lost_byte_and_a_changed_byte_tear),
		cmocka_unit_test(a_join_inside_a_frame_is_no_fault),
		cmocka_unit_test(the_end_of_a_connection_is_a_tail),
		cmocka_unit_test(a_fallback_out_and_back_is_two_switches),
		cmocka_unit_test(more_streams_than_are_remembered_only_forget),
		cmocka_unit_test(rubbish_ends_and_makes_no_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
