/* irc_conf: the settings of the bouncer as a struct; the rows are in irc.def. */
#pragma once

#include "core/conf.h"

/* In the order of the words of irc.plain. */
enum irc_plain_clients { IRC_PLAIN_YES, IRC_PLAIN_LOCAL, IRC_PLAIN_NO };

struct irc_conf {
#define SETTING CONF_FIELD
#include "irc/irc.def"
};

extern const struct conf_room irc_conf_room;

/* What is good and will not work today. After the load. */
void irc_conf_doubt(const struct conf *conf, struct conf_errors *errors);

static inline const struct irc_conf *irc_conf_of(const struct conf *conf)
{
	return conf_values(conf, &irc_conf_room);
}
