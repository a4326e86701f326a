/* timeline: whatever times come, frames are numbered one after the other, a hole that is filled is no longer than a
 * second, sound never runs backwards, and after a leap the picture that leapt is the next frame. */
#include <string.h>

#include "timeline.h"

#include "property.h"

static int64_t time_at(const uint8_t *data)
{
	int64_t us;

	memcpy(&us, data, sizeof us);
	/* Near each other and far apart: the first byte's place says by how much. */
	return us >> (data[0] & 63);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timeline line = {0};
	uint32_t rate;

	if (size < 12)
		return 0;
	memcpy(&line.fps_num, data, 4);
	memcpy(&line.fps_den, data + 4, 4);
	memcpy(&rate, data + 8, 4);
	timeline_rate_tidy(&line.fps_num, &line.fps_den);
	/* What a slot may have (fc_client.h). */
	line.fps_num = line.fps_num % 1000000 + 1;
	line.fps_den = line.fps_den % 1000000 + 1;
	rate = rate % 192000 + 1;
	for (data += 12, size -= 12; size >= 8; data += 8, size -= 8) {
		int64_t pts = time_at(data);
		uint64_t missing, second = line.fps_num / line.fps_den + 1;
		enum timeline_place place = timeline_place(&line, pts, &missing);

		PROPERTY(place == TIMELINE_FRAME || missing == 0);
		PROPERTY(missing <= second);
		if (place == TIMELINE_JUMP) {
			timeline_begin(&line, pts);
			PROPERTY(timeline_place(&line, pts, &missing) == TIMELINE_FRAME &&
				 missing == 0);
			PROPERTY(timeline_sample_at(&line, pts, rate) == 0);
		} else if (place == TIMELINE_FRAME) {
			line.next += (int64_t)missing + 1;
			PROPERTY(timeline_place(&line, pts, &missing) != TIMELINE_FRAME);
		}
		PROPERTY(timeline_samples(&line, line.next + 1, rate) >=
			 timeline_samples(&line, line.next, rate));
	}
	return 0;
}
