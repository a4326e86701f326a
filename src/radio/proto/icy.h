/* icy: titles inside an audio stream, as SHOUTcast began it: writing them, counting to the next
 * one, and taking them out again.
 *
 *     audio (icy-metaint bytes) · block · audio (icy-metaint bytes) · block …
 *     block = length in 16-byte units (0 to 255) · StreamTitle='…';StreamUrl='…'; · NUL padding
 *
 * No document defines it; the players do. docs/quirks.md says what they make of quotes, and why
 * a block is written the way it is. A block of length 0 means "no change".
 *
 * Sans-I/O: no allocation, no clock; all state lies in the structs. Thread: whoever owns them.
 * It does not decide when a title is due (the position in the audio does) nor which interval to
 * use. */
#pragma once

#include "core/writer.h"

#define ICY_TEXT_MAX  4080u /* 255 units of 16 */
#define ICY_BLOCK_MAX 4081u /* with the length byte */

enum icy_charset {
	ICY_UTF8,
	ICY_LATIN1, /* '?' for what does not fit */
};

/* Writes one block. The title is UTF-8; it is cut at a character when it is too long. What would
 * end it early is broken by a space ("';" becomes "' ;", and so does a ';' at its very
 * beginning) and control characters become spaces, so that every player finds the same end.
 * There is always at least one NUL behind the text. The URL is written only when there is one
 * and it fits behind the title whole; a quote and what is not printable ASCII in it is
 * percent-encoded. */
void icy_metadata_write(struct bytes title, struct bytes url, enum icy_charset charset,
			struct writer *out);

/* The block that says "no change": one zero byte. */
struct bytes icy_empty(void);

/* Where a listener is between two blocks. It belongs to the connection for its whole life: nothing
 * that happens to the stream (a skip, a fallback, another source) may touch it, because the player
 * counts on. */
struct icy_phase {
	uint32_t interval; /* audio bytes between blocks; 0: this listener has no metadata */
	uint32_t left;     /* audio bytes until the next block */
};

struct icy_phase icy_phase_of(uint32_t interval);

/* How many of want audio bytes may be sent before a block must be. 0 (with want > 0): a block is
 * due now. */
size_t icy_phase_audio(const struct icy_phase *phase, size_t want);

/* len audio bytes were sent, at most what icy_phase_audio() allowed. */
void icy_phase_sent(struct icy_phase *phase, size_t len);

bool icy_phase_due(const struct icy_phase *phase);

/* A block was sent. */
void icy_phase_block_sent(struct icy_phase *phase);

struct icy_fields {
	bool has_title, has_url;
	struct bytes title,
		url; /* as the peer wrote them: neither valid UTF-8 nor clean by right */
};

/* Finds StreamTitle and StreamUrl in the text of a block (without its length byte); names in any
 * case, values in single, double or no quotes. A value ends at the first quote and ';' that the end
 * of the text or another field follows, so a quote or even "';" inside it survives; without one, at
 * a closing quote at the end, or at the end. False: neither field is there. */
bool icy_parse_fields(struct bytes block, struct icy_fields *fields);

/* Splits a stream that carries metadata (of a relay's upstream, or of an encoder that sends it). */
struct icy_demux {
	uint32_t interval;
	uint32_t left; /* audio bytes until the next length byte */
	size_t have;   /* bytes of block that are filled */
	uint8_t block[ICY_BLOCK_MAX];
};

enum icy_demux_status {
	ICY_DEMUX_MORE,  /* all of in was used: call again with what comes next */
	ICY_DEMUX_AUDIO, /* *audio is the next run of audio, inside in */
	ICY_DEMUX_TITLE, /* *fields is what a block said; lives until the next call */
};

/* interval: from the peer's icy-metaint, at least 1. */
void icy_demux_init(struct icy_demux *demux, uint32_t interval);

/* Takes the next part off the beginning of in; *used bytes are done with. Empty blocks and blocks
 * that say nothing we know are passed over. */
enum icy_demux_status icy_demux_next(struct icy_demux *demux, struct bytes in, struct bytes *audio,
				     struct icy_fields *fields, size_t *used);
