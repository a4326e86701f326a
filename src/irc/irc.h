/* irc: the room's door: what main.c starts and stops.
 *
 *   store ── at the start ──▶ users, networks, buffers ──▶ each user's worker ──▶ servers
 *   irc.listen ─▶ edge: accept, TLS ─▶ irc_client ─▶ the worker of its user
 *
 * Off while irc.listen is empty: then networks are not connected to either. */
#pragma once

#include "core/family.h"

extern const struct family irc_family;
