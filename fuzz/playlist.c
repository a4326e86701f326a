/* Playlists of entries with any text: the lines that are there are the ones that belong there, XSPF
 * is well-formed, and no text makes an entry of its own. */
#include "radio/proto/playlist.h"

#include "xml_check.h"

#define ENTRIES_MAX 8u

static uint8_t buf[1u << 20];

static struct playlist_entry take_entry(struct bytes *in)
{
	struct bytes *fields[8];
	struct playlist_entry entry = {.bitrate = take_u8(in)};

	fields[0] = &entry.url;
	fields[1] = &entry.name;
	fields[2] = &entry.description;
	fields[3] = &entry.genre;
	fields[4] = &entry.artist;
	fields[5] = &entry.title;
	fields[6] = &entry.content_type;
	fields[7] = &entry.info;
	for (size_t i = 0; i < 8; i++)
		*fields[i] = take(in, take_u8(in));
	return entry;
}

static size_t count_of(struct bytes in, struct bytes what)
{
	size_t count = 0;

	for (;;) {
		size_t at = bytes_find_nocase(in, what);

		if (at == in.len)
			return count;
		count++;
		in = bytes_skip(in, at + what.len);
	}
}

static void check_m3u(struct bytes out, size_t count)
{
	size_t lines = 0;

	PROPERTY(bytes_end_with(out, BYTES("\r\n")));
	for (; out.len; lines++) {
		struct bytes line = bytes_cut(&out, '\n');

		PROPERTY(bytes_end_with(line, BYTES("\r")));
		line.len--;
		PROPERTY(line.len && oracle_clean(line));
		PROPERTY((line.at[0] == '#') == (lines == 0 || lines % 2 == 1));
		PROPERTY(line.at[0] == '#' || bytes_find(line, ' ') == line.len);
	}
	PROPERTY(lines == 1 + 2 * count);
}

static void check_pls(struct bytes out, size_t count)
{
	static const char *const keys[] = {"File", "Title", "Length"};
	size_t lines = 0;

	for (; out.len; lines++) {
		struct bytes line = bytes_cut(&out, '\n');

		PROPERTY(bytes_end_with(line, BYTES("\r")));
		line.len--;
		PROPERTY(oracle_clean(line));
		if (lines == 0)
			PROPERTY(bytes_equal(line, BYTES("[playlist]")));
		else if (lines <= 3 * count)
			PROPERTY(bytes_start_with(line, bytes_str(keys[(lines - 1) % 3])));
		else if (lines == 3 * count + 1)
			PROPERTY(bytes_start_with(line, BYTES("NumberOfEntries=")));
	}
	PROPERTY(lines == 3 * count + 3);
}

static void check_vclt(struct bytes out, size_t count)
{
	size_t ends = 0, begins = 0;

	while (out.len) {
		struct bytes line = bytes_cut(&out, '\n');

		PROPERTY(oracle_clean(line));
		ends += bytes_equal(line, BYTES("=="));
		begins += bytes_start_with(line, BYTES("STREAMURL="));
		PROPERTY(bytes_find(line, '=') < line.len);
	}
	PROPERTY(ends == count && begins == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct playlist_entry entries[ENTRIES_MAX];
	enum playlist_kind kind = (enum playlist_kind)(take_u8(&in) % 5), of_path;
	struct bytes server = take(&in, take_u8(&in)), mount;
	struct writer w = writer_of(buf, sizeof buf);
	size_t all = 0, with_url = 0;

	while (in.len && all < ENTRIES_MAX) {
		entries[all] = take_entry(&in);
		with_url += entries[all++].url.len > 0;
	}
	playlist_write(kind, server, entries, all, &w);
	PROPERTY(writer_ok(&w));
	switch (kind) {
	case PLAYLIST_M3U:
	case PLAYLIST_M3U8: check_m3u(writer_done(&w), with_url); break;
	case PLAYLIST_PLS: check_pls(writer_done(&w), with_url); break;
	case PLAYLIST_XSPF:
		check_xml(writer_done(&w));
		PROPERTY(count_of(writer_done(&w), BYTES("<track>")) == with_url);
		PROPERTY(count_of(writer_done(&w), BYTES("<location>")) == with_url);
		break;
	case PLAYLIST_VCLT: check_vclt(writer_done(&w), with_url); break;
	}
	if (playlist_of_path(server, &of_path, &mount))
		PROPERTY(mount.len && mount.len < server.len && part_inside(mount, server));
	return 0;
}
