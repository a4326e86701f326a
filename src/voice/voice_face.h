/* voice_face: FACE of voice: /api/v1/voice/…: who is in which channel; people are muted, moved and sent
 * away, channels made and removed. On the control thread. */
#pragma once

#include "edge/api.h"
#include "edge/proto/address.h"

extern const struct api_operation voice_operations[];

/* Whoever is here from a network that was just banned is sent away. */
void voice_send_away(const struct cidr *network);
