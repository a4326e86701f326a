/* A writer that is as fast as it can be, a ring of few frames, and readers in processes of their own, each
 * word of whose frames is checked: torn frames come in masses, and not one is taken for a whole one. What
 * each reader was given and what it was told that it lost add up to what was written. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "slot_box.h"

#define READERS 4
#define SIZE    (64u * 64 * 2)
#define RUN_MS  600u
#define SOUND   50u
#define TRIES   10 /* in which nobody was overtaken, as the machine let the writer write little */

struct tally {
	uint64_t given, lost, torn, undetected, sound, sound_lost, sound_wrong;
	uint64_t first, next;
};

static struct together {
	_Atomic bool over;
	_Atomic unsigned ready;
	uint64_t written;
	struct tally tally[READERS];
} * together;

static _Noreturn void write_all(void)
{
	fc_writer_t *writer = fc_writer_open("t");
	int32_t sound[SOUND];
	uint64_t index = 0;

	CHECK(writer);
	while (together->ready < READERS)
		slot_nap_us(500);
	for (uint64_t end = slot_now_ms() + RUN_MS; slot_now_ms() < end; index++) {
		const fc_frame_meta_t meta = {.pts_us = index * 3};

		for (uint32_t i = 0; i < SOUND; i++)
			sound[i] = (int32_t)(index * SOUND + i);
		CHECK(fc_write_audio(writer, sound, SOUND) == FC_OK);
		slot_fill(fc_write_begin(writer), SIZE, index, 1);
		CHECK(fc_write_commit(writer, &meta) == FC_OK);
	}
	together->written = index;
	fc_writer_close(writer);
	_exit(0);
}

static void hear(fc_slot_t *slot, const fc_frame_t *frame, struct tally *tally)
{
	int32_t sound[SOUND];
	int result = fc_frame_audio(slot, frame, sound, sizeof sound);

	CHECK(result == FC_OK || result == FC_LOST);
	tally->sound_lost += result == FC_LOST;
	if (result == FC_LOST)
		return;
	tally->sound++;
	for (uint32_t i = 0; i < SOUND; i++)
		tally->sound_wrong += sound[i] != (int32_t)(frame->index * SOUND + i);
}

/* Some copy, some look twice in place, with a nap in between so as to be overtaken there. */
static _Noreturn void read_all(unsigned number)
{
	struct tally *tally = &together->tally[number];
	bool copies = number % 2;
	fc_slot_t *slot = fc_open("t");
	uint8_t buf[SIZE];
	fc_frame_t *frame;
	int result;

	CHECK(slot);
	tally->first = tally->next = fc_position(slot);
	together->ready++;
	for (;;) {
		bool whole;

		result = copies ? fc_copy_frame(slot, &frame, buf, SIZE, 20)
				: fc_read_frame(slot, &frame, 20);
		if (result == FC_CLOSED)
			break;
		if (result != FC_OK) {
			CHECK(result == FC_TIMEOUT || result == FC_STALLED);
			continue;
		}
		CHECK(frame->index == tally->next + frame->lost);
		tally->next = frame->index + 1;
		tally->given++;
		if (!copies && frame->index % 5 == 0)
			slot_nap_us(200);
		whole = frame->size == SIZE && frame->pts_us == frame->index * 3 &&
			slot_is(frame->data, SIZE, frame->index, 1);
		hear(slot, frame, tally);
		if (!copies && !fc_frame_valid(slot, frame))
			tally->torn += !whole;
		else
			tally->undetected += !whole;
	}
	tally->lost = fc_lost(slot);
	fc_close(slot);
	_exit(0);
}

static uint64_t torture(uint32_t depth)
{
	fc_config_t config = slot_config(64, 64, depth);
	pid_t child[READERS + 1];
	uint64_t torn = 0, lost = 0;

	config.audio_channels = 1;
	config.fps_num = 1000;
	config.fps_den = 1;
	memset(together, 0, sizeof *together);
	CHECK(fc_slot_create("t", &config, 0) == 0);
	for (unsigned i = 0; i <= READERS; i++) {
		child[i] = slot_fork();
		if (child[i] == 0 && i == READERS)
			write_all();
		else if (child[i] == 0)
			read_all(i);
	}
	for (unsigned i = 0; i <= READERS; i++) {
		int status;

		CHECK(waitpid(child[i], &status, 0) == child[i] && status == 0);
	}
	for (unsigned i = 0; i < READERS; i++) {
		const struct tally *tally = &together->tally[i];

		CHECK(tally->undetected == 0);
		CHECK(tally->sound_wrong == 0);
		CHECK(tally->first == 0 && tally->given + tally->lost == together->written);
		CHECK(tally->next == together->written);
		torn += tally->torn;
		lost += tally->lost;
	}
	printf("depth %u: %llu frames written, %llu lost to %d readers, %llu torn ones noticed\n",
	       depth, (unsigned long long)together->written, (unsigned long long)lost, READERS,
	       (unsigned long long)torn);
	fflush(stdout);
	CHECK(fc_slot_remove("t", 0) == 0);
	return torn;
}

int main(void)
{
	static const uint32_t depths[] = {2, 3, 4, 16};
	uint64_t torn = 0;

	slot_box_make();
	together = mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(together != MAP_FAILED);
	for (size_t i = 0; i < COUNT_OF(depths); i++)
		torn += torture(depths[i]);
	for (unsigned tries = 0; torn == 0 && tries < TRIES; tries++)
		torn += torture(depths[0]);
	CHECK(torn > 0); /* or nothing was proven */
	slot_box_remove();
	return 0;
}
