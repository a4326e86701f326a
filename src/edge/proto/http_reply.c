#include "http_reply.h"

#include "ascii.h"
#include "http_date.h"

/* RFC 9110 15, and 428, 429, 431, 511 of RFC 6585. */
const char *http_reason(unsigned status)
{
	switch (status) {
	case 100: return "Continue";
	case 101: return "Switching Protocols";
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 206: return "Partial Content";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	case 507: return "Insufficient Storage";
	default: return "Unknown";
	}
}

static void write_value(struct writer *w, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++)
		writer_u8(w, ascii_is_control(value.at[i]) ? ' ' : value.at[i]);
}

void http_reply_header(struct writer *w, struct bytes name, struct bytes value)
{
	for (size_t i = 0; i < name.len; i++)
		writer_u8(w, ascii_is_token(name.at[i]) ? name.at[i] : '-');
	writer_str(w, ": ");
	write_value(w, value);
	writer_str(w, "\r\n");
}

void http_reply_header_dec(struct writer *w, struct bytes name, uint64_t value)
{
	uint8_t digits[20];
	struct writer number = writer_of(digits, sizeof digits);

	writer_dec(&number, value);
	http_reply_header(w, name, writer_done(&number));
}

static void write_if(struct writer *w, struct bytes name, struct bytes value)
{
	if (value.len)
		http_reply_header(w, name, value);
}

static void write_connection(struct writer *w, enum http_connection connection)
{
	switch (connection) {
	case HTTP_CONNECTION_UNSAID: return;
	case HTTP_CONNECTION_CLOSE:
		http_reply_header(w, BYTES("Connection"), BYTES("close"));
		return;
	case HTTP_CONNECTION_KEEP_ALIVE:
		http_reply_header(w, BYTES("Connection"), BYTES("keep-alive"));
		return;
	}
}

/* The CORS protocol of the WHATWG fetch standard, section 3.2. */
static void write_cors(struct writer *w, const struct http_reply *reply)
{
	write_if(w, BYTES("Access-Control-Allow-Origin"), reply->allow_origin);
	if (reply->allow_origin.len && !bytes_equal(reply->allow_origin, BYTES("*")))
		http_reply_header(w, BYTES("Vary"), BYTES("Origin"));
	write_if(w, BYTES("Access-Control-Allow-Methods"), reply->allow_methods);
	write_if(w, BYTES("Access-Control-Allow-Headers"), reply->allow_headers);
	if (reply->max_age)
		http_reply_header_dec(w, BYTES("Access-Control-Max-Age"), reply->max_age);
	write_if(w, BYTES("Access-Control-Expose-Headers"), reply->expose_headers);
}

void http_reply_begin(struct writer *w, const struct http_reply *reply)
{
	write_value(w, reply->version);
	writer_u8(w, ' ');
	writer_dec(w, reply->status);
	writer_u8(w, ' ');
	writer_str(w, http_reason(reply->status));
	writer_str(w, "\r\n");
	write_if(w, BYTES("Server"), reply->server);
	if (reply->date) {
		writer_str(w, "Date: ");
		http_date_write(w, reply->date);
		writer_str(w, "\r\n");
	}
	write_connection(w, reply->connection);
	write_if(w, BYTES("Content-Type"), reply->content_type);
	if (reply->has_length)
		http_reply_header_dec(w, BYTES("Content-Length"), reply->length);
	write_if(w, BYTES("Cache-Control"), reply->cache_control);
	write_cors(w, reply);
}

void http_reply_end(struct writer *w)
{
	writer_str(w, "\r\n");
}
