#include "voice/voice_conf.h"

#include "core/conf_net.h"

static const struct conf_item voice_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct voice_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "voice/voice.def"
};

static void voice_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct voice_conf *values = voice_conf_of(conf);

	conf_net_check_listen(errors, conf, values, "voice.listen", &values->listen);
}

const struct conf_room voice_conf_room = {
	.name = "voice",
	.title = "Voice rooms",
	.items = voice_items,
	.count = sizeof voice_items / sizeof *voice_items,
	.size = sizeof(struct voice_conf),
	.check = voice_check,
};
