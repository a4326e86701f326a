/* voice_part: what the files of the hub share. All of it is the control thread's. */
#pragma once

#include <uv.h>

#include "core/clock.h"
#include "edge/auth.h"
#include "edge/lockout.h"
#include "edge/proto/address.h"
#include "edge/proto/charset.h"
#include "voice/proto/acl.h"
#include "voice/proto/message.h"
#include "voice/voice_conf.h"
#include "voice/voice_hub.h"

#define VOICE_NAME_MAX   255u
#define VOICE_SHA1_SIZE  20u
#define VOICE_BLOB_SHORT 128u /* longer comments and all pictures are sent to who asks */
#define VOICE_ROOT       0u

/* As much of a text as fits, in whole letters: half of one is none, and JSON would not take it. */
static inline void voice_text_put(struct bytes in, char *to, size_t size)
{
	bytes_to_str(charset_cut(in, size - 1), to, size);
}

/* Bytes of somebody's, and what they are known by. */
struct voice_blob {
	uint8_t *at;
	size_t len;
	uint8_t sha1
		[VOICE_SHA1_SIZE]; /* of bytes that are longer than VOICE_BLOB_SHORT or a picture */
};

/* Copies; false: no memory, and the blob is as it was. */
bool voice_blob_set(struct voice_blob *blob, struct bytes in);
void voice_blob_fini(struct voice_blob *blob);
static inline struct bytes voice_blob_bytes(const struct voice_blob *blob)
{
	return bytes_of(blob->at, blob->len);
}

/* --- channels ------------------------------------------------------------------------------- */

/* Somebody who listens to a channel without being in it. */
struct voice_listen {
	struct voice_user *user;
	float volume; /* a factor; 0: none was set */
};

/* Rules and groups, with the memory that acl.h's structs point into. */
struct voice_rules {
	struct acl_rule *rules;
	struct acl_group *groups;
	size_t rule_count, group_count;
	bool inherit;
};

struct voice_channel {
	struct acl_channel acl; /* points into rules */
	struct voice_rules rules;
	uint32_t id;
	struct voice_channel *parent, *first, *next; /* children; siblings */
	char *name;
	struct voice_blob description;
	int32_t position;
	uint32_t max_users; /* 0: as the settings say */
	bool temporary;
	bool unsaved; /* other than what is kept */
	struct voice_channel **links;
	size_t link_count;
	struct voice_user *users; /* next_here */
	size_t user_count;
	struct voice_listen *listens;
	size_t listen_count;
	uint32_t mark;
};

/* --- users ---------------------------------------------------------------------------------- */

struct voice_target {
	uint32_t *sessions;
	size_t session_count;
	bool has_channel, links, children;
	uint32_t channel;
	char *group;
};

struct voice_aim {
	struct voice_target *targets;
	size_t count;
};

/* Datagrams of one direction. */
struct voice_quality {
	uint32_t good, late, lost, resync;
};

struct voice_sample {
	int64_t at_us;                    /* mono */
	struct voice_quality here, there; /* his, as they came here; ours, as he says */
};

#define VOICE_SAMPLES 10u /* half a minute apart */

struct voice_user {
	struct voice_peer *peer;
	struct voice_user *prev, *next; /* hub.users: all that are connected */
	struct voice_user *prev_here, *next_here;
	struct voice_channel *channel; /* NULL: not admitted */
	bool leaving;                  /* sent away, or gone; nothing of his counts any more */
	bool checking;                 /* a password of his is on its way */
	bool gone;                     /* and meanwhile the connection went */
	char name[VOICE_NAME_MAX + 1];
	int32_t id; /* of his registration; ACL_NOBODY */
	bool mute, deaf, suppress, self_mute, self_deaf, priority, recording;
	uint64_t version; /* as mumble_version_v2() */
	char release[64], os[64], os_version[64];
	bool opus;
	int64_t came_us; /* mono */
	int64_t active_us;
	struct voice_blob comment, texture, context, identity;
	struct bytes *tokens; /* one allocation, with their bytes */
	size_t token_count;
	struct voice_channel **listens;
	size_t listen_count;
	struct voice_aim aims[VOICE_AIMS];
	uint32_t mark;
	struct auth_check check;
	struct lockout_try attempt;
	struct voice_sample samples[VOICE_SAMPLES]; /* in turn */
	uint32_t sample_count;
	bool may_record; /* and was told how */
	bool check_super;
};

struct voice_registration {
	int32_t id;
	char name[VOICE_NAME_MAX + 1];
	char hash[VOICE_HASH_SIZE];
	uint32_t last_channel;
	int64_t seen_ms; /* Unix */
	struct voice_blob comment, texture;
	bool unsaved;
};

struct voice_ban {
	struct cidr network; /* bits 0 of ::: none */
	bool has_network;
	char hash[VOICE_HASH_SIZE]; /* "": none */
	char name[VOICE_NAME_MAX + 1];
	char reason[256];
	int64_t start_s;     /* Unix */
	uint32_t duration_s; /* 0: for ever */
};

struct voice_hub {
	uv_loop_t *loop;
	bool running;
	struct voice_channel **channels; /* by id; NULL: none */
	size_t channel_room, channel_count;
	struct voice_user *users;
	size_t admitted;
	struct voice_peer **sessions; /* by number */
	size_t session_room;
	uint32_t session_next;
	struct voice_stage *stages;
	uint32_t mark, channel_mark;
	bool aims_dirty;
	bool stage_wanted; /* somebody has none who should */
	struct voice_registration **registrations;
	size_t registration_count;
	struct voice_ban *bans;
	size_t ban_count;
};

extern struct voice_hub voice_hub OWNED_BY(on_control);

/* --- voice_hub.c ---------------------------------------------------------------------------- */

RUNS_ON(on_control) int voice_hub_start(uv_loop_t *loop);
RUNS_ON(on_control) void voice_hub_stop(void);
RUNS_ON(on_control) void voice_hub_part(void);
void voice_hub_fini(void); /* when all workers have stopped */

/* What was kept is known: see voice_hub_is_open. */
RUNS_ON(on_control) void voice_hub_open(void);

/* Freed when a baton has been everywhere three times. */
RUNS_ON(on_control) void voice_retire(struct voice_retired *what);

/* A message to one, or to all that are admitted but except (or NULL). */
RUNS_ON(on_control) void voice_send(struct voice_user *to, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_send_all(const struct mumble_message *message, const struct voice_user *except);

/* Closes his connection when all that was sent to him is out. */
RUNS_ON(on_control) void voice_end(struct voice_user *user);

/* Crowds are as the users are. At the end of each turn, and before an answer that says so. */
RUNS_ON(on_control) void voice_settle(void);

/* --- voice_crowd.c -------------------------------------------------------------------------- */

/* Where he speaks is another place now; NULL channel: nowhere. */
RUNS_ON(on_control) void voice_stage_of(struct voice_user *user);
/* Who is in that channel has changed. */
RUNS_ON(on_control) void voice_stage_touch(const struct voice_channel *channel);
/* False: there was no memory for all; whom they name must not be freed yet. */
RUNS_ON(on_control) bool voice_crowds_make(void);
RUNS_ON(on_control) void voice_stages_fini(void);
/* All channels that are linked to it, itself too, into list (of as many as there are channels). */
RUNS_ON(on_control)
size_t voice_linked(struct voice_channel *channel, struct voice_channel **list);

/* --- voice_channel.c ------------------------------------------------------------------------ */

RUNS_ON(on_control) struct voice_channel *voice_channel_find(uint32_t id);
/* NULL: no memory, or the number is taken. */
RUNS_ON(on_control)
struct voice_channel *voice_channel_make(struct voice_channel *parent, uint32_t id,
					 const char *name);
RUNS_ON(on_control) uint32_t voice_channel_free_id(void);
/* With all below it; those in it are moved up first. */
RUNS_ON(on_control) void voice_channel_remove(struct voice_channel *channel);
RUNS_ON(on_control)
void voice_channel_move(struct voice_channel *channel, struct voice_channel *to);
RUNS_ON(on_control) bool voice_channel_link(struct voice_channel *a, struct voice_channel *b);
RUNS_ON(on_control) void voice_channel_unlink(struct voice_channel *a, struct voice_channel *b);
bool voice_channel_is_linked(const struct voice_channel *a, const struct voice_channel *b);
bool voice_channel_is_below(const struct voice_channel *channel, const struct voice_channel *above);
size_t voice_channel_depth(const struct voice_channel *channel);  /* levels above it */
size_t voice_channel_height(const struct voice_channel *channel); /* levels below it */
/* Whether a child of parent has this name. */
bool voice_channel_has(const struct voice_channel *parent, struct bytes name,
		       const struct voice_channel *except);
RUNS_ON(on_control) void voice_channels_fini(void);
void voice_rules_fini(struct voice_rules *rules);
/* No rule and no group speaks of this registration any more: its number may be another's one day. */
RUNS_ON(on_control) void voice_rules_forget(struct voice_channel *channel, int32_t id);
void voice_rules_sort(int32_t *ids, size_t count); /* as groups list their members */
/* Takes rules, whose texts and lists are allocations of their own. */
void voice_rules_set(struct voice_channel *channel, struct voice_rules *rules);
/* What a new server has: administrators may all, who is registered makes temporary channels. */
RUNS_ON(on_control) bool voice_rules_at_first(struct voice_channel *root);
RUNS_ON(on_control)
bool voice_rules_add(struct voice_channel *channel, const struct acl_rule *rule);

/* A ChannelState with all that there is to say, for one who has not seen it. links: with them. */
RUNS_ON(on_control)
void voice_channel_tell(const struct voice_channel *channel, bool links, struct voice_user *to);

/* Whether he may come in there, and whether all may. */
RUNS_ON(on_control)
void voice_channel_tell_door(const struct voice_channel *channel, struct voice_user *to);

/* --- voice_user.c --------------------------------------------------------------------------- */

/* What others see, and type: no blanks at the ends, nothing that cannot be seen, not the superuser's. */
bool voice_is_name(struct bytes name);

RUNS_ON(on_control) struct voice_user *voice_user_find(uint32_t session);
RUNS_ON(on_control)
uint32_t voice_may(const struct voice_user *user, const struct voice_channel *in);
/* A peer that nobody knows yet, not outside; NULL: no memory. Any thread. */
struct voice_peer *voice_peer_make(struct worker *worker);
void voice_peer_free(struct voice_peer *peer);
RUNS_ON(on_control) void voice_user_came(struct voice_peer *peer);
/* One who was here before, with the session that stands in peer. False: it is another's, or no memory. */
RUNS_ON(on_control) bool voice_user_back(struct voice_peer *peer);
/* He is in, and counts. */
RUNS_ON(on_control)
void voice_user_admitted(struct voice_user *user, struct voice_channel *channel);
RUNS_ON(on_control) void voice_user_gone(struct voice_peer *peer);
/* Out of all lists, with a word to the others; actor, reason, ban may be there. */
RUNS_ON(on_control)
void voice_user_remove(struct voice_user *user, const struct voice_user *actor, struct bytes reason,
		       bool ban);
RUNS_ON(on_control)
void voice_authenticate(struct voice_user *user, const struct mumble_message *message);
/* Into a channel, with the suppression that he has there; said to nobody. */
RUNS_ON(on_control) void voice_user_enter(struct voice_user *user, struct voice_channel *channel);
/* Whether he is suppressed where he is has changed: said to all. */
RUNS_ON(on_control) void voice_user_recheck(struct voice_user *user);
/* Silent or deaf, for those who send. */
RUNS_ON(on_control) void voice_user_publish(struct voice_user *user);
RUNS_ON(on_control)
bool voice_listen_add(struct voice_user *user, struct voice_channel *channel);
RUNS_ON(on_control)
void voice_listen_remove(struct voice_user *user, struct voice_channel *channel);
RUNS_ON(on_control)
bool voice_tokens_set(struct voice_user *user, const struct bytes *tokens, size_t count);
RUNS_ON(on_control) void voice_user_free(struct voice_user *user);
/* A temporary channel lives as long as somebody is in it. */
RUNS_ON(on_control) void voice_channel_drop_empty(struct voice_channel *channel);
RUNS_ON(on_control) bool voice_channel_is_full(const struct voice_channel *channel);
/* A UserState with all that others are told. */
void voice_user_describe(const struct voice_user *user, struct mumble_user_state *state,
			 uint32_t *listens);
RUNS_ON(on_control)
void voice_move(struct voice_user *user, struct voice_channel *to, const struct voice_user *actor);

/* --- voice_request*.c --------------------------------------------------------------------------- */

RUNS_ON(on_control)
void voice_request(struct voice_user *user, uint32_t type, struct bytes body);
RUNS_ON(on_control)
void voice_deny(struct voice_user *user, uint32_t permission, const struct voice_channel *channel);
RUNS_ON(on_control)
void voice_deny_why(struct voice_user *user, enum deny_reason why, struct bytes name);
/* In words; channel: which it is about, or NULL. */
RUNS_ON(on_control)
void voice_deny_text(struct voice_user *user, const struct voice_channel *channel,
		     struct bytes reason);
/* True: he may all of these in the channel; else he is told. */
RUNS_ON(on_control)
bool voice_require(struct voice_user *user, uint32_t permission,
		   const struct voice_channel *channel);
/* Whether the text is as long as the settings allow; else he is told. */
RUNS_ON(on_control) bool voice_text_fits(struct voice_user *user, struct bytes text);
RUNS_ON(on_control) void voice_flush_permissions(void);
/* Rules or links are others now: what all may do where they are. */
RUNS_ON(on_control) void voice_recheck_all(void);
/* The names of these registrations. */
RUNS_ON(on_control)
void voice_tell_names(struct voice_user *to, const uint32_t *ids, size_t count);
/* Made where it may be, and told to nobody; NULL: the name is none or taken, too many, too deep. */
RUNS_ON(on_control)
struct voice_channel *voice_channel_add(struct voice_channel *parent, struct bytes name);
RUNS_ON(on_control) void voice_channel_announce(const struct voice_channel *channel);
/* With all below it and a word to all; who is in them goes up. */
RUNS_ON(on_control) void voice_channel_drop(struct voice_channel *channel);
/* Told to all. */
RUNS_ON(on_control)
void voice_user_flag(struct voice_user *user, bool mute, bool deaf, bool priority);
/* seconds: 0 is for ever. What of him is banned: his network (an address, or a /64), his certificate. */
enum voice_ban_what { VOICE_BAN_NETWORK = 1, VOICE_BAN_CERTIFICATE = 2, VOICE_BAN_ALL = 3 };
/* False: he is not, for there are too many bans, or no memory. */
RUNS_ON(on_control)
MUST_CHECK bool voice_ban_user(const struct voice_user *user, struct bytes reason, uint32_t seconds,
			       unsigned what);
RUNS_ON(on_control) void voice_forget_registration(int32_t id);

RUNS_ON(on_control)
void voice_on_user_state(struct voice_user *actor, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_user_remove(struct voice_user *actor, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_channel_state(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_channel_remove(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_acl(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_ban_list(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_user_list(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_query_users(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_user_stats(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_request_blob(struct voice_user *user, const struct mumble_message *message);
RUNS_ON(on_control)
void voice_on_voice_target(struct voice_user *user, const struct mumble_message *message);
/* There is room for the crowds of his targets; false: no memory. */
RUNS_ON(on_control) bool voice_aims_room(struct voice_peer *peer);
RUNS_ON(on_control)
void voice_on_plugin_data(struct voice_user *user, const struct mumble_message *message);

/* --- voice_registry.c: who is registered, who is banned --------------------------------------- */

RUNS_ON(on_control) struct voice_registration *voice_registered(int32_t id);
RUNS_ON(on_control) struct voice_registration *voice_registered_name(struct bytes name);
RUNS_ON(on_control) struct voice_registration *voice_registered_hash(const char *hash);
/* NULL: the name or the certificate has one already, or no memory. */
RUNS_ON(on_control)
struct voice_registration *voice_register(const char *name, const char *hash, int32_t id);
RUNS_ON(on_control) void voice_unregister(int32_t id);
RUNS_ON(on_control)
const struct voice_ban *voice_is_banned(const uint8_t ip[16], const char *hash);
/* Of one customer, as far as addresses say: the same IPv4 address, the same /64. */
bool voice_same_network(const uint8_t a[16], const uint8_t b[16]);
/* False: there are as many as may be, or no memory. */
RUNS_ON(on_control) MUST_CHECK bool voice_ban_add(const struct voice_ban *ban);
/* In place of all there were; bans is of malloc() and the hub's from now on. */
RUNS_ON(on_control) void voice_bans_set(struct voice_ban *bans, size_t count);
RUNS_ON(on_control) void voice_registry_fini(void);

/* --- voice_window.c --------------------------------------------------------------------------- */

RUNS_ON(on_control) MUST_CHECK int voice_window_start(uv_loop_t *loop);
RUNS_ON(on_control) void voice_window_stop(void);
/* What has come and gone in the last five minutes, or in the seconds since he came. */
RUNS_ON(on_control)
struct voice_sample voice_window_of(const struct voice_user *user, uint32_t *seconds);

/* --- voice_store.c ---------------------------------------------------------------------------- */

/* Reads what was kept; the doors open when that is done. 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int voice_store_start(uv_loop_t *loop);
RUNS_ON(on_control) void voice_store_stop(void);
void voice_store_fini(void);

/* Something that must last is unsaved now: it is written a little later. */
RUNS_ON(on_control) void voice_registry_changed(void);
RUNS_ON(on_control) void voice_bans_changed(void);
RUNS_ON(on_control) void voice_store_all_unsaved(void);
/* What is unsaved is written now; whether nothing is on its way any more. */
RUNS_ON(on_control) void voice_store_now(void);
RUNS_ON(on_control) bool voice_store_is_kept(void);
/* Another server writes from now on. */
RUNS_ON(on_control) void voice_store_part(void);
/* A channel or a user is no more. */
RUNS_ON(on_control) void voice_store_drop(const char *kind, int64_t id);
