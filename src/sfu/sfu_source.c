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
#define LATE_S    3u   /* so late may come what was asked for */
#define SAY_MAX   560u /* bytes that are said of one track: NACKs of 128 entries and a FIR */

_Static_assert(SRTP_SOURCES >= 2 * SOURCE_TRACKS_MAX, "each track and its retransmissions");

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

/* A program that was started again, with numbers and times of its own. Viewers see one stream that goes on: no
 * number goes out twice, as what is sealed with it would be readable. */
static void begin_anew(struct source_track *track, const struct rtp *rtp, mono_t now)
{
	int64_t last = atomic_load_explicit(&track->track->last_us, memory_order_relaxed);
	int64_t passed = (now.us - last) * track->track->clock / 1000000;

	track->missing = (struct missing){.taken = track->seq.begun ? track->seq.last + 1 : 0};
	sprop_again(&track->places);
	track->sr_middle = 0;
	if (!track->seq.begun)
		return;
	track->seq_shift = (uint16_t)(track->seq.last + 1 - rtp->seq);
	track->ts_shift = (uint32_t)(track->ts.last + passed + 1 - rtp->ts);
}

/* RFC 3550 A.1: two old numbers, one behind the other, are a new beginning under the same SSRC; one is a packet that
 * comes far too late. So are many that were asked for, where there are no retransmissions under an SSRC of their own:
 * their times are of a moment ago. */
static bool is_anew(struct source_track *track, const struct rtp *rtp)
{
	uint32_t ago = (uint32_t)track->ts.last - (rtp->ts + track->ts_shift);
	bool anew = track->odd && rtp->seq == track->odd_next &&
		    (!track->ts.begun || ago > LATE_S * track->track->clock);

	track->odd = !anew;
	track->odd_next = (uint16_t)(rtp->seq + 1);
	return anew;
}

static struct source_track *track_of(struct sfu_source *source, const struct rtp *rtp, bool *rtx,
				     mono_t now)
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
		if (track->ssrc)
			begin_anew(track, rtp, now);
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

RUNS_ON(on_worker)
static void take_report(struct source_track *track, uint64_t ntp, uint32_t ts, mono_t now)
{
	struct rtp_count count = track->ts; /* the time of a report is no packet's */

	track->sr_middle = (uint32_t)(ntp >> 16);
	track->sr_at = now;
	track_report(track->track, ntp, rtp_count32(&count, ts + track->ts_shift), now);
}

/* What was said of this stream before its first packet. */
RUNS_ON(on_worker)
static void take_early(struct sfu_source *source, struct source_track *track, mono_t now)
{
	for (unsigned i = 0; i < SOURCE_EARLY; i++) {
		if (!track->ssrc || source->early[i].ssrc != track->ssrc)
			continue;
		source->early[i].ssrc = 0;
		take_report(track, source->early[i].ntp, source->early[i].ts, now);
	}
}

/* Before a key picture that comes without them, the parameter sets of the description. */
RUNS_ON(on_worker)
static void publish(struct source_track *track, struct rtp *rtp, int64_t seq, int64_t ts,
		    mono_t now)
{
	const struct sprop *sprop = &track->sprop;
	unsigned sets = 0;

	if (sprop->count) {
		switch (sprop_insert(&track->places, sprop, track->track->codec, rtp->payload, &seq,
				     ts)) {
		case SPROP_PASS: break;
		case SPROP_INSERT: sets = sprop->count; break;
		case SPROP_LATE: return;
		}
	}
	for (unsigned i = 0; i < sets; i++) {
		struct rtp set = *rtp;

		set.payload = sprop_set(sprop, i);
		set.marker = false;
		set.seq = (uint16_t)(seq - sets + i);
		track_publish(track->track, &set, seq - sets + i, ts, track->turn, now);
	}
	rtp->seq = (uint16_t)seq;
	track_publish(track->track, rtp, seq, ts, track->turn, now);
}

/* False: it came before, or too late. */
static bool number(struct source_track *track, const struct rtp *rtp, bool rtx, mono_t now,
		   int64_t *seq)
{
	*seq = rtp_count16(&track->seq, (uint16_t)(rtp->seq + track->seq_shift));
	switch (missing_came(&track->missing, *seq, now)) {
	case MISSING_NEW: track->odd &= rtx; return true;
	case MISSING_DOUBLE: return false;
	case MISSING_OLD: break;
	}
	if (rtx || !is_anew(track, rtp))
		return false;
	begin_anew(track, rtp, now);
	*seq = rtp_count16(&track->seq, (uint16_t)(rtp->seq + track->seq_shift));
	return missing_came(&track->missing, *seq, now) == MISSING_NEW;
}

void source_rtp(struct sfu_source *source, struct bytes packet)
{
	struct source_track *track;
	struct rtp rtp;
	mono_t now = mono_now();
	int64_t seq, ts;
	bool rtx;

	if (!rtp_parse(packet, &rtp) || !(track = track_of(source, &rtp, &rtx, now))) {
		metric_add(METRIC_sfu_strays, 1);
		return;
	}
	note_arrival(source, track, &rtp, now);
	/* Nothing but padding: probes of the path, which no viewer needs. Their numbers count. */
	if (rtx && (!rtp_open_rtx(&rtp, &rtp.seq, &rtp.payload) || !track->seq.begun))
		return;
	rtp.ssrc = track->ssrc;
	rtp.pt = track->pt;
	if (!number(track, &rtp, rtx, now, &seq))
		return;
	rtp.ts += track->ts_shift;
	ts = rtp_count32(&track->ts, rtp.ts);
	track->recovered += rtx;
	if (!rtx)
		missing_jitter(&track->missing, ts,
			       (int64_t)((double)now.us * track->track->clock / 1e6));
	if (seq == track->seq.last)
		note_turn(track, &rtp);
	if (!track->sr_middle)
		take_early(source, track, now);
	publish(track, &rtp, seq, ts, now);
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
	unsigned at = source->early_next;

	if (rtcp->type != RTCP_SR || !rtcp_read_sender(rtcp, &report, &reports))
		return;
	if (track && track->ts.begun) {
		take_report(track, report.ntp, report.rtp, mono_now());
		return;
	}
	source->early_next = (at + 1) % SOURCE_EARLY;
	source->early[at].ssrc = rtcp->sender;
	source->early[at].ntp = report.ntp;
	source->early[at].ts = report.rtp;
}

/* --- what it is told ------------------------------------------------------------------------------------- */

static void put_report(struct source_track *track, mono_t now, struct rtcp_report *report)
{
	*report = (struct rtcp_report){
		.ssrc = track->ssrc,
		.highest = (uint32_t)(track->missing.highest - track->seq_shift),
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
	/* How long an answer takes nobody tells a receiver: 20 ms at least lie between two askings. */
	count = missing_due(&track->missing, now, 0, seqs, NACK_MAX);
	if (!count)
		return;
	for (unsigned i = 0; i < count; i++)
		seqs[i] -= track->seq_shift;
	for (size_t said = 0; said < count;)
		said += rtcp_write_nack(w, source->ssrc, track->ssrc, seqs + said, count - said);
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

RUNS_ON(on_worker) static void send_off(struct sfu_source *source, struct writer *w)
{
	if (w->len && writer_ok(w))
		peer_send_rtcp(source->peer, writer_done(w));
	w->len = 0;
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
		/* What is said counts as said: it must fit. */
		if (w.size - w.len < SAY_MAX)
			send_off(source, &w);
		count_bits(&source->track[i], now);
		say_missing(source, &source->track[i], &w, now);
		say_key(source, &source->track[i], &w, now, key_wait_us);
	}
	send_off(source, &w);
	say_arrivals(source, &w, now);
	send_off(source, &w);
}

void source_end(struct sfu_source *source)
{
	for (unsigned i = 0; i < source->count; i++)
		track_end(source->track[i].track);
}
