/* edge_conf: the settings of the front door as a struct; the rows are in edge.def. */
#pragma once

#include "core/conf.h"

struct edge_conf {
#define SETTING CONF_FIELD
#include "edge/edge.def"
};

extern const struct conf_room edge_conf_room;

/* What will not work today. */
void edge_conf_doubt(const struct conf *conf, struct conf_errors *errors);

static inline const struct edge_conf *edge_conf_of(const struct conf *conf)
{
	return conf_values(conf, &edge_conf_room);
}
