/* radio_relay_conf: the settings of relays and pushes as structs; the rows are in relays.def,
 * relay.def, pushes.def and push.def. */
#pragma once

#include "core/conf.h"

struct relays_conf {
#define SETTING CONF_FIELD
#include "radio/relays.def"
};

struct relay_conf {
#define ITEM    CONF_FIELD
#define INHERIT CONF_FIELD
#include "radio/relay.def"
};

struct pushes_conf {
#define SETTING CONF_FIELD
#include "radio/pushes.def"
};

struct push_conf {
#define ITEM CONF_FIELD
#include "radio/push.def"
};

enum push_method { PUSH_SOURCE, PUSH_PUT };

extern const struct conf_room relays_conf_room, pushes_conf_room;
extern const struct conf_section relay_conf_section, push_conf_section;

static inline const struct relays_conf *relays_conf_of(const struct conf *conf)
{
	return conf_values(conf, &relays_conf_room);
}

static inline const struct pushes_conf *pushes_conf_of(const struct conf *conf)
{
	return conf_values(conf, &pushes_conf_room);
}
