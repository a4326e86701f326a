/* ogg_opus: Opus packets into an Ogg stream (RFC 3533, RFC 7845), untouched.
 *
 *     ogg_opus_head ─▶ two pages     ogg_opus_put ─▶ … ─▶ a page when a second is together
 *                                    ogg_opus_pad ─▶ silence, in packets of its own
 *                                    ogg_opus_end ─▶ the last page
 *
 * A stream always is as long as the time that it tells of: where nothing came, silence is put, so files
 * of several speakers that began together stay together in any player.
 *
 * Sans-I/O, no allocation. Thread: whoever owns the struct. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

#define OGG_OPUS_BODY     16384u
#define OGG_OPUS_PAGE     (27u + 255u + OGG_OPUS_BODY) /* the room that any call needs in w */
#define OGG_OPUS_PRE_SKIP 312u                         /* what Opus encoders look ahead */

struct ogg_opus {
	uint32_t serial, pages;
	uint64_t samples; /* at 48 kHz, of all packets put */
	uint64_t paged;   /* of those in pages */
	uint32_t segments, len;
	uint8_t lacing[255];
	uint8_t body[OGG_OPUS_BODY];
};

/* Samples at 48 kHz that a packet lasts (RFC 6716 3.1); 0: it is none, or longer than 120 ms. */
uint32_t opus_samples(struct bytes packet);

void ogg_opus_head(struct ogg_opus *ogg, uint32_t serial, struct bytes artist, struct bytes title,
		   struct writer *w);

/* One packet. False: it is none. */
bool ogg_opus_put(struct ogg_opus *ogg, struct bytes packet, struct writer *w);

/* At most one page of silence, so that the stream comes nearer to so many samples. False: it is as near
 * as it can be. */
bool ogg_opus_pad(struct ogg_opus *ogg, uint64_t samples, struct writer *w);

void ogg_opus_end(struct ogg_opus *ogg, struct writer *w);
