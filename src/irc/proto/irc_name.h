/* irc_name: names of people, channels and servers: how they compare, match and come apart.
 *
 * Two names are the same when they fold to the same bytes; how is said by the server (CASEMAPPING).
 * Pure. */
#pragma once

#include "core/bytes.h"

#define IRC_NAME_MAX 255u /* longer ones of an upstream are cut nowhere: the line is refused */

enum irc_casemap { IRC_RFC1459, IRC_RFC1459_STRICT, IRC_ASCII, IRC_EXACT /* no server's */ };

uint8_t irc_fold_byte(enum irc_casemap map, uint8_t c);
bool irc_same(enum irc_casemap map, struct bytes a, struct bytes b);
uint32_t irc_hash(enum irc_casemap map, struct bytes name);

/* Folds into buf, cut to fit and NUL-terminated; the length. */
size_t irc_fold(enum irc_casemap map, struct bytes name, char *buf, size_t size);

/* "nick!user@host" into parts; those not there are empty. */
struct irc_source {
	struct bytes nick, user, host;
};

struct irc_source irc_source_of(struct bytes source);

/* A mask with * and ?, and a backslash that takes their meaning away. Case as the map says. */
bool irc_mask_match(enum irc_casemap map, struct bytes mask, struct bytes text);

/* RFC 952, RFC 1123: labels of letters, digits and hyphens, with a dot in or behind them. */
bool irc_is_hostname(struct bytes name);

/* What may be a nick of ours: letters, digits, []\`_^{|}~-, no digit or hyphen first; UTF-8 is let
 * through, for servers that have it. */
bool irc_is_nick(struct bytes nick);
