/* radio_event: what others want to know of the radio, told in one place to all of them: webhooks
 * (edge/hook.h), programs (on_connect, on_disconnect), and mount_add and mount_remove of URL auth.
 *
 * Events of workers cross as messages of which so many are under way at most; of the same event on
 * the same mount one is told in ten seconds, with how many there were. */
#pragma once

#include "edge/proto/address.h"
#include "radio/radio_mount.h"

RUNS_ON(on_control) void event_start(uv_loop_t *loop);
RUNS_ON(on_control) void event_fini(void);

RUNS_ON(on_control) void event_source_up(const struct mount *mount);
RUNS_ON(on_control) void event_source_down(const struct mount *mount, const char *why);
RUNS_ON(on_control) void event_title(const struct mount *mount);
RUNS_ON(on_control)
void event_relay(const struct mount *mount, bool up, const char *url, const char *why);

enum event_often {
	EVENT_LISTENER_LIMIT, /* detail: which limit */
	EVENT_LISTENER_SLOW,
	EVENT_SOURCE_REFUSED, /* detail: why */
	EVENT_OFTEN_COUNT,
};

/* Any thread. peer may be NULL. */
void event_often(enum event_often what, const char *mount, const struct address *peer,
		 const char *detail);
