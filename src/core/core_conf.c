#include "core/core_conf.h"

#include "core/conf_path.h"

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

void core_conf_doubt(const struct conf *conf, struct conf_errors *errors)
{
	const struct core_conf *values = core_conf_of(conf);

	conf_path_doubt_place(errors, conf, values, "log.file", values->log_file);
}
