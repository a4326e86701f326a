/* WebM: any bytes come out the same however they are fed; KEY units are Clusters, chains begin with
 * an EBML header. */
#include "radio/proto/webm.h"

#include "framing.h"

FRAMING(webm)

static void check(void *state, enum framer_status status, const struct unit *unit)
{
	const struct webm_framer *framer = state;

	PROPERTY(framer->video_count <= WEBM_VIDEO_TRACKS);
	PROPERTY(memchr(framer->about.codec, 0, sizeof framer->about.codec));
	if (status != FRAMER_UNIT)
		return;
	PROPERTY(framer->chain);
	if (unit->flags & UNIT_KEY)
		PROPERTY(unit->flags == UNIT_KEY &&
			 bytes_start_with(unit->data, BYTES("\x1f\x43\xb6\x75")));
	if (unit->flags & UNIT_CHAIN)
		PROPERTY(unit->flags == (UNIT_CHAIN | UNIT_HEADER) &&
			 bytes_start_with(unit->data, BYTES("\x1a\x45\xdf\xa3")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct framing framing = {&webm_state, webm_framing_init, webm_framing_next, check,
					false};
	uint32_t seed = size ? data[size - 1] : 0;

	framing_compare(&framing, bytes_of(data, size), seed & 1, seed);
	return 0;
}
