#include "radio/proto/ts.h"

#include "core/reader.h"

#define SYNC_BYTE    0x47u
#define SYNC_PACKETS 3u
#define PCR_HZ       27000000u
#define PCR_WRAP     ((uint64_t)300 << 33)
#define STEP_MAX     ((uint64_t)60 * PCR_HZ)

/* Flags of the adaptation field (ISO 13818-1 section 2.4.3.4). */
#define DISCONTINUITY 0x80u
#define RANDOM_ACCESS 0x40u
#define HAS_PCR       0x10u

struct packet {
	uint32_t pid;
	bool start;         /* payload_unit_start_indicator */
	uint8_t adaptation; /* flags of the adaptation field; 0: there is none */
	uint64_t pcr;
	struct bytes payload;
};

void ts_init(struct ts_framer *framer)
{
	memset(framer, 0, sizeof *framer);
	framer->pmt_pid = TS_PID_NONE;
}

/* ISO 13818-1 section 2.4.3.2. A field that does not fit leaves the packet without it. */
static struct packet read_packet(struct bytes in)
{
	struct reader r = reader_of(bytes_first(in, TS_PACKET));
	struct packet packet = {.pid = TS_PID_NONE};
	uint32_t head = reader_be32(&r);
	struct reader field;

	packet.pid = head >> 8 & 0x1fffu;
	packet.start = head >> 22 & 1;
	if (head & 0x20) {
		field = reader_of(reader_take(&r, reader_u8(&r)));
		packet.adaptation = reader_u8(&field);
		if (packet.adaptation & HAS_PCR) {
			uint64_t bits = reader_be(&field, 6);

			packet.pcr = (bits >> 15) * 300 + (bits & 0x1ff);
		}
		if (!reader_ok(&field))
			packet.adaptation = 0;
	}
	if (head & 0x10 && reader_ok(&r))
		packet.payload = bytes_of(r.at, reader_left(&r));
	return packet;
}

static void take_pcr(struct ts_framer *framer, const struct packet *packet)
{
	uint64_t step = (packet->pcr + PCR_WRAP - framer->pcr) % PCR_WRAP;

	if (framer->pcr_known && !(packet->adaptation & DISCONTINUITY) && step <= STEP_MAX)
		framer->due += step;
	framer->pcr = packet->pcr;
	framer->pcr_known = true;
}

static void take_tables(struct ts_framer *framer, const struct packet *packet)
{
	struct bytes table;
	struct ts_pmt pmt;

	if (packet->pid == TS_PID_PAT &&
	    ts_section_add(&framer->pat_section, packet->payload, packet->start, &table)) {
		uint32_t pid = ts_pat_read(table);

		if (pid != TS_PID_NONE && pid != framer->pmt_pid) {
			framer->pmt_pid = pid;
			framer->pmt_known = framer->pcr_known = false;
			framer->pmt_section.started = false;
		}
	} else if (packet->pid == framer->pmt_pid && packet->pid != TS_PID_NONE &&
		   ts_section_add(&framer->pmt_section, packet->payload, packet->start, &table) &&
		   ts_pmt_read(table, &pmt)) {
		framer->pmt = pmt;
		framer->pmt_known = true;
		memcpy(framer->about.codec, pmt.codec, sizeof framer->about.codec);
	}
}

static bool is_access_point(const struct ts_framer *framer, const struct packet *packet)
{
	for (uint32_t i = 0; i < framer->pmt.video_count; i++)
		if (framer->pmt.video_pids[i] == packet->pid)
			return packet->adaptation & RANDOM_ACCESS;
	return false;
}

/* What the packet says of the run that began with a PAT. */
static void judge(struct ts_framer *framer, const struct packet *packet)
{
	if (!framer->needs_access && framer->pmt_known) {
		framer->needs_access = framer->pmt.video_count > 0;
		framer->key = framer->key_decided = !framer->needs_access;
	}
	if (framer->needs_access && is_access_point(framer, packet))
		framer->key = framer->key_decided = true;
}

static void take_packet(struct ts_framer *framer, struct bytes in)
{
	struct packet packet = read_packet(in);

	take_tables(framer, &packet);
	if (packet.adaptation & HAS_PCR && framer->pmt_known && packet.pid == framer->pmt.pcr_pid)
		take_pcr(framer, &packet);
	if (framer->at_pat && !framer->key_decided)
		judge(framer, &packet);
}

static bool is_pat_start(struct bytes in)
{
	struct packet packet = read_packet(in);

	return packet.pid == TS_PID_PAT && packet.start;
}

enum step { STEP_YES, STEP_NO, STEP_SHORT };

/* Whether packets may begin here: as many sync bytes in step as the input's end lets one see. */
static enum step in_step(struct bytes in, bool end)
{
	size_t seen = 0;

	while (seen < SYNC_PACKETS && seen * TS_PACKET < in.len) {
		if (in.at[seen * TS_PACKET] != SYNC_BYTE)
			return STEP_NO;
		seen++;
	}
	if (seen == SYNC_PACKETS)
		return STEP_YES;
	if (!end)
		return STEP_SHORT;
	return in.len >= TS_PACKET ? STEP_YES : STEP_NO;
}

static enum framer_status resync(struct ts_framer *framer, struct bytes in, bool end,
				 struct unit *unit)
{
	size_t off = 0;

	while (off < in.len && off < FRAMER_UNIT_MAX &&
	       in_step(bytes_skip(in, off), end) == STEP_NO)
		off += 1 + bytes_find(bytes_skip(in, off + 1), SYNC_BYTE);
	unit->data = bytes_first(bytes_first(in, off), FRAMER_UNIT_MAX);
	framer->synced = off == 0 && in_step(in, end) == STEP_YES;
	return off ? FRAMER_SKIP : FRAMER_MORE;
}

static void lose_sync(struct ts_framer *framer)
{
	framer->synced = false;
	framer->pat_section.started = framer->pmt_section.started = false;
}

/* Goes on over the packets of the run; whether it is over although more may come. */
static bool scan(struct ts_framer *framer, struct bytes in)
{
	for (;;) {
		struct bytes rest = bytes_skip(in, framer->scanned);

		if (framer->scanned + TS_PACKET > TS_RUN_MAX)
			return true;
		if (rest.len && rest.at[0] != SYNC_BYTE)
			return true;
		if (rest.len < TS_PACKET)
			return false;
		if (is_pat_start(rest)) {
			if (framer->scanned)
				return true;
			framer->at_pat = true;
			framer->key_decided = framer->key = framer->needs_access = false;
		}
		take_packet(framer, rest);
		framer->scanned += TS_PACKET;
	}
}

static uint32_t take_due(struct ts_framer *framer)
{
	uint64_t ticks = framer->due < STEP_MAX ? framer->due : STEP_MAX;
	uint64_t us = ticks / (PCR_HZ / 1000000);

	framer->due -= us * (PCR_HZ / 1000000);
	return (uint32_t)us;
}

enum framer_status ts_next(struct ts_framer *framer, struct bytes in, bool end, struct unit *unit)
{
	bool over;

	*unit = (struct unit){.data = {in.at, 0}};
	if (in.len == 0)
		return FRAMER_MORE;
	if (framer->synced && framer->scanned == 0 && in.at[0] != SYNC_BYTE)
		lose_sync(framer);
	if (!framer->synced && resync(framer, in, end, unit) == FRAMER_SKIP)
		return FRAMER_SKIP;
	if (!framer->synced)
		return FRAMER_MORE;
	over = scan(framer, in) || end;
	if (framer->scanned == 0) {
		if (!end)
			return FRAMER_MORE;
		lose_sync(framer);
		unit->data = in; /* less than a packet */
		return FRAMER_SKIP;
	}
	if (framer->at_pat && !framer->key_decided && !over)
		return FRAMER_MORE;
	unit->data = bytes_first(in, framer->scanned);
	unit->flags = framer->at_pat && framer->key ? UNIT_KEY : 0;
	unit->duration_us = take_due(framer);
	framer->scanned = 0;
	framer->at_pat = false;
	return FRAMER_UNIT;
}
