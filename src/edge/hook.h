/* hook: tells other programs what has happened, over HTTP.
 *
 *   hook_event("title", …) ──▶ each hook that wants it: body made ──▶ queue ── one at a time ──▶ URL
 *                                                                       └── again after a pause
 *
 * Events of one hook arrive in their order. An answer of 2xx is success; 4xx (but for 408 and 429) is
 * final; all else is tried again, with pauses that double. Queues are bounded. A hook that fails for
 * too long is paused, and says so. Bodies are signed where there is a secret (sign.h), anew at each
 * attempt; X-Ringmain-Delivery stays the same, so that a receiver can tell a repetition.
 *
 * Control thread, all of it. It knows no event by meaning: families make them. */
#pragma once

#include <jansson.h>
#include <uv.h>

#include "core/conf.h"
#include "core/role.h"

struct hooks_conf {
#define SETTING CONF_FIELD
#include "edge/hooks.def"
};

struct hook_conf {
#define ITEM CONF_FIELD
#include "edge/hook.def"
};

extern const struct conf_room hooks_conf_room;
extern const struct conf_section hook_conf_section;

static inline const struct hooks_conf *hooks_conf_of(const struct conf *conf)
{
	return conf_values(conf, &hooks_conf_room);
}

/* At the start and at a reload: queues of hooks that stay are kept. False: no memory. */
RUNS_ON(on_control) bool hooks_configure(uv_loop_t *loop, const struct conf *conf);
RUNS_ON(on_control) void hooks_stop(void);

/* The settings in force. */
RUNS_ON(on_control) const struct hooks_conf *hooks_conf(void);

/* It happened. mount: which it is about, or "". text: a sentence for people. facts: an object of
 * texts and numbers; taken, may be NULL. */
RUNS_ON(on_control)
void hook_event(const char *event, const char *mount, const char *text, json_t *facts);

/* The same from any thread. So many are under way at most; further ones are counted as lost. */
void hook_event_post(const char *event, const char *mount, const char *text, json_t *facts);

/* What the settings and the API want of a webhook. */
bool hook_url_is_good(const char *url);
bool hook_header_is_good(const char *line);

/* --- those that were made over the API: hook_own.h ------------------------------------------ */

struct hook_own;

enum hook_kind { HOOK_NONE, HOOK_OF_SETTINGS, HOOK_OWN };

/* Of two that have one name, that of the settings. */
RUNS_ON(on_control) enum hook_kind hook_kind_of(const char *name);

/* Takes it, in place of the one of its name. False: no memory, and it is the caller's. */
RUNS_ON(on_control) MUST_CHECK bool hook_own_put(struct hook_own *own);
RUNS_ON(on_control) void hook_own_drop(const char *name);
RUNS_ON(on_control) size_t hooks_own_count(void);

/* All of them as they were said, secrets and all; one of them, borrowed, or NULL. */
RUNS_ON(on_control) json_t *hooks_own_trees(void);
RUNS_ON(on_control) const json_t *hook_own_said(const char *name);

/* --- for the API and the dashboard -------------------------------------------------------------- */

/* name, url, state, queued, sent, failed, lost, status, error of each. With some services a URL's path
 * is its secret: whole says whether whoever asks may see it. */
RUNS_ON(on_control) json_t *hooks_tree(bool whole);

/* One of them; NULL: there is none of that name. */
RUNS_ON(on_control) json_t *hook_tree(const char *name, bool whole);

/* Sends the event "test" to this one, and ends its pause. False: there is none of that name. */
RUNS_ON(on_control) bool hook_test(struct bytes name);
