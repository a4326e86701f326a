#include "core/conf_value.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"

#define TEXT_MAX 4096

struct conf_kept {
	struct conf_kept *next;
	alignas(max_align_t) unsigned char block[];
};

struct unit {
	const char *word;
	uint64_t times;
};

/* The first spelling of each size is the one that is printed; the largest comes first. */
static const struct unit sizes[] = {
	{"G", 1u << 30},   {"GB", 1u << 30},  {"GiB", 1u << 30}, {"M", 1u << 20},
	{"MB", 1u << 20},  {"MiB", 1u << 20}, {"k", 1u << 10},   {"kB", 1u << 10},
	{"KiB", 1u << 10}, {"", 1},           {"B", 1},
};
static const struct unit durations[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"", 1000}, {"ms", 1},
};
static const struct unit counts[] = {{"", 1}};

struct units {
	const struct unit *at;
	size_t count;
};

void *conf_keep(struct conf_kept **kept, size_t size)
{
	struct conf_kept *one = calloc(1, sizeof *one + size);

	if (!one)
		return NULL;
	one->next = *kept;
	*kept = one;
	return one->block;
}

char *conf_keep_text(struct conf_kept **kept, const char *text, size_t len)
{
	char *copy = conf_keep(kept, len + 1);

	if (copy && len)
		memcpy(copy, text, len);
	return copy;
}

void conf_kept_free(struct conf_kept **kept)
{
	while (*kept) {
		struct conf_kept *next = (*kept)->next;

		free(*kept);
		*kept = next;
	}
}

static struct units units_of(enum conf_type type)
{
	if (type == CONF_SIZE)
		return (struct units){sizes, sizeof sizes / sizeof *sizes};
	if (type == CONF_DURATION)
		return (struct units){durations, sizeof durations / sizeof *durations};
	return (struct units){counts, 1};
}

/* "64k", "64 KiB", "3s": digits, at most one blank, a unit of the type. */
static bool parse_number(enum conf_type type, const char *text, uint64_t *out)
{
	struct bytes rest = bytes_str(text);
	size_t digits = strspn(text, "0123456789");
	struct units units = units_of(type);
	uint64_t number;

	if (!bytes_to_u64(bytes_first(rest, digits), UINT64_MAX, &number))
		return false;
	rest = bytes_skip(rest, digits);
	if (rest.len > 1 && rest.at[0] == ' ')
		rest = bytes_skip(rest, 1);
	for (size_t i = 0; i < units.count; i++) {
		if (bytes_equal_nocase(rest, bytes_str(units.at[i].word)))
			return !__builtin_mul_overflow(number, units.at[i].times, out);
	}
	return false;
}

static bool parse_limited(const struct conf_item *item, const char *text, uint64_t *out)
{
	uint64_t low = 0, high = UINT64_MAX;

	/* The limits are ours: a table that cannot be read is a fault of the program. */
	if (item->low[0] && !parse_number(item->type, item->low, &low))
		assert(false && "the least value in the table is not a value");
	if (item->high[0] && !parse_number(item->type, item->high, &high))
		assert(false && "the greatest value in the table is not a value");
	return parse_number(item->type, text, out) && *out >= low && *out <= high;
}

static bool parse_bool(const char *text, bool *out)
{
	static const char *const words[] = {"no",   "yes", "off", "on", "false",
					    "true", "0",   "1",   NULL};

	for (unsigned i = 0; words[i]; i++) {
		if (bytes_equal_nocase(bytes_str(text), bytes_str(words[i]))) {
			*out = i & 1;
			return true;
		}
	}
	return false;
}

static struct bytes next_word(struct bytes *words)
{
	*words = bytes_trim(*words);
	return bytes_cut(words, ' ');
}

static bool parse_choice(const char *text, const char *words, unsigned *out)
{
	struct bytes rest = bytes_str(words);

	for (unsigned i = 0; rest.len; i++) {
		if (bytes_equal_nocase(next_word(&rest), bytes_str(text))) {
			*out = i;
			return true;
		}
	}
	return false;
}

static void choice_word(const char *words, unsigned index, struct bytes *out)
{
	struct bytes rest = bytes_str(words);

	do
		*out = next_word(&rest);
	while (index--);
}

/* One UTF-8 character (RFC 3629 section 4) off the front; 0 when there is none. */
static uint32_t take_char(const unsigned char **at)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *in = *at;
	unsigned more = in[0] < 0x80   ? 0
			: in[0] < 0xc2 ? 4
			: in[0] < 0xe0 ? 1
			: in[0] < 0xf0 ? 2
				       : 3;

	if (more == 4 || in[0] > 0xf4)
		return 0;
	uint32_t code = more ? in[0] & (0x3fu >> more) : in[0];

	for (unsigned i = 1; i <= more; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (in[i] & 0x3f);
	}
	if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*at = in + more + 1;
	return code;
}

bool conf_value_printable(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		uint32_t code = take_char(&at);

		if (code < 0x20 || (code >= 0x7f && code < 0xa0)) /* C0, DEL, C1, not UTF-8 */
			return false;
		if (code == 0x2028 || code == 0x2029) /* line and paragraph separator */
			return false;
		if (code >= 0x202a && code <= 0x202e) /* text direction: reads as what it is not */
			return false;
		if (code == 0xfeff ||
		    (code & 0xfffe) == 0xfffe) /* byte order mark, no characters */
			return false;
	}
	return true;
}

static bool text_fits(const char *text)
{
	return strlen(text) <= TEXT_MAX && conf_value_printable(text);
}

static size_t split(char *text, const char **out)
{
	static const char between[] = ", ";
	size_t count = 0;

	for (char *at = text + strspn(text, between); *at; at += strspn(at, between)) {
		size_t len = strcspn(at, between);

		if (out)
			out[count] = at;
		count++;
		if (!at[len])
			break;
		if (out)
			at[len] = '\0';
		at += out ? len + 1 : len;
	}
	return count;
}

static enum conf_verdict parse_list(const struct conf_said *said, struct conf_kept **kept,
				    struct conf_list *out, const char **found)
{
	char *whole = NULL;
	size_t count = said->count;

	for (size_t i = 0; i < said->count; i++) {
		if (!text_fits(said->text[i]) || (said->array && !said->text[i][0])) {
			*found = said->text[i];
			return CONF_WRONG;
		}
	}
	if (!said->array) {
		whole = conf_keep_text(kept, said->text[0], strlen(said->text[0]));
		if (!whole)
			return CONF_NO_MEMORY;
		count = split(whole, NULL);
	}
	const char **at = conf_keep(kept, (count + 1) * sizeof *at);

	if (!at)
		return CONF_NO_MEMORY;
	for (size_t i = 0; said->array && i < count; i++) {
		at[i] = conf_keep_text(kept, said->text[i], strlen(said->text[i]));
		if (!at[i])
			return CONF_NO_MEMORY;
	}
	if (!said->array)
		split(whole, at);
	*out = (struct conf_list){at, count};
	return CONF_FINE;
}

static enum conf_verdict parse_text(const char *text, struct conf_kept **kept, const char **out)
{
	if (!text_fits(text))
		return CONF_WRONG;
	const char *copy = conf_keep_text(kept, text, strlen(text));

	if (!copy)
		return CONF_NO_MEMORY;
	*out = copy;
	return CONF_FINE;
}

static enum conf_verdict parse_number_into(const struct conf_item *item, const char *text,
					   uint64_t *out)
{
	uint64_t value;

	if (!parse_limited(item, text, &value))
		return CONF_WRONG;
	*out = value;
	return CONF_FINE;
}

enum conf_verdict conf_value_parse(const struct conf_item *item, const struct conf_said *said,
				   struct conf_kept **kept, void *values, const char **found)
{
	void *field = (char *)values + item->offset;

	if (item->type == CONF_LIST || item->type == CONF_LISTEN)
		return parse_list(said, kept, field, found);
	*found = said->count ? said->text[0] : "";
	if (said->array)
		return CONF_WRONG;
	switch (item->type) {
	case CONF_TEXT:
	case CONF_SECRET:
	case CONF_PATH: return parse_text(said->text[0], kept, field);
	case CONF_BOOL: return parse_bool(said->text[0], field) ? CONF_FINE : CONF_WRONG;
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_DURATION: return parse_number_into(item, said->text[0], field);
	case CONF_CHOICE:
		return parse_choice(said->text[0], item->low, field) ? CONF_FINE : CONF_WRONG;
	case CONF_LIST:
	case CONF_LISTEN: break;
	}
	return CONF_WRONG;
}

static size_t append(char *buf, size_t size, size_t n, const char *text)
{
	return n + bytes_to_str(bytes_str(text), buf + n, size - n);
}

static const char *expect_choice(const struct conf_item *item, char *buf, size_t size)
{
	struct bytes rest = bytes_str(item->low);
	size_t n = append(buf, size, 0, "one of ");

	while (rest.len) {
		struct bytes word = next_word(&rest);

		n += bytes_to_str(word, buf + n, size - n);
		if (rest.len)
			n = append(buf, size, n, ", ");
	}
	return buf;
}

const char *conf_value_expect(const struct conf_item *item, char *buf, size_t size)
{
	static const char *const what[] = {
		[CONF_TEXT] = "one line of text (UTF-8, no control characters)",
		[CONF_SECRET] = "one line of text (UTF-8, no control characters)",
		[CONF_BOOL] = "yes or no",
		[CONF_COUNT] = "a whole number",
		[CONF_SIZE] = "a size such as 64k",
		[CONF_DURATION] = "a duration such as 250ms, 3s, 5m or 1h",
		[CONF_LIST] = "a list of texts",
		[CONF_LISTEN] = "a list of ADDRESS:PORT",
		[CONF_PATH] = "a path",
		[CONF_CHOICE] = "",
	};

	if (item->type == CONF_CHOICE)
		return expect_choice(item, buf, size);
	size_t n = append(buf, size, 0, what[item->type]);

	if (item->low[0] && item->high[0])
		snprintf(buf + n, size - n, " between %s and %s", item->low, item->high);
	else if (item->low[0])
		snprintf(buf + n, size - n, " of at least %s", item->low);
	else if (item->high[0])
		snprintf(buf + n, size - n, " of at most %s", item->high);
	return buf;
}

static void print_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_number(FILE *out, enum conf_type type, uint64_t value)
{
	struct units units = units_of(type);

	for (size_t i = 0; i < units.count; i++) {
		const struct unit *unit = &units.at[i];

		/* "" would be read as seconds, and so is not printed for a duration. */
		if (value % unit->times || (type == CONF_DURATION && !unit->word[0]) ||
		    (value == 0 && unit->times > 1 && type == CONF_SIZE))
			continue;
		fprintf(out, "%ju%s", (uintmax_t)(value / unit->times), value ? unit->word : "");
		return;
	}
}

static void print_list(FILE *out, const struct conf_list *list)
{
	fputc('[', out);
	for (size_t i = 0; i < list->count; i++) {
		if (i)
			fputs(", ", out);
		print_text(out, list->at[i]);
	}
	fputc(']', out);
}

void conf_value_print(FILE *out, const struct conf_item *item, const void *values)
{
	const void *field = (const char *)values + item->offset;
	struct bytes word = {0};

	switch (item->type) {
	case CONF_TEXT:
	case CONF_SECRET:
	case CONF_PATH: print_text(out, *(const char *const *)field); return;
	case CONF_BOOL: fputs(*(const bool *)field ? "yes" : "no", out); return;
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_DURATION: print_number(out, item->type, *(const uint64_t *)field); return;
	case CONF_CHOICE:
		choice_word(item->low, *(const unsigned *)field, &word);
		fwrite(word.at, 1, word.len, out);
		return;
	case CONF_LIST:
	case CONF_LISTEN: print_list(out, field); return;
	}
}

static size_t size_of(enum conf_type type)
{
	switch (type) {
	case CONF_TEXT:
	case CONF_SECRET:
	case CONF_PATH: return sizeof(const char *);
	case CONF_BOOL: return sizeof(bool);
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_DURATION: return sizeof(uint64_t);
	case CONF_LIST:
	case CONF_LISTEN: return sizeof(struct conf_list);
	case CONF_CHOICE: return sizeof(unsigned);
	}
	return 0;
}

static bool lists_equal(const struct conf_list *a, const struct conf_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->at[i], b->at[i]) != 0)
			return false;
	return true;
}

bool conf_value_equal(const struct conf_item *item, const void *a, const void *b)
{
	const void *x = (const char *)a + item->offset;
	const void *y = (const char *)b + item->offset;

	switch (item->type) {
	case CONF_TEXT:
	case CONF_SECRET:
	case CONF_PATH: return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
	case CONF_LIST:
	case CONF_LISTEN: return lists_equal(x, y);
	case CONF_BOOL:
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_DURATION:
	case CONF_CHOICE: return memcmp(x, y, size_of(item->type)) == 0;
	}
	return false;
}

void conf_value_copy(const struct conf_item *to_item, void *to, const struct conf_item *from_item,
		     const void *from)
{
	assert(to_item->type == from_item->type);
	memcpy((char *)to + to_item->offset, (const char *)from + from_item->offset,
	       size_of(to_item->type));
}

const char *conf_value_kind(const struct conf_item *item)
{
	static const char *const kinds[] = {
		[CONF_TEXT] = "TEXT",   [CONF_SECRET] = "SECRET",
		[CONF_BOOL] = "yes|no", [CONF_COUNT] = "NUMBER",
		[CONF_SIZE] = "SIZE",   [CONF_DURATION] = "DURATION",
		[CONF_LIST] = "LIST",   [CONF_LISTEN] = "ADDRESS:PORT…",
		[CONF_PATH] = "PATH",   [CONF_CHOICE] = "WORD",
	};

	return kinds[item->type];
}
