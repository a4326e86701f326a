/* ts_table: the two tables of a transport stream that say what is in it (ISO 13818-1 section 2.4.4).
 *
 *     packets of PID 0 ─▶ PAT ─▶ PID of the first programme's PMT ─▶ its streams and its clock
 *
 * A section may begin in one packet and end in another; one with a wrong CRC is ignored. Pure: all
 * state lies in the struct. */
#pragma once

#include "radio/proto/unit.h"

#define TS_PID_PAT     0u
#define TS_PID_NONE    0x1fffu /* that of null packets */
#define TS_SECTION_MAX 1024u
#define TS_VIDEO_PIDS  4u

struct ts_section {
	uint8_t data[TS_SECTION_MAX];
	size_t len;   /* bytes collected */
	bool started; /* its beginning was seen */
};

/* Puts in the payload of a packet, start: with payload_unit_start_indicator. True: *table is a whole
 * section with a right CRC, from table_id up to before the CRC; it lives until the next call. */
bool ts_section_add(struct ts_section *section, struct bytes payload, bool start,
		    struct bytes *table);

/* PID of the PMT of the first programme of a PAT; TS_PID_NONE: there is none. */
uint32_t ts_pat_read(struct bytes table);

struct ts_pmt {
	uint32_t pcr_pid;
	uint32_t video_pids[TS_VIDEO_PIDS];
	uint32_t video_count;
	char codec[12]; /* of the first audio stream, or else of the first video */
};

/* False: it is no PMT that is in force. */
bool ts_pmt_read(struct bytes table, struct ts_pmt *pmt);
