#include "core/core_conf.h"

static const struct conf_item items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct core_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "core/core.def"
};

const struct conf_room core_conf_room = {
	.name = "core",
	.title = "Process",
	.items = items,
	.count = sizeof items / sizeof *items,
	.size = sizeof(struct core_conf),
};
