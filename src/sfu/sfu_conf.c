#include "sfu/sfu_conf.h"

#include "core/conf_net.h"
#include "edge/proto/url.h"
#include "sfu/sfu_rtp.h"

bool room_name_is_good(struct bytes name)
{
	if (name.len == 0 || name.len > ROOM_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x21 || name.at[i] == 0x7f || name.at[i] == '"' ||
		    name.at[i] == '<' || name.at[i] == '>' || name.at[i] == '\\')
			return false;
	return name.at[0] != '/' && name.at[name.len - 1] != '/';
}

static const struct conf_item sfu_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct sfu_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "sfu/sfu.def"
};

static void sfu_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct sfu_conf *values = sfu_conf_of(conf);
	struct url url;

	conf_net_check_listen(errors, conf, values, "sfu.udp", &values->udp);
	conf_net_check_listen(errors, conf, values, "sfu.tcp", &values->tcp);
	conf_net_check_ranges(errors, conf, values, "sfu.public", &values->public);
	if (values->auth_url[0] && !url_parse_http(bytes_str(values->auth_url), &url))
		conf_fault(errors, conf, values, "sfu.auth_url", "expected an http or https URL");
	for (size_t i = 0; i < values->origins.count; i++)
		if (!url_parse_http(bytes_str(values->origins.at[i]), &url))
			conf_fault(errors, conf, values, "sfu.origins",
				   "expected URLs such as https://origin.example.org");
	if (values->udp.count > 1)
		conf_fault(errors, conf, values, "sfu.udp", "expected one address and port");
	if (values->tcp.count > 1)
		conf_fault(errors, conf, values, "sfu.tcp", "expected one address and port");
	if (values->tcp.count && !values->udp.count)
		conf_fault(errors, conf, values, "sfu.tcp", "needs sfu.udp");
	rtp_conf_check(conf, errors);
}

const struct conf_room sfu_conf_room = {
	.name = "sfu",
	.title = "WebRTC",
	.items = sfu_items,
	.count = sizeof sfu_items / sizeof *sfu_items,
	.size = sizeof(struct sfu_conf),
	.section = &rtp_conf_section,
	.check = sfu_check,
};
