/* framer: cuts a stream of audio or video into the units that listeners may be given.
 *
 *     bytes from the encoder ──▶ framer_next() ──▶ unit, unit, skip, unit …
 *
 * One framer per source connection. A unit is the codec's own: an MP3 or ADTS frame, an Ogg page, a
 * FLAC frame, an EBML element, a run of transport packets. A listener is only ever given whole
 * units, and starts at a KEY one after the HEADER units of its chain.
 *
 * Sans-I/O: no allocation, no clock, no socket; all state lies in the struct. The caller keeps what
 * was not used and calls again with more behind it. Thread: whoever owns the struct.
 *
 * It does not judge what the stream is worth, does not decode audio and does not log. */
#pragma once

#include "radio/proto/adts.h"
#include "radio/proto/flac.h"
#include "radio/proto/mp3.h"
#include "radio/proto/ogg.h"
#include "radio/proto/ts.h"
#include "radio/proto/unit.h"
#include "radio/proto/webm.h"

enum framer_kind {
	FRAMER_MP3,  /* MPEG-1/2/2.5 layer I, II, III (ISO 11172-3, 13818-3) */
	FRAMER_ADTS, /* AAC in ADTS (ISO 13818-7); also LATM's LOAS sync layer */
	FRAMER_OGG,  /* RFC 3533: Vorbis, Opus, FLAC, Speex, Theora, others as bare pages */
	FRAMER_FLAC, /* native FLAC (RFC 9639) */
	FRAMER_WEBM, /* WebM and Matroska (RFC 8794, 9559), streamed */
	FRAMER_TS,   /* MPEG transport stream (ISO 13818-1) */
	FRAMER_RAW,  /* anything else: bytes, any of which is a boundary */
};

/* Each of the formats' structs begins with its struct framer_about. */
struct framer {
	enum framer_kind kind;
	union {
		struct framer_about about;
		struct mp3_framer mp3;
		struct adts_framer adts;
		struct flac_framer flac;
		struct ogg_framer ogg;
		struct webm_framer webm;
		struct ts_framer ts;
	} of;
};

void framer_init(struct framer *framer, enum framer_kind kind);

/* Cuts the next unit off the beginning of in. end: the stream ends behind in, so that what waits
 * for a look at the next header is given out too. On FRAMER_UNIT and FRAMER_SKIP, unit->data starts
 * at in.at, has at least one byte, and is what the caller drops before calling again. */
enum framer_status framer_next(struct framer *framer, struct bytes in, bool end, struct unit *unit);

const struct framer_about *framer_about(const struct framer *framer);

/* The title that the stream carried (Vorbis comment in Ogg, UTF-8, "Artist - Title" or what there
 * was of it) since the last call that returned true. The bytes live in the framer until the next
 * framer_next(). False: nothing new. */
bool framer_title(struct framer *framer, struct bytes *title);

/* The kind that a Content-Type announces (parameters ignored, ASCII case ignored); FRAMER_RAW
 * when it is not known. Many encoders announce one thing and send another, or "audio/mpeg" for all
 * they do: where that matters ask framer_kind_of_bytes() as well. */
enum framer_kind framer_kind_of_type(struct bytes content_type);

/* The kind that the first bytes of a stream show, a leading ID3 tag left aside: OggS, fLaC, EBML,
 * TS sync (three in step); or anywhere in them MPEG, ADTS or LOAS sync (two frames in step), as a
 * stream may be joined in the middle of a frame. A tag of which no end is seen announces MP3. False:
 * more bytes would help (never so from FRAMER_SNIFF_MAX on: then *kind is FRAMER_RAW if nothing
 * fits). Once true, more bytes do not change the answer. */
#define FRAMER_SNIFF_MAX 8192u

bool framer_kind_of_bytes(struct bytes first, enum framer_kind *kind);

/* The content type to tell listeners for a stream of this kind that came without one. */
const char *framer_type_of_kind(enum framer_kind kind);

/* Lower-case word for logs and status: "mp3" "adts" "ogg" "flac" "webm" "ts" "raw". */
const char *framer_kind_name(enum framer_kind kind);
