#include "edge/https.h"

#include <stdio.h>

#include "core/writer.h"
#include "edge/edge.h"
#include "edge/proto/url.h"
#include "edge/tls_identity.h"
#include "edge/tls_room.h"

/* What a browser says when a person goes to a page, and nothing else does. */
static bool is_browser(const struct http1_head *head)
{
	struct bytes accept = http1_header_get(head, BYTES("Accept"));
	struct bytes target = http1_header_get(head, BYTES("Sec-Fetch-Dest"));
	struct bytes upgrade = http1_header_get(head, BYTES("Upgrade-Insecure-Requests"));

	return bytes_find_nocase(accept, BYTES("text/html")) < accept.len ||
	       bytes_equal_nocase(bytes_trim(target), BYTES("document")) ||
	       bytes_equal(bytes_trim(upgrade), BYTES("1"));
}

static bool is_page(struct bytes path)
{
	return !bytes_equal(path, BYTES("/metrics")) && !bytes_start_with(path, BYTES("/api/")) &&
	       !bytes_start_with(path, BYTES("/.well-known/"));
}

/* A proxy that does not say how its client came may well have had it over TLS: it would go round for
 * ever. */
static bool is_told(const struct request *request)
{
	return !request->proxied ||
	       http1_header_get(&request->head, BYTES("X-Forwarded-Proto")).len > 0;
}

/* The name without a port, of which TLS has the same one. */
static bool is_ours(struct bytes host, bool signed_)
{
	char name[256];
	size_t end = bytes_find(host, ':');

	if (host.len && host.at[0] == '[') {
		host = bytes_skip(host, 1);
		end = bytes_find(host, ']');
	}
	if (end == 0 || end >= sizeof name)
		return false;
	bytes_to_str(bytes_first(host, end), name, sizeof name);
	return tls_identity_has(name, signed_);
}

bool https_redirect(struct conn *conn, bool named)
{
	const struct request *request = conn_request(conn);
	struct bytes host = request->host;
	struct reply reply = {0};
	char room[2048];
	struct writer w = writer_of(room, sizeof room);
	unsigned method = bytes_equal(request->method, BYTES("GET")) ||
			  bytes_equal(request->method, BYTES("HEAD"));

	if (request->secure || !named || !method || !tls_identity_in_force() ||
	    !tls_settings()->redirect || !is_page(request->path) || !is_browser(&request->head) ||
	    !is_told(request) || !is_ours(host, false))
		return false;
	writer_str(&w, "https://");
	writer_put(&w, host);
	/* From the decoded path: what it is asked for again is what would have been served. */
	url_encode_path(&w, request->path);
	if (request->query.len) {
		writer_str(&w, "?");
		writer_put(&w, request->query);
	}
	if (!writer_ok(&w))
		return false;
	/* Not for ever: a browser would remember it when there is no TLS any more. */
	reply_text(&reply, 302, "this page is at home on https");
	reply_header(&reply, "Location", writer_done(&w));
	reply_header(&reply, "Vary", BYTES("Accept, Upgrade-Insecure-Requests, Sec-Fetch-Dest"));
	conn_reply(conn, &reply);
	return true;
}

static bool names_tls(const struct request *request)
{
	return bytes_equal(request->method, BYTES("OPTIONS")) &&
	       http1_header_has_token(&request->head, BYTES("Connection"), BYTES("Upgrade")) &&
	       http1_header_has_token(&request->head, BYTES("Upgrade"), BYTES("TLS/1.0"));
}

bool https_wants_upgrade(const struct request *request)
{
	if (request->secure || !tls_identity_in_force() || !names_tls(request))
		return false;
	switch ((enum tls_upgrade)tls_settings()->upgrade) {
	case TLS_UPGRADE_AUTO: return is_ours(request->host, true);
	case TLS_UPGRADE_YES: return true;
	case TLS_UPGRADE_NO: break;
	}
	return false;
}

bool https_upgraded(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	struct reply reply = {.status = 204};

	if (!request->secure || !names_tls(request))
		return false;
	reply_header(&reply, "Allow", BYTES("GET, HEAD, SOURCE, PUT, POST, OPTIONS"));
	conn_reply(conn, &reply);
	return true;
}
