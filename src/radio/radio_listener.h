/* radio_listener: the OUT of radio: one player, its place in a ring, and one send a turn.
 *
 *   ring ──[pos … head)──▶ send ──▶ socket      with ICY: audio │ title │ audio in one sendmsg
 *
 * A listener is a row in its worker's table: a link, a feed, a position, an ICY counter that
 * belongs to the connection for its whole life. It is not in the loop: turns serve it, and a send
 * that fails says that the player is gone.
 *
 * Policy for a listener that the writer is about to lap: it gets the rest of the frame it is in, and
 * goes on at the burst point with a whole frame; that is counted. Who stays behind for longer than
 * lag_limit is dropped. Titles are those of the position in the audio. */
#pragma once

#include "core/estate.h"
#include "core/mono.h"
#include "edge/link.h"
#include "radio/proto/icy.h"
#include "radio/radio_outlet.h"

#define LISTENER_LAYOUT     4u
#define LISTENER_AGENT_MAX  96u
#define LISTENER_USER_MAX   64u
#define LISTENER_FAULTS_MAX 2u /* crashes over one listener: then it is not restored */

#define LISTENER_TAIL       1u /* the rest of a frame that the ring may no longer keep goes out first */
#define LISTENER_AT_EDGE    2u   /* pos is surely between two frames */
#define LISTENER_TITLED     4u   /* the player shows a title */
#define LISTENER_MOVED      8u   /* by an administrator: it does not stick to the feed it is on */
#define LISTENER_HEADERS    16u  /* the headers of its chain are to be sent before pos */
#define LISTENER_SLOW       32u  /* it was lapped and has not caught up since */
#define LISTENER_GUEST      64u  /* somebody wants to know when it leaves: radio_auth_url.h */
#define LISTENER_TAIL_LONG  128u /* the tail is a long one */
#define LISTENER_INTRO      256u /* it hears the intro, and is nowhere in its feed yet */
#define LISTENER_INTRO_HELD 512u /* and this server counts it there: radio_intro.h */

/* Values of block_seq that are no title's number. */
#define BLOCK_EMPTY    0                /* "no change" */
#define BLOCK_NO_TITLE UINT64_MAX       /* the title goes away */
#define BLOCK_LOST     (UINT64_MAX - 1) /* the rest cannot be had any more: NULs */

/* All that a turn needs of a listener without titles lies in the first cache line. What changes in
 * its life comes first: the journal copies that (radio_journal.h). */
struct listener {
	uint64_t in_use; /* struct table_row */
	uint64_t feed;
	uint64_t pos;
	struct link link;
	uint32_t flags;
	uint32_t bytes_per_second;
	struct icy_phase icy;
	uint64_t sent; /* bytes */
	mono_t last_sent;
	/* titles */
	uint64_t title_seq; /* the title the player knows; 0: none */
	uint64_t block_seq; /* the title of the block under way, or BLOCK_… */
	uint32_t block_len; /* the ICY block under way; 0: none */
	uint32_t block_sent;
	/* what a turn seldom needs */
	uint64_t headers_seq; /* with LISTENER_HEADERS: which */
	uint64_t headers_sent;
	mono_t slow_since; /* with LISTENER_SLOW */
	uint64_t tail_pos; /* with LISTENER_TAIL: radio_tail.h */
	uint32_t tail_row;
	uint32_t tail_len;
	uint32_t tail_sent;
	uint32_t skips;
	uint64_t lost;  /* bytes skipped */
	uint64_t mount; /* its number */
	uint32_t kind;  /* enum framer_kind */
	uint16_t port;
	uint16_t slot;
	uint32_t intro;      /* with LISTENER_INTRO: its number */
	uint32_t intro_sent; /* bytes of it */
	/* what stays as it is */
	mono_t leaves; /* max_duration; MONO_NEVER */
	uint64_t id;
	int64_t since_wall_us;
	uint64_t taken;  /* bytes that its socket had taken when sent was 0: link_taken() */
	uint32_t faults; /* times that the server crashed over it */
	uint8_t ip[16];
	char agent[LISTENER_AGENT_MAX];
	char user[LISTENER_USER_MAX]; /* as whom it was let in; counted by limit_user_…, if any */
	uint8_t pad[4];
};

#define LISTENER_CHANGES offsetof(struct listener, leaves)

static_assert(offsetof(struct listener, title_seq) == 64, "one cache line for most");
static_assert(sizeof(struct listener) % 64 == 0, "rows are whole cache lines");

extern const struct estate_kind listener_kind;

enum served {
	SERVED_ALL,  /* it has all there is */
	SERVED_FULL, /* its socket is full */
	SERVED_GONE, /* it left or was let go: its row is free */
};

struct admission;

/* A number that no other listener has, on any worker. */
RUNS_ON(on_worker) uint64_t listener_next_id(void);

/* Makes a listener of a connection whose answer has been sent, and serves it its burst. admission:
 * of who was asked for; or NULL. intro: it is to hear the mount's first. False: no place in the
 * table; the caller closes. */
RUNS_ON(on_worker)
bool listener_start(struct outlet *outlet, struct link link, uint32_t icy_interval,
		    const struct address *peer, struct bytes agent, uint32_t bytes_per_second,
		    const struct admission *admission, bool intro);

/* Sends what there is. On SERVED_GONE it was taken out of the table, but not out of its slot. */
RUNS_ON(on_worker)
enum served listener_serve(struct outlet *outlet, uint32_t row, mono_t now);

/* The feed that it hears goes away: it moves to what its outlet plays, in the middle of a frame if it
 * must, or is let go. */
RUNS_ON(on_worker)
enum served listener_leave_feed(struct outlet *outlet, uint32_t row, mono_t now);

/* Whether its player is still there, as far as can be known without sending; and in time. */
RUNS_ON(on_worker) enum served listener_look(struct outlet *outlet, uint32_t row, mono_t now);

/* Why a listener is no more; the words of the log and the metrics. */
enum leave {
	LEAVE_LEFT,     /* the player closed */
	LEAVE_SLOW,     /* behind for longer than lag_limit */
	LEAVE_SOURCE,   /* nothing is to be heard any more, or only another format */
	LEAVE_DURATION, /* max_duration */
	LEAVE_KILLED,   /* by an administrator */
	LEAVE_MOUNT,    /* the mount was taken away */
	LEAVE_STOP,     /* the server stops */
};

/* Closes and frees the row, which must be out of its slot or about to be taken out. */
RUNS_ON(on_worker)
void listener_end(struct outlet *outlet, uint32_t row, enum leave why);

/* Moves it to another mount's outlet (an order of the administrator). The slots are the caller's. */
RUNS_ON(on_worker)
MUST_CHECK bool listener_move(struct outlet *from, struct outlet *to, uint32_t row);

/* Counts a listener that the last server left in, at its outlet. False: it cannot be had; its row is
 * free and its connection closed. */
RUNS_ON(on_worker) bool listener_adopt(struct outlet *outlet, uint32_t row);

/* A row that nobody can go on with: closes and frees it. */
RUNS_ON(on_worker) void listener_abandon(uint32_t row, const char *why);
