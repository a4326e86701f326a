/* publisher: one connection to a radio server, as its encoder (a thin cover over libshout).
 *
 *     publisher_open() ──▶ publisher_send() … publisher_title() … ──▶ publisher_close()
 *
 * libshout finds out by itself whether the server wants PUT or SOURCE, and sets titles by
 * /admin/metadata. All calls wait for the server; a server that stands still is waited for. It does
 * not pace (main does) and does not try again (main does). One thread; one connection a process, because
 * libshout 2.4.6 frees no handle that is not connected: there is one handle, used again and again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct publisher_target {
	char user[64];
	char password[256];
	char host[256];
	unsigned short port;
	char mount[256]; /* with its slash */
};

/* Takes http://USER:PASSWORD@HOST:PORT/MOUNT apart; password may be missing there, not the rest.
 * False: it is none. */
bool publisher_target_parse(const char *url, struct publisher_target *target);

/* False when the server cannot be reached or refuses; *why says it (a string that stays). */
bool publisher_open(const struct publisher_target *target, const char **why);
void publisher_close(void);

/* False: the connection is gone; close it. */
bool publisher_send(const unsigned char *mp3, size_t len);

/* False: the server did not take the title (the stream itself goes on). */
bool publisher_title(const char *title);
