#include "import.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (16u << 20)
#define SQLITE   "SQLite format 3"

/* --- the tree ------------------------------------------------------------------------------- */

static json_t *child_of(json_t *tree, const char *name)
{
	json_t *child = json_object_get(tree, name);

	if (!child) {
		child = json_object();
		json_object_set_new(tree, name, child);
	}
	return child;
}

static json_t *place_of(struct import *import, const char *section, const char *entry)
{
	json_t *place = child_of(import->settings, section);

	return entry ? child_of(place, entry) : place;
}

void import_set(struct import *import, const char *section, const char *entry, const char *name,
		json_t *value)
{
	json_object_set_new(place_of(import, section, entry), name, value);
}

void import_text(struct import *import, const char *section, const char *entry, const char *name,
		 const char *value)
{
	import_set(import, section, entry, name, json_string(value));
}

void import_entry(struct import *import, const char *section, const char *entry, json_t *values)
{
	json_object_set(child_of(import->settings, section), entry, values);
}

void import_add(struct import *import, const char *section, const char *entry, const char *name,
		const char *value)
{
	json_t *place = place_of(import, section, entry), *list = json_object_get(place, name);

	if (!list) {
		list = json_array();
		json_object_set_new(place, name, list);
	}
	json_array_append_new(list, json_string(value));
}

void import_note(struct import *import, unsigned line, const char *format, ...)
{
	va_list args;

	if (line)
		fprintf(import->report, "%s:%u: ", import->file, line);
	else
		fprintf(import->report, "%s: ", import->file);
	va_start(args, format);
	vfprintf(import->report, format, args);
	va_end(args);
	putc('\n', import->report);
	import->notes++;
}

/* --- YAML ----------------------------------------------------------------------------------- */

/* JSON's strings are YAML's double-quoted ones (YAML 1.2, section 1.3). */
static void write_scalar(const json_t *value, FILE *out)
{
	if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", out);
	else
		json_dumpf(value, out, JSON_ENCODE_ANY);
}

static void write_level(const json_t *tree, unsigned depth, FILE *out)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)tree, name, value)
	{
		json_t *key = json_string(name);
		bool plain = strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name);

		fprintf(out, "%*s", (int)depth * 2, "");
		if (plain)
			fputs(name, out);
		else
			json_dumpf(key, out, JSON_ENCODE_ANY);
		json_decref(key);
		fputs(json_is_object(value) ? ":\n" : ": ", out);
		if (json_is_object(value)) {
			write_level(value, depth + 1, out);
		} else if (json_is_array(value)) {
			for (size_t i = 0; i < json_array_size(value); i++) {
				fputs(i ? ", " : "[", out);
				write_scalar(json_array_get(value, i), out);
			}
			fputs("]\n", out);
		} else {
			write_scalar(value, out);
			putc('\n', out);
		}
	}
}

void import_write(const json_t *settings, FILE *out)
{
	write_level(settings, 0, out);
}

/* --- orders --------------------------------------------------------------------------------- */

void import_order(struct import *import, const char *user, const char *words)
{
	fprintf(import->orders, "%s %s", user, words);
}

/* As BouncerServ reads words; a line break, which no order can hold, becomes a blank. */
void import_word(struct import *import, const char *text)
{
	fputs(" \"", import->orders);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', import->orders);
		putc(*text == '\r' || *text == '\n' ? ' ' : *text, import->orders);
	}
	putc('"', import->orders);
}

void import_option(struct import *import, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	fprintf(import->orders, " -%s", name);
	import_word(import, value);
}

void import_order_end(struct import *import)
{
	putc('\n', import->orders);
}

/* RFC 4648: with + and /, or with - and _. */
static int digit_of(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool import_base64_take(const char *text, unsigned char *out, size_t size, size_t *len)
{
	unsigned bits = 0, held = 0;

	for (*len = 0; *text && *text != '='; text++) {
		int digit = digit_of(*text);

		if (digit < 0)
			return false;
		held = held << 6 | (unsigned)digit;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (*len == size)
			return false;
		out[(*len)++] = (unsigned char)(held >> bits);
	}
	return true;
}

char *import_base64(const unsigned char *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc((len + 2) / 3 * 4 + 1), *at = out;

	for (size_t i = 0; out && i < len; i += 3) {
		unsigned three = (unsigned)data[i] << 16 |
				 (i + 1 < len ? (unsigned)data[i + 1] << 8 : 0) |
				 (i + 2 < len ? data[i + 2] : 0);

		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[three & 63] : '=';
	}
	if (out)
		*at = '\0';
	return out;
}

/* --- the file ------------------------------------------------------------------------------- */

static char *read_all(const char *file, size_t *len)
{
	FILE *in = fopen(file, "rbe");
	char *text = in ? malloc(FILE_MAX + 1) : NULL;

	*len = text ? fread(text, 1, FILE_MAX + 1, in) : 0;
	if (in && ferror(in))
		errno = EIO;
	if (in)
		fclose(in);
	/* A database is read by SQLite. */
	if (text && *len > FILE_MAX && memcmp(text, SQLITE, sizeof SQLITE) != 0) {
		errno = EFBIG;
		free(text);
		return NULL;
	}
	return text;
}

/* What kind of file it is, and its content taken over. */
static int take(struct import *import, const char *text, size_t len)
{
	size_t first = 0;

	while (first < len && (isspace((unsigned char)text[first]) || text[first] & '\x80'))
		first++;
	if (len >= sizeof SQLITE && memcmp(text, SQLITE, sizeof SQLITE) == 0)
		return import_soju(import);
	if (first < len && text[first] == '{')
		return import_tinyice(import, text, len);
	if (memmem(text, len, "<User ", 6) && !memmem(text, len, "<icecast", 8))
		return import_znc(import, text, len);
	return import_icecast(import, text, len);
}

static void write_orders(struct import *import, const char *orders, size_t len, FILE *out)
{
	fprintf(out,
		"# Made from %s; `ringmainctl irc - < FILE` gives these orders to a running "
		"server.\n",
		import->file);
	fwrite(orders, 1, len, out);
	if (import->notes)
		fprintf(import->report, "%u things have no equal here or need a look: above.\n",
			import->notes);
}

int import_run(const char *file, const char *logs, FILE *out, FILE *report)
{
	struct import import = {
		.settings = json_object(), .file = file, .logs = logs, .report = report};
	size_t len = 0, orders_len = 0;
	char *text = read_all(file, &len), *orders = NULL;
	int code;

	import.orders = text ? open_memstream(&orders, &orders_len) : NULL;
	if (!import.orders) {
		fprintf(report, "%s: %s\n", file, strerror(errno));
		json_decref(import.settings);
		free(text);
		return 1;
	}
	code = take(&import, text, len);
	fclose(import.orders);
	if (code == 0 && orders_len) {
		write_orders(&import, orders, orders_len, out);
	} else if (code == 0) {
		fprintf(out, "# Made from %s; `ringmain --check --config FILE` looks it over.\n",
			file);
		import_write(import.settings, out);
		if (import.notes)
			fprintf(report,
				"%u of its settings have no equal here or need a look: above.\n",
				import.notes);
	}
	json_decref(import.settings);
	free(orders);
	free(text);
	return code;
}
