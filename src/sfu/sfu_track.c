#include "sfu/sfu_track.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/sfu_stage.h"

#define AUDIO_SIZE (256u << 10)
#define SEEK_STEPS 16u
#define SEEK_NEAR  64

struct sfu_track *track_create(struct sfu_room *room, enum codec codec, uint64_t history,
			       uint32_t mean)
{
	static uint64_t last_id;
	struct sfu_track *track =
		calloc(1, sizeof *track + workers_count() * sizeof track->here[0]);
	struct feed_shape shape = feed_shape_for(codec_is_video(codec) ? history : AUDIO_SIZE,
						 codec_is_video(codec) ? mean : 100, 4096);

	if (!track)
		return NULL;
	track->id = ++last_id;
	track->room = room;
	track->codec = codec;
	track->video = codec_is_video(codec);
	track->workers = workers_count();
	for (unsigned i = 0; i < track->workers; i++)
		track->here[i].track = track;
	if (feed_create(&track->feed, track->id, BYTES("sfu"), bytes_str(codec_name(codec)),
			(uint32_t)codec, &shape) != 0 ||
	    ring_claim(&track->feed.ring[FEED_RECORDS], track->id, false) != 0 ||
	    ring_claim(&track->feed.ring[FEED_NOTES], track->id, false) != 0) {
		track_destroy(track);
		return NULL;
	}
	return track;
}

void track_destroy(struct sfu_track *track)
{
	if (!track)
		return;
	feed_close(&track->feed);
	free(track);
}

static void count_up(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t was = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, was + n, memory_order_relaxed);
}

/* A picture is a place to begin at its first packet only. */
static bool begins(struct sfu_track *track, const struct rtp *rtp, int64_t ts)
{
	if (!codec_begins_key(track->codec, rtp->payload))
		return false;
	if (track->video && track->keyed && ts <= track->key_ts)
		return false;
	track->keyed = true;
	track->key_ts = ts;
	return true;
}

void track_publish(struct sfu_track *track, const struct rtp *rtp, int64_t seq, int64_t ts,
		   int turn, mono_t now)
{
	uint8_t packet[2048];
	struct writer w = writer_of(packet, sizeof packet);
	struct record record = {.wall_us = wall_now_us(), .word = {(uint64_t)seq, (uint64_t)ts}};
	uint64_t wake;

	rtp_write_header(&w, rtp, false);
	writer_put(&w, rtp->payload);
	if (!writer_ok(&w))
		return;
	record.media_us = (int64_t)((double)ts * 1e6 / track->clock);
	if (rtp->marker)
		record.flags |= RECORD_MARKER;
	if (turn >= 0)
		record.flags |= RECORD_ROTATED | (uint32_t)(turn & 15) << 12;
	if (begins(track, rtp, ts)) {
		record.flags |= RECORD_KEY;
		count_up(&track->keys, 1);
	}
	if (ring_publish(&track->feed.ring[FEED_RECORDS], &record, writer_done(&w), &wake) != 0)
		return;
	if (record.flags & RECORD_KEY)
		atomic_store_explicit(&track->key_seq, record.seq, memory_order_relaxed);
	count_up(&track->packets, 1);
	count_up(&track->octets, rtp->payload.len);
	atomic_store_explicit(&track->last_us, now.us, memory_order_relaxed);
	stage_wake(wake);
}

void track_end(struct sfu_track *track)
{
	ring_release(&track->feed.ring[FEED_RECORDS]);
	ring_release(&track->feed.ring[FEED_NOTES]);
}

/* For who reads the feed alone. Nobody sleeps on notes. */
static void note_report(struct sfu_track *track, uint64_t ntp, int64_t ts)
{
	struct record note = {.word = {ring_head_pos(&track->feed.ring[FEED_RECORDS]), ntp}};
	uint8_t bytes[TRACK_NOTE];
	struct writer w = writer_of(bytes, sizeof bytes);
	uint64_t wake;

	writer_be(&w, (uint64_t)ts, sizeof bytes);
	if (ring_publish(&track->feed.ring[FEED_NOTES], &note, writer_done(&w), &wake) != 0)
		metric_add(METRIC_sfu_strays, 1);
}

void track_report(struct sfu_track *track, uint64_t ntp, int64_t ts, mono_t now)
{
	uint32_t turn = atomic_load_explicit(&track->report_turn, memory_order_relaxed);

	atomic_store_explicit(&track->report_turn, turn + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* pairs with track_last_report */
	atomic_store_explicit(&track->report_ntp, ntp, memory_order_relaxed);
	atomic_store_explicit(&track->report_ts, ts, memory_order_relaxed);
	atomic_store_explicit(&track->report_at, now.us, memory_order_relaxed);
	atomic_store_explicit(&track->report_turn, turn + 2, memory_order_release);
	note_report(track, ntp, ts);
}

bool track_last_report(struct sfu_track *track, uint64_t *ntp, int64_t *ts, int64_t *at_us)
{
	uint32_t turn = atomic_load_explicit(&track->report_turn, memory_order_acquire);

	*ntp = atomic_load_explicit(&track->report_ntp, memory_order_relaxed);
	*ts = atomic_load_explicit(&track->report_ts, memory_order_relaxed);
	*at_us = atomic_load_explicit(&track->report_at, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	return turn && turn % 2 == 0 &&
	       turn == atomic_load_explicit(&track->report_turn, memory_order_relaxed);
}

/* Records lie nearly in the order of their numbers: a few steps lead near, then a look around. */
bool track_find(const struct sfu_track *track, int64_t seq, struct record *out)
{
	const struct ring *ring = track_ring(track);
	int64_t at = (int64_t)ring_head_seq(ring) - 1;
	int64_t oldest = (int64_t)ring_kept_seq(ring);

	for (unsigned i = 0; i < SEEK_STEPS; i++) {
		int64_t off;

		if (at < oldest || !ring_peek(ring, (uint64_t)at, out))
			break;
		off = seq - (int64_t)out->word[0];
		if (off == 0)
			return true;
		if (off > -SEEK_NEAR / 2 && off < SEEK_NEAR / 2)
			break;
		at += off;
		if (at < oldest)
			at = oldest;
		if (at >= (int64_t)ring_head_seq(ring))
			at = (int64_t)ring_head_seq(ring) - 1;
	}
	for (int64_t near = 0; near <= 2 * SEEK_NEAR; near++) {
		int64_t look = at + (near % 2 ? (near + 1) / 2 : -(near / 2));

		if (look >= oldest && ring_peek(ring, (uint64_t)look, out) &&
		    (int64_t)out->word[0] == seq)
			return true;
	}
	return false;
}

bool track_find_key(const struct sfu_track *track, int64_t limit_us, struct record *out)
{
	const struct ring *ring = track_ring(track);

	uint64_t seq = atomic_load_explicit(&track->key_seq, memory_order_relaxed);

	return limit_us > 0 && seq && ring_peek(ring, seq, out) &&
	       wall_now_us() - out->wall_us <= limit_us;
}
