/* icy: takes the titles out of a listener's body, counting the interval over the whole connection.
 *
 *     body ──▶ icy_input() ──▶ on_audio(bytes) … on_title(text) … on_audio(bytes)
 *
 *     | audio: interval bytes | n | block: 16 × n bytes, text then NULs | audio …
 *
 * There is no way to find the place again once it is lost, so a block that is no block is the
 * proof that the server miscounted: it is counted as bad. The block must read
 * StreamTitle='…'; (StreamUrl='…'; may follow) and be filled with NULs; whether the fill was longer
 * than it had to be is counted on the side, as it costs bytes but harms nobody.
 *
 * Titles and audio are given out in the order of the wire. No allocation; the owner embeds the
 * struct. With an interval of 0 all bytes are audio. Thread: whoever owns the struct. */
#pragma once

#include "core/bytes.h"

enum { ICY_BLOCK_MAX = 255 * 16 };

struct icy {
	/* The bytes are lent for the call. on_title may be NULL. */
	void (*on_audio)(struct icy *icy, struct bytes audio);
	void (*on_title)(struct icy *icy, struct bytes title);

	uint64_t blocks; /* that were not empty */
	uint64_t bad;    /* blocks that break the form above */
	uint64_t loose;  /* good, with 16 NULs or more at the end */

	/* Private. */
	size_t interval, left; /* left: audio bytes before the next length byte */
	size_t want, have;     /* of the block */
	uint8_t block[ICY_BLOCK_MAX];
};

void icy_init(struct icy *icy, size_t interval);
void icy_input(struct icy *icy, struct bytes in);
