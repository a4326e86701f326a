/* web_files: the pages of web/, inside the program.
 *
 *     web/    ──▶ tools/embed.py (at build time) ──▶ web_files[] ──▶ web_file_find("/app.js")
 *
 * Everything here is constant and lives as long as the process: a response may point at it. Any
 * thread. It does not serve: the front door adds the header lines and picks the encoding. */
#pragma once

#include "core/bytes.h"

struct web_file {
	const char *path; /* with its slash; index.html is "/" */
	const char *type; /* Content-Type */
	const unsigned char *at;
	size_t len;
	const char *etag;          /* quoted, and weak (RFC 9110 8.8.1): both encodings share it */
	const unsigned char *gzip; /* the same as gzip (RFC 1952); NULL where that is no smaller */
	size_t gzip_len;
};

/* Sorted by the bytes of the path. */
extern const struct web_file web_files[];
extern const size_t web_files_count;

/* The file of this path (decoded, without query), or NULL. */
const struct web_file *web_file_find(struct bytes path);
