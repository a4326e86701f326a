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
	unsigned notes;
	FILE *report;
};

/* Reads the file; by what it begins with and holds it is Icecast's, TinyIce's, soju's or ZNC's. 0 good, 1 when it
 * could not be read at all; report has said why. Writes YAML to out. */
int import_run(const char *file, FILE *out, FILE *report);

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

/* Writes the tree as YAML; texts in double quotes, which YAML reads as JSON does. */
void import_write(const json_t *settings, FILE *out);
