/* mp3: whatever arrives and however it is split, the same frames come out, each with a header that
 * says its length, and no byte is lost. The first two bytes say how the rest is split. */
#include "property.h"

#define FRAMING_CHECK(what) PROPERTY(what)
#include "../tests/unit/framing.h"
#include "radio/proto/mp3.h"

static struct mp3_framer framer;

static enum framer_status next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return mp3_next(from, in, end, unit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cuts whole, split;

	if (size < 2)
		return 0;
	struct bytes in = bytes_of(data + 2, size - 2);

	mp3_init(&framer);
	framing_run(next, &framer, in, FRAMING_WHOLE, &whole);
	mp3_init(&framer);
	framing_run(next, &framer, in,
		    (struct framing_feed){.step = data[0] * 8u + 1, .seed = data[1]}, &split);
	PROPERTY(framing_same(&whole, &split));
	for (size_t i = 0; i < whole.count; i++) {
		struct bytes frame = bytes_of(in.at + whole.list[i].at, whole.list[i].len);

		if (whole.list[i].skip)
			continue;
		PROPERTY(whole.list[i].flags == UNIT_KEY && whole.list[i].pieces == 1);
		PROPERTY(frame.len >= 24 && frame.len <= 2881);
		PROPERTY(frame.at[0] == 0xFF && frame.at[1] >= 0xE0 && frame.at[2] >> 4 != 15);
		/* 384 samples at 48 kHz to 1152 at 8 kHz */
		PROPERTY(whole.list[i].duration_us >= 8000 && whole.list[i].duration_us <= 144000);
	}
	return 0;
}
