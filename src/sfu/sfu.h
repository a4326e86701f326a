/* sfu: the family's door: what main.c starts and stops.
 *
 *   encoder, browser ── POST /whip/ROOM ──▶ sfu_whip ─▶ sfu_room (control) ─▶ sfu_peer (a worker)
 *          └─── UDP ──▶ sfu_door ─▶ sfu_peer ─▶ sfu_source ─▶ sfu_track: feed
 *                                                               └─▶ sfu_stage ─▶ sfu_sender ─▶ viewer
 *
 * Off while sfu.udp is empty. */
#pragma once

#include "core/family.h"
#include "sfu/sfu_conf.h"

extern const struct family sfu_family;

/* The settings in force. Any thread. */
const struct sfu_conf *sfu_conf(void);

/* All of them. */
const struct conf *sfu_settings(void);
