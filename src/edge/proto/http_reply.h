/* http_reply: writes the head of an HTTP/1 or ICY response.
 *
 *     http_reply_begin(&w, &reply);                      status line and the standard headers
 *     http_reply_header(&w, BYTES("icy-name"), name);    whatever else
 *     http_reply_end(&w);                                the empty line; then ask writer_ok()
 *
 * No value can break out of its line: control bytes, CR and LF among them, are written as blanks,
 * and bytes that a header name cannot have as dashes. So titles and names that came from outside
 * may be passed on as they are. It decides nothing: what is not in the struct is not sent.
 * The buffer is the caller's. Pure: any thread, no allocation, no clock. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

enum http_connection { HTTP_CONNECTION_UNSAID, HTTP_CONNECTION_CLOSE, HTTP_CONNECTION_KEEP_ALIVE };

/* All but version and status may be left zero: those headers are then not sent. */
struct http_reply {
	struct bytes version; /* "HTTP/1.0", "HTTP/1.1", "ICY" */
	unsigned status;      /* 100 to 999 */
	struct bytes server;
	int64_t date; /* seconds since 1970, 0: none */
	enum http_connection connection;
	struct bytes content_type;
	bool has_length;
	uint64_t length;
	struct bytes cache_control;
	struct bytes allow_origin;  /* sent once, with Vary: Origin unless it is "*" */
	struct bytes allow_methods; /* preflight answers only, as the next two */
	struct bytes allow_headers;
	uint32_t max_age;            /* seconds that a preflight answer holds */
	struct bytes expose_headers; /* what scripts may read, Icy-MetaInt for one */
};

/* "Not Found" of 404; "Unknown" of a status without a name here. */
const char *http_reason(unsigned status);

void http_reply_begin(struct writer *w, const struct http_reply *reply);
void http_reply_header(struct writer *w, struct bytes name, struct bytes value);
void http_reply_header_dec(struct writer *w, struct bytes name, uint64_t value);
void http_reply_end(struct writer *w);
