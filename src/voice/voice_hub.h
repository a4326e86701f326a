/* voice_hub: HUB of voice, on the control thread: channels, users, who may what, who hears whom.
 *
 *   worker ── letter ──▶ voice_request ─▶ a change ─┬─▶ messages to those whom it concerns: parcels
 *                                                   ├─▶ stages whose hearers change: new crowds
 *                                                   └─▶ the store
 *             ◀── one parcel a worker, at the end of the turn
 *
 * This is the face that workers see; what the hub is made of stands in voice_part.h. */
#pragma once

#include "voice/proto/message.h"
#include "voice/voice_peer.h"

/* The newest of Mumble's whose protocol this is. */
#define VOICE_SERVER_VERSION mumble_version_v2(1, 5, 0)

/* Whether what was kept of the rooms is known, so that somebody may come in. Any thread. */
bool voice_hub_is_open(void);

enum voice_letter_kind {
	VOICE_LETTER_CAME,
	VOICE_LETTER_FRAME,
	VOICE_LETTER_LOST, /* his datagrams cannot be opened any more: his nonce is asked for */
	VOICE_LETTER_GONE, /* the last: the connection does not know the peer any more */
};

/* From the peer's worker, or the one that gets his datagrams (LOST alone). */
RUNS_ON(on_worker)
void voice_hub_post(struct voice_peer *peer, enum voice_letter_kind kind, uint32_t type,
		    struct bytes body);
