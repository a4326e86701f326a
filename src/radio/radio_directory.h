/* radio_directory: announces public mounts in stream directories, as Icecast does (the YP protocol).
 *
 *   mount on the air and public ── action=add ──▶ SID, TouchFreq ── touch … touch ──▶ remove
 *
 * A mount is public when its settings say so, or else its encoder; never when it is hidden. Each
 * directory is spoken to on its own: one that is down disturbs no other. A touch that is refused
 * begins again with an add. Control thread. */
#pragma once

#include <jansson.h>
#include <uv.h>

#include "core/conf.h"
#include "core/role.h"

struct directory_conf {
#define SETTING CONF_FIELD
#include "radio/directory.def"
};

extern const struct conf_room directory_conf_room;

static inline const struct directory_conf *directory_conf_of(const struct conf *conf)
{
	return conf_values(conf, &directory_conf_room);
}

RUNS_ON(on_control) void directory_start(uv_loop_t *loop);
/* Takes all announcements back, for which it turns the loop, two seconds at most. */
RUNS_ON(on_control) void directory_stop(void);

/* mount, directory, state, since, error, touches of each announcement. */
RUNS_ON(on_control) json_t *directory_tree(void);
