/* import: another server's settings made into a file for ringmain, and a list of what has no equal.
 *
 *   icecast.xml ──▶ settings (a JSON tree of sections) ──▶ YAML on stdout
 *   tinyice.json ─▶            └─▶ notes: what could not be taken over, with its place ──▶ stderr
 *   soju.db ─▶ orders to BouncerServ, one a line, for "ringmainctl irc -" ──▶ stdout
 *   znc.conf ─▶     └─▶ notes
 *
 * Nothing is taken over that would mean something else here; it is named instead. The file that comes
 * out passes `ringmain --check`. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct import {
	json_t *settings; /* {"http": {"listen": …}, "mount": {"/live": {…}}} */
	FILE *orders;     /* of IRC; NULL: there are none */
	const char *file;
	const char *logs; /* a directory, beside the file; NULL: none is said */
	unsigned notes;
	FILE *report;
};

/* Reads the file; by what it begins with and holds it is Icecast's, TinyIce's, soju's or ZNC's. 0 good, 1 when it
 * could not be read at all; report has said why. logs: soju's store of lines (NULL: none). Writes YAML or
 * orders to out. */
int import_run(const char *file, const char *logs, FILE *out, FILE *report);

/* --- for the formats ------------------------------------------------------------------------ */

int import_icecast(struct import *import, const char *text, size_t len);
int import_tinyice(struct import *import, const char *text, size_t len);
int import_soju(struct import *import);
int import_znc(struct import *import, const char *text, size_t len);

/* settings[section][name] = value, or settings[section][entry][name] when entry is not NULL. The
 * value is taken. */
void import_set(struct import *import, const char *section, const char *entry, const char *name,
		json_t *value);
void import_text(struct import *import, const char *section, const char *entry, const char *name,
		 const char *value);

/* settings[section][entry] = values, which stay the caller's too. */
void import_entry(struct import *import, const char *section, const char *entry, json_t *values);

/* Adds one more value to a list. */
void import_add(struct import *import, const char *section, const char *entry, const char *name,
		const char *value);

/* One line of the report: "icecast.xml:12: <burst-on-connect> …". line 0: none is known. */
__attribute__((format(printf, 3, 4))) void import_note(struct import *import, unsigned line,
						       const char *format, ...);

/* An order of that user's: its words, then options ("" is not said), then the end. Texts are quoted. */
void import_order(struct import *import, const char *user, const char *words);
void import_word(struct import *import, const char *text);
void import_option(struct import *import, const char *name, const char *value);
void import_order_end(struct import *import);

/* In base64, to be freed; NULL: no memory. */
char *import_base64(const unsigned char *data, size_t len);
/* False: it is none, or longer than size. */
bool import_base64_take(const char *text, unsigned char *out, size_t size, size_t *len);

/* --- what was said -------------------------------------------------------------------------- */

/* Lines of one channel or person, the oldest first, made into orders. Texts are the caller's. */
struct import_lines {
	struct import *import;
	const char *user, *network, *target;
	unsigned taken, too_long;
	unsigned count; /* in the order at hand */
	size_t len;
};

/* "@time=… :nick!user@host PRIVMSG #ring :hello" */
void import_line(struct import_lines *lines, const char *line);
void import_lines_end(struct import_lines *lines);

/* The daily files of all that is in a directory; nick: ours. False: there is nothing. */
bool import_logs(struct import *import, const char *user, const char *network, const char *nick,
		 const char *directory);

/* --- what ZNC's modules know ------------------------------------------------------------------ */

/* A network of ZNC's and its modules ("NAME ARGUMENTS", a line each): attributes for the order that makes
 * it, and orders behind its channels. Whatever is not taken over is named. */
struct znc_modules {
	struct import *import;
	const char *user, *network, *nick;
	const char *of_user, *of_network, *of_all;
	unsigned line;
	bool external; /* sasl, by the certificate */
};

/* Buffers that savebuff left there; password: its arguments, "" for none. */
void import_savebuff(const struct znc_modules *modules, const char *directory,
		     const char *password);

void znc_modules_attributes(struct znc_modules *modules);
void znc_modules_orders(struct znc_modules *modules);

/* Writes the tree as YAML; texts in double quotes, which YAML reads as JSON does. */
void import_write(const json_t *settings, FILE *out);
