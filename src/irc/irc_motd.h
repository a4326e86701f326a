/* irc_motd: the message of the day, a text file (irc.motd) that clients of the bouncer itself are told.
 *
 *   irc_motd_take (control: start, reload) ─▶ published ─▶ irc_motd_say (workers)
 *
 * A text never changes; the old one goes when a baton has been everywhere. */
#pragma once

#include "irc/irc_part.h"

#define IRC_MOTD_BYTES 8192u
#define IRC_MOTD_LINES 200u /* the least irc.client_buffer has room for all of them */

/* What is wrong with the file today; NULL: nothing, or path is "". Any thread. */
const char *irc_motd_doubt(const char *path);

/* What cannot be used is none. */
RUNS_ON(on_control) void irc_motd_take(const char *path);
RUNS_ON(on_control) void irc_motd_fini(void);

void irc_motd_say(struct irc_client *client);
