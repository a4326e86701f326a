/* irc_part: what lies behind one user, all of it on one worker: the dispatcher of the seed.
 *
 *   irc_user ─┬─ irc_network ─┬─ irc_upstream (IN: the connection to a server)
 *             │               ├─ irc_buffer … (HUB: one ring a channel or conversation)
 *             │               └─ journal: in which order lines came into which ring
 *             └─ irc_client … (OUT: who is connected; a place in each ring)
 *
 * A user, his networks and his clients live on the worker that his name hashes to, so nothing here is
 * locked and nobody waits. What a line of a server does: parsed once (irc_hear.c), written once into a
 * ring, noted in the journal; at the end of the turn each client reads on from its own place, formats
 * into its buffer and sends once. A client that does not read costs its place and nothing else.
 *
 * Ownership: the user owns networks and devices; a network its buffers and its upstream; a client
 * belongs to its socket and is on the list of its user while it is logged in. Freed when libuv has let
 * go of their handles. */
#pragma once

#include "core/buffer.h"
#include "core/worker.h"
#include "edge/link.h"
#include "edge/lockout.h"
#include "edge/proto/address.h"
#include "edge/tls_handshake.h"
#include "irc/irc_conf.h"
#include "irc/irc_index.h"
#include "irc/irc_journal.h"
#include "irc/irc_kind.h"
#include "irc/irc_ring.h"
#include "irc/proto/irc_cap.h"
#include "irc/proto/irc_isupport.h"
#include "irc/proto/irc_line.h"
#include "irc/proto/irc_sasl.h"
#include "irc/proto/irc_text.h"

#define IRC_USER_SIZE    64u
#define IRC_LINE_ROOM    (IRC_TAGS_MAX + 8192u) /* of a line that is read: with LINELEN of 8191 */
#define IRC_LINELEN_MAX  8192u /* of a line without its tags; what is longer is no server's */
#define IRC_ISUPPORT_MAX 4096u

struct irc_user;
struct irc_network;
struct irc_buffer;
struct irc_upstream;
struct irc_client;
struct irc_route;
struct irc_rule;
struct irc_push;
struct irc_push_wait;

/* --- what a user says of a network ---------------------------------------------------------- */

struct irc_network_conf {
#define TEXT(field, preset, help)              const char *field;
#define NUMBER(field, preset, low, high, help) int64_t field;
#define FLAG(field, preset, help)              bool field;
#include "irc/irc_network.def"
};

/* --- buffers -------------------------------------------------------------------------------- */

struct irc_nick {
	struct irc_named named; /* its name lies behind the struct */
	uint32_t refs;          /* channels */
	bool away;
	char text[];
};

struct irc_member {
	struct irc_nick *nick;
	uint32_t prefix; /* bits of irc_isupport's prefixes */
};

/* A channel that we are in. */
struct irc_channel {
	struct irc_member *members;
	uint32_t count, size;
	uint32_t sorted; /* so many of them are in order; those behind came lately */
	bool names_done; /* all members are known */
	char *topic, *topic_who;
	int64_t topic_at, created;
	char *modes; /* as in 324 */
};

enum irc_filter { IRC_FILTER_DEFAULT, IRC_FILTER_NONE, IRC_FILTER_HIGHLIGHT, IRC_FILTER_MESSAGE };

struct irc_buffer {
	struct irc_named named;
	struct irc_network *network;
	uint64_t id;
	struct irc_ring ring;
	struct irc_channel *channel; /* while we are in it */
	char *key;
	uint32_t *rows; /* of irc_cursors, by the place of the device; grown as needed */
	uint32_t row_count;
	bool is_channel;
	bool wanted; /* to be joined */
	bool detached;
	bool is_dirty; /* on the list of what has lines to save */
	bool muted, blocked, pinned;
	bool pushed; /* something of it was shown elsewhere (irc_push.h) */
	uint8_t relay_detached, reattach_on, detach_on, notify_on; /* enum irc_filter */
	uint32_t detach_after_s;
	uint32_t retention_days; /* 0: as of the network */
	mono_t detach_at;
	uint64_t saved;     /* the next seq that the store wants */
	uint64_t inherited; /* lines below may still be written by the last server */
	int64_t marker_ms;  /* read up to here */
	int64_t last_ms;    /* when somebody said something last; 0: nobody did */
	struct irc_buffer *next_dirty;
};

/* --- networks ------------------------------------------------------------------------------- */

enum irc_state {
	IRC_STATE_OFF,
	IRC_STATE_WAITS,
	IRC_STATE_CONNECTS,
	IRC_STATE_REGISTERS,
	IRC_STATE_UP
};

struct irc_network {
	struct irc_network *next; /* of the user */
	struct irc_user *user;
	uint64_t id;
	char *name;
	struct irc_network_conf conf;
	char *certificate, *key; /* PEM; "" */

	enum irc_state state;
	char *why;                 /* why it is not up, for people */
	int64_t since_ms, lost_ms; /* when the server went last; 0: it did not */
	unsigned failures, server; /* which of the addresses is tried */
	bool has_timer, is_gone;
	bool is_trial; /* not kept until its server lets us in */
	bool is_left;  /* the next server has its connection: irc_leave.h */
	uint32_t left;
	uv_timer_t timer; /* the next attempt */
	struct irc_upstream *up;

	/* what the server has told; kept while it is away */
	char *nick, *userhost; /* userhost: "user@host", as others see us */
	char self_id[128];     /* msgid of what the user said to himself last */
	char *account;
	char *said_account, *said_password; /* irc_account.h: not known to be right yet */
	struct irc_isupport is;
	char *isupport; /* tokens that clients are told, apart by blanks */
	irc_caps caps;
	char *sasl_offer;
	uint32_t metadata_keys, metadata_bytes;    /* UINT32_MAX: it does not say */
	uint32_t multiline_bytes, multiline_lines; /* what it takes as one message; 0: nothing */
	bool is_away;
	char *away_said;     /* "" or NULL: it is not told that we are */
	uint32_t away_asked; /* answers to AWAY that clients wait for */
	bool welcome_done;   /* the server has said all that it says at first */

	struct irc_index buffers;  /* irc_buffer.named */
	struct irc_index nicks;    /* irc_nick.named */
	struct irc_buffer *status; /* lines for all who are there, of no channel */
	struct irc_journal journal;
	uint32_t slots;           /* rings; that of the status buffer is the first */
	uint32_t attached;        /* clients */
	uint64_t fresh;           /* bytes in rings since clients had their turn */
	bool is_tight;            /* a ring is about to lose what the store has not had */
	struct irc_route *routes; /* answers that clients wait for */
	uint64_t answers;         /* bytes of them that have come */
	uint32_t gap_pages;       /* asked of the store for gaps (irc_gap.h) */
	struct irc_index watches; /* irc_monitor.h */
};

/* --- users ---------------------------------------------------------------------------------- */

struct irc_device {
	uint64_t id; /* 0: the place is free */
	char *name;
	int64_t seen_ms;
};

struct irc_password {
	struct irc_password *next;
	uint64_t id;
	char *label;
	char *fingerprint; /* of a certificate, in small letters; "": it was not seen since it is kept */
	bool is_certificate;
	uint8_t hash[32];
	int64_t created_ms, used_ms;
	uint8_t ip[16];
};

struct irc_user {
	struct irc_named named;
	char name[IRC_USER_SIZE];
	char *nick, *realname; /* for networks that have none of their own; "" */
	char *away;            /* what a client said; NULL: nobody did */
	char *scram;           /* irc_verifier.h; NULL */
	struct irc_network *networks;
	struct irc_client *clients;
	uint32_t client_count, network_count;
	uint32_t networks_most; /* one more than he may have; 0: as the settings say */
	struct irc_device *devices;
	uint32_t device_count;
	uint32_t places; /* rows of irc_cursors */
	struct irc_password *passwords;
	struct irc_rule *rules; /* irc_notify.h */
	uint32_t rule_count;
	struct irc_push *pushes; /* irc_push.h */
	uint64_t lines_in, lines_out;
	int64_t since_ms; /* when this server first knew of him */
	bool rests;       /* no network is connected: none of his clients came for irc.inactive */
	bool is_disabled; /* or his account is */
};

/* --- this worker ---------------------------------------------------------------------------- */

struct irc_worker {
	struct worker *worker;
	struct irc_index users;
	struct irc_client *strangers; /* not logged in yet */
	struct irc_buffer *dirty;
	uv_timer_t tick; /* saves, looks for what is late */
	uint64_t ticks;
	unsigned connects; /* begun in this second */
	int64_t connects_at;
	uint32_t orders; /* of BouncerServ, that wait for something (irc_order.h) */
	uint32_t asks;   /* to the store, that are under way (irc_store.h) */
	struct irc_push_wait *push_waits;
	uint32_t push_count, pushes; /* that wait; that are under way */
	bool stopping;
	bool runs;
	bool hushed;     /* another server is about to take over: nobody is heard any more */
	bool store_full; /* the store is behind: who floods us waits */
	uint32_t paused; /* servers that are not read from because of that */
	uint32_t last_client;
	uint8_t scratch[65536]; /* what is read, before it is anybody's */
};

extern _Thread_local struct irc_worker irc_here;

/* The settings in force, for the event at hand. */
const struct irc_conf *irc_conf_now(void);

/* The worker of a user. */
struct worker *irc_worker_of(struct bytes user);

/* --- text ----------------------------------------------------------------------------------- */

/* A copy; NULL is no memory. "" for nothing. */
char *irc_copy(struct bytes text);
/* Frees a text that may be a secret; NULL is none. */
void irc_forget(char *text);
/* Puts a copy in place of *at; leaves it as it was without memory. */
void irc_set(char **at, struct bytes text);

static inline struct bytes irc_str(const char *text)
{
	return bytes_str(text ? text : "");
}
