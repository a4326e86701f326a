#include "edge/tls_conf.h"

static const struct conf_item items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct tls_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "edge/tls.def"
};

static void check(const struct conf *conf, struct conf_errors *errors)
{
	const struct tls_conf *tls = tls_conf_of(conf);

	if (tls->key.count && tls->key.count != tls->certificate.count)
		conf_fault(errors, conf, tls, "tls.key",
			   "expected one file for each of tls.certificate, in the same order");
}

const struct conf_room tls_conf_room = {
	.name = "tls",
	.title = "TLS and certificates",
	.items = items,
	.count = sizeof items / sizeof *items,
	.size = sizeof(struct tls_conf),
	.check = check,
};
