#include "sfu/proto/splice.h"

#include <string.h>

void splice_init(struct splice *splice, uint32_t clock, uint16_t first_seq, uint32_t first_ts)
{
	*splice = (struct splice){
		.clock = clock,
		/* One round up, so that counting back from here stays above zero. */
		.next_out = 65536 + (int64_t)first_seq,
		.last_out_ts = ((int64_t)1 << 32) + (int64_t)first_ts,
	};
}

int64_t splice_time(const struct splice_piece *piece, int64_t ts)
{
	int64_t since = ts - piece->anchor_in;

	return piece->anchor_out + (since < 0 ? since / SPLICE_SQUEEZE : since);
}

void splice_begin(struct splice *splice, uint64_t track, int64_t seq, int64_t ts, int64_t live_ts,
		  mono_t now)
{
	struct splice_piece *piece = splice->piece;
	int64_t passed = 0;

	if (splice->begun) {
		passed = mono_since_us(now, splice->last_at) * splice->clock / 1000000;
		/* A tick at least: two pictures never have one time. */
		if (passed < 1)
			passed = 1;
	}
	memmove(piece + 1, piece, (SPLICE_PIECES - 1) * sizeof *piece);
	*piece = (struct splice_piece){
		.track = track,
		.first_in = seq,
		.first_out = splice->next_out,
		.anchor_in = live_ts,
		.anchor_out = splice->last_out_ts + passed +
			      (live_ts > ts ? (live_ts - ts) / SPLICE_SQUEEZE + 1 : 0),
	};
}

bool splice_map(struct splice *splice, int64_t seq, int64_t ts, mono_t now, int64_t *out_seq,
		int64_t *out_ts)
{
	const struct splice_piece *piece = splice->piece;

	if (!piece->track || seq < piece->first_in)
		return false;
	*out_seq = seq - piece->first_in + piece->first_out;
	*out_ts = splice_time(piece, ts);
	splice->begun = true;
	if (*out_seq >= splice->next_out)
		splice->next_out = *out_seq + 1;
	if (*out_ts > splice->last_out_ts) {
		splice->last_out_ts = *out_ts;
		splice->last_at = now;
	}
	return true;
}

const struct splice_piece *splice_find(const struct splice *splice, uint16_t out_seq, int64_t *seq)
{
	/* The number nearest to the last one, as it cannot be newer. */
	int64_t last = splice->next_out - 1;
	int64_t out = last - (uint16_t)((uint16_t)last - out_seq);

	for (unsigned i = 0; i < SPLICE_PIECES; i++) {
		const struct splice_piece *piece = &splice->piece[i];

		if (!piece->track)
			return NULL;
		if (out >= piece->first_out) {
			*seq = out - piece->first_out + piece->first_in;
			return piece;
		}
	}
	return NULL;
}
