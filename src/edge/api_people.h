/* api_people: users, tokens and the browsers that are logged in, over the API.
 *
 *   order ─▶ argon2id on the pool, for a password ─▶ one change at a time: on disk ─▶ in the book ─▶ answer
 *
 * What was answered is on disk; where the disk does not take it nothing has changed, and the answer
 * says why. A password is never shown, a token once. Thread: control. */
#pragma once

#include "edge/api.h"

extern const struct api_operation people_operations[];

/* Makes a user of the highest rank, and answers. may() is asked when its turn among all changes has
 * come, and has answered when it says no; made() is told when he is on disk. He may be called as the
 * administrator of the settings is. */
RUNS_ON(on_control)
void people_make_administrator(struct call *call, const char *name, const char *password,
			       bool (*may)(struct call *call),
			       void (*made)(const struct call *call, const char *name));
