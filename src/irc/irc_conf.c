#include "irc/irc_conf.h"

#include "core/conf_net.h"
#include "core/local_socket.h"

static const struct conf_item irc_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct irc_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "irc/irc.def"
};

static void irc_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct irc_conf *values = irc_conf_of(conf);

	for (size_t i = 0; i < values->listen.count; i++)
		if (!conf_net_is_listen(values->listen.at[i]) &&
		    !local_path_in(values->listen.at[i]))
			conf_fault_member(errors, conf, values, "irc.listen", i,
					  "expected ADDRESS:PORT such as 127.0.0.1:6697, or "
					  "unix:/PATH of at most 107 bytes");
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
