/* script: what comes into a card that is not there.
 *
 *     FAKE_CARD="720p50:100 none:25 720p50:50 lost:3 1080p25:50"
 *
 * Words are played in order: a mode and how many frames of it; none: so many frames without a signal; lost:
 * so many frames that the card drops; late: the next one comes so many
 * times 2 ms late; hang: for so
 * many frames nothing at all happens. The last word goes on for ever where its number is 0. Pictures and sound
 * are those of clients/test_card.h, numbered from 0 with each mode. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct script_mode {
	const char *name;
	uint32_t width, height, fps_num, fps_den;
	bool interlaced;
	uint32_t word;     /* DeckLink's */
	uint32_t standard; /* VideoMaster's; with fps_den 1001 the clock says so */
};

extern const struct script_mode script_modes[];
extern const unsigned script_mode_count;

enum script_what { SCRIPT_FRAME, SCRIPT_NONE, SCRIPT_LOST, SCRIPT_HANG, SCRIPT_END };

struct script_step {
	enum script_what what;
	const struct script_mode *mode; /* the one that is there or was there last */
	uint64_t number;                /* of the frame in its mode */
	unsigned late;
};

/* Reads the environment. Aborts where it makes no sense. */
void script_begin(void);
/* One frame's time further. */
struct script_step script_next(void);
/* The mode that comes first. */
const struct script_mode *script_first(void);
