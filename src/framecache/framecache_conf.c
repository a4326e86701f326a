#include "framecache/framecache_conf.h"

#include "core/conf_net.h"

static const struct conf_item framecache_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct framecache_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "framecache/framecache.def"
};

static void framecache_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct framecache_conf *values = framecache_conf_of(conf);

	conf_net_check_listen(errors, conf, values, "framecache.listen", &values->listen);
}

const struct conf_room framecache_conf_room = {
	.name = "framecache",
	.title = "Frame cache",
	.items = framecache_items,
	.count = sizeof framecache_items / sizeof *framecache_items,
	.size = sizeof(struct framecache_conf),
	.check = framecache_check,
};
