#include "radio/proto/playlist.h"

#include "edge/proto/charset.h"
#include "edge/proto/xml.h"

static const struct {
	enum playlist_kind kind;
	const char *ending;
	const char *content_type;
} kinds[] = {
	[PLAYLIST_M3U] = {PLAYLIST_M3U, ".m3u", "audio/x-mpegurl"},
	[PLAYLIST_M3U8] = {PLAYLIST_M3U8, ".m3u8", "audio/x-mpegurl"},
	[PLAYLIST_PLS] = {PLAYLIST_PLS, ".pls", "audio/x-scpls"},
	[PLAYLIST_XSPF] = {PLAYLIST_XSPF, ".xspf", "application/xspf+xml"},
	[PLAYLIST_VCLT] = {PLAYLIST_VCLT, ".vclt", "audio/x-vclt"},
};

bool playlist_of_path(struct bytes path, enum playlist_kind *kind, struct bytes *mount)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct bytes ending = bytes_str(kinds[i].ending);

		if (path.len <= ending.len ||
		    !bytes_equal_nocase(bytes_skip(path, path.len - ending.len), ending))
			continue;
		*kind = kinds[i].kind;
		*mount = bytes_first(path, path.len - ending.len);
		return true;
	}
	return false;
}

const char *playlist_content_type(enum playlist_kind kind)
{
	return kinds[kind].content_type;
}

/* One byte of a URL as it is written. first: it is the first one, and a line that begins with '#'
 * is a comment in m3u. */
static struct bytes url_piece(uint8_t c, bool first, uint8_t buf[3])
{
	static const char hex[] = "0123456789ABCDEF";
	struct writer w = writer_of(buf, 3);

	if (c > ' ' && c < 0x7f && !(first && c == '#')) {
		writer_u8(&w, c);
	} else {
		writer_u8(&w, '%');
		writer_u8(&w, (uint8_t)hex[c >> 4]);
		writer_u8(&w, (uint8_t)hex[c & 15]);
	}
	return writer_done(&w);
}

static void put_url(struct writer *out, struct bytes url)
{
	uint8_t buf[3];

	for (size_t i = 0; i < url.len; i++)
		writer_put(out, url_piece(url.at[i], i == 0, buf));
}

static struct bytes name_or_url(const struct playlist_entry *entry)
{
	return entry->name.len ? entry->name : entry->url;
}

static void write_m3u(const struct playlist_entry *entries, size_t count, struct writer *out)
{
	writer_str(out, "#EXTM3U\r\n");
	for (size_t i = 0; i < count; i++) {
		if (entries[i].url.len == 0)
			continue;
		writer_str(out, "#EXTINF:-1,");
		charset_clean(name_or_url(&entries[i]), out);
		writer_str(out, "\r\n");
		put_url(out, entries[i].url);
		writer_str(out, "\r\n");
	}
}

static void put_numbered(struct writer *out, const char *key, size_t number)
{
	writer_str(out, key);
	writer_dec(out, number);
	writer_str(out, "=");
}

static void write_pls(const struct playlist_entry *entries, size_t count, struct writer *out)
{
	size_t number = 0;

	writer_str(out, "[playlist]\r\n");
	for (size_t i = 0; i < count; i++) {
		if (entries[i].url.len == 0)
			continue;
		number++;
		put_numbered(out, "File", number);
		put_url(out, entries[i].url);
		writer_str(out, "\r\n");
		put_numbered(out, "Title", number);
		charset_clean(name_or_url(&entries[i]), out);
		writer_str(out, "\r\n");
		put_numbered(out, "Length", number);
		writer_str(out, "-1\r\n");
	}
	writer_str(out, "NumberOfEntries=");
	writer_dec(out, number);
	writer_str(out, "\r\nVersion=2\r\n");
}

/* Line ends in a name would look like further lines of the annotation. */
static void clean_text(struct xml *xml, struct bytes text)
{
	while (text.len) {
		uint8_t buf[CHARSET_CHAR_MAX];
		struct writer w = writer_of(buf, sizeof buf);
		uint32_t code;
		size_t len = charset_decode(text, &code);

		charset_clean(bytes_first(text, len), &w);
		xml_text(xml, writer_done(&w));
		text = bytes_skip(text, len);
	}
}

static void clean_leaf(struct xml *xml, const char *name, struct bytes text)
{
	xml_open(xml, name);
	clean_text(xml, text);
	xml_close(xml);
}

static void url_leaf(struct xml *xml, const char *name, struct bytes url)
{
	uint8_t buf[3];

	xml_open(xml, name);
	for (size_t i = 0; i < url.len; i++)
		xml_text(xml, url_piece(url.at[i], i == 0, buf));
	xml_close(xml);
}

static void annotate(struct xml *xml, const char *label, struct bytes text)
{
	if (text.len == 0)
		return;
	xml_text(xml, bytes_str(label));
	clean_text(xml, text);
	xml_text(xml, BYTES("\n"));
}

static void write_track(struct xml *xml, const struct playlist_entry *entry)
{
	uint8_t buf[20];
	struct writer bitrate = writer_of(buf, sizeof buf);

	if (entry->bitrate)
		writer_dec(&bitrate, entry->bitrate);
	xml_open(xml, "track");
	url_leaf(xml, "location", entry->url);
	if (entry->artist.len)
		clean_leaf(xml, "creator", entry->artist);
	clean_leaf(xml, "title", entry->title.len ? entry->title : entry->name);
	xml_open(xml, "annotation"); /* Icecast's labels: players show them as they are */
	annotate(xml, "Stream Title: ", entry->name);
	annotate(xml, "Stream Description: ", entry->description);
	annotate(xml, "Content Type: ", entry->content_type);
	annotate(xml, "Bitrate: ", writer_done(&bitrate));
	annotate(xml, "Stream Genre: ", entry->genre);
	xml_close(xml);
	if (entry->info.len)
		url_leaf(xml, "info", entry->info);
	xml_close(xml);
}

static void write_xspf(struct bytes server, const struct playlist_entry *entries, size_t count,
		       struct writer *out)
{
	struct xml xml;

	xml_start(&xml, out);
	xml_open(&xml, "playlist");
	xml_attr_str(&xml, "version", "1");
	xml_attr_str(&xml, "xmlns", "http://xspf.org/ns/0/");
	clean_leaf(&xml, "title", server);
	clean_leaf(&xml, "creator", server);
	xml_open(&xml, "trackList");
	for (size_t i = 0; i < count; i++)
		if (entries[i].url.len)
			write_track(&xml, &entries[i]);
	xml_close(&xml);
	xml_close(&xml);
	xml_end(&xml);
}

static void put_comment(struct writer *out, const char *key, struct bytes value)
{
	if (value.len == 0)
		return;
	writer_str(out, key);
	charset_clean(value, out);
	writer_str(out, "\n");
}

static void write_vclt(const struct playlist_entry *entries, size_t count, struct writer *out)
{
	for (size_t i = 0; i < count; i++) {
		if (entries[i].url.len == 0)
			continue;
		writer_str(out, "STREAMURL=");
		put_url(out, entries[i].url);
		writer_str(out, "\n");
		put_comment(out, "ARTIST=", entries[i].artist);
		put_comment(out, "TITLE=", entries[i].title);
		put_comment(out, "SERVER_NAME=", entries[i].name);
		put_comment(out, "DESCRIPTION=", entries[i].description);
		put_comment(out, "GENRE=", entries[i].genre);
		writer_str(out, "==\n");
	}
}

void playlist_write(enum playlist_kind kind, struct bytes server,
		    const struct playlist_entry *entries, size_t count, struct writer *out)
{
	switch (kind) {
	case PLAYLIST_M3U:
	case PLAYLIST_M3U8: write_m3u(entries, count, out); break;
	case PLAYLIST_PLS: write_pls(entries, count, out); break;
	case PLAYLIST_XSPF: write_xspf(server, entries, count, out); break;
	case PLAYLIST_VCLT: write_vclt(entries, count, out); break;
	}
}
