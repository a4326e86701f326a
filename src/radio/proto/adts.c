#include "radio/proto/adts.h"

#include "core/reader.h"

#define ADTS_HEADER 7u
#define ADTS_CRC    2u
#define LOAS_HEADER 3u
/* The part of the StreamMuxConfig that is read here ends within as many bytes. */
#define LOAS_LOOK 32u

/* ADTS header (ISO 13818-7, table 8): sync 12, ID 1, layer 2, protection_absent 1, profile 2,
 * sampling_frequency_index 4, private 1, channel_configuration 3, then flags. The second half, with
 * copyright and length, varies. Kept of the first 32 bits: */
#define ADTS_FIXED_BITS 0xFFFEFDC0u
/* The first bits of every LOAS frame; never those of ADTS. */
#define LOAS_SYNC 0x2B7u

/* Object types whose GASpecificConfig says if a frame has 960 or 1024 samples (ISO 14496-3, table
 * 1.17): AAC main, LC, SSR, LTP, scalable, TwinVQ and their error resilient forms but ELD. */
#define GA_OBJECT_TYPES                                                                    \
	(1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 7 | 1u << 17 | 1u << 19 | \
	 1u << 20 | 1u << 21 | 1u << 22 | 1u << 23)
#define OBJECT_SBR    5u
#define OBJECT_PS     29u
#define OBJECT_ESCAPE 31u

static const uint32_t sample_rates[13] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
					  22050, 16000, 12000, 11025, 8000,  7350};
static const uint8_t channel_counts[8] = {0, 1, 2, 3, 4, 5, 6, 8};

static enum look parse_adts(struct bytes in, struct sync_frame *frame)
{
	struct reader r = reader_of(in);
	uint32_t fixed = reader_be32(&r);
	uint32_t variable = (uint32_t)reader_be(&r, 3);

	if (!reader_ok(&r))
		return LOOK_SHORT;

	uint32_t rate_index = fixed >> 10 & 15;
	bool protected = !(fixed >> 16 & 1);
	uint32_t len = (fixed & 3) << 11 | variable >> 13;
	uint32_t blocks = (variable & 3) + 1;
	uint32_t least = ADTS_HEADER + (protected ? ADTS_CRC * blocks : 0);

	if (rate_index >= 13 || len <= least)
		return LOOK_NO;
	*frame = (struct sync_frame){
		.len = len,
		.fixed = fixed & ADTS_FIXED_BITS,
		.samples = 1024 * blocks,
		.sample_rate = sample_rates[rate_index],
		.channels = channel_counts[fixed >> 6 & 7],
		.opens = true,
	};
	return LOOK_YES;
}

struct bits {
	struct reader from;
	uint8_t byte;
	unsigned left;
};

/* n at most 32. */
static uint32_t take_bits(struct bits *bits, unsigned n)
{
	uint32_t value = 0;

	for (; n > 0; n--) {
		if (bits->left == 0) {
			bits->byte = reader_u8(&bits->from);
			bits->left = 8;
		}
		value = value << 1 | ((uint32_t)bits->byte >> --bits->left & 1);
	}
	return value;
}

static uint32_t take_object_type(struct bits *bits)
{
	uint32_t type = take_bits(bits, 5);

	return type == OBJECT_ESCAPE ? 32 + take_bits(bits, 6) : type;
}

/* 0 for a reserved index. */
static uint32_t take_sample_rate(struct bits *bits)
{
	uint32_t index = take_bits(bits, 4);

	if (index == 15)
		return take_bits(bits, 24);
	return index < 13 ? sample_rates[index] : 0;
}

/* LatmGetValue(): a count of bytes, then as many bytes. */
static void skip_latm_value(struct bits *bits)
{
	uint32_t count = take_bits(bits, 2) + 1;

	take_bits(bits, 8 * count);
}

/* AudioSpecificConfig (ISO 14496-3, 1.6.2.1) up to what says the frame length. With SBR or PS
 * signalled first, the rate that follows at once is the core's, and the core's type comes last. */
static void take_audio_config(struct bits *bits, struct sync_frame *frame)
{
	uint32_t type = take_object_type(bits);

	frame->sample_rate = take_sample_rate(bits);
	uint32_t channels = take_bits(bits, 4);

	frame->channels = channels < 8 ? channel_counts[channels] : 0;
	if (type == OBJECT_SBR || type == OBJECT_PS) {
		take_sample_rate(bits);
		type = take_object_type(bits);
	}
	if (type < 32 && (GA_OBJECT_TYPES >> type & 1))
		frame->samples = take_bits(bits, 1) ? 960 : 1024;
}

/* StreamMuxConfig (ISO 14496-3, table 1.42) of the first layer of the first program. */
static void take_mux_config(struct bits *bits, struct sync_frame *frame)
{
	bool version_1 = take_bits(bits, 1);

	if (version_1) {
		if (take_bits(bits, 1)) /* audioMuxVersionA: reserved */
			return;
		skip_latm_value(bits); /* taraBufferFullness */
	}
	take_bits(bits, 1); /* allStreamsSameTimeFraming */
	uint32_t subframes = take_bits(bits, 6) + 1;

	take_bits(bits, 4 + 3); /* numProgram, numLayer */
	if (version_1)
		skip_latm_value(bits); /* ascLen */
	take_audio_config(bits, frame);
	frame->samples *= subframes;
	frame->opens = frame->sample_rate != 0 && reader_ok(&bits->from);
}

/* AudioSyncStream() (ISO 14496-3, table 1.36): sync 11, length 13, then AudioMuxElement(1), whose
 * first bit is 0 when a StreamMuxConfig follows. */
static enum look parse_loas(struct bytes in, struct sync_frame *frame)
{
	struct reader r = reader_of(in);
	uint32_t header = (uint32_t)reader_be(&r, LOAS_HEADER);

	if (!reader_ok(&r))
		return LOOK_SHORT;

	size_t len = header & 0x1FFF;
	struct bits bits = {.from = reader_of(bytes_first(bytes_skip(in, LOAS_HEADER),
							  len < LOAS_LOOK ? len : LOAS_LOOK))};

	if (len == 0)
		return LOOK_NO;
	if (reader_left(&bits.from) < len && reader_left(&bits.from) < LOAS_LOOK)
		return LOOK_SHORT;
	*frame = (struct sync_frame){.len = LOAS_HEADER + len, .fixed = LOAS_SYNC};
	if (take_bits(&bits, 1) == 0)
		take_mux_config(&bits, frame);
	return LOOK_YES;
}

static enum look parse_header(struct bytes in, struct sync_frame *frame)
{
	if (in.len == 0)
		return LOOK_SHORT;
	if (in.at[0] == 0xFF && (in.len == 1 || (in.at[1] & 0xF6) == 0xF0))
		return parse_adts(in, frame);
	if (in.at[0] == LOAS_SYNC >> 3 && (in.len == 1 || in.at[1] >> 5 == (LOAS_SYNC & 7)))
		return parse_loas(in, frame);
	return LOOK_NO;
}

void adts_init(struct adts_framer *framer)
{
	*framer = (struct adts_framer){.about.codec = "aac"};
}

enum framer_status adts_next(struct adts_framer *framer, struct bytes in, bool end,
			     struct unit *unit)
{
	struct sync_frame frame;
	enum framer_status status = sync_next(&framer->sync, parse_header, in, end, unit, &frame);

	if (status != FRAMER_UNIT)
		return status;
	if (frame.opens) {
		framer->about.sample_rate = frame.sample_rate;
		framer->about.channels = frame.channels;
		framer->samples = frame.samples;
	}
	return cut_unit(unit->data, frame.opens ? UNIT_KEY : 0,
			play_clock_us(&framer->clock, framer->samples, framer->about.sample_rate),
			unit);
}

enum look adts_look(struct bytes in)
{
	struct sync_frame frame;

	return sync_look(parse_header, in, false, &frame);
}
