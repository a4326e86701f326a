#include "url.h"

#include "address.h"
#include "ascii.h"

/* RFC 3986 2.3. */
static bool is_unreserved(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

const char *url_status_text(enum url_status status)
{
	switch (status) {
	case URL_OK: return "ok";
	case URL_END: return "no more parameters";
	case URL_BAD_ESCAPE: return "a % without two hexadecimal digits behind it";
	case URL_NUL: return "an encoded NUL";
	case URL_BAD_BYTE: return "a control byte, a backslash or an encoded slash in the path";
	case URL_ABOVE_ROOT: return "the path does not stay below the root";
	case URL_NO_ROOM: return "too long";
	}
	return "unknown";
}

/* The byte at *pos of in, decoded; moves *pos behind it. */
static enum url_status decode_byte(struct bytes in, size_t *pos, uint8_t *out)
{
	*out = in.at[*pos];
	if (*out != '%') {
		*pos += 1;
		return URL_OK;
	}
	int high = in.len - *pos > 2 ? ascii_hex(in.at[*pos + 1]) : -1;
	int low = in.len - *pos > 2 ? ascii_hex(in.at[*pos + 2]) : -1;

	if (high < 0 || low < 0)
		return URL_BAD_ESCAPE;
	*out = (uint8_t)(high << 4 | low);
	*pos += 3;
	return *out ? URL_OK : URL_NUL;
}

/* Puts the writer back to where it was when something did not work out. */
static enum url_status settle(enum url_status status, struct writer *w, struct writer before)
{
	if (status == URL_OK && !writer_ok(w))
		status = URL_NO_ROOM;
	if (status != URL_OK)
		*w = before;
	return status;
}

static enum url_status decode(struct bytes in, bool form, struct writer *w)
{
	enum url_status status = URL_OK;
	struct writer before = *w;
	size_t pos = 0;

	while (status == URL_OK && pos < in.len) {
		bool space = form && in.at[pos] == '+';
		uint8_t byte;

		status = decode_byte(in, &pos, &byte);
		writer_u8(w, space ? ' ' : byte);
	}
	return settle(status, w, before);
}

enum url_status url_decode(struct bytes in, struct writer *w)
{
	return decode(in, false, w);
}

static void encode(struct writer *w, struct bytes in, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i];
		const uint8_t escape[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
		bool plain = is_unreserved(c) || (keep_slash && c == '/');

		writer_put(w, plain ? bytes_of(&c, 1) : bytes_of(escape, sizeof escape));
	}
}

void url_encode_component(struct writer *w, struct bytes in)
{
	encode(w, in, false);
}

static void put_name(struct writer *w, const char *name)
{
	writer_str(w, w->len ? "&" : "");
	writer_str(w, name);
	writer_u8(w, '=');
}

void url_form_put(struct writer *w, const char *name, struct bytes value)
{
	put_name(w, name);
	url_encode_component(w, value);
}

void url_form_put_dec(struct writer *w, const char *name, uint64_t value)
{
	put_name(w, name);
	writer_dec(w, value);
}

void url_encode_path(struct writer *w, struct bytes path)
{
	encode(w, path, true);
}

void url_split_target(struct bytes target, struct bytes *path, struct bytes *query)
{
	size_t mark = bytes_find(target, '?');

	*path = bytes_first(target, mark);
	*query = mark < target.len ? bytes_skip(target, mark + 1) : bytes_of(NULL, 0);
}

/* Decodes one segment of a path behind what w holds. */
static enum url_status put_segment(struct bytes segment, struct writer *w)
{
	size_t pos = 0;

	while (pos < segment.len) {
		uint8_t byte;
		enum url_status status = decode_byte(segment, &pos, &byte);

		if (status != URL_OK)
			return status;
		if (ascii_is_control(byte) || byte == '\\' || byte == '/')
			return URL_BAD_BYTE;
		writer_u8(w, byte);
	}
	return writer_ok(w) ? URL_OK : URL_NO_ROOM;
}

/* Takes back the last segment, and the one before it for "..": w then ends with a slash again.
 * RFC 3986 5.2.4. */
static bool drop_segments(struct writer *w, size_t root, size_t start, bool parent)
{
	w->len = start;
	if (!parent)
		return true;
	if (w->len == root + 1)
		return false;
	do
		w->len--;
	while (w->at[w->len - 1] != '/');
	return true;
}

enum url_status url_normalize_path(struct bytes path, struct writer *w)
{
	enum url_status status = URL_OK;
	struct writer before = *w;
	struct bytes rest = path;

	if (path.len == 0 || path.at[0] != '/')
		return URL_ABOVE_ROOT;
	writer_u8(w, '/');
	while (status == URL_OK && rest.len && writer_ok(w)) {
		bool slash_behind = bytes_find(rest, '/') < rest.len;
		struct bytes segment = bytes_cut(&rest, '/');
		size_t start = w->len;

		status = put_segment(segment, w);
		if (status != URL_OK)
			break;
		struct bytes done = bytes_skip(writer_done(w), start);

		if (bytes_equal(done, BYTES(".")) || bytes_equal(done, BYTES(".."))) {
			if (!drop_segments(w, before.len, start, done.len == 2))
				status = URL_ABOVE_ROOT;
		} else if (done.len && slash_behind) {
			writer_u8(w, '/');
		}
	}
	return settle(status, w, before);
}

enum url_status url_query_next(struct bytes *rest, struct writer *w, struct url_param *param)
{
	struct bytes raw = bytes_of(NULL, 0);
	struct writer before = *w;

	while (rest->len && raw.len == 0)
		raw = bytes_cut(rest, '&');
	if (raw.len == 0)
		return URL_END;
	param->name = bytes_cut(&raw, '=');
	param->value = raw;
	enum url_status status = decode(param->name, true, w);
	size_t cut = w->len;

	if (status == URL_OK)
		status = settle(decode(param->value, true, w), w, before);
	if (status == URL_OK) {
		struct bytes all = bytes_of(w->at + before.len, w->len - before.len);

		param->name = bytes_first(all, cut - before.len);
		param->value = bytes_skip(all, cut - before.len);
	}
	return status;
}

/* RFC 3986 3.2.2: reg-name without percent-escapes, which no host in DNS has. */
static bool is_host_name(struct bytes host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!is_unreserved(host.at[i]))
			return false;
	return host.len > 0;
}

static bool parse_port(struct bytes text, struct url *url)
{
	uint64_t port = 0;

	/* RFC 3986 3.2.3: an empty port is the default one. */
	if (text.len == 0)
		return true;
	if (!bytes_to_u64(text, UINT16_MAX, &port) || port == 0)
		return false;
	url->port = (uint16_t)port;
	return true;
}

static bool parse_authority(struct bytes authority, struct url *url)
{
	struct bytes rest = authority;
	struct address address;
	size_t at = bytes_find(authority, '@');

	if (at < authority.len) {
		url->userinfo = bytes_first(authority, at);
		rest = bytes_skip(authority, at + 1);
	}
	if (rest.len == 0 || rest.at[0] != '[') {
		url->host = bytes_cut(&rest, ':');
		return is_host_name(url->host) && parse_port(rest, url);
	}
	rest = bytes_skip(rest, 1);
	if (bytes_find(rest, ']') == rest.len)
		return false;
	url->host = bytes_cut(&rest, ']');
	url->ipv6 = true;
	if (bytes_find(url->host, ':') == url->host.len || !address_parse_ip(url->host, &address))
		return false;
	return rest.len == 0 || (rest.at[0] == ':' && parse_port(bytes_skip(rest, 1), url));
}

bool url_parse_http(struct bytes in, struct url *url)
{
	struct bytes rest = in;

	*url = (struct url){.port = 80};
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] == ' ' || ascii_is_control(in.at[i]))
			return false;
	url->scheme = bytes_cut(&rest, ':');
	url->tls = bytes_equal_nocase(url->scheme, BYTES("https"));
	if (!url->tls && !bytes_equal_nocase(url->scheme, BYTES("http")))
		return false;
	if (url->tls)
		url->port = 443;
	if (!bytes_start_with(rest, BYTES("//")))
		return false;
	/* RFC 3986 3.5: the fragment is not sent and not part of what is asked for. */
	rest = bytes_first(bytes_skip(rest, 2), bytes_find(bytes_skip(rest, 2), '#'));
	size_t slash = bytes_find(rest, '/');

	url->target = bytes_skip(rest, slash);
	struct bytes authority = bytes_first(rest, slash);

	/* "http://a?@b/" and "http://a\\@b/": parsers disagree about which host that is. */
	if (bytes_find(authority, '?') < authority.len ||
	    bytes_find(authority, '\\') < authority.len)
		return false;
	return parse_authority(authority, url);
}
