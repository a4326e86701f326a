/* playlist: the small files that point players at a stream: .m3u, .m3u8, .pls, .xspf, .vclt.
 *
 * Text of the entries comes from encoders: control characters (line ends above all) become spaces,
 * what is not UTF-8 becomes U+FFFD, and XSPF is escaped. In a URL, blanks, control characters and
 * what is not ASCII are percent-encoded. All formats are written in UTF-8. Pure: any thread, no
 * allocation. It does not know which host the listener used: the caller makes whole URLs. */
#pragma once

#include "core/writer.h"

enum playlist_kind {
	PLAYLIST_M3U,
	PLAYLIST_M3U8,
	PLAYLIST_PLS,  /* version 2 */
	PLAYLIST_XSPF, /* version 1, xspf.org/ns/0 */
	PLAYLIST_VCLT, /* a list of Vorbis comments, as Icecast writes it */
};

struct playlist_entry {
	struct bytes url;  /* whole, of the stream; an entry without one is left out */
	struct bytes name; /* of the station; this and the next ones may be empty */
	struct bytes description;
	struct bytes genre;
	struct bytes artist, title; /* what is on now */
	struct bytes content_type;
	struct bytes info; /* web page of the station */
	uint32_t bitrate;  /* kbit/s; 0: unknown */
};

/* The kind that a path ends in (".m3u" …, any case), and the path without that ending in *mount.
 * False: none of them. */
bool playlist_of_path(struct bytes path, enum playlist_kind *kind, struct bytes *mount);

const char *playlist_content_type(enum playlist_kind kind);

/* server: the name that XSPF gives as title and creator. */
void playlist_write(enum playlist_kind kind, struct bytes server,
		    const struct playlist_entry *entries, size_t count, struct writer *out);
