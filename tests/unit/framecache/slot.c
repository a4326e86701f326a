/* One writer and a few readers in one process: what each is told, and what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "slot_box.h"

#define DEPTH 8u
#define SIZE  (16u * 16 * 2)

struct pair {
	fc_writer_t *writer;
	fc_slot_t *slot;
};

/* A reader to whom a busy machine is no stalled writer. */
static fc_slot_t *patient(fc_slot_t *slot)
{
	assert_non_null(slot);
	fc_set_stall_ms(slot, SLOT_PATIENT_MS);
	return slot;
}

static struct pair pair_make_as(const char *name, uint32_t depth)
{
	fc_config_t config = slot_config(16, 16, depth);
	struct pair pair;

	config.audio_channels = 2;
	assert_int_equal(fc_slot_create(name, &config, 0), 0);
	pair.writer = fc_writer_open(name);
	pair.slot = patient(fc_open(name));
	assert_non_null(pair.writer);
	return pair;
}

static struct pair pair_make(uint32_t depth)
{
	return pair_make_as("s", depth);
}

static void pair_end_as(const char *name, struct pair *pair)
{
	fc_close(pair->slot);
	fc_writer_close(pair->writer);
	assert_int_equal(fc_slot_remove(name, 0), 0);
}

static void pair_end(struct pair *pair)
{
	pair_end_as("s", pair);
}

static void put(fc_writer_t *writer)
{
	uint8_t pixels[SIZE];
	uint64_t index = fc_writer_position(writer);

	slot_fill(pixels, SIZE, index, 1);
	assert_int_equal(fc_write_frame(writer, pixels, SIZE, index * 1000), FC_OK);
}

static void put_some(fc_writer_t *writer, unsigned count)
{
	while (count-- > 0)
		put(writer);
}

static void assert_next(fc_slot_t *slot, uint64_t index, uint64_t lost)
{
	fc_frame_t *frame;

	assert_int_equal(fc_read_frame(slot, &frame, 0), FC_OK);
	assert_int_equal(frame->index, index);
	assert_int_equal(frame->lost, lost);
	assert_int_equal(frame->size, SIZE);
	assert_int_equal(frame->pts_us, index * 1000);
	assert_true(slot_is(frame->data, SIZE, index, 1));
	assert_true(fc_frame_valid(slot, frame));
	assert_ptr_equal(fc_frame_data(frame), frame->data);
	assert_int_equal(fc_frame_index(frame), index);
}

/* --- frames --------------------------------------------------------------------------------- */

static void each_frame_is_read_once_in_order(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_frame_t *frame;

	(void)state;
	for (uint64_t i = 0; i < 5 * DEPTH; i++) {
		assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_TIMEOUT);
		assert_null(frame);
		put(pair.writer);
		assert_int_equal(fc_lag(pair.slot), 1);
		assert_next(pair.slot, i, 0);
	}
	assert_int_equal(fc_lost(pair.slot), 0);
	pair_end(&pair);
}

/* The ring less one: the place behind the newest may be written to at any moment. */
static void one_who_lags_within_the_ring_loses_nothing(void **state)
{
	struct pair pair = pair_make(DEPTH);

	(void)state;
	put_some(pair.writer, DEPTH - 1);
	fc_write_begin(pair.writer);
	for (uint64_t i = 0; i < DEPTH - 1; i++)
		assert_next(pair.slot, i, 0);
	pair_end(&pair);
}

static void one_who_is_overtaken_gets_the_newest_and_an_exact_count(void **state)
{
	struct pair pair = pair_make(DEPTH);

	(void)state;
	put_some(pair.writer, 3);
	assert_next(pair.slot, 0, 0);
	put_some(pair.writer,
		 20); /* 23 in all, 1 to 22 unread; begun are 23, so 15 is the oldest */
	assert_next(pair.slot, 22, 21);
	assert_int_equal(fc_lost(pair.slot), 21);
	put(pair.writer);
	assert_next(pair.slot, 23, 0);
	put_some(pair.writer, 100);
	assert_next(pair.slot, 123, 99);
	assert_int_equal(fc_lost(pair.slot), 120);
	pair_end(&pair);
}

/* At the edge: one more begun frame makes the oldest void, and not one earlier. */
static void a_frame_is_void_as_soon_as_the_writer_begins_to_overwrite_it(void **state)
{
	struct pair pair = pair_make(DEPTH);
	uint8_t copy[SIZE];
	fc_frame_t *frame;

	(void)state;
	put(pair.writer);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_OK);
	for (unsigned i = 1; i < DEPTH; i++) {
		assert_int_equal(fc_frame_margin(pair.slot, frame), DEPTH - i);
		put(pair.writer);
		assert_true(fc_frame_valid(pair.slot, frame));
	}
	assert_int_equal(fc_frame_margin(pair.slot, frame), 0);
	assert_true(slot_is(frame->data, SIZE, 0, 1));
	fc_write_begin(pair.writer);
	assert_false(fc_frame_valid(pair.slot, frame));
	assert_int_equal(fc_seek(pair.slot, FC_SEEK_INDEX, 0), FC_OK);
	assert_int_equal(fc_copy_frame(pair.slot, &frame, copy, SIZE, 0), FC_OK);
	assert_int_equal(frame->index, DEPTH - 1);
	assert_int_equal(frame->lost, DEPTH - 1);
	pair_end(&pair);
}

static void a_copy_is_the_frame_or_too_small(void **state)
{
	struct pair pair = pair_make(DEPTH);
	uint8_t copy[SIZE];
	fc_frame_t *frame;

	(void)state;
	put(pair.writer);
	assert_int_equal(fc_copy_frame(pair.slot, &frame, copy, SIZE - 1, 0), FC_SMALL);
	assert_null(frame);
	assert_int_equal(fc_copy_frame(pair.slot, &frame, NULL, SIZE, 0), FC_INVALID);
	assert_int_equal(fc_copy_frame(pair.slot, &frame, copy, SIZE, 0), FC_OK);
	assert_ptr_equal(frame->data, copy);
	assert_true(slot_is(copy, SIZE, 0, 1));
	assert_int_equal(fc_copy_frame(pair.slot, &frame, copy, SIZE, 0), FC_TIMEOUT);
	pair_end(&pair);
}

static void places_to_start_at(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_slot_t *late;
	fc_frame_t *frame;

	(void)state;
	put_some(pair.writer, 20);
	late = patient(fc_open("s"));
	assert_int_equal(fc_position(late), 19);
	assert_next(late, 19, 0);
	assert_int_equal(fc_seek(late, FC_SEEK_OLDEST, 0), FC_OK);
	fc_write_begin(pair.writer); /* what is oldest survives the frame begun next */
	assert_next(late, 20 - DEPTH + 1, 0);
	assert_int_equal(fc_seek(late, FC_SEEK_NEXT, 0), FC_OK);
	assert_int_equal(fc_read_frame(late, &frame, 0), FC_TIMEOUT);
	put(pair.writer);
	assert_next(late, 20, 0);
	assert_int_equal(fc_seek(late, FC_SEEK_INDEX, 18), FC_OK);
	assert_next(late, 18, 0);
	assert_int_equal(fc_seek(late, 9, 0), FC_INVALID);
	assert_int_equal(fc_lost(late), 0);
	fc_close(late);
	pair_end(&pair);
}

static void what_is_said_of_a_frame_arrives(void **state)
{
	struct pair pair = pair_make(DEPTH);
	const fc_frame_meta_t meta = {.pts_us = 123,
				      .wall_us = 456,
				      .size = 100,
				      .flags = FC_FRAME_REPEATED | FC_FRAME_NO_SIGNAL,
				      .timecode = 0x10203004};
	const fc_frame_meta_t large = {.size = SIZE + 1};
	fc_frame_t *frame;

	(void)state;
	assert_int_equal(fc_write_commit(pair.writer, &meta), FC_INVALID); /* nothing begun */
	assert_ptr_equal(fc_write_begin(pair.writer), fc_write_begin(pair.writer));
	assert_int_equal(fc_write_commit(pair.writer, &large), FC_INVALID);
	assert_int_equal(fc_write_frame(pair.writer, "", SIZE + 1, 0), FC_INVALID);
	assert_int_equal(fc_write_frame(pair.writer, "", 0, 0), FC_INVALID);
	assert_int_equal(fc_write_commit(pair.writer, &meta), FC_OK);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_OK);
	assert_int_equal(frame->pts_us, 123);
	assert_int_equal(frame->wall_us, 456);
	assert_int_equal(frame->size, 100);
	assert_int_equal(frame->flags, FC_FRAME_REPEATED | FC_FRAME_NO_SIGNAL);
	assert_int_equal(frame->timecode, 0x10203004);
	assert_true(frame->mono_ns > 0 && frame->mono_ns / 1000000 <= slot_now_ms());
	pair_end(&pair);
}

static void planes_are_found(void **state)
{
	fc_config_t config = slot_config(64, 32, 2);
	fc_writer_t *writer;
	fc_slot_t *slot;
	fc_frame_t *frame;
	const fc_frame_meta_t meta = {0};
	uint32_t row = 0;

	(void)state;
	config.pixel_format = FC_PIX_P010;
	assert_int_equal(fc_slot_create("planes", &config, 0), 0);
	writer = fc_writer_open("planes");
	slot = fc_open("planes");
	fc_write_begin(writer);
	assert_int_equal(fc_write_commit(writer, &meta), FC_OK);
	assert_int_equal(fc_read_frame(slot, &frame, 0), FC_OK);
	assert_int_equal((uintptr_t)frame->data % 4096, 0);
	assert_ptr_equal(fc_frame_plane(slot, frame, 0, &row), frame->data);
	assert_int_equal(row, 128);
	assert_ptr_equal(fc_frame_plane(slot, frame, 1, NULL), frame->data + 128 * 32);
	assert_null(fc_frame_plane(slot, frame, 2, &row));
	fc_close(slot);
	fc_writer_close(writer);
	assert_int_equal(fc_slot_remove("planes", 0), 0);
}

/* --- audio ---------------------------------------------------------------------------------- */

static void put_sound(fc_writer_t *writer, uint64_t first, uint32_t count)
{
	int32_t samples[2 * 2000];

	for (uint32_t i = 0; i < count; i++) {
		samples[2 * i] = (int32_t)(first + i);
		samples[2 * i + 1] = -(int32_t)(first + i);
	}
	assert_int_equal(fc_write_audio(writer, samples, count), FC_OK);
}

static void assert_sound(const int32_t *samples, uint64_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(samples[2 * i], (int32_t)(first + i));
		assert_int_equal(samples[2 * i + 1], -(int32_t)(first + i));
	}
}

static void sound_belongs_to_its_frame(void **state)
{
	struct pair pair = pair_make(DEPTH);
	int32_t samples[2 * 2000];
	uint64_t first = 0;
	fc_frame_t *frame;

	(void)state;
	/* 800 and 801 in turn, in two pieces, many times around. */
	for (uint64_t i = 0; i < 200; i++) {
		uint32_t count = 800 + (i & 1);

		put_sound(pair.writer, first, 100);
		put_sound(pair.writer, first + 100, count - 100);
		put(pair.writer);
		assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_OK);
		assert_int_equal(frame->audio_first, first);
		assert_int_equal(frame->audio_samples, count);
		assert_int_equal(fc_frame_audio(pair.slot, frame, samples, count * 8 - 1),
				 FC_SMALL);
		assert_int_equal(fc_frame_audio(pair.slot, frame, samples, sizeof samples), FC_OK);
		assert_sound(samples, first, count);
		first += count;
	}
	put(pair.writer);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_OK);
	assert_int_equal(frame->audio_samples, 0);
	assert_int_equal(fc_frame_audio(pair.slot, frame, NULL, 0), FC_OK);
	pair_end(&pair);
}

static void sound_that_is_overwritten_is_lost_and_not_before(void **state)
{
	struct pair pair = pair_make(DEPTH);
	int32_t samples[2 * 2000];
	fc_info_t info;
	uint64_t end = 0;

	(void)state;
	fc_info(pair.slot, &info);
	assert_true(info.audio_capacity > 24000);
	for (; end + 1000 <= info.audio_capacity; end += 1000)
		put_sound(pair.writer, end, 1000);
	put_sound(pair.writer, end, (uint32_t)(info.audio_capacity - end));
	end = info.audio_capacity;
	assert_int_equal(fc_read_audio(pair.slot, 0, 1000, samples), FC_OK);
	assert_sound(samples, 0, 1000);
	put_sound(pair.writer, end, 1);
	assert_int_equal(fc_read_audio(pair.slot, 0, 1000, samples), FC_LOST);
	assert_int_equal(fc_read_audio(pair.slot, 1, 1000, samples), FC_OK);
	assert_sound(samples, 1, 1000);
	assert_int_equal(fc_read_audio(pair.slot, end - 998, 1000, samples), FC_TIMEOUT);
	assert_int_equal(fc_read_audio(pair.slot, end - 999, 1000, samples), FC_OK);
	assert_sound(samples, end - 999, 1000);
	assert_int_equal(fc_read_audio(pair.slot, UINT64_MAX, 2, samples), FC_TIMEOUT);
	assert_int_equal(fc_write_audio(pair.writer, samples, (uint32_t)info.audio_capacity),
			 FC_INVALID);
	pair_end(&pair);
}

static void a_slot_without_sound_says_so(void **state)
{
	fc_config_t config = slot_config(16, 16, 2);
	fc_writer_t *writer;
	fc_slot_t *slot;
	int32_t sample = 0;

	(void)state;
	assert_int_equal(fc_slot_create("mute", &config, 0), 0);
	writer = fc_writer_open("mute");
	slot = fc_open("mute");
	assert_int_equal(fc_write_audio(writer, &sample, 1), FC_INVALID);
	assert_int_equal(fc_read_audio(slot, 0, 1, &sample), FC_INVALID);
	fc_writer_close(writer);
	fc_close(slot);
	assert_int_equal(fc_slot_remove("mute", 0), 0);
}

/* --- how the writer is ---------------------------------------------------------------------- */

static void each_state_is_told_at_once_and_once(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_frame_t *frame;
	uint64_t before = slot_now_ms();

	(void)state;
	assert_int_equal(fc_state(pair.slot), FC_OK);
	assert_int_equal(fc_writer_set_state(pair.writer, FC_STATE_NO_SIGNAL), FC_OK);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 60000), FC_NOSIGNAL);
	assert_int_equal(fc_state(pair.slot), FC_NOSIGNAL);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 20), FC_NOSIGNAL);
	assert_int_equal(fc_writer_set_state(pair.writer, FC_STATE_LIVE), FC_OK);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 20), FC_TIMEOUT);
	assert_int_equal(fc_writer_set_state(pair.writer, FC_STATE_CLOSED), FC_INVALID);
	put(pair.writer);
	fc_writer_close(pair.writer);
	/* What was written comes first. */
	assert_next(pair.slot, 0, 0);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 60000), FC_CLOSED);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 30), FC_CLOSED);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_CLOSED);
	assert_int_equal(fc_state(pair.slot), FC_CLOSED);
	assert_true(slot_now_ms() - before < 30000);
	pair.writer = fc_writer_open("s");
	assert_non_null(pair.writer);
	assert_int_equal(fc_state(pair.slot), FC_OK);
	put(pair.writer);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_OK);
	assert_int_equal(frame->index, 1);
	assert_int_equal(frame->flags, FC_FRAME_DISCONTINUITY);
	put(pair.writer);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 0), FC_OK);
	assert_int_equal(frame->flags, 0);
	pair_end(&pair);
}

static void one_that_nobody_wrote_to_is_no_dead_one(void **state)
{
	fc_config_t config = slot_config(16, 16, 2);
	fc_frame_t *frame;
	fc_slot_t *slot;

	(void)state;
	assert_int_equal(fc_slot_create("new", &config, 0), 0);
	slot = fc_open("new");
	assert_int_equal(fc_state(slot), FC_TIMEOUT);
	assert_int_equal(fc_read_frame(slot, &frame, 20), FC_TIMEOUT);
	fc_close(slot);
	assert_int_equal(fc_slot_remove("new", 0), 0);
}

static void one_who_gives_no_sign_is_stalled(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_frame_t *frame;
	int result;

	(void)state;
	fc_set_stall_ms(pair.slot, 20);
	/* Before that it may be the last look that is still believed. */
	result = fc_read_frame(pair.slot, &frame, 20000);
	assert_int_equal(result, FC_STALLED);
	assert_int_equal(fc_state(pair.slot), FC_STALLED);
	fc_set_stall_ms(pair.slot, SLOT_PATIENT_MS);
	fc_writer_heartbeat(pair.writer);
	assert_int_equal(fc_state(pair.slot), FC_OK);
	pair_end(&pair);
}

/* A process that is killed while it holds the slot, with a frame begun if so asked. */
static void kill_a_writer(bool begun)
{
	int told[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(told), 0);
	child = slot_fork();
	if (child == 0) {
		fc_writer_t *writer = fc_writer_open("s");

		CHECK(writer);
		if (begun)
			memset(fc_write_begin(writer), 0xff, SIZE);
		CHECK(write(told[1], "", 1) == 1);
		for (;;)
			pause();
	}
	close(told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	close(told[0]);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_dead_writer_is_told_from_all_others_and_followed_by_another(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_frame_t *frame;
	uint64_t before;

	(void)state;
	put_some(pair.writer, 3);
	fc_writer_close(pair.writer);
	kill_a_writer(true);
	assert_next(pair.slot, 0, 0);
	assert_next(pair.slot, 1, 0);
	assert_next(pair.slot, 2, 0);
	before = slot_now_ms();
	assert_int_equal(fc_read_frame(pair.slot, &frame, 60000), FC_DEAD);
	assert_true(slot_now_ms() - before < 20000);
	assert_int_equal(fc_state(pair.slot), FC_DEAD);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 10), FC_DEAD);
	pair.writer = fc_writer_open("s");
	assert_non_null(pair.writer);
	assert_int_equal(fc_writer_position(pair.writer), 3);
	put(pair.writer);
	assert_next(pair.slot, 3, 0);
	put(pair.writer);
	assert_next(pair.slot, 4, 0);
	pair_end(&pair);
}

static void there_is_one_writer(void **state)
{
	struct pair pair = pair_make(DEPTH);
	char path[128];
	int fd;

	(void)state;
	assert_null(fc_writer_open("s"));
	assert_int_equal(errno, EBUSY);
	snprintf(path, sizeof path, "%s/s", slot_box_dir);
	fd = open(path, O_RDWR);
	assert_null(fc_writer_open_fd(fd));
	assert_int_equal(errno, EBUSY);
	assert_int_equal(fc_slot_remove("s", 0), -1);
	assert_int_equal(errno, EBUSY);
	put(pair.writer);
	assert_next(pair.slot, 0, 0);
	close(fd);
	pair_end(&pair);
}

static void what_a_reader_locks_deceives_nobody(void **state)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct pair pair = pair_make(DEPTH);
	char path[128];
	int fd;

	(void)state;
	fc_writer_close(pair.writer);
	kill_a_writer(false);
	snprintf(path, sizeof path, "%s/s", slot_box_dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_int_equal(fc_state(pair.slot), FC_DEAD);
	close(fd);
	pair.writer = fc_writer_open("s");
	assert_non_null(pair.writer);
	pair_end(&pair);
}

/* --- files ---------------------------------------------------------------------------------- */

static void a_name_is_given_once_unless_replaced(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_config_t config = slot_config(32, 32, 2);
	fc_frame_t *frame;
	fc_slot_t *other;
	fc_info_t before, after;

	(void)state;
	assert_int_equal(fc_slot_create("s", &config, 0), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(fc_slot_create("s", &config, FC_REPLACE), -1);
	assert_int_equal(errno, EBUSY);
	put(pair.writer);
	fc_info(pair.slot, &before);
	assert_int_equal(fc_slot_create("s", &config, FC_REPLACE | FC_FORCE), 0);
	/* The old one's readers finish, its writer is told. */
	assert_next(pair.slot, 0, 0);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 60000), FC_SUPERSEDED);
	assert_int_equal(fc_state(pair.slot), FC_SUPERSEDED);
	fc_write_begin(pair.writer);
	assert_int_equal(fc_write_frame(pair.writer, "abcdefgh", 8, 0), FC_SUPERSEDED);
	other = fc_open("s");
	fc_info(other, &after);
	assert_true(after.generation > before.generation);
	assert_int_equal(after.width, 32);
	fc_close(other);
	pair_end(&pair);
}

/* Also where nobody could say it in the old file. */
static void one_whose_name_was_taken_is_superseded(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_config_t config = slot_config(16, 16, 2);
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/s", slot_box_dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fc_state(pair.slot), FC_OK); /* its writer goes on */
	assert_int_equal(fc_slot_create("s", &config, 0), 0);
	assert_int_equal(fc_state(pair.slot), FC_SUPERSEDED);
	pair_end(&pair);
}

static void one_that_is_removed_is_closed(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_frame_t *frame;

	(void)state;
	put(pair.writer);
	assert_int_equal(fc_slot_remove("s", FC_FORCE), 0);
	assert_int_equal(fc_slot_remove("s", FC_FORCE), -1);
	assert_int_equal(errno, ENOENT);
	assert_next(pair.slot, 0, 0);
	assert_int_equal(fc_read_frame(pair.slot, &frame, 60000), FC_CLOSED);
	assert_int_equal(fc_write_frame(pair.writer, "abcdefgh", 8, 0), FC_CLOSED);
	fc_close(pair.slot);
	fc_writer_close(pair.writer);
}

static void *create_later(void *arg)
{
	fc_config_t config = slot_config(16, 16, 2);

	slot_nap_us(50000);
	CHECK(fc_slot_create(arg, &config, 0) == 0);
	return NULL;
}

static void one_may_wait_for_a_slot(void **state)
{
	static char name[] = "later";
	pthread_t thread;
	fc_slot_t *slot;

	(void)state;
	assert_null(fc_open_wait(name, 30));
	assert_int_equal(errno, ETIMEDOUT);
	assert_null(fc_open_wait("../x", 30));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(pthread_create(&thread, NULL, create_later, name), 0);
	slot = fc_open_wait(name, 60000);
	assert_non_null(slot);
	pthread_join(thread, NULL);
	fc_close(slot);
	assert_int_equal(fc_slot_remove(name, 0), 0);
}

/* Hand-made files under good names. */
static void what_is_no_slot_is_refused(void **state)
{
	char path[128], target[128];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/odd", slot_box_dir);
	snprintf(target, sizeof target, "%s/s", slot_box_dir);
	assert_int_equal(symlink(target, path), 0);
	assert_null(fc_open("odd"));
	assert_int_equal(errno, ELOOP);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(fc_open("odd")); /* and does not wait for somebody at its other end */
	assert_int_equal(errno, EPROTO);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(fc_open("odd"));
	rmdir(path);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_null(fc_open("odd"));
	assert_int_equal(errno, EPROTO);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	assert_null(fc_open("odd"));
	assert_int_equal(errno, EPROTO);
	assert_null(fc_writer_open("odd"));
	close(fd);
	unlink(path);
}

/* A header that says more than is there, in length or in blocks, would be SIGBUS later. */
static void a_file_that_is_not_all_there_is_refused(void **state)
{
	struct pair pair = pair_make(DEPTH);
	fc_header_t header;
	char path[128];
	int fd, other;

	(void)state;
	snprintf(path, sizeof path, "%s/s", slot_box_dir);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
	snprintf(path, sizeof path, "%s/cut", slot_box_dir);
	other = open(path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(posix_fallocate(other, 0, (off_t)header.file_size - 4096), 0);
	assert_int_equal(pwrite(other, &header, sizeof header, 0), sizeof header);
	assert_null(fc_open("cut"));
	assert_int_equal(errno, EPROTO);
	assert_int_equal(ftruncate(other, (off_t)header.file_size), 0);
	assert_null(fc_open("cut"));
	assert_int_equal(errno, EPROTO);
	assert_int_equal(posix_fallocate(other, 0, (off_t)header.file_size), 0);
	fc_close(fc_open("cut"));
	assert_int_equal(unlink(path), 0);
	close(fd);
	close(other);
	pair_end(&pair);
}

/* --- hand-outs by descriptor ---------------------------------------------------------------- */

/* What a reader gets who is not trusted with a file: nothing of it can be changed or cut. */
static void a_sealed_memory_file_is_a_slot(void **state)
{
	struct pair pair = pair_make(DEPTH);
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	int memory = memfd_create("slot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fc_header_t header;
	fc_writer_t *writer;
	fc_slot_t *slot;
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/s", slot_box_dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
	close(fd);
	header.state = FC_STATE_INIT;
	assert_int_equal(posix_fallocate(memory, 0, (off_t)header.file_size), 0);
	assert_int_equal(pwrite(memory, &header, sizeof header, 0), sizeof header);
	writer = fc_writer_open_fd(memory);
	assert_non_null(writer);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, seals), 0);
	slot = patient(fc_open_fd(memory));
	put(writer);
	assert_next(slot, 0, 0);
	assert_int_equal(ftruncate(memory, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0),
			 MAP_FAILED);
	assert_int_equal(fc_state(slot), FC_OK);
	fc_writer_close(writer);
	assert_int_equal(fc_state(slot), FC_CLOSED);
	fc_close(slot);
	close(memory);
	pair_end(&pair);
}

static void a_reader_maps_nothing_writable(void **state)
{
	struct pair pair = pair_make(DEPTH);
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned readers = 0, writers = 0;
	char line[512];

	(void)state;
	while (fgets(line, sizeof line, maps))
		if (strstr(line, slot_box_dir)) {
			readers += strstr(line, " r--s ") != NULL;
			writers += strstr(line, " rw-s ") != NULL;
		}
	fclose(maps);
	assert_int_equal(readers, 1);
	assert_int_equal(writers, 1);
	pair_end(&pair);
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

static unsigned mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned count = 0;
	char line[512];

	while (fgets(line, sizeof line, file))
		count += strstr(line, slot_box_dir) != NULL;
	fclose(file);
	return count;
}

static void nothing_is_left_open(void **state)
{
	fc_config_t config = slot_config(16, 16, 2);
	unsigned before = open_descriptors(), maps = mappings();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		fc_writer_t *writer;
		fc_slot_t *slot;

		assert_int_equal(fc_slot_create("leak", &config, i % 2 ? FC_REPLACE : 0), 0);
		assert_int_equal(fc_slot_create("leak", &config, 0), -1);
		writer = fc_writer_open("leak");
		slot = patient(fc_open("leak"));
		assert_null(fc_writer_open("leak"));
		assert_int_equal(fc_state(slot), FC_OK);
		fc_close(slot);
		fc_writer_close(writer);
		if (i % 2)
			assert_int_equal(fc_slot_remove("leak", 0), 0);
	}
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(mappings(), maps);
	fc_close(NULL);
	fc_writer_close(NULL);
}

/* For consumers of the first kind: posted for each frame, and no further than the ring. */
static void the_old_semaphore_is_posted_where_it_is_asked_for(void **state)
{
	char slot[32], name[64];
	struct pair pair;
	sem_t *semaphore;
	int value;

	(void)state;
	/* Its name is the machine's: a slot of ours alone. */
	snprintf(slot, sizeof slot, "s%d", (int)getpid());
	snprintf(name, sizeof name, "/framecache-%s-write", slot);
	sem_unlink(name);
	pair = pair_make_as(slot, DEPTH);
	assert_ptr_equal(sem_open(name, 0), SEM_FAILED);
	pair_end_as(slot, &pair);
	setenv("FC_LEGACY_SEM", "1", 1);
	pair = pair_make_as(slot, DEPTH);
	unsetenv("FC_LEGACY_SEM");
	semaphore = sem_open(name, 0);
	assert_ptr_not_equal(semaphore, SEM_FAILED);
	put_some(pair.writer, 3);
	assert_int_equal(sem_getvalue(semaphore, &value), 0);
	assert_int_equal(value, 3);
	put_some(pair.writer, 3 * DEPTH);
	assert_int_equal(sem_getvalue(semaphore, &value), 0);
	assert_int_equal(value, DEPTH);
	sem_close(semaphore);
	pair_end_as(slot, &pair);
	assert_ptr_equal(sem_open(name, 0), SEM_FAILED);
}

static void results_have_names(void **state)
{
	(void)state;
	assert_string_equal(fc_result_name(FC_OK), "ok");
	assert_string_equal(fc_result_name(FC_SUPERSEDED), "superseded");
	assert_string_equal(fc_result_name(FC_INVALID), "invalid");
	assert_string_equal(fc_result_name(FC_INVALID - 1), "unknown");
	assert_string_equal(fc_result_name(1), "unknown");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_frame_is_read_once_in_order),
		cmocka_unit_test(one_who_lags_within_the_ring_loses_nothing),
		cmocka_unit_test(one_who_is_overtaken_gets_the_newest_and_an_exact_count),
		cmocka_unit_test(a_frame_is_void_as_soon_as_the_writer_begins_to_overwrite_it),
		cmocka_unit_test(a_copy_is_the_frame_or_too_small),
		cmocka_unit_test(places_to_start_at),
		cmocka_unit_test(what_is_said_of_a_frame_arrives),
		cmocka_unit_test(planes_are_found),
		cmocka_unit_test(sound_belongs_to_its_frame),
		cmocka_unit_test(sound_that_is_overwritten_is_lost_and_not_before),
		cmocka_unit_test(a_slot_without_sound_says_so),
		cmocka_unit_test(each_state_is_told_at_once_and_once),
		cmocka_unit_test(one_that_nobody_wrote_to_is_no_dead_one),
		cmocka_unit_test(one_who_gives_no_sign_is_stalled),
		cmocka_unit_test(a_dead_writer_is_told_from_all_others_and_followed_by_another),
		cmocka_unit_test(there_is_one_writer),
		cmocka_unit_test(what_a_reader_locks_deceives_nobody),
		cmocka_unit_test(a_name_is_given_once_unless_replaced),
		cmocka_unit_test(one_whose_name_was_taken_is_superseded),
		cmocka_unit_test(one_that_is_removed_is_closed),
		cmocka_unit_test(one_may_wait_for_a_slot),
		cmocka_unit_test(what_is_no_slot_is_refused),
		cmocka_unit_test(a_file_that_is_not_all_there_is_refused),
		cmocka_unit_test(a_sealed_memory_file_is_a_slot),
		cmocka_unit_test(a_reader_maps_nothing_writable),
		cmocka_unit_test(nothing_is_left_open),
		cmocka_unit_test(the_old_semaphore_is_posted_where_it_is_asked_for),
		cmocka_unit_test(results_have_names),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, slot_box_setup, slot_box_teardown);
}
