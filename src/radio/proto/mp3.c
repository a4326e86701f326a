#include "radio/proto/mp3.h"

#include "core/reader.h"

#define HEADER 4u

/* Header bits (ISO 11172-3, 2.4.2.3), from the most significant: sync 11, version 2, layer 2,
 * protection 1, bitrate 4, sample rate 2, padding 1, private 1, mode 2, extension 2, copyright 1,
 * original 1, emphasis 2. Version, layer and sample rate cannot change within a stream. */
#define FIXED_BITS 0xFFFE0C00u

enum version { VERSION_25, VERSION_RESERVED, VERSION_2, VERSION_1 };

/* kbit/s by bitrate index, which 0 (free format) and 15 (forbidden) never reach. */
static const uint16_t bitrates[2][3][15] = {
	{/* MPEG-1, layers I to III */
	 {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	 {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	 {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}},
	{/* MPEG-2 and 2.5 */
	 {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	 {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	 {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}},
};

static const uint16_t sample_rates[3] = {44100, 48000, 32000}; /* halved twice for 2 and 2.5 */

static unsigned layer_of(uint32_t header)
{
	return 4 - (header >> 17 & 3); /* 1, 2, 3; 4 is reserved (and ADTS has it) */
}

static enum version version_of(uint32_t header)
{
	return (enum version)(header >> 19 & 3);
}

static enum look parse_header(struct bytes in, struct sync_frame *frame)
{
	struct reader r = reader_of(in);

	if (in.len == 0)
		return LOOK_SHORT;
	if (in.at[0] != 0xFF || (in.len > 1 && in.at[1] < 0xE0))
		return LOOK_NO;

	uint32_t header = reader_be32(&r);

	if (!reader_ok(&r))
		return LOOK_SHORT;

	enum version version = version_of(header);
	unsigned layer = layer_of(header);
	uint32_t bitrate_index = header >> 12 & 15;
	uint32_t rate_index = header >> 10 & 3;
	uint32_t padding = header >> 9 & 1;

	if (version == VERSION_RESERVED || layer == 4 || bitrate_index == 0 ||
	    bitrate_index == 15 || rate_index == 3 || (header & 3) == 2)
		return LOOK_NO;

	bool low = version != VERSION_1; /* "lower sampling frequencies" */
	uint32_t bitrate = bitrates[low][layer - 1][bitrate_index] * 1000u;
	uint32_t rate = (uint32_t)sample_rates[rate_index] >> (version == VERSION_25  ? 2
							       : version == VERSION_2 ? 1
										      : 0);
	/* 2.4.3.1: a slot is four bytes in layer I and one byte otherwise. Layer III of the lower
	 * sampling frequencies has one granule of 576 samples in a frame (ISO 13818-3, 2.4.2.3). */
	uint32_t samples = layer == 1 ? 384 : layer == 3 && low ? 576 : 1152;
	uint32_t slot = layer == 1 ? 4 : 1;

	*frame = (struct sync_frame){
		.len = (samples / 8 / slot * bitrate / rate + padding) * slot,
		.fixed = header & FIXED_BITS,
		.samples = samples,
		.sample_rate = rate,
		.channels = (header >> 6 & 3) == 3 ? 1 : 2,
		.bitrate = bitrate,
		.opens = true,
	};
	return LOOK_YES;
}

static bool has_magic(struct bytes frame, size_t at, struct bytes magic)
{
	return bytes_start_with(bytes_skip(frame, at), magic);
}

/* The frame in front of a file's audio that tells its length: where the samples would begin stands
 * "Xing" (VBR) or "Info" (CBR), or 32 bytes behind the header Fraunhofer's "VBRI". Looked for in
 * every frame, as whoever sends file after file sends one each time. */
static bool is_file_header(struct bytes frame)
{
	struct reader r = reader_of(frame);
	uint32_t header = reader_be32(&r);
	bool mono = (header >> 6 & 3) == 3;
	size_t side = version_of(header) == VERSION_1 ? (mono ? 17 : 32) : (mono ? 9 : 17);
	size_t crc = header & 1u << 16 ? 0 : 2;

	if (layer_of(header) != 3)
		return false;
	/* Not every writer counts the CRC. */
	for (size_t at = HEADER + side; at <= HEADER + side + crc; at += 2)
		if (has_magic(frame, at, BYTES("Xing")) || has_magic(frame, at, BYTES("Info")))
			return true;
	return has_magic(frame, HEADER + 32, BYTES("VBRI"));
}

void mp3_init(struct mp3_framer *framer)
{
	*framer = (struct mp3_framer){.about.codec = "mp3"};
}

enum framer_status mp3_next(struct mp3_framer *framer, struct bytes in, bool end, struct unit *unit)
{
	struct sync_frame frame;
	enum framer_status status = sync_next(&framer->sync, parse_header, in, end, unit, &frame);

	if (status != FRAMER_UNIT)
		return status;
	if (is_file_header(unit->data))
		return FRAMER_SKIP;
	framer->about.codec[2] = (char)('0' + layer_of(frame.fixed));
	framer->about.sample_rate = frame.sample_rate;
	framer->about.channels = frame.channels;
	framer->about.bitrate = frame.bitrate;
	return cut_unit(unit->data, UNIT_KEY,
			play_clock_us(&framer->clock, frame.samples, frame.sample_rate), unit);
}

enum look mp3_look(struct bytes in)
{
	struct sync_frame frame;

	return sync_look(parse_header, in, false, &frame);
}
