/* swarm: what the processes of ringmain-swarm share: the orders, the listeners and the counts.
 *
 *     parent ── orders, stop ──▶ shared memory ◀── listeners, counts ── process 0 … P-1
 *       └── a progress line each second, the report at the end
 *
 * One mapping, made before the fork, so that pointers into it hold everywhere. Listener i belongs
 * to process i % P and is written by it alone; the parent reads listeners after the processes have
 * ended, and only the atomic counters before. */
#pragma once

#include <stdatomic.h>

#include "icy.h"
#include "oracle.h"
#include "spread.h"
#include "wire.h"

enum { SWARM_PATHS = 64, SWARM_PROCESSES = 64, SWARM_FRAMES = 65536 };

struct swarm_options {
	struct wire_url url;
	struct sockaddr_storage to;
	unsigned listeners, processes, sources, ports, pending, mounts, kbps;
	unsigned n_paths;
	const char *paths[SWARM_PATHS];
	const char *user_agent;
	double rate, seconds, join_seconds, icy, slow, slow_rate, tick_ms, settle_s;
	bool check;
	bool tls_1_2; /* at most */
};

enum swarm_state {
	SWARM_UNBORN,
	SWARM_CONNECTING,
	SWARM_SHAKING, /* TLS is being agreed on */
	SWARM_HEAD,    /* asked, no whole head yet */
	SWARM_BODY,    /* status 200; served when first is set */
	SWARM_REFUSED, /* another status */
	SWARM_FAILED,  /* no answer that could be read: err */
	SWARM_ENDED,   /* served, then closed by the server */
};

struct swarm_crew;
struct swarm_ear;
struct swarm_frame;

struct swarm_listener {
	int fd, err;
	enum swarm_state state;
	bool icy, slow, chunked;
	unsigned status;
	mono_t began, first, last; /* connect(); first and latest byte of the body */
	int64_t gap_max_us;
	uint64_t bytes;
	struct veil *veil; /* over TLS; heap of the process */
	char *head;        /* while it is read; heap of the process */
	size_t head_len;
	struct swarm_ear *ear; /* NULL without --check */
};

/* What checks one listener's body. Titles are judged only until the first switch of streams: a
 * number says nothing about another stream. */
struct swarm_ear {
	struct oracle oracle;
	struct icy icy;
	struct swarm_crew *crew;
	struct swarm_listener *listener;
	uint64_t titles, titles_early, titles_back, titles_foreign;
	uint64_t title;          /* the latest number */
	uint64_t title_late_max; /* frames between a number and its title, from the 2nd title on */
};

/* Of one process. */
struct swarm_crew {
	_Atomic uint64_t opened, served, bytes;
	_Atomic uint64_t over, ended; /* closed before and after the first byte */
	struct spread gap_us;         /* between successive reads of healthy listeners */
	struct spread latency_us; /* encoder's write to our read, frames sent since the connect */
	int64_t cpu_us;
	struct swarm_frame *frames; /* the swarm's */
};

/* For each frame number: how many have it and when the last one got it. */
struct swarm_frame {
	_Atomic uint32_t heard;
	_Atomic int64_t last_us;
};

struct swarm {
	struct swarm_options options;
	mono_t start, stopped_at;
	atomic_bool stop;
	struct swarm_frame
		*frames; /* SWARM_FRAMES by number; NULL without --check or with mounts */
	struct swarm_crew crew[SWARM_PROCESSES];
	struct swarm_listener listeners[];
};

/* One process's work from start to stop (swarm_listener.c). */
void swarm_work(struct swarm *swarm, unsigned process);

/* The final line (swarm_report.c); true when everyone was served and nobody found a fault. */
bool swarm_report(const struct swarm *swarm);
