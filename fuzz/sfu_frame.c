/* Packets in a stream: they lie inside it, each behind its length, and are the same however the stream is
 * cut. The first byte is where it is cut, the second the longest packet. */
#include <string.h>

#include "property.h"
#include "sfu/proto/frame.h"

/* What was taken, head and all, up to the end or to what is too long. */
static size_t take(struct bytes in, size_t max, uint64_t *hash, bool *bad)
{
	size_t taken = 0;
	enum frame_status status;
	struct bytes packet, whole = in;

	while ((status = frame_next(&in, max, &packet)) == FRAME_WHOLE) {
		uint8_t head[FRAME_HEAD];
		struct writer w = writer_of(head, sizeof head);

		PROPERTY(part_inside(packet, whole) && packet.len <= max);
		frame_write_head(&w, packet.len);
		PROPERTY(writer_ok(&w) && memcmp(whole.at + taken, head, sizeof head) == 0);
		taken += FRAME_HEAD + packet.len;
		PROPERTY(taken + in.len == whole.len);
		*hash = (*hash ^ packet.len) * 1099511628211u;
		for (size_t i = 0; i < packet.len; i++)
			*hash = (*hash ^ packet.at[i]) * 1099511628211u;
	}
	*bad = status == FRAME_LONG;
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t once = 0, twice = 0;
	size_t max, cut, all, first, second = 0;
	bool bad, bad_first, bad_second = false;
	struct bytes in;

	if (size < 2)
		return 0;
	in = bytes_of(data + 2, size - 2);
	max = (size_t)data[1] * 4;
	cut = in.len * data[0] / 255;
	all = take(in, max, &once, &bad);
	first = take(bytes_first(in, cut), max, &twice, &bad_first);
	if (!bad_first)
		second = take(bytes_skip(in, first), max, &twice, &bad_second);
	PROPERTY(first + second == all && once == twice && bad == (bad_first || bad_second));
	return 0;
}
