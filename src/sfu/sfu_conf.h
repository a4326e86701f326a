/* sfu_conf: the settings of the SFU as a struct; the rows are in sfu.def. */
#pragma once

#include "core/bytes.h"
#include "core/conf.h"

enum sfu_doors { SFU_PORTS_ONE, SFU_PORTS_EACH };

struct sfu_conf {
#define SETTING CONF_FIELD
#include "sfu/sfu.def"
};

extern const struct conf_room sfu_conf_room;

static inline const struct sfu_conf *sfu_conf_of(const struct conf *conf)
{
	return conf_values(conf, &sfu_conf_room);
}

#define ROOM_NAME_MAX 128u

/* Whether a room may be called so. */
bool room_name_is_good(struct bytes name);
