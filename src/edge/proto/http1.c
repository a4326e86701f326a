#include "http1.h"

#include "ascii.h"
#include "url.h"

static bool is_token(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (!ascii_is_token(in.at[i]))
			return false;
	return in.len > 0;
}

/* Whether one of eight bytes is below 0x20, 0x7f or above 0x7f: whether they need a closer look. */
static bool has_odd_byte(const uint8_t *at)
{
	const uint64_t ones = UINT64_MAX / 0xff;
	uint64_t word;

	memcpy(&word, at, sizeof word);
	/* Where the high bit is clear in all bytes, the sum sets it for 0x7f alone, the difference
	 * for less than 0x20. A borrow can only come from a byte that is found itself. */
	return (word | (word + ones) | (word - ones * 0x20)) & ones * 0x80;
}

/* RFC 9110 5.5: field-value bytes are VCHAR, SP, HTAB and obs-text. */
static bool is_text(struct bytes in)
{
	size_t i = 0;

	while (i < in.len) {
		if (in.len - i >= 8 && !has_odd_byte(in.at + i)) {
			i += 8;
			continue;
		}
		for (size_t end = in.len - i < 8 ? in.len : i + 8; i < end; i++)
			if (ascii_is_control(in.at[i]) && in.at[i] != '\t')
				return false;
	}
	return true;
}

static enum http1_status refuse(struct http1_head *head, unsigned status, const char *fault)
{
	head->refusal = status;
	head->fault = fault;
	return HTTP1_BAD;
}

static void clear_head(struct http1_head *head)
{
	head->method = head->target = head->version = bytes_of(NULL, 0);
	head->minor = 0;
	head->count = 0;
	head->used = 0;
	head->fault = NULL;
	head->refusal = 0;
}

/* The line at *pos, if all of it is there. RFC 9112 2.2: a lone LF is taken as its end, a CR in
 * front of the LF belongs to it. */
static bool take_line(struct bytes in, size_t *pos, struct bytes *line)
{
	struct bytes rest = bytes_skip(in, *pos);
	size_t n = bytes_find(rest, '\n');

	if (n == rest.len)
		return false;
	*line = bytes_first(rest, n > 0 && rest.at[n - 1] == '\r' ? n - 1 : n);
	*pos += n + 1;
	return true;
}

/* RFC 9112 2.2: empty lines in front of a request are ignored. Leaves *pos at the first byte that
 * is not part of a complete empty line. */
static bool skip_empty_lines(struct bytes in, size_t *pos)
{
	for (size_t lines = 0;; lines++) {
		struct bytes rest = bytes_skip(in, *pos);

		if (bytes_start_with(rest, BYTES("\n")))
			*pos += 1;
		else if (bytes_start_with(rest, BYTES("\r\n")))
			*pos += 2;
		else
			return true;
		if (lines == HTTP1_EMPTY_LINES)
			return false;
	}
}

/* RFC 9112 5: field-line = field-name ":" OWS field-value OWS. */
static enum http1_status parse_header(struct bytes line, struct http1_head *head)
{
	size_t colon = bytes_find(line, ':');
	struct http1_header header = {bytes_first(line, colon),
				      bytes_trim(bytes_skip(line, colon + 1))};

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return refuse(head, 400, "header line is folded or begins with a blank");
	if (colon == line.len)
		return refuse(head, 400, "header line without a colon");
	if (!is_token(header.name))
		return refuse(head, 400,
			      "header name is empty or has a byte that names cannot have");
	if (!is_text(bytes_skip(line, colon + 1)))
		return refuse(head, 400, "header value has a control byte");
	if (head->count == HTTP1_HEADERS_MAX)
		return refuse(head, 431, "too many headers");
	head->headers[head->count++] = header;
	return HTTP1_OK;
}

/* Whether a whole new line can have arrived since the earlier call. If none has, neither can the
 * verdict have changed. */
static bool has_new_line(struct bytes in, size_t seen)
{
	struct bytes fresh = bytes_skip(in, seen);

	return bytes_find(fresh, '\n') < fresh.len;
}

static enum http1_status parse_headers(struct bytes in, size_t pos, struct http1_head *head)
{
	struct bytes line;

	while (take_line(in, &pos, &line)) {
		if (line.len == 0) {
			head->used = pos;
			return HTTP1_OK;
		}
		enum http1_status status = parse_header(line, head);

		if (status != HTTP1_OK)
			return status;
	}
	return HTTP1_MORE;
}

/* RFC 9112 2.3. ICE/1.0 is what encoders of Icecast's first days say after SOURCE. A higher minor
 * version is served as the highest that we know (RFC 9110 2.5). */
static bool parse_version(struct bytes version, struct http1_head *head)
{
	head->version = version;
	if (bytes_equal(version, BYTES("ICE/1.0")))
		return true;
	if (version.len != 8 || !bytes_start_with(version, BYTES("HTTP/1.")) ||
	    version.at[7] < '0' || version.at[7] > '9')
		return false;
	head->minor = version.at[7] > '0';
	return true;
}

/* RFC 9112 3.2: origin-form, absolute-form, and the asterisk-form that goes with OPTIONS alone. The
 * authority-form belongs to CONNECT, which no family serves. */
static const char *check_target(const struct http1_head *head)
{
	struct url url;

	for (size_t i = 0; i < head->target.len; i++)
		if (head->target.at[i] == ' ' || ascii_is_control(head->target.at[i]))
			return "target has a blank or a control byte";
	if (head->target.len == 0)
		return "no target";
	if (head->target.at[0] == '/')
		return NULL;
	if (bytes_equal(head->target, BYTES("*")))
		return bytes_equal(head->method, BYTES("OPTIONS")) ? NULL
								   : "target * without OPTIONS";
	/* RFC 9110 4.2.4: user information in a request target is an error. */
	if (!url_parse_http(head->target, &url) || url.userinfo.at)
		return "target is neither a path nor an http URL";
	return NULL;
}

static enum http1_status parse_request_line(struct bytes line, struct http1_head *head)
{
	struct bytes rest = line;
	const char *fault;

	head->method = bytes_cut(&rest, ' ');
	if (!is_token(head->method))
		return refuse(head, 400, "no method");
	if (head->method.len == line.len)
		return refuse(head, 400, "no target");
	/* The version is what follows the last blank: so a target with a blank in it is named. */
	size_t cut = rest.len;

	while (cut > 0 && rest.at[cut - 1] != ' ')
		cut--;
	if (cut == 0)
		return refuse(head, 400, "no version");
	head->target = bytes_first(rest, cut - 1);
	if (!parse_version(bytes_skip(rest, cut), head))
		return bytes_start_with(head->version, BYTES("HTTP/"))
			       ? refuse(head, 505, "this version of HTTP is not served here")
			       : refuse(head, 400, "not an HTTP version");
	fault = check_target(head);
	return fault ? refuse(head, 400, fault) : HTTP1_OK;
}

enum http1_status http1_parse_request(struct bytes in, size_t seen, struct http1_head *head)
{
	struct bytes line;
	size_t pos = 0;

	clear_head(head);
	if (!skip_empty_lines(in, &pos))
		return refuse(head, 400, "too many empty lines before the request");
	/* A TLS hello on a plain port should not have to wait for its first LF. */
	if (pos < in.len && in.at[pos] != '\r' && !ascii_is_token(in.at[pos]))
		return refuse(head, 400, "no method");
	if (!has_new_line(in, seen) || !take_line(in, &pos, &line))
		return HTTP1_MORE;
	enum http1_status status = parse_request_line(line, head);

	return status == HTTP1_OK ? parse_headers(in, pos, head) : status;
}

/* RFC 9112 4: HTTP-version SP status-code SP [reason]. The second SP is missing in the wild. */
static enum http1_status parse_status_line(struct bytes line, struct http1_response *out)
{
	struct http1_head *head = &out->head;
	struct bytes rest = line;
	struct bytes version = bytes_cut(&rest, ' ');
	struct bytes code = bytes_cut(&rest, ' ');
	uint64_t status = 0;

	if (bytes_equal(version, BYTES("ICY")))
		head->version = version;
	else if (!parse_version(version, head) || version.len != 8)
		return refuse(head, 505, "not an HTTP/1 or ICY response");
	if (code.len != 3 || !bytes_to_u64(code, 999, &status) || status < 100)
		return refuse(head, 400, "no status code");
	if (!is_text(rest))
		return refuse(head, 400, "reason has a control byte");
	out->status = (unsigned)status;
	out->reason = rest;
	return HTTP1_OK;
}

enum http1_status http1_parse_response(struct bytes in, size_t seen, struct http1_response *out)
{
	struct bytes line;
	size_t pos = 0;

	clear_head(&out->head);
	out->status = 0;
	out->reason = bytes_of(NULL, 0);
	if (in.len > 0 && in.at[0] != 'H' && in.at[0] != 'I')
		return refuse(&out->head, 505, "not an HTTP/1 or ICY response");
	if (!has_new_line(in, seen) || !take_line(in, &pos, &line))
		return HTTP1_MORE;
	enum http1_status status = parse_status_line(line, out);

	return status == HTTP1_OK ? parse_headers(in, pos, &out->head) : status;
}

enum http1_status http1_parse_fields(struct bytes in, size_t seen, struct http1_head *head)
{
	clear_head(head);
	return has_new_line(in, seen) ? parse_headers(in, 0, head) : HTTP1_MORE;
}

struct bytes http1_target_path(struct bytes target)
{
	struct url url;

	if (target.len == 0 || target.at[0] == '/' || !url_parse_http(target, &url))
		return target;
	/* RFC 9112 3.2.1: an empty path is "/". */
	return url.target.len ? url.target : BYTES("/");
}

struct bytes http1_header_get(const struct http1_head *head, struct bytes name)
{
	for (size_t i = 0; i < head->count; i++)
		if (bytes_equal_nocase(head->headers[i].name, name))
			return head->headers[i].value;
	return bytes_of(NULL, 0);
}

bool http1_header_has_token(const struct http1_head *head, struct bytes name, struct bytes token)
{
	for (size_t i = 0; i < head->count; i++) {
		struct bytes rest = head->headers[i].value;

		if (!bytes_equal_nocase(head->headers[i].name, name))
			continue;
		while (rest.len)
			if (bytes_equal_nocase(bytes_trim(bytes_cut(&rest, ',')), token))
				return true;
	}
	return false;
}
