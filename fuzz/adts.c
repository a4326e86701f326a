/* adts: whatever arrives and however it is split, the same ADTS and LOAS frames come out, as long
 * as their headers say, and no byte is lost. The first two bytes say how the rest is split. */
#include "property.h"

#define FRAMING_CHECK(what) PROPERTY(what)
#include "../tests/unit/framing.h"
#include "radio/proto/adts.h"

static struct adts_framer framer;

static enum framer_status next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return adts_next(from, in, end, unit);
}

static size_t length_of(struct bytes frame)
{
	if (frame.at[0] == 0x56)
		return (size_t)((frame.at[1] & 0x1F) << 8 | frame.at[2]) + 3;
	PROPERTY(frame.len > 7 && frame.at[0] == 0xFF && (frame.at[1] & 0xF6) == 0xF0);
	return (size_t)((frame.at[3] & 3) << 11 | frame.at[4] << 3 | frame.at[5] >> 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cuts whole, split;

	if (size < 2)
		return 0;
	struct bytes in = bytes_of(data + 2, size - 2);

	adts_init(&framer);
	framing_run(next, &framer, in, FRAMING_WHOLE, &whole);
	adts_init(&framer);
	framing_run(next, &framer, in,
		    (struct framing_feed){.step = data[0] * 8u + 1, .seed = data[1]}, &split);
	PROPERTY(framing_same(&whole, &split));
	for (size_t i = 0; i < whole.count; i++) {
		struct bytes frame = bytes_of(in.at + whole.list[i].at, whole.list[i].len);

		if (whole.list[i].skip)
			continue;
		PROPERTY(whole.list[i].pieces == 1 && (whole.list[i].flags & ~UNIT_KEY) == 0);
		PROPERTY(frame.len == length_of(frame));
		/* Sync never starts where a decoder cannot. */
		PROPERTY(whole.list[i].flags == UNIT_KEY || (i > 0 && frame.at[0] == 0x56));
	}
	return 0;
}
