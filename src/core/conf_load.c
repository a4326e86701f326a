/* conf_load: what the file and the options say, put into a snapshot, or named as faults.
 *
 * The station between conf_file (grammar) and conf (the snapshot): it finds for each name the row,
 * for each value the verdict, and for each fault a sentence. */
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/conf_file.h"
#include "core/conf_snapshot.h"

#define NAME_MAX_LEN 256

struct load {
	struct conf *conf;
	struct conf_errors *errors;
	const char *source;        /* the file's name */
	struct conf_kept *scratch; /* the file's tree: gone before the snapshot is handed out */
};

/* One setting that somebody set. */
struct aim {
	const struct conf_room *room;
	struct conf_block *block;
	size_t index;
};

static struct conf_place key_place(const struct load *load, const struct conf_node *node)
{
	return (struct conf_place){load->source, node->key_line, node->key_column};
}

static struct conf_place value_place(const struct load *load, const struct conf_node *node)
{
	return (struct conf_place){load->source, node->line, node->column};
}

/* `mount "/live": burst`, or `http.listen`. */
static void aim_name(const struct aim *aim, char *buf, size_t size)
{
	const char *item = aim->block->items[aim->index].name;

	if (aim->block->name)
		snprintf(buf, size, "%s \"%.80s\": %s", aim->room->section->name, aim->block->name,
			 item);
	else
		snprintf(buf, size, "%s", item);
}

__attribute__((format(printf, 4, 5))) static void
refuse(struct load *load, const struct aim *aim, struct conf_place place, const char *format, ...)
{
	char name[NAME_MAX_LEN], what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	aim_name(aim, name, sizeof name);
	aim->block->origins[aim->index].faulty = true;
	conf_error_add(load->errors, place, "%s: %s", name, what);
}

static void refuse_value(struct load *load, const struct aim *aim, struct conf_place place,
			 const struct conf_item *rules, const char *found)
{
	char wanted[256], quoted[128];

	conf_value_expect(rules, wanted, sizeof wanted);
	if (rules->type == CONF_SECRET)
		refuse(load, aim, place, "expected %s, found something else", wanted);
	else
		refuse(load, aim, place, "expected %s, found %s", wanted,
		       conf_error_quote(found, quoted, sizeof quoted));
}

static void assign(struct load *load, const struct aim *aim, const struct conf_said *said,
		   struct conf_origin origin)
{
	struct conf_item rules = conf_item_rules(aim->room, &aim->block->items[aim->index]);
	const char *found = "";

	aim->block->origins[aim->index] = origin;
	switch (conf_value_parse(&rules, said, &load->conf->kept, aim->block->values, &found)) {
	case CONF_FINE: return;
	case CONF_WRONG: refuse_value(load, aim, origin.place, &rules, found); return;
	case CONF_NO_MEMORY: load->errors->no_memory = true; return;
	}
}

/* ---- the file ------------------------------------------------------------------------------ */

static bool is_null_word(const char *text)
{
	return !text[0] || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

/* A value that stands in the file as "name:" with nothing behind it. */
static bool is_nothing(const struct conf_node *node)
{
	return node->kind == CONF_NODE_TEXT && node->plain && is_null_word(node->text);
}

static bool is_list(enum conf_type type)
{
	return type == CONF_LIST || type == CONF_LISTEN;
}

/* The texts of a list node and their places; false when one of its members is none, which is then
 * reported. */
static bool list_texts(struct load *load, const struct aim *aim, const struct conf_node *list,
		       struct conf_said *said, struct conf_origin *origin)
{
	const struct conf_node *node;
	size_t n = 0;

	for (node = list->first; node; node = node->next)
		n++;
	const char **texts = conf_keep(&load->scratch, (n + 1) * sizeof *texts);
	struct conf_place *places = conf_keep(&load->conf->kept, (n + 1) * sizeof *places);

	if (!texts || !places) {
		load->errors->no_memory = true;
		return false;
	}
	*said = (struct conf_said){texts, 0, true};
	origin->members = places;
	for (node = list->first; node; node = node->next) {
		if (node->kind == CONF_NODE_GROUP || node->kind == CONF_NODE_LIST)
			refuse(load, aim, value_place(load, node), "expected a text, found a %s",
			       node->kind == CONF_NODE_LIST ? "list" : "group");
		if (node->kind != CONF_NODE_TEXT)
			return false;
		places[said->count] = value_place(load, node);
		texts[said->count++] = node->text;
	}
	return true;
}

static void assign_node(struct load *load, const struct aim *aim, const struct conf_node *node)
{
	const struct conf_item *item = &aim->block->items[aim->index];
	const struct conf_origin *before = &aim->block->origins[aim->index];
	struct conf_origin origin = {.from = CONF_FROM_FILE, .place = value_place(load, node)};
	struct conf_said said = {.text = &node->text, .count = 1};
	char wanted[256];

	if (before->from == CONF_FROM_FILE) {
		refuse(load, aim, key_place(load, node), "is set twice, first in line %u",
		       before->place.line);
		return;
	}
	aim->block->origins[aim->index] = origin;
	struct conf_item rules = conf_item_rules(aim->room, item);

	conf_value_expect(&rules, wanted, sizeof wanted);
	if (node->kind == CONF_NODE_NONE) {
		aim->block->origins[aim->index].faulty = true;
		return;
	}
	if (node->kind == CONF_NODE_GROUP ||
	    (node->kind == CONF_NODE_LIST && !is_list(item->type))) {
		refuse(load, aim, origin.place, "expected %s, found a %s", wanted,
		       node->kind == CONF_NODE_LIST ? "list" : "group");
		return;
	}
	if (is_nothing(node)) {
		refuse(load, aim, origin.place, "expected %s, found nothing", wanted);
		return;
	}
	if (node->kind == CONF_NODE_LIST && !list_texts(load, aim, node, &said, &origin))
		aim->block->origins[aim->index].faulty = true;
	else
		assign(load, aim, &said, origin);
}

static bool find_setting(const struct conf *conf, const char *name, struct aim *aim)
{
	for (size_t i = 0; i < conf->count; i++) {
		struct conf_table *table = &conf->tables[i];

		for (size_t j = 0; j < table->own.count; j++) {
			if (strcmp(table->own.items[j].name, name) == 0) {
				*aim = (struct aim){table->room, &table->own, j};
				return true;
			}
		}
	}
	return false;
}

static struct conf_table *find_section(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct conf_section *section = conf->tables[i].room->section;

		if (section && strcmp(section->name, name) == 0)
			return &conf->tables[i];
	}
	return NULL;
}

/* Whether names begin so: "http." of http.listen. */
static const char *find_group(const struct conf *conf, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < conf->count; i++) {
		const struct conf_block *own = &conf->tables[i].own;

		for (size_t j = 0; j < own->count; j++)
			if (strncmp(own->items[j].name, name, len) == 0 &&
			    own->items[j].name[len] == '.')
				return own->items[j].name;
	}
	return NULL;
}

/* The best of the candidates so far for an unknown name. */
struct guess {
	const char *wrong;
	const char *best;
	size_t distance;
};

static void guess_try(struct guess *guess, const char *candidate)
{
	const char *last = strrchr(candidate, '.');
	size_t distance = conf_error_distance(guess->wrong, candidate);

	/* Who writes the end of a name and forgets its group means it as well. */
	if (last && strcmp(last + 1, guess->wrong) == 0)
		distance = 1;
	if (distance < guess->distance) {
		guess->distance = distance;
		guess->best = candidate;
	}
}

static struct guess guess_start(const char *wrong)
{
	/* Farther off than this it is no misspelling. */
	return (struct guess){.wrong = wrong, .distance = strlen(wrong) / 3 + 2};
}

static const char *guess_setting(const struct conf *conf, const char *wrong)
{
	struct guess guess = guess_start(wrong);

	for (size_t i = 0; i < conf->count; i++) {
		const struct conf_room *room = conf->tables[i].room;

		for (size_t j = 0; j < room->count; j++)
			guess_try(&guess, room->items[j].name);
		if (room->section)
			guess_try(&guess, room->section->name);
	}
	return guess.best;
}

static const char *guess_item(const struct conf_section *section, const char *wrong)
{
	struct guess guess = guess_start(wrong);

	for (size_t i = 0; i < section->count; i++)
		guess_try(&guess, section->items[i].name);
	return guess.best;
}

/* An unknown group is judged by its first part: "htttp" is like the "http" of http.listen. */
static const char *guess_group(const struct conf *conf, const char *wrong, char *buf, size_t size)
{
	struct guess guess = guess_start(wrong);
	char best[NAME_MAX_LEN] = "";

	for (size_t i = 0; i < conf->count; i++) {
		const struct conf_room *room = conf->tables[i].room;

		for (size_t j = 0; j < room->count; j++) {
			struct bytes name = bytes_str(room->items[j].name);
			size_t before = guess.distance;

			if (bytes_find(name, '.') == name.len)
				continue;
			bytes_to_str(bytes_first(name, bytes_find(name, '.')), buf, size);
			guess_try(&guess, buf);
			if (guess.distance < before)
				memcpy(best, buf, strlen(buf) + 1);
		}
		if (room->section) {
			size_t before = guess.distance;

			guess_try(&guess, room->section->name);
			if (guess.distance < before)
				bytes_to_str(bytes_str(room->section->name), best, sizeof best);
		}
	}
	bytes_to_str(bytes_str(best), buf, size);
	return buf[0] ? buf : NULL;
}

static void refuse_unknown(struct load *load, struct conf_place place, const char *front,
			   const char *name, const char *meant)
{
	char quoted[128];

	if (name)
		conf_error_add(load->errors, place, "%sno such setting: %s%s%s%s", front,
			       conf_error_quote(name, quoted, sizeof quoted),
			       meant ? "; did you mean " : "", meant ? meant : "",
			       meant ? "?" : "");
	else
		conf_error_add(load->errors, place, "%sno such setting%s%s%s", front,
			       meant ? "; did you mean " : "; --help lists them all",
			       meant ? meant : "", meant ? "?" : "");
}

static bool find_in_section(const struct conf_section *section, const char *name, size_t *index)
{
	for (size_t i = 0; i < section->count; i++) {
		if (strcmp(section->items[i].name, name) == 0) {
			*index = i;
			return true;
		}
	}
	return false;
}

static void read_entry(struct load *load, struct conf_table *table, const struct conf_node *node)
{
	const struct conf_section *section = table->room->section;
	char front[NAME_MAX_LEN], quoted[128];

	conf_error_quote(node->key, quoted, sizeof quoted);
	snprintf(front, sizeof front, "%s %s: ", section->name, quoted);
	if (!node->key[0] || !conf_value_printable(node->key)) {
		conf_error_add(load->errors, key_place(load, node),
			       "%sexpected a name such as \"%s\"", front, section->title);
		return;
	}
	struct conf_block *entry =
		conf_snapshot_entry(load->conf, table, node->key, key_place(load, node));

	if (!entry) {
		load->errors->no_memory = true;
		return;
	}
	if (entry->place.line &&
	    (entry->place.line != node->key_line || entry->place.column != node->key_column)) {
		conf_error_add(load->errors, key_place(load, node),
			       "%sis there twice, first in line %u", front, entry->place.line);
		return;
	}
	entry->place = key_place(load, node);
	if (node->kind == CONF_NODE_NONE || is_nothing(node))
		return;
	if (node->kind != CONF_NODE_GROUP) {
		conf_error_add(load->errors, value_place(load, node),
			       "%sexpected settings such as \"%s: …\", found a %s", front,
			       section->items[0].name,
			       node->kind == CONF_NODE_LIST ? "list" : "text");
		return;
	}
	for (const struct conf_node *sub = node->first; sub; sub = sub->next) {
		struct aim aim = {table->room, entry, 0};

		if (find_in_section(section, sub->key, &aim.index))
			assign_node(load, &aim, sub);
		else
			refuse_unknown(load, key_place(load, sub), front, sub->key,
				       guess_item(section, sub->key));
	}
}

static void read_section(struct load *load, struct conf_table *table, const struct conf_node *node)
{
	const struct conf_section *section = table->room->section;

	if (node->kind == CONF_NODE_NONE || is_nothing(node))
		return;
	if (node->kind != CONF_NODE_GROUP) {
		conf_error_add(load->errors, value_place(load, node),
			       "%s: expected names such as \"%s\" with their settings, found a %s",
			       section->name, section->title,
			       node->kind == CONF_NODE_LIST ? "list" : "text");
		return;
	}
	for (const struct conf_node *sub = node->first; sub; sub = sub->next) {
		if (table->entry_count > CONF_ENTRIES_MAX) {
			conf_error_add(load->errors, key_place(load, sub),
				       "%s: more than %u of them", section->name, CONF_ENTRIES_MAX);
			return;
		}
		read_entry(load, table, sub);
	}
}

static void read_group(struct load *load, const struct conf_node *group, const char *prefix);

static void read_node(struct load *load, const struct conf_node *node, const char *prefix)
{
	char name[NAME_MAX_LEN], spare[NAME_MAX_LEN];
	struct conf_table *table;
	struct aim aim;

	/* A name too long to be one of ours is cut, and so is none of ours. */
	snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", node->key);
	if (find_setting(load->conf, name, &aim)) {
		assign_node(load, &aim, node);
		return;
	}
	table = find_section(load->conf, name);
	if (table) {
		read_section(load, table, node);
		return;
	}
	const char *member = find_group(load->conf, name);

	if (member && node->kind == CONF_NODE_GROUP)
		read_group(load, node, name);
	else if (member && node->kind != CONF_NODE_NONE && !is_nothing(node))
		conf_error_add(load->errors, value_place(load, node),
			       "%s: expected settings of its own such as %s, found a %s", name,
			       member, node->kind == CONF_NODE_LIST ? "list" : "text");
	else if (!member)
		refuse_unknown(load, key_place(load, node), "", name,
			       node->kind == CONF_NODE_GROUP
				       ? guess_group(load->conf, name, spare, sizeof spare)
				       : guess_setting(load->conf, name));
}

static void read_group(struct load *load, const struct conf_node *group, const char *prefix)
{
	for (const struct conf_node *node = group->first; node; node = node->next)
		read_node(load, node, prefix);
}

static void read_file(struct load *load, const struct conf_source *source)
{
	struct conf_node root;
	struct bytes text = source->text;
	char *data = NULL;
	size_t len = 0;

	if (!text.at) {
		if (!conf_file_read(source->path, &data, &len, load->errors))
			return;
		text = bytes_of(data, len);
	}
	conf_file_parse(text, load->source, &root, &load->scratch, load->errors);
	read_group(load, &root, "");
	free(data);
}

/* ---- the options --------------------------------------------------------------------------- */

static void set_item(struct load *load, struct conf_place place, const struct aim *aim,
		     const char *value)
{
	struct conf_origin origin = {.from = CONF_FROM_SET, .place = place};
	struct conf_said said = {.text = &value, .count = 1};

	/* The last one counts, but for lists, where one might think that both do. */
	if (is_list(aim->block->items[aim->index].type) &&
	    aim->block->origins[aim->index].from == CONF_FROM_SET) {
		refuse(load, aim, place, "is set twice: a list is one --set, with commas in it");
		return;
	}
	assign(load, aim, &said, origin);
}

/* mount./live.mp3.fallback: the section's name ends at the first dot, the item's begins behind the
 * last; what is between is the entry, dots and all. */
static void set_in_section(struct load *load, struct conf_place place, struct conf_table *table,
			   const char *rest, const char *value)
{
	const struct conf_section *section = table->room->section;
	const char *dot = strrchr(rest, '.');
	struct aim aim = {.room = table->room};

	if (!dot || dot == rest || !conf_value_printable(rest)) {
		conf_error_add(load->errors, place, "expected %s.NAME.SETTING, such as %s.%s.%s",
			       section->name, section->name, section->title,
			       section->items[0].name);
		return;
	}
	if (!find_in_section(section, dot + 1, &aim.index)) {
		refuse_unknown(load, place, "", NULL, guess_item(section, dot + 1));
		return;
	}
	const char *name = conf_keep_text(&load->scratch, rest, (size_t)(dot - rest));

	aim.block = name ? conf_snapshot_entry(load->conf, table, name, place) : NULL;
	if (aim.block)
		set_item(load, place, &aim, value);
	else
		load->errors->no_memory = true;
}

static void set_named(struct load *load, struct conf_place place, const char *name,
		      const char *value)
{
	struct bytes rest = bytes_str(name);
	char section[NAME_MAX_LEN];
	struct conf_table *table;
	struct aim aim;

	if (find_setting(load->conf, name, &aim)) {
		set_item(load, place, &aim, value);
		return;
	}
	bytes_to_str(bytes_cut(&rest, '.'), section, sizeof section);
	table = find_section(load->conf, section);
	if (table)
		set_in_section(load, place, table, rest.len ? (const char *)rest.at : "", value);
	else
		refuse_unknown(load, place, "", NULL, guess_setting(load->conf, name));
}

static void read_set(struct load *load, const char *set)
{
	const char *equals = strchr(set, '=');
	size_t len = equals ? (size_t)(equals - set) : strlen(set);
	char quoted[128];
	char *source = NULL;

	/* The value may be a secret: the name alone tells which option is meant. */
	char *name = conf_keep_text(&load->scratch, set, len);
	const char *shown = name ? conf_error_quote(name, quoted, sizeof quoted) : "";
	int n = name ? asprintf(&source, "--set %.*s=…", (int)strlen(shown) - 2, shown + 1) : -1;
	const char *kept = n == -1 ? NULL : conf_keep_text(&load->conf->kept, source, (size_t)n);

	if (n != -1)
		free(source);
	if (!kept) {
		load->errors->no_memory = true;
		return;
	}
	if (equals)
		set_named(load, (struct conf_place){.source = kept}, name, equals + 1);
	else
		conf_error_add(load->errors, (struct conf_place){.source = kept},
			       "expected NAME=VALUE");
}

struct conf *conf_load(const struct conf_room *const *rooms, size_t room_count,
		       const struct conf_source *source, struct conf_errors *errors)
{
	struct load load = {.errors = errors};

	load.conf =
		conf_snapshot_create(rooms, room_count, source->path ? source->path : "default");
	if (!load.conf) {
		errors->no_memory = true;
		return NULL;
	}
	load.source = load.conf->source;
	if (source->path || source->text.at)
		read_file(&load, source);
	for (size_t i = 0; i < source->set_count; i++)
		read_set(&load, source->sets[i]);
	conf_kept_free(&load.scratch);
	if (!errors->no_memory) {
		conf_snapshot_inherit(load.conf);
		for (size_t i = 0; i < room_count; i++)
			if (rooms[i]->check)
				rooms[i]->check(load.conf, errors);
	}
	conf_errors_sort(errors);
	if (conf_errors_any(errors))
		conf_free(&load.conf);
	return load.conf;
}
