#include <string.h>

#include "edge/hook.h"
#include "edge/proto/url.h"

static const struct conf_item hooks_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct hooks_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "edge/hooks.def"
};

static const struct conf_item hook_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct hook_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "edge/hook.def"
};

const struct conf_section hook_conf_section = {
	.name = "hook",
	.title = "chat",
	.help = "Webhooks: other programs that are told what happens, each under any name.",
	.items = hook_items,
	.count = sizeof hook_items / sizeof *hook_items,
	.size = sizeof(struct hook_conf),
};

/* What a title may change is behind the host only. */
bool hook_url_is_good(const char *text)
{
	const char *host = strstr(text, "://"), *end = host ? strpbrk(host + 3, "/?#") : NULL;
	const char *name = strstr(text, "{{");
	char plain[2048];
	struct url url;
	size_t n = 0;

	if (name && (!end || name < end))
		return false;
	for (; *text && n < sizeof plain - 1; text++)
		if (*text != '{' && *text != '}')
			plain[n++] = *text;
	plain[n] = '\0';
	return *text == '\0' && url_parse_http(bytes_str(plain), &url);
}

bool hook_header_is_good(const char *line)
{
	const char *colon = strchr(line, ':');

	return colon && colon != line && !strpbrk(line, "\r\n");
}

static void check_hook(const struct conf *conf, size_t i, struct conf_errors *errors)
{
	const struct hook_conf *hook = conf_entry_values(conf, &hook_conf_section, i);
	bool real = !conf_entry_is_pattern(conf_entry_name(conf, &hook_conf_section, i));

	if ((real || hook->url[0]) && !hook_url_is_good(hook->url))
		conf_fault(errors, conf, hook, "url",
			   "expected a URL such as https://example.org/hook");
	for (size_t n = 0; n < hook->headers.count; n++) {
		if (!hook_header_is_good(hook->headers.at[n]))
			conf_fault_member(errors, conf, hook, "headers", n,
					  "expected a line such as \"Authorization: Bearer x\"");
	}
}

static void check(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf_entry_count(conf, &hook_conf_section); i++)
		check_hook(conf, i, errors);
}

const struct conf_room hooks_conf_room = {
	.name = "hooks",
	.title = "Webhooks and programs",
	.items = hooks_items,
	.count = sizeof hooks_items / sizeof *hooks_items,
	.size = sizeof(struct hooks_conf),
	.section = &hook_conf_section,
	.check = check,
};
