#include "framecache/framecache_conf.h"

#include <stdlib.h>
#include <string.h>

#include "core/conf_net.h"
#include "core/local_socket.h"

#define TOKEN_MIN 16u

static const struct conf_item framecache_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct framecache_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "framecache/framecache.def"
};

/* "60gb" would be 60 bytes. */
static bool is_bytes(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 0 && len < 19 && !text[len];
}

static void framecache_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct framecache_conf *values = framecache_conf_of(conf);
	const char *size = getenv("FC_SHM_SIZE");
	char quoted[128];

	if (values->listen.count > 0 && values->budget == 0 && size && *size && !is_bytes(size))
		conf_fault(errors, conf, values, "framecache.budget",
			   "the environment's FC_SHM_SIZE is no number of bytes: %s",
			   conf_error_quote(size, quoted, sizeof quoted));
	for (size_t i = 0; i < values->listen.count; i++)
		if (!conf_net_is_listen(values->listen.at[i]) &&
		    !local_path_in(values->listen.at[i]))
			conf_fault_member(errors, conf, values, "framecache.listen", i,
					  "expected ADDRESS:PORT such as 127.0.0.1:7435, or "
					  "unix:/PATH of at most 107 bytes");
	for (size_t i = 1; i < values->listen.count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(values->listen.at[i], values->listen.at[j]) == 0)
				conf_fault_member(errors, conf, values, "framecache.listen", i,
						  "is there twice");
	if (values->token[0] && strlen(values->token) < TOKEN_MIN)
		conf_fault(errors, conf, values, "framecache.token",
			   "expected at least 16 characters");
}

const struct conf_room framecache_conf_room = {
	.name = "framecache",
	.title = "Frame cache",
	.items = framecache_items,
	.count = sizeof framecache_items / sizeof *framecache_items,
	.size = sizeof(struct framecache_conf),
	.check = framecache_check,
};
