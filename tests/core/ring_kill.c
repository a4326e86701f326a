/* A writer that is killed at random moments, hundreds of times, and readers in other processes who
 * go on all the while: what each reads is what some writer published, in one unbroken line, and
 * what it missed is told exactly. Each writer is a new process and takes over by force. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../ring_box.h"

#define KILLS      400
#define KILLS_MIN  20
#define ALIVE_US   3000 /* at most */
#define ALL_MS     4000 /* fewer kills where all is slower */
#define LARGEST    3000u
#define DATA_SIZE  (128u * 1024)
#define GUARD      (16u * 1024)
#define COPIERS    2
#define IN_PLACE   1
#define FIRST_SALT 1u /* of a writer: its epoch */

struct tally {
	uint64_t records, bytes, lost_records, lost_bytes, epochs, voids;
	struct ring_cursor end;
};

/* What the processes share besides the ring. */
static struct together {
	_Atomic bool over;
	_Atomic bool reads[COPIERS + IN_PLACE]; /* whether it has had a byte */
	struct tally tally[COPIERS + IN_PLACE];
} * together;

static int fd;
static pid_t reader[COPIERS + IN_PLACE];

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Noreturn void write_until_killed(struct random random)
{
	struct ring ring = ring_view(fd, true);
	static uint8_t buf[LARGEST];

	CHECK(ring_claim(&ring, (uint64_t)getpid(), true) == 0);
	for (;;)
		ring_put(&ring, buf,
			 random_below(&random, 20) ? random_below(&random, 200)
						   : random_below(&random, LARGEST),
			 ring_epoch(&ring));
}

static void copy_all(const struct ring *ring, struct tally *tally, _Atomic bool *reads)
{
	static uint8_t buf[LARGEST];
	uint64_t salt = FIRST_SALT;

	for (;;) {
		bool last = atomic_load(&together->over);
		struct ring_cursor was = tally->end;
		struct ring_loss loss = {0, 0};
		struct record record;

		switch (ring_read(ring, &tally->end, &record, buf, sizeof buf, &loss)) {
		case RING_RECORD:
			CHECK(record.seq == was.seq && record.pos == was.pos);
			CHECK(record.word[0] >= salt && record.word[1] == ~record.word[0]);
			CHECK(payload_is(bytes_of(buf, record.len), record.seq, record.word[0]));
			tally->epochs += record.word[0] != salt;
			salt = record.word[0];
			tally->records++;
			tally->bytes += record.len;
			if (record.len)
				atomic_store(reads, true);
			break;
		case RING_LAPPED:
			CHECK(tally->end.seq == was.seq + loss.records);
			CHECK(tally->end.pos == was.pos + loss.bytes);
			tally->lost_records += loss.records;
			tally->lost_bytes += loss.bytes;
			break;
		case RING_EMPTY:
			if (last)
				return;
			(void)!ring_wait(ring, was.seq, 20);
			break;
		case RING_SMALL: CHECK(false);
		}
	}
}

/* The record that begins where the reader is, when it is there and far enough from intent. A
 * reader that is not is put on the newest record. False: nothing to use yet. */
static bool next_in_place(const struct ring *ring, struct tally *tally, struct record *record)
{
	if (ring_keeps(ring, tally->end.pos, GUARD))
		/* Not there yet when its writer died between its two heads. */
		return ring_find_pos(ring, tally->end.pos, record);
	if (!ring_peek(ring, ring_head_seq(ring) - 1, record))
		return false;
	tally->lost_bytes += record->pos - tally->end.pos;
	tally->end.pos = record->pos;
	return true;
}

static void use_all(const struct ring *ring, struct tally *tally, _Atomic bool *reads)
{
	for (;;) {
		bool last = atomic_load(&together->over), same;
		struct record record;

		if (tally->end.pos == ring_head_pos(ring)) {
			if (last)
				return;
			continue;
		}
		if (!next_in_place(ring, tally, &record))
			continue;
		CHECK(record.pos == tally->end.pos);
		same = payload_is(ring_bytes(ring, record.pos, record.pos + record.len), record.seq,
				  record.word[0]);
		if (ring_keeps(ring, record.pos, 0))
			CHECK(same);
		else
			tally->voids++;
		tally->bytes += record.len;
		tally->end.pos += record.len;
		if (record.len)
			atomic_store(reads, true);
	}
}

/* A child that does not outlive a test that fails. */
static pid_t start(void)
{
	pid_t pid = fork();

	CHECK(pid != -1);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t start_reader(int i)
{
	pid_t pid = start();

	if (pid == 0) {
		struct ring ring = ring_view(fd, true);

		together->tally[i].end = (struct ring_cursor){1, 0};
		if (i < COPIERS)
			copy_all(&ring, &together->tally[i], &together->reads[i]);
		else
			use_all(&ring, &together->tally[i], &together->reads[i]);
		_exit(0);
	}
	return pid;
}

/* However late the machine lets it begin. */
static bool each_reads(void)
{
	for (int i = 0; i < COPIERS + IN_PLACE; i++) {
		CHECK(waitpid(reader[i], NULL, WNOHANG) == 0);
		if (!atomic_load(&together->reads[i]))
			return false;
	}
	return true;
}

int main(void)
{
	struct random random = random_start("ring_kill");
	pid_t writer;
	int64_t begin = now_ms();
	struct ring ring;
	unsigned kills = 0;
	int status;

	fd = ring_box(DATA_SIZE, 2048);
	ring = ring_view(fd, true);
	together = mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(together != MAP_FAILED);
	for (int i = 0; i < COPIERS + IN_PLACE; i++)
		reader[i] = start_reader(i);
	while (kills <= KILLS_MIN || !each_reads() ||
	       (kills < KILLS && now_ms() - begin < ALL_MS)) {
		struct timespec alive = {0, (long)random_below(&random, ALIVE_US) * 1000};
		uint64_t epoch = ring_epoch(&ring);

		writer = start();
		if (writer == 0)
			write_until_killed(random);
		while (ring_epoch(&ring) == epoch)
			nanosleep(&(struct timespec){0, 20000}, NULL);
		nanosleep(&alive, NULL);
		CHECK(kill(writer, SIGKILL) == 0);
		CHECK(waitpid(writer, &status, 0) == writer);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		CHECK(ring_claim(&ring, 1, false) == -EBUSY);
		random_next(&random);
		kills++;
	}
	/* What the last one left half done is completed; then the readers come to the end. */
	CHECK(ring_claim(&ring, 1, true) == 0);
	CHECK(ring_epoch(&ring) == kills + 1);
	atomic_store(&together->over, true);
	for (int i = 0; i < COPIERS + IN_PLACE; i++) {
		struct tally *tally = &together->tally[i];

		CHECK(waitpid(reader[i], &status, 0) == reader[i]);
		CHECK(status == 0);
		printf("%s: %llu bytes, %llu lost, %llu void, %llu writers seen of %u\n",
		       i < COPIERS ? "copies" : "in place", (unsigned long long)tally->bytes,
		       (unsigned long long)tally->lost_bytes, (unsigned long long)tally->voids,
		       (unsigned long long)tally->epochs, kills);
		CHECK(tally->bytes > 0 && tally->bytes + tally->lost_bytes == ring_head_pos(&ring));
		if (i < COPIERS)
			CHECK(tally->records + tally->lost_records + 1 == ring_head_seq(&ring));
	}
	ring_close(&ring);
	close(fd);
	return 0;
}
