/* produce: makes a slot and writes grey frames into it for so many seconds. The smallest whole writer.
 *
 *     cc produce.c $(pkg-config --cflags --libs fc_client) && ./a.out studio1 10 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fc_client.h"

int main(int argc, char **argv)
{
	const fc_config_t config = {.width = 1280,
				    .height = 720,
				    .fps_num = 50,
				    .fps_den = 1,
				    .source_type = "example"};
	long seconds = argc == 3 ? atol(argv[2]) : 0;
	fc_writer_t *writer;
	fc_info_t info;

	if (seconds <= 0) {
		fprintf(stderr, "usage: produce SLOT SECONDS\n");
		return 2;
	}
	/* One that is there, and that no living writer has, is replaced. */
	if (fc_slot_create(argv[1], &config, FC_REPLACE) != 0 ||
	    !(writer = fc_writer_open(argv[1]))) {
		perror(argv[1]);
		return 1;
	}
	fc_writer_info(writer, &info);
	for (uint64_t i = 0; i < (uint64_t)seconds * 50; i++) {
		const fc_frame_meta_t meta = {.pts_us = fc_pts_us(50, 1, i)};
		const struct timespec frame_time = {0, 20000000};

		/* In place: no copy. */
		memset(fc_write_begin(writer), (int)(i % 200), info.frame_size);
		if (fc_write_commit(writer, &meta) != FC_OK)
			break; /* somebody removed the slot */
		nanosleep(&frame_time, NULL);
	}
	fc_writer_close(writer);
	return 0;
}
