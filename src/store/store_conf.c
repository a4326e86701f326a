#include "store/store_conf.h"

static const struct conf_item items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct store_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "store/store.def"
};

const struct conf_room store_conf_room = {
	.name = "store",
	.title = "History and users",
	.items = items,
	.count = sizeof items / sizeof *items,
	.size = sizeof(struct store_conf),
};
