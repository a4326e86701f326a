#include "radio/radio_relay_conf.h"

#include "edge/proto/address.h"
#include "edge/proto/url.h"

static const struct conf_item relays_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct relays_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "radio/relays.def"
};

static const struct conf_item relay_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct relay_conf, #name, CONF_##type, field, __VA_ARGS__)
#define INHERIT(name, type, field, from, help) \
	CONF_INHERIT(struct relay_conf, #name, CONF_##type, field, #from, help)
#include "radio/relay.def"
};

static const struct conf_item pushes_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct pushes_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "radio/pushes.def"
};

static const struct conf_item push_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct push_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "radio/push.def"
};

const struct conf_section relay_conf_section = {
	.name = "relay",
	.title = "/live",
	.help = "Streams that are fetched from other servers, each by the mount that it has here.",
	.items = relay_items,
	.count = sizeof relay_items / sizeof *relay_items,
	.size = sizeof(struct relay_conf),
};

const struct conf_section push_conf_section = {
	.name = "push",
	.title = "backup",
	.help = "Mounts that are sent on to other servers as an encoder would, each under any "
		"name.",
	.items = push_items,
	.count = sizeof push_items / sizeof *push_items,
	.size = sizeof(struct push_conf),
};

#define EXPECT_URL "expected a URL such as http://radio.example.org:8000/live"

static bool is_url(const char *text)
{
	struct url url;

	return url_parse_http(bytes_str(text), &url);
}

static void check_bind(const struct conf *conf, const void *values, const char *item,
		       const char *bind, struct conf_errors *errors)
{
	struct address address;

	if (bind[0] && !address_parse_ip(bytes_str(bind), &address))
		conf_fault(errors, conf, values, item, "expected an address of this machine");
}

static void check_relay(const struct conf *conf, size_t i, struct conf_errors *errors)
{
	const char *name = conf_entry_name(conf, &relay_conf_section, i);
	const struct relay_conf *relay = conf_entry_values(conf, &relay_conf_section, i);

	if (name[0] != '/' && !conf_entry_is_pattern(name))
		conf_fault_entry(errors, conf, relay, "expected a mount such as /live");
	if (relay->url.count == 0 && !conf_entry_is_pattern(name))
		conf_fault(errors, conf, relay, "url", EXPECT_URL);
	for (size_t n = 0; n < relay->url.count; n++)
		if (!is_url(relay->url.at[n]))
			conf_fault_member(errors, conf, relay, "url", n, EXPECT_URL);
	if (conf_entry_says(conf, &relay_conf_section, name, "bind"))
		check_bind(conf, relay, "bind", relay->bind, errors);
}

static void check_relays(const struct conf *conf, struct conf_errors *errors)
{
	const struct relays_conf *relays = relays_conf_of(conf);

	if (relays->master[0] && !is_url(relays->master))
		conf_fault(errors, conf, relays, "relays.master",
			   "expected a URL such as http://master.example.org:8000");
	check_bind(conf, relays, "relays.bind", relays->bind, errors);
	for (size_t i = 0; i < conf_entry_count(conf, &relay_conf_section); i++)
		check_relay(conf, i, errors);
}

static void check_pushes(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf_entry_count(conf, &push_conf_section); i++) {
		const struct push_conf *push = conf_entry_values(conf, &push_conf_section, i);
		bool real = !conf_entry_is_pattern(conf_entry_name(conf, &push_conf_section, i));

		if ((real || push->url[0]) && !is_url(push->url))
			conf_fault(errors, conf, push, "url", EXPECT_URL);
		if (push->mount[0] != '/')
			conf_fault(errors, conf, push, "mount", "expected a mount such as /live");
	}
}

const struct conf_room relays_conf_room = {
	.name = "relays",
	.title = "Relays",
	.items = relays_items,
	.count = sizeof relays_items / sizeof *relays_items,
	.size = sizeof(struct relays_conf),
	.section = &relay_conf_section,
	.check = check_relays,
};

const struct conf_room pushes_conf_room = {
	.name = "pushes",
	.title = "Pushes",
	.items = pushes_items,
	.count = sizeof pushes_items / sizeof *pushes_items,
	.size = sizeof(struct pushes_conf),
	.section = &push_conf_section,
	.check = check_pushes,
};
