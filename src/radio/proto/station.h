/* station: what an encoder says of its stream in the header lines of its request.
 *
 *     ice-name | icy-name | x-audiocast-name … ──▶ station_take_header() ──▶ struct station
 *
 * One struct per source connection, zeroed at first. Text fields are clean UTF-8 (charset.h) and
 * NUL-terminated, so whoever shows them only escapes for its own format. Pure: any thread, no
 * allocation. It does not know Content-Type and it does not decide what wins over the settings of a
 * mount. */
#pragma once

#include "core/bytes.h"

struct station {
	char name[256];
	char description[512];
	char genre[256];
	char url[256];
	char audio_info[256]; /* the ice-audio-info line, clean but not decoded */
	char via[256];        /* servers that it came through: hops.h */
	uint32_t bitrate;     /* kbit/s; this and the next two: 0 when not said */
	uint32_t samplerate;  /* Hz */
	uint32_t channels;
	bool public_said; /* whether the encoder said anything about it */
	bool is_public;   /* wants to be in directories */
};

/* Takes one header line. False: it says nothing of the station (not one of ours, or of ours and
 * not kept, such as icy-irc). The later of two equal lines wins; a number in a line of its own
 * wins over the same number in ice-audio-info; a number that is none leaves what was there. */
bool station_take_header(struct station *station, struct bytes name, struct bytes value);
