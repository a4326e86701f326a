/* files: a directory of the station's own files on the same port, as Icecast's webroot.
 *
 *   path ─▶ thread pool: openat2 below files.directory, fstat ─▶ 304, 404, 416, or
 *           200/206 ─▶ (thread pool: read 64 KiB ─▶ conn_lend) until the end ─▶ next request
 *
 * Whoever finds nothing else on a path asks here. One buffer a download, of which there are at most
 * files.downloads; a client that is too slow for files.timeout is dropped. What was said to be the
 * length is what is sent: of a file that became shorter meanwhile the connection is closed early.
 *
 * It lists no directories, compresses nothing and keeps no file in memory. Runs on the connection's
 * worker. */
#pragma once

#include "edge/conn.h"

/* Answers with the file of the request's path; or, without one, calls none(conn), which answers. */
RUNS_ON(on_worker) void files_serve(struct conn *conn, void (*none)(struct conn *conn));

/* The same below another directory, of files that strangers gave: a browser shows pictures, sound and plain
 * text of them and keeps the rest; it runs nothing. path begins with a slash. */
RUNS_ON(on_worker)
void files_serve_strange(struct conn *conn, const char *directory, struct bytes path,
			 void (*none)(struct conn *conn));

/* The same again, of recordings: no link is followed, and nobody's cache keeps them. */
RUNS_ON(on_worker)
void files_serve_kept(struct conn *conn, const char *directory, struct bytes path,
		      void (*none)(struct conn *conn));
