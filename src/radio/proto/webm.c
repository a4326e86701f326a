#include "radio/proto/webm.h"

#include "core/reader.h"

#define ELEMENT_MAX     (16u << 20)
#define EBML_SIZE_MAX   4096u
#define STEP_MAX_NS     60000000000u
#define SCALE_MAX       1000000000u /* a tick of a second */
#define TRACK_VIDEO     1u          /* RFC 9559 section 5.1.4.1.3 */
#define TRACK_AUDIO     2u
#define SAMPLE_RATE_MAX 1000000

void webm_init(struct webm_framer *framer)
{
	memset(framer, 0, sizeof *framer);
}

/* --- headers --- */

static void start_chain(struct webm_framer *framer)
{
	webm_init(framer);
	framer->chain = framer->synced = framer->headers = true;
	framer->scale = 1000000; /* RFC 9559 section 5.1.2.9: the default */
}

static void read_info(struct webm_framer *framer, struct bytes info)
{
	struct ebml element;
	struct bytes payload;
	bool whole;

	while (ebml_child(&info, &element, &payload, &whole))
		if (element.id == EBML_TIMESTAMP_SCALE && whole) {
			uint64_t scale = ebml_uint(payload);

			framer->scale = scale <= SCALE_MAX ? scale : 0;
		}
}

/* "A_OPUS" is opus; "A_MPEG/L3" and the like have names that nobody would guess. */
static void name_codec(struct framer_about *about, struct bytes id)
{
	static const struct {
		const char *id;
		const char *name;
	} names[] = {
		{"A_MPEG/L3", "mp3"},        {"A_MPEG/L2", "mp2"},
		{"V_MPEG4/ISO/AVC", "h264"}, {"V_MPEGH/ISO/HEVC", "hevc"},
		{"V_MPEG2", "mpeg2video"},
	};
	struct bytes word;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (bytes_equal(id, bytes_str(names[i].id))) {
			bytes_to_str(bytes_str(names[i].name), about->codec, sizeof about->codec);
			return;
		}
	id = bytes_skip(id, 2);
	word = bytes_cut(&id, '/');
	bytes_to_str(word, about->codec, sizeof about->codec);
	for (char *c = about->codec; *c; c++)
		*c = (char)byte_lower((uint8_t)*c);
}

static void read_audio(struct framer_about *about, struct bytes audio)
{
	struct ebml element;
	struct bytes payload;
	bool whole;

	while (ebml_child(&audio, &element, &payload, &whole)) {
		if (element.id == EBML_SAMPLING_FREQUENCY) {
			double rate = ebml_float(payload);

			if (rate >= 1 && rate <= SAMPLE_RATE_MAX)
				about->sample_rate = (uint32_t)rate;
		} else if (element.id == EBML_CHANNEL_COUNT) {
			about->channels = (uint32_t)ebml_uint(payload);
		}
	}
}

static void read_track(struct webm_framer *framer, struct bytes track)
{
	struct framer_about about = {.channels = 1, .sample_rate = 8000}; /* the defaults */
	uint64_t number = 0;
	uint64_t type = 0;
	struct ebml element;
	struct bytes payload;
	bool whole;

	while (ebml_child(&track, &element, &payload, &whole)) {
		if (element.id == EBML_TRACK_NUMBER)
			number = ebml_uint(payload);
		else if (element.id == EBML_TRACK_TYPE)
			type = ebml_uint(payload);
		else if (element.id == EBML_CODEC_ID)
			name_codec(&about, payload);
		else if (element.id == EBML_AUDIO)
			read_audio(&about, payload);
	}
	if (type == TRACK_VIDEO) {
		about.channels = about.sample_rate = 0;
		if (framer->video_count < WEBM_VIDEO_TRACKS)
			framer->video[framer->video_count++] = number;
	} else if (type != TRACK_AUDIO) {
		return;
	}
	if (framer->clock == 0 || (type == TRACK_AUDIO && !framer->clock_is_audio)) {
		framer->clock = number;
		framer->clock_is_audio = type == TRACK_AUDIO;
		framer->about = about;
	}
}

static void read_tracks(struct webm_framer *framer, struct bytes tracks)
{
	struct ebml element;
	struct bytes payload;
	bool whole;

	while (ebml_child(&tracks, &element, &payload, &whole))
		if (element.id == EBML_TRACK_ENTRY)
			read_track(framer, payload);
}

/* --- blocks --- */

struct block {
	uint64_t track;
	int16_t time; /* ticks since the cluster's Timestamp */
	uint8_t flags;
};

/* RFC 9559 section 10.1. */
static bool read_block(struct bytes in, struct block *block)
{
	size_t len = 0;
	struct reader r;

	if (ebml_vint(in, &block->track, &len) != EBML_OK)
		return false;
	r = reader_of(bytes_skip(in, len));
	block->time = (int16_t)reader_be16(&r);
	block->flags = reader_u8(&r);
	return reader_ok(&r);
}

/* The block in a BlockGroup, and whether that refers to others, as far as it is there. */
static bool read_group(struct bytes group, struct block *block, bool *refers)
{
	struct ebml element;
	struct bytes payload;
	bool found = false;
	bool whole;

	*refers = false;
	while (ebml_child(&group, &element, &payload, &whole)) {
		if (element.id == EBML_BLOCK && !found)
			found = read_block(payload, block);
		*refers |= element.id == EBML_REFERENCE_BLOCK;
	}
	return found;
}

static uint32_t duration_of(struct webm_framer *framer, const struct block *block)
{
	/* Wraps below zero where a block lies before the beginning; the step is right all the same. */
	uint64_t now = framer->cluster_time + (uint64_t)(int64_t)block->time;
	uint64_t step = now - framer->last_time;
	bool known = framer->last_known;

	if (block->track != framer->clock || framer->clock == 0 || !framer->cluster_timed)
		return 0;
	framer->last_time = now;
	framer->last_known = true;
	if (!known || framer->scale == 0 || step > STEP_MAX_NS / framer->scale)
		return 0;
	step = step * framer->scale + framer->rest;
	framer->rest = step % 1000;
	return (uint32_t)(step / 1000);
}

static bool is_video(const struct webm_framer *framer, uint64_t track)
{
	for (uint32_t i = 0; i < framer->video_count; i++)
		if (framer->video[i] == track)
			return true;
	return false;
}

/* --- where an element may stand --- */

static bool is_level1(uint32_t id)
{
	switch (id) {
	case EBML_VOID:
	case EBML_CRC32:
	case EBML_SEEK_HEAD:
	case EBML_INFO:
	case EBML_TRACKS:
	case EBML_CHAPTERS:
	case EBML_CUES:
	case EBML_ATTACHMENTS:
	case EBML_TAGS: return true;
	default: return false;
	}
}

static bool is_in_cluster(uint32_t id)
{
	switch (id) {
	case EBML_VOID:
	case EBML_CRC32:
	case EBML_TIMESTAMP:
	case EBML_SILENT_TRACKS:
	case EBML_POSITION:
	case EBML_PREV_SIZE:
	case EBML_SIMPLE_BLOCK:
	case EBML_BLOCK_GROUP:
	case EBML_ENCRYPTED_BLOCK: return true;
	default: return false;
	}
}

static bool is_master(uint32_t id)
{
	return id == EBML_SEGMENT || id == EBML_CLUSTER;
}

static bool may_follow(const struct webm_framer *framer, const struct ebml *element)
{
	if (is_master(element->id))
		return framer->chain;
	if (element->unsized)
		return false;
	if (element->id == EBML_HEADER)
		return element->size <= EBML_SIZE_MAX;
	return framer->chain && element->size <= ELEMENT_MAX &&
	       (is_level1(element->id) || (!framer->headers && is_in_cluster(element->id)));
}

/* --- a cluster's first video block --- */

enum verdict { IS_KEY, IS_NOT, GO_ON, CANNOT_SAY };

/* The block at the beginning of in; all: no more of the cluster will be looked at. */
static enum verdict judge_block(const struct webm_framer *framer, const struct ebml *element,
				struct bytes in, bool all)
{
	struct bytes payload = bytes_skip(in, element->head);
	struct block block;
	bool refers;

	if (element->id == EBML_SIMPLE_BLOCK) {
		if (!read_block(bytes_first(payload, (size_t)element->size), &block))
			return payload.len < element->size ? CANNOT_SAY : GO_ON;
		if (!is_video(framer, block.track))
			return GO_ON;
		return block.flags & 0x80 ? IS_KEY : IS_NOT; /* RFC 9559 section 10.2 */
	}
	if (element->id == EBML_BLOCK_GROUP) {
		if (payload.len < element->size && !all)
			return CANNOT_SAY;
		if (!read_group(bytes_first(payload, (size_t)element->size), &block, &refers) ||
		    !is_video(framer, block.track))
			return GO_ON;
		return refers ? IS_NOT : IS_KEY;
	}
	return GO_ON;
}

/* Goes on from where the last look ended, so that a cluster fed byte by byte is read once. */
static enum verdict judge_cluster(struct webm_framer *framer, struct bytes in, bool end)
{
	struct bytes window = bytes_first(in, FRAMER_UNIT_MAX);
	bool all = end || window.len == FRAMER_UNIT_MAX;
	enum verdict verdict = GO_ON;

	while (verdict == GO_ON) {
		struct bytes rest = bytes_skip(window, framer->looked);
		struct ebml element;
		enum ebml_status status = ebml_parse(rest, &element);

		if (status == EBML_SHORT)
			return all ? IS_NOT : CANNOT_SAY;
		if (status == EBML_BAD || is_master(element.id) || element.id == EBML_HEADER ||
		    !may_follow(framer, &element))
			return IS_NOT;
		verdict = judge_block(framer, &element, rest, all);
		if (verdict == GO_ON)
			framer->looked += element.head + (size_t)element.size;
	}
	return verdict == CANNOT_SAY && all ? IS_NOT : verdict;
}

/* --- units --- */

static bool starts_sync(const struct webm_framer *framer, struct bytes in)
{
	/* As much of the ID as is there. */
	return bytes_start_with(in, bytes_first(BYTES("\x1a\x45\xdf\xa3"), in.len)) ||
	       (framer->chain &&
		bytes_start_with(in, bytes_first(BYTES("\x1f\x43\xb6\x75"), in.len)));
}

/* All up to where the next EBML header or Cluster may begin, which is not at 0. */
static enum framer_status skip_junk(struct webm_framer *framer, struct bytes in, struct unit *unit)
{
	size_t off = 1;

	while (off < in.len && off < FRAMER_UNIT_MAX && !starts_sync(framer, bytes_skip(in, off)))
		off++;
	framer->synced = false;
	framer->looked = 0;
	unit->data = bytes_first(in, off);
	return FRAMER_SKIP;
}

static enum framer_status give_part(struct webm_framer *framer, struct bytes in, bool end,
				    struct unit *unit)
{
	size_t want =
		framer->part_left < FRAMER_UNIT_MAX ? (size_t)framer->part_left : FRAMER_UNIT_MAX;

	if (in.len < want && !end)
		return FRAMER_MORE;
	unit->data = bytes_first(in, want);
	unit->flags = framer->part_flags;
	framer->part_left -= unit->data.len;
	return FRAMER_UNIT;
}

static enum framer_status give_master(struct webm_framer *framer, struct bytes in, bool end,
				      const struct ebml *element, struct unit *unit)
{
	enum verdict verdict = IS_KEY;

	unit->data = bytes_first(in, element->head);
	if (element->id == EBML_SEGMENT) {
		unit->flags = framer->headers ? UNIT_HEADER : 0;
		return FRAMER_UNIT;
	}
	/* What is looked at lies in the cluster, where blocks may follow. */
	framer->headers = false;
	if (framer->video_count) {
		if (framer->looked == 0)
			framer->looked = element->head;
		verdict = judge_cluster(framer, in, end);
		if (verdict == CANNOT_SAY)
			return FRAMER_MORE;
	}
	framer->looked = 0;
	framer->cluster_timed = false;
	unit->flags = verdict == IS_KEY ? UNIT_KEY : 0;
	return FRAMER_UNIT;
}

/* Takes an element into account, of which all is there, or the first piece. */
static void take_element(struct webm_framer *framer, const struct ebml *element,
			 struct bytes payload, struct unit *unit)
{
	struct block block;
	bool refers;

	if (element->id == EBML_HEADER) {
		start_chain(framer);
		unit->flags = UNIT_HEADER | UNIT_CHAIN;
	} else if (framer->headers) {
		unit->flags = UNIT_HEADER;
		if (element->id == EBML_INFO)
			read_info(framer, payload);
		else if (element->id == EBML_TRACKS)
			read_tracks(framer, payload);
	} else if (element->id == EBML_TIMESTAMP) {
		framer->cluster_time = ebml_uint(payload);
		framer->cluster_timed = true;
	} else if (element->id == EBML_SIMPLE_BLOCK
			   ? read_block(payload, &block)
			   : element->id == EBML_BLOCK_GROUP &&
				     read_group(payload, &block, &refers)) {
		unit->duration_us = duration_of(framer, &block);
	}
}

enum framer_status webm_next(struct webm_framer *framer, struct bytes in, bool end,
			     struct unit *unit)
{
	struct ebml element;
	enum ebml_status status;
	uint64_t size;

	*unit = (struct unit){.data = {in.at, 0}};
	if (in.len == 0)
		return FRAMER_MORE;
	if (framer->part_left)
		return give_part(framer, in, end, unit);
	if (!framer->synced && !starts_sync(framer, in))
		return skip_junk(framer, in, unit);
	status = ebml_parse(in, &element);
	if (status == EBML_SHORT && !end)
		return FRAMER_MORE;
	if (status != EBML_OK || !may_follow(framer, &element))
		return skip_junk(framer, in, unit);
	framer->synced = true;
	if (is_master(element.id))
		return give_master(framer, in, end, &element, unit);
	size = element.head + element.size;
	unit->data = bytes_first(in, size < FRAMER_UNIT_MAX ? (size_t)size : FRAMER_UNIT_MAX);
	if (in.len < size && in.len < FRAMER_UNIT_MAX) {
		if (end)
			return skip_junk(framer, in, unit);
		unit->data.len = 0;
		return FRAMER_MORE;
	}
	take_element(framer, &element, bytes_skip(unit->data, element.head), unit);
	framer->part_left = size - unit->data.len;
	framer->part_flags = unit->flags | UNIT_PART;
	return FRAMER_UNIT;
}
