/* http1_differential: our verdict on a request against that of Node's former http_parser 2.9.
 *
 * What both take they read the same: method, target, version, headers, framing, and where the head
 * ends. And what is written plainly (see is_plain) and taken by http_parser is taken by us.
 *
 * Where the two differ on purpose, and the comparison stops:
 *   - http_parser unfolds folded headers and takes blanks in front of the first one; we refuse.
 *   - it takes blanks inside and behind header names, and control bytes in values; we refuse.
 *   - it takes several blanks between target and version, and CONNECT; we refuse.
 *   - it ignores empty lines in front without bound; we take HTTP1_EMPTY_LINES.
 *   - it knows its own list of methods, and ICE/ only behind SOURCE; we take any token.
 *   - it takes any HTTP/x.y; we serve HTTP/1.x.
 *   - it has its own idea of what a URL may hold (no bytes above 127); we take them, and refuse
 *     hosts that are none.
 *   - it refuses a repeated Content-Length even if equal, and numbers of 2^64 - 1 and up; we take
 *     an equal one, and refuse from 2^63 on.
 *   - it leaves "gzip, chunked" to the program and takes "Transfer-Encoding: gzip" with a request;
 *     we refuse all but "chunked".
 *   - it forgets "chunked" when another header's name only begins with Transfer-Encoding, and does
 *     not know it with a tab behind it, which RFC 9110 5.5 counts as a blank. */
#include "edge/proto/http1.h"

#include <http_parser.h>

#include "property.h"

/* What http_parser told, each part as the run of bytes its pieces cover. */
struct told {
	http_parser parser;
	struct bytes target;
	struct http1_header headers[HTTP1_HEADERS_MAX + 1];
	size_t count;
	bool in_value;
	bool broken_up; /* a part came in pieces that do not touch: folding */
	bool complete;
	uint64_t length;
	bool chunked;
};

static void extend(struct told *told, struct bytes *part, const char *at, size_t len)
{
	const uint8_t *from = (const uint8_t *)at;

	if (part->len && part->at + part->len != from)
		told->broken_up = true;
	if (part->len == 0)
		part->at = from;
	part->len += len;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct told *told = parser->data;

	extend(told, &told->target, at, len);
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct told *told = parser->data;

	if (told->in_value || told->count == 0) {
		if (told->count <= HTTP1_HEADERS_MAX)
			told->headers[told->count] = (struct http1_header){0};
		told->count++;
		told->in_value = false;
	}
	if (told->count <= HTTP1_HEADERS_MAX)
		extend(told, &told->headers[told->count - 1].name, at, len);
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct told *told = parser->data;

	told->in_value = true;
	if (told->count <= HTTP1_HEADERS_MAX)
		extend(told, &told->headers[told->count - 1].value, at, len);
	return 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct told *told = parser->data;

	told->complete = true;
	told->length = parser->content_length;
	told->chunked = parser->flags & F_CHUNKED;
	http_parser_pause(parser, 1);
	return 0;
}

/* Where the head ends for http_parser; 0 when it did not take it. */
static size_t run_http_parser(struct bytes in, struct told *told)
{
	http_parser_settings settings;

	memset(told, 0, sizeof *told);
	http_parser_settings_init(&settings);
	settings.on_url = on_url;
	settings.on_header_field = on_field;
	settings.on_header_value = on_value;
	settings.on_headers_complete = on_headers_complete;
	http_parser_init(&told->parser, HTTP_REQUEST);
	told->parser.data = told;
	size_t n = http_parser_execute(&told->parser, &settings, (const char *)in.at, in.len);

	/* Paused in the callback, it stands on the last LF. */
	return told->complete ? n + 1 : 0;
}

/* Lines end in CR LF, no other byte below a blank but none in front of or behind a name, no empty
 * line in front, three words apart by one blank, an origin-form target of ASCII. */
static bool is_plain(struct bytes in)
{
	struct bytes rest = in;
	bool first = true;

	for (;;) {
		size_t end = bytes_find(rest, '\n');

		if (end == rest.len || end == 0 || rest.at[end - 1] != '\r')
			return false;
		struct bytes line = bytes_first(rest, end - 1);

		if (line.len == 0)
			return !first;
		for (size_t i = 0; i < line.len; i++)
			if (line.at[i] < 0x20 || line.at[i] >= 0x7f)
				return false;
		size_t blank = bytes_find(line, ' ');
		size_t colon = bytes_find(line, ':');

		if (first) {
			struct bytes words = line;
			struct bytes method = bytes_cut(&words, ' ');
			struct bytes target = bytes_cut(&words, ' ');

			if (bytes_equal(method, BYTES("CONNECT")) ||
			    !bytes_start_with(target, BYTES("/")) ||
			    !bytes_start_with(words, BYTES("HTTP/1.")) || words.len != 8)
				return false;
		} else if (blank < colon || colon == 0) {
			return false;
		}
		first = false;
		rest = bytes_skip(rest, end + 1);
	}
}

static void check_framing(struct bytes in, const struct http1_head *head, const struct told *told)
{
	const struct bytes encoding = BYTES("Transfer-Encoding");
	struct http1_body body;

	if (!http1_body_of(head, &body) || bytes_find(in, '\t') < in.len)
		return;
	for (size_t i = 0; i < head->count; i++)
		if (head->headers[i].name.len > encoding.len &&
		    bytes_start_with_nocase(head->headers[i].name, encoding))
			return;
	if (body.framing == HTTP1_CHUNKED)
		PROPERTY(told->chunked);
	else
		PROPERTY(!told->chunked);
	if (body.framing == HTTP1_LENGTH)
		PROPERTY(told->length == body.length);
	else
		PROPERTY(told->length == UINT64_MAX || told->length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http1_head head;
	static struct told told;
	struct bytes in = bytes_of(data, size);
	enum http1_status status = http1_parse_request(in, 0, &head);
	size_t end = run_http_parser(in, &told);

	if (end && told.count <= HTTP1_HEADERS_MAX && is_plain(in))
		PROPERTY(status == HTTP1_OK);
	if (!end || status != HTTP1_OK)
		return 0;
	PROPERTY(!told.broken_up);
	PROPERTY(end == head.used);
	PROPERTY(bytes_equal(head.method, bytes_str(http_method_str(told.parser.method))));
	PROPERTY(bytes_equal(head.target, told.target));
	PROPERTY(head.minor == (told.parser.http_minor > 0));
	PROPERTY(head.count == told.count);
	for (size_t i = 0; i < head.count; i++) {
		PROPERTY(bytes_equal(head.headers[i].name, told.headers[i].name));
		PROPERTY(bytes_equal(head.headers[i].value, bytes_trim(told.headers[i].value)));
	}
	check_framing(in, &head, &told);
	return 0;
}
