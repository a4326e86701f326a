/* voice: the room's door: rooms that Mumble's clients join; what main.c starts and stops.
 *
 *   control:  voice_door ─▶ connections ─▶ voice_conn ─ letters ─▶ voice_hub: channels, users, who may what
 *                                                      ◀─ parcels ─┘        └─▶ crowds ─▶ workers
 *   workers:  voice_rx ─▶ voice_heard ─▶ voice_tx ─▶ voice_rx's sockets, voice_conn's tunnels
 *
 * Off while voice.listen is empty. */
#pragma once

#include "core/family.h"
#include "voice/voice_conf.h"

extern const struct family voice_family;

/* The settings in force; valid for the event at hand. Any thread. */
const struct voice_conf *voice_conf(void);
