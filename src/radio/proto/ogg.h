/* ogg: cuts a physical Ogg stream into pages (RFC 3533).
 *
 *     BOS BOS | headers … | data data data … | BOS …
 *     HEADER    HEADER      KEY              HEADER
 *     CHAIN                                  CHAIN
 *
 * A unit is one page with a right CRC; what is none, or is of a logical stream whose first page was
 * never seen, is FRAMER_SKIP. The first BOS page behind another page begins a chain. Up to
 * OGG_STREAMS logical streams are followed; pages of further ones are units without flags (their
 * BOS pages are HEADER).
 *
 * HEADER: pages up to the end of each stream's header packets. A page that ends them and carries
 * data as well, which the mappings forbid, counts as HEADER.
 * KEY: pages on which a packet begins, once no stream waits for headers. If the chain has Theora,
 * only those of its pages on which the first packet to begin is a keyframe; then a listener always
 * starts with a picture. A chain that lost a page of its headers has no KEY pages.
 * duration_us: by the granule positions of the first audio stream (Theora if there is none); pages
 * of the others have 0. The first page counts from 0 unless that gives more than 6 s: a live
 * capture may start its granules anywhere. Steps back and steps over 60 s give 0.
 *
 * Thread: whoever owns the struct. It does not check page numbers of data, and changes no byte. */
#pragma once

#include "radio/proto/ogg_stream.h"
#include "radio/proto/vorbis_comment.h"

#define OGG_STREAMS 8u

struct ogg_framer {
	struct framer_about about; /* of the chain: its first audio stream, or else its video */
	struct ogg_stream streams[OGG_STREAMS];
	uint32_t stream_count;
	int32_t clock;      /* the stream that about, durations and title are of; -1: none */
	bool in_bos;        /* the last page was a BOS page */
	bool overfull;      /* the chain has more than OGG_STREAMS streams */
	bool has_video;     /* the chain has Theora */
	bool broken;        /* the chain's headers are not complete and never will be */
	bool granule_known; /* of the clock */
	uint64_t granule;   /* units at the end of the clock's last page */
	uint64_t rest;      /* part of a microsecond that the durations so far left out */
	size_t need;        /* bytes that must be there before another look is worth it */
	uint64_t debt;      /* bytes CRCed in vain, less what was earned since; see ogg.c */
	struct vorbis_comment comment;
	bool in_comment; /* the clock's header packet that is being read is the comment */
	bool title_new;
	size_t title_len;
	uint8_t title[2 * VORBIS_COMMENT_VALUE_MAX + 3];
};

void ogg_init(struct ogg_framer *framer);

enum framer_status ogg_next(struct ogg_framer *framer, struct bytes in, bool end,
			    struct unit *unit);

/* "ARTIST - TITLE", or what there is of it, once for each chain that has one. Each is cut to
 * VORBIS_COMMENT_VALUE_MAX bytes; the bytes are as the encoder sent them, UTF-8 if it keeps to the
 * rules, and live in the framer until the next ogg_next(). */
bool ogg_title(struct ogg_framer *framer, struct bytes *title);
