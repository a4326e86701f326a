#include "edge/proto/url.h"
#include "radio/radio_directory.h"

static const struct conf_item items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct directory_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "radio/directory.def"
};

static void check(const struct conf *conf, struct conf_errors *errors)
{
	const struct directory_conf *directory = directory_conf_of(conf);
	struct url url;

	for (size_t i = 0; i < directory->url.count; i++)
		if (!url_parse_http(bytes_str(directory->url.at[i]), &url))
			conf_fault_member(errors, conf, directory, "directory.url", i,
					  "expected a URL such as "
					  "http://dir.xiph.org/cgi-bin/yp-cgi");
}

const struct conf_room directory_conf_room = {
	.name = "directory",
	.title = "Directories",
	.items = items,
	.count = sizeof items / sizeof *items,
	.size = sizeof(struct directory_conf),
	.check = check,
};
