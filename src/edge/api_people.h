/* api_people: users, tokens and the browsers that are logged in, over the API.
 *
 *   order ─▶ argon2id on the pool, for a password ─▶ one change at a time: on disk ─▶ in the book ─▶ answer
 *
 * What was answered is on disk; where the disk does not take it nothing has changed, and the answer
 * says why. A password is never shown, a token once. Thread: control. */
#pragma once

#include "edge/api.h"

extern const struct api_operation people_operations[];
