/* sfu_face: FACE. Rooms, publishers and viewers for the admin API: who is there, how it goes, and orders.
 *
 *   control: call ─▶ baton: each worker adds what it knows of its peers ─▶ control: JSON
 *
 * Counters only go up, and each answer says when it was made: rates are the reader's to make. */
#pragma once

#include "edge/api.h"

extern const struct api_operation sfu_operations[];
extern const struct api_operation sfu_rtp_operations[]; /* plain RTP: sfu_rtp_face.c */

/* {serial, rooms: [name …]} as deadsfu has it. */
RUNS_ON(on_control) json_t *face_room_list(void);
