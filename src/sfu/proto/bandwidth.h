/* bandwidth: what fits through to a receiver that says when each packet came (twcc.h): Google's
 * congestion control (draft-ietf-rmcat-gcc-02), as much of it as one needs who chooses among layers.
 *
 *   bandwidth_sent ─▶ number for the packet; when it left and how large it was, kept in a ring
 *   bandwidth_heard(feedback) ─▶ delivered: bits a second that come, of late
 *                             ├▶ trend.h: a queue grows ─▶ 0.85 of what is delivered
 *                             ├▶ a tenth is lost        ─▶ less by half of that share
 *                             └▶ neither                ─▶ more, up to 1.5 times what is delivered
 *
 * The packets of a receiver have one sequence of numbers, whatever their SSRCs. Feedback that is lost,
 * late or twice does no harm: what was not spoken of counts neither as come nor as lost. It may speak of
 * each packet a few times, not more: some bytes of it can name a thousand. Sans-I/O, no allocation. Thread: the owner's. */
#pragma once

#include "core/bytes.h"
#include "core/mono.h"
#include "sfu/proto/trend.h"

#define BANDWIDTH_KEPT  1024u /* packets that feedback may go back */
#define BANDWIDTH_SLOTS 16u
#define BANDWIDTH_LEAST 30000u /* bits a second */

struct bandwidth_packet {
	uint32_t sent_us; /* the lower half */
	uint16_t size;    /* 0: it has come */
	bool lost;        /* as far as is known */
};

struct bandwidth {
	int64_t next; /* number, counted up */
	/* Their clock. */
	bool heard;
	int64_t at_us; /* as it was last said */
	int64_t came_us;
	/* Octets that came, in slots of 50 ms of their clock. */
	int64_t slot, slot0; /* the newest, the first of all */
	uint32_t octets[BANDWIDTH_SLOTS];
	uint64_t delivered, peak; /* bits a second; 0: not known yet */
	struct trend trend;
	uint64_t bits;        /* the estimate; 0: nothing known */
	uint64_t knee;        /* what was delivered when a queue grew; 0: not known */
	int64_t round_us;     /* from sending to feedback */
	mono_t grown, judged; /* when it was last made more, and losses looked at */
	uint32_t spoken_of, lost;
	unsigned looks;      /* at packets, that feedback may still take */
	unsigned lost_share; /* of late, in thousandths */
	struct bandwidth_packet packet[BANDWIDTH_KEPT];
};

void bandwidth_init(struct bandwidth *bandwidth);

/* The number of a packet of that size that leaves now. */
uint16_t bandwidth_sent(struct bandwidth *bandwidth, size_t size, mono_t now);

/* The entries of a feedback (RTPFB_TWCC). False: it is broken, about nothing that is kept, or too much. */
bool bandwidth_heard(struct bandwidth *bandwidth, struct bytes entries, mono_t now);

/* Bits a second that fit through; 0: nothing known. */
static inline uint64_t bandwidth_bits(const struct bandwidth *bandwidth)
{
	return bandwidth->bits;
}
