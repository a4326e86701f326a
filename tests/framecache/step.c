/* A slot at every instruction: after each one that a writer or a reader executes, the other side looks,
 * acts, or takes over from the dead. But for the tests of sleeping nothing here depends on timing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "asleep.h"
#include "core/step.h"
#include "slot_box.h"

#define DEPTH    4u
#define SIZE     (16u * 16 * 2)
#define SOUND    40u
#define AWAKE_MS 60u /* much less than what a reader sleeps between two looks */
#define TRIES    10  /* what is slow once may have been the machine */

/* What a stepped child tells; mapped shared. */
struct told {
	_Atomic bool there;
	_Atomic unsigned waiting;
	int result;
	bool valid;
	fc_frame_t frame;
	int32_t sound[SOUND];
	uint8_t pixels[SIZE];
};

struct scene {
	fc_writer_t *writer;
	fc_slot_t *slot;
	uint64_t filled;
	unsigned more; /* frames that overtake() writes */
	struct told *told;
};

static const struct told nothing;

static void write_next(void *arg)
{
	struct scene *scene = arg;
	uint64_t index = fc_writer_position(scene->writer);
	int32_t sound[SOUND];
	uint8_t pixels[SIZE];

	for (uint32_t i = 0; i < SOUND; i++)
		sound[i] = (int32_t)(index * SOUND + i);
	slot_fill(pixels, SIZE, index, 1);
	(void)!fc_write_audio(scene->writer, sound, SOUND);
	(void)!fc_write_frame(scene->writer, pixels, SIZE, index);
}

static struct scene *scene_of(uint64_t filled)
{
	fc_config_t config = slot_config(16, 16, DEPTH);
	struct scene *scene = calloc(1, sizeof *scene);

	config.audio_channels = 1;
	config.audio_rate = 8000;
	config.fps_num = 1000;
	config.fps_den = 1;
	assert_int_equal(fc_slot_create("step", &config, FC_REPLACE | FC_FORCE), 0);
	scene->writer = fc_writer_open("step");
	scene->slot = fc_open("step");
	scene->told = mmap(NULL, sizeof *scene->told, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(scene->writer && scene->slot && scene->told != MAP_FAILED);
	fc_set_stall_ms(scene->slot, SLOT_PATIENT_MS);
	scene->filled = filled;
	for (uint64_t i = 0; i < filled; i++)
		write_next(scene);
	return scene;
}

/* The same for a reader that has just told the server where it is: it does so once a second, and in
 * printf(), where nothing is shared, are four of five instructions. */
static struct scene *reader_scene_of(uint64_t filled)
{
	struct scene *scene = scene_of(filled);
	fc_frame_t *frame;

	fc_seek(scene->slot, FC_SEEK_OLDEST, 0);
	assert_int_equal(fc_read_frame(scene->slot, &frame, 0), FC_OK);
	return scene;
}

static void scene_end(struct scene *scene)
{
	munmap(scene->told, sizeof *scene->told);
	fc_close(scene->slot);
	fc_writer_close(scene->writer);
	free(scene);
}

/* Scenes before the ring is full, when it just is, far along, and when the one of sound is full too. */
static const uint64_t scenes[] = {0, 1, DEPTH - 1, DEPTH, 11, 105};

static uint64_t committed(const fc_slot_t *slot)
{
	fc_info_t info;

	fc_info(slot, &info);
	return info.write_cursor;
}

static void assert_frame(const fc_frame_t *frame, const uint8_t *pixels, const int32_t *sound,
			 uint64_t index)
{
	assert_int_equal(frame->index, index);
	assert_int_equal(frame->pts_us, index);
	assert_int_equal(frame->size, SIZE);
	assert_true(slot_is(pixels, SIZE, index, 1));
	assert_int_equal(frame->audio_samples, SOUND);
	for (uint32_t i = 0; sound && i < SOUND; i++)
		assert_int_equal(sound[i], (int32_t)(frame->audio_first + i));
}

/* All frames but the one behind the newest ring_depth - 1 are there, whole, with their sound. */
static void assert_whole(fc_slot_t *slot)
{
	uint64_t end = committed(slot), first = end < DEPTH ? 0 : end - (DEPTH - 1);

	for (uint64_t index = first; index < end; index++) {
		fc_frame_t *frame;
		uint8_t pixels[SIZE];
		int32_t sound[SOUND];

		assert_int_equal(fc_seek(slot, FC_SEEK_INDEX, index), FC_OK);
		assert_int_equal(fc_copy_frame(slot, &frame, pixels, SIZE, 0), FC_OK);
		assert_int_equal(fc_frame_audio(slot, frame, sound, sizeof sound), FC_OK);
		assert_frame(frame, pixels, sound, index);
	}
}

/* What is about to be overwritten: void, or whole. */
static void assert_oldest(fc_slot_t *slot)
{
	uint64_t end = committed(slot);
	int32_t sound[SOUND];
	fc_frame_t *frame;
	uint8_t pixels[SIZE];
	fc_info_t info;

	fc_info(slot, &info);
	if (info.audio_cursor >= info.audio_capacity) {
		uint64_t first = info.audio_cursor - info.audio_capacity;

		if (fc_read_audio(slot, first, SOUND, sound) == FC_OK)
			for (uint32_t i = 0; i < SOUND; i++)
				assert_int_equal(sound[i], (int32_t)(first + i));
	}
	if (end < DEPTH)
		return;
	fc_seek(slot, FC_SEEK_INDEX, end - DEPTH);
	assert_int_equal(fc_read_frame(slot, &frame, 0), FC_OK);
	memcpy(pixels, frame->data, SIZE);
	if (fc_frame_valid(slot, frame))
		assert_frame(frame, pixels, NULL, frame->index);
}

/* --- a writer, watched ------------------------------------------------------------------------ */

static void look(void *arg)
{
	struct scene *scene = arg;
	uint64_t end = committed(scene->slot);

	assert_true(end == scene->filled || end == scene->filled + 1);
	assert_whole(scene->slot);
	assert_oldest(scene->slot);
}

static void every_instant_of_a_write_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct scene *scene = scene_of(scenes[i]);

		assert_true(step_through_each(write_next, scene, look) > 300);
		assert_int_equal(committed(scene->slot), scenes[i] + 1);
		look(scene);
		scene_end(scene);
	}
}

/* Whoever found no frame and goes to sleep on the bell as it was before is woken. */
static struct {
	const fc_header_t *header;
	uint32_t bell;
} sleeper;

static void fall_asleep(void *arg)
{
	const struct scene *scene = arg;
	uint32_t bell = __atomic_load_n(&sleeper.header->wake_seq, __ATOMIC_ACQUIRE);

	if (committed(scene->slot) == scene->filled)
		sleeper.bell = bell;
}

static void who_found_no_frame_is_rung_for(void **state)
{
	struct scene *scene = scene_of(5);
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/step", slot_box_dir);
	fd = open(path, O_RDONLY);
	sleeper.header = mmap(NULL, FC_HEADER_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(sleeper.header, MAP_FAILED);
	assert_true(step_through_each(write_next, scene, fall_asleep) > 300);
	assert_int_not_equal(sleeper.header->wake_seq, sleeper.bell);
	munmap((void *)(uintptr_t)sleeper.header, FC_HEADER_SIZE);
	close(fd);
	scene_end(scene);
}

static void close_writer(void *arg)
{
	struct scene *scene = arg;
	fc_writer_t *writer = scene->writer;

	scene->writer = NULL;
	fc_writer_close(writer);
}

static void look_at_writer(void *arg)
{
	const struct scene *scene = arg;
	int how = fc_state(scene->slot);

	assert_true(how == FC_OK || how == FC_CLOSED);
}

static void who_closes_never_looks_dead(void **state)
{
	struct scene *scene = scene_of(5);

	(void)state;
	assert_true(step_through_each(close_writer, scene, look_at_writer) > 30);
	assert_int_equal(fc_state(scene->slot), FC_CLOSED);
	scene_end(scene);
}

/* --- death ------------------------------------------------------------------------------------- */

/* Another writer goes on where the dead one was, and the ring works in full. */
static void assert_lives_on(const char *name, uint64_t filled)
{
	struct scene next = {
		.writer = fc_writer_open(name), .slot = fc_open(name), .filled = filled};
	fc_frame_t *frame;

	assert_non_null(next.writer);
	assert_non_null(next.slot);
	assert_in_range(fc_writer_position(next.writer), filled, filled + 1);
	assert_whole(next.slot);
	fc_seek(next.slot, FC_SEEK_NEXT, 0);
	for (uint64_t i = 0; i < 3 * DEPTH; i++) {
		uint64_t index = fc_writer_position(next.writer);
		uint8_t pixels[SIZE];

		write_next(&next);
		assert_int_equal(fc_copy_frame(next.slot, &frame, pixels, SIZE, 0), FC_OK);
		assert_frame(frame, pixels, NULL, index);
		assert_int_equal(frame->lost, 0);
		assert_int_equal(frame->flags, i == 0 && index > 0 ? FC_FRAME_DISCONTINUITY : 0);
	}
	/* Sound of the dead one that no frame had is no frame's. */
	for (uint64_t end = committed(next.slot), i = end - (DEPTH - 1); i < end; i++) {
		int32_t sound[SOUND];

		fc_seek(next.slot, FC_SEEK_INDEX, i);
		assert_int_equal(fc_read_frame(next.slot, &frame, 0), FC_OK);
		assert_int_equal(fc_frame_audio(next.slot, frame, sound, sizeof sound), FC_OK);
		for (uint32_t k = 0; k < SOUND; k++)
			assert_int_equal(sound[k], (int32_t)(i * SOUND + k));
	}
	fc_close(next.slot);
	fc_writer_close(next.writer);
}

/* What a writer leaves that dies at this instruction is what is in the file now. */
static void die_here(void *arg)
{
	struct scene *scene = arg;
	static uint8_t file[256 * 1024];
	char path[128];
	ssize_t size;
	int fd;

	snprintf(path, sizeof path, "%s/step", slot_box_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = read(fd, file, sizeof file);
	close(fd);
	assert_in_range(size, 4096, sizeof file - 1);
	snprintf(path, sizeof path, "%s/spare", slot_box_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* Its name is another, which is in the header. */
	memcpy(((fc_header_t *)(void *)file)->slot_id, "spare", 6);
	assert_int_equal(posix_fallocate(fd, 0, size), 0);
	assert_int_equal(pwrite(fd, file, (size_t)size, 0), size);
	close(fd);
	assert_lives_on("spare", scene->filled);
}

static void a_slot_lives_on_from_any_instruction(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct scene *scene = scene_of(scenes[i]);

		assert_true(step_through_each(write_next, scene, die_here) > 300);
		scene_end(scene);
	}
}

static void open_alone(void *arg)
{
	((struct scene *)arg)->writer = fc_writer_open("step");
}

static void open_and_write(void *arg)
{
	struct scene *scene = arg;

	open_alone(scene);
	step_mark();
	write_next(scene);
}

/* Real processes and real deaths, while they become the writer and while they write. */
static unsigned kill_processes(bool as_writer)
{
	unsigned dead = 0;

	for (unsigned n = 0, going = 1; going; n += step_stride(n)) {
		struct scene *scene = scene_of(6);
		struct step step;
		int how;

		fc_writer_close(scene->writer);
		scene->writer = NULL;
		step = step_start(as_writer ? open_and_write : open_alone, scene);
		if (as_writer)
			step_to_mark(&step);
		going = step_by(&step, n);
		step_kill(&step);
		how = fc_state(scene->slot);
		assert_true(how == FC_DEAD || (!as_writer && how == FC_CLOSED));
		dead += how == FC_DEAD;
		assert_whole(scene->slot);
		assert_lives_on("step", 6);
		scene_end(scene);
	}
	return dead;
}

static void a_process_is_killed_at_any_instruction(void **state)
{
	(void)state;
	assert_true(kill_processes(false) > 0);
	assert_true(kill_processes(true) > 20);
}

/* --- readers that are overtaken ----------------------------------------------------------------- */

static void overtake(void *arg)
{
	struct scene *scene = arg;

	for (unsigned i = 0; i < scene->more; i++)
		write_next(scene);
}

static void copy_frame(void *arg)
{
	struct scene *scene = arg;
	struct told *told = scene->told;
	fc_frame_t *frame;

	told->result = fc_copy_frame(scene->slot, &frame, told->pixels, SIZE, 0);
	if (told->result == FC_OK)
		told->frame = *frame;
}

static void use_frame(void *arg)
{
	struct scene *scene = arg;
	struct told *told = scene->told;
	fc_frame_t *frame;

	told->result = fc_read_frame(scene->slot, &frame, 0);
	if (told->result != FC_OK)
		return;
	told->frame = *frame;
	memcpy(told->pixels, frame->data, SIZE);
	told->valid = fc_frame_valid(scene->slot, frame);
}

static void use_sound(void *arg)
{
	struct scene *scene = arg;

	scene->told->result = fc_read_audio(scene->slot, scene->told->frame.audio_first, SOUND,
					    scene->told->sound);
}

static unsigned whole, late;

/* Runs action once for each each-th of its instructions with more frames written there, on a ring of which
 * the reader wants frame index. */
static void with_writer_at(unsigned each, void (*action)(void *arg), uint64_t index, unsigned more,
			   void (*judge)(const struct scene *scene, uint64_t index))
{
	bool over = false;

	for (unsigned n = 1; !over; n += each * step_stride(n)) {
		struct scene *scene = reader_scene_of(10);

		*scene->told = nothing;
		scene->told->frame.audio_first = index * SOUND;
		fc_seek(scene->slot, FC_SEEK_INDEX, index);
		scene->more = more;
		over = step_through(action, scene, n, overtake) < n;
		judge(scene, index);
		scene_end(scene);
	}
}

static void judge_copy(const struct scene *scene, uint64_t index)
{
	const struct told *told = scene->told;

	assert_int_equal(told->result, FC_OK);
	*(told->frame.index == index ? &whole : &late) += 1;
	assert_int_equal(told->frame.lost, told->frame.index - index);
	assert_int_equal(fc_lost(scene->slot), told->frame.lost);
	assert_frame(&told->frame, told->pixels, NULL, told->frame.index);
}

static void a_copy_is_exact_wherever_it_is_overtaken(void **state)
{
	(void)state;
	for (unsigned more = 1; more < 10; more += 3) {
		whole = late = 0;
		with_writer_at(1, copy_frame, 7, more, judge_copy);
		assert_true(whole > 0);
		/* The oldest of the readable is void only when the second frame is begun behind it. */
		assert_true((late > 0) == (more > 1));
		whole = late = 0;
		with_writer_at(3, copy_frame, 2, more, judge_copy);
		assert_true(whole == 0 && late > 0);
	}
}

static void judge_use(const struct scene *scene, uint64_t index)
{
	const struct told *told = scene->told;

	(void)index;
	assert_int_equal(told->result, FC_OK);
	*(told->valid ? &whole : &late) += 1;
	/* The words were whole when they were given. */
	assert_int_equal(told->frame.pts_us, told->frame.index);
	assert_int_equal(told->frame.audio_first, told->frame.index * SOUND);
	if (told->valid)
		assert_frame(&told->frame, told->pixels, NULL, told->frame.index);
}

static void use_in_place_is_void_wherever_it_was_overtaken(void **state)
{
	(void)state;
	for (unsigned more = 2; more < 10; more += 3) {
		whole = late = 0;
		with_writer_at(1, use_frame, 7, more, judge_use);
		assert_true(whole > 0 && late > 0);
	}
}

static void judge_sound(const struct scene *scene, uint64_t index)
{
	const struct told *told = scene->told;

	*(told->result == FC_OK ? &whole : &late) += 1;
	assert_true(told->result == FC_OK || told->result == FC_LOST);
	for (uint32_t i = 0; told->result == FC_OK && i < SOUND; i++)
		assert_int_equal(told->sound[i], (int32_t)(index * SOUND + i));
}

/* The ring of sound is longer: 4,032 samples, of which 101 frames take 4,040. */
static void sound_is_exact_wherever_it_is_overtaken(void **state)
{
	(void)state;
	whole = late = 0;
	with_writer_at(4, use_sound, 0, 95, judge_sound);
	assert_true(whole > 0 && late > 0);
}

/* --- sleeping ----------------------------------------------------------------------------------- */

static void wait_next(void *arg)
{
	struct scene *scene = arg;
	fc_frame_t *frame;

	scene->told->result = fc_read_frame(scene->slot, &frame, SLOT_PATIENT_MS);
}

/* Up to the instruction that blocks: a frame that comes before it keeps it from blocking. */
static void who_waits_does_not_sleep_over_a_frame(void **state)
{
	enum step_wait how = STEP_AWAKE;
	unsigned tried = 0;

	(void)state;
	for (unsigned n = 1; how == STEP_AWAKE; n += step_stride(n), tried++) {
		struct scene *scene = reader_scene_of(3);

		fc_seek(scene->slot, FC_SEEK_NEXT, 0);
		how = step_through_wait(wait_next, scene, n, write_next);
		assert_int_equal(scene->told->result, FC_OK);
		scene_end(scene);
	}
	assert_int_equal(how, STEP_ASLEEP);
	assert_true(tried > 30);
}

static void wait_for_one(struct scene *scene)
{
	fc_frame_t *frame;

	fc_seek(scene->slot, FC_SEEK_NEXT, 0);
	scene->told->waiting++;
	CHECK(fc_read_frame(scene->slot, &frame, SLOT_PATIENT_MS) == FC_OK);
	_exit(0);
}

/* How many of those who wait the next frame leaves asleep. Who was so late himself that they may have woken
 * to look by themselves has seen nothing: UINT_MAX. */
static unsigned leaves_asleep(struct scene *scene, const pid_t *child, unsigned count)
{
	uint64_t before = slot_now_ms();
	unsigned asleep = 0;

	write_next(scene);
	for (unsigned i = 0; i < count; i++)
		asleep += is_asleep(child[i]);
	return slot_now_ms() - before < AWAKE_MS ? asleep : UINT_MAX;
}

/* One commit wakes everybody, and not one a commit, or each when it looks again. */
static void all_who_wait_are_woken_at_once(void **state)
{
	unsigned asleep = 1, judged = 0;

	(void)state;
	for (unsigned tries = 0; asleep && judged < TRIES && tries < 5 * TRIES; tries++) {
		struct scene *scene = scene_of(3);
		pid_t child[16];

		for (unsigned i = 0; i < COUNT_OF(child); i++) {
			child[i] = slot_fork();
			if (child[i] == 0)
				wait_for_one(scene);
		}
		while (scene->told->waiting < COUNT_OF(child))
			slot_nap_us(1000);
		for (unsigned i = 0; i < COUNT_OF(child); i++)
			while (!is_asleep(child[i]))
				slot_nap_us(1000);
		asleep = leaves_asleep(scene, child, COUNT_OF(child));
		judged += asleep != UINT_MAX;
		for (unsigned i = 0; i < COUNT_OF(child); i++) {
			int status;

			assert_int_equal(waitpid(child[i], &status, 0), child[i]);
			assert_int_equal(status, 0);
		}
		scene_end(scene);
	}
	assert_true(asleep == 0 || judged < TRIES);
}

/* The writer says CLOSED behind its last frame: who looks in between must not take it for the end. */
static void write_and_close(void *arg)
{
	struct scene *scene = arg;

	write_next(scene);
	fc_writer_close(scene->writer);
	scene->writer = NULL;
}

static void read_one(void *arg)
{
	struct scene *scene = arg;
	fc_frame_t *frame;

	scene->told->result = fc_read_frame(scene->slot, &frame, 0);
}

static void the_last_frame_comes_before_the_end(void **state)
{
	unsigned frames = 0, nothings = 0;
	bool over = false;

	(void)state;
	for (unsigned n = 1; !over; n += step_stride(n)) {
		struct scene *scene = reader_scene_of(3);

		fc_seek(scene->slot, FC_SEEK_NEXT, 0);
		over = step_through(read_one, scene, n, write_and_close) < n;
		assert_true(scene->told->result == FC_OK || scene->told->result == FC_TIMEOUT);
		frames += scene->told->result == FC_OK;
		nothings += scene->told->result == FC_TIMEOUT;
		scene_end(scene);
	}
	assert_true(frames > 0 && nothings > 0);
}

/* usage: test_framecache_step [PATTERN]: the tests whose names match. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instant_of_a_write_is_whole),
		cmocka_unit_test(who_found_no_frame_is_rung_for),
		cmocka_unit_test(who_closes_never_looks_dead),
		cmocka_unit_test(a_copy_is_exact_wherever_it_is_overtaken),
		cmocka_unit_test(use_in_place_is_void_wherever_it_was_overtaken),
		cmocka_unit_test(sound_is_exact_wherever_it_is_overtaken),
		cmocka_unit_test(the_last_frame_comes_before_the_end),
		cmocka_unit_test(who_waits_does_not_sleep_over_a_frame),
		cmocka_unit_test(all_who_wait_are_woken_at_once),
		cmocka_unit_test(a_slot_lives_on_from_any_instruction),
		cmocka_unit_test(a_process_is_killed_at_any_instruction),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, slot_box_setup, slot_box_teardown);
}
