#include "edge/tls_conf.h"

#include <string.h>

static const struct conf_item items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct tls_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "edge/tls.def"
};

/* What a certificate may be asked for: it becomes an argument and the name of a directory too. */
static bool is_domain(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < 254 && name[0] != '-' && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
		       len &&
	       !strstr(name, "..");
}

static void check_acme(const struct conf *conf, const struct tls_conf *tls,
		       struct conf_errors *errors)
{
	for (size_t i = 0; i < tls->acme_domains.count; i++)
		if (!is_domain(tls->acme_domains.at[i]))
			conf_fault_member(errors, conf, tls, "tls.acme.domains", i,
					  "expected a name such as radio.example.org");
	if (strncmp(tls->acme_directory, "https://", 8) != 0)
		conf_fault(errors, conf, tls, "tls.acme.directory", "expected a URL with https");
	if (tls->acme_email[0] == '-' || strpbrk(tls->acme_email, " ,;<>"))
		conf_fault(errors, conf, tls, "tls.acme.email", "expected one address");
}

static void check(const struct conf *conf, struct conf_errors *errors)
{
	const struct tls_conf *tls = tls_conf_of(conf);

	check_acme(conf, tls, errors);
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
