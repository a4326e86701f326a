#include "edge/edge_conf.h"

#include <string.h>

#include "core/conf_net.h"
#include "core/conf_path.h"

static const struct conf_item items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct edge_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "edge/edge.def"
};

static bool is_web_url(const char *url)
{
	struct bytes rest = bytes_str(url);

	if (bytes_start_with_nocase(rest, BYTES("http://")))
		rest = bytes_skip(rest, 7);
	else if (bytes_start_with_nocase(rest, BYTES("https://")))
		rest = bytes_skip(rest, 8);
	else
		return false;
	/* RFC 3986 section 3.2: a host must be there; blanks and quotes are never part of a URL. */
	return rest.len && rest.at[0] != '/' && !strpbrk(url, " \"<>?#");
}

static void check(const struct conf *conf, struct conf_errors *errors)
{
	const struct edge_conf *edge = edge_conf_of(conf);

	conf_net_check_listen(errors, conf, edge, "http.listen", &edge->http_listen);
	conf_net_check_ranges(errors, conf, edge, "http.allow", &edge->http_allow);
	conf_net_check_ranges(errors, conf, edge, "http.deny", &edge->http_deny);
	conf_net_check_ranges(errors, conf, edge, "http.trusted_proxies",
			      &edge->http_trusted_proxies);
	conf_net_check_ranges(errors, conf, edge, "outgoing.internal", &edge->outgoing_internal);
	conf_net_check_ranges(errors, conf, edge, "metrics.allow", &edge->metrics_allow);
	if (edge->http_public_url[0] && !is_web_url(edge->http_public_url))
		conf_fault(errors, conf, edge, "http.public_url",
			   "expected a URL such as https://radio.example.org");
	/* Without a proxy to believe, every connection would wait for a header that is then not used. */
	if (edge->http_proxy_protocol && !edge->http_trusted_proxies.count)
		conf_fault(errors, conf, edge, "http.proxy_protocol",
			   "expected http.trusted_proxies to name the proxies");
	/* RFC 7617 section 2: a colon ends the user name. */
	if (!edge->admin_user[0] || strchr(edge->admin_user, ':'))
		conf_fault(errors, conf, edge, "admin.user", "expected a name without a colon");
}

const struct conf_room edge_conf_room = {
	.name = "edge",
	.title = "HTTP and administration",
	.items = items,
	.count = sizeof items / sizeof *items,
	.size = sizeof(struct edge_conf),
	.check = check,
};

void edge_conf_doubt(const struct conf *conf, struct conf_errors *errors)
{
	const struct edge_conf *edge = edge_conf_of(conf);

	conf_path_doubt_readable(errors, conf, edge, "files.directory", edge->files_directory,
				 true);
}
