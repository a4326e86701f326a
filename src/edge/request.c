#include "edge/request.h"

#include "edge/edge.h"
#include "edge/proto/basic_auth.h"
#include "edge/proto/forwarded.h"
#include "edge/proto/url.h"

/* Of several proxies the first one says how the client came. */
static void take_forwarded_proto(struct request *request)
{
	struct bytes all = http1_header_get(&request->head, BYTES("X-Forwarded-Proto"));

	if (all.len)
		request->secure =
			bytes_equal_nocase(bytes_trim(bytes_cut(&all, ',')), BYTES("https"));
}

/* RFC 3986 section 3.2.2, with a port: what no name and no address has would come back in play lists
 * and say which site is ours. */
static bool is_host(struct bytes host)
{
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.at[i];
		bool word =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!word && (!c || !strchr("-._~%!$&'()*+,;=:[]", c)))
			return false;
	}
	return true;
}

/* RFC 9112 section 3.2: one, and a good one; old players have none. */
static bool host_take(struct request *request)
{
	bool seen = false;

	for (size_t i = 0; i < request->head.count; i++) {
		if (!bytes_equal_nocase(request->head.headers[i].name, BYTES("Host")))
			continue;
		if (seen)
			return false;
		seen = true;
		request->host = request->head.headers[i].value;
	}
	return is_host(request->host);
}

unsigned request_prepare(struct request *request, const struct address *peer,
			 char path[CONN_PATH_MAX], const char **fault)
{
	const struct http1_head *head = &request->head;
	struct writer w = writer_of(path, CONN_PATH_MAX);
	struct bytes target = http1_target_path(head->target);
	struct bytes raw;
	enum url_status status;

	request->method = head->method;
	request->host = (struct bytes){0};
	request->peer = *peer;
	if (!host_take(request)) {
		*fault = "a Host that is none, or two of them";
		return 400;
	}
	url_split_target(target, &raw, &request->query);
	if (bytes_equal(target, BYTES("*"))) {
		request->path = BYTES("*");
		return 0;
	}
	status = url_normalize_path(raw, &w);
	request->path = writer_done(&w);
	if (status != URL_OK) {
		*fault = url_status_text(status);
		return status == URL_NO_ROOM ? 414 : 400;
	}
	request->proxied = cidr_list_holds(edge_settings()->trusted, peer);
	if (!request->proxied)
		return 0;
	take_forwarded_proto(request);
	(void)forwarded_client(head, FORWARDED_X_FORWARDED_FOR, peer, edge_settings()->trusted,
			       &request->peer);
	return 0;
}

bool request_keeps_alive(const struct request *request)
{
	const struct http1_head *head = &request->head;

	if (head->minor == 1)
		return !http1_header_has_token(head, BYTES("Connection"), BYTES("close"));
	return http1_header_has_token(head, BYTES("Connection"), BYTES("keep-alive"));
}

static bool param_in(struct bytes text, const char *name, char *buf, size_t size)
{
	uint8_t room[8192];
	struct url_param param;

	for (;;) {
		struct writer w = writer_of(room, sizeof room);
		enum url_status status = url_query_next(&text, &w, &param);

		if (status == URL_END)
			return false;
		if (bytes_equal(param.name, bytes_str(name)) && param.value.len < size) {
			bytes_to_str(param.value, buf, size);
			return true;
		}
	}
}

bool request_param(const struct request *request, const char *name, char *buf, size_t size)
{
	struct bytes type = http1_header_get(&request->head, BYTES("Content-Type"));

	buf[0] = '\0';
	if (param_in(request->query, name, buf, size))
		return true;
	return bytes_start_with_nocase(type, BYTES("application/x-www-form-urlencoded")) &&
	       param_in(request->body, name, buf, size);
}

bool request_user(const struct request *request, char *out, size_t size)
{
	struct bytes value = http1_header_get(&request->head, BYTES("Authorization"));
	uint8_t room[512];
	struct writer w = writer_of(room, sizeof room);
	struct basic_auth basic;

	if (basic_auth_parse(value, &w, &basic) != BASIC_AUTH_OK)
		return false;
	bytes_to_str(basic.user, out, size);
	return true;
}
