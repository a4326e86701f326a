/* ogg_stream: one logical stream of an Ogg chain: what its first packet says of it, and how many
 * header packets are still to come.
 *
 * Mappings: Vorbis I specification appendix A, RFC 7845 (Opus), the FLAC-in-Ogg mapping (RFC 9639
 * section 10.1), Speex, Theora (specification appendix A), Skeleton 3 and 4. Any other codec is
 * OGG_OTHER: one header packet, no times. Pure data and functions. */
#pragma once

#include "radio/proto/unit.h"

enum ogg_codec {
	OGG_OTHER,
	OGG_VORBIS,
	OGG_OPUS,
	OGG_FLAC,
	OGG_SPEEX,
	OGG_THEORA,
	OGG_SKELETON,
};

/* header_left of a stream that does not say how many header packets it has. */
#define OGG_HEADERS_OPEN UINT32_MAX

struct ogg_stream {
	uint32_t serial;
	uint32_t next_sequence; /* page number that must come next */
	enum ogg_codec codec;
	uint32_t header_left;  /* header packets that have not ended yet */
	uint32_t header_done;  /* and those that have */
	uint32_t rate;         /* granule units in `per` seconds; 0: granules say nothing */
	uint32_t per;          /* 1 but for video */
	uint32_t granule_bits; /* low bits that count frames since the keyframe (Theora) */
	bool gap;              /* a page was lost while headers were to come */
	uint8_t first_byte;    /* of the header packet that is being read */
};

/* Reads the packet of a stream's first page. about: what it says of the stream as a whole. */
void ogg_stream_identify(struct ogg_stream *stream, struct bytes packet,
			 struct framer_about *about);

/* Whether its granule positions can tell the time of the chain. */
static inline bool ogg_stream_is_audio(const struct ogg_stream *stream)
{
	return stream->codec >= OGG_VORBIS && stream->codec <= OGG_SPEEX && stream->rate > 0;
}

/* Whether this header packet, which begins with first, is the Vorbis comment; prefix and gap: what
 * lies before the comment block in it, as vorbis_comment_init() takes it. */
bool ogg_stream_has_comment(const struct ogg_stream *stream, struct bytes first,
			    struct bytes *prefix, uint32_t *gap);

/* Whether a packet that begins with first is data although header packets may still come. */
bool ogg_stream_headers_over(const struct ogg_stream *stream, struct bytes first);

/* The header packet that begins with first_byte has ended. */
void ogg_stream_header_done(struct ogg_stream *stream);

/* The granule position as a count of units (frames, when the stream is Theora). */
uint64_t ogg_stream_units(const struct ogg_stream *stream, uint64_t granule);
