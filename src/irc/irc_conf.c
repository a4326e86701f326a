#include "irc/irc_conf.h"

#include "core/conf_net.h"

static const struct conf_item irc_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct irc_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "irc/irc.def"
};

static void irc_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct irc_conf *values = irc_conf_of(conf);

	conf_net_check_listen(errors, conf, values, "irc.listen", &values->listen);
	conf_net_check_listen(errors, conf, values, "irc.identd", &values->identd);
}

const struct conf_room irc_conf_room = {
	.name = "irc",
	.title = "IRC bouncer",
	.items = irc_items,
	.count = sizeof irc_items / sizeof *irc_items,
	.size = sizeof(struct irc_conf),
	.check = irc_check,
};
