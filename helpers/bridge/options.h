/* options: the command line that all bridges share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "service.h"

enum no_signal { NO_SIGNAL_FREEZE, NO_SIGNAL_BLACK, NO_SIGNAL_STOP };

struct options {
	const char *program, *slot, *device, *mode, *library, *video_fifo, *audio_fifo;
	struct service service;
	bool shm, fifo, list;
	bool alone; /* makes its slot without a service */
	enum no_signal no_signal;
	uint32_t pixel_format, channels, depth;
	char token[256];
};

/* False with a line on stderr. */
bool options_parse(struct options *options, const char *card, int argc, char **argv);

/* One line on stderr, with the program's name and the slot's. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* Signals that end the program are blocked from here on, in threads of the card too. */
void ending_prepare(void);
/* Whether one came, after ms at most. */
bool ending_await(unsigned ms);
