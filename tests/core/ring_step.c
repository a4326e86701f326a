/* The ring at every instruction: after each one that a writer or a reader executes, the other side
 * looks, acts, or takes over from the dead. Nothing here depends on timing; what a test finds, it
 * finds every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/wait.h>

#include "../asleep.h"
#include "../ring_box.h"
#include "step.h"

#define SIZE        4096u
#define ENTRIES     64u
#define RECORDS     400u
#define PATIENCE_MS 300000 /* for what takes milliseconds on a machine that is not busy */
#define USED        200u   /* bytes used in place: some of one record and of the next */

/* What the stepped child tells; mapped shared. */
struct told {
	enum ring_status status;
	int result;
	bool yes;
	_Atomic bool going;
	uint64_t wake;
	struct ring_cursor cursor;
	struct ring_loss loss;
	struct record record;
	uint8_t bytes[SIZE];
};

/* One ring, all that was published to it, and what happens next. */
struct scene {
	int fd;
	struct ring writer, reader;
	struct record all[RECORDS];
	struct told *told;
	size_t next_len;     /* of the record that is published next */
	size_t other_len;    /* of those that were */
	unsigned filled;     /* records published before */
	unsigned overtaking; /* records that overtake() publishes */
	int spare_fd;        /* where die_here() goes on */
};

static uint8_t payload[SIZE];

static size_t some_len(const struct scene *scene, uint64_t seq)
{
	return scene->other_len + (scene->other_len > 1 ? seq * 7 % (scene->other_len / 2) : 0);
}

static uint64_t put(struct scene *scene, size_t len)
{
	uint64_t seq = scene->writer.next_seq;
	uint64_t wake = ring_put(&scene->writer, payload, len, ring_epoch(&scene->writer));

	CHECK(seq < RECORDS && ring_peek(&scene->writer, seq, &scene->all[seq]));
	return wake;
}

static void put_some(struct scene *scene, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put(scene, some_len(scene, scene->writer.next_seq));
}

/* A ring into which filled records of about other_len were put. */
static struct scene *scene_create(unsigned filled, size_t other_len, size_t next_len)
{
	struct scene *scene = calloc(1, sizeof *scene);

	CHECK(scene);
	scene->fd = ring_box(SIZE, ENTRIES);
	scene->writer = ring_view(scene->fd, true);
	scene->reader = ring_view(scene->fd, true);
	scene->told = mmap(NULL, sizeof *scene->told, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	scene->next_len = next_len;
	scene->other_len = other_len;
	scene->filled = filled;
	CHECK(scene->told != MAP_FAILED && ring_claim(&scene->writer, 1, false) == 0);
	put_some(scene, filled);
	payload_fill(payload, next_len, filled + 1, 1);
	return scene;
}

static void scene_destroy(struct scene *scene)
{
	munmap(scene->told, sizeof *scene->told);
	ring_close(&scene->writer);
	ring_close(&scene->reader);
	close(scene->fd);
	free(scene);
}

/* Scenes in which one more record overwrites several, one, or none of any size. */
static const struct {
	unsigned filled;
	size_t other_len, next_len;
} scenes[] = {
	{0, 0, 100},     {1, 100, 0},  {5, 100, 100}, {60, 150, 700},
	{60, 150, 2048}, {100, 3, 40}, {100, 1, 0},   {4, 1300, 2000},
};

/* --- actions of the child ------------------------------------------------------------------- */

static void publish_next(void *arg)
{
	struct scene *scene = arg;
	struct record record = {.flags = RECORD_KEY, .word = {1, ~1ull}};

	CHECK(ring_publish(&scene->writer, &record, bytes_of(payload, scene->next_len),
			   &scene->told->wake) == 0);
}

static void claim(void *arg)
{
	struct scene *scene = arg;

	CHECK(ring_claim(&scene->writer, 5, true) == 0);
}

static void read_record(void *arg)
{
	struct scene *scene = arg;
	struct told *told = scene->told;

	told->status = ring_read(&scene->reader, &told->cursor, &told->record, told->bytes, SIZE,
				 &told->loss);
}

static void use_bytes(void *arg)
{
	struct scene *scene = arg;
	struct told *told = scene->told;
	uint64_t head = ring_head_pos(&scene->reader);
	struct bytes in;

	told->yes = ring_keeps(&scene->reader, told->cursor.pos, 0);
	if (!told->yes)
		return;
	in = bytes_first(ring_bytes(&scene->reader, told->cursor.pos, head), USED);
	told->record.len = (uint32_t)in.len;
	memcpy(told->bytes, in.at, in.len);
	told->yes = ring_keeps(&scene->reader, told->cursor.pos, 0);
}

static void find_pos(void *arg)
{
	struct scene *scene = arg;

	scene->told->yes =
		ring_find_pos(&scene->reader, scene->told->cursor.pos, &scene->told->record);
}

static void find_start(void *arg)
{
	struct scene *scene = arg;

	scene->told->yes = ring_find_start(&scene->reader, 1000, 0, &scene->told->record);
}

static void go_to_sleep(void *arg)
{
	struct scene *scene = arg;

	scene->told->yes = ring_sleep(&scene->reader, 3, scene->filled + 1);
}

static void wait_next(void *arg)
{
	struct scene *scene = arg;

	scene->told->result = ring_wait(&scene->reader, scene->filled + 1, PATIENCE_MS);
}

/* --- what must hold at any instant ---------------------------------------------------------- */

static bool same_record(const struct record *a, const struct record *b)
{
	return a->seq == b->seq && a->pos == b->pos && a->len == b->len && a->flags == b->flags &&
	       a->media_us == b->media_us && a->wall_us == b->wall_us && a->word[0] == b->word[0] &&
	       a->word[1] == b->word[1];
}

/* All that the ring says it keeps is what was published: each record, and each byte from kept_pos
 * to the head. */
static void assert_whole(const struct scene *scene, const struct ring *view)
{
	uint64_t kept = ring_kept_seq(view), head = ring_head_seq(view);
	uint64_t kept_pos = ring_kept_pos(view), head_pos = ring_head_pos(view);
	static uint8_t buf[SIZE];

	assert_in_range(head, scene->filled + 1, RECORDS);
	assert_true(kept == head || kept < head);
	assert_in_range(head_pos - kept_pos, 0, SIZE);
	for (uint64_t seq = kept; seq < head; seq++) {
		struct ring_cursor cursor = {seq, 0};
		struct record record;

		assert_int_equal(ring_read(view, &cursor, &record, buf, SIZE, NULL), RING_RECORD);
		assert_int_equal(record.seq, seq);
		assert_true(payload_is(bytes_of(buf, record.len), seq, record.word[0]));
		if (scene->all[seq].seq)
			assert_true(same_record(&record, &scene->all[seq]));
	}
	for (uint64_t seq = 1; seq <= scene->filled; seq++)
		if (scene->all[seq].pos >= kept_pos) {
			struct bytes in = ring_bytes(view, scene->all[seq].pos, head_pos);

			assert_true(payload_is(bytes_first(in, scene->all[seq].len), seq,
					       scene->all[seq].word[0]));
		}
}

static struct scene *scene_of(size_t i)
{
	return scene_create(scenes[i].filled, scenes[i].other_len, scenes[i].next_len);
}

static void look(void *arg)
{
	const struct scene *scene = arg;
	uint64_t end =
		scene->filled ? scene->all[scene->filled].pos + scene->all[scene->filled].len : 0;

	assert_whole(scene, &scene->reader);
	/* Readers of bytes see the head first: what is before it must be there. */
	if (ring_head_pos(&scene->reader) != end)
		assert_true(payload_is(ring_bytes(&scene->reader, end, end + scene->next_len),
				       scene->filled + 1, 1));
}

static void every_instant_of_a_publish_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct scene *scene = scene_of(i);

		assert_true(step_through_each(publish_next, scene, look) > 50);
		assert_int_equal(ring_head_seq(&scene->reader), scene->filled + 2);
		look(scene);
		scene_destroy(scene);
	}
}

/* --- death ---------------------------------------------------------------------------------- */

/* After a death, a new writer takes the ring over, and it works in full again. */
static void assert_lives_on(struct scene *scene, uint64_t epoch)
{
	struct ring_cursor cursor = {scene->filled + 1, 0};
	struct ring next;
	uint64_t end;

	assert_whole(scene, &scene->reader);
	next = ring_view(scene->fd, true);
	assert_int_equal(ring_claim(&next, 9, false), -EBUSY);
	assert_int_equal(ring_claim(&next, 9, true), 0);
	assert_true(ring_epoch(&next) > epoch);
	assert_whole(scene, &scene->reader);
	assert_in_range(ring_head_seq(&next), scene->filled + 1, scene->filled + 2);
	cursor.pos = end =
		scene->filled ? scene->all[scene->filled].pos + scene->all[scene->filled].len : 0;
	for (unsigned i = 0; i < 3 * ENTRIES; i++) {
		uint64_t epoch_now = ring_epoch(&next);
		struct record record, oldest;
		static uint8_t buf[SIZE];

		ring_put(&next, buf, some_len(scene, next.next_seq), epoch_now);
		/* The words agree with each other, and no room is lost for ever. */
		if (ring_peek(&scene->reader, ring_kept_seq(&scene->reader), &oldest))
			assert_int_equal(ring_kept_pos(&scene->reader), oldest.pos);
		while (ring_read(&scene->reader, &cursor, &record, buf, SIZE, NULL) ==
		       RING_RECORD) {
			assert_int_equal(record.pos, end);
			assert_int_equal(record.seq + 1, cursor.seq);
			assert_true(
				payload_is(bytes_of(buf, record.len), record.seq, record.word[0]));
			end += record.len;
		}
		assert_int_equal(cursor.seq, ring_head_seq(&next));
		assert_int_equal(cursor.pos, ring_head_pos(&next));
	}
	ring_close(&next);
}

/* What a writer leaves that dies at this instruction is what is in the file now. */
static void die_here(void *arg)
{
	struct scene *scene = arg, copy = *scene;
	struct ring_shape shape = {SIZE, ENTRIES};
	static uint8_t file[4096 + ENTRIES * 64 + SIZE];

	assert_int_equal(sizeof file, ring_file_size(&shape));
	assert_int_equal(pread(scene->fd, file, sizeof file, 0), sizeof file);
	assert_int_equal(pwrite(scene->spare_fd, file, sizeof file, 0), sizeof file);
	copy.fd = scene->spare_fd;
	copy.reader = ring_view(copy.fd, true);
	assert_lives_on(&copy, 1);
	ring_close(&copy.reader);
}

static void a_ring_lives_on_from_any_instruction(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct scene *scene = scene_of(i);

		scene->spare_fd = ring_box(SIZE, ENTRIES);
		assert_true(step_through_each(publish_next, scene, die_here) > 50);
		close(scene->spare_fd);
		scene_destroy(scene);
	}
}

/* The same with real processes and real deaths: fewer scenes, as it takes longer. */
static void a_process_is_killed_at_any_instruction(void **state)
{
	(void)state;
	for (unsigned n = 0, going = 1; going; n += step_stride(n)) {
		struct scene *scene = scene_create(70, 100, 300);
		struct step step = step_start(publish_next, scene);

		going = step_by(&step, n);
		step_kill(&step);
		assert_lives_on(scene, 1);
		scene_destroy(scene);
	}
}

/* The first successor of a dead writer dies too, while it completes what was half published. */
static void so_is_its_successor(void **state)
{
	(void)state;
	for (unsigned n = 0, going = 1; going; n += step_stride(n)) {
		struct scene *scene = scene_create(60, 150, 700);
		uint64_t end = ring_head_pos(&scene->reader);
		struct step step = step_start(publish_next, scene);

		while (ring_head_pos(&scene->reader) == end)
			assert_true(step_once(&step));
		step_kill(&step);
		assert_int_equal(ring_head_seq(&scene->reader), scene->filled + 1);
		step = step_start(claim, scene);
		going = step_by(&step, n);
		step_kill(&step);
		if (!going)
			assert_int_equal(ring_head_seq(&scene->reader), scene->filled + 2);
		assert_lives_on(scene, 1);
		scene_destroy(scene);
	}
}

/* --- readers that are overtaken ------------------------------------------------------------- */

static void overtake(void *arg)
{
	struct scene *scene = arg;

	put_some(scene, scene->overtaking);
}

/* Runs action once for each each-th of its instructions and has count records published there. */
static void with_writer_at(unsigned each, void (*action)(void *arg), uint64_t seq, unsigned count,
			   void (*judge)(struct scene *scene, uint64_t seq))
{
	bool over = false;

	for (unsigned n = 1; !over; n += each * step_stride(n)) {
		struct scene *scene = scene_create(60, 150, 700);

		scene->told->cursor = ring_cursor_of(&scene->all[seq]);
		scene->overtaking = count;
		over = step_through(action, scene, n, overtake) < n;
		judge(scene, seq);
		scene_destroy(scene);
	}
}

static unsigned whole, lapped;

static void judge_record(struct scene *scene, uint64_t seq)
{
	const struct told *told = scene->told;
	const struct record *was = &scene->all[seq];

	if (told->status == RING_RECORD) {
		whole++;
		assert_true(same_record(&told->record, was));
		assert_true(payload_is(bytes_of(told->bytes, was->len), seq, was->word[0]));
		assert_int_equal(told->cursor.seq, seq + 1);
		assert_int_equal(told->cursor.pos, was->pos + was->len);
		return;
	}
	lapped++;
	assert_int_equal(told->status, RING_LAPPED);
	assert_in_range(told->cursor.seq, seq + 1, ring_kept_seq(&scene->writer));
	assert_int_equal(told->cursor.pos, scene->all[told->cursor.seq].pos);
	assert_int_equal(told->loss.records, told->cursor.seq - seq);
	assert_int_equal(told->loss.bytes, told->cursor.pos - was->pos);
}

static void a_reader_is_exact_wherever_it_is_overtaken(void **state)
{
	struct scene *scene = scene_create(60, 150, 700);
	uint64_t oldest = ring_kept_seq(&scene->reader);

	(void)state;
	scene_destroy(scene);
	for (unsigned count = 1; count < 80; count += 35) {
		whole = lapped = 0;
		with_writer_at(1, read_record, oldest, count, judge_record);
		assert_true(whole > 0 && lapped > 0);
		/* One that was lapped before is overtaken again. */
		whole = lapped = 0;
		with_writer_at(1, read_record, 1, count, judge_record);
		assert_true(whole == 0 && lapped > 0);
	}
}

static void judge_bytes(struct scene *scene, uint64_t seq)
{
	const struct told *told = scene->told;
	struct bytes in = bytes_of(told->bytes, told->record.len);

	*(told->yes ? &whole : &lapped) += 1;
	for (; told->yes && in.len > 0; seq++) {
		const struct record *record = &scene->all[seq];

		assert_true(payload_is(bytes_first(in, record->len), seq, record->word[0]));
		in = bytes_skip(in, record->len);
	}
}

static void bytes_are_void_wherever_they_are_overtaken(void **state)
{
	struct scene *scene = scene_create(60, 150, 700);
	uint64_t oldest = ring_kept_seq(&scene->reader);

	(void)state;
	scene_destroy(scene);
	for (unsigned count = 1; count < 80; count += 35) {
		whole = lapped = 0;
		with_writer_at(1, use_bytes, oldest, count, judge_bytes);
		assert_true(whole > 0 && lapped > 0);
	}
}

static void judge_found(struct scene *scene, uint64_t seq)
{
	const struct record *found = &scene->told->record;
	uint64_t pos = scene->all[seq].pos;

	*(scene->told->yes ? &whole : &lapped) += 1;
	if (scene->told->yes) {
		assert_true(same_record(found, &scene->all[found->seq]));
		assert_true(found->pos <= pos && pos < found->pos + found->len);
	}
}

static void judge_start(struct scene *scene, uint64_t seq)
{
	const struct record *found = &scene->told->record;

	(void)seq;
	*(scene->told->yes ? &whole : &lapped) += 1;
	if (scene->told->yes)
		assert_true(same_record(found, &scene->all[found->seq]));
}

static void what_is_found_was_published(void **state)
{
	struct scene *scene = scene_create(60, 150, 700);
	uint64_t oldest = ring_kept_seq(&scene->reader);

	(void)state;
	scene_destroy(scene);
	for (unsigned count = 1; count < 80; count += 35) {
		whole = lapped = 0;
		with_writer_at(5, find_pos, oldest, count, judge_found);
		assert_true(whole > 0 && lapped > 0);
		with_writer_at(11, find_start, oldest, count, judge_start);
	}
}

/* --- doorbells ------------------------------------------------------------------------------ */

static void put_one(void *arg)
{
	struct scene *scene = arg;

	scene->told->wake = put(scene, 50);
}

static void who_goes_to_sleep_is_woken(void **state)
{
	unsigned slept = 0, tried = 0;
	bool over = false;

	(void)state;
	for (unsigned n = 1; !over; n += step_stride(n)) {
		struct scene *scene = scene_create(10, 50, 50);

		over = step_through(go_to_sleep, scene, n, put_one) < n;
		if (over)
			put_one(scene);
		assert_true(!scene->told->yes || (scene->told->wake & 1 << 3));
		slept += scene->told->yes;
		tried++;
		scene_destroy(scene);
	}
	assert_true(slept > 0 && slept < tried);
}

static void sleep_there(void *arg)
{
	struct scene *scene = arg;

	scene->told->yes = ring_sleep(&scene->reader, 9, scene->filled + 1);
}

static void who_slept_before_any_step_of_the_publish_is_woken(void **state)
{
	unsigned slept = 0, tried = 0;
	bool over = false;

	(void)state;
	for (unsigned n = 1; !over; n += step_stride(n)) {
		struct scene *scene = scene_create(10, 50, 50);

		over = step_through(publish_next, scene, n, sleep_there) < n;
		assert_true(!scene->told->yes || (scene->told->wake & 1 << 9));
		slept += scene->told->yes;
		tried++;
		scene_destroy(scene);
	}
	assert_true(slept > 0 && slept < tried);
}

/* Up to the instruction that blocks: a record that comes before it keeps it from blocking. */
static void who_waits_does_not_sleep_over_a_record(void **state)
{
	enum step_wait how = STEP_AWAKE;
	unsigned tried = 0;

	(void)state;
	for (unsigned n = 1; how == STEP_AWAKE; n += step_stride(n), tried++) {
		struct scene *scene = scene_create(10, 50, 50);

		how = step_through_wait(wait_next, scene, n, put_one);
		assert_int_equal(scene->told->result, 0);
		scene_destroy(scene);
	}
	assert_int_equal(how, STEP_ASLEEP);
	assert_true(tried > 10);
}

static void who_waited_for_the_last_record_of_the_dead_is_woken(void **state)
{
	struct scene *scene = scene_create(10, 50, 50);
	pid_t waiter = fork();
	struct timespec pause = {0, 1000000};
	struct step step;
	int status;

	(void)state;
	if (waiter == 0) {
		atomic_store(&scene->told->going, true);
		_exit(ring_wait(&scene->reader, scene->filled + 1, PATIENCE_MS) != 0);
	}
	while (!atomic_load(&scene->told->going) || !is_asleep(waiter))
		nanosleep(&pause, NULL);
	step = step_start(publish_next, scene);
	while (ring_head_seq(&scene->reader) == scene->filled + 1)
		assert_true(step_once(&step));
	step_kill(&step);
	assert_true(is_asleep(waiter));
	assert_int_equal(ring_claim(&scene->writer, 2, true), 0);
	/* Not woken, it would find the record at the end of its time. */
	if (is_asleep(waiter)) {
		kill(waiter, SIGKILL);
		fail_msg("it is still asleep");
	}
	assert_int_equal(waitpid(waiter, &status, 0), waiter);
	assert_int_equal(status, 0);
	scene_destroy(scene);
}

/* usage: test_ring_step [PATTERN]: the tests whose names match. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instant_of_a_publish_is_whole),
		cmocka_unit_test(who_goes_to_sleep_is_woken),
		cmocka_unit_test(who_slept_before_any_step_of_the_publish_is_woken),
		cmocka_unit_test(a_ring_lives_on_from_any_instruction),
		cmocka_unit_test(bytes_are_void_wherever_they_are_overtaken),
		cmocka_unit_test(a_reader_is_exact_wherever_it_is_overtaken),
		cmocka_unit_test(what_is_found_was_published),
		cmocka_unit_test(who_waits_does_not_sleep_over_a_record),
		cmocka_unit_test(who_waited_for_the_last_record_of_the_dead_is_woken),
		cmocka_unit_test(a_process_is_killed_at_any_instruction),
		cmocka_unit_test(so_is_its_successor),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
