/* The ring against a model that never forgets: whatever is published, every answer of the ring is
 * the one that follows from the list of all records and the two sizes. */
#include "core/ring.h"
#include "guarded.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "../../ring_box.h"

#define RECORDS_MAX 6000
#define CURSORS     8

struct model {
	struct record all[RECORDS_MAX]; /* by seq; [0] unused */
	uint64_t next, end, kept;       /* seq, pos, seq */
	uint64_t size, count;
};

static struct model model;
static uint8_t payload[1 << 20], back[1 << 20];

static uint64_t pos_of(uint64_t seq)
{
	return seq == model.next ? model.end : model.all[seq].pos;
}

static void model_start(uint64_t size, uint64_t count)
{
	model = (struct model){.next = 1, .kept = 1, .size = size, .count = count};
}

static void model_add(const struct record *record)
{
	model.all[model.next] = *record;
	model.end += record->len;
	model.next++;
	while (model.end - pos_of(model.kept) > model.size || model.next - model.kept > model.count)
		model.kept++;
}

static bool same_record(const struct record *a, const struct record *b)
{
	return a->seq == b->seq && a->pos == b->pos && a->len == b->len && a->flags == b->flags &&
	       a->media_us == b->media_us && a->wall_us == b->wall_us && a->word[0] == b->word[0] &&
	       a->word[1] == b->word[1];
}

static void publish(struct ring *ring, struct random *random, size_t len)
{
	struct record record = {
		.flags = random_percent(random, 5) ? RECORD_KEY : 0,
		.media_us = (int64_t)random_next(random),
		.wall_us = (int64_t)model.next * 1000,
		.word = {random_next(random), random_next(random)},
	};
	uint64_t wake = 1;

	payload_fill(payload, len, model.next, 0);
	if (len > model.size / 2) {
		assert_int_equal(ring_publish(ring, &record, bytes_of(payload, len), &wake),
				 -EMSGSIZE);
		return;
	}
	assert_int_equal(ring_publish(ring, &record, bytes_of(payload, len), &wake), 0);
	assert_int_equal(wake, 0);
	assert_int_equal(record.seq, model.next);
	assert_int_equal(record.pos, model.end);
	assert_int_equal(record.len, len);
	model_add(&record);
}

static void read_one(const struct ring *ring, struct random *random, struct ring_cursor *cursor)
{
	struct ring_cursor was = *cursor;
	size_t room = random_percent(random, 10) ? random_below(random, 200) : sizeof back;
	struct ring_loss loss = {~0ull, ~0ull};
	struct record record;
	enum ring_status status = ring_read(ring, cursor, &record, back, room, &loss);

	if (was.seq == model.next) {
		assert_int_equal(status, RING_EMPTY);
		assert_memory_equal(cursor, &was, sizeof was);
	} else if (was.seq < model.kept) {
		assert_int_equal(status, RING_LAPPED);
		assert_int_equal(loss.records, model.kept - was.seq);
		assert_int_equal(loss.bytes, pos_of(model.kept) - was.pos);
		assert_int_equal(cursor->seq, model.kept);
		assert_int_equal(cursor->pos, pos_of(model.kept));
	} else if (model.all[was.seq].len > room) {
		assert_int_equal(status, RING_SMALL);
		assert_memory_equal(cursor, &was, sizeof was);
		assert_int_equal(record.len, model.all[was.seq].len);
	} else {
		assert_int_equal(status, RING_RECORD);
		assert_true(same_record(&record, &model.all[was.seq]));
		assert_true(payload_is(bytes_of(back, record.len), was.seq, 0));
		assert_int_equal(cursor->seq, was.seq + 1);
		assert_int_equal(cursor->pos, pos_of(was.seq + 1));
	}
}

static void ask_places(const struct ring *ring, struct random *random)
{
	uint64_t past = model.end - pos_of(model.kept);
	uint64_t before = pos_of(model.kept) ? 1 : 0;
	uint64_t pos = pos_of(model.kept) + random_below(random, past + 3) - before;
	uint64_t seq = model.kept + random_below(random, model.next - model.kept + 4) - 2;
	uint64_t guard = random_below(random, model.size);
	struct record record;
	bool found;

	assert_int_equal(ring_head_seq(ring), model.next);
	assert_int_equal(ring_head_pos(ring), model.end);
	assert_int_equal(ring_kept_seq(ring), model.kept);
	assert_int_equal(ring_kept_pos(ring), pos_of(model.kept));

	found = ring_peek(ring, seq, &record);
	assert_int_equal(found, seq >= model.kept && seq < model.next);
	if (found)
		assert_true(same_record(&record, &model.all[seq]));

	found = ring_find_pos(ring, pos, &record);
	assert_int_equal(found, pos >= pos_of(model.kept) && pos < model.end);
	if (found) {
		assert_true(same_record(&record, &model.all[record.seq]));
		assert_in_range(pos, record.pos, record.pos + record.len - 1);
	}

	assert_int_equal(ring_keeps(ring, pos, 0), pos >= pos_of(model.kept));
	if (ring_keeps(ring, pos, guard)) {
		assert_true(pos >= pos_of(model.kept));
		assert_true(model.end + guard <= pos + model.size);
	}
}

/* All that is kept, as one run of bytes, over whichever ends of the data area. */
static void look_at_bytes(const struct ring *ring)
{
	struct bytes all = ring_bytes(ring, pos_of(model.kept), model.end);

	assert_int_equal(all.len, model.end - pos_of(model.kept));
	for (uint64_t seq = model.kept; seq < model.next; seq++) {
		assert_true(payload_is(bytes_first(all, model.all[seq].len), seq, 0));
		all = bytes_skip(all, model.all[seq].len);
	}
}

static void ask_start(const struct ring *ring, struct random *random)
{
	uint64_t back_bytes = random_below(random, 2 * model.size);
	int64_t back_us = random_percent(random, 50) ? 0 : (int64_t)random_below(random, 300000);
	uint64_t want = 0;
	struct record record;

	if (random_percent(random, 20))
		back_bytes = model.end -
			     pos_of(model.next - random_below(random, model.next - model.kept + 1));
	for (uint64_t seq = model.next; seq-- > model.kept;) {
		const struct record *key = &model.all[seq];

		if ((key->flags & RECORD_KEY) &&
		    (!want ||
		     (key->pos + back_bytes >= model.end &&
		      (!back_us || model.all[model.next - 1].wall_us - key->wall_us <= back_us))))
			want = seq;
	}
	assert_int_equal(ring_find_start(ring, back_bytes, back_us, &record), want != 0);
	if (want)
		assert_int_equal(record.seq, want);
}

static size_t some_len(struct random *random, unsigned mean)
{
	switch (random_below(random, 40)) {
	case 0: return 0;
	case 1: return 1;
	case 2: return model.size / 2;
	case 3: return model.size / 2 + 1;
	case 4: return random_below(random, model.size / 2);
	default: return random_below(random, 2 * mean);
	}
}

static void run_against_model(const char *what, uint64_t size, uint32_t count, unsigned mean)
{
	struct random random = random_start(what);
	int fd = ring_box(size, count);
	struct ring ring = ring_view(fd, true), view = ring_view(fd, false);
	struct ring_cursor cursor[CURSORS];

	model_start(size, count);
	assert_int_equal(ring_claim(&ring, 7, false), 0);
	for (int i = 0; i < CURSORS; i++)
		cursor[i] = (struct ring_cursor){1, 0};
	while (model.next < RECORDS_MAX - 100) {
		for (uint64_t n = random_below(&random, random_percent(&random, 5) ? 100 : 5); n;
		     n--)
			publish(&ring, &random, some_len(&random, mean));
		for (uint64_t i = random_below(&random, CURSORS); i < CURSORS; i++)
			for (uint64_t n = random_below(&random, 6); n; n--)
				read_one(&view, &random, &cursor[i]);
		ask_places(&view, &random);
		if (random_percent(&random, 20))
			ask_start(&view, &random);
		if (random_percent(&random, 2))
			look_at_bytes(&view);
		if (random_percent(&random, 1)) {
			ring_release(&ring);
			assert_int_equal(ring_claim(&ring, 8, false), 0);
		}
	}
	ring_close(&view);
	ring_close(&ring);
	close(fd);
}

static void bytes_run_out_first(void **state)
{
	(void)state;
	run_against_model("ring, data-limited", 16384, 1024, 100);
}

static void entries_run_out_first(void **state)
{
	(void)state;
	run_against_model("ring, index-limited", 65536, 64, 40);
}

static void either_runs_out(void **state)
{
	(void)state;
	run_against_model("ring, either", 4096, 64, 64);
}

static void large_records(void **state)
{
	(void)state;
	run_against_model("ring, large", 1 << 20, 128, 30000);
}

static void an_empty_ring_answers(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring ring = ring_view(fd, true);
	struct ring_cursor cursor = {1, 0};
	struct record record;

	(void)state;
	assert_int_equal(ring_read(&ring, &cursor, &record, back, sizeof back, NULL), RING_EMPTY);
	assert_int_equal(ring_head_seq(&ring), 1);
	assert_int_equal(ring_head_pos(&ring), 0);
	assert_int_equal(ring_epoch(&ring), 0);
	assert_false(ring_peek(&ring, 0, &record));
	assert_false(ring_peek(&ring, 1, &record));
	assert_false(ring_find_pos(&ring, 0, &record));
	assert_false(ring_find_start(&ring, 1000, 0, &record));
	assert_true(ring_keeps(&ring, 0, 0));
	assert_true(ring_keeps(&ring, 0, 4096));
	assert_false(ring_keeps(&ring, 0, 4097));
	assert_int_equal(ring_bytes(&ring, 0, 0).len, 0);
	ring_close(&ring);
	ring_close(&ring);
	close(fd);
}

static void a_lapped_reader_need_not_ask_what_it_lost(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring ring = ring_view(fd, true);
	struct ring_cursor cursor = {1, 0};
	struct record record;

	(void)state;
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	for (int i = 0; i < 100; i++)
		ring_put(&ring, payload, 10, 0);
	assert_int_equal(ring_read(&ring, &cursor, &record, back, 10, NULL), RING_LAPPED);
	assert_int_equal(cursor.seq, 37);
	assert_int_equal(cursor.pos, 360);
	ring_close(&ring);
	close(fd);
}

static void one_writer_at_a_time(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring a = ring_view(fd, true), b = ring_view(fd, true);

	(void)state;
	assert_int_equal(ring_claim(&a, 1, false), 0);
	assert_int_equal(ring_claim(&b, 2, false), -EBUSY);
	assert_int_equal(ring_claim(&a, 1, false), -EBUSY);
	assert_int_equal(ring_epoch(&b), 1);
	ring_release(&b); /* who was refused has nothing to release */
	assert_int_equal(ring_claim(&b, 2, false), -EBUSY);
	ring_put(&a, payload, 100, 1);
	ring_release(&a);
	assert_int_equal(ring_claim(&b, 2, false), 0);
	assert_int_equal(ring_epoch(&a), 2);
	ring_put(&b, payload, 100, 2);
	assert_int_equal(ring_claim(&a, 3, true), 0);
	assert_int_equal(ring_epoch(&a), 3);
	ring_put(&a, payload, 100, 3);
	assert_int_equal(ring_head_seq(&a), 4);
	for (uint64_t seq = 1; seq < 4; seq++) {
		struct ring_cursor cursor = {seq, (seq - 1) * 100};
		struct record record;

		assert_int_equal(ring_read(&b, &cursor, &record, back, 100, NULL), RING_RECORD);
		assert_true(payload_is(bytes_of(back, 100), seq, seq));
		assert_int_equal(record.word[0], seq);
	}
	ring_close(&a);
	ring_close(&b);
	close(fd);
}

/* Whoever stays guard bytes away from intent may be written at for that long. */
static void the_guard_is_a_distance(void **state)
{
	int fd = ring_box(16384, 1024);
	struct ring ring = ring_view(fd, true);

	(void)state;
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	for (int i = 0; i < 100; i++)
		ring_put(&ring, payload, 100, 0);
	assert_true(ring_keeps(&ring, 0, 6384));
	assert_false(ring_keeps(&ring, 0, 6385));
	for (int i = 0; i < 400; i++) {
		uint64_t head = ring_head_pos(&ring),
			 pos = head < 14384 ? 0 : (head - 14384 + 99) / 100 * 100;

		assert_true(ring_keeps(&ring, pos, 2000));
		if (pos > 100)
			assert_false(ring_keeps(&ring, pos - 100, 2000));
		for (int n = 0; n < 20; n++)
			ring_put(&ring, payload, 100, 0);
		assert_true(ring_keeps(&ring, pos, 0));
	}
	ring_close(&ring);
	close(fd);
}

/* One small record at the beginning is no reason to take the whole ring for one of such. */
static void the_guard_lets_the_first_reader_begin(void **state)
{
	(void)state;
	for (size_t len = 1; len < 100; len++) {
		int fd = ring_box(1 << 20, 1024);
		struct ring ring = ring_view(fd, true);

		assert_int_equal(ring_claim(&ring, 1, false), 0);
		for (int i = 0; i < 100; i++) {
			ring_put(&ring, payload, len, 0);
			assert_true(ring_keeps(&ring, 0, 20000));
		}
		ring_close(&ring);
		close(fd);
	}
}

static void who_sleeps_is_named_once(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring ring = ring_view(fd, true), other = ring_view(fd, true);

	(void)state;
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	assert_true(ring_sleep(&other, 0, 1));
	assert_true(ring_sleep(&other, 63, 1));
	assert_int_equal(ring_put(&ring, payload, 8, 0), 1ull << 63 | 1);
	assert_int_equal(ring_put(&ring, payload, 8, 0), 0);
	/* What it waits for is there: it must not sleep, and nobody need wake it. */
	assert_false(ring_sleep(&other, 5, 1));
	assert_false(ring_sleep(&other, 5, 2));
	assert_int_equal(ring_put(&ring, payload, 8, 0), 0);
	assert_true(ring_sleep(&other, 5, 4));
	assert_int_equal(ring_put(&ring, payload, 8, 0), 1 << 5);
	ring_close(&ring);
	ring_close(&other);
	close(fd);
}

/* For what takes microseconds on a machine that is not busy. */
#define PATIENCE_MS 60000

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void waiting_ends_with_the_record_or_the_time(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring ring = ring_view(fd, true);
	int64_t before = now_ms();

	(void)state;
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	assert_int_equal(ring_wait(&ring, 1, 30), -ETIMEDOUT);
	assert_true(now_ms() - before >= 29);
	assert_int_equal(ring_wait(&ring, 1, 0), -ETIMEDOUT);
	ring_put(&ring, payload, 8, 0);
	assert_int_equal(ring_wait(&ring, 1, PATIENCE_MS), 0);
	ring_close(&ring);
	close(fd);
}

/* Two processes hand a turn to and fro, each asleep until the other has published. */
static void processes_wake_each_other(void **state)
{
	enum { TURNS = 500 };
	int ping_fd = ring_box(4096, 64), pong_fd = ring_box(4096, 64), status;
	pid_t child = fork();
	struct ring ping = ring_view(ping_fd, true), pong = ring_view(pong_fd, true);

	(void)state;
	if (child == 0) {
		CHECK(ring_claim(&pong, 2, false) == 0);
		for (uint64_t turn = 1; turn <= TURNS; turn++) {
			CHECK(ring_wait(&ping, turn, PATIENCE_MS) == 0);
			ring_put(&pong, payload, 8, 0);
		}
		_exit(0);
	}
	assert_int_equal(ring_claim(&ping, 1, false), 0);
	for (uint64_t turn = 1; turn <= TURNS; turn++) {
		ring_put(&ping, payload, 8, 0);
		assert_int_equal(ring_wait(&pong, turn, PATIENCE_MS), 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	ring_close(&ping);
	ring_close(&pong);
	close(ping_fd);
	close(pong_fd);
}

static void shapes_are_checked(void **state)
{
	static const struct ring_shape bad[] = {{0, 64},    {4095, 64},       {2048, 64},
						{4097, 64}, {1ull << 41, 64}, {4096, 0},
						{4096, 32}, {4096, 65},       {12288, 64}};
	struct ring_shape good = {8192, 128};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(ring_file_size(&bad[i]), 0);
		assert_int_equal(ring_format(-1, 0, &bad[i]), -EINVAL);
	}
	assert_int_equal(ring_file_size(&good), 4096 + 128 * 64 + 8192);
	assert_int_equal(ring_format(-1, 0, &good), -EBADF);
}

/* What another process hands over need not be a ring. */
static void what_is_no_ring_is_refused(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring ring;
	uint64_t page[4];

	(void)state;
	assert_int_equal(pread(fd, page, sizeof page, 0), sizeof page);
	for (size_t bit = 0; bit < sizeof page * 8; bit++) {
		uint8_t bent[sizeof page];

		memcpy(bent, page, sizeof page);
		bent[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(pwrite(fd, bent, sizeof bent, 0), sizeof bent);
		assert_int_equal(ring_open(&ring, fd, 0, true), -EPROTO);
		assert_null(ring.map);
	}
	assert_int_equal(pwrite(fd, page, sizeof page, 0), sizeof page);
	assert_int_equal(ring_open(&ring, fd, 4096, true), -EPROTO);
	assert_int_equal(ring_open(&ring, fd, 1 << 20, true), -EPROTO);
	assert_int_equal(ftruncate(fd, 4096 + 4096 + 4095), 0);
	assert_int_equal(ring_open(&ring, fd, 0, true), -EPROTO);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ring_open(&ring, fd, 0, true), -EPROTO);
	close(fd);
	assert_int_equal(ring_open(&ring, -1, 0, true), -EBADF);
}

/* head_pos of a ring file, as ring.c lays it out. */
#define HEAD_POS_AT 80

static void a_claim_that_fails_claims_nothing(void **state)
{
	int fd = ring_box(4096, 64);
	struct ring ring = ring_view(fd, true);
	uint64_t end = 13;

	(void)state;
	assert_int_equal(pwrite(fd, &end, sizeof end, HEAD_POS_AT), sizeof end);
	assert_int_equal(ring_claim(&ring, 1, false), -EPROTO);
	assert_int_equal(ring_claim(&ring, 1, false), -EPROTO);
	assert_int_equal(ring_claim(&ring, 1, true), -EPROTO);
	assert_false(ring.writing);
	end = 0;
	assert_int_equal(pwrite(fd, &end, sizeof end, HEAD_POS_AT), sizeof end);
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	ring_close(&ring);
	close(fd);
}

/* Each record on the way woke the waiter, who then waited for the whole time again: as long as there
 * are records. */
static void waiting_far_ahead_ends_in_time_too(void **state)
{
	int fd = ring_box(4096, 64), status;
	int64_t before = now_ms();
	pid_t child = fork();
	struct ring ring = ring_view(fd, true);

	(void)state;
	if (child == 0) {
		struct timespec pause = {0, 10000000};

		CHECK(ring_claim(&ring, 1, false) == 0);
		while (now_ms() - before < PATIENCE_MS) {
			ring_put(&ring, payload, 8, 0);
			nanosleep(&pause, NULL);
		}
		_exit(0);
	}
	assert_int_equal(ring_wait(&ring, 100000, 100), -ETIMEDOUT);
	assert_true(now_ms() - before < PATIENCE_MS / 2);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	ring_close(&ring);
	close(fd);
}

/* bell of a ring file, as ring.c lays it out. */
#define BELL_AT 136

static uint32_t bell_of(int fd)
{
	uint32_t bell = 0;

	assert_int_equal(pread(fd, &bell, sizeof bell, BELL_AT), sizeof bell);
	return bell;
}

/* Each publish made a system call for ever after for a waiter who was no more. */
static void a_killed_waiter_costs_one_knock(void **state)
{
	int fd = ring_box(4096, 64), status;
	struct ring ring = ring_view(fd, true);
	struct timespec pause = {0, 1000000};
	uint32_t before = bell_of(fd);
	pid_t child;

	(void)state;
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	child = fork();
	if (child == 0)
		_exit(ring_wait(&ring, 1000000, 30000) != 0);
	/* It is in ring_wait once a publish has rung the bell for it. */
	while (bell_of(fd) == before) {
		ring_put(&ring, payload, 8, 0);
		nanosleep(&pause, NULL);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	ring_put(&ring, payload, 8, 0);
	before = bell_of(fd);
	for (int i = 0; i < 10; i++)
		ring_put(&ring, payload, 8, 0);
	assert_int_equal(bell_of(fd), before);
	ring_close(&ring);
	close(fd);
}

static void a_ring_lies_inside_its_file(void **state)
{
	static const int64_t at[] = {
		-1, -4096, INT64_MIN, INT64_MAX, INT64_MAX - 4095, 1, INT64_MAX & ~4095ll, 4095};
	int fd = ring_box(4096, 64);
	struct ring ring;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(at); i++)
		assert_int_equal(ring_open(&ring, fd, at[i], true), -EPROTO);
	close(fd);
}

/* An empty KEY record lies at the same pos as the one behind it, and before it. */
static void a_start_may_be_an_empty_record(void **state)
{
	static const struct {
		size_t len;
		uint32_t flags;
	} records[] = {{100, 0}, {0, RECORD_KEY}, {0, 0}, {100, 0}, {100, RECORD_KEY}};
	int fd = ring_box(4096, 64);
	struct ring ring = ring_view(fd, true);
	struct record found;

	(void)state;
	assert_int_equal(ring_claim(&ring, 1, false), 0);
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		struct record record = {.flags = records[i].flags};
		uint64_t wake;

		assert_int_equal(
			ring_publish(&ring, &record, bytes_of(payload, records[i].len), &wake), 0);
	}
	assert_true(ring_find_start(&ring, 200, 0, &found));
	assert_int_equal(found.seq, 2);
	assert_true(ring_find_start(&ring, 199, 0, &found));
	assert_int_equal(found.seq, 5);
	ring_close(&ring);
	close(fd);
}

/* Whoever is told that guard bytes may be written finds its own whole after them, from the first
 * record of a ring on, whichever of the two runs out. */
static void the_guard_holds_when_the_entries_run_out(void **state)
{
	struct random random = random_start("guard");

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint64_t size = 4096ull << random_below(&random, 3);
		int fd = ring_box(size, 64 << random_below(&random, 3));
		struct ring ring = ring_view(fd, true);
		size_t len = 1 + random_below(&random, 150);
		uint64_t guard = len * (1 + random_below(&random, 10));
		unsigned kept = 0;

		assert_int_equal(ring_claim(&ring, 1, false), 0);
		for (int turn = 0; turn < 60; turn++) {
			uint64_t pos = ring_kept_pos(&ring);
			uint64_t steps = (ring_head_pos(&ring) - pos) / len;

			/* The first place, of those that are whole, where the guard lets it be. */
			while (steps && !ring_keeps(&ring, pos, guard)) {
				pos += len;
				steps--;
			}
			kept += steps > 0;
			for (uint64_t n = guard / len; n; n--)
				ring_put(&ring, payload, len, 0);
			if (steps)
				assert_true(ring_keeps(&ring, pos, 0));
		}
		assert_true(kept > 50);
		ring_close(&ring);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_run_out_first),
		cmocka_unit_test(entries_run_out_first),
		cmocka_unit_test(either_runs_out),
		cmocka_unit_test(large_records),
		cmocka_unit_test(an_empty_ring_answers),
		cmocka_unit_test(a_lapped_reader_need_not_ask_what_it_lost),
		cmocka_unit_test(one_writer_at_a_time),
		cmocka_unit_test(the_guard_is_a_distance),
		cmocka_unit_test(the_guard_lets_the_first_reader_begin),
		cmocka_unit_test(who_sleeps_is_named_once),
		cmocka_unit_test(waiting_ends_with_the_record_or_the_time),
		cmocka_unit_test(processes_wake_each_other),
		cmocka_unit_test(shapes_are_checked),
		cmocka_unit_test(what_is_no_ring_is_refused),
		cmocka_unit_test(a_claim_that_fails_claims_nothing),
		cmocka_unit_test(waiting_far_ahead_ends_in_time_too),
		cmocka_unit_test(a_killed_waiter_costs_one_knock),
		cmocka_unit_test(a_ring_lies_inside_its_file),
		cmocka_unit_test(a_start_may_be_an_empty_record),
		cmocka_unit_test(the_guard_holds_when_the_entries_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
