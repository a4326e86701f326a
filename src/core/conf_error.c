#include "core/conf_error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX  63
#define QUOTE_MAX 60

static char *format_message(struct conf_place place, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static char *format_message(struct conf_place place, const char *format, va_list args)
{
	char *what = NULL;
	char *text = NULL;

	if (vasprintf(&what, format, args) == -1)
		return NULL;
	int len = place.line ? asprintf(&text, "%s:%u:%u: %s", place.source, place.line,
					place.column, what)
			     : asprintf(&text, "%s: %s", place.source, what);

	free(what);
	return len == -1 ? NULL : text;
}

void conf_error_vadd(struct conf_errors *errors, struct conf_place place, const char *format,
		     va_list args)
{
	if (errors->count == CONF_ERRORS_MAX) {
		errors->dropped++;
		return;
	}
	if (!errors->at)
		errors->at = calloc(CONF_ERRORS_MAX, sizeof *errors->at);
	char *text = errors->at ? format_message(place, format, args) : NULL;

	if (!text) {
		errors->no_memory = true;
		return;
	}
	errors->at[errors->count++] = (struct conf_error){place.line, place.column, text};
}

void conf_error_add(struct conf_errors *errors, struct conf_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	conf_error_vadd(errors, place, format, args);
	va_end(args);
}

bool conf_errors_any(const struct conf_errors *errors)
{
	return errors->count || errors->no_memory;
}

static bool comes_after(const struct conf_error *a, const struct conf_error *b)
{
	/* Line 0 minus 1 is the largest number: no line sorts behind every line. */
	unsigned a_line = a->line - 1, b_line = b->line - 1;

	return a_line != b_line ? a_line > b_line : a->column > b->column;
}

void conf_errors_sort(struct conf_errors *errors)
{
	for (size_t i = 1; i < errors->count; i++) {
		struct conf_error error = errors->at[i];
		size_t place = i;

		while (place > 0 && comes_after(&errors->at[place - 1], &error)) {
			errors->at[place] = errors->at[place - 1];
			place--;
		}
		errors->at[place] = error;
	}
}

void conf_errors_print(FILE *out, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(out, "%s\n", errors->at[i].text);
	if (errors->dropped)
		fprintf(out, "and %zu more\n", errors->dropped);
	if (errors->no_memory)
		fprintf(out, "out of memory while reading the configuration\n");
}

void conf_errors_fini(struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->at[i].text);
	free(errors->at);
	*errors = (struct conf_errors){0};
}

const char *conf_error_quote(const char *text, char *buf, size_t size)
{
	size_t len = strlen(text);
	size_t shown = len < QUOTE_MAX ? len : QUOTE_MAX;
	size_t n = 0;

	/* Never in the middle of a UTF-8 character. */
	while (shown < len && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
		shown--;
	if (size == 0)
		return "";
	buf[n++] = '"';
	/* The longest piece is an escape of 4; 4 more close the quotes and the text. */
	for (size_t i = 0; i < shown && n + 9 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(buf + n, size - n, "\\x%02x", c);
		else
			buf[n++] = (char)c;
	}
	snprintf(buf + n, size - n, "%s\"", shown < len ? "…" : "");
	return buf;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

size_t conf_error_distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return a_len > b_len ? a_len : b_len;
	for (size_t j = 0; j <= b_len; j++)
		before[j] = above[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *spare = before;

		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}
