/* url: what stands in request targets and in configured addresses of other servers (RFC 3986).
 *
 *     "/live/%C3%A4.mp3?song=a+b&x"        "http://user:pw@[::1]:8000/live?x=1"
 *      ^path            ^query              ^scheme ^userinfo ^host ^port ^target
 *
 * Cutting gives parts that point into the input; decoding writes into the caller's writer, and a
 * part that could not be decoded leaves the writer as it was. No names are resolved and nothing is
 * known about which paths exist. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

enum url_status {
	URL_OK,
	URL_END,        /* url_query_next(): no parameter is left */
	URL_BAD_ESCAPE, /* a % without two hexadecimal digits behind it */
	URL_NUL,        /* %00: it would end the text for everybody who uses C strings */
	URL_BAD_BYTE,   /* a path with a control byte, a backslash or an encoded slash */
	URL_ABOVE_ROOT, /* a path with more .. than there is to leave, or not from the root */
	URL_NO_ROOM,    /* the writer is full */
};

/* The status in words, for a reply or a log line. */
const char *url_status_text(enum url_status status);

/* Percent-decoded (RFC 3986 2.1); a plus sign stays one. */
enum url_status url_decode(struct bytes in, struct writer *w);

/* All but the unreserved bytes (RFC 3986 2.3) percent-encoded, so that it can stand anywhere. */
void url_encode_component(struct writer *w, struct bytes in);

/* The next field of a form (application/x-www-form-urlencoded), with an & where it is not the first that w holds. */
void url_form_put(struct writer *w, const char *name, struct bytes value);
void url_form_put_dec(struct writer *w, const char *name, uint64_t value);

/* As a component, but slashes stay: a normalized path again becomes one that can be asked for. */
void url_encode_path(struct writer *w, struct bytes path);

/* Cuts "/path?query" at its first question mark; query.at is NULL when there is none. */
void url_split_target(struct bytes target, struct bytes *path, struct bytes *query);

/* The one path that all spellings of it mean, decoded: it begins with a slash, has no empty, "." or
 * ".." segment, and keeps the slash at its end if it had one (or ended in a dot segment).
 *   "//live"  → "/live"     "/a/./b/../c" → "/a/c"     "/%6Cive" → "/live"     "/a/.." → "/"
 * Dots count when encoded too. Refused are: %2F, because who decodes it sees another path than who
 * does not; backslashes and control bytes, written or encoded; and .. above the root. */
enum url_status url_normalize_path(struct bytes path, struct writer *w);

struct url_param {
	struct bytes name;
	struct bytes value; /* empty too for a name without = */
};

/* Takes the next parameter off "a=b&c=d" and decodes it into w, + as a space (the form encoding of
 * the WHATWG URL standard). Empty parameters ("&&") are passed over. When it cannot be decoded,
 * *param is what stood there, raw, and *rest is behind it all the same: the caller may go on, and
 * may use a title with a lone % in it as it is. */
enum url_status url_query_next(struct bytes *rest, struct writer *w, struct url_param *param);

struct url {
	struct bytes scheme;   /* "http" or "https", as it was spelt */
	struct bytes userinfo; /* not decoded; at is NULL when there is none */
	struct bytes host;     /* a name or an address, without the brackets of IPv6 */
	struct bytes target;   /* path and query, "" or from its first slash; no fragment */
	uint16_t port;         /* 80 or 443 when it was not said */
	bool tls;
	bool ipv6; /* host stood in brackets and is an IPv6 address */
};

/* An absolute http or https URL (RFC 9110 4.2). False for another scheme, no host, a port that is
 * none, bytes that no URL has, or a query without a path. */
bool url_parse_http(struct bytes in, struct url *url);
