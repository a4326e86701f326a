/* Writers that are killed at random moments, one after the other, and readers in other processes who go
 * on all the while: each frame that is given is one that some writer wrote whole, in order, and what is
 * missing is counted. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "random.h"
#include "slot_box.h"

#define READERS  3
#define KILLS    200
#define ALIVE_US 3000  /* at most */
#define ALL_MS   6000  /* fewer kills where all is slower */
#define SEEN     10u   /* writers that each reader has seen at least */
#define DEAD_MS  60000 /* until it is noticed at the latest that the last one is dead */
#define SIZE     (64u * 64 * 2)

static struct together {
	_Atomic bool over;
	_Atomic unsigned ready;
	_Atomic uint64_t salt; /* the last that has written a frame */
	struct {
		uint64_t given, lost, torn, next;
		_Atomic uint64_t breaks, dead;
	} reader[READERS];
} * together;

static _Noreturn void write_until_killed(uint64_t salt)
{
	fc_writer_t *writer = fc_writer_open("k");

	CHECK(writer);
	for (;;) {
		const fc_frame_meta_t meta = {.pts_us = salt};

		slot_fill(fc_write_begin(writer), SIZE, fc_writer_position(writer), salt);
		CHECK(fc_write_commit(writer, &meta) == FC_OK);
		together->salt = salt;
		CHECK(fc_write_audio(writer, (const int32_t[]){1, 2, 3}, 3) == FC_OK);
	}
}

static _Noreturn void read_all(unsigned number)
{
	fc_slot_t *slot = fc_open("k");
	uint64_t salt = 0, next = fc_position(slot), torn = 0;
	uint8_t buf[SIZE];
	fc_frame_t *frame;

	CHECK(slot);
	together->ready++;
	for (;;) {
		bool last = together->over, whole;
		int result = number ? fc_copy_frame(slot, &frame, buf, SIZE, 5)
				    : fc_read_frame(slot, &frame, 5);

		if (result == FC_DEAD)
			together->reader[number].dead++;
		if (result != FC_OK && last)
			break;
		if (result != FC_OK) {
			CHECK(result == FC_TIMEOUT || result == FC_DEAD || result == FC_STALLED);
			continue;
		}
		CHECK(frame->index == next + frame->lost);
		whole = slot_is(frame->data, SIZE, frame->index, frame->pts_us);
		if (number || fc_frame_valid(slot, frame)) {
			CHECK(whole && frame->pts_us >= salt);
			/* A new writer says so with its first frame; one who reads in place may have had
			 * to throw that away. */
			if (number && frame->pts_us != salt && frame->lost == 0 && next > 0)
				CHECK(frame->flags == FC_FRAME_DISCONTINUITY);
			together->reader[number].breaks += frame->pts_us != salt;
			salt = frame->pts_us;
		} else {
			torn += !whole;
		}
		next = frame->index + 1;
		together->reader[number].given++;
	}
	together->reader[number].lost = fc_lost(slot);
	together->reader[number].next = next;
	together->reader[number].torn = torn;
	_exit(0);
}

static pid_t child[READERS];

/* A busy machine may keep a reader from all of this for long, and writers from their first frame. */
static bool each_has_seen(bool the_dead)
{
	for (unsigned i = 0; i < READERS; i++) {
		CHECK(waitpid(child[i], NULL, WNOHANG) == 0);
		if (the_dead ? together->reader[i].dead == 0 : together->reader[i].breaks < SEEN)
			return false;
	}
	return true;
}

int main(void)
{
	fc_config_t config = slot_config(64, 64, 6);
	struct random random = random_start("kill");
	uint64_t end = slot_now_ms() + ALL_MS, written;
	fc_writer_t *writer;
	unsigned kills = 0;

	slot_box_make();
	config.audio_channels = 1;
	together = mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(together != MAP_FAILED && fc_slot_create("k", &config, 0) == 0);
	for (unsigned i = 0; i < READERS; i++) {
		child[i] = slot_fork();
		if (child[i] == 0)
			read_all(i);
	}
	while (together->ready < READERS)
		slot_nap_us(500);
	for (; (kills < KILLS && slot_now_ms() < end) || !each_has_seen(false); kills++) {
		/* Some die at their start; the others are not killed before they write, however late that is. */
		bool early = random_percent(&random, 25);
		pid_t pid = slot_fork();
		int status;

		if (pid == 0)
			write_until_killed(kills + 1);
		while (!early && together->salt != kills + 1)
			slot_nap_us(50);
		slot_nap_us((unsigned)random_below(&random, ALIVE_US));
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		CHECK(WTERMSIG(status) == SIGKILL);
	}
	for (end = slot_now_ms() + DEAD_MS; !each_has_seen(true);) {
		CHECK(slot_now_ms() < end);
		slot_nap_us(1000);
	}
	together->over = true;
	for (unsigned i = 0; i < READERS; i++) {
		int status;

		CHECK(waitpid(child[i], &status, 0) == child[i] && status == 0);
	}
	writer = fc_writer_open("k");
	CHECK(writer);
	written = fc_writer_position(writer);
	for (unsigned i = 0; i < READERS; i++) {
		CHECK(together->reader[i].next == written);
		CHECK(together->reader[i].given + together->reader[i].lost == written);
	}
	printf("%u writers killed, %llu frames written\n", kills, (unsigned long long)written);
	fc_writer_close(writer);
	slot_box_remove();
	return 0;
}
