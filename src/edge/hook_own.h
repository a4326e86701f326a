/* hook_own: webhooks that were made over the API, and the file that keeps them: DIR/hooks.json.
 *
 *   POST, PUT, DELETE /api/v1/hooks ─▶ read and judged ─▶ in the file ─▶ in force (hook.h)
 *
 * Such a hook is an object of JSON with the names that a hook has in the settings; its strings are used
 * where they lie, as long as it is in force. Its address is called as one that a stranger gave: outside,
 * judged when the socket is opened (fetch.h). Those of the settings are not changed here, and go before.
 *
 * Control thread, all of it. */
#pragma once

#include "edge/hook.h"

#define HOOK_OWN_MAX   64u
#define HOOK_WORDS_MAX 32u /* in one of its lists */

struct hook_own {
	struct hook_conf conf;
	json_t *tree; /* with its name */
	const char *words[3][HOOK_WORDS_MAX];
};

/* NULL: it will not do, and fault says why. name: of one that is not said in the tree. */
struct hook_own *hook_own_make(const char *name, const json_t *said, char *fault, size_t size);
void hook_own_free(struct hook_own **own);

/* Puts those of the file in force. After hooks_configure(). */
RUNS_ON(on_control) void hook_own_start(const char *data);

/* Writes the file with this one in place of the one of its name; with NULL without that one. False:
 * the file is as it was. */
RUNS_ON(on_control) MUST_CHECK bool hook_own_keep(const char *name, const struct hook_own *own);
