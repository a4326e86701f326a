/* irc_stage: a bouncer on one thread: a user whose network and clients a fuzz target plays, and another user beside him
 * who must never hear of it.
 *
 *   input: lines ── letter: who says the rest of it ──▶ socketpair ──▶ irc_hear, irc_command … ──▶ looked at
 *
 * There are no other threads: what would go to one is called at once or refused (names, sockets, the pool, the web).
 * All that was made is gone again at the end of an input. */
#pragma once

#include "core/bytes.h"

/* Letters of the script; what does not begin with one is the server's. */
#define STAGE_SERVER  's'
#define STAGE_CLIENT  'c' /* of the network; knows no capabilities */
#define STAGE_MODERN  'd' /* of the network; has asked for all of them */
#define STAGE_MANY    'm' /* of all networks */
#define STAGE_UNKNOWN 'n' /* somebody who is not logged in */
#define STAGE_TICK    't' /* a second goes by; with a number: so many */
#define STAGE_RENEW   'r' /* the server is gone, and comes back as one that has not let us in */
#define STAGE_AGAIN   'k' /* the client of that letter goes and comes back */

/* Plays a script and looks, after each turn, whether all is as it should be. */
void stage_play(struct bytes script);
