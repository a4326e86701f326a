/* What the ring costs beside a bare memcpy() of the same bytes, in the same run.
 *
 * usage: bench_ring [SCALE]          SCALE 1 (about 10 s) is the default; one JSON object a line
 *
 *  publish   ring_publish() of one record     beside  memcpy() into a buffer of the ring's size
 *  read      ring_read() of one record        beside  memcpy() out of it
 *  step      what a reader does that sends bytes where they lie: load the head, keep the guard
 *            distance, find the bytes, ask afterwards; nothing is copied, nothing is sent
 *  cursors   1 … 100,000 such readers step once for each record published
 *  workers   1 … 8 threads with 1,000 such readers each, and a writer that publishes ten records
 *            every 100 microseconds: what a publish costs it, and the steps of all
 *
 * The order of the two sides changes each time; what is printed is the median of nine. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/ring.h"

#define ROUNDS      9
#define DATA_SIZE   (4u << 20)
#define ENTRIES     (1u << 16)
#define GUARD       (64u * 1024)
#define CURSORS_MAX 100000u
#define WORKERS_TOP 8

static struct ring ring;
static uint8_t payload[16384], copy[16384];
static uint8_t *plain; /* as large as the ring's data */
static unsigned scale = 1;
static _Atomic uint64_t sink; /* so that nothing measured is thrown away */

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void publish(size_t len)
{
	struct record record = {.flags = RECORD_KEY};
	uint64_t wake;

	CHECK(ring_publish(&ring, &record, bytes_of(payload, len), &wake) == 0);
}

/* One step of a reader in place. Whether it could go on from pos. */
static inline bool step(const struct ring *view, uint64_t *pos)
{
	uint64_t head = ring_head_pos(view);
	struct bytes bytes;

	if (head == *pos)
		return false;
	if (!ring_keeps(view, *pos, GUARD)) {
		*pos = head;
		return false;
	}
	bytes = ring_bytes(view, *pos, head);
	/* send() would be here. */
	*pos += bytes.len;
	return ring_keeps(view, *pos - bytes.len, 0);
}

/* --- one side of one measurement: so many records of len bytes; nanoseconds each ------------- */

static double by_publish(size_t len, unsigned count)
{
	double begin = now_ns();

	for (unsigned i = 0; i < count; i++)
		publish(len);
	return (now_ns() - begin) / count;
}

static double by_copy_in(size_t len, unsigned count)
{
	double begin = now_ns();
	size_t at = 0;

	for (unsigned i = 0; i < count; i++) {
		memcpy(plain + at, payload, len);
		at = at + 2 * len > DATA_SIZE ? 0 : at + len;
		__asm__ volatile("" ::: "memory");
	}
	return (now_ns() - begin) / count;
}

/* Records enough to read are in the ring: as many as a quarter of it, and again. */
static double by_read(size_t len, unsigned count)
{
	unsigned batch = (unsigned)(DATA_SIZE / 4 / len);
	double spent = 0;
	unsigned done = 0;

	while (done < count) {
		struct ring_cursor cursor;
		struct record record;
		double begin;

		for (unsigned i = 0; i < batch; i++)
			publish(len);
		cursor.seq = ring_head_seq(&ring) - batch;
		begin = now_ns();
		for (unsigned i = 0; i < batch; i++)
			CHECK(ring_read(&ring, &cursor, &record, copy, sizeof copy, NULL) ==
			      RING_RECORD);
		spent += now_ns() - begin;
		done += batch;
	}
	return spent / done;
}

static double by_copy_out(size_t len, unsigned count)
{
	unsigned batch = (unsigned)(DATA_SIZE / 4 / len);
	double spent = 0;
	unsigned done = 0;

	while (done < count) {
		double begin;

		for (unsigned i = 0; i < batch; i++)
			memcpy(plain + i * len, payload, len);
		begin = now_ns();
		for (unsigned i = 0; i < batch; i++) {
			memcpy(copy, plain + i * len, len);
			__asm__ volatile("" ::: "memory");
		}
		spent += now_ns() - begin;
		done += batch;
	}
	return spent / done;
}

static double by_step(size_t len, unsigned count)
{
	uint64_t steps = 0;
	double begin;

	publish(len);
	begin = now_ns();
	for (unsigned i = 0; i < count; i++) {
		uint64_t pos = ring.next_pos - len;

		steps += step(&ring, &pos);
	}
	CHECK(steps == count);
	return (now_ns() - begin) / count;
}

/* --- medians -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *of)
{
	qsort(of, ROUNDS, sizeof *of, compare);
	return of[ROUNDS / 2];
}

static void measure(const char *what, size_t len, double (*ours)(size_t len, unsigned count),
		    double (*bare)(size_t len, unsigned count))
{
	unsigned count = (unsigned)(20000000 / (len + 200)) * scale;
	double a[ROUNDS], b[ROUNDS], ns, bare_ns;

	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			b[i] = bare(len, count);
		a[i] = ours(len, count);
		if (i % 2 == 0)
			b[i] = bare(len, count);
	}
	ns = median(a);
	bare_ns = median(b);
	printf("{\"bench\": \"ring_%s\", \"len\": %zu, \"ns\": %.1f, \"memcpy_ns\": %.1f, "
	       "\"ratio\": %.2f}\n",
	       what, len, ns, bare_ns, ns / bare_ns);
	fflush(stdout);
}

static void measure_cursors(unsigned cursors, uint64_t *pos)
{
	unsigned records = (4000000 / (cursors + 100) + 5) * scale;
	double a[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t steps = 0;
		double begin;

		for (unsigned c = 0; c < cursors; c++)
			pos[c] = ring.next_pos;
		begin = now_ns();
		for (unsigned n = 0; n < records; n++) {
			publish(417);
			for (unsigned c = 0; c < cursors; c++)
				steps += step(&ring, &pos[c]);
		}
		a[i] = (now_ns() - begin) / ((double)records * cursors);
		CHECK(steps == (uint64_t)records * cursors);
	}
	printf("{\"bench\": \"ring_cursors\", \"len\": 417, \"cursors\": %u, \"ns_per_step\": "
	       "%.2f}\n",
	       cursors, median(a));
	fflush(stdout);
}

/* --- threads -------------------------------------------------------------------------------- */

static _Atomic bool over;

static void *worker(void *arg)
{
	struct ring view = ring;
	static _Thread_local uint64_t pos[1000];
	uint64_t steps = 0;

	for (size_t c = 0; c < COUNT_OF(pos); c++)
		pos[c] = ring_head_pos(&view);
	while (!atomic_load_explicit(&over, memory_order_relaxed))
		for (size_t c = 0; c < COUNT_OF(pos); c++)
			steps += step(&view, &pos[c]);
	*(uint64_t *)arg = steps;
	atomic_fetch_add(&sink, steps);
	return NULL;
}

static void measure_workers(unsigned workers)
{
	double publishes[ROUNDS], rates[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		pthread_t thread[WORKERS_TOP];
		uint64_t steps[WORKERS_TOP] = {0}, all = 0, records = 0;
		double begin, spent, publishing = 0;

		atomic_store(&over, false);
		for (unsigned w = 0; w < workers; w++)
			CHECK(pthread_create(&thread[w], NULL, worker, &steps[w]) == 0);
		begin = now_ns();
		do {
			double burst = now_ns();

			for (int n = 0; n < 10; n++, records++)
				publish(417);
			publishing += now_ns() - burst;
			while (now_ns() - burst < 1e5)
				;
			spent = now_ns() - begin;
		} while (spent < 1e8 * scale);
		atomic_store(&over, true);
		for (unsigned w = 0; w < workers; w++) {
			CHECK(pthread_join(thread[w], NULL) == 0);
			all += steps[w];
		}
		publishes[i] = publishing / (double)records;
		rates[i] = (double)all / (spent / 1e9);
	}
	printf("{\"bench\": \"ring_workers\", \"len\": 417, \"workers\": %u, \"publish_ns\": %.1f, "
	       "\"steps_per_second\": %.0f}\n",
	       workers, median(publishes), median(rates));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t lens[] = {64, 417, 1200, 16384};
	struct ring_shape shape = {DATA_SIZE, ENTRIES};
	int fd = memfd_create("bench-ring", MFD_CLOEXEC);
	uint64_t *pos = calloc(CURSORS_MAX, sizeof *pos);

	if (argc > 1)
		scale = (unsigned)strtoul(argv[1], NULL, 10);
	plain = calloc(1, DATA_SIZE);
	CHECK(fd != -1 && pos && plain && scale > 0);
	CHECK(ftruncate(fd, (off_t)ring_file_size(&shape)) == 0);
	CHECK(ring_format(fd, 0, &shape) == 0 && ring_open(&ring, fd, 0, true) == 0);
	CHECK(ring_claim(&ring, 1, false) == 0);
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < COUNT_OF(lens); i++)
		by_publish(lens[i], 2 * ENTRIES); /* all pages are there */
	for (size_t i = 0; i < COUNT_OF(lens); i++)
		measure("publish", lens[i], by_publish, by_copy_in);
	for (size_t i = 0; i < COUNT_OF(lens); i++)
		measure("read", lens[i], by_read, by_copy_out);
	for (size_t i = 0; i < COUNT_OF(lens); i++)
		measure("step", lens[i], by_step, by_copy_out);
	for (unsigned cursors = 1; cursors <= CURSORS_MAX; cursors *= 10)
		measure_cursors(cursors, pos);
	for (unsigned workers = 1; workers <= WORKERS_TOP; workers *= 2)
		measure_workers(workers);
	ring_close(&ring);
	close(fd);
	free(plain);
	free(pos);
	return 0;
}
