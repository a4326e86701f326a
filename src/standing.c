#include "standing.h"

#include "core/conf_standing.h"
#include "core/core_conf.h"
#include "framecache/framecache_conf.h"
#include "radio/radio_conf.h"
#include "store/store_conf.h"

static struct conf_standing of_core[] = {{"workers", NULL}, {0}};
static struct conf_standing of_store[] = {{"store.enabled", NULL}, {"store.file", NULL}, {0}};
static struct conf_standing of_radio[] = {{"radio.demo", NULL}, {0}};
static struct conf_standing of_framecache[] = {{"framecache.dir", NULL}, {0}};

static const struct {
	const struct conf_room *room;
	struct conf_standing *list;
} all[] = {
	{&core_conf_room, of_core},
	{&store_conf_room, of_store},
	{&radio_conf_room, of_radio},
	{&framecache_conf_room, of_framecache},
};

void standing_take(const struct conf *conf)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		conf_standing_take(all[i].list, conf, all[i].room);
}

void standing_doubt(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		conf_standing_doubt(all[i].list, conf, all[i].room, errors);
}

void standing_drop(void)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		conf_standing_drop(all[i].list);
}
