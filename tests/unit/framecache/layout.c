/* The layout is frozen: what lies where is written down here a second time, as numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "slot_box.h"

#define AT(offset, type, field)                                                            \
	{                                                                                  \
#		field, offset, offsetof(type, field), sizeof(((const type *)NULL)->field) \
	}

static const struct place {
	const char *name;
	size_t frozen, is, size;
} header_places[] = {
	AT(0, fc_header_t, magic),
	AT(4, fc_header_t, version),
	AT(8, fc_header_t, width),
	AT(12, fc_header_t, height),
	AT(16, fc_header_t, fps_num),
	AT(20, fc_header_t, fps_den),
	AT(24, fc_header_t, pixel_format),
	AT(28, fc_header_t, frame_size),
	AT(32, fc_header_t, ring_depth),
	AT(36, fc_header_t, reserved36),
	AT(40, fc_header_t, write_cursor),
	AT(48, fc_header_t, dropped_frames),
	AT(56, fc_header_t, wake_seq),
	AT(60, fc_header_t, state),
	AT(64, fc_header_t, generation),
	AT(72, fc_header_t, write_intent),
	AT(80, fc_header_t, heartbeat_ns),
	AT(88, fc_header_t, data_offset),
	AT(96, fc_header_t, frame_stride),
	AT(104, fc_header_t, frame_data_off),
	AT(108, fc_header_t, row_bytes),
	AT(112, fc_header_t, writer_pid),
	AT(116, fc_header_t, scan),
	AT(120, fc_header_t, colour),
	AT(124, fc_header_t, plane_count),
	AT(128, fc_header_t, audio_offset),
	AT(136, fc_header_t, audio_capacity),
	AT(144, fc_header_t, audio_rate),
	AT(148, fc_header_t, audio_channels),
	AT(152, fc_header_t, audio_format),
	AT(156, fc_header_t, audio_sample_bytes),
	AT(160, fc_header_t, audio_intent),
	AT(168, fc_header_t, audio_cursor),
	AT(176, fc_header_t, plane_offset),
	AT(192, fc_header_t, plane_row_bytes),
	AT(208, fc_header_t, file_size),
	AT(216, fc_header_t, created_us),
	AT(224, fc_header_t, writer_epoch),
	AT(232, fc_header_t, slot_id),
	AT(304, fc_header_t, source_type),
	AT(336, fc_header_t, reserved),
	AT(4096, fc_header_t, reserved[4096 - 336]),
};

static const struct place record_places[] = {
	AT(0, fc_record_t, pts_us),       AT(8, fc_record_t, wall_us),
	AT(16, fc_record_t, size),        AT(20, fc_record_t, flags),
	AT(24, fc_record_t, seq),         AT(32, fc_record_t, mono_ns),
	AT(40, fc_record_t, timecode),    AT(44, fc_record_t, audio_samples),
	AT(48, fc_record_t, audio_first), AT(56, fc_record_t, reserved),
};

/* Each where it was frozen, and no hole between one and the next. */
static void assert_places(const struct place *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (at[i].is != at[i].frozen)
			fail_msg("%s has moved to %zu", at[i].name, at[i].is);
		if (i + 1 < count && at[i].is + at[i].size != at[i + 1].frozen)
			fail_msg("there is a hole behind %s", at[i].name);
	}
}

static void fields_are_where_they_were_frozen(void **state)
{
	(void)state;
	assert_places(header_places, COUNT_OF(header_places));
	assert_places(record_places, COUNT_OF(record_places));
	assert_int_equal(sizeof(fc_header_t), 4096);
	assert_int_equal(sizeof(fc_record_t), 64);
	assert_int_equal(FC_MAGIC, 0x46524D43);
	assert_int_equal(FC_HEADER_SIZE, 4096);
	assert_int_equal(FC_RING_DEPTH, 120);
	assert_int_equal(FC_PIX_UYVY422, 0);
}

/* The header as the first document had it, word for word, but for its padding. */
typedef struct {
	uint32_t magic;
	uint32_t version;
	uint32_t width;
	uint32_t height;
	uint32_t fps_num;
	uint32_t fps_den;
	uint32_t pixel_format;
	uint32_t frame_size;
	uint32_t ring_depth;
	_Atomic uint64_t write_cursor;
	_Atomic uint64_t dropped_frames;
} document_header;

static void who_reads_by_the_document_reads_the_right_words(void **state)
{
	fc_config_t config = {
		.width = 1920, .height = 1080, .fps_num = 60000, .fps_den = 1001, .ring_depth = 2};
	document_header header;
	fc_writer_t *writer;
	fc_info_t info;
	char path[128];
	int fd;

	(void)state;
	assert_int_equal(fc_slot_create("studio1", &config, 0), 0);
	writer = fc_writer_open("studio1");
	assert_non_null(writer);
	fc_writer_dropped(writer, 7);
	for (int i = 0; i < 3; i++) {
		const fc_frame_meta_t meta = {0};

		fc_write_begin(writer);
		assert_int_equal(fc_write_commit(writer, &meta), FC_OK);
	}
	fc_writer_info(writer, &info);
	snprintf(path, sizeof path, "%s/studio1", slot_box_dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, &header, sizeof header), sizeof header);
	close(fd);
	assert_int_equal(header.magic, 0x46524D43);
	assert_int_equal(header.width, 1920);
	assert_int_equal(header.height, 1080);
	assert_int_equal(header.fps_num, 60000);
	assert_int_equal(header.fps_den, 1001);
	assert_int_equal(header.pixel_format, 0);
	assert_int_equal(header.frame_size, 1920 * 1080 * 2);
	assert_int_equal(header.ring_depth, 2);
	assert_int_equal(header.write_cursor, 3);
	assert_int_equal(header.dropped_frames, 7);
	fc_writer_close(writer);
	assert_int_equal(fc_slot_remove("studio1", 0), 0);
}

/* --- shapes --------------------------------------------------------------------------------- */

static void strides_of_all_formats_are_said(void **state)
{
	static const struct {
		uint32_t format, width, height, planes, row[2], size;
		const char *name;
	} cases[] = {
		{FC_PIX_UYVY422, 1920, 1080, 1, {3840, 0}, 4147200, "uyvy422"},
		{FC_PIX_V210, 1920, 1080, 1, {5120, 0}, 5529600, "v210"},
		{FC_PIX_V210, 1280, 720, 1, {3456, 0}, 2488320, "v210"},
		{FC_PIX_V210, 720, 576, 1, {1920, 0}, 1105920, "v210"},
		{FC_PIX_NV12, 1920, 1080, 2, {1920, 1920}, 3110400, "nv12"},
		{FC_PIX_P010, 1920, 1080, 2, {3840, 3840}, 6220800, "p010"},
		{FC_PIX_RGBA, 1920, 1080, 1, {7680, 0}, 8294400, "rgba"},
		{FC_PIX_UYVY422, 3840, 2160, 1, {7680, 0}, 16588800, "uyvy422"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		fc_config_t config = slot_config(cases[i].width, cases[i].height, 2);
		fc_slot_t *slot;
		fc_info_t info;

		config.pixel_format = cases[i].format;
		assert_int_equal(fc_slot_create("shape", &config, 0), 0);
		slot = fc_open("shape");
		assert_non_null(slot);
		fc_info(slot, &info);
		assert_int_equal(info.frame_size, cases[i].size);
		assert_int_equal(info.plane_count, cases[i].planes);
		assert_int_equal(info.plane_row_bytes[0], cases[i].row[0]);
		assert_int_equal(info.plane_row_bytes[1], cases[i].row[1]);
		if (cases[i].planes == 2)
			assert_int_equal(info.plane_offset[1], cases[i].row[0] * cases[i].height);
		assert_int_equal(info.file_size, fc_slot_size(&config));
		assert_string_equal(fc_pix_name(cases[i].format), cases[i].name);
		assert_int_equal(fc_pix_by_name(cases[i].name), cases[i].format);
		fc_close(slot);
		assert_int_equal(fc_slot_remove("shape", 0), 0);
	}
	assert_null(fc_pix_name(5));
	assert_int_equal(fc_pix_by_name("yuyv"), -1);
}

static void depth_is_two_seconds_unless_said(void **state)
{
	static const struct {
		uint32_t num, den, depth;
	} cases[] = {{60000, 1001, 120}, {25, 1, 50}, {30000, 1001, 60}, {50, 1, 100}, {1, 1, 2}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		fc_config_t with = slot_config(16, 16, cases[i].depth), without = with;

		with.fps_num = without.fps_num = cases[i].num;
		with.fps_den = without.fps_den = cases[i].den;
		without.ring_depth = 0;
		assert_true(fc_slot_size(&with) > 0);
		assert_int_equal(fc_slot_size(&with), fc_slot_size(&without));
	}
}

/* One field each, in an otherwise good shape. 65536 × 32768 × 2 is 0 in 32 bits. */
static void shapes_that_make_no_sense_are_refused(void **state)
{
	static const fc_config_t bad[] = {
		{0},
		{.width = 65536, .height = 32768, .fps_num = 25, .fps_den = 1},
		{.width = 65536, .height = 32784, .fps_num = 25, .fps_den = 1},
		{.width = 1919, .height = 1080, .fps_num = 25, .fps_den = 1},
		{.width = 14, .height = 16, .fps_num = 25, .fps_den = 1},
		{.width = 16, .height = 15, .fps_num = 25, .fps_den = 1},
		{.width = 16386, .height = 16, .fps_num = 25, .fps_den = 1},
		{.width = 16, .height = 16, .fps_num = 0, .fps_den = 1},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 0},
		{.width = 16, .height = 16, .fps_num = 1, .fps_den = 2},
		{.width = 16, .height = 16, .fps_num = 2000, .fps_den = 1},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .pixel_format = 5},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .ring_depth = 1},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .ring_depth = 65537},
		{.width = 16,
		 .height = 17,
		 .fps_num = 25,
		 .fps_den = 1,
		 .pixel_format = FC_PIX_NV12},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .audio_channels = 65},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .audio_rate = 48000},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .source_type = "a b"},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .source_type = "\"},"},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .scan = 4},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .colour = 4},
		{.width = 16, .height = 16, .fps_num = 25, .fps_den = 1, .reserved = {0, 0, 1}},
		/* A frame within its limit, a file beyond it. */
		{.width = 16384, .height = 16384, .fps_num = 25, .fps_den = 1, .ring_depth = 65536},
	};
	const fc_config_t good = {.width = 16, .height = 16, .fps_num = 25, .fps_den = 1};

	(void)state;
	assert_true(fc_slot_size(&good) > 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (fc_slot_size(&bad[i]))
			fail_msg("shape %zu was taken", i);
		assert_int_equal(fc_slot_create("bad", &bad[i], 0), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_null(fc_open("bad"));
	assert_int_equal(errno, ENOENT);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char sixty_five[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char *const bad[] = {
		"",   ".",   "..",  "../x",     "a/b",  "/a",   "a.b", "registry.json", "-a",
		"_a", "a b", "a\n", "\xc3\xa9", ".a.1", "a%2f", "a\\", sixty_five,
	};
	const fc_config_t good = slot_config(16, 16, 2);

	(void)state;
	assert_true(fc_slot_id_ok("Studio-1_a"));
	assert_true(fc_slot_id_ok(sixty_five + 1));
	assert_false(fc_slot_id_ok(NULL));
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (fc_slot_id_ok(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(fc_slot_create(bad[i], &good, 0), -1);
		assert_int_equal(errno, EINVAL);
		assert_null(fc_open(bad[i]));
		assert_int_equal(errno, EINVAL);
		assert_null(fc_writer_open(bad[i]));
		assert_int_equal(fc_slot_remove(bad[i], FC_FORCE), -1);
	}
}

/* A hundred hours at 59.94 are so many microseconds, and no sum of rounded ones. */
static void times_do_not_drift(void **state)
{
	(void)state;
	assert_int_equal(fc_pts_us(60000, 1001, 0), 0);
	assert_int_equal(fc_pts_us(60000, 1001, 1), 16683);
	assert_int_equal(fc_pts_us(60000, 1001, 2), 33367);
	assert_int_equal(fc_pts_us(60000, 1001, 21578400), 359999640000);
	assert_int_equal(fc_pts_us(25, 1, 1u << 30), (1ull << 30) * 40000);
	assert_int_equal(fc_pts_us(0, 1, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_where_they_were_frozen),
		cmocka_unit_test(who_reads_by_the_document_reads_the_right_words),
		cmocka_unit_test(strides_of_all_formats_are_said),
		cmocka_unit_test(depth_is_two_seconds_unless_said),
		cmocka_unit_test(shapes_that_make_no_sense_are_refused),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(times_do_not_drift),
	};

	return cmocka_run_group_tests(tests, slot_box_setup, slot_box_teardown);
}
