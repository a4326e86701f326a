/* conf_value: one setting's text made into its typed value, and back.
 *
 *     "512k" ──conf_value_parse──▶ 524288 ──conf_value_print──▶ 512k
 *
 * What a text may be is decided here and nowhere else; what a setting is called, where it stands
 * and whom it inherits from is conf.c's. Memory that a value needs is kept in a list that belongs to
 * the snapshot and is freed with it. Thread: the caller's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_type {
	CONF_TEXT,     /* const char *, never NULL */
	CONF_SECRET,   /* const char *: shown nowhere */
	CONF_BOOL,     /* bool: yes no, on off, true false, 1 0 */
	CONF_COUNT,    /* uint64_t */
	CONF_SIZE,     /* uint64_t bytes: 512k 1M 2GiB, all of them powers of 1024 */
	CONF_DURATION, /* uint64_t milliseconds: 250ms 3s 5m 1h 2d; a plain number is seconds */
	CONF_LIST,     /* struct conf_list: an array, or words between commas or spaces */
	CONF_LISTEN,   /* struct conf_list of ADDR:PORT */
	CONF_PATH,     /* const char * */
	CONF_CHOICE,   /* unsigned: which of the words in low */
};

struct conf_list {
	const char *const *at;
	size_t count;
};

/* One row of a .def table. */
struct conf_item {
	const char *name; /* "http.listen"; inside a section without dots */
	enum conf_type type;
	size_t offset;      /* of the field in its struct */
	const char *preset; /* the default, written as in the file */
	const char *low;    /* COUNT, SIZE, DURATION: the least; CHOICE: the words */
	const char *high;   /* COUNT, SIZE, DURATION: the most */
	const char
		*inherits; /* inside a section: the room's setting it follows when unset, or "" */
	const char *help;  /* one or two sentences */
};

/* What a file or an option says of one setting. */
struct conf_said {
	const char *const *text; /* NUL-terminated each */
	size_t count;
	bool array; /* several in brackets; otherwise one text */
};

/* Allocations that live as long as a snapshot. */
struct conf_kept;

void *conf_keep(struct conf_kept **kept, size_t size); /* zeroed; NULL: no memory */
char *conf_keep_text(struct conf_kept **kept, const char *text, size_t len);
void conf_kept_free(struct conf_kept **kept);

enum conf_verdict {
	CONF_FINE,
	CONF_WRONG,
	CONF_NO_MEMORY,
};

/* Sets the item's field in the struct at values. On CONF_WRONG nothing is changed and *found is the
 * text at fault, which lives as long as said. */
enum conf_verdict conf_value_parse(const struct conf_item *item, const struct conf_said *said,
				   struct conf_kept **kept, void *values, const char **found);

/* What the item wants, for a message: "a size such as 64k between 0 and 16M". Returns buf. */
const char *conf_value_expect(const struct conf_item *item, char *buf, size_t size);

/* Canonical and valid as a value in the file: texts are always in quotes. */
void conf_value_print(FILE *out, const struct conf_item *item, const void *values);

bool conf_value_equal(const struct conf_item *item, const void *a, const void *b);

/* Copies a field from one struct to another of perhaps another shape; both have the same type. */
void conf_value_copy(const struct conf_item *to_item, void *to, const struct conf_item *from_item,
		     const void *from);

/* Upper-case word for help and manual: "SIZE", "yes|no". */
const char *conf_value_kind(const struct conf_item *item);

/* UTF-8 without control characters, and without those that break lines or cannot be seen: such a
 * text may stand in a header, a log line and a file, and reads the same in all of them. */
bool conf_value_printable(const char *text);
