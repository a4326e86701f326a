/* Any packets, silence between them, in any order: what a strict reader of Ogg finds is what was put, with
 * granules that say how much, and no call writes more than its room. */
#include "voice/proto/ogg_opus.h"
#include "property.h"
#include "tests/unit/voice/ogg_pages.h"

#define PACKETS_MAX 512u

static uint8_t out[96u << 10];
static struct ogg_opus ogg;
static struct bytes put[PACKETS_MAX];

static void check(struct bytes in, size_t count, bool ended)
{
	struct ogg_page page;
	uint64_t samples = 0;
	uint32_t number = 0;
	size_t n = 0;

	while (in.len) {
		struct bytes packet;

		PROPERTY(ogg_page_read(&in, &page));
		PROPERTY(page.number == number && page.serial == 9);
		PROPERTY((page.flags == 2) == (number == 0));
		PROPERTY((page.flags == 4) == (ended && in.len == 0));
		while (ogg_packet_read(&page, &packet)) {
			uint32_t lasts = number < 2 ? 0 : opus_samples(packet);

			PROPERTY(number < 2 || lasts > 0);
			samples += lasts;
			/* What is not among those that were put is silence. */
			if (number >= 2 && n < count && bytes_equal(packet, put[n]))
				n++;
			else if (number >= 2)
				PROPERTY(packet.len == 3 && packet.at[1] == 0xff &&
					 packet.at[2] == 0xfe);
		}
		PROPERTY(page.lacing.len == 0 && page.body.len == 0);
		PROPERTY(page.granule == samples);
		number++;
	}
	PROPERTY(!ended || (n == count && samples == ogg.samples));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct writer w = writer_of(out, sizeof out);
	size_t count = 0;

	ogg_opus_head(&ogg, 9, bytes_first(in, 40), bytes_first(in, 3), &w);
	/* A byte says what: how long a packet, or how much silence. */
	while (in.len && count < PACKETS_MAX && w.len + 2 * OGG_OPUS_PAGE < sizeof out) {
		uint8_t what = in.at[0];
		size_t before = w.len;

		in = bytes_skip(in, 1);
		if (what < 0xf0) {
			struct bytes packet = bytes_first(in, what * 5u);

			in = bytes_skip(in, what < 16 ? packet.len : 1);
			if (ogg_opus_put(&ogg, packet, &w))
				put[count++] = packet;
			else
				PROPERTY(opus_samples(packet) == 0 && w.len == before);
		} else {
			uint64_t want = ogg.samples + (what & 15u) * 7777u;
			bool more = ogg_opus_pad(&ogg, want, &w);

			PROPERTY(more ? w.len > before : ogg.samples + 480 > want);
			PROPERTY(ogg.samples <= want);
		}
		PROPERTY(writer_ok(&w) && w.len - before <= OGG_OPUS_PAGE);
	}
	/* As it lies there when the program dies now, or when it ends in order. */
	if (count & 1)
		check(writer_done(&w), count, false);
	ogg_opus_end(&ogg, &w);
	PROPERTY(writer_ok(&w));
	check(writer_done(&w), count, true);
	return 0;
}
