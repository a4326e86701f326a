#include "sfu/proto/bandwidth.h"

#include <string.h>

#include "sfu/proto/twcc.h"

#define SLOT_US     50000
#define SLOTS_SUM   10 /* half a second */
#define PAUSE_US    60000000
#define LOSS_US     300000
#define LOSS_LEAST  20u
#define LOSS_MUCH   100u /* thousandths */
#define LOSS_SOME   50u
#define MORE_SHARE  12u /* one so-and-so-many-th more a second: 8 % */
#define PEAK_SHARE  10u
#define PACKET_BITS 9600u
#define ROUND_US    100000 /* of feedback, beside the way there and back */
#define LOOKS       4u     /* at each packet, by feedback */
#define LOOKS_MAX   (LOOKS * BANDWIDTH_KEPT)

void bandwidth_init(struct bandwidth *bandwidth)
{
	*bandwidth = (struct bandwidth){.next = 1};
	trend_init(&bandwidth->trend);
}

static struct bandwidth_packet *packet_of(struct bandwidth *bandwidth, int64_t number)
{
	return &bandwidth->packet[(uint64_t)number % BANDWIDTH_KEPT];
}

uint16_t bandwidth_sent(struct bandwidth *bandwidth, size_t size, mono_t now)
{
	int64_t number = bandwidth->next++;

	if (bandwidth->looks < LOOKS_MAX)
		bandwidth->looks += LOOKS;
	*packet_of(bandwidth, number) = (struct bandwidth_packet){
		.sent_us = (uint32_t)now.us,
		.size = (uint16_t)(size > UINT16_MAX ? UINT16_MAX
				   : size == 0       ? 1
						     : size),
	};
	return (uint16_t)number;
}

/* --- what comes ----------------------------------------------------------------------------------- */

/* Their clock is 24 bits of 64 ms: it begins anew after twelve days. */
static int64_t unwrap(struct bandwidth *bandwidth, int64_t at_us)
{
	int64_t forth = (at_us - bandwidth->at_us) % TWCC_CLOCK_US;

	if (forth < -TWCC_CLOCK_US / 2)
		forth += TWCC_CLOCK_US;
	if (forth >= TWCC_CLOCK_US / 2)
		forth -= TWCC_CLOCK_US;
	if (!bandwidth->heard || forth > PAUSE_US || forth < -PAUSE_US ||
	    bandwidth->came_us < TWCC_CLOCK_US || bandwidth->came_us > INT64_MAX / 2)
		bandwidth->came_us = at_us + 2 * TWCC_CLOCK_US;
	else
		bandwidth->came_us += forth;
	bandwidth->heard = true;
	bandwidth->at_us = at_us;
	return bandwidth->came_us;
}

static void count_octets(struct bandwidth *bandwidth, int64_t came_us, uint32_t octets)
{
	int64_t slot = came_us / SLOT_US;

	if (bandwidth->slot == 0 || slot > bandwidth->slot + 40 || slot < bandwidth->slot - 40) {
		memset(bandwidth->octets, 0, sizeof bandwidth->octets);
		bandwidth->slot = bandwidth->slot0 = slot;
	}
	while (bandwidth->slot < slot)
		bandwidth->octets[(uint64_t)++bandwidth->slot % BANDWIDTH_SLOTS] = 0;
	if (slot > bandwidth->slot - (int64_t)BANDWIDTH_SLOTS)
		bandwidth->octets[(uint64_t)slot % BANDWIDTH_SLOTS] += octets;
}

/* Of the last whole slots. */
static void sum_octets(struct bandwidth *bandwidth)
{
	uint64_t octets = 0;

	if (bandwidth->slot - bandwidth->slot0 <= SLOTS_SUM)
		return;
	for (int64_t slot = bandwidth->slot - SLOTS_SUM; slot < bandwidth->slot; slot++)
		octets += bandwidth->octets[(uint64_t)slot % BANDWIDTH_SLOTS];
	bandwidth->delivered = octets * 8 * 1000000 / ((uint64_t)SLOTS_SUM * SLOT_US);
	if (bandwidth->peak < bandwidth->delivered)
		bandwidth->peak = bandwidth->delivered;
}

static void came(struct bandwidth *bandwidth, struct bandwidth_packet *packet, int64_t at_us,
		 mono_t now)
{
	int64_t way_us = (uint32_t)now.us - packet->sent_us; /* as 32 bits wrap */

	bandwidth->round_us = way_us;
	trend_packet(&bandwidth->trend, now.us - way_us, at_us);
	count_octets(bandwidth, at_us, packet->size);
	packet->size = 0;
	if (!packet->lost)
		bandwidth->spoken_of++;
	else if (bandwidth->lost)
		bandwidth->lost--; /* it was only late */
}

static void missed(struct bandwidth *bandwidth, struct bandwidth_packet *packet)
{
	if (packet->lost)
		return;
	packet->lost = true;
	bandwidth->spoken_of++;
	bandwidth->lost++;
}

/* --- what fits ------------------------------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Losses of at least so many packets and so long a time. */
static void judge_loss(struct bandwidth *bandwidth, mono_t now)
{
	if (bandwidth->spoken_of < LOSS_LEAST || mono_since_us(now, bandwidth->judged) < LOSS_US)
		return;
	bandwidth->judged = now;
	bandwidth->lost_share = bandwidth->lost * 1000 / bandwidth->spoken_of;
	bandwidth->spoken_of = bandwidth->lost = 0;
	if (bandwidth->lost_share <= LOSS_MUCH)
		return;
	/* 6; but what does come has fitted. */
	bandwidth->bits = most(bandwidth->bits - bandwidth->bits * bandwidth->lost_share / 2000,
			       bandwidth->delivered * 85 / 100);
}

/* 5.5: by a share far from where a queue last grew, by a packet a round near it. */
static void grow(struct bandwidth *bandwidth, uint64_t us)
{
	uint64_t round = (uint64_t)bandwidth->round_us + ROUND_US;
	uint64_t top = bandwidth->delivered * 3 / 2 + 10000;
	uint64_t more = bandwidth->bits / MORE_SHARE * us / 1000000;
	bool near = bandwidth->knee && bandwidth->bits > bandwidth->knee * 80 / 100 &&
		    bandwidth->bits < bandwidth->knee * 115 / 100;

	if (near)
		more = PACKET_BITS * us / round;
	if (bandwidth->bits >= bandwidth->knee * 115 / 100)
		bandwidth->knee = 0;
	/* What comes in time fits. */
	bandwidth->bits = most(bandwidth->bits, bandwidth->delivered);
	bandwidth->bits = most(bandwidth->bits, least(bandwidth->bits + more, top));
}

static void estimate(struct bandwidth *bandwidth, mono_t now)
{
	uint64_t us = (uint64_t)(now.us - bandwidth->grown.us);

	if (us > 1000000)
		us = 1000000;
	bandwidth->grown = now;
	bandwidth->peak -= bandwidth->peak / PEAK_SHARE * us / 1000000;
	sum_octets(bandwidth);
	if (!bandwidth->delivered)
		return;
	if (!bandwidth->bits)
		bandwidth->bits = bandwidth->delivered * 3 / 2;
	judge_loss(bandwidth, now);
	if (bandwidth->trend.state == TREND_OVER) {
		bandwidth->knee = bandwidth->delivered;
		bandwidth->bits = least(bandwidth->bits, bandwidth->delivered * 85 / 100);
	} else if (bandwidth->trend.state == TREND_EVEN && bandwidth->lost_share <= LOSS_SOME) {
		grow(bandwidth, us);
	}
	/* Of what was never sent nothing is known. */
	bandwidth->bits = least(bandwidth->bits, bandwidth->peak * 3 / 2 + 10000);
	bandwidth->bits = most(bandwidth->bits, BANDWIDTH_LEAST);
}

bool bandwidth_heard(struct bandwidth *bandwidth, struct bytes entries, mono_t now)
{
	struct twcc_report report;
	uint16_t number;
	int64_t at_us;
	unsigned count = 0;

	if (!twcc_read(entries, &report) || report.left > BANDWIDTH_KEPT ||
	    report.left > bandwidth->looks)
		return false;
	bandwidth->looks -= report.left;
	while (twcc_next(&report, &number, &at_us)) {
		/* The newest that may be meant. */
		int64_t full =
			bandwidth->next - 1 - (uint16_t)((uint16_t)(bandwidth->next - 1) - number);
		struct bandwidth_packet *packet = packet_of(bandwidth, full);

		if (at_us >= 0)
			at_us = unwrap(bandwidth, at_us);
		if (full < 1 || full < bandwidth->next - (int64_t)BANDWIDTH_KEPT || !packet->size)
			continue;
		count++;
		if (at_us < 0)
			missed(bandwidth, packet);
		else
			came(bandwidth, packet, at_us, now);
	}
	if (count)
		estimate(bandwidth, now);
	return count > 0;
}
