/* radio_facts: what the API and the events say of mounts, listeners and the radio as a whole, as
 * trees. Times are seconds since 1970. Control thread but for what is said otherwise. */
#pragma once

#include <jansson.h>

#include "radio/radio_listener.h"
#include "radio/radio_mount.h"

/* What the administrator sees: schema Mount. It does not name how the client calls us, so that one
 * tree serves all. */
RUNS_ON(on_control) json_t *facts_mount(const struct mount *mount);

/* name → facts_mount of all; and PublicMount of those that are not hidden. */
RUNS_ON(on_control) json_t *facts_mounts(void);
RUNS_ON(on_control) json_t *facts_public_mounts(void);

/* How far behind the newest of its feed a listener is, in milliseconds of its bitrate; -1: not
 * known. On the listener's worker. */
RUNS_ON(on_worker) int64_t facts_lag_ms(const struct listener *listener);

/* Schema Listener; of a copy, anywhere. */
json_t *facts_listener(const struct listener *listener, const char *mount, int64_t lag_ms);

/* The radio's numbers among the server's. */
void facts_server(json_t *tree);

/* For trend_add and health_add. */
void facts_sample(void);
void facts_health(json_t *list);
