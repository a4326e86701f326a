#include "voice/voice_conf.h"

#include "core/bytes.h"
#include "core/conf_net.h"
#include "core/conf_path.h"

static const struct conf_item voice_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct voice_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "voice/voice.def"
};

static void voice_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct voice_conf *values = voice_conf_of(conf);

	struct bytes rest = bytes_str(values->suggest_version);
	uint64_t part;
	bool good = true;

	for (int i = 0; i < 3 && rest.len; i++)
		good &= bytes_to_u64(bytes_cut(&rest, '.'), UINT16_MAX, &part);
	if (!good || rest.len)
		conf_fault(errors, conf, values, "voice.suggest_version",
			   "expected up to three numbers, such as 1.4.0");
	conf_net_check_listen(errors, conf, values, "voice.listen", &values->listen);
}

void voice_conf_doubt(const struct conf *conf, struct conf_errors *errors)
{
	const struct voice_conf *values = voice_conf_of(conf);

	conf_path_doubt_directory(errors, conf, values, "voice.record_directory",
				  values->record_directory);
}

const struct conf_room voice_conf_room = {
	.name = "voice",
	.title = "Voice rooms",
	.items = voice_items,
	.count = sizeof voice_items / sizeof *voice_items,
	.size = sizeof(struct voice_conf),
	.check = voice_check,
};
