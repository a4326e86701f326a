#include "radio/proto/ts_table.h"

#include "core/reader.h"
#include "radio/proto/crc_msb.h"

#define TABLE_PAT 0x00u
#define TABLE_PMT 0x02u

/* The section's length with its head and CRC, once the head is there; 0 before. */
static size_t section_len(const struct ts_section *section)
{
	struct reader r = reader_of(bytes_of(section->data, section->len));
	size_t len;

	reader_skip(&r, 1);
	len = reader_be16(&r) & 0xfff;
	return reader_ok(&r) ? len + 3 : 0;
}

bool ts_section_add(struct ts_section *section, struct bytes payload, bool start,
		    struct bytes *table)
{
	struct bytes room;
	size_t len;

	if (start) {
		/* pointer_field: what is before it ends the section before; that one is then lost if
		 * it was not complete, which costs one repetition. */
		struct reader r = reader_of(payload);

		reader_skip(&r, reader_u8(&r));
		section->len = 0;
		section->started = reader_ok(&r);
		payload = bytes_of(r.at, reader_left(&r));
	}
	if (!section->started)
		return false;
	room = bytes_first(payload, sizeof section->data - section->len);
	if (room.len)
		memcpy(section->data + section->len, room.at, room.len);
	section->len += room.len;
	len = section_len(section);
	if (len == 0 || (len > section->len && len <= sizeof section->data))
		return false;
	section->started = false;
	/* Too long for a PAT or PMT (section 2.4.4.4), or too short for its CRC. */
	if (len > sizeof section->data || len < 3 + 4)
		return false;
	if (crc_msb_update(UINT32_MAX, bytes_of(section->data, len)) != 0)
		return false;
	*table = bytes_of(section->data, len - 4);
	return true;
}

uint32_t ts_pat_read(struct bytes table)
{
	struct reader r = reader_of(table);
	uint32_t id = reader_u8(&r);

	reader_skip(&r, 2 + 2);                      /* length, transport_stream_id */
	if (id != TABLE_PAT || !(reader_u8(&r) & 1)) /* current_next_indicator */
		return TS_PID_NONE;
	reader_skip(&r, 2); /* section numbers */
	while (reader_ok(&r) && reader_left(&r) >= 4) {
		uint32_t programme = reader_be16(&r);
		uint32_t pid = reader_be16(&r) & 0x1fffu;

		if (programme != 0) /* 0: the network information table */
			return pid;
	}
	return TS_PID_NONE;
}

/* "opus" and "ac3" are private data that only a descriptor names. */
static const char *private_codec(struct bytes descriptors)
{
	struct reader r = reader_of(descriptors);

	while (reader_ok(&r) && reader_left(&r) >= 2) {
		uint32_t tag = reader_u8(&r);
		struct bytes body = reader_take(&r, reader_u8(&r));

		if (tag == 0x05 && bytes_start_with(body, BYTES("Opus")))
			return "opus";
		if (tag == 0x6a) /* ETSI EN 300 468 annex D */
			return "ac3";
	}
	return NULL;
}

/* stream_type: ISO 13818-1 table 2-34. NULL: neither audio nor video, or not known. */
static const char *audio_codec(uint32_t type, struct bytes descriptors)
{
	switch (type) {
	case 0x03:
	case 0x04: return "mp3"; /* layer I, II or III: the type does not say */
	case 0x0f:
	case 0x11: return "aac"; /* ADTS; LATM */
	case 0x81: return "ac3";
	case 0x87: return "eac3";
	case 0x06: return private_codec(descriptors);
	default: return NULL;
	}
}

static const char *video_codec(uint32_t type)
{
	switch (type) {
	case 0x01: return "mpeg1video";
	case 0x02: return "mpeg2video";
	case 0x10: return "mpeg4";
	case 0x1b: return "h264";
	case 0x24: return "hevc";
	case 0x33: return "vvc";
	case 0xd1: return "dirac";
	case 0xea: return "vc1";
	default: return NULL;
	}
}

bool ts_pmt_read(struct bytes table, struct ts_pmt *pmt)
{
	struct reader r = reader_of(table);
	uint32_t id = reader_u8(&r);
	const char *first_audio = NULL;
	const char *first_video = NULL;

	reader_skip(&r, 2 + 2); /* length, programme number */
	if (id != TABLE_PMT || !(reader_u8(&r) & 1))
		return false;
	memset(pmt, 0, sizeof *pmt);
	reader_skip(&r, 2); /* section numbers */
	pmt->pcr_pid = reader_be16(&r) & 0x1fffu;
	reader_skip(&r, reader_be16(&r) & 0xfffu); /* descriptors of the programme */
	while (reader_ok(&r) && reader_left(&r) >= 5) {
		uint32_t type = reader_u8(&r);
		uint32_t pid = reader_be16(&r) & 0x1fffu;
		struct bytes descriptors = reader_take(&r, reader_be16(&r) & 0xfffu);
		const char *audio = audio_codec(type, descriptors);
		const char *video = video_codec(type);

		first_audio = first_audio ? first_audio : audio;
		first_video = first_video ? first_video : video;
		if (video && pmt->video_count < TS_VIDEO_PIDS)
			pmt->video_pids[pmt->video_count++] = pid;
	}
	bytes_to_str(bytes_str(first_audio ? first_audio : first_video), pmt->codec,
		     sizeof pmt->codec);
	return reader_ok(&r);
}
