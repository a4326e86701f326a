#include "radio/proto/playlist_read.h"

static const char *const types[] = {
	"audio/x-scpls", "audio/scpls",     "application/pls+xml",           "application/pls",
	"audio/mpegurl", "audio/x-mpegurl", "application/x-mpegurl",         "application/xspf+xml",
	"audio/m3u",     "application/m3u", "application/vnd.apple.mpegurl",
};

bool playlist_is_type(struct bytes content_type)
{
	struct bytes name = bytes_trim(bytes_cut(&content_type, ';'));

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (bytes_equal_nocase(name, bytes_str(types[i])))
			return true;
	return false;
}

/* Ends what is written in plain text, in quotes or between XML's tags. */
static bool ends_url(uint8_t c)
{
	return c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == 0x7f;
}

struct bytes playlist_first_url(struct bytes in)
{
	in = bytes_first(in, PLAYLIST_READ_MAX);
	while (in.len) {
		struct bytes line = bytes_cut(&in, '\n');
		size_t plain, secure, at, end;

		/* The location of a track, not the name of XSPF's namespace. */
		if (line.len && line.at[0] == '#')
			continue;
		at = bytes_find_nocase(line, BYTES("<location>"));
		if (at == line.len && bytes_find_nocase(line, BYTES("xmlns")) < line.len)
			continue;
		if (at < line.len)
			line = bytes_skip(line, at);
		plain = bytes_find_nocase(line, BYTES("http://"));
		secure = bytes_find_nocase(line, BYTES("https://"));
		at = plain < secure ? plain : secure;
		line = bytes_skip(line, at);
		for (end = 0; end < line.len && !ends_url(line.at[end]);)
			end++;
		if (end > sizeof "https://" - 1)
			return bytes_first(line, end);
	}
	return (struct bytes){0};
}
