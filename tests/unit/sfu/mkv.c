#include "sfu/proto/mkv.h"

#include "core/check.h"
#include "core/reader.h"
#include "guarded.h"

static uint8_t file[1u << 20], room[1u << 16], cues[MKV_CUES_MAX];
static struct mkv mkv;
static struct writer out, cluster;

static void open_one(void)
{
	static const struct shape video = {.codec = CODEC_VP8, .width = 320, .height = 240},
				  sound = {
					  .codec = CODEC_OPUS, .setup = "OpusHead", .setup_len = 8};
	static const struct mkv_track tracks[] = {{&video, 0, "hi", 1}, {&sound, 2, "", 0}};
	static const struct mkv_about about = {.title = "a room",
					       .program = "test",
					       .wall_us = 1767326645000000,
					       .uid = 0x1234567890,
					       .track = tracks,
					       .count = 2};

	out = writer_of(file, sizeof file);
	cluster = writer_of(room, sizeof room);
	assert_true(mkv_open(&mkv, &about, &out));
	assert_int_equal(mkv.at, out.len);
}

static void put(unsigned track, int64_t ms, bool key, struct bytes frame)
{
	if (!mkv_fits(&mkv, track, ms, key, frame.len))
		writer_put(&out, mkv_end_cluster(&mkv));
	assert_true(mkv_put(&mkv, &cluster, track, ms, key, frame));
}

struct element {
	uint32_t id;
	struct bytes body;
};

static bool next(struct bytes *in, struct element *element)
{
	struct reader r = reader_of(*in);
	uint8_t first = reader_u8(&r);
	unsigned n = 1;
	uint64_t size;

	if (in->len == 0)
		return false;
	while (n < 4 && !(first >> (8 - n)))
		n++;
	element->id = (uint32_t)(first << 8 * (n - 1) | (uint32_t)reader_be(&r, n - 1));
	first = reader_u8(&r);
	for (n = 1; n < 8 && !(first >> (8 - n)); n++)
		;
	size = ((uint64_t)first & (0xffu >> n)) << 8 * (n - 1) | reader_be(&r, n - 1);
	if (size == (1ull << 56) - 1)
		size = reader_left(&r);
	element->body = reader_take(&r, size);
	assert_true(reader_ok(&r));
	*in = bytes_of(r.at, reader_left(&r));
	return true;
}

static struct bytes find(struct bytes in, uint32_t id)
{
	struct element element;

	while (next(&in, &element))
		if (element.id == id)
			return element.body;
	return (struct bytes){NULL, 0};
}

static unsigned count(struct bytes in, uint32_t id)
{
	struct element element;
	unsigned n = 0;

	while (next(&in, &element))
		n += element.id == id;
	return n;
}

static uint64_t number(struct bytes in)
{
	struct reader r = reader_of(in);

	return reader_be(&r, in.len);
}

static struct bytes segment(void)
{
	return find(writer_done(&out), 0x18538067);
}

static void test_it_is_good_at_each_cluster(void **state)
{
	struct bytes in, tracks;
	struct element element;
	unsigned clusters = 0, blocks = 0;

	(void)state;
	open_one();
	for (int64_t ms = 0; ms < 10000; ms += 20) {
		put(1, ms, true, BYTES("sound"));
		if (ms % 40 == 0)
			put(0, ms, ms % 1000 == 0, BYTES("picture"));
	}
	in = segment();
	tracks = find(in, 0x1654ae6b);
	assert_int_equal(count(tracks, 0xae), 2);
	assert_int_equal(number(find(find(find(tracks, 0xae), 0xe0), 0xb0)), 320);
	while (next(&in, &element)) {
		struct bytes body = element.body;
		int64_t at;

		if (element.id != 0x1f43b675)
			continue;
		clusters++;
		at = (int64_t)number(find(body, 0xe7));
		while (next(&body, &element)) {
			struct reader r = reader_of(element.body);
			int64_t ms;

			if (element.id != 0xa3)
				continue;
			(void)reader_u8(&r);
			ms = at + (int16_t)reader_be16(&r);
			/* A cluster ends with the sound before a key picture. */
			assert_true(ms >= 0 && ms < 10000 && ms % 20 == 0);
			blocks++;
		}
	}
	assert_int_equal(clusters, 10);
	/* What is not written yet is the last second's. */
	assert_in_range(blocks, 9 * 75, 9 * 75 + 1);
}

static void test_a_closed_one_says_where_all_is(void **state)
{
	struct writer w = writer_of(cues, sizeof cues);
	struct mkv_patch patch[MKV_PATCHES];
	struct bytes in, seek, points;
	struct element element;
	unsigned n;

	(void)state;
	open_one();
	for (int64_t ms = 0; ms < 60000; ms += 100)
		put(0, ms, ms % 2000 == 0, BYTES("picture"));
	writer_put(&out, mkv_end_cluster(&mkv));
	n = mkv_close(&mkv, &w, patch);
	writer_put(&out, writer_done(&w));
	for (unsigned i = 0; i < n; i++) {
		assert_true(patch[i].at + patch[i].len <= out.len);
		memcpy(file + patch[i].at, patch[i].bytes, patch[i].len);
	}
	in = segment();
	assert_ptr_equal(in.at + in.len, file + out.len);
	assert_int_equal(mkv.at, out.len);
	assert_int_equal(number(find(find(in, 0x1549a966), 0x4489)),
			 0x40ed3f8000000000); /* 59,900.0 */
	seek = find(in, 0x114d9b74);
	assert_int_equal(count(seek, 0x4dbb), 3);
	while (next(&seek, &element)) {
		uint64_t id, at;

		if (element.id != 0x4dbb)
			continue;
		id = number(find(element.body, 0x53ab));
		at = number(find(element.body, 0x53ac));
		assert_int_equal(number(bytes_of(in.at + at, 4)), id);
	}
	points = find(in, 0x1c53bb6b);
	assert_int_equal(count(points, 0xbb), 30);
	while (next(&points, &element)) {
		struct bytes place = find(element.body, 0xb7), at;

		at = bytes_skip(in, number(find(place, 0xf1)));
		assert_true(next(&at, &element));
		assert_int_equal(element.id, 0x1f43b675);
		assert_int_equal(number(find(place, 0xf7)), 1);
	}
}

static void test_the_largest_picture_is_what_it_says(void **state)
{
	static const struct {
		uint32_t width, height;
	} seen[] = {{160, 120}, {1280, 720}, {720, 1280}, {640, 360}};
	struct mkv_patch patch[MKV_PATCHES];
	struct bytes track;

	(void)state;
	open_one();
	for (unsigned i = 0; i < COUNT_OF(seen); i++) {
		mkv_see(&mkv, 0, seen[i].width, seen[i].height);
		put(0, 100 * i, true, BYTES("picture"));
	}
	writer_put(&out, mkv_end_cluster(&mkv));
	assert_int_equal(mkv_close(&mkv, NULL, patch), 4);
	for (unsigned i = 0; i < 4; i++)
		memcpy(file + patch[i].at, patch[i].bytes, patch[i].len);
	track = find(find(find(segment(), 0x1654ae6b), 0xae), 0xe0);
	assert_int_equal(number(find(track, 0xb0)), 1280);
	assert_int_equal(number(find(track, 0xba)), 720);
}

static void test_a_long_one_has_fewer_cues(void **state)
{
	struct writer w = writer_of(cues, sizeof cues);
	struct mkv_patch patch[MKV_PATCHES];
	int64_t last = -1;

	(void)state;
	open_one();
	for (int64_t ms = 0; ms < (int64_t)24 * 3600 * 1000; ms += 1000) {
		if (!mkv_fits(&mkv, 0, ms, true, 1))
			mkv_end_cluster(&mkv);
		assert_true(mkv_put(&mkv, &cluster, 0, ms, true, BYTES("x")));
	}
	assert_in_range(mkv.cue_count, MKV_CUES / 2, MKV_CUES);
	for (unsigned i = 0; i < mkv.cue_count; i++) {
		assert_true(mkv.cue[i].ms > last);
		last = mkv.cue[i].ms;
	}
	assert_true(last > (int64_t)23 * 3600 * 1000);
	assert_int_equal(mkv_close(&mkv, &w, patch), 3);
	assert_true(writer_ok(&w));
}

static double roll_of(unsigned turn)
{
	static const struct shape video = {.codec = CODEC_VP8, .width = 320, .height = 240};
	struct mkv_track track = {&video, 0, "", turn};
	struct mkv_about about = {.title = "", .program = "test", .track = &track, .count = 1};
	struct bytes projection;
	uint64_t bits;
	double roll;

	out = writer_of(file, sizeof file);
	assert_true(mkv_open(&mkv, &about, &out));
	projection = find(find(find(find(segment(), 0x1654ae6b), 0xae), 0xe0), 0x7670);
	if (!projection.at)
		return 0;
	assert_int_equal(number(find(projection, 0x7671)), 0);
	bits = number(find(projection, 0x7675));
	memcpy(&roll, &bits, sizeof roll);
	return roll;
}

/* RFC 9559 counts against the clock. */
static void test_pictures_of_a_turned_phone_are_turned_back(void **state)
{
	(void)state;
	assert_true(roll_of(0) == 0);
	assert_true(roll_of(1) == -90);
	assert_true(roll_of(2) == 180);
	assert_true(roll_of(3) == 90);
}

static void test_what_does_not_fit(void **state)
{
	(void)state;
	open_one();
	assert_false(mkv_put(&mkv, &cluster, 0, 0, true, bytes_of(file, sizeof room)));
	put(0, 0, true, bytes_of(file, sizeof room / 2));
	assert_false(mkv_fits(&mkv, 0, 40, false, sizeof room / 2));
	/* Times go back a little where pictures are shown in another order, and no further. */
	assert_true(mkv_fits(&mkv, 0, -1000, false, 1));
	assert_false(mkv_fits(&mkv, 0, -3000, false, 1));
	assert_false(mkv_fits(&mkv, 1, 2000, false, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_good_at_each_cluster),
		cmocka_unit_test(test_a_closed_one_says_where_all_is),
		cmocka_unit_test(test_the_largest_picture_is_what_it_says),
		cmocka_unit_test(test_a_long_one_has_fewer_cues),
		cmocka_unit_test(test_pictures_of_a_turned_phone_are_turned_back),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
