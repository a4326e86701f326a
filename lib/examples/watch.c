/* watch: follows a slot and says once a second how it goes. The smallest whole reader.
 *
 *     cc watch.c $(pkg-config --cflags --libs fc_client) && ./a.out studio1 */
#include <inttypes.h>
#include <stdio.h>

#include "fc_client.h"

/* Something that takes all pixels to compute. */
static uint64_t brightness(const fc_frame_t *frame)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i < frame->size; i += 2)
		sum += frame->data[i];
	return sum / (frame->size / 2 + 1);
}

int main(int argc, char **argv)
{
	fc_slot_t *slot = argc == 2 ? fc_open_wait(argv[1], 60000) : NULL;
	uint64_t seen = 0, torn = 0, second = 0;
	int result = FC_OK;

	if (!slot) {
		perror(argc == 2 ? argv[1] : "usage: watch SLOT");
		return 1;
	}
	while (result != FC_CLOSED && result != FC_SUPERSEDED && result != FC_BROKEN) {
		fc_frame_t *frame;

		result = fc_read_frame(slot, &frame, 1000);
		if (result == FC_OK) {
			uint64_t level = brightness(frame);

			/* The writer waits for nobody: what it overwrote meanwhile is void. */
			if (!fc_frame_valid(slot, frame)) {
				torn++;
				continue;
			}
			seen++;
			if (frame->pts_us / 1000000 == second)
				continue;
			second = frame->pts_us / 1000000;
			printf("frame %" PRIu64 ": brightness %" PRIu64 ", seen %" PRIu64
			       ", lost %" PRIu64 ", void %" PRIu64 "\n",
			       frame->index, level, seen, fc_lost(slot), torn);
		} else {
			printf("%s\n", fc_result_name(result));
		}
	}
	fc_close(slot);
	return 0;
}
