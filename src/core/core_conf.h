/* core_conf: the settings of the core as a struct; the rows are in core.def. */
#pragma once

#include "core/conf.h"

struct core_conf {
#define SETTING CONF_FIELD
#include "core/core.def"
};

extern const struct conf_room core_conf_room;

/* What will not work today. */
void core_conf_doubt(const struct conf *conf, struct conf_errors *errors);

static inline const struct core_conf *core_conf_of(const struct conf *conf)
{
	return conf_values(conf, &core_conf_room);
}
