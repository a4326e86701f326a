/* conf_table: a small room with one setting of each type and a section, for the tests of conf. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/conf_print.h"

#define PLAIN_ROWS(SETTING)                                                            \
	SETTING(plain, TEXT, plain, "hello", "", "", "A text.")                        \
	SETTING(net.listen, LISTEN, listen, "0.0.0.0:1, [::]:1", "", "", "Addresses.") \
	SETTING(net.hosts, LIST, hosts, "", "", "", "Hosts.")                          \
	SETTING(net.password, SECRET, password, "", "", "", "A secret.")               \
	SETTING(net.path, PATH, path, "", "", "", "A path. Two sentences.")            \
	SETTING(net.deep.flag, BOOL, flag, "no", "", "", "A flag.")                    \
	SETTING(size, SIZE, size, "64k", "1k", "16M", "A size.")                       \
	SETTING(time, DURATION, time, "3s", "5ms", "1h", "A duration.")                \
	SETTING(count, COUNT, count, "7", "1", "", "A number.")                        \
	SETTING(level, CHOICE, level, "info", "debug info error", "", "A word.")

#define THING_ROWS(ITEM, INHERIT)                           \
	ITEM(next, TEXT, next, "", "", "", "The next one.") \
	ITEM(tags, LIST, tags, "a b", "", "", "Tags.")      \
	INHERIT(key, SECRET, key, net.password, "Its key.") \
	INHERIT(size, SIZE, size, size, "Its size.")        \
	INHERIT(level, CHOICE, level, level, "Its level.")

struct plain_conf {
	PLAIN_ROWS(CONF_FIELD)
};

struct thing_conf {
	THING_ROWS(CONF_FIELD, CONF_FIELD)
};

#define PLAIN_ITEM(name, type, field, ...) \
	CONF_ITEM(struct plain_conf, #name, CONF_##type, field, __VA_ARGS__)
#define THING_ITEM(name, type, field, ...) \
	CONF_ITEM(struct thing_conf, #name, CONF_##type, field, __VA_ARGS__)
#define THING_INHERIT(name, type, field, from, help) \
	CONF_INHERIT(struct thing_conf, #name, CONF_##type, field, #from, help)

static const struct conf_item plain_items[] = {PLAIN_ROWS(PLAIN_ITEM)};
static const struct conf_item thing_items[] = {THING_ROWS(THING_ITEM, THING_INHERIT)};

static const struct conf_section thing_section = {
	.name = "thing",
	.title = "/one",
	.help = "Things.",
	.items = thing_items,
	.count = sizeof thing_items / sizeof *thing_items,
	.size = sizeof(struct thing_conf),
};

static const struct conf_room plain_room;

/* One rule of each kind: a member of a list, a value, an entry. */
static inline void plain_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct plain_conf *plain = conf_values(conf, &plain_room);

	for (size_t i = 0; i < plain->hosts.count; i++)
		if (strcmp(plain->hosts.at[i], "bad") == 0)
			conf_fault_member(errors, conf, plain, "net.hosts", i,
					  "expected a good host");
	if (strcmp(plain->password, "bad") == 0)
		conf_fault(errors, conf, plain, "net.password", "expected a good password");
	for (size_t i = 0; i < conf_entry_count(conf, &thing_section); i++) {
		const struct thing_conf *thing = conf_entry_values(conf, &thing_section, i);

		if (strcmp(conf_entry_name(conf, &thing_section, i), "bad") == 0)
			conf_fault_entry(errors, conf, thing, "expected a good name");
		if (strcmp(thing->next, "bad") == 0)
			conf_fault(errors, conf, thing, "next", "expected a good thing");
	}
}

static const struct conf_room plain_room = {
	.name = "plain",
	.title = "Plain",
	.items = plain_items,
	.count = sizeof plain_items / sizeof *plain_items,
	.size = sizeof(struct plain_conf),
	.section = &thing_section,
	.check = plain_check,
};

static const struct conf_room *const plain_rooms[] = {&plain_room};

static inline struct conf *load_plain(const char *text, const char *const *sets, size_t set_count,
				      struct conf_errors *errors)
{
	struct conf_source source = {
		.path = "t.conf", .text = bytes_str(text), .sets = sets, .set_count = set_count};

	*errors = (struct conf_errors){0};
	return conf_load(plain_rooms, 1, &source, errors);
}

/* What is written to a FILE, as a string that the caller frees. */
static inline char *errors_text(const struct conf_errors *errors)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	conf_errors_print(out, errors);
	fclose(out);
	return text;
}

static inline char *dump_text(const struct conf *conf, bool reveal)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	conf_dump(out, conf, reveal);
	fclose(out);
	return text;
}
