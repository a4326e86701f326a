/* Transport stream: any bytes, as they are and with the CRC of every table put right, come out the
 * same however they are fed; units are whole packets and KEY ones begin with a PAT. */
#include "radio/proto/ts.h"

#include "core/writer.h"
#include "framing.h"
#include "radio/proto/crc_msb.h"

FRAMING(ts)

static void check(void *state, enum framer_status status, const struct unit *unit)
{
	const struct ts_framer *framer = state;

	PROPERTY(framer->pmt.video_count <= TS_VIDEO_PIDS);
	PROPERTY(memchr(framer->about.codec, 0, sizeof framer->about.codec));
	if (status != FRAMER_UNIT)
		return;
	PROPERTY(unit->data.len % TS_PACKET == 0);
	PROPERTY((unit->flags & ~UNIT_KEY) == 0);
	for (size_t at = 0; at < unit->data.len; at += TS_PACKET) {
		const uint8_t *packet = unit->data.at + at;
		bool pat = (packet[1] & 0x5f) == 0x40 && packet[2] == 0;

		PROPERTY(packet[0] == 0x47);
		PROPERTY(!pat || at == 0);
		PROPERTY(at || pat || !(unit->flags & UNIT_KEY));
	}
}

/* Only tables that lie in one packet behind an empty pointer field and no adaptation field. */
static void put_crcs_right(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + TS_PACKET <= size; at += TS_PACKET) {
		uint8_t *section = data + at + 5;
		size_t len = 3 + ((size_t)(section[1] & 0xf) << 8 | section[2]);
		struct writer w;

		if ((data[at + 1] & 0x40) == 0 || (data[at + 3] & 0x30) != 0x10 || data[at + 4] ||
		    len < 7 || len > TS_PACKET - 5)
			continue;
		w = writer_of(section + len - 4, 4);
		writer_be(&w, crc_msb_update(UINT32_MAX, bytes_of(section, len - 4)), 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct framing framing = {&ts_state, ts_framing_init, ts_framing_next, check, true};
	uint8_t *copy = malloc(size ? size : 1);
	uint32_t seed = size ? data[size - 1] : 0;

	PROPERTY(copy);
	framing_compare(&framing, bytes_of(data, size), seed & 1, seed);
	if (size)
		memcpy(copy, data, size);
	put_crcs_right(copy, size);
	framing_compare(&framing, bytes_of(copy, size), seed & 1, seed);
	free(copy);
	return 0;
}
