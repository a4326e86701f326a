#include "core/conf.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf_snapshot.h"

static const char default_name[] = "default";

static const struct conf_item *find_item(const struct conf_item *items, size_t count,
					 const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(items[i].name, name) == 0)
			return &items[i];
	return NULL;
}

struct conf_item conf_item_rules(const struct conf_room *room, const struct conf_item *item)
{
	if (!item->inherits[0])
		return *item;
	const struct conf_item *from = find_item(room->items, room->count, item->inherits);

	/* A row that follows a setting which is not there, or of another type, is a wrong table. */
	assert(from && from->type == item->type);
	struct conf_item rules = *item;

	rules.low = from->low;
	rules.high = from->high;
	rules.preset = from->preset;
	return rules;
}

static bool fill_defaults(struct conf *conf, const struct conf_room *room, struct conf_block *block)
{
	for (size_t i = 0; i < block->count; i++) {
		struct conf_item rules = conf_item_rules(room, &block->items[i]);
		struct conf_said said = {.text = &rules.preset, .count = 1};
		const char *found;
		enum conf_verdict verdict =
			conf_value_parse(&rules, &said, &conf->kept, block->values, &found);

		assert(verdict != CONF_WRONG); /* the default in the table is not a value */
		if (verdict == CONF_NO_MEMORY)
			return false;
		block->origins[i] = (struct conf_origin){.place = {.source = conf->source}};
	}
	return true;
}

static bool block_init(struct conf *conf, const struct conf_room *room, struct conf_block *block,
		       const struct conf_item *items, size_t count, size_t size)
{
	block->items = items;
	block->count = count;
	block->values = conf_keep(&conf->kept, size);
	block->origins = conf_keep(&conf->kept, count * sizeof *block->origins);
	return block->values && block->origins && fill_defaults(conf, room, block);
}

static bool table_init(struct conf *conf, struct conf_table *table, const struct conf_room *room)
{
	struct conf_place nowhere = {.source = conf->source};

	table->room = room;
	table->patterns_end = &table->patterns;
	if (!block_init(conf, room, &table->own, room->items, room->count, room->size))
		return false;
	return !room->section || conf_snapshot_entry(conf, table, default_name, nowhere);
}

struct conf *conf_snapshot_create(const struct conf_room *const *rooms, size_t count,
				  const char *source)
{
	struct conf *conf = calloc(1, sizeof *conf);

	if (!conf)
		return NULL;
	conf->count = count;
	conf->source = conf_keep_text(&conf->kept, source, strlen(source));
	conf->tables = conf_keep(&conf->kept, count * sizeof *conf->tables);
	bool fine = conf->source && conf->tables;

	for (size_t i = 0; i < count && fine; i++)
		fine = table_init(conf, &conf->tables[i], rooms[i]);
	if (!fine)
		conf_free(&conf);
	return conf;
}

static void leave_in_kept(void *entry)
{
	(void)entry;
}

void conf_free(struct conf **conf)
{
	if (*conf) {
		for (size_t i = 0; (*conf)->tables && i < (*conf)->count; i++)
			tdestroy((*conf)->tables[i].by_name, leave_in_kept);
		conf_kept_free(&(*conf)->kept);
	}
	free(*conf);
	*conf = NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct conf_block *)a)->name, ((const struct conf_block *)b)->name);
}

static struct conf_block *find_entry(const struct conf_table *table, const char *name)
{
	struct conf_block key = {.name = name};
	struct conf_block *const *node = tfind(&key, &table->by_name, compare_names);

	return node ? *node : NULL;
}

static bool add_entry(struct conf *conf, struct conf_table *table, struct conf_block *entry)
{
	if (table->entry_count == table->entry_room) {
		size_t room = table->entry_room ? table->entry_room * 2 : 8;
		struct conf_block **more =
			conf_keep(&conf->kept, room * sizeof(struct conf_block *));

		if (!more)
			return false;
		if (table->entry_count)
			memcpy(more, table->entries, table->entry_count * sizeof *more);
		table->entries = more;
		table->entry_room = room;
	}
	if (!tsearch(entry, &table->by_name, compare_names))
		return false;
	table->entries[table->entry_count++] = entry;
	if (strchr(entry->name, '*')) {
		*table->patterns_end = entry;
		table->patterns_end = &entry->next_pattern;
	}
	return true;
}

struct conf_block *conf_snapshot_entry(struct conf *conf, struct conf_table *table,
				       const char *name, struct conf_place place)
{
	const struct conf_section *section = table->room->section;
	struct conf_block *entry = find_entry(table, name);

	if (entry)
		return entry;
	entry = conf_keep(&conf->kept, sizeof *entry);
	if (!entry)
		return NULL;
	entry->place = place;
	entry->name = conf_keep_text(&conf->kept, name, strlen(name));
	if (!entry->name ||
	    !block_init(conf, table->room, entry, section->items, section->count, section->size))
		return NULL;
	return add_entry(conf, table, entry) ? entry : NULL;
}

bool conf_entry_is_pattern(const char *name)
{
	return strcmp(name, default_name) == 0 || strchr(name, '*');
}

/* A star stands for any run of characters. Backtracks to the last star only, so the time is at most
 * the product of the lengths. */
static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			resume = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static const struct conf_block *parent_of(const struct conf_table *table, const char *name)
{
	const struct conf_block *best = table->entries[0];
	size_t longest = 0;

	for (const struct conf_block *entry = table->patterns; entry; entry = entry->next_pattern) {
		size_t len = strlen(entry->name);

		if (len > longest && matches(entry->name, name)) {
			best = entry;
			longest = len;
		}
	}
	return best;
}

static struct conf_origin inherited(const struct conf_origin *parent)
{
	struct conf_origin origin = *parent;

	origin.from = CONF_FROM_PARENT;
	return origin;
}

static void inherit_from_room(const struct conf_table *table, struct conf_block *entry, size_t i)
{
	const struct conf_room *room = table->room;
	const struct conf_item *item = &entry->items[i];

	if (!item->inherits[0])
		return;
	const struct conf_item *from = find_item(room->items, room->count, item->inherits);
	const struct conf_origin *origin = &table->own.origins[from - room->items];

	conf_value_copy(item, entry->values, from, table->own.values);
	if (origin->from != CONF_FROM_DEFAULT)
		entry->origins[i] = inherited(origin);
}

static void inherit_from_entry(const struct conf_block *parent, struct conf_block *entry, size_t i)
{
	const struct conf_origin *origin = &parent->origins[i];

	conf_value_copy(&entry->items[i], entry->values, &entry->items[i], parent->values);
	if (origin->from != CONF_FROM_DEFAULT)
		entry->origins[i] = inherited(origin);
}

static void inherit(const struct conf_table *table, struct conf_block *entry,
		    const struct conf_block *parent)
{
	for (size_t i = 0; i < entry->count; i++) {
		if (entry->origins[i].from != CONF_FROM_DEFAULT)
			continue;
		if (parent)
			inherit_from_entry(parent, entry, i);
		else
			inherit_from_room(table, entry, i);
	}
}

/* From the root outwards: "default", then wildcards, then names, so that each finds its parent
 * complete. */
static void inherit_table(const struct conf_table *table)
{
	inherit(table, table->entries[0], NULL);
	for (size_t i = 1; i < table->entry_count; i++)
		if (conf_entry_is_pattern(table->entries[i]->name))
			inherit(table, table->entries[i], table->entries[0]);
	for (size_t i = 1; i < table->entry_count; i++)
		if (!conf_entry_is_pattern(table->entries[i]->name))
			inherit(table, table->entries[i],
				parent_of(table, table->entries[i]->name));
}

void conf_snapshot_inherit(struct conf *conf)
{
	for (size_t i = 0; i < conf->count; i++)
		if (conf->tables[i].room->section)
			inherit_table(&conf->tables[i]);
}

size_t conf_room_count(const struct conf *conf)
{
	return conf->count;
}

const struct conf_room *conf_room_at(const struct conf *conf, size_t index)
{
	assert(index < conf->count);
	return conf->tables[index].room;
}

static const struct conf_table *table_of_section(const struct conf *conf,
						 const struct conf_section *section)
{
	for (size_t i = 0; i < conf->count; i++)
		if (conf->tables[i].room->section == section)
			return &conf->tables[i];
	assert(false && "the section's room was not loaded");
	return NULL;
}

const void *conf_values(const struct conf *conf, const struct conf_room *room)
{
	for (size_t i = 0; i < conf->count; i++)
		if (conf->tables[i].room == room)
			return conf->tables[i].own.values;
	assert(false && "the room was not loaded");
	return NULL;
}

size_t conf_entry_count(const struct conf *conf, const struct conf_section *section)
{
	return table_of_section(conf, section)->entry_count;
}

const char *conf_entry_name(const struct conf *conf, const struct conf_section *section, size_t i)
{
	return table_of_section(conf, section)->entries[i]->name;
}

const void *conf_entry_values(const struct conf *conf, const struct conf_section *section, size_t i)
{
	return table_of_section(conf, section)->entries[i]->values;
}

const void *conf_entry_for(const struct conf *conf, const struct conf_section *section,
			   const char *name)
{
	const struct conf_table *table = table_of_section(conf, section);
	const struct conf_block *entry = find_entry(table, name);

	return entry ? entry->values : parent_of(table, name)->values;
}

bool conf_entry_says(const struct conf *conf, const struct conf_section *section, const char *name,
		     const char *item_name)
{
	const struct conf_block *entry = find_entry(table_of_section(conf, section), name);
	const struct conf_item *item = find_item(section->items, section->count, item_name);

	assert(item);
	if (!entry)
		return false;
	enum conf_from from = entry->origins[item - section->items].from;

	return from == CONF_FROM_FILE || from == CONF_FROM_SET;
}

bool conf_entry_listed(const struct conf *conf, const struct conf_section *section,
		       const char *name)
{
	return find_entry(table_of_section(conf, section), name);
}

static const struct conf_block *block_of(const struct conf *conf, const void *values,
					 const struct conf_table **table)
{
	for (size_t i = 0; i < conf->count; i++) {
		*table = &conf->tables[i];
		if ((*table)->own.values == values)
			return &(*table)->own;
		for (size_t j = 0; j < (*table)->entry_count; j++)
			if ((*table)->entries[j]->values == values)
				return (*table)->entries[j];
	}
	assert(false && "these values are not of this snapshot");
	return NULL;
}

/* What a fault is about: a setting, and in it perhaps one member of its list. */
struct subject {
	const struct conf_table *table;
	const struct conf_block *block;
	const struct conf_item *item;
	const struct conf_origin *origin;
	struct conf_place place;
	const char *member; /* or NULL */
};

static struct subject subject_of(const struct conf *conf, const void *values, const char *item_name)
{
	struct subject subject = {0};

	subject.block = block_of(conf, values, &subject.table);
	subject.item = find_item(subject.block->items, subject.block->count, item_name);
	assert(subject.item); /* a check names a setting that is not in its table */
	subject.origin = &subject.block->origins[subject.item - subject.block->items];
	subject.place = subject.origin->place;
	/* A default that does not fit what the entry says: the entry is where to look. */
	if (!subject.place.line && subject.origin->from == CONF_FROM_DEFAULT && subject.block->name)
		subject.place = subject.block->place;
	return subject;
}

enum conf_from conf_origin_of(const struct conf *conf, const void *values, const char *item,
			      struct conf_place *place)
{
	struct subject subject = subject_of(conf, values, item);

	*place = subject.origin->place;
	return subject.origin->from;
}

static void print_found(FILE *out, const struct subject *subject)
{
	struct conf_item rules = conf_item_rules(subject->table->room, subject->item);
	char quoted[128];

	if (rules.type == CONF_SECRET)
		return;
	fputs(", found ", out);
	if (subject->member)
		fputs(conf_error_quote(subject->member, quoted, sizeof quoted), out);
	else
		conf_value_print(out, &rules, subject->block->values);
}

__attribute__((format(printf, 3, 0))) static void
report(struct conf_errors *errors, const struct subject *subject, const char *format, va_list args)
{
	char *text = NULL;
	size_t len;

	if (subject->origin->faulty)
		return;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		errors->no_memory = true;
		return;
	}
	if (subject->block->name)
		fprintf(out, "%s \"%s\": ", subject->table->room->section->name,
			subject->block->name);
	fprintf(out, "%s: ", subject->item->name);
	vfprintf(out, format, args);
	print_found(out, subject);
	if (fclose(out) == 0)
		conf_error_add(errors, subject->place, "%s", text);
	else
		errors->no_memory = true;
	free(text);
}

void conf_fault(struct conf_errors *errors, const struct conf *conf, const void *values,
		const char *item, const char *format, ...)
{
	struct subject subject = subject_of(conf, values, item);
	va_list args;

	va_start(args, format);
	report(errors, &subject, format, args);
	va_end(args);
}

void conf_fault_member(struct conf_errors *errors, const struct conf *conf, const void *values,
		       const char *item, size_t index, const char *format, ...)
{
	struct subject subject = subject_of(conf, values, item);
	const void *field = (const char *)values + subject.item->offset;
	const struct conf_list *list = field;
	va_list args;

	assert(subject.item->type == CONF_LIST || subject.item->type == CONF_LISTEN);
	assert(index < list->count);
	subject.member = list->at[index];
	if (subject.origin->members)
		subject.place = subject.origin->members[index];
	va_start(args, format);
	report(errors, &subject, format, args);
	va_end(args);
}

void conf_fault_entry(struct conf_errors *errors, const struct conf *conf, const void *values,
		      const char *format, ...)
{
	const struct conf_table *table = NULL;
	const struct conf_block *block = block_of(conf, values, &table);
	char quoted[128], *text;
	va_list args;

	assert(block->name);
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n == -1) {
		errors->no_memory = true;
		return;
	}
	conf_error_add(errors, block->place, "%s %s: %s", table->room->section->name,
		       conf_error_quote(block->name, quoted, sizeof quoted), text);
	free(text);
}

bool conf_changed(const struct conf *before, const struct conf *after, const struct conf_room *room,
		  const char *item_name)
{
	const struct conf_item *item = find_item(room->items, room->count, item_name);

	assert(item); /* nobody may wait for a setting that does not exist */
	return !conf_value_equal(item, conf_values(before, room), conf_values(after, room));
}

bool conf_entry_changed(const struct conf_section *section, const void *before, const void *after)
{
	for (size_t i = 0; i < section->count; i++)
		if (!conf_value_equal(&section->items[i], before, after))
			return true;
	return false;
}
