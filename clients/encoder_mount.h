/* encoder_mount: one source connection of ringmain-encoder and what it has to say.
 *
 *     frames due by the clock ──▶ raw ──cut into pieces──▶ out ──send──▶ server
 *     every S seconds: "title n" by /admin/metadata, on a connection of its own
 *
 *     WAITING ─at─▶ CONNECTING ─▶ ASKING ─200─▶ SENDING ─▶ STALLED
 *        ▲                                        │ drop, loss
 *        └────────────────────────────────────────┴──▶ FINISHED
 *
 * A mount owns its two sockets and its two buffers. Time is an argument. Events are printed as JSON
 * lines where they happen. Thread: one, with the epoll descriptor that it is given. */
#pragma once

#include <stdio.h>

#include "wire.h"

enum encoder_protocol {
	ENCODER_SOURCE,      /* SOURCE /m HTTP/1.0 */
	ENCODER_PUT,         /* PUT with Expect: 100-continue, body until close */
	ENCODER_PUT_CHUNKED, /* the same, chunked */
	ENCODER_SHOUTCAST,   /* password, OK2, icy headers, body */
};

struct encoder_options {
	struct wire_url url;
	struct sockaddr_storage to, admin;
	enum encoder_protocol protocol;
	unsigned kbps, frames_per_write, chop, mounts;
	uint32_t stream;
	uint64_t start_number;
	double speed; /* 0: as fast as the server takes it */
	double burst_s, seconds, title_every_s, drop_after_s, reconnect_after_s, stall_after_s;
	unsigned times;
	bool rubbish;
};

struct encoder_totals {
	uint64_t connects, refused, drops, lost, frames, bytes, titles, titles_refused;
	int64_t late_max_us; /* how far behind the clock a write began; needs a speed */
};

enum encoder_state {
	ENCODER_WAITING,
	ENCODER_CONNECTING,
	ENCODER_ASKING,
	ENCODER_SENDING,
	ENCODER_STALLED,
	ENCODER_FINISHED,
};

struct encoder_mount {
	const struct encoder_options *options;
	struct encoder_totals *totals;
	enum encoder_state state;
	int epoll, fd;
	unsigned index;
	char path[300];
	mono_t at;              /* WAITING: when to connect; ASKING: when to give up */
	mono_t began, base_due; /* SENDING since; when frame base was due */
	uint64_t base, next;    /* frame numbers */
	uint32_t random;
	unsigned drops;
	uint8_t *raw, *out;
	size_t raw_len, out_len, out_at;
	char answer[1024];
	size_t answer_len;

	int title_fd;
	mono_t title_due, title_at; /* when to pick the next number; when to send the picked one */
	mono_t title_until;         /* the answer must be there */
	uint64_t title_number;
	bool title_asked;
	char title_answer[256];
	size_t title_answer_len;
};

/* 0 or -ENOMEM. */
int encoder_mount_init(struct encoder_mount *mount, const struct encoder_options *options,
		       struct encoder_totals *totals, int epoll, unsigned index, mono_t now);
void encoder_mount_fini(struct encoder_mount *mount);

/* Does what is due. */
void encoder_mount_tick(struct encoder_mount *mount, mono_t now);

/* The next moment at which tick() has something to do, events apart. */
mono_t encoder_mount_deadline(const struct encoder_mount *mount);

/* One of its sockets is ready: title says which. */
void encoder_mount_ready(struct encoder_mount *mount, bool title, mono_t now);

/* The run is over: ends the body as its framing demands and closes. */
void encoder_mount_end(struct encoder_mount *mount);
