/* voice_tree: channels, registrations and bans as JSON and back: for the store, and for the server that
 * takes over. Control thread. What cannot be read is left out; there is no memory is no error here. */
#pragma once

#include <jansson.h>

#include "voice/voice_part.h"

/* How the text of it is to be read: a client's texts may have zero bytes, and one such must not make all
 * the rest unreadable. */
#define VOICE_TREE_LOAD JSON_ALLOW_NUL

RUNS_ON(on_control) json_t *voice_tree_channel(const struct voice_channel *channel);
json_t *voice_tree_registration(const struct voice_registration *row);
RUNS_ON(on_control) json_t *voice_tree_bans(void);

/* Makes it, or changes the uppermost. Where it lies and what it is linked to comes with _place_, when
 * all are there. */
RUNS_ON(on_control) void voice_tree_read_channel(int64_t id, const json_t *tree);
RUNS_ON(on_control) void voice_tree_place_channel(int64_t id, const json_t *tree);
RUNS_ON(on_control) void voice_tree_read_registration(int64_t id, const json_t *tree);
/* False: no memory; the bans are as before. */
RUNS_ON(on_control) MUST_CHECK bool voice_tree_read_bans(const json_t *tree);

/* Bytes as hexadecimal digits, and back: the caller's, NULL when there is no memory. */
json_t *voice_tree_hex(struct bytes in);
uint8_t *voice_tree_bytes(const json_t *tree, const char *name, size_t *len);
bool voice_tree_blob(const json_t *tree, const char *name, struct voice_blob *blob);
