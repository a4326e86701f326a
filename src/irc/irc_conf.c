#include "irc/irc_conf.h"

#include <errno.h>
#include <string.h>

#include "core/conf_net.h"
#include "core/local_socket.h"
#include "edge/pam_service.h"
#include "edge/proto/address.h"
#include "edge/proto/url.h"

static const struct conf_item irc_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct irc_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "irc/irc.def"
};

static void irc_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct irc_conf *values = irc_conf_of(conf);
	const struct {
		const char *item, *url;
	} urls[] = {{"irc.auth_url", values->auth_url}, {"irc.oauth_url", values->oauth_url}};
	struct pam_service service;
	struct cidr range;
	struct url url;

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
		if (urls[i].url[0] && !url_parse_http(bytes_str(urls[i].url), &url))
			conf_fault(errors, conf, values, urls[i].item,
				   "expected an http or https URL");
	for (size_t i = 0; i < values->listen.count; i++)
		if (!conf_net_is_listen(values->listen.at[i]) &&
		    !local_path_in(values->listen.at[i]))
			conf_fault_member(errors, conf, values, "irc.listen", i,
					  "expected ADDRESS:PORT such as 127.0.0.1:6697, or "
					  "unix:/PATH of at most 107 bytes");
	for (size_t i = 0; i < values->addresses.count; i++)
		if (!cidr_parse(bytes_str(values->addresses.at[i]), &range))
			conf_fault_member(errors, conf, values, "irc.addresses", i,
					  "expected a range such as 2001:db8:1::/64, with nothing "
					  "behind its bits");
	/* It is a token of a line. */
	if (strpbrk(values->icon, " \r\n") ||
	    (values->icon[0] && strncmp(values->icon, "https://", 8) != 0) ||
	    strlen(values->icon) > 300)
		conf_fault(errors, conf, values, "irc.icon",
			   "expected an address such as https://example.org/icon.png");
	if (values->auth_pam[0] && !pam_service_of(values->auth_pam, &service))
		conf_fault(errors, conf, values, "irc.auth_pam",
			   "expected the name of a service of PAM, in small letters, or the path "
			   "of its "
			   "file");
	else if (values->auth_pam[0] && values->auth_url[0])
		conf_fault(errors, conf, values, "irc.auth_pam",
			   "passwords are asked for at irc.auth_url already");
	conf_net_check_listen(errors, conf, values, "irc.identd", &values->identd);
}

void irc_conf_doubt(const struct conf *conf, struct conf_errors *errors)
{
	const struct irc_conf *values = irc_conf_of(conf);
	struct pam_service service;

	if (values->auth_pam[0] && pam_service_of(values->auth_pam, &service) &&
	    !pam_service_is_there(&service))
		conf_fault(
			errors, conf, values, "irc.auth_pam",
			"PAM will let nobody in: there is no service \"%s\" that can be read: %s",
			values->auth_pam, strerror(errno));
}

const struct conf_room irc_conf_room = {
	.name = "irc",
	.title = "IRC bouncer",
	.items = irc_items,
	.count = sizeof irc_items / sizeof *irc_items,
	.size = sizeof(struct irc_conf),
	.check = irc_check,
};
