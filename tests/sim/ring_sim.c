/* A station in virtual time: one bursty writer, and workers that serve readers in turns, on one
 * ring, in one thread, so that each run is the same for its seed.
 *
 *   writer  ── bursts ──▶ ring ──▶ worker 0 … 3, one turn each every few milliseconds:
 *                                   keen     reads all there is, sleeps when there is none
 *                                   slow     reads too few records a turn, and is lapped
 *                                   guarded  lends bytes to a socket, which takes them by the
 *                                            next turn, or none for a while; keeps a guard
 *                                            distance
 *                                   late     the same, and takes far too long over it
 *
 * Nothing is lost without being told, to the record and the byte; a guarded reader whose turn is
 * short never lends bytes that become void; one whose turn is long is told each time; who sleeps
 * is woken by the record that it waits for. */
#include <stdio.h>

#include "../ring_box.h"

#define WORKERS    4
#define READERS    24
#define END_US     10000000
#define BURST_MAX  8000u /* bytes a writer brings at once */
#define TURN_US    5000
#define QUIET_US   2600  /* at least between two bursts: no turn sees three */
#define CALM_US    20000 /* at most more than that */
#define TURN_BYTES (2 * BURST_MAX)
#define LATE_TURNS 100

enum kind { KEEN, SLOW, GUARDED, LATE };

struct reader {
	enum kind kind;
	struct ring_cursor cursor;
	uint64_t lent_pos, lent_end; /* what the socket has not taken yet */
	int lent_until;              /* turn */
	int full_until;              /* turn */
	uint64_t records, bytes, lost_records, lost_bytes, voids, skips;
};

struct worker {
	int64_t next_us;
	int turn;
	bool asleep;
	uint64_t asleep_for; /* seq */
	uint64_t sleeps, wakes;
	struct reader reader[READERS / WORKERS];
};

struct station {
	struct random random;
	struct ring writer, view;
	struct worker worker[WORKERS];
	int64_t write_us;
	unsigned mean;
	uint64_t guard;
};

static uint8_t buf[1 << 16];

/* Whether all from pos to end is what was published; asked of memory that may be void. */
static bool bytes_are_good(const struct ring *ring, uint64_t pos, uint64_t end)
{
	while (pos < end) {
		struct record record;

		if (!ring_find_pos(ring, pos, &record) || record.pos != pos)
			return false;
		if (!payload_is(ring_bytes(ring, pos, pos + record.len), record.seq, 3))
			return false;
		pos += record.len;
	}
	return true;
}

static void burst(struct station *s, int64_t now)
{
	uint64_t left = random_below(&s->random, BURST_MAX);
	uint64_t wake = 0;

	while (left > 0) {
		size_t len = s->mean / 2 + random_below(&s->random, s->mean);

		len = len < left ? len : left;
		left -= len;
		wake = ring_put(&s->writer, buf, len, 3);
		for (int i = 0; i < WORKERS; i++) {
			struct worker *worker = &s->worker[i];

			CHECK(!(wake & 1ull << i) || worker->asleep);
			if (wake & 1ull << i) {
				worker->asleep = false;
				worker->wakes++;
				worker->next_us = now + 50;
			}
			CHECK(!worker->asleep || worker->asleep_for >= ring_head_seq(&s->view));
		}
	}
	s->write_us = now + QUIET_US + (int64_t)random_below(&s->random, CALM_US);
}

static void read_some(struct station *s, struct reader *reader, unsigned most)
{
	while (most-- > 0) {
		struct ring_loss loss = {0, 0};
		struct record record;

		switch (ring_read(&s->view, &reader->cursor, &record, buf, sizeof buf, &loss)) {
		case RING_RECORD:
			CHECK(payload_is(bytes_of(buf, record.len), record.seq, 3));
			reader->records++;
			reader->bytes += record.len;
			break;
		case RING_LAPPED:
			reader->lost_records += loss.records;
			reader->lost_bytes += loss.bytes;
			reader->skips++;
			break;
		case RING_EMPTY: return;
		case RING_SMALL: CHECK(false);
		}
	}
}

/* The socket has taken what was lent; was it whole until then? */
static void settle(struct station *s, struct reader *reader)
{
	bool told = !ring_keeps(&s->view, reader->lent_pos, 0);

	if (!told)
		CHECK(bytes_are_good(&s->view, reader->lent_pos, reader->lent_end));
	reader->voids += told;
	reader->bytes += reader->lent_end - reader->lent_pos;
	reader->cursor.pos = reader->lent_end;
	reader->lent_end = reader->lent_pos = 0;
}

static void lend_some(struct station *s, struct reader *reader, int turn, uint64_t most)
{
	uint64_t head;
	struct record record;

	if (reader->lent_end) {
		if (turn < reader->lent_until)
			return;
		settle(s, reader);
	}
	head = ring_head_pos(&s->view);
	if (head == reader->cursor.pos || turn < reader->full_until)
		return;
	/* A socket that is full is lent nothing, and its reader falls back. */
	if (random_percent(&s->random, 3)) {
		reader->full_until = turn + (int)random_below(&s->random, 80);
		return;
	}
	if (!ring_keeps(&s->view, reader->cursor.pos, s->guard)) {
		CHECK(ring_find_start(&s->view, 4 * BURST_MAX, 0, &record));
		CHECK(record.pos >= reader->cursor.pos);
		reader->lost_bytes += record.pos - reader->cursor.pos;
		reader->cursor.pos = record.pos;
		reader->skips++;
		CHECK(ring_keeps(&s->view, reader->cursor.pos, s->guard));
	}
	/* Whole records, so that what was lent can be looked at. */
	reader->lent_pos = reader->lent_end = reader->cursor.pos;
	while (reader->lent_end < head && reader->lent_end - reader->lent_pos < most) {
		CHECK(ring_find_pos(&s->view, reader->lent_end, &record));
		reader->lent_end += record.len;
	}
	reader->lent_until = turn + (reader->kind == LATE ? LATE_TURNS : 1);
}

static void serve(struct station *s, unsigned id, int64_t now)
{
	struct worker *worker = &s->worker[id];
	bool idle = true;

	worker->turn++;
	for (size_t i = 0; i < COUNT_OF(worker->reader); i++) {
		struct reader *reader = &worker->reader[i];

		switch (reader->kind) {
		case KEEN: read_some(s, reader, 100000); break;
		case SLOW: read_some(s, reader, 1 + 200 / s->mean); break;
		case GUARDED:
			lend_some(s, reader, worker->turn, 1 + random_below(&s->random, 60000));
			break;
		case LATE: lend_some(s, reader, worker->turn, 60000); break;
		}
		idle &= reader->kind == KEEN;
	}
	worker->next_us = now + TURN_US;
	/* A worker of keen readers only has nothing to do until there is more. */
	if (idle) {
		uint64_t seq = worker->reader[0].cursor.seq;

		CHECK(seq == ring_head_seq(&s->view));
		worker->asleep = ring_sleep(&s->view, id, seq);
		CHECK(worker->asleep);
		worker->asleep_for = seq;
		worker->sleeps++;
	}
}

static void settle_all(struct station *s)
{
	uint64_t seq = ring_head_seq(&s->view), pos = ring_head_pos(&s->view);

	for (int i = 0; i < WORKERS; i++)
		for (size_t j = 0; j < COUNT_OF(s->worker[i].reader); j++) {
			struct reader *reader = &s->worker[i].reader[j];

			if (reader->lent_end)
				settle(s, reader);
			if (reader->kind == KEEN || reader->kind == SLOW) {
				CHECK(reader->records + reader->lost_records + 1 ==
				      reader->cursor.seq);
				read_some(s, reader, 1000000);
				CHECK(reader->records + reader->lost_records + 1 == seq);
				CHECK(reader->cursor.seq == seq);
				CHECK(reader->bytes + reader->lost_bytes == pos);
			}
			CHECK(reader->bytes + reader->lost_bytes == reader->cursor.pos);
		}
}

static void run(struct random random, uint64_t size, uint32_t entries, unsigned mean,
		uint64_t all[4][4])
{
	int fd = ring_box(size, entries);
	struct station s = {
		.random = random,
		.writer = ring_view(fd, true),
		.view = ring_view(fd, true),
		.mean = mean,
	};
	uint64_t sum[4][4] = {{0}};

	/* What a turn may bring, a quarter more for records of unlike size, and the largest one. */
	s.guard = TURN_BYTES * 5 / 4 + 2 * mean;
	CHECK(ring_claim(&s.writer, 1, false) == 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		s.worker[i].next_us = i * TURN_US / WORKERS;
		for (size_t j = 0; j < COUNT_OF(s.worker[i].reader); j++) {
			s.worker[i].reader[j].cursor = (struct ring_cursor){1, 0};
			s.worker[i].reader[j].kind = i == 0 ? KEEN : (enum kind)((i + j) % 4);
		}
	}
	for (int64_t now = 0; now < END_US;) {
		int next = -1;

		now = s.write_us;
		for (int i = 0; i < WORKERS; i++)
			if (!s.worker[i].asleep && s.worker[i].next_us <= now) {
				now = s.worker[i].next_us;
				next = i;
			}
		if (next == -1)
			burst(&s, now);
		else
			serve(&s, (unsigned)next, now);
	}
	settle_all(&s);
	for (int i = 0; i < WORKERS; i++)
		for (size_t j = 0; j < COUNT_OF(s.worker[i].reader); j++) {
			struct reader *reader = &s.worker[i].reader[j];

			sum[reader->kind][0] += reader->bytes;
			sum[reader->kind][1] += reader->lost_bytes;
			sum[reader->kind][2] += reader->voids;
			sum[reader->kind][3] += reader->skips;
		}
	CHECK(sum[KEEN][1] == 0 && sum[KEEN][3] == 0);
	CHECK(sum[GUARDED][0] > 0 && sum[GUARDED][2] == 0);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			all[i][j] += sum[i][j];
	CHECK(s.worker[0].sleeps > 100);
	CHECK(s.worker[0].wakes + s.worker[0].asleep == s.worker[0].sleeps);
	printf("%llu bytes: slow lost %llu, guarded skipped %llu, late void %llu of %llu, %llu "
	       "sleeps\n",
	       (unsigned long long)ring_head_pos(&s.view), (unsigned long long)sum[SLOW][1],
	       (unsigned long long)sum[GUARDED][3], (unsigned long long)sum[LATE][2],
	       (unsigned long long)sum[LATE][0], (unsigned long long)s.worker[0].sleeps);
	ring_close(&s.writer);
	ring_close(&s.view);
	close(fd);
}

int main(void)
{
	struct random random = random_start("ring_sim");
	uint64_t all[4][4] = {{0}};

	for (int i = 0; i < 4; i++) {
		/* Bytes run out first, then entries. */
		run((struct random){random_next(&random) ^ 1}, 128 * 1024, 2048, 417, all);
		run((struct random){random_next(&random) ^ 1}, 1 << 20, 1024, 120, all);
	}
	/* Of a single run it would be left to chance: a guarded reader skips some fifteen times. */
	CHECK(all[SLOW][1] > 0 && all[SLOW][3] > 0);
	CHECK(all[GUARDED][3] > 0);
	CHECK(all[LATE][2] > 0);
	return 0;
}
