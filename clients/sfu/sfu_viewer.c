#include "sfu_viewer.h"

#include "sfu/proto/rtcp.h"
#include "sfu_stream.h"

#define OWN_SSRC   7u
#define ROUND_TRIP 20000
#define REMB       8000000u
#define SETTLED_US 3000000 /* after that, what comes is live */

/* The first whole key picture is what a decoder would show. */
static void first_picture(struct viewer *v, const struct stream_packet *packet, mono_t now,
			  struct viewer_sums *sums)
{
	if (!v->key.us && packet->key && packet->place == 0) {
		v->key = now;
		v->key_frame = packet->frame;
		v->key_left = packet->count;
		spread_add(&sums->key_us, mono_since_us(now, v->begun));
	}
	if (!v->key.us || v->whole.us || packet->frame != v->key_frame || --v->key_left)
		return;
	v->whole = now;
	spread_add(&sums->whole_us, mono_since_us(now, v->begun));
}

static void judge(struct viewer *v, int64_t seq, struct bytes payload, mono_t now,
		  struct viewer_sums *sums)
{
	struct stream_packet packet;
	int64_t offset;

	if (!stream_read(payload, &packet)) {
		sums->torn++;
		return;
	}
	offset = (int64_t)packet.number - seq;
	if (!v->placed) {
		v->placed = true;
		v->offset = v->offset_before = offset;
		sums->torn_starts += !packet.key || packet.place != 0;
	} else if (offset != v->offset && offset != v->offset_before) {
		if (packet.key && packet.place == 0) {
			v->offset_before = v->offset;
			v->offset = offset;
			sums->moves++;
		} else {
			sums->astray++;
		}
	}
	first_picture(v, &packet, now, sums);
	if (mono_since_us(now, v->up) > SETTLED_US)
		spread_add(&sums->latency_us, now.us - packet.sent_us);
}

static void note(struct viewer *v, int64_t seq, mono_t now, struct viewer_sums *sums)
{
	bool late = v->missing.begun && seq < v->missing.highest;

	if (missing_came(&v->missing, seq, now) != MISSING_NEW)
		sums->doubles++;
	else
		sums->repaired += late;
}

void viewer_media(struct viewer *v, struct bytes datagram, bool drop, mono_t now,
		  struct viewer_sums *sums)
{
	uint8_t open[2048];
	struct rtp rtp;
	struct bytes payload;
	uint16_t original;
	int64_t seq;
	size_t len;

	if (rtp_is_rtcp(datagram))
		return;
	if (drop) {
		sums->dropped++;
		return;
	}
	if (datagram.len > sizeof open || !rtp_parse_header(datagram, &rtp)) {
		sums->bad++;
		return;
	}
	sums->packets++;
	sums->bytes += datagram.len;
	if (rtp.pt != SIGNAL_RTX_PT && v->whole.us && !v->checked) {
		note(v, rtp_count16(&v->seq, rtp.seq), now, sums);
		return;
	}
	/* RTX has its own numbers, few enough for one cycle. */
	if (rtp.pt == SIGNAL_RTX_PT) {
		len = lock_open_rtp(v->link.lock, rtp.header.len, datagram, 0, open);
	} else {
		struct rtp_count count = v->seq;

		seq = rtp_count16(&count, rtp.seq);
		len = lock_open_rtp(v->link.lock, rtp.header.len, datagram, (uint32_t)(seq >> 16),
				    open);
		if (len)
			v->seq = count;
	}
	if (!len || !rtp_parse(bytes_of(open, len), &rtp)) {
		sums->bad++;
		return;
	}
	if (!v->first.us) {
		v->first = now;
		v->ssrc = rtp.ssrc;
		spread_add(&sums->first_us, mono_since_us(now, v->begun));
	}
	sums->opened++;
	payload = rtp.payload;
	if (rtp.pt == SIGNAL_RTX_PT) {
		if (!v->seq.begun || !rtp_open_rtx(&rtp, &original, &payload))
			return;
		rtp.seq = original;
	}
	seq = rtp_count16(&v->seq, rtp.seq);
	note(v, seq, now, sums);
	judge(v, seq, payload, now, sums);
}

static void send_rtcp(struct viewer *v, const struct writer *w)
{
	uint8_t locked[1200 + LOCK_MORE];

	if (writer_ok(w))
		link_send(&v->link,
			  bytes_of(locked, lock_seal_rtcp(v->link.lock, writer_done(w), locked)));
}

static void report(struct viewer *v)
{
	uint8_t buf[1200];
	struct writer w = writer_of(buf, sizeof buf);
	struct rtcp_report report = {.ssrc = v->ssrc, .highest = (uint32_t)v->missing.highest};

	report.fraction_lost = missing_report(&v->missing, &report.lost);
	rtcp_write_rr(&w, OWN_SSRC, &report, 1);
	rtcp_write_remb(&w, OWN_SSRC, REMB, &v->ssrc, 1);
	send_rtcp(v, &w);
}

void viewer_tick(struct viewer *v, mono_t now, bool asks, struct viewer_sums *sums)
{
	uint16_t due[64];
	uint8_t buf[1200];
	struct writer w = writer_of(buf, sizeof buf);
	unsigned count;

	if (!v->first.us)
		return;
	if (mono_since_us(now, v->reported) > 1000000) {
		v->reported = now;
		report(v);
		sums->reports++;
	}
	count = asks && v->missing.count ? missing_due(&v->missing, now, ROUND_TRIP, due, 64) : 0;
	if (!count)
		return;
	rtcp_write_rr(&w, OWN_SSRC, NULL, 0);
	sums->nacks += rtcp_write_nack(&w, OWN_SSRC, v->ssrc, due, count);
	send_rtcp(v, &w);
}

uint64_t viewer_lost(const struct viewer *v)
{
	return v->missing.begun
		       ? (uint64_t)(v->missing.highest - v->missing.first + 1) - v->missing.received
		       : 0;
}
