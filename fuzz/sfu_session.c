/* A session that has its keys: a publisher's packets and reports go in, a viewer asks and complains, and what
 * leaves for both is judged. Sealing is ours: no number is ever sealed twice with another content, which would give
 * away the keystream and, with GCM, the key of the tag.
 *
 *   step: op, 16 bits of length or of a parameter, bytes
 *   rtp ─▶ source ─▶ track ─▶ sender ─▶ srtp_seal (here)       rtcp ─▶ source, sender ─▶ peer_send_rtcp (here) */
#include "property.h"

#include <string.h>

#include "core/clock.h"
#include "sfu/proto/picture.h"
#include "sfu/proto/sdp.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_stage.h"
#include "sfu/sfu_track.h"

#define TRACKS      4u
#define SENDERS     2u
#define SEALED      8192u
#define KEY_WAIT_US 500000
#define BEGIN_US    1000000000
#define ROOM        4096u

static struct sfu_peer publisher, viewer;
static struct sfu_source source;
static struct sfu_sender senders[SENDERS];
static struct peer_path path;
static struct ring_cursor cursors[SENDERS];
static int64_t passed_us;
static unsigned keys;
static uint8_t room[ROOM];
static size_t room_len;

/* --- what leaves ------------------------------------------------------------------------------------------- */

static struct sealed {
	uint32_t input; /* of which it is */
	uint32_t ssrc;
	uint64_t index, hash;
} sealed[SEALED];
static uint32_t input;

static uint64_t hash_of(uint64_t hash, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		hash = (hash ^ in.at[i]) * 1099511628211u;
	return hash;
}

size_t srtp_seal(struct srtp *srtp, struct bytes header, struct bytes payload, uint32_t ssrc,
		 uint64_t index, uint8_t *out)
{
	uint64_t hash = hash_of(hash_of(14695981039346656037u, header), payload);
	struct rtp rtp;

	PROPERTY(srtp == &viewer.out && out == room);
	PROPERTY(header.len + payload.len + SRTP_TAG_MAX <= room_len);
	PROPERTY(index < (uint64_t)1 << 48);
	PROPERTY(rtp_parse_header(header, &rtp) && rtp.payload.len == 0);
	PROPERTY(rtp.ssrc == ssrc && rtp.seq == (uint16_t)index);
	for (unsigned i = 0; i < SEALED; i++) {
		struct sealed *at = &sealed[(ssrc * 31 + index + i) % SEALED];

		if (at->input != input) {
			*at = (struct sealed){input, ssrc, index, hash};
			break;
		}
		if (at->ssrc == ssrc && at->index == index) {
			PROPERTY(at->hash == hash);
			break;
		}
	}
	return header.len + payload.len + SRTP_TAG_MAX;
}

uint8_t *door_room(size_t len)
{
	PROPERTY(len <= ROOM);
	room_len = len;
	return room;
}

void door_put(const struct peer_path *to, const uint8_t *at, size_t len)
{
	PROPERTY(to == &path && at == room && len <= room_len);
}

void peer_send_rtcp(struct sfu_peer *peer, struct bytes compound)
{
	struct rtcp rtcp;
	bool broken;

	PROPERTY(compound.len > 0 && compound.len <= 1200 && compound.len % 4 == 0);
	while (rtcp_next(&compound, &rtcp, &broken))
		keys += peer == &publisher && rtcp.type == RTCP_PSFB &&
			(rtcp.count == PSFB_PLI || rtcp.count == PSFB_FIR);
	PROPERTY(!broken);
}

void stage_wake(uint64_t workers)
{
	PROPERTY(workers == 0);
}

void stage_viewer_heard(struct sfu_peer *peer, mono_t now)
{
	(void)now;
	PROPERTY(peer == &viewer);
}

void srtp_fetch(const struct srtp *srtp)
{
	(void)srtp;
}

/* --- who is there ------------------------------------------------------------------------------------------ */

static const struct {
	enum codec codec;
	uint8_t pt;
	const char *rid;
} tracks[TRACKS] = {
	{CODEC_VP8, 96, "h"}, {CODEC_VP8, 96, "l"}, {CODEC_H264, 98, ""}, {CODEC_OPUS, 111, ""}};

static void begin(bool rtx)
{
	publisher = viewer = (struct sfu_peer){.state = PEER_UP, .active = &path};
	publisher.source = &source;
	viewer.role = PEER_VIEWER;
	viewer.senders = senders;
	viewer.sender_count = SENDERS;
	memset(&source, 0, sizeof source);
	source.peer = &publisher;
	source.remb_bits = 8000000;
	for (unsigned i = 0; i < TRACKS; i++) {
		struct sfu_track *track = track_create(NULL, tracks[i].codec, 65536, TRACK_MEAN);

		PROPERTY(track);
		track->clock = track->video ? 90000 : 48000;
		source.track[source.count++] = (struct source_track){
			.track = track,
			.mid = "0",
			.pt = tracks[i].pt,
			.rtx_pt = track->video ? tracks[i].pt + 1 : 0,
			.feedback = SDP_FB_NACK | (i % 2 ? SDP_FB_PLI : SDP_FB_REMB),
			.mid_ext = 1,
			.rid_ext = 2,
			.repaired_ext = 3,
			.turn_ext = 4,
			.twcc_ext = 5,
			.turn = -1};
		strcpy(source.track[i].rid, tracks[i].rid);
	}
	memset(senders, 0, sizeof senders);
	for (unsigned i = 0; i < SENDERS; i++) {
		struct sfu_sender *sender = &senders[i];

		*sender = (struct sfu_sender){.peer = &viewer,
					      .video = !i,
					      .ssrc = 100 + i,
					      .rtx_ssrc = rtx ? 200 + i : 0,
					      .mid_ext = 1,
					      .time_ext = 2,
					      .turn_ext = 3,
					      .mid_len = 1,
					      .mid = "0",
					      .resend_budget = 300};
		sender->format[0] = (struct sender_format){i ? CODEC_OPUS : CODEC_VP8, 96,
							   rtx ? 97 : 0, SDP_FB_NACK, 0};
		sender->format[1] =
			(struct sender_format){CODEC_H264, 98, rtx ? 99 : 0, SDP_FB_NACK, 0x420000};
		sender->format_count = i ? 1 : 2;
		splice_init(&sender->splice, i ? 48000 : 90000, 0x7fff, 0xffffffff);
	}
	passed_us = 0;
	keys = 0;
	input++;
}

static void end(void)
{
	for (unsigned i = 0; i < source.count; i++)
		track_destroy(source.track[i].track);
}

/* --- steps ------------------------------------------------------------------------------------------------- */

/* Time goes by when the input says so, also for what asks for itself what time it is. */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int64_t us = BEGIN_US + passed_us;

	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	*now = (struct timespec){us / 1000000, us % 1000000 * 1000};
	return 0;
}

RUNS_ON(on_worker) static void feed_rtcp(struct sfu_peer *peer, struct bytes in)
{
	struct rtcp rtcp;
	bool broken;

	while (rtcp_next(&in, &rtcp, &broken)) {
		if (peer == &publisher)
			source_rtcp(&source, &rtcp);
		else
			sender_rtcp(&viewer, &rtcp);
	}
}

/* To another track, from its newest record on or from the oldest that is kept. */
RUNS_ON(on_worker) static void show(unsigned what)
{
	static const uint8_t of_video[] = {0, 1, 2};
	struct sfu_sender *sender = &senders[what & 1];
	struct sfu_track *track = source.track[what & 1 ? 3 : of_video[what / 2 % 3]].track;
	const struct ring *ring = track_ring(track);
	struct record record;

	if (!ring_peek(ring, what & 64 ? ring_kept_seq(ring) : ring_head_seq(ring) - 1, &record))
		return;
	cursors[what & 1] = ring_cursor_of(&record);
	sender_begin(sender, track, (int64_t)record.word[0], (int64_t)record.word[1],
		     (int64_t)record.word[1] + (what & 128 ? 90000 : 0), mono_now());
	sender->state = SENDER_LIVE;
}

/* As sfu_stage does it; pad: bytes that a packet is filled up with. */
RUNS_ON(on_worker)
static void deliver(struct sfu_sender *sender, struct ring_cursor *cursor, unsigned pad)
{
	uint8_t bytes[2048 + SENDER_PAD];
	struct record record;
	struct ring_loss loss;
	enum ring_status status;

	for (unsigned i = 0; i < 64 && sender->track; i++) {
		struct sender_packet packet;

		status = ring_read(track_ring(sender->track), cursor, &record, bytes, 2048, &loss);
		if (status == RING_LAPPED)
			continue;
		if (status != RING_RECORD)
			break;
		packet = (struct sender_packet){.seq = (int64_t)record.word[0],
						.ts = (int64_t)record.word[1],
						.flags = record.flags,
						.payload = bytes_of(bytes + RTP_HEADER,
								    record.len - RTP_HEADER),
						.room = bytes + RTP_HEADER};
		packet.picture = picture_read(sender->track->codec, packet.payload);
		if (pad && packet.payload.len > 400) {
			memset(packet.room + packet.payload.len, 0, pad);
			packet.payload.len += pad;
			packet.room[packet.payload.len - 1] = (uint8_t)pad;
			packet.padded = true;
		}
		sender_send(sender, &packet, (uint32_t)passed_us & 0xffffff, mono_now());
	}
}

RUNS_ON(on_worker) static void step(uint8_t op, uint16_t number, struct reader *r)
{
	switch (op % 7) {
	case 0: source_rtp(&source, reader_take(r, number % 1600)); break;
	case 1: feed_rtcp(&publisher, reader_take(r, number % 1600)); break;
	case 2: feed_rtcp(&viewer, reader_take(r, number % 1600)); break;
	case 3:
		passed_us += number * 100;
		source_tick(&source, mono_now(), KEY_WAIT_US);
		for (unsigned i = 0; i < SENDERS; i++)
			sender_tick(&senders[i], mono_now());
		break;
	case 4: deliver(&senders[number & 1], &cursors[number & 1], number >> 1 & 15); break;
	case 5: show(number); break;
	default: /* so many packets of one track, as a publisher would send them */
		for (unsigned i = 0; i < number % 64; i++) {
			uint8_t packet[600] = {0x90, (uint8_t)(number & 64 ? 98 : 96)};
			struct writer w = writer_of(packet + 2, sizeof packet - 2);

			writer_be(&w, number + i, 2);
			writer_be(&w, number * 1000u + i * 3000u, 4);
			writer_be(&w, 1 + (number >> 6 & 3), 4);
			writer_be(&w, 0xbede0001, 4);
			writer_be(&w, number & 128 ? 0x206c1030 : 0x20681030, 4); /* rid: l or h */
			writer_be(&w, number & 64 ? 0x65 : 0x90808001, number & 64 ? 1 : 4);
			source_rtp(&source, bytes_of(packet, number & 256 ? sizeof packet : 60));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(bytes_of(data, size < 16384 ? size : 16384));

	role_here = ROLE_WORKER;
	enter_worker();
	begin(reader_u8(&r) & 1);
	while (reader_ok(&r) && reader_left(&r) >= 3) {
		uint8_t op = reader_u8(&r);

		step(op, reader_be16(&r), &r);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		PROPERTY(senders[i].resent * 3 <= 300 + senders[i].packets);
	PROPERTY(keys <= TRACKS * ((uint64_t)passed_us / KEY_WAIT_US + 2));
	end();
	return 0;
}
