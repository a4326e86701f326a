/* irc_user: the users of this worker, their devices and passwords. What they are is in irc_part.h. */
#pragma once

#include "irc/irc_part.h"

enum irc_id { IRC_ID_NETWORK, IRC_ID_BUFFER, IRC_ID_DEVICE, IRC_ID_PASSWORD, IRC_ID_PUSH, IRC_IDS };

/* A number that was never given; any thread. irc_id_used: numbers up to this one are in the store. */
uint64_t irc_id_next(enum irc_id kind);
void irc_id_used(enum irc_id kind, uint64_t id);

struct irc_user *irc_user_find(struct bytes name);
/* Finds or makes; NULL: no memory. */
struct irc_user *irc_user_make(struct bytes name);
/* With all that is his; keep: what is in the store stays there. His clients are gone already. */
void irc_user_drop(struct irc_user *user, bool keep);
/* The same with his clients; nothing of it is kept. */
void irc_user_erase(struct irc_user *user);
/* How many networks he may have. */
uint32_t irc_user_networks_most(const struct irc_user *user);
/* Tells the store what he is: false: it is more than the store takes, which keeps what it has. And takes such a text (JSON). */
bool irc_user_keep(const struct irc_user *user);
/* Sets his nick, real name or what he says when he is away (NULL: nothing), and tells the store. False: it is
 * no UTF-8, or does not fit, and is as it was. */
bool irc_user_set(struct irc_user *user, char **at, struct bytes text);
void irc_user_take(struct irc_user *user, const char *settings);

/* Whether a client of his was here lately enough (irc.inactive), and his account is not disabled, which ends his
 * clients: if that has changed, his networks are disconnected, or connected to again. */
void irc_user_look(struct irc_user *user, int64_t now_ms);
/* The same of all on this worker. */
void irc_users_look(int64_t now_ms);

/* The place of a device; -1: there is none of that name. */
int irc_device_find(const struct irc_user *user, struct bytes name);
/* Finds or makes; -1: no memory. *is_new: it was not there before. */
int irc_device_make(struct irc_user *user, struct bytes name, bool *is_new);
/* One that the store has. */
bool irc_device_add(struct irc_user *user, uint64_t id, struct bytes name, int64_t seen_ms);
void irc_device_drop(struct irc_user *user, unsigned place);
/* It is here. */
void irc_device_seen(struct irc_user *user, int place);

/* NULL: no memory, or one of that label is there. The password itself is written to *out. */
#define IRC_PASSWORD_LEN 24u
struct irc_password *irc_password_make(struct irc_user *user, struct bytes label,
				       char out[IRC_PASSWORD_LEN + 1]);
struct irc_password *irc_certificate_add(struct irc_user *user, struct bytes label,
					 struct bytes fingerprint);
/* Why neither can be of that label; NULL: it may be. */
const char *irc_label_fault(const struct irc_user *user, struct bytes label);
bool irc_password_drop(struct irc_user *user, struct bytes label);
/* The one that this is; NULL: none. */
struct irc_password *irc_password_find(const struct irc_user *user, struct bytes given,
				       bool is_certificate);
/* One whose fingerprint was not kept when it was made. */
void irc_certificate_seen(const struct irc_user *user, struct irc_password *password,
			  struct bytes fingerprint);
void irc_password_used(struct irc_password *password, const uint8_t ip[16]);
