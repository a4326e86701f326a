/* irc_upstream: IN: the connection to a server: names and addresses, TLS, registration, a limit of what
 * goes out.
 *
 *   RESOLVES ─▶ CONNECTS ─▶ (PROXY) ─▶ (SECURES) ─▶ TALKS: lines ─▶ irc_register, then irc_hear
 *
 * What is said at once (PONG, registration) goes around the limit; all else waits its turn in a queue.
 * It belongs to its network, which is told when it is up and when it is over; freed when libuv has let
 * go of it. Runs on the worker of the user. */
#pragma once

#include "irc/irc_part.h"
#include "irc/irc_pipe.h"

#define IRC_ADDRESSES_MAX 8u /* of a name: if none of these is there, the name is looked up again */

enum irc_phase {
	IRC_PHASE_RESOLVES,
	IRC_PHASE_CONNECTS,
	IRC_PHASE_PROXY,
	IRC_PHASE_SECURES,
	IRC_PHASE_TALKS,
	IRC_PHASE_CLOSED,
};

/* One of a network's addresses. */
struct irc_place {
	char host[256];
	uint16_t port;
	bool tls, is_unix;
};

struct irc_upstream {
	struct irc_network *network;
	enum irc_phase phase;
	struct irc_place place;
	uv_getaddrinfo_t dns;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles; /* that libuv still has */
	bool polled, resolving;
	int poll_events;
	struct link link;
	struct tcp_end local; /* of ours: for irc_identd.h */
	struct handshake *handshake;
	struct address addresses[IRC_ADDRESSES_MAX];
	unsigned address_count, address_at;
	unsigned proxy_step;

	struct irc_pipe in, out, queue;
	uint32_t queued; /* lines */
	uint64_t sent;   /* lines of the queue that went out */
	bool skips;      /* the rest of a line that is too long */
	bool in_turn;    /* what is sent goes out at its end */
	bool lost;       /* for sending; what the server said last is read yet */
	bool paused;     /* not read from while the store is behind */
	bool is_let;     /* goes on all the same */
	mono_t paused_at;
	mono_t turn_ends;        /* others are heard then */
	struct irc_pipe unheard; /* what had come when it was paused, or its turn was over */
	struct irc_rate rate;
	mono_t heard, queue_at, deadline;
	bool pinged;

	/* registration */
	irc_caps offered, on;
	bool listed, ended, welcomed, ready;
	mono_t join_at; /* when channels are joined; 0: they were */
	struct irc_sasl *sasl;
	struct irc_sasl_errand *errand; /* the pool has sasl */
	struct irc_pipe challenge;
	uint32_t sasl_client; /* who logs in now; 0: we, at the beginning */
	mono_t sasl_until;
	char *sasl_offer, *wants_nick;
	unsigned nick_tries;
	mono_t nick_at; /* when to ask for the nick again */
	uint64_t label;
	int64_t lag_ms;
	mono_t ping_at;
	char *fault; /* what the server said last that may be why it closes */
	bool fatal;  /* trying again would not help */
	char batch_ref[64], batch_label[64];
	struct irc_gap *gaps;      /* irc_gap.h */
	bool gaps_left;            /* that not all are filled was said */
	struct irc_batch *batches; /* irc_multiline.h */
	struct irc_pipe held;      /* lines that wait for these */
};

/* Whether a list of addresses is one; the n-th of them (modulo how many there are). */
bool irc_upstream_addr_valid(struct bytes list);
bool irc_upstream_place(const char *list, unsigned n, struct irc_place *place);
/* The one that the network is called at, or will be next. False: it has none that can be called. */
bool irc_upstream_place_of(const struct irc_network *network, struct irc_place *place);

/* Begins. What becomes of it the network is told. */
void irc_upstream_open(struct irc_network *network);
/* Says QUIT with this text where it can, and is gone for the network at once. */
void irc_upstream_close(struct irc_upstream *up, const char *text);
/* It is over, and the network is told. */
void irc_upstream_fail(struct irc_upstream *up, bool again, const char *why);

/* Channels are joined in a while. */
void irc_upstream_join_later(struct irc_upstream *up, int64_t ms);

/* What another server had of a connection; the texts are copied. */
struct irc_upstream_left {
	struct link link;
	struct irc_place place;
	irc_caps caps;
	uint64_t label;
	uint32_t queued;
	struct bytes in, out, queue;
};

/* Goes on with it; the network is up. False: no memory, and the link is the caller's. */
RUNS_ON(on_worker)
MUST_CHECK bool irc_upstream_adopt(struct irc_network *network,
				   const struct irc_upstream_left *left);
/* Another server has it: gone, without a word. */
RUNS_ON(on_worker) void irc_upstream_part(struct irc_upstream *up);

/* Is not read from; reads on, when the store has caught up, and nothing else is in the way. */
RUNS_ON(on_worker) void irc_upstream_pause(struct irc_upstream *up);
void irc_upstream_resume(struct irc_upstream *up);

/* A line without CR LF, at once. */
__attribute__((format(printf, 2, 3))) void irc_upstream_say(struct irc_upstream *up,
							    const char *format, ...);
/* Whether it is one line, and no longer than the server takes (RFC 1459 section 2.3, or LINELEN). */
bool irc_upstream_fits(const struct irc_upstream *up, struct bytes line);
/* A line in its turn. False: too many wait, or it does not fit. */
MUST_CHECK bool irc_upstream_queue(struct irc_upstream *up, struct bytes line);
__attribute__((format(printf, 2, 3))) void irc_upstream_later(struct irc_upstream *up,
							      const char *format, ...);

/* --- irc_register.c ------------------------------------------------------------------------- */

/* The connection stands. */
void irc_register_begin(struct irc_upstream *up);
/* Logs in to this account; irc_account_answered() is told. False: no memory. */
MUST_CHECK bool irc_register_login(struct irc_upstream *up, struct bytes account,
				   struct bytes password);
/* A line before the end of the registration, or of CAP and AUTHENTICATE at any time. True: it was for
 * us. */
bool irc_register_hear(struct irc_upstream *up, const struct irc_line *line);
/* Lets go of a login that is under way, and of its password. */
void irc_register_forget(struct irc_upstream *up);
/* Once a second or so: the nick that is wanted, if it is not ours. */
void irc_register_tick(struct irc_upstream *up, mono_t now);

/* --- irc_hear.c ----------------------------------------------------------------------------- */

void irc_hear(struct irc_upstream *up, const struct irc_line *line);
/* A line of the server's history, into this buffer. */
void irc_hear_past(struct irc_upstream *up, struct irc_buffer *buffer, const struct irc_line *line);
/* One that another bouncer had heard, with its time as a tag; without a server. False: none that is kept. */
bool irc_hear_import(struct irc_buffer *buffer, const struct irc_line *line);
