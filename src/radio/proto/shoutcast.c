#include "radio/proto/shoutcast.h"

static bool has_control(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] < ' ' || in.at[i] == 0x7f)
			return true;
	return false;
}

static struct bytes without_cr(struct bytes line)
{
	while (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* The first line of in without its line end; false when there is no LF within the bound. */
static bool first_line(struct bytes in, struct bytes *line)
{
	struct bytes head = bytes_first(in, SHOUTCAST_LINE_MAX);
	size_t end = bytes_find(head, '\n');

	*line = without_cr(bytes_first(head, end));
	return end < head.len;
}

static bool names_protocol(struct bytes line)
{
	return bytes_find_nocase(line, BYTES(" HTTP/")) < line.len ||
	       bytes_find_nocase(line, BYTES(" ICE/")) < line.len ||
	       bytes_find_nocase(line, BYTES(" RTSP/")) < line.len;
}

/* A request without a protocol (HTTP/0.9) gets HTTP's answer, not "invalid password". */
static bool begins_with_method(struct bytes line)
{
	static const char *const methods[] = {"GET ",     "HEAD ",   "POST ", "PUT ",
					      "OPTIONS ", "DELETE ", "STATS "};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (bytes_start_with(line, bytes_str(methods[i])))
			return true;
	return false;
}

/* SOURCE password /mount */
static bool take_xaudiocast(struct bytes line, struct shoutcast_part *part)
{
	if (!bytes_start_with(line, BYTES("SOURCE ")))
		return false;
	line = bytes_trim(bytes_skip(line, strlen("SOURCE ")));
	part->password = bytes_cut(&line, ' ');
	part->mount = bytes_trim(line);
	return part->password.len && part->mount.len && part->mount.at[0] == '/';
}

static bool take_password(struct bytes line, struct shoutcast_part *part)
{
	part->mount = bytes_first(line, 0);
	part->password = line;
	if (line.len && line.at[0] == '/' && bytes_find(line, ':') < line.len)
		part->mount = bytes_cut(&part->password, ':');
	return part->password.len > 0;
}

enum shoutcast_first shoutcast_is_handshake(struct bytes first)
{
	struct shoutcast_part part;
	struct bytes line;
	bool whole = first_line(first, &line);

	if (has_control(line) || (!whole && first.len >= SHOUTCAST_LINE_MAX))
		return SHOUTCAST_FIRST_OTHER;
	if (!whole)
		return SHOUTCAST_FIRST_MORE;
	if (names_protocol(line) || begins_with_method(line))
		return SHOUTCAST_FIRST_OTHER;
	if (take_xaudiocast(line, &part))
		return SHOUTCAST_FIRST_XAUDIOCAST;
	return take_password(line, &part) ? SHOUTCAST_FIRST_PASSWORD : SHOUTCAST_FIRST_OTHER;
}

void shoutcast_init(struct shoutcast *shoutcast)
{
	*shoutcast = (struct shoutcast){.stage = SHOUTCAST_AT_LOGIN};
}

static enum shoutcast_status take_login(struct shoutcast *shoutcast, struct bytes line,
					struct shoutcast_part *part)
{
	part->line = line;
	if (has_control(line))
		return SHOUTCAST_BAD;
	shoutcast->xaudiocast = take_xaudiocast(line, part);
	if (!shoutcast->xaudiocast && !take_password(line, part))
		return SHOUTCAST_BAD;
	shoutcast->stage = SHOUTCAST_AT_HEADERS;
	return SHOUTCAST_LOGIN;
}

static enum shoutcast_status take_header(struct shoutcast *shoutcast, struct bytes line,
					 struct shoutcast_part *part)
{
	if (line.len == 0) {
		shoutcast->stage = SHOUTCAST_AT_AUDIO;
		return SHOUTCAST_AUDIO;
	}
	if (shoutcast->headers == SHOUTCAST_HEADERS_MAX || bytes_find(line, ':') == line.len)
		return SHOUTCAST_BAD;
	shoutcast->headers++;
	part->name = bytes_trim(bytes_cut(&line, ':'));
	part->value = bytes_trim(line);
	return SHOUTCAST_HEADER;
}

enum shoutcast_status shoutcast_next(struct shoutcast *shoutcast, struct bytes in,
				     struct shoutcast_part *part, size_t *used)
{
	struct bytes line;
	bool whole = first_line(in, &line);

	*used = 0;
	*part = (struct shoutcast_part){0};
	if (shoutcast->stage == SHOUTCAST_AT_AUDIO)
		return SHOUTCAST_AUDIO;
	if (!whole)
		return in.len < SHOUTCAST_LINE_MAX ? SHOUTCAST_MORE : SHOUTCAST_BAD;
	*used = bytes_find(in, '\n') + 1;
	if (shoutcast->stage == SHOUTCAST_AT_LOGIN)
		return take_login(shoutcast, line, part);
	return take_header(shoutcast, line, part);
}
