/* conf_error: the list of everything that is wrong with a configuration.
 *
 * A person repairs a file faster when all faults are named at once, each with its place:
 *
 *     ringmain.conf:12:9: mount "/live": burst: expected a size such as 64k, found "lots"
 *
 * The caller owns the list: start from {0}, end with conf_errors_fini(). Thread: the caller's.
 * A list that could not grow says so itself, so that "no entry" always means "no fault". */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Faults beyond this many are counted, not kept: a binary file is not a thousand messages. */
#define CONF_ERRORS_MAX 100

struct conf_place {
	const char *source; /* the file's name, or "--set http.listen=…" */
	unsigned line;      /* from 1; 0: the source has no lines, or the whole of it is meant */
	unsigned column;    /* from 1, in characters */
};

struct conf_error {
	unsigned line;
	unsigned column;
	char *text; /* the whole message, with its place in front; no newline */
};

struct conf_errors {
	struct conf_error *at;
	size_t count;
	size_t dropped;
	bool no_memory;
};

__attribute__((format(printf, 3, 4))) void
conf_error_add(struct conf_errors *errors, struct conf_place place, const char *format, ...);

__attribute__((format(printf, 3, 0))) void conf_error_vadd(struct conf_errors *errors,
							   struct conf_place place,
							   const char *format, va_list args);

bool conf_errors_any(const struct conf_errors *errors);

/* Puts them in the order of the file; those without a line come last, as they were found. */
void conf_errors_sort(struct conf_errors *errors);

/* One line a fault. */
void conf_errors_print(FILE *out, const struct conf_errors *errors);

void conf_errors_fini(struct conf_errors *errors);

/* Text for a message: in quotes, cut after 60 bytes, control bytes escaped. Returns buf. */
const char *conf_error_quote(const char *text, char *buf, size_t size);

/* How many single-character edits (a swap of neighbours counts as one) make a into b: what "did
 * you mean" is decided by. Words longer than 63 bytes are as far apart as they are long. */
size_t conf_error_distance(const char *a, const char *b);
