/* acl: who may do what where: Mumble's rules and groups, inherited from channel to channel.
 *
 *   root ─▶ … ─▶ channel      each has rules, in order; a later one undoes an earlier one
 *
 * A rule is about a user by number or about a group by name, and counts in its own channel, in those
 * below, or in both. A channel that does not inherit begins anew with what everybody may. Groups are
 * collected downwards likewise: each channel adds members and removes some. Names with a meaning:
 *
 *   all · none · auth (registered) · in, out (of the channel) · strong · sub,a,b,c (in a channel below)
 *   #token (an access token) · $hash (of a certificate) · ~name: as seen from where the rule stands
 *   !name: all others
 *
 * Source: wiki.mumble.info/wiki/ACL_and_Groups, and what Mumble's server answers.
 * Pure: no allocation; the structs are the caller's, and lie in its own. */
#pragma once

#include "core/bytes.h"

#define ACL_DEPTH_MAX 64u

enum permission {
	MAY_NOTHING = 0,
	MAY_WRITE = 0x1, /* change the channel, its rules too: all but speaking is in it */
	MAY_TRAVERSE = 0x2,
	MAY_ENTER = 0x4,
	MAY_SPEAK = 0x8,
	MAY_MUTE_DEAFEN = 0x10,
	MAY_MOVE = 0x20,
	MAY_MAKE_CHANNEL = 0x40,
	MAY_LINK_CHANNEL = 0x80,
	MAY_WHISPER = 0x100,
	MAY_TEXT_MESSAGE = 0x200,
	MAY_MAKE_TEMP_CHANNEL = 0x400,
	MAY_LISTEN = 0x800,
	/* in the uppermost channel alone */
	MAY_KICK = 0x10000,
	MAY_BAN = 0x20000,
	MAY_REGISTER = 0x40000,
	MAY_SELF_REGISTER = 0x80000,
	MAY_RESET_CONTENT = 0x100000,
};

#define MAY_AT_FIRST \
	(MAY_TRAVERSE | MAY_ENTER | MAY_SPEAK | MAY_WHISPER | MAY_TEXT_MESSAGE | MAY_LISTEN)
#define MAY_IN_CHANNEL                                                                   \
	(MAY_WRITE | MAY_TRAVERSE | MAY_ENTER | MAY_SPEAK | MAY_MUTE_DEAFEN | MAY_MOVE | \
	 MAY_MAKE_CHANNEL | MAY_LINK_CHANNEL | MAY_WHISPER | MAY_TEXT_MESSAGE |          \
	 MAY_MAKE_TEMP_CHANNEL | MAY_LISTEN)
#define MAY_IN_ROOT (MAY_KICK | MAY_BAN | MAY_REGISTER | MAY_SELF_REGISTER | MAY_RESET_CONTENT)
#define MAY_ALL     (MAY_IN_CHANNEL | MAY_IN_ROOT)

#define ACL_NOBODY     (-1)
#define ACL_SUPER_USER 0

struct acl_rule {
	bool here, below;
	int32_t user;       /* ACL_NOBODY: a group */
	struct bytes group; /* empty: a user */
	uint32_t grant, deny;
};

struct acl_group {
	struct bytes name;
	bool inherit;                /* members from above */
	bool inheritable;            /* to those below */
	const int32_t *add, *remove; /* rising */
	size_t add_count, remove_count;
};

struct acl_channel {
	const struct acl_channel *parent; /* NULL: the uppermost */
	bool inherit;
	const struct acl_rule *rules;
	size_t rule_count;
	const struct acl_group *groups;
	size_t group_count;
};

struct acl_who {
	int32_t user;                   /* ACL_NOBODY: not registered */
	const struct acl_channel *home; /* where he is; NULL: nowhere yet */
	struct bytes hash;              /* of his certificate, hexadecimal; empty: none */
	bool strong;                    /* signed by somebody whom the server believes */
	const struct bytes *tokens;
	size_t token_count;
};

/* All that he may in this channel. Channels deeper than ACL_DEPTH_MAX give nothing. */
uint32_t acl_permissions(const struct acl_channel *channel, const struct acl_who *who);

/* Whether a rule of the channel at, applied in the channel in (at or below it), means him with this
 * group. */
bool acl_is_member(const struct acl_channel *in, const struct acl_channel *at, struct bytes group,
		   const struct acl_who *who);

/* The group of this name in this very channel; NULL: none. */
const struct acl_group *acl_group_here(const struct acl_channel *channel, struct bytes name);
