/* vorbis_comment: reads ARTIST and TITLE out of a Vorbis comment header that comes in pieces.
 *
 *     "\x03vorbis" | vendor length, vendor | count | length, "TITLE=…" | length, "ARTIST=…" | …
 *
 * The same block is in Vorbis, Theora, Speex, Opus and FLAC, each with a prefix of its own. It may
 * hold a picture of megabytes: what is not wanted is passed over and never stored. Pure: all state
 * lies in the struct; no allocation. It does not check that the values are UTF-8; it only does not
 * cut a character in two. */
#pragma once

#include "core/bytes.h"

#define VORBIS_COMMENT_VALUE_MAX  500u
#define VORBIS_COMMENT_PREFIX_MAX 8u

struct vorbis_comment_value {
	size_t len;
	uint8_t at[VORBIS_COMMENT_VALUE_MAX];
};

struct vorbis_comment {
	uint8_t prefix[VORBIS_COMMENT_PREFIX_MAX]; /* what must come before the block */
	uint8_t prefix_len, prefix_seen;
	uint32_t left;     /* bytes to come of the field that is being read */
	uint32_t count;    /* comments to come */
	uint8_t number[4]; /* a length that may lie across two pieces */
	uint8_t number_len;
	uint8_t name[8]; /* the beginning of the comment, up to its '=' */
	uint8_t name_len;
	uint8_t state;
	uint8_t wanted; /* the value that is being read is for: 0 nobody, 1 artist, 2 title */
	struct vorbis_comment_value artist; /* the first of that name; len 0: none */
	struct vorbis_comment_value title;
};

/* prefix: at most VORBIS_COMMENT_PREFIX_MAX bytes that must come first; another beginning makes the rest be ignored. gap: so many
 * bytes of any value come between it and the block (the length, in FLAC). */
void vorbis_comment_init(struct vorbis_comment *c, struct bytes prefix, uint32_t gap);

/* The next piece of the packet. */
void vorbis_comment_feed(struct vorbis_comment *c, struct bytes in);

/* The packet is over: a value that it broke off in is dropped. */
void vorbis_comment_end(struct vorbis_comment *c);
