/* radio_status: what is to be said about mounts, as trees (edge/document.h): Icecast's words for
 * Icecast's calls, and the pages' own. Control thread. */
#pragma once

#include <jansson.h>

#include "radio/radio_mount.h"

/* When the server began; microseconds since 1970. */
RUNS_ON(on_control) void status_started(int64_t wall_us);

/* The tree of status-json.xsl: mounts that are heard and not hidden. site: how the client calls us. */
RUNS_ON(on_control) json_t *status_public(struct site site, struct bytes only);

/* The tree of /admin/stats; of one mount only when it is not NULL. */
RUNS_ON(on_control) json_t *status_admin(const struct mount *only, struct site site);

/* The tree of /admin/listmounts. */
RUNS_ON(on_control) json_t *status_mounts(void);

/* The tree of /api/v1/station. */
RUNS_ON(on_control) json_t *status_page(struct site site);

/* kbit/s and content type of what is heard on a mount. */
RUNS_ON(on_control) uint32_t status_bitrate(const struct mount *mount);
RUNS_ON(on_control) const char *status_type(const struct mount *mount);

/* The address of a mount for a client that calls us so. */
struct bytes status_listen_url(struct site site, struct bytes mount, struct writer *w);

/* The same with a listener's user and password in it. */
void status_write_login_url(struct writer *w, struct site site, struct bytes mount,
			    struct bytes user, struct bytes password);

/* SHOUTcast's seven numbers of a mount (NULL: none), comma-separated; the title is escaped. */
RUNS_ON(on_control) void status_write_7(struct writer *w, const struct mount *mount);

/* Numbers of each mount for /metrics. */
RUNS_ON(on_control) void status_metrics(FILE *out);
