#include "sfu/sfu_source.h"

#include <string.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/proto/sdp.h"
#include "sfu/sfu_peer.h"

#define REPORT_US 1000000
#define REMB_US   500000
#define TWCC_US   50000
#define NACK_MAX  128u

/* --- whose stream --------------------------------------------------------------------------------------- */

static bool same(struct bytes in, const char *text)
{
	return bytes_equal(in, bytes_str(text));
}

/* RFC 8852 3, RFC 9143 9.2: by what the extensions say; by the payload type where that is enough. */
static struct source_track *learn(struct sfu_source *source, const struct rtp *rtp, bool *rtx)
{
	struct source_track *by_type = NULL;
	unsigned fits = 0;

	for (unsigned i = 0; i < source->count; i++) {
		struct source_track *track = &source->track[i];
		struct bytes mid = rtp_element(rtp, track->mid_ext);
		struct bytes rid = rtp_element(rtp, track->rid_ext);
		struct bytes repaired = rtp_element(rtp, track->repaired_ext);
		bool again = track->rtx_pt && rtp->pt == track->rtx_pt;

		if ((mid.at && !same(mid, track->mid)) || (rtp->pt != track->pt && !again))
			continue;
		*rtx = again;
		if (track->rid[0]) {
			if (again ? same(repaired, track->rid) : same(rid, track->rid))
				return track;
			continue;
		}
		if (mid.at)
			return track;
		by_type = track;
		fits++;
	}
	if (fits != 1)
		return NULL;
	*rtx = by_type->rtx_pt && rtp->pt == by_type->rtx_pt;
	return by_type;
}

static struct source_track *track_of(struct sfu_source *source, const struct rtp *rtp, bool *rtx)
{
	struct source_track *track;

	for (unsigned i = 0; i < source->count; i++) {
		track = &source->track[i];
		if (rtp->ssrc && (rtp->ssrc == track->ssrc || rtp->ssrc == track->rtx_ssrc)) {
			*rtx = rtp->ssrc == track->rtx_ssrc;
			return track;
		}
	}
	track = learn(source, rtp, rtx);
	if (!track)
		return NULL;
	if (*rtx) {
		track->rtx_ssrc = rtp->ssrc;
	} else {
		/* Another SSRC for the same medium: a stream that begins anew. */
		if (track->ssrc) {
			track->missing = (struct missing){0};
			track->sr_middle = 0;
		}
		track->ssrc = rtp->ssrc;
	}
	return track;
}

/* --- packets --------------------------------------------------------------------------------------------- */

/* Video orientation (3GPP TS 26.114 7.4.5): the low four bits; it comes with some packets and holds
 * until the next. */
static void note_turn(struct source_track *track, const struct rtp *rtp)
{
	struct bytes value = rtp_element(rtp, track->turn_ext);

	if (value.len == 1)
		track->turn = value.at[0] & 15;
}

/* What is sent again counts too: each packet has a number of its own. */
static void note_arrival(struct sfu_source *source, const struct source_track *track,
			 const struct rtp *rtp, mono_t now)
{
	struct bytes value = rtp_element(rtp, track->twcc_ext);
	struct reader r = reader_of(value);

	if (value.len == 2)
		twcc_came(&source->twcc, reader_be16(&r), now);
}

void source_rtp(struct sfu_source *source, struct bytes packet)
{
	struct source_track *track;
	struct rtp rtp;
	mono_t now = mono_now();
	int64_t seq, ts;
	bool rtx;

	if (!rtp_parse(packet, &rtp) || !(track = track_of(source, &rtp, &rtx))) {
		metric_add(METRIC_sfu_strays, 1);
		return;
	}
	note_arrival(source, track, &rtp, now);
	/* Nothing but padding: probes of the path, which no viewer needs. Their numbers count. */
	if (rtx && (!rtp_open_rtx(&rtp, &rtp.seq, &rtp.payload) || !track->seq.begun))
		return;
	rtp.ssrc = track->ssrc;
	rtp.pt = track->pt;
	seq = rtp_count16(&track->seq, rtp.seq);
	ts = rtp_count32(&track->ts, rtp.ts);
	switch (missing_came(&track->missing, seq, now)) {
	case MISSING_NEW: break;
	case MISSING_DOUBLE:
	case MISSING_OLD: return;
	}
	track->recovered += rtx;
	if (!rtx)
		missing_jitter(&track->missing, ts,
			       (int64_t)((double)now.us * track->track->clock / 1e6));
	note_turn(track, &rtp);
	track_publish(track->track, &rtp, seq, ts, track->turn, now);
	metric_add(METRIC_sfu_packets_in, 1);
}

/* --- what the publisher says ---------------------------------------------------------------------------- */

static struct source_track *track_of_ssrc(struct sfu_source *source, uint32_t ssrc)
{
	for (unsigned i = 0; i < source->count; i++)
		if (source->track[i].ssrc == ssrc)
			return &source->track[i];
	return NULL;
}

void source_rtcp(struct sfu_source *source, const struct rtcp *rtcp)
{
	struct source_track *track = track_of_ssrc(source, rtcp->sender);
	struct rtcp_sender report;
	struct bytes reports;
	struct rtp_count ts;

	if (rtcp->type != RTCP_SR || !track || !track->ts.begun ||
	    !rtcp_read_sender(rtcp, &report, &reports))
		return;
	track->sr_middle = (uint32_t)(report.ntp >> 16);
	track->sr_at = mono_now();
	ts = track->ts; /* the time of a report is no packet's */
	track_report(track->track, report.ntp, rtp_count32(&ts, report.rtp), track->sr_at);
}

/* --- what it is told ------------------------------------------------------------------------------------- */

static void put_report(struct source_track *track, mono_t now, struct rtcp_report *report)
{
	*report = (struct rtcp_report){
		.ssrc = track->ssrc,
		.highest = (uint32_t)track->missing.highest,
		.jitter = track->missing.jitter >> 4,
		.last_sr = track->sr_middle,
	};
	report->fraction_lost = missing_report(&track->missing, &report->lost);
	if (track->sr_middle)
		report->since_sr = (uint32_t)(mono_since_us(now, track->sr_at) * 65536 / 1000000);
}

static void say_reports(struct sfu_source *source, struct writer *w, mono_t now)
{
	struct rtcp_report reports[SOURCE_TRACKS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < source->count; i++) {
		struct source_track *track = &source->track[i];

		if (!track->missing.begun || mono_since_us(now, track->reported) < REPORT_US)
			continue;
		track->reported = now;
		put_report(track, now, &reports[count++]);
	}
	if (count) {
		rtcp_write_rr(w, source->ssrc, reports, count);
		rtcp_write_cname(w, source->ssrc, BYTES("ringmain"));
	}
}

static void say_missing(struct sfu_source *source, struct source_track *track, struct writer *w,
			mono_t now)
{
	uint16_t seqs[NACK_MAX];
	unsigned count;

	if (!(track->feedback & SDP_FB_NACK) || !track->ssrc)
		return;
	count = missing_due(&track->missing, now, source->rtt_us, seqs, NACK_MAX);
	if (!count)
		return;
	rtcp_write_nack(w, source->ssrc, track->ssrc, seqs, count);
	metric_add(METRIC_sfu_nacks_out, count);
}

static void say_key(struct sfu_source *source, struct source_track *track, struct writer *w,
		    mono_t now, int64_t key_wait_us)
{
	if (!track->ssrc || !atomic_load_explicit(&track->track->wants_key, memory_order_relaxed) ||
	    (track->key_asked.us && mono_since_us(now, track->key_asked) < key_wait_us))
		return;
	atomic_store_explicit(&track->track->wants_key, false, memory_order_relaxed);
	track->key_asked = now;
	if (track->feedback & SDP_FB_PLI)
		rtcp_write_pli(w, source->ssrc, track->ssrc);
	else
		rtcp_write_fir(w, source->ssrc, track->ssrc, track->fir++);
	metric_add(METRIC_sfu_keys_asked, 1);
}

static void say_limit(struct sfu_source *source, struct writer *w, mono_t now)
{
	uint32_t media[SOURCE_TRACKS_MAX];
	unsigned count = 0;

	if (mono_since_us(now, source->remb_sent) < REMB_US)
		return;
	source->remb_sent = now;
	for (unsigned i = 0; i < source->count; i++)
		if (source->track[i].ssrc && source->track[i].feedback & SDP_FB_REMB &&
		    !source->track[i].twcc_ext)
			media[count++] = source->track[i].ssrc;
	if (count)
		rtcp_write_remb(w, source->ssrc, source->remb_bits, media, count);
}

/* Bits a second, smoothed over a few. A layer that the publisher has stopped goes to 0. */
static void count_bits(struct source_track *track, mono_t now)
{
	uint64_t octets = atomic_load_explicit(&track->track->octets, memory_order_relaxed);
	uint64_t was = atomic_load_explicit(&track->track->bitrate, memory_order_relaxed);
	int64_t passed = mono_since_us(now, track->counted_at);
	uint64_t bits;

	if (passed < REPORT_US / 2)
		return;
	bits = track->counted_at.us ? (octets - track->counted) * 8000000 / (uint64_t)passed : 0;
	atomic_store_explicit(&track->track->bitrate,
			      bits == 0 || was == 0 ? bits : (was * 3 + bits) / 4,
			      memory_order_relaxed);
	track->counted = octets;
	track->counted_at = now;
}

static void say_arrivals(struct sfu_source *source, struct writer *w, mono_t now)
{
	if (mono_since_us(now, source->twcc_sent) < TWCC_US)
		return;
	source->twcc_sent = now;
	(void)twcc_write(&source->twcc, source->ssrc, source->track[0].ssrc, w);
}

void source_tick(struct sfu_source *source, mono_t now, int64_t key_wait_us)
{
	uint8_t packet[1200];
	struct writer w = writer_of(packet, sizeof packet);

	if (!peer_is_up(source->peer))
		return;
	say_reports(source, &w, now);
	say_limit(source, &w, now);
	for (unsigned i = 0; i < source->count; i++) {
		struct writer before = w;

		count_bits(&source->track[i], now);
		say_missing(source, &source->track[i], &w, now);
		say_key(source, &source->track[i], &w, now, key_wait_us);
		if (!writer_ok(&w)) { /* it did not fit: the next tick says it */
			w = before;
			break;
		}
	}
	if (w.len)
		peer_send_rtcp(source->peer, writer_done(&w));
	w = writer_of(packet, sizeof packet);
	say_arrivals(source, &w, now);
	if (w.len && writer_ok(&w))
		peer_send_rtcp(source->peer, writer_done(&w));
}

void source_end(struct sfu_source *source)
{
	for (unsigned i = 0; i < source->count; i++)
		ring_release(&source->track[i].track->feed.ring[FEED_RECORDS]);
}
