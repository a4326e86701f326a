/* geoip: which country an address is in, as a database file says (setting geoip.file; MaxMind's
 * format, with a country or city table such as GeoLite2 or DB-IP Lite).
 *
 * The file is mapped, and read on the control thread only. None set: nothing is known, and nobody is
 * asked over the network. */
#pragma once

#include "core/role.h"
#include "edge/proto/address.h"

/* Opens the file; "": none. Called again, at a reload, it changes to another; one that cannot be
 * read is said in the log, and then nothing is known. */
RUNS_ON(on_control) void geoip_open(const char *path);
RUNS_ON(on_control) void geoip_close(void);

bool geoip_is_there(void);

/* ISO 3166's two letters, or "??"; into out, which is returned. */
const char *geoip_country(const struct address *address, char out[4]);
