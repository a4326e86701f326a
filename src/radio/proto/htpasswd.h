/* htpasswd: a file of users, as Icecast 2.4 and Apache's htpasswd write it: one "name:hash" a line.
 *
 *     ann:7c4f29407893c334a6cb7a87bf045c0d        MD5 of the password, in hexadecimal: Icecast
 *     bob:$argon2id$v=19$m=19456,t=2,p=1$…        what ringmain writes
 *     eve:$2y$05$…                                what crypt(3) knows: htpasswd -B, mkpasswd
 *
 * Empty lines and those that begin with # say nothing. A name ends at the first colon. It checks no
 * password: radio_htpasswd.h does. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

#define HTPASSWD_NAME_MAX 63u
#define HTPASSWD_HASH_MAX 255u

enum htpasswd_hash {
	HTPASSWD_MD5,   /* 32 hexadecimal digits */
	HTPASSWD_SLOW,  /* made to be slow, for edge/auth.h */
	HTPASSWD_OTHER, /* of a kind that nobody here can check: $apr1$, plain text */
};

enum htpasswd_found {
	HTPASSWD_USER,
	HTPASSWD_FAULT, /* a line that is none; go on behind it */
	HTPASSWD_END,
};

struct htpasswd_line {
	struct bytes name, hash; /* point into the text */
	enum htpasswd_hash kind;
	unsigned number; /* of the line, from 1 on; zeroed before the first */
};

/* The next line of rest that says something. */
enum htpasswd_found htpasswd_next(struct bytes *rest, struct htpasswd_line *line);

/* Whether a user may be called so: 1 to HTPASSWD_NAME_MAX bytes, no colon, no control byte, no # in
 * front. */
bool htpasswd_name_is_good(struct bytes name);

/* Writes the text without the lines of this user, and a line break behind the last if it has none.
 * Whether there was one. */
bool htpasswd_without(struct bytes text, struct bytes name, struct writer *w);
