/* radio_mount: the HUB: which mounts there are, who feeds them, and what their listeners hear.
 *
 *   source ── claim ──▶ mount ── tuning ──▶ every worker's outlet of that mount
 *   (worker)  granted        OFF ─▶ LIVE ⇄ LINGERING ─▶ OFF        (worker)
 *                             what is heard: the own feed, else the fallback mount's, else the
 *                             fallback file, else nothing: then its listeners are let go
 *
 * The control thread owns all mounts. Sources and outlets live on workers and know a mount by
 * pointer; a mount lasts until a baton has told every worker to let go of it. What workers count
 * lies in struct mount_count; name and conf do not change while workers know the mount. */
#pragma once

#include "core/feed.h"
#include "core/worker.h"
#include "edge/conn.h"
#include "radio/proto/framer.h"
#include "radio/proto/station.h"
#include "radio/radio_conf.h"

/* Bytes of a title with its NUL: no player can be told more (ICY_TEXT_MAX). */
#define TITLE_SIZE 4096u

struct source;
struct claim;
struct dump;
struct player;
struct relay;

/* Relaxed atomics: written by workers, read by status pages. */
struct mount_count {
	_Atomic uint32_t listeners;
	_Atomic uint32_t peak;
	_Atomic uint32_t bitrate;     /* bit/s that come in, over the last seconds */
	_Atomic uint32_t cost;        /* bytes a second to each listener, of whatever is heard */
	_Atomic int64_t last_unit_us; /* mono time of the newest unit; 0: none yet */
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	_Atomic uint64_t joins;
	_Atomic uint64_t skips;
	_Atomic uint64_t slow_drops;
};

/* The settings of one mount, ready for use. A reload puts new ones in their place and frees the old
 * ones when a baton has been everywhere; nobody keeps a pointer beyond the event at hand. */
struct mount_rules {
	struct mount_conf conf;
	struct cidr_list allow, deny; /* of conf, parsed */
	struct baton farewell;
};

/* What history was told of the counts; the control thread's. */
struct mount_past {
	uint64_t joins, bytes_in, bytes_out;
	uint64_t source_bytes; /* bytes_in when the present source began */
};

enum mount_state { MOUNT_OFF, MOUNT_LIVE, MOUNT_LINGERING };

/* Who feeds a mount. */
struct mount_source {
	struct worker *worker;
	uint64_t id;
	struct address address;
	char agent[128];
	char user[64];
	char content_type[64];
	char protocol[12]; /* "http" "shoutcast" "relay" */
	bool relay;        /* one of ours fetches it */
	bool yields;       /* and gives way to an encoder */
	struct station station;
	struct framer_about about;
	int64_t since_wall_us;
};

struct mount {
	struct mount *next;
	char name[FEED_NAME_MAX + 1];
	uint64_t id;                         /* as rows of listeners and sources call it */
	uint32_t row;                        /* in the ledger (radio_ledger.h) */
	_Atomic(struct mount_rules *) rules; /* see mount_rules() */
	struct mount_count count;
	enum mount_state state;
	bool configured; /* stands in the file: stays when nobody uses it */
	bool has_source; /* a claim was granted and is not given back */
	bool stalled;
	bool was_live;              /* the present source was heard */
	struct mount_source source; /* the present or the last one */
	struct claim *waiting;      /* takes over when the present one is gone */
	struct feed *feed;          /* own; NULL before the first unit of the first source */
	uint64_t first_pos;         /* where the present source begins in it */
	struct feed *heard;         /* what outlets were last told to play; NULL: nothing */
	bool expecting;             /* and that something will come at once */
	char *fallback_said;        /* by an administrator, until the next reload; or NULL */
	bool hidden_is_said;        /* by an administrator, until the next reload */
	bool hidden_said;
	struct player *player;  /* of the fallback file, while it is wanted */
	struct player *leaving; /* of the file before a reload, until nobody hears it */
	struct dump *dump;      /* while it is on the air and to be kept */
	struct relay *relay;    /* that may feed it, or NULL; it keeps the mount there */
	char title[TITLE_SIZE];
	char title_url[512];
	int64_t title_since_us;
	struct mount_past past;
	uv_timer_t linger;
	uint64_t bytes_in_before; /* of the last look at health */
	uint64_t bytes_in_first;  /* when the present source came */
	struct baton farewell;    /* its own, so that the end needs no memory */
	void (*gone)(struct mount *mount);
};

/* The rules in force; any thread. Acquire: pairs with the release of a reload. */
static inline const struct mount_rules *mount_rules(const struct mount *mount)
{
	return atomic_load_explicit(&mount->rules, memory_order_acquire);
}

static inline const struct mount_conf *mount_conf(const struct mount *mount)
{
	return &mount_rules(mount)->conf;
}

RUNS_ON(on_control) MUST_CHECK int mount_hub_start(uv_loop_t *loop, const struct conf *conf);
RUNS_ON(on_control) void mount_hub_stop(void);

/* New settings are in force: gives all mounts their rules, makes those that are new in the file, and
 * lets go of those that are not in it any more when they are off. False: no memory; then some mounts
 * have the new rules and some the old. */
RUNS_ON(on_control) bool mount_hub_reload(const struct conf *conf);
RUNS_ON(on_control) void mount_hub_fini(void);

/* All mounts, in the order of their making. */
RUNS_ON(on_control) struct mount *mount_first(void);
RUNS_ON(on_control) struct mount *mount_find(struct bytes name);

/* What a mount's listeners are told of it: the settings' words before the encoder's. */
RUNS_ON(on_control) struct station mount_station(const struct mount *mount);

/* The mount whose encoder the listeners of this one hear; itself when it is nobody's. */
RUNS_ON(on_control) const struct mount *mount_heard_from(const struct mount *mount);

/* "live" "stalled" "lingering" "fallback" "off" */
RUNS_ON(on_control) const char *mount_state_name(const struct mount *mount);

/* Sets the title of a mount that has a source: UTF-8, clean. False: no memory. */
RUNS_ON(on_control)
bool mount_set_title(struct mount *mount, struct bytes title, struct bytes url);

/* Sends the source away. */
RUNS_ON(on_control) void mount_kill_source(struct mount *mount);

/* The name of the mount that this one falls back to; "" for none. */
RUNS_ON(on_control) const char *mount_fallback(const struct mount *mount);

/* Sets or, empty, takes away the fallback mount. False: it would be a loop. */
RUNS_ON(on_control) bool mount_set_fallback(struct mount *mount, struct bytes fallback);

/* Whether it is left out of what is public; and to say so. */
RUNS_ON(on_control) bool mount_hidden(const struct mount *mount);
RUNS_ON(on_control) void mount_set_hidden(struct mount *mount, bool hidden);

/* Sources that were let in. */
RUNS_ON(on_control) unsigned mount_sources(void);

/* The player of a mount's fallback file went live or ended; radio_player.c calls it. */
RUNS_ON(on_control) void mount_player_changed(struct mount *mount);

/* Makes the mounts that the last server left, with their feeds, which must be open; what is to be heard
 * on them is said by mount_hub_start(). */
RUNS_ON(on_control) MUST_CHECK int mount_hub_adopt(uv_loop_t *loop);

/* The mount of this number; NULL when there is none. */
RUNS_ON(on_control) struct mount *mount_of_id(uint64_t id);

/* Sources of the last server: which worker has them, and that this was all. Those that no worker has
 * are gone. */
RUNS_ON(on_control) void mount_has_left(struct mount *mount, uint64_t id, struct worker *worker);
RUNS_ON(on_control) void mount_hub_settle(void);

/* Another process has the mounts: nothing is done for them any more. */
RUNS_ON(on_control) void mount_hub_part(void);

/* Keeps what has changed. */
RUNS_ON(on_control) void mount_save(const struct mount *mount);
/* The mount, made when there is none, and known to every worker. NULL: no memory. */
RUNS_ON(on_control) struct mount *mount_hold(struct bytes name);

/* A relay feeds it from now on, or none (NULL): then it may go. */
RUNS_ON(on_control) void mount_set_relay(struct mount *mount, struct relay *relay);

/* Its relay has come to another state: what is to be heard, or waited for, may have changed. */
RUNS_ON(on_control) void mount_relay_changed(struct mount *mount);

/* --- for the hub's side doors, radio_hub.c ---------------------------------------------------- */

/* NULL when there is no memory. */
RUNS_ON(on_control) struct mount *mount_make(struct bytes name, bool configured);

/* A source was let in; nothing of it is out yet. */
RUNS_ON(on_control)
void mount_take_source(struct mount *mount, const struct mount_source *source);

/* Its first unit is out, in this feed, from first_pos on. */
RUNS_ON(on_control) void mount_live(struct mount *mount, struct feed *feed, uint64_t first_pos);

/* It is no more: who waits takes over, else listeners linger. */
RUNS_ON(on_control) void mount_lost_source(struct mount *mount);

RUNS_ON(on_control) bool mount_hub_stopping(void);

/* No source has a number up to this one. */
RUNS_ON(on_control) void hub_ids_from(uint64_t id);
