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
#define ALIVE_US 3000 /* at most */
#define ALL_MS   6000 /* fewer kills where all is slower */
#define SIZE     (64u * 64 * 2)

static struct together {
	_Atomic bool over;
	_Atomic unsigned ready;
	_Atomic uint64_t salt; /* which writer it is */
	struct {
		uint64_t given, lost, torn, breaks, next, dead;
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

int main(void)
{
	fc_config_t config = slot_config(64, 64, 6);
	struct random random = random_start("kill");
	uint64_t end = slot_now_ms() + ALL_MS, written;
	fc_writer_t *writer;
	pid_t child[READERS];
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
	for (; kills < KILLS && slot_now_ms() < end; kills++) {
		pid_t pid = slot_fork();
		int status;

		if (pid == 0)
			write_until_killed(kills + 1);
		slot_nap_us((unsigned)random_below(&random, ALIVE_US));
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		CHECK(WTERMSIG(status) == SIGKILL);
	}
	/* Dead for a while, so that it is noticed. */
	slot_nap_us(500000);
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
		CHECK(together->reader[i].breaks > kills / 20 && together->reader[i].dead > 0);
	}
	printf("%u writers killed, %llu frames written\n", kills, (unsigned long long)written);
	fc_writer_close(writer);
	slot_box_remove();
	return 0;
}
