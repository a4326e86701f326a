/* Writer and readers as threads of one process: here TSan sees both sides. Words pass by their order, pixels
 * only through the library's one copying function; what is given is whole. */
#include <pthread.h>

#include "slot_box.h"

#define READERS 3
#define SIZE    (32u * 32 * 2)
#define RUN_MS  300u

static _Atomic bool over;
static _Atomic unsigned ready;

static void *read_all(void *arg)
{
	fc_slot_t *slot = fc_open("threads");
	uint64_t given = 0, *written = arg;
	uint8_t buf[SIZE];
	fc_frame_t *frame;
	int result;
	bool last;

	CHECK(slot);
	ready++;
	do {
		/* Before the look: what was written meanwhile is not the end. */
		last = over;
		result = fc_copy_frame(slot, &frame, buf, SIZE, 50);
		if (result == FC_OK) {
			CHECK(frame->pts_us == frame->index && slot_is(buf, SIZE, frame->index, 1));
			given++;
		}
	} while (result == FC_OK || !last);
	*written = given + fc_lost(slot);
	fc_close(slot);
	return NULL;
}

int main(void)
{
	fc_config_t config = slot_config(32, 32, 4);
	uint64_t counted[READERS], index = 0;
	pthread_t thread[READERS];
	fc_writer_t *writer;
	uint8_t pixels[SIZE];

	slot_box_make();
	CHECK(fc_slot_create("threads", &config, 0) == 0);
	writer = fc_writer_open("threads");
	CHECK(writer);
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_create(&thread[i], NULL, read_all, &counted[i]) == 0);
	while (ready < READERS)
		slot_nap_us(500);
	for (uint64_t end = slot_now_ms() + RUN_MS; slot_now_ms() < end; index++) {
		slot_fill(pixels, SIZE, index, 1);
		CHECK(fc_write_frame(writer, pixels, SIZE, index) == FC_OK);
	}
	fc_writer_close(writer);
	over = true;
	for (unsigned i = 0; i < READERS; i++) {
		CHECK(pthread_join(thread[i], NULL) == 0);
		CHECK(counted[i] == index);
	}
	slot_box_remove();
	return 0;
}
