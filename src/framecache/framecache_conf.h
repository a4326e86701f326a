/* framecache_conf: the settings of the frame cache as a struct; the rows are in framecache.def. */
#pragma once

#include "core/conf.h"

struct framecache_conf {
#define SETTING CONF_FIELD
#include "framecache/framecache.def"
};

extern const struct conf_room framecache_conf_room;

static inline const struct framecache_conf *framecache_conf_of(const struct conf *conf)
{
	return conf_values(conf, &framecache_conf_room);
}
