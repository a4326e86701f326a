/* irc_verifier: what a user's password leaves behind, so that he can log in by SCRAM-SHA-256.
 *
 *   right password (PLAIN, PASS) ─▶ learn ─▶ kept with the user ─▶ find ─▶ irc_scram
 *
 * It is tied to the password's hash in the book of accounts: one that was changed since is as if there
 * were none. Who has none gets one that nothing fits, so that nobody can ask who is a user here. Only with
 * irc.scram: who steals a verifier can try passwords on it faster than on the book's own hashes. Runs on
 * the worker of the user. */
#pragma once

#include "irc/irc_part.h"
#include "irc/proto/irc_scram.h"

/* stored: how the book has this password. */
void irc_verifier_learn(struct irc_user *user, struct bytes password, const char *stored);

/* user: NULL when there is none of that name. True: it is his, by one of the two. */
bool irc_verifier_find(const struct irc_user *user, struct bytes name, const char *const stored[2],
		       struct irc_scram_key *key);
