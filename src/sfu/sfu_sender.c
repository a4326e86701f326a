#include "sfu/sfu_sender.h"

#include <string.h>

#include "core/cache.h"
#include "core/clock.h"
#include "core/metric.h"
#include "core/writer.h"
#include "sfu/proto/bandwidth.h"
#include "sfu/proto/sdp.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_stage.h"
#include "sfu/sfu_track.h"

#define HEADER_MAX   (SENDER_MORE - SRTP_TAG_MAX)
#define OVERHEAD     64u /* of a packet, with UDP and IP, about */
#define REPORT_US    2000000
#define RESEND_BURST 300        /* packets, at once */
#define RESEND_SHARE 3          /* and one for so many that were sent */
#define FIRST_INDEX  65536      /* splice.h counts from one round up */
#define NTP_1970     2208988800 /* RFC 5905 6: seconds from 1900 */

/* --- formats ----------------------------------------------------------------------------------------------- */

static uint32_t hex_of(struct bytes in)
{
	uint32_t value = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = byte_lower(in.at[i]);

		value = value << 4 | (uint32_t)(c >= 'a' && c <= 'f'   ? c - 'a' + 10
						: c >= '0' && c <= '9' ? c - '0'
								       : 0);
	}
	return value;
}

uint32_t sender_h264_profile(struct bytes fmtp)
{
	struct bytes id = sdp_parameter(fmtp, "profile-level-id");
	struct bytes mode = sdp_parameter(fmtp, "packetization-mode");
	/* RFC 6184 8.1: without one it is the Baseline profile. */
	uint32_t profile = id.len == 6 ? hex_of(bytes_first(id, 4)) : 0x4200;

	return profile << 8 | (mode.len == 1 ? mode.at[0] & 3u : 0);
}

/* The same profile best; another that a decoder which says it can do this one will mostly take too. */
static unsigned fitness(const struct sender_format *format, uint32_t wanted)
{
	if (format->codec != CODEC_H264)
		return 4;
	if (format->profile == wanted)
		return 4;
	if ((format->profile & 0xff) != (wanted & 0xff))
		return 1;
	return format->profile >> 16 == wanted >> 16 ? 3 : 2;
}

const struct sender_format *sender_format_for(const struct sfu_sender *sender,
					      const struct sfu_track *track)
{
	const struct sender_format *best = NULL;
	uint32_t wanted = sender_h264_profile(bytes_str(track->fmtp));
	unsigned best_fitness = 0;

	for (unsigned i = 0; i < sender->format_count; i++) {
		const struct sender_format *format = &sender->format[i];

		if (format->codec == track->codec && fitness(format, wanted) > best_fitness) {
			best_fitness = fitness(format, wanted);
			best = format;
		}
	}
	return best;
}

/* --- sending ----------------------------------------------------------------------------------------------- */

static bool has_rtx(const struct sfu_sender *sender)
{
	return sender->now->rtx_pt && sender->rtx_ssrc;
}

void sender_begin(struct sfu_sender *sender, struct sfu_track *track, int64_t seq, int64_t ts,
		  int64_t live_ts, mono_t now)
{
	sender->track = track;
	sender->now = sender_format_for(sender, track);
	sender->pt = sender->now ? sender->now->pt : 0;
	/* Without RTX a packet that is sent again has the number of before, and so the nonce: what is
	 * sealed must be the same too (RFC 7714 8.4, RFC 3711 9.1). */
	sender->verbatim = sender->now && !has_rtx(sender) && sender->now->feedback & SDP_FB_NACK;
	sender->begun = now;
	sender->reported = (mono_t){0};
	sender->follows = false;
	sender->splice.clock = track->clock; /* of PCMU it is another than of Opus */
	splice_begin(&sender->splice, track->id, seq, ts, live_ts, now);
	metric_add(METRIC_sfu_switches, 1);
}

static bool has_time(const struct sfu_sender *sender)
{
	return sender->time_ext && !sender->verbatim;
}

/* RFC 8285 4.2. Every packet has the same elements, but the orientation, so that all are equally
 * long. */
static void put_extensions(const struct sfu_sender *sender, struct writer *w, uint32_t flags,
			   uint32_t send_time, uint16_t number)
{
	bool turn = sender->turn_ext && flags & RECORD_ROTATED && flags & RECORD_MARKER;
	size_t len = (sender->mid_ext ? 1u + sender->mid_len : 0) + (has_time(sender) ? 4 : 0) +
		     (sender_is_numbered(sender) ? 3 : 0) + (turn ? 2 : 0);

	writer_be(w, 0xbede, 2);
	writer_be(w, (len + 3) / 4, 2);
	if (sender->mid_ext) {
		writer_u8(w, (uint8_t)(sender->mid_ext << 4 | (sender->mid_len - 1)));
		writer_put(w, bytes_of(sender->mid, sender->mid_len));
	}
	if (has_time(sender)) {
		writer_u8(w, (uint8_t)(sender->time_ext << 4 | 2));
		writer_be(w, send_time, 3);
	}
	if (sender_is_numbered(sender)) {
		writer_u8(w, (uint8_t)(sender->twcc_ext << 4 | 1));
		writer_be(w, number, 2);
	}
	if (turn) {
		writer_u8(w, (uint8_t)(sender->turn_ext << 4));
		writer_u8(w, RECORD_TURN(flags));
	}
	writer_fill(w, 0, (4 - len % 4) % 4);
}

/* Behind the header. */
static size_t put_plain(const struct writer *header, struct bytes payload)
{
	memcpy(header->at + header->len, payload.at, payload.len);
	return header->len + payload.len;
}

/* Header and extensions, sealed payload, into the socket's next room. */
RUNS_ON(on_worker)
static void put_packet(struct sfu_sender *sender, const struct rtp *rtp, bool padded,
		       uint32_t flags, uint32_t send_time, uint64_t index, struct bytes payload,
		       mono_t now)
{
	struct sfu_peer *peer = sender->peer;
	uint8_t *room = door_room(HEADER_MAX + payload.len + SRTP_TAG_MAX);
	bool extended = sender->mid_ext || has_time(sender) || sender_is_numbered(sender);
	struct writer w = writer_of(room, HEADER_MAX);
	uint16_t number = 0;
	size_t len;

	if (sender_is_numbered(sender))
		number = bandwidth_sent(peer->bandwidth, payload.len + OVERHEAD, now);
	rtp_write_header(&w, rtp, extended);
	if (extended)
		put_extensions(sender, &w, flags, send_time, number);
	if (padded)
		room[0] |= 0x20;
	len = sender->out ? put_plain(&w, payload)
			  : srtp_seal(&peer->out, writer_done(&w), payload, rtp->ssrc, index, room);
	if (!writer_ok(&w) || !len)
		return;
	peer->bytes_out += len;
	door_put(sender->out ? sender->out : peer->active, room, len);
}

void sender_send(struct sfu_sender *sender, const struct sender_packet *packet, uint32_t send_time,
		 mono_t now)
{
	struct rtp rtp = {.ssrc = sender->ssrc, .pt = sender->pt};
	struct bytes payload = packet->payload;
	bool padded = packet->padded && !sender->verbatim;
	int64_t seq, ts;

	if (!sender->peer->active ||
	    !splice_map(&sender->splice, packet->seq, packet->ts, now, &seq, &ts))
		return;
	if (packet->picture.id_at || packet->picture.tl0_at) {
		struct picture_shift *shift = &sender->splice.piece[0].shift;

		if (!sender->follows)
			*shift = picture_follow(&sender->pictures, &packet->picture);
		sender->follows = true;
		picture_move(packet->room, &packet->picture, *shift, &sender->pictures);
	}
	rtp.marker = packet->flags & RECORD_MARKER;
	rtp.seq = (uint16_t)seq;
	rtp.ts = (uint32_t)ts;
	/* How much a packet is filled up depends on those beside it. */
	if (packet->padded && !padded)
		payload.len -= payload.at[payload.len - 1];
	put_packet(sender, &rtp, padded, packet->flags, send_time, (uint64_t)(seq - FIRST_INDEX),
		   payload, now);
	if (packet->flags & RECORD_KEY && sender->frozen.us) {
		sender->frozen_us += mono_since_us(now, sender->frozen);
		sender->frozen = (mono_t){0};
	}
	sender->packets++;
	sender->octets += payload.len;
	if (sender->resend_budget < RESEND_BURST * RESEND_SHARE)
		sender->resend_budget++;
}

/* With thousands of viewers nothing of one is in a cache when its turn comes, and each of its five places
 * would be waited for. */
void sender_fetch(const struct sfu_sender *sender, unsigned step)
{
	const struct sfu_peer *peer = sender->peer;

	switch (step) {
	case 2: cache_fetch(sender, offsetof(struct sfu_sender, splice.piece[1])); break;
	case 1:
		cache_fetch(&peer->active, offsetof(struct sfu_peer, out.rtcp_salt) -
						   offsetof(struct sfu_peer, active));
		break;
	default:
		if (peer->active)
			cache_fetch(peer->active, sizeof *peer->active);
		srtp_fetch(&peer->out);
		break;
	}
}

/* --- again ------------------------------------------------------------------------------------------------- */

/* A search costs too, all the more when it is in vain: one for each packet that was sent. */
static bool look_up(struct sfu_sender *sender, int64_t seq, struct record *out)
{
	if (track_find(sender->track, seq, out))
		return true;
	sender->resend_budget--;
	return false;
}

RUNS_ON(on_worker) static void resend(struct sfu_sender *sender, uint16_t out_seq, mono_t now)
{
	const struct splice_piece *piece;
	struct ring_cursor cursor;
	struct record record;
	uint8_t packet[2 + 2048];
	struct rtp rtp = {0};
	struct picture picture;
	int64_t seq;

	sender->nacks++;
	if (sender->resend_budget < RESEND_SHARE || !sender->track || !sender->now ||
	    !(sender->now->feedback & SDP_FB_NACK) ||
	    !(piece = splice_find(&sender->splice, out_seq, &seq)) ||
	    piece->track != sender->track->id || !look_up(sender, seq, &record)) {
		sender->unknown++;
		metric_add(METRIC_sfu_nacks_unknown, 1);
		return;
	}
	cursor = ring_cursor_of(&record);
	if (ring_read(track_ring(sender->track), &cursor, &record, packet + 2, sizeof packet - 2,
		      NULL) != RING_RECORD ||
	    (int64_t)record.word[0] != seq)
		return;
	picture = picture_read(sender->track->codec,
			       bytes_of(packet + 2 + RTP_HEADER, record.len - RTP_HEADER));
	picture_move(packet + 2 + RTP_HEADER, &picture, piece->shift, &sender->pictures);
	rtp.marker = record.flags & RECORD_MARKER;
	rtp.ts = (uint32_t)splice_time(piece, (int64_t)record.word[1]);
	if (has_rtx(sender)) {
		/* RFC 4588 4: the original number before the payload. */
		uint8_t *payload = packet + 2 + RTP_HEADER - 2;
		int64_t index = sender->rtx_next++;

		payload[0] = (uint8_t)(out_seq >> 8);
		payload[1] = (uint8_t)out_seq;
		rtp.ssrc = sender->rtx_ssrc;
		rtp.pt = sender->now->rtx_pt;
		rtp.seq = (uint16_t)index;
		put_packet(sender, &rtp, false, record.flags, sender_time(now), (uint64_t)index,
			   bytes_of(payload, record.len - RTP_HEADER + 2), now);
	} else {
		int64_t out = seq - piece->first_in + piece->first_out;

		rtp.ssrc = sender->ssrc;
		rtp.pt = sender->now->pt;
		rtp.seq = out_seq;
		put_packet(sender, &rtp, false, record.flags, sender_time(now),
			   (uint64_t)(out - FIRST_INDEX),
			   bytes_of(packet + 2 + RTP_HEADER, record.len - RTP_HEADER), now);
	}
	sender->resend_budget -= RESEND_SHARE;
	sender->resent++;
	metric_add(METRIC_sfu_resent, 1);
}

/* --- reports ------------------------------------------------------------------------------------------------ */

void sender_end(struct sfu_sender *sender)
{
	uint8_t packet[128];
	struct writer w = writer_of(packet, sizeof packet);

	if (!sender->out || !sender->packets)
		return;
	/* RFC 3550 6.1: a compound begins with a report. */
	rtcp_write_rr(&w, sender->ssrc, NULL, 0);
	rtcp_write_cname(&w, sender->ssrc, BYTES("ringmain"));
	rtcp_write_bye(&w, sender->ssrc);
	if (writer_ok(&w))
		peer_send_rtcp(sender->peer, writer_done(&w));
}

/* The publisher's clock, as of its last report, at this moment: so sound and picture of one publisher
 * stay together whatever was done to their times. Of one that says nothing, to receivers that know of no
 * session: when its last packet came. */
static bool clock_of(const struct sfu_sender *sender, mono_t now, struct rtcp_sender *report)
{
	struct sfu_track *track = sender->track;
	const struct ring *ring = track_ring(track);
	struct record last;
	int64_t ts, at_us, since;
	uint64_t ntp;

	if (track_last_report(track, &ntp, &ts, &at_us)) {
		since = now.us - at_us;
		/* It may lie ahead: another worker's now. */
		report->ntp = ntp + (uint64_t)(int64_t)((double)since * 4294.967296);
		ts += since * track->clock / 1000000;
	} else if (sender->out && ring_peek(ring, ring_head_seq(ring) - 1, &last)) {
		report->ntp = (uint64_t)(last.wall_us / 1000000 + NTP_1970) << 32 |
			      (uint64_t)((double)(last.wall_us % 1000000) * 4294.967296);
		ts = (int64_t)last.word[1];
	} else {
		return false;
	}
	report->rtp = (uint32_t)splice_time(&sender->splice.piece[0], ts);
	return true;
}

void sender_tick(struct sfu_sender *sender, mono_t now)
{
	uint8_t packet[128];
	struct writer w = writer_of(packet, sizeof packet);
	struct rtcp_sender report = {.packets = (uint32_t)sender->packets,
				     .octets = (uint32_t)sender->octets};

	if (sender->state != SENDER_LIVE || mono_since_us(now, sender->reported) < REPORT_US ||
	    !clock_of(sender, now, &report))
		return;
	sender->reported = now;
	sender->sr_middle = (uint32_t)(report.ntp >> 16);
	sender->sr_at = now;
	rtcp_write_sr(&w, sender->ssrc, &report);
	rtcp_write_cname(&w, sender->ssrc, BYTES("ringmain"));
	if (writer_ok(&w))
		peer_send_rtcp(sender->peer, writer_done(&w));
}

static struct sfu_sender *sender_of(struct sfu_peer *peer, uint32_t ssrc)
{
	for (unsigned i = 0; i < peer->sender_count; i++)
		if (peer->senders[i].ssrc == ssrc || peer->senders[i].rtx_ssrc == ssrc)
			return &peer->senders[i];
	return NULL;
}

static void read_reports(struct sfu_peer *peer, struct bytes reports)
{
	struct rtcp_report report;

	while (reports.len && rtcp_next_report(&reports, &report)) {
		struct sfu_sender *sender = sender_of(peer, report.ssrc);
		int64_t rtt;

		if (!sender || sender->ssrc != report.ssrc)
			continue;
		sender->fraction_lost = report.fraction_lost;
		sender->lost = report.lost;
		if (!report.last_sr || report.last_sr != sender->sr_middle)
			continue;
		rtt = mono_since_us(mono_now(), sender->sr_at) -
		      (int64_t)report.since_sr * 1000000 / 65536;
		sender->rtt_us = rtt > 0 ? rtt : 0;
	}
}

uint64_t sender_limit(const struct sfu_sender *sender)
{
	return sender_is_numbered(sender) ? bandwidth_bits(sender->peer->bandwidth) : sender->remb;
}

static void want_key(struct sfu_sender *sender)
{
	struct sfu_track *track = sender->pending ? sender->pending : sender->track;

	if (sender->video && sender->state == SENDER_LIVE && !sender->pending &&
	    !sender->frozen.us) {
		sender->frozen = mono_now();
		sender->freezes++;
		metric_add(METRIC_sfu_freezes, 1);
	}
	sender->plis++;
	if (track)
		atomic_store_explicit(&track->wants_key, true, memory_order_relaxed);
	metric_add(METRIC_sfu_plis_in, 1);
}

RUNS_ON(on_worker) static void read_nacks(struct sfu_sender *sender, struct bytes entries)
{
	mono_t now = mono_now();
	uint16_t seq, behind;

	while (entries.len && rtcp_next_nack(&entries, &seq, &behind)) {
		resend(sender, seq, now);
		for (unsigned i = 0; i < 16; i++)
			if (behind >> i & 1)
				resend(sender, (uint16_t)(seq + i + 1), now);
	}
}

RUNS_ON(on_worker) static void read_arrivals(struct sfu_peer *peer, struct bytes entries)
{
	mono_t now = mono_now();

	if (bandwidth_heard(peer->bandwidth, entries, now))
		stage_viewer_heard(peer, now);
}

RUNS_ON(on_worker) static void read_feedback(struct sfu_peer *peer, const struct rtcp *rtcp)
{
	struct sfu_sender *sender;
	struct bytes entries;
	uint32_t media;
	uint64_t bits;
	uint8_t number;

	if (!rtcp_read_feedback(rtcp, &media, &entries))
		return;
	sender = sender_of(peer, media);
	if (rtcp->type == RTCP_RTPFB) {
		if (sender && rtcp->count == RTPFB_NACK)
			read_nacks(sender, entries);
		/* Whosever's media it names: it is about all. */
		if (peer->bandwidth && rtcp->count == RTPFB_TWCC)
			read_arrivals(peer, entries);
		return;
	}
	switch (rtcp->count) {
	case PSFB_PLI:
		if (sender)
			want_key(sender);
		break;
	case PSFB_FIR:
		while (entries.len && rtcp_next_fir(&entries, &media, &number))
			if ((sender = sender_of(peer, media)))
				want_key(sender);
		break;
	case PSFB_AFB:
		if (rtcp_read_remb(entries, &bits))
			for (unsigned i = 0; i < peer->sender_count; i++)
				peer->senders[i].remb = bits;
		break;
	default: break;
	}
}

void sender_rtcp(struct sfu_peer *peer, const struct rtcp *rtcp)
{
	struct rtcp_sender report;
	struct bytes reports;

	switch (rtcp->type) {
	case RTCP_SR:
		if (rtcp_read_sender(rtcp, &report, &reports))
			read_reports(peer, reports);
		break;
	case RTCP_RR: read_reports(peer, bytes_first(rtcp->body, rtcp->count * (size_t)24)); break;
	case RTCP_RTPFB:
	case RTCP_PSFB: read_feedback(peer, rtcp); break;
	default: break;
	}
}
