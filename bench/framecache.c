/* framecache: what a slot costs beside its raw limits and beside named pipes, in the same run.
 *
 *     bench_framecache [publish|wake|cpu|stopped]... [--seconds N]
 *
 * publish: a frame copied into a slot, against memcpy() into a mapped file as large, rounds in turn.
 * wake:    from the commit to a waiting reader that runs, against a bare futex broadcast.
 * cpu:     processor time for one 1080p frame that one reader got, writer included; slot and pipes.
 * stopped: frames that readers get while one of them is stopped; slot and pipes.
 *
 * Prints JSON lines. bench/framecache.py adds GStreamer's shmsink. Not a test. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "fc_client.h"

#define READERS_MAX 16
#define WIDTH       1920u
#define HEIGHT      1080u
#define FRAME       (WIDTH * HEIGHT * 2)
#define DEPTH       30u
#define FRAME_NS    16683333u
#define SAMPLES     4096u

static char dir[] = "/dev/shm/fc-bench-XXXXXX";

static struct together {
	_Atomic unsigned ready, running;
	_Atomic bool over;
	_Atomic uint32_t bell; /* of the bare broadcast */
	_Atomic uint64_t rung_ns;
	struct {
		_Atomic uint64_t frames, cpu_ns, lost;
		uint32_t count[2];
		uint32_t delay_ns[2][SAMPLES];
	} reader[READERS_MAX];
	_Atomic uint64_t writer_cpu_ns, written;
} * together;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec at = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void nap_us(unsigned us)
{
	sleep_until(now_ns(CLOCK_MONOTONIC) + us * 1000ull);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *at, size_t count, double q)
{
	qsort(at, count, sizeof *at, compare);
	return count ? at[(size_t)(q * (double)(count - 1))] : 0;
}

static pid_t child(void)
{
	pid_t pid = fork();

	CHECK(pid != -1);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void slot_make(const char *name, uint32_t width, uint32_t height, uint32_t depth)
{
	const fc_config_t config = {.width = width,
				    .height = height,
				    .fps_num = 60000,
				    .fps_den = 1001,
				    .ring_depth = depth};

	CHECK(fc_slot_create(name, &config, FC_REPLACE) == 0);
}

static uint8_t *source_frame(void)
{
	uint8_t *frame = malloc(FRAME);

	CHECK(frame);
	for (uint32_t i = 0; i < FRAME; i++)
		frame[i] = (uint8_t)(i * 7);
	return frame;
}

/* --- publish -------------------------------------------------------------------------------- */

static void publish(unsigned seconds)
{
	enum { BATCH = DEPTH, ROUNDS_MAX = 400 };
	static double slot_ns[ROUNDS_MAX], raw_ns[ROUNDS_MAX], ratio[ROUNDS_MAX];
	const size_t stride = (FRAME + 4095) / 4096 * 4096 + 4096;
	uint64_t end = now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ull;
	uint8_t *frame = source_frame(), *raw;
	fc_writer_t *writer;
	size_t rounds = 0;
	char path[128];
	int fd;

	slot_make("publish", WIDTH, HEIGHT, DEPTH);
	writer = fc_writer_open("publish");
	CHECK(writer);
	snprintf(path, sizeof path, "%s/raw", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(posix_fallocate(fd, 0, (off_t)(stride * DEPTH)) == 0);
	raw = mmap(NULL, stride * DEPTH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	CHECK(raw != MAP_FAILED);
	for (unsigned n = 0; rounds < ROUNDS_MAX && now_ns(CLOCK_MONOTONIC) < end; n++) {
		for (unsigned half = 0; half < 2; half++) {
			bool bare = (n + half) % 2;
			uint64_t from = now_ns(CLOCK_MONOTONIC);

			for (size_t i = 0; i < BATCH; i++) {
				if (bare)
					memcpy(raw + i * stride + 4096, frame, FRAME);
				else
					CHECK(fc_write_frame(writer, frame, FRAME, i) == FC_OK);
			}
			*(bare ? &raw_ns[rounds] : &slot_ns[rounds]) =
				(double)(now_ns(CLOCK_MONOTONIC) - from) / BATCH;
		}
		ratio[rounds] = slot_ns[rounds] / raw_ns[rounds];
		rounds += n > 0; /* the first is to warm up */
	}
	printf("{\"bench\": \"framecache_publish\", \"frame_bytes\": %u, \"rounds\": %zu, "
	       "\"slot_us\": %.1f, \"memcpy_us\": %.1f, \"ratio\": %.4f}\n",
	       FRAME, rounds, quantile(slot_ns, rounds, 0.5) / 1000,
	       quantile(raw_ns, rounds, 0.5) / 1000, quantile(ratio, rounds, 0.5));
	fflush(stdout);
	fc_writer_close(writer);
	munmap(raw, stride * DEPTH);
	close(fd);
	unlink(path);
	CHECK(fc_slot_remove("publish", 0) == 0);
	free(frame);
}

/* --- wake ----------------------------------------------------------------------------------- */

enum { SLOT, BARE };

static void delay_note(unsigned number, unsigned kind, uint64_t since)
{
	uint32_t *count = &together->reader[number].count[kind];
	uint64_t delay = now_ns(CLOCK_MONOTONIC) - since;

	if (*count < SAMPLES)
		together->reader[number].delay_ns[kind][(*count)++] = (uint32_t)delay;
}

/* Both in turn, each time a whole round. */
static _Noreturn void wake_reader(unsigned number, unsigned rounds)
{
	fc_slot_t *slot = fc_open("wake");
	uint32_t seen = 0;

	CHECK(slot);
	fc_seek(slot, FC_SEEK_NEXT, 0);
	together->ready++;
	for (unsigned n = 0; n < rounds; n++) {
		fc_frame_t *frame;

		CHECK(fc_read_frame(slot, &frame, 60000) == FC_OK);
		delay_note(number, SLOT, frame->mono_ns);
		while (together->bell == seen)
			syscall(SYS_futex, &together->bell, FUTEX_WAIT, seen, NULL, NULL, 0);
		delay_note(number, BARE, together->rung_ns);
		seen++;
		together->running++;
	}
	_exit(0);
}

static void wake_print(unsigned readers)
{
	static double all[READERS_MAX * SAMPLES];
	double p50[2], p99[2];
	size_t count = 0;

	for (unsigned kind = 0; kind < 2; kind++) {
		count = 0;
		for (unsigned r = 0; r < readers; r++)
			for (uint32_t i = 0; i < together->reader[r].count[kind]; i++)
				all[count++] = together->reader[r].delay_ns[kind][i] / 1000.0;
		p50[kind] = quantile(all, count, 0.5);
		p99[kind] = quantile(all, count, 0.99);
	}
	printf("{\"bench\": \"framecache_wake\", \"readers\": %u, \"samples\": %zu, "
	       "\"slot_p50_us\": %.1f, \"futex_p50_us\": %.1f, \"ratio\": %.3f, "
	       "\"slot_p99_us\": %.1f, \"futex_p99_us\": %.1f}\n",
	       readers, count, p50[SLOT], p50[BARE], p50[SLOT] / p50[BARE], p99[SLOT], p99[BARE]);
	fflush(stdout);
}

static void wake(unsigned readers, unsigned seconds)
{
	unsigned rounds = seconds * 100 > SAMPLES ? SAMPLES : seconds * 100;
	fc_writer_t *writer;
	pid_t pid[READERS_MAX];

	memset(together, 0, sizeof *together);
	slot_make("wake", 16, 16, DEPTH);
	writer = fc_writer_open("wake");
	CHECK(writer);
	for (unsigned i = 0; i < readers; i++) {
		pid[i] = child();
		if (pid[i] == 0)
			wake_reader(i, rounds);
	}
	while (together->ready < readers)
		nap_us(500);
	for (unsigned n = 0; n < rounds; n++) {
		const fc_frame_meta_t meta = {0};

		nap_us(4000); /* asleep again */
		fc_write_begin(writer);
		CHECK(fc_write_commit(writer, &meta) == FC_OK);
		nap_us(4000);
		together->rung_ns = now_ns(CLOCK_MONOTONIC);
		together->bell++;
		syscall(SYS_futex, &together->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		while (together->running < readers * (n + 1))
			nap_us(200);
	}
	for (unsigned i = 0; i < readers; i++)
		waitpid(pid[i], NULL, 0);
	wake_print(readers);
	fc_writer_close(writer);
	CHECK(fc_slot_remove("wake", 0) == 0);
}

/* --- readers of whole frames ---------------------------------------------------------------- */

static uint64_t touch(const uint8_t *at)
{
	const uint64_t *word = (const void *)at;
	uint64_t sum = 0;

	for (size_t i = 0; i < FRAME / 8; i++)
		sum += word[i];
	return sum;
}

static void pipe_path(char *path, size_t size, unsigned number)
{
	snprintf(path, size, "%s/pipe%u", dir, number);
}

/* The first frames fault the pages in and are not counted. */
#define WARM (DEPTH + 2)

static void counted(unsigned number, uint64_t sum)
{
	static uint64_t seen, base;

	if (++seen == WARM)
		base = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (seen > WARM) {
		together->reader[number].frames++;
		together->reader[number].cpu_ns =
			now_ns(CLOCK_PROCESS_CPUTIME_ID) - base + (sum == 1);
	}
}

static _Noreturn void slot_reader(unsigned number, bool looks)
{
	fc_slot_t *slot = fc_open("cpu");
	int result;

	CHECK(slot);
	together->ready++;
	do {
		fc_frame_t *frame;

		result = fc_read_frame(slot, &frame, 1000);
		if (result != FC_OK)
			continue;
		counted(number, looks ? touch(frame->data) : 0);
		together->reader[number].lost = fc_lost(slot) + !fc_frame_valid(slot, frame);
	} while (result != FC_CLOSED);
	_exit(0);
}

static _Noreturn void pipe_reader(unsigned number, bool looks)
{
	uint8_t *buf = malloc(FRAME);
	char path[128];
	int fd;

	CHECK(buf);
	pipe_path(path, sizeof path, number);
	together->ready++;
	fd = open(path, O_RDONLY);
	CHECK(fd != -1);
	for (;;) {
		size_t got = 0;

		while (got < FRAME) {
			ssize_t part = read(fd, buf + got, FRAME - got);

			if (part <= 0)
				_exit(0);
			got += (size_t)part;
		}
		counted(number, looks ? touch(buf) : 0);
	}
}

static void pipe_write(int fd, const uint8_t *frame)
{
	for (size_t put = 0; put < FRAME;) {
		ssize_t part = write(fd, frame + put, FRAME - put);

		if (part <= 0)
			_exit(0);
		put += (size_t)part;
	}
}

/* 59.94 frames a second until it is over, or as many as a reader lets through. */
static _Noreturn void write_frames(bool piped, unsigned readers)
{
	fc_writer_t *writer = piped ? NULL : fc_writer_open("cpu");
	uint64_t at = now_ns(CLOCK_MONOTONIC), base = 0;
	uint8_t *frame = source_frame();
	int fd[READERS_MAX];

	CHECK(piped || writer);
	for (unsigned i = 0; piped && i < readers; i++) {
		char path[128];

		pipe_path(path, sizeof path, i);
		fd[i] = open(path, O_WRONLY);
		CHECK(fd[i] != -1);
		fcntl(fd[i], F_SETPIPE_SZ, 1 << 20);
	}
	for (unsigned n = 1; !together->over; n++) {
		if (n == WARM)
			base = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		for (unsigned i = 0; piped && i < readers; i++)
			pipe_write(fd[i], frame);
		if (!piped)
			CHECK(fc_write_frame(writer, frame, FRAME, n) == FC_OK);
		if (n > WARM) {
			together->written++;
			together->writer_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - base;
		}
		at += FRAME_NS;
		sleep_until(at);
	}
	fc_writer_close(writer);
	_exit(0);
}

struct cast {
	pid_t writer, reader[READERS_MAX];
	unsigned readers;
	bool piped;
};

static struct cast cast_start(bool piped, unsigned readers, bool looks)
{
	struct cast cast = {.readers = readers, .piped = piped};

	memset(together, 0, sizeof *together);
	if (!piped)
		slot_make("cpu", WIDTH, HEIGHT, DEPTH);
	for (unsigned i = 0; i < readers; i++) {
		char path[128];

		pipe_path(path, sizeof path, i);
		CHECK(!piped || mkfifo(path, 0600) == 0);
		cast.reader[i] = child();
		if (cast.reader[i] == 0) {
			if (piped)
				pipe_reader(i, looks);
			slot_reader(i, looks);
		}
	}
	while (together->ready < readers)
		nap_us(500);
	cast.writer = child();
	if (cast.writer == 0)
		write_frames(piped, readers);
	while (together->written == 0)
		nap_us(1000);
	return cast;
}

static void cast_end(struct cast *cast)
{
	together->over = true;
	nap_us(100000);
	kill(cast->writer, SIGKILL); /* it may be stuck in a full pipe */
	waitpid(cast->writer, NULL, 0);
	nap_us(50000);
	for (unsigned i = 0; i < cast->readers; i++) {
		char path[128];

		kill(cast->reader[i], SIGKILL);
		waitpid(cast->reader[i], NULL, 0);
		pipe_path(path, sizeof path, i);
		unlink(path);
	}
	if (!cast->piped)
		(void)!fc_slot_remove("cpu", FC_FORCE);
}

static uint64_t frames_of(const struct cast *cast, unsigned from)
{
	uint64_t sum = 0;

	for (unsigned i = from; i < cast->readers; i++)
		sum += together->reader[i].frames;
	return sum;
}

static void cpu(bool piped, unsigned readers, bool looks, unsigned seconds)
{
	struct cast cast = cast_start(piped, readers, looks);
	uint64_t spent, frames, lost = 0, reading = 0;

	sleep_until(now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ull);
	spent = together->writer_cpu_ns;
	frames = frames_of(&cast, 0);
	for (unsigned i = 0; i < readers; i++) {
		reading += together->reader[i].cpu_ns;
		lost += together->reader[i].lost;
	}
	printf("{\"bench\": \"framecache_cpu\", \"how\": \"%s\", \"readers\": %u, \"looks\": %s, "
	       "\"written\": %llu, \"delivered\": %llu, \"lost\": %llu, "
	       "\"cpu_us_per_delivered\": %.1f, \"writer_us_per_frame\": %.1f, "
	       "\"reader_us_per_frame\": %.1f}\n",
	       piped ? "pipe" : "slot", readers, looks ? "true" : "false",
	       (unsigned long long)together->written, (unsigned long long)frames,
	       (unsigned long long)lost,
	       frames ? (double)(spent + reading) / 1000 / (double)frames : 0,
	       together->written ? (double)spent / 1000 / (double)together->written : 0,
	       frames ? (double)reading / 1000 / (double)frames : 0);
	fflush(stdout);
	cast_end(&cast);
}

/* The first of the readers stands still. */
static void stopped(bool piped, unsigned readers, unsigned seconds)
{
	struct cast cast = cast_start(piped, readers, true);
	uint64_t before, after;

	sleep_until(now_ns(CLOCK_MONOTONIC) + 500000000);
	kill(cast.reader[0], SIGSTOP);
	nap_us(50000);
	before = frames_of(&cast, 1);
	sleep_until(now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ull);
	after = frames_of(&cast, 1);
	printf("{\"bench\": \"framecache_stopped\", \"how\": \"%s\", \"readers\": %u, "
	       "\"stopped\": 1, \"seconds\": %u, \"fps_of_each_other\": %.1f}\n",
	       piped ? "pipe" : "slot", readers, seconds,
	       (double)(after - before) / seconds / (readers - 1));
	fflush(stdout);
	kill(cast.reader[0], SIGCONT);
	cast_end(&cast);
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = {1, 3, 8}, sleepers[] = {1, 3, 8, 16};
	bool all, p = false, w = false, c = false, s = false;
	unsigned seconds = 3;

	for (int i = 1; i < argc; i++) {
		bool *which = strcmp(argv[i], "publish") == 0   ? &p
			      : strcmp(argv[i], "wake") == 0    ? &w
			      : strcmp(argv[i], "cpu") == 0     ? &c
			      : strcmp(argv[i], "stopped") == 0 ? &s
								: NULL;

		if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
			seconds = (unsigned)atoi(argv[++i]);
		else if (which)
			*which = true;
	}
	all = !p && !w && !c && !s;
	if (seconds == 0 || seconds > 600) {
		fprintf(stderr,
			"usage: bench_framecache [publish|wake|cpu|stopped]... [--seconds N]\n");
		return 2;
	}
	CHECK(mkdtemp(dir) && setenv("FC_DIR", dir, 1) == 0);
	together = mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(together != MAP_FAILED);
	if (all || p)
		publish(seconds);
	for (size_t i = 0; (all || w) && i < COUNT_OF(sleepers); i++)
		wake(sleepers[i], seconds);
	for (size_t i = 0; (all || c) && i < COUNT_OF(counts) * 4; i++)
		cpu(i / 2 % 2, counts[i / 4], i % 2, seconds);
	/* What is promised of sixteen that look at all. */
	if (all || c)
		cpu(false, 16, true, seconds);
	for (unsigned i = 0; (all || s) && i < 2; i++)
		stopped(i, 3, seconds);
	CHECK(rmdir(dir) == 0);
	return 0;
}
