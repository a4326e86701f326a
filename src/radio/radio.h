/* radio: the room's door: its row in the table of families, and the settings in force. */
#pragma once

#include "core/family.h"
#include "edge/proto/charset.h"
#include "radio/radio_conf.h"
#include "radio/radio_relay_conf.h"

extern const struct family radio_family;

/* What /admin/reloadconfig does; true when it was done. Before there are workers. */
void radio_reload_by(bool (*reload)(void));

/* Runs it. */
RUNS_ON(on_control) bool radio_ask_reload(void);

const struct radio_conf *radio_conf(void);

/* What holds for a mount of this name. */
const struct mount_conf *radio_mount_conf(const char *name);

/* The settings of relays, and what holds for a relay of this mount. */
const struct relays_conf *radio_relays_conf(void);
const struct relay_conf *radio_relay_conf(const char *name);

/* The settings as a whole. */
const struct conf *radio_settings(void);

/* By which other servers know this one while it runs: "rm-" and a random number. */
struct bytes radio_id(void);

/* What a title that says nothing of its charset is read as. */
enum charset radio_charset_of(unsigned choice);
