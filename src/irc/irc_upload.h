/* irc_upload: files that users show each other (soju.im/FILEHOST): taken over HTTP, given out by a name
 * that nobody guesses.
 *
 *   POST /irc/uploads (let in by edge/access.h) ─▶ a piece in memory ─▶ thread pool: .part, then renamed
 *   GET  /irc/uploads/USER/TOKEN-NAME ─▶ edge/files.h
 *
 * DIR/irc-uploads/USER/: USER is a hash of the name. A file has irc.upload_max bytes at most, a user
 * irc.upload_user_max; after irc.upload_days they go. A browser runs nothing of what it is given. Runs on
 * the connection's worker; the disk is the pool's. */
#pragma once

#include "edge/route.h"

extern const struct route irc_upload_routes[];

/* Where to, for ISUPPORT; false: nobody may, or it is not known how the world reaches us. */
bool irc_upload_address(char *out, size_t size);

#define IRC_UPLOAD_NAME  128u  /* of a file, with its NUL */
#define IRC_UPLOAD_PLACE 1024u /* in front of it */

/* Where a user's files lie, and what is in front of their names in addresses. */
void irc_upload_place(const char *user, char *directory, size_t size, char place[IRC_UPLOAD_PLACE]);

/* All files of a user. */
RUNS_ON(on_worker) void irc_upload_erase(const char *user);

/* Deletes what is too old; now and then. */
RUNS_ON(on_worker) void irc_upload_expire(void);

/* Ends those that are under way. */
RUNS_ON(on_worker) void irc_upload_stop(void);
RUNS_ON(on_worker) bool irc_upload_busy(void);
