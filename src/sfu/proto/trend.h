/* trend: does the way of packets through the network grow longer? (draft-ietf-rmcat-gcc-02 4 and 5)
 *
 *   sent, came ─▶ groups sent within 5 ms ─▶ how much later each came than it was sent, against the one
 *   before ─▶ slope of a line through the last 20 ─▶ against a threshold that learns ─▶ over, under, even
 *
 * Nothing is known of the other clock but that it runs: only differences count. Sans-I/O, no
 * allocation. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TREND_GROUPS 20u

enum trend_state {
	TREND_EVEN,
	TREND_OVER,  /* a queue grows */
	TREND_UNDER, /* a queue gets shorter */
};

/* What was sent at once, nearly. */
struct trend_group {
	int64_t first_sent, last_sent, first_came, last_came;
};

struct trend {
	unsigned groups; /* 0: none, 1: now alone, ... */
	struct trend_group now, before;
	double late, smooth; /* ms, summed up */
	unsigned count, at;  /* of differences: up to 60, and all */
	int64_t came0;
	double x[TREND_GROUPS], y[TREND_GROUPS]; /* ms: when it came, and how late */
	double slope, threshold, over_ms;
	unsigned over_count;
	int64_t learnt;
	enum trend_state state;
};

void trend_init(struct trend *trend);

/* A packet, both in microseconds, each on its own clock; in the order of sending, mostly. */
void trend_packet(struct trend *trend, int64_t sent_us, int64_t came_us);
