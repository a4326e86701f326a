#include "edge/api_settings.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/conf_value.h"
#include "edge/document.h"

static const struct api_settings_owner *owner;

void api_settings_own(const struct api_settings_owner *given)
{
	owner = given;
}

static const char *from_word(enum conf_from from)
{
	switch (from) {
	case CONF_FROM_DEFAULT: return "default";
	case CONF_FROM_PARENT: return "inherited";
	case CONF_FROM_FILE: return "file";
	case CONF_FROM_SET: return "option";
	}
	return "";
}

/* "http://ann:secret@radio/x" → "http://ann:***@radio/x", wherever a URL begins in a text; a name
 * without a password may be a secret itself. The text is the caller's to free; NULL: no memory. */
static char *without_passwords(const char *text)
{
	char *out = malloc(2 * strlen(text) + 8), *to = out;
	const char *at = text, *begin;

	while (out && (begin = strstr(at, "://"))) {
		const char *end = begin + 3 + strcspn(begin + 3, "/?# \t");
		const char *sign = memrchr(begin + 3, '@', (size_t)(end - begin - 3));
		const char *colon =
			sign ? memchr(begin + 3, ':', (size_t)(sign - begin - 3)) : NULL;
		const char *kept = colon ? colon + 1 : begin + 3;

		to = mempcpy(to, at, (size_t)((sign ? kept : end) - at));
		if (sign)
			to = mempcpy(mempcpy(to, "***", 3), sign, (size_t)(end - sign));
		at = end;
	}
	if (out)
		memcpy(to, at, strlen(at) + 1);
	return out;
}

static json_t *shown(const char *text)
{
	char *masked = without_passwords(text);
	json_t *string = masked ? document_text(masked) : NULL;

	free(masked);
	return string;
}

/* Lines such as "Authorization: Bearer x": which there are is said, and not what they hold. */
static json_t *names_of_headers(const struct conf_list *list)
{
	struct buffer buffer = {0};
	json_t *string;

	for (size_t i = 0; i < list->count; i++) {
		buffer_put(&buffer, i ? BYTES(", ") : BYTES(""));
		buffer_put(&buffer, bytes_first(bytes_str(list->at[i]), strcspn(list->at[i], ":")));
		buffer_put(&buffer, BYTES(": ***"));
	}
	buffer_put(&buffer, bytes_of("", 1));
	string = buffer.failed ? NULL : document_text((const char *)buffer_bytes(&buffer).at);
	buffer_fini(&buffer);
	return string;
}

/* As it would stand in the file; quotes of one text are left out, for people. */
static json_t *value_of(const struct conf_item *rules, const void *values)
{
	const void *field = (const char *)values + rules->offset;
	char *text = NULL;
	size_t len = 0;
	json_t *string;
	FILE *out;

	if (rules->type == CONF_SECRET)
		return json_string((*(const char *const *)field)[0] ? "***" : "");
	if (rules->type == CONF_TEXT || rules->type == CONF_PATH)
		return shown(*(const char *const *)field);
	if (rules->type == CONF_LIST && strcmp(rules->name, "headers") == 0)
		return names_of_headers(field);
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	conf_value_print(out, rules, values);
	fclose(out);
	string = shown(text);
	free(text);
	return string;
}

static json_t *setting_tree(const struct conf *conf, const struct conf_room *room,
			    const struct conf_item *item, const void *values)
{
	struct conf_item rules = conf_item_rules(room, item);
	struct conf_place place = {0};
	enum conf_from from = conf_origin_of(conf, values, item->name, &place);
	json_t *tree = json_object();

	json_object_set_new(tree, "name", json_string(item->name));
	json_object_set_new(tree, "value", value_of(&rules, values));
	json_object_set_new(tree, "default", json_string(rules.preset));
	json_object_set_new(tree, "kind", json_string(conf_value_kind(&rules)));
	json_object_set_new(tree, "help", json_string(rules.help));
	json_object_set_new(tree, "from", json_string(from_word(from)));
	json_object_set_new(tree, "inherits", json_string(item->inherits));
	json_object_set_new(tree, "secret", json_boolean(rules.type == CONF_SECRET));
	if (from != CONF_FROM_DEFAULT) {
		/* An option's text may hold a secret: only its name is shown. */
		struct bytes source = bytes_str(place.source);

		source = bytes_first(source, bytes_find(source, '='));
		json_object_set_new(tree, "source",
				    json_stringn((const char *)source.at, source.len));
		json_object_set_new(tree, "line", json_integer(place.line));
	}
	return tree;
}

static json_t *settings_tree(const struct conf *conf, const struct conf_room *room,
			     const struct conf_item *items, size_t count, const void *values)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, setting_tree(conf, room, &items[i], values));
	return list;
}

static json_t *section_tree(const struct conf *conf, const struct conf_room *room)
{
	const struct conf_section *section = room->section;
	json_t *tree = json_object(), *entries = json_array();

	for (size_t i = 0; i < conf_entry_count(conf, section); i++) {
		json_t *entry = json_object();

		json_object_set_new(entry, "name",
				    document_text(conf_entry_name(conf, section, i)));
		json_object_set_new(entry, "settings",
				    settings_tree(conf, room, section->items, section->count,
						  conf_entry_values(conf, section, i)));
		json_array_append_new(entries, entry);
	}
	json_object_set_new(tree, "name", json_string(section->name));
	json_object_set_new(tree, "help", json_string(section->help));
	json_object_set_new(tree, "entries", entries);
	return tree;
}

RUNS_ON(on_control)
static void answer_settings(struct call *call, const struct api_input *input)
{
	const struct conf *conf = owner->in_force();
	json_t *tree = json_object(), *rooms = json_array();

	(void)input;
	for (size_t i = 0; i < conf_room_count(conf); i++) {
		const struct conf_room *room = conf_room_at(conf, i);
		json_t *one = json_object();

		json_object_set_new(one, "name", json_string(room->name));
		json_object_set_new(one, "title", json_string(room->title));
		json_object_set_new(one, "settings",
				    settings_tree(conf, room, room->items, room->count,
						  conf_values(conf, room)));
		json_object_set_new(one, "section",
				    room->section ? section_tree(conf, room) : json_null());
		json_array_append_new(rooms, one);
	}
	json_object_set_new(tree, "file", owner->file ? document_text(owner->file) : json_null());
	json_object_set_new(tree, "rooms", rooms);
	api_answer(call, tree);
}

/* One text a line. */
static json_t *lines_of(struct bytes text)
{
	json_t *list = json_array();

	while (text.len) {
		struct bytes line = bytes_cut(&text, '\n');
		json_t *string = json_stringn((const char *)line.at, line.len);

		json_array_append_new(list, string ? string : json_string("\xef\xbf\xbd"));
	}
	return list;
}

/* Runs something that writes faults, and answers with them. */
#define JUDGE(call, run)                                                               \
	do {                                                                           \
		char *text_ = NULL;                                                    \
		size_t len_ = 0;                                                       \
		FILE *faults = open_memstream(&text_, &len_);                          \
		json_t *tree_ = json_object();                                         \
		bool good_ = faults && (run);                                          \
                                                                                       \
		if (faults)                                                            \
			fclose(faults);                                                \
		json_object_set_new(tree_, "good", json_boolean(good_));               \
		json_object_set_new(tree_, "faults", lines_of(bytes_of(text_, len_))); \
		free(text_);                                                           \
		api_answer(call, tree_);                                               \
	} while (0)

RUNS_ON(on_control)
static void answer_check(struct call *call, const struct api_input *input)
{
	const char *text = api_text(input, "text");

	if (!text) {
		api_fault(call, 400, "no_text", "text is missing: the content of a settings file");
		return;
	}
	JUDGE(call, owner->check(bytes_str(text), faults));
}

RUNS_ON(on_control)
static void answer_reload(struct call *call, const struct api_input *input)
{
	(void)input;
	api_log_order(call, "");
	JUDGE(call, owner->reload(faults));
}

const struct api_operation settings_operations[] = {
	{"GET", API_ROOT "/settings", RANK_ADMIN, answer_settings,
	 "All settings: the value in force, the default, what it means and who said it.", NULL,
	 "Settings", NULL},
	{"POST", API_ROOT "/settings/check", RANK_ADMIN, answer_check,
	 "Says what is wrong with a text as a settings file; changes nothing.", "SettingsText",
	 "Judgement", NULL},
	{"POST", API_ROOT "/reload", RANK_ADMIN, answer_reload,
	 "Reads the settings file again and puts all of it in force, or nothing.", NULL,
	 "Judgement", NULL},
	{0},
};
