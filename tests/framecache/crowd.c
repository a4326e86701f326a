/* Any number of consumer processes, and each sees every frame; one that is stopped costs nobody else a
 * frame and is told exactly what it lost. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "slot_box.h"

#define MOST  256u
#define SIZE  (16u * 16 * 2)
#define DEPTH 120u

static struct together {
	_Atomic unsigned ready;
	struct {
		_Atomic uint64_t given, lost, next;
	} reader[MOST];
} * together;

static _Noreturn void consume(unsigned number)
{
	fc_slot_t *slot = fc_open("crowd");
	fc_frame_t *frame;
	int result;

	CHECK(slot);
	together->ready++;
	do {
		bool whole, valid;

		result = fc_read_frame(slot, &frame, 1000);
		if (result != FC_OK)
			continue;
		whole = slot_is(frame->data, SIZE, frame->index, 1);
		/* Who is stopped while he looks finds the frame overwritten, and is told so. */
		valid = fc_frame_valid(slot, frame);
		CHECK(whole || !valid);
		CHECK(frame->index == together->reader[number].next + frame->lost);
		together->reader[number].next = frame->index + 1;
		together->reader[number].given += valid;
		together->reader[number].lost += frame->lost + !valid;
	} while (result != FC_CLOSED);
	_exit(0);
}

/* The writer may be a ring ahead of who is slowest; here it waits for that one, as how fast this machine
 * turns 256 processes is not what is asked. Without limit: those who are stopped. */
static void wait_for(unsigned from, unsigned to, uint64_t index)
{
	for (unsigned i = from; i < to; i++)
		while (together->reader[i].next + DEPTH / 2 < index)
			slot_nap_us(200);
}

static void put(fc_writer_t *writer)
{
	uint64_t index = fc_writer_position(writer);
	uint8_t pixels[SIZE];

	slot_fill(pixels, SIZE, index, 1);
	CHECK(fc_write_frame(writer, pixels, SIZE, index) == FC_OK);
}

/* All but the first `stopped` readers run all the time. */
static void crowd(unsigned readers, unsigned stopped, unsigned frames)
{
	fc_config_t config = slot_config(16, 16, DEPTH);
	fc_writer_t *writer;
	pid_t child[MOST];

	memset(together, 0, sizeof *together);
	CHECK(fc_slot_create("crowd", &config, 0) == 0);
	writer = fc_writer_open("crowd");
	CHECK(writer);
	for (unsigned i = 0; i < readers; i++) {
		child[i] = slot_fork();
		if (child[i] == 0)
			consume(i);
	}
	while (together->ready < readers)
		slot_nap_us(1000);
	for (unsigned n = 0; n < frames; n++) {
		if (n == frames / 4)
			for (unsigned i = 0; i < stopped; i++) {
				int status;

				CHECK(kill(child[i], SIGSTOP) == 0);
				CHECK(waitpid(child[i], &status, WUNTRACED) == child[i]);
				CHECK(WIFSTOPPED(status));
			}
		wait_for(n < frames / 4 ? 0 : stopped, readers, n);
		put(writer);
	}
	wait_for(stopped, readers, frames);
	for (unsigned i = 0; i < stopped; i++)
		CHECK(kill(child[i], SIGCONT) == 0);
	/* Who was stopped reads what is newest before the end. */
	fc_writer_close(writer);
	for (unsigned i = 0; i < readers; i++) {
		uint64_t given, lost;
		int status;

		CHECK(waitpid(child[i], &status, 0) == child[i] && status == 0);
		given = together->reader[i].given;
		lost = together->reader[i].lost;
		CHECK(given + lost == frames);
		CHECK(i < stopped ? lost > 0 : lost == 0);
	}
	CHECK(fc_slot_remove("crowd", 0) == 0);
	printf("%u readers, %u of them stopped: %u frames seen by each of the others\n", readers,
	       stopped, frames);
}

int main(void)
{
	static const unsigned counts[] = {1, 3, 16, 64, 256};

	slot_box_make();
	together = mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(together != MAP_FAILED);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		crowd(counts[i], 0, 300);
	crowd(16, 1, 800);
	crowd(8, 3, 800);
	slot_box_remove();
	return 0;
}
