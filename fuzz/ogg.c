/* Ogg: any bytes, as they are and with every CRC that is wrong put right (nothing else would get
 * past the CRC), come out the same however they are fed; each unit is one page. */
#include "radio/proto/ogg.h"

#include "core/reader.h"
#include "core/writer.h"
#include "framing.h"
#include "radio/proto/crc_msb.h"

FRAMING(ogg)

static void check(void *state, enum framer_status status, const struct unit *unit)
{
	const struct ogg_framer *framer = state;
	struct reader r = reader_of(unit->data);
	struct bytes title;
	struct bytes lacing;

	PROPERTY(framer->stream_count <= OGG_STREAMS);
	PROPERTY(memchr(framer->about.codec, 0, sizeof framer->about.codec));
	if (ogg_title(state, &title)) {
		PROPERTY(title.len > 0 && title.len <= sizeof framer->title);
		PROPERTY(!ogg_title(state, &title));
	}
	if (status != FRAMER_UNIT)
		return;
	PROPERTY(bytes_equal(reader_take(&r, 4), BYTES("OggS")));
	reader_skip(&r, 22);
	lacing = reader_take(&r, reader_u8(&r));
	for (size_t i = 0; i < lacing.len; i++)
		reader_skip(&r, lacing.at[i]);
	PROPERTY(reader_ok(&r) && reader_left(&r) == 0);
	PROPERTY(!(unit->flags & UNIT_PART));
	PROPERTY(!(unit->flags & UNIT_KEY) || !(unit->flags & UNIT_HEADER));
	PROPERTY(!(unit->flags & UNIT_CHAIN) ||
		 (unit->flags & UNIT_HEADER && unit->data.at[5] & 2));
}

static void put_crcs_right(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 27 <= size; at++) {
		size_t len = 27 + (size_t)data[at + 26];
		struct writer w;

		if (memcmp(data + at, "OggS", 4) != 0 || at + len > size)
			continue;
		for (size_t i = 0; i < data[at + 26]; i++)
			len += data[at + 27 + i];
		if (at + len > size)
			continue;
		w = writer_of(data + at + 22, 4);
		writer_le(&w, 0, 4);
		w = writer_of(data + at + 22, 4);
		writer_le(&w, crc_msb_update(0, bytes_of(data + at, len)), 4);
		at += len - 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct framing framing = {&ogg_state, ogg_framing_init, ogg_framing_next, check,
					false};
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
