/* Feedback on packets, with true and untrue parts: what is made of it is never more than what came allows.
 * Each round: how many packets leave, how large, how long it takes; then a feedback. */
#include <string.h>

#include "property.h"
#include "sfu/proto/bandwidth.h"
#include "sfu/proto/twcc.h"

#define ENTRIES_MAX 64u

static struct bandwidth bandwidth;
static struct twcc twcc; /* the other side */

static void check(uint64_t sent)
{
	PROPERTY(bandwidth.spoken_of >= bandwidth.lost);
	PROPERTY(bandwidth.lost_share <= 1000);
	PROPERTY(bandwidth.round_us >= 0);
	PROPERTY(bandwidth.trend.threshold >= 6 && bandwidth.trend.threshold <= 600);
	PROPERTY(bandwidth.trend.count <= 60 && bandwidth.trend.groups <= 2);
	/* Half a second with all that ever left. */
	PROPERTY(bandwidth.delivered <= sent * 16);
	PROPERTY(bandwidth.bits == 0 || bandwidth.bits >= BANDWIDTH_LEAST);
	PROPERTY(bandwidth.bits <= sent * 24 + BANDWIDTH_LEAST + 10000);
}

/* What the other side really says, of the packets that a bit lets through. */
static void hear_truth(uint64_t came, uint16_t first, unsigned count, mono_t now)
{
	uint8_t buf[1300];
	struct writer w = writer_of(buf, sizeof buf);
	struct bytes rest, entries;
	struct rtcp rtcp;
	uint32_t media;
	bool broken;

	for (unsigned i = 0; i < count; i++)
		if (came >> (i % 64) & 1)
			twcc_came(&twcc, (uint16_t)(first + i),
				  mono_add_us(now, 1000 + (int64_t)i * 700));
	if (!twcc_write(&twcc, 1, 2, &w))
		return;
	rest = writer_done(&w);
	PROPERTY(rtcp_next(&rest, &rtcp, &broken) && rtcp_read_feedback(&rtcp, &media, &entries));
	bandwidth_heard(&bandwidth, entries, mono_add_us(now, 50000));
	/* Nothing is counted twice. */
	{
		uint32_t spoken_of = bandwidth.spoken_of;

		bandwidth_heard(&bandwidth, entries, mono_add_us(now, 50000));
		PROPERTY(bandwidth.spoken_of <= spoken_of);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(bytes_of(data, size < 2048 ? size : 2048));
	mono_t now = {1000000};
	uint64_t sent = 0;

	bandwidth_init(&bandwidth);
	memset(&twcc, 0, sizeof twcc);
	while (reader_ok(&r) && reader_left(&r) >= 4) {
		uint8_t what = reader_u8(&r), count = reader_u8(&r), octets = reader_u8(&r);
		uint16_t first = (uint16_t)bandwidth.next;

		now = mono_add_us(now, (int64_t)reader_u8(&r) * (what & 2 ? 400000 : 1000));
		for (unsigned i = 0; i < count; i++) {
			PROPERTY(bandwidth_sent(&bandwidth, octets * 6u, now) ==
				 (uint16_t)(first + i));
			sent += octets * 6u + 1;
		}
		if (what & 1)
			hear_truth(reader_be64(&r), first, count, now);
		else
			(void)bandwidth_heard(&bandwidth, reader_take(&r, what >> 2), now);
		check(sent);
	}
	return 0;
}
