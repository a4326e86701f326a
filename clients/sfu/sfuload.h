/* sfuload: the orders of ringmain-sfuload, and its two halves. Thread: the main one. */
#pragma once

#include <signal.h>

#include "wire.h"

struct load_options {
	struct wire_url url;
	bool has_url;
	const char *token; /* NULL: none */
	bool h264, rtx, deaf, lines;
	double seconds, rate, loss, burst, slow, stay, drain, fps, least;
	unsigned viewers, first, check, seed, size, packets, key_packets, gop, threads;
	const char *rtp; /* ADDRESS:PORT of who takes plain RTP; NULL: none */
};

extern volatile sig_atomic_t load_stopped;

/* The exit status. */
int load_watch(const struct load_options *options);
int load_publish(const struct load_options *options);
