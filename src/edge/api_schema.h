/* api_schema: which members the bodies of the API's operations may have.
 *
 *   docs/openapi.json, inside the program ─▶ at the start: schema ─▶ its members ─▶ asked by each body
 *
 * What the document does not know is refused, so that a member that is misspelt does not pass for one
 * that was left out. Whether values make sense is for each operation to say. Bodies are flat: members of
 * members are not looked at.
 *
 * Made by the control thread before the workers start, then only read: by any thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "core/role.h"

/* Once. False: no memory. */
RUNS_ON(on_control) bool api_schema_start(void);

/* A member that this schema has not, while the body lasts; NULL: all are known, or the schema takes any. */
const char *api_schema_stranger(const char *schema, const json_t *body);
