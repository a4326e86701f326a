#include "core/conf_print.h"

#include <string.h>

#include "core/bytes.h"

#define WIDTH 80

/* Words of text, wrapped, each line behind the indent; the first word begins at column. */
static void wrap(FILE *out, const char *indent, size_t column, const char *text)
{
	struct bytes rest = bytes_trim(bytes_str(text));
	bool first = true;

	while (rest.len) {
		struct bytes word = bytes_cut(&rest, ' ');

		rest = bytes_trim(rest);
		if (first) {
			first = false;
		} else if (column + 1 + word.len > WIDTH) {
			fprintf(out, "\n%s", indent);
			column = strlen(indent);
		} else {
			fputc(' ', out);
			column++;
		}
		fwrite(word.at, 1, word.len, out);
		column += word.len;
	}
}

static void paragraph(FILE *out, const char *indent, const char *text)
{
	fputs(indent, out);
	wrap(out, indent, strlen(indent), text);
	fputc('\n', out);
}

/* "Default 15s, between 100ms and 10m." */
static void limits_sentence(const struct conf_item *rules, char *buf, size_t size)
{
	const char *preset = rules->preset;
	int n;

	if (rules->inherits[0])
		n = snprintf(buf, size, "Default: what %s says", rules->inherits);
	else
		n = snprintf(buf, size, "Default: %s", preset[0] ? preset : "none");
	if (n < 0 || (size_t)n >= size)
		return;
	buf += n;
	size -= (size_t)n;
	if (rules->type == CONF_CHOICE)
		snprintf(buf, size, "; one of: %s.", rules->low);
	else if (rules->low[0] && rules->high[0])
		snprintf(buf, size, "; from %s to %s.", rules->low, rules->high);
	else if (rules->low[0])
		snprintf(buf, size, "; at least %s.", rules->low);
	else if (rules->high[0])
		snprintf(buf, size, "; at most %s.", rules->high);
	else
		snprintf(buf, size, ".");
}

static void help_items(FILE *out, const struct conf_room *room, const struct conf_item *items,
		       size_t count, const char *prefix)
{
	char limits[256];

	for (size_t i = 0; i < count; i++) {
		struct conf_item rules = conf_item_rules(room, &items[i]);

		fprintf(out, "  %s%s=%s\n", prefix, rules.name, conf_value_kind(&rules));
		paragraph(out, "        ", rules.help);
		limits_sentence(&rules, limits, sizeof limits);
		paragraph(out, "        ", limits);
	}
}

void conf_write_help(FILE *out, const struct conf_room *const *rooms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct conf_room *room = rooms[i];
		const struct conf_section *section = room->section;
		char prefix[128];

		if (room->count) {
			fprintf(out, "%s%s\n", i ? "\n" : "", room->title);
			help_items(out, room, room->items, room->count, "");
		}
		if (!section)
			continue;
		fprintf(out, "\n%s: %s.NAME, such as %s.%s\n", room->title, section->name,
			section->name, section->title);
		paragraph(out, "  ", section->help);
		snprintf(prefix, sizeof prefix, "%s.NAME.", section->name);
		help_items(out, room, section->items, section->count, prefix);
	}
}

/* A text line must not begin with a control character, and a backslash begins an escape. */
static void man_word(FILE *out, struct bytes word, bool first)
{
	if (first && word.len && (word.at[0] == '.' || word.at[0] == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < word.len; i++)
		fputs(word.at[i] == '\\' ? "\\e" : (char[]){(char)word.at[i], '\0'}, out);
}

/* Each sentence begins a line, as mdoc wants it. */
static void man_text(FILE *out, const char *text)
{
	struct bytes rest = bytes_trim(bytes_str(text));
	bool ends = false;
	size_t column = 0;

	while (rest.len) {
		struct bytes word = bytes_cut(&rest, ' ');

		rest = bytes_trim(rest);
		if (column && (ends || column + 1 + word.len > WIDTH)) {
			fputc('\n', out);
			column = 0;
		} else if (column) {
			fputc(' ', out);
			column++;
		}
		man_word(out, word, column == 0);
		column += word.len;
		ends = bytes_end_with(word, BYTES("."));
	}
	fputc('\n', out);
}

static void man_items(FILE *out, const struct conf_room *room, const struct conf_item *items,
		      size_t count)
{
	char limits[256];

	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < count; i++) {
		struct conf_item rules = conf_item_rules(room, &items[i]);

		fprintf(out, ".It Cm %s : Ar %s\n", rules.name, conf_value_kind(&rules));
		man_text(out, rules.help);
		limits_sentence(&rules, limits, sizeof limits);
		man_text(out, limits);
	}
	fputs(".El\n", out);
}

void conf_write_man(FILE *out, const struct conf_room *const *rooms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct conf_room *room = rooms[i];

		if (room->count) {
			fprintf(out, ".Ss %s\n", room->title);
			man_items(out, room, room->items, room->count);
		}
		if (!room->section)
			continue;
		fprintf(out, ".Ss \"%s: the group %s\"\n", room->title, room->section->name);
		man_text(out, room->section->help);
		man_items(out, room, room->section->items, room->section->count);
	}
}

/* Whether the item stands in the same group as the one before it. */
static bool same_group(const struct conf_item *before, const struct conf_item *item)
{
	size_t len = strcspn(item->name, ".");

	return before && item->name[len] == '.' && strncmp(before->name, item->name, len + 1) == 0;
}

/* Writes "http:" when the item is the first of its group; returns what stands in front of it. */
static const char *open_group(FILE *out, const struct conf_item *before,
			      const struct conf_item *item, const char **name)
{
	size_t len = strcspn(item->name, ".");

	*name = item->name;
	if (!item->name[len])
		return "";
	if (!same_group(before, item))
		fprintf(out, "%.*s:\n", (int)len, item->name);
	*name = item->name + len + 1;
	return "  ";
}

static bool needs_quotes(const struct conf_item *rules)
{
	switch (rules->type) {
	case CONF_TEXT:
	case CONF_SECRET:
	case CONF_PATH:
	case CONF_LIST:
	case CONF_LISTEN: return true;
	case CONF_BOOL:
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_DURATION:
	case CONF_CHOICE: return false;
	}
	return true;
}

static void example_item(FILE *out, const struct conf_item *rules, const char *indent,
			 const char *name)
{
	const char *quote = needs_quotes(rules) ? "\"" : "";
	char comment[32], limits[256];

	snprintf(comment, sizeof comment, "%s# ", indent);
	paragraph(out, comment, rules->help);
	limits_sentence(rules, limits, sizeof limits);
	paragraph(out, comment, limits);
	fprintf(out, "%s#%s: %s%s%s\n\n", indent, name, quote, rules->preset, quote);
}

static void example_section(FILE *out, const struct conf_room *room)
{
	const struct conf_section *section = room->section;

	paragraph(out, "# ", section->help);
	fprintf(out, "%s:\n  #%s:\n", section->name, section->title);
	for (size_t i = 0; i < section->count; i++) {
		struct conf_item rules = conf_item_rules(room, &section->items[i]);

		paragraph(out, "    # ", rules.help);
		fprintf(out, "    #%s: %s%s%s\n", rules.name, needs_quotes(&rules) ? "\"" : "",
			rules.preset, needs_quotes(&rules) ? "\"" : "");
	}
	fputc('\n', out);
}

void conf_write_example(FILE *out, const struct conf_room *const *rooms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct conf_room *room = rooms[i];

		fprintf(out, "# ---- %s\n\n", room->title);
		for (size_t j = 0; j < room->count; j++) {
			const char *name;
			const char *indent = open_group(out, j ? &room->items[j - 1] : NULL,
							&room->items[j], &name);

			example_item(out, &room->items[j], indent, name);
		}
		if (room->section)
			example_section(out, room);
	}
}

static void dump_item(FILE *out, const struct conf_room *room, const struct conf_item *item,
		      const void *values, const char *indent, const char *name, bool reveal)
{
	struct conf_item rules = conf_item_rules(room, item);

	const void *field = (const char *)values + item->offset;

	if (item->type == CONF_SECRET && !reveal && (*(const char *const *)field)[0]) {
		fprintf(out, "%s#%s: \"***\"\n", indent, name);
		return;
	}
	fprintf(out, "%s%s: ", indent, name);
	conf_value_print(out, &rules, values);
	fputc('\n', out);
}

static void dump_section(FILE *out, const struct conf *conf, const struct conf_room *room,
			 bool reveal)
{
	static const struct conf_item name_item = {.type = CONF_TEXT};
	const struct conf_section *section = room->section;

	fprintf(out, "%s:\n", section->name);
	for (size_t i = 0; i < conf_entry_count(conf, section); i++) {
		const char *name = conf_entry_name(conf, section, i);

		fputs("  ", out);
		conf_value_print(out, &name_item, &name);
		fputs(":\n", out);
		for (size_t j = 0; j < section->count; j++)
			dump_item(out, room, &section->items[j],
				  conf_entry_values(conf, section, i), "    ",
				  section->items[j].name, reveal);
	}
}

void conf_dump(FILE *out, const struct conf *conf, bool reveal)
{
	for (size_t i = 0; i < conf_room_count(conf); i++) {
		const struct conf_room *room = conf_room_at(conf, i);

		for (size_t j = 0; j < room->count; j++) {
			const char *name;
			const char *indent = open_group(out, j ? &room->items[j - 1] : NULL,
							&room->items[j], &name);

			dump_item(out, room, &room->items[j], conf_values(conf, room), indent, name,
				  reveal);
		}
		if (room->section)
			dump_section(out, conf, room, reveal);
	}
}
