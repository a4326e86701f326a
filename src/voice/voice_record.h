/* voice_record: what is said in a room, as a file for each who speaks, Opus as it came.
 *
 *   worker: voice_heard ─▶ its ring of packets ─┐
 *   control: begin, end, who speaks ─ orders ───┴▶ a thread: DIRECTORY/ROOM-TIME/NAME-N.opus
 *                          ◀── it cannot be written ──┘
 *
 * Files of a recording begin at the same moment and are padded with silence, so they lie beside each
 * other in an editor. The packet path copies into a ring and goes on; when the disk is slow the ring
 * is full and the recording loses sound, counted; when it is full the recording ends. Nobody else
 * notices either.
 *
 * Everybody sees it: a user called "Recording" with Mumble's sign for it is in the room as long as it
 * lasts, and the room is written to when it begins and ends. */
#pragma once

#include "edge/kept.h"
#include "voice/voice_part.h"

extern const struct api_operation voice_record_operations[];
extern const struct kept_family voice_record_kept;

/* What he says in his room; for peers whose record is not 0. */
RUNS_ON(on_worker) void voice_record_hear(uint32_t record, const struct voice_speech *speech);

/* He is in another channel, or was just let in. */
RUNS_ON(on_control) void voice_record_follow(struct voice_user *user);
/* He, who has just come into it, is told that the room he is in is recorded. */
RUNS_ON(on_control) void voice_record_warn(struct voice_user *user);
/* Who may change everything finds an item in a channel's menu that begins and ends its recording; and has
 * chosen it. */
RUNS_ON(on_control) void voice_record_offer(struct voice_user *user);
RUNS_ON(on_control)
void voice_record_asked(struct voice_user *user, const struct mumble_context_action *said);
/* He is told of what records. */
RUNS_ON(on_control) void voice_record_tell(struct voice_user *to);
RUNS_ON(on_control) void voice_record_channel_gone(const struct voice_channel *channel);

/* Ends all; what was said until now is in the files when it returns. */
RUNS_ON(on_control) void voice_record_stop(void);
/* What is being recorded, and going on with it in files of their own: for the server that takes over, and
 * in it. */
RUNS_ON(on_control) json_t *voice_record_tree(void);
RUNS_ON(on_control) void voice_record_go_on(const json_t *list);
/* The files are whole when it returns; nobody is told. */
RUNS_ON(on_control) void voice_record_part(void);
/* When the workers have stopped. */
void voice_record_fini(void);
