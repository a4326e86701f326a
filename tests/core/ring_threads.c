/* One writer at full speed, and readers of both kinds on the other cores, for a second: what a
 * reader takes for whole is compared to the last byte. This is what TSan watches. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "../ring_box.h"

#define RUN_MS     1000
#define LARGEST    2000u
#define DATA_SIZE  (64u * 1024)
#define GUARD      (8u * 1024)
#define EXACT      2
#define IN_PLACE   2
#define PAUSE_EACH 64 /* records; now and then the writer lets slow readers catch up */
#define NAP_NS     1000000

/* One mapping for all: TSan knows memory by its address. */
static struct ring shared_view;
static _Atomic bool over;

struct reader {
	pthread_t thread;
	bool in_place;
	_Atomic bool reads; /* it has had a byte */
	uint64_t records, bytes, lost_records, lost_bytes, laps, voids;
	struct ring_cursor end;
};

static void *write_all(void *arg)
{
	struct random random = random_start("ring_threads");
	struct ring ring = shared_view;
	struct timespec pause = {0, 50000};
	static uint8_t buf[LARGEST];

	(void)arg;
	CHECK(ring_claim(&ring, 1, false) == 0);
	for (uint64_t n = 0; !atomic_load(&over); n++) {
		ring_put(&ring, buf, random_below(&random, LARGEST), 5);
		if (random_below(&random, PAUSE_EACH) == 0)
			nanosleep(&pause, NULL);
	}
	ring_release(&ring);
	return NULL;
}

/* Reads all there is, copying; the loss and the records add up to what was published. */
static void read_copies(const struct ring *ring, struct reader *reader, struct ring_cursor *cursor)
{
	uint8_t buf[LARGEST];

	for (;;) {
		struct ring_cursor was = *cursor;
		struct ring_loss loss;
		struct record record;

		switch (ring_read(ring, cursor, &record, buf, sizeof buf, &loss)) {
		case RING_RECORD:
			CHECK(record.seq == was.seq && record.pos == was.pos);
			CHECK(record.word[0] == 5 && record.word[1] == ~5ull);
			CHECK(payload_is(bytes_of(buf, record.len), record.seq, 5));
			reader->records++;
			reader->bytes += record.len;
			if (record.len)
				atomic_store(&reader->reads, true);
			break;
		case RING_LAPPED:
			CHECK(loss.records > 0 && cursor->seq == was.seq + loss.records);
			CHECK(cursor->pos == was.pos + loss.bytes);
			reader->lost_records += loss.records;
			reader->lost_bytes += loss.bytes;
			reader->laps++;
			break;
		case RING_EMPTY: return;
		case RING_SMALL: CHECK(false);
		}
	}
}

/* Uses bytes where they lie, record by record, and asks afterwards whether that held. */
static void read_in_place(const struct ring *ring, struct reader *reader,
			  struct ring_cursor *cursor)
{
	uint64_t head = ring_head_pos(ring);
	struct record record;

	while (cursor->pos < head) {
		bool same;

		if (!ring_keeps(ring, cursor->pos, GUARD) ||
		    !ring_find_pos(ring, cursor->pos, &record) || record.pos + record.len > head) {
			/* Too near to intent: to the newest record, as a family might. */
			if (!ring_peek(ring, ring_head_seq(ring) - 1, &record))
				continue;
			reader->lost_bytes += record.pos + record.len - cursor->pos;
			reader->laps++;
			cursor->pos = record.pos + record.len;
			return;
		}
		CHECK(record.pos == cursor->pos);
		same = payload_is(ring_bytes(ring, record.pos, record.pos + record.len), record.seq,
				  5);
		if (ring_keeps(ring, cursor->pos, 0))
			CHECK(same);
		else
			reader->voids++;
		reader->bytes += record.len;
		cursor->pos += record.len;
		if (record.len)
			atomic_store(&reader->reads, true);
	}
}

static void *read_all(void *arg)
{
	struct reader *reader = arg;
	struct ring ring = shared_view;
	struct ring_cursor cursor = {1, 0};

	for (;;) {
		bool last = atomic_load(&over);

		if (reader->in_place)
			read_in_place(&ring, reader, &cursor);
		else
			read_copies(&ring, reader, &cursor);
		if (last)
			break;
		if (!reader->in_place)
			(void)!ring_wait(&ring, cursor.seq, 100);
	}
	reader->end = cursor;
	return NULL;
}

/* A second, and as much longer as the machine keeps one of them from its work. */
int main(void)
{
	struct reader reader[EXACT + IN_PLACE] = {0};
	struct timespec nap = {0, NAP_NS}, run = {RUN_MS / 1000, RUN_MS % 1000 * 1000000L};
	pthread_t writer;
	int fd = ring_box(DATA_SIZE, 1024);

	shared_view = ring_view(fd, true);
	CHECK(pthread_create(&writer, NULL, write_all, NULL) == 0);
	for (int i = 0; i < EXACT + IN_PLACE; i++) {
		reader[i].in_place = i >= EXACT;
		CHECK(pthread_create(&reader[i].thread, NULL, read_all, &reader[i]) == 0);
	}
	nanosleep(&run, NULL);
	for (int i = 0; i < EXACT + IN_PLACE; i++)
		while (!atomic_load(&reader[i].reads))
			nanosleep(&nap, NULL);
	atomic_store(&over, true);
	CHECK(pthread_join(writer, NULL) == 0);
	for (int i = 0; i < EXACT + IN_PLACE; i++) {
		struct reader *r = &reader[i];

		CHECK(pthread_join(r->thread, NULL) == 0);
		printf("%s: %llu bytes, %llu lost, %llu laps, %llu void\n",
		       r->in_place ? "in place" : "copies", (unsigned long long)r->bytes,
		       (unsigned long long)r->lost_bytes, (unsigned long long)r->laps,
		       (unsigned long long)r->voids);
		CHECK(r->bytes > 0 && r->bytes + r->lost_bytes == r->end.pos);
		if (r->in_place)
			continue;
		/* over was set before the writer's last record: it may be behind the reader's end. */
		CHECK(r->records + r->lost_records + 1 == r->end.seq);
		CHECK(ring_head_seq(&shared_view) - r->end.seq <= 1);
	}
	ring_close(&shared_view);
	close(fd);
	return 0;
}
