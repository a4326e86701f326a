/* conf: the settings of all rooms as one immutable snapshot.
 *
 *     core.def  edge.def  radio.def + mount.def      one row a setting: type, default, limits, help
 *         └────────┴──────────┴──▶ conf_room ─┐
 *     ringmain.conf ──────────────────────────┼──▶ conf_load ──▶ struct conf ──▶ struct radio_conf
 *     --set radio.burst=128k ─────────────────┘        └──▶ all faults, each with its place
 *
 * A room lists its settings in an X-macro table and includes it twice: as the fields of its struct
 * (CONF_FIELD) and as items (CONF_ITEM). Help, manual page, example file and dump are made from the
 * same rows, by conf_print.h. Adding a setting is one row.
 *
 * A section is a table of which the file may hold many, each with a name:
 *
 *     mount:
 *       default:    { burst: 32k }            for all of them
 *       /events-*:  { max_listeners: 500 }    for the names that match
 *       /live:      { password: x, fallback: /auto }
 *
 * What an entry leaves unset comes from the wildcard entry with the longest name that matches it, or
 * else from "default", and there from the setting of the room that the row names.
 *
 * Owner: who loads it; nothing in it changes until conf_free(), so any thread may read it. Reload
 * means: load a second one, compare with conf_changed(), put it in place, free the first when nobody
 * reads it. Does not watch files and does not know what any setting means. */
#pragma once

#include "core/bytes.h"
#include "core/conf_error.h"
#include "core/conf_value.h"

/* The C type of a field for each type in a row; conf_value.h says what each may be. */
#define CONF_C_TEXT     const char *
#define CONF_C_SECRET   const char *
#define CONF_C_BOOL     bool
#define CONF_C_COUNT    uint64_t
#define CONF_C_SIZE     uint64_t
#define CONF_C_DURATION uint64_t
#define CONF_C_LIST     struct conf_list
#define CONF_C_LISTEN   struct conf_list
#define CONF_C_PATH     const char *
#define CONF_C_CHOICE   unsigned

/* Rows of a room's table:     SETTING(name, TYPE, field, default, low, high, help)
 * rows of a section's table:  ITEM(name, TYPE, field, default, low, high, help)
 *                             INHERIT(name, TYPE, field, name of the room's setting, help)
 * A table ends with #undef of what it uses. */
#define CONF_FIELD(name, type, field, ...) CONF_C_##type field;

/* The room writes #name and CONF_##type itself, so that no macro of that name gets in between:
 *     #define SETTING(name, type, field, ...) \
 *             CONF_ITEM(struct radio_conf, #name, CONF_##type, field, __VA_ARGS__) */
#define CONF_ITEM(owner, name, type, field, preset, low, high, help) \
	{name, type, offsetof(owner, field), preset, low, high, "", help},
#define CONF_INHERIT(owner, name, type, field, from, help) \
	{name, type, offsetof(owner, field), "", "", "", from, help},

/* A file may hold so many entries of a section, besides "default". */
#define CONF_ENTRIES_MAX 10000u

struct conf;

/* Who said a value. */
enum conf_from {
	CONF_FROM_DEFAULT,
	CONF_FROM_PARENT, /* inherited; place is the parent's */
	CONF_FROM_FILE,
	CONF_FROM_SET,
};

struct conf_section {
	const char *name;  /* "mount" */
	const char *title; /* an example of an entry's name: "/live" */
	const char *help;
	const struct conf_item *items;
	size_t count;
	size_t size; /* of the struct */
};

struct conf_room {
	const char *name;  /* "radio" */
	const char *title; /* heading in help and manual */
	const struct conf_item *items;
	size_t count;
	size_t size;                        /* of the struct */
	const struct conf_section *section; /* or NULL */
	/* Rules between settings; reports with conf_fault(). Values at fault hold their default. */
	void (*check)(const struct conf *conf, struct conf_errors *errors); /* or NULL */
};

struct conf_source {
	const char *path;  /* the file; NULL: none */
	struct bytes text; /* when at is not NULL: its content, and path is only its name */
	const char *const
		*sets; /* "name=value", each stronger than the file and than those before */
	size_t set_count;
};

/* The rooms must live as long as the snapshot. NULL: errors says everything that is wrong, in the
 * order of the file. errors starts as {0}. */
struct conf *conf_load(const struct conf_room *const *rooms, size_t room_count,
		       const struct conf_source *source, struct conf_errors *errors);
void conf_free(struct conf **conf);

size_t conf_room_count(const struct conf *conf);
const struct conf_room *conf_room_at(const struct conf *conf, size_t index);

/* The room's struct; rooms wrap this with their own type. */
const void *conf_values(const struct conf *conf, const struct conf_room *room);

/* The entries of a section, as in the file; [0] is always "default". */
size_t conf_entry_count(const struct conf *conf, const struct conf_section *section);
const char *conf_entry_name(const struct conf *conf, const struct conf_section *section, size_t i);
const void *conf_entry_values(const struct conf *conf, const struct conf_section *section,
			      size_t i);

/* What holds for a name, whether the file lists it or not; never NULL. */
const void *conf_entry_for(const struct conf *conf, const struct conf_section *section,
			   const char *name);

/* Whether there is an entry of exactly that name. */
bool conf_entry_listed(const struct conf *conf, const struct conf_section *section,
		       const char *name);

/* Whether there is an entry of exactly that name that sets the item itself. */
bool conf_entry_says(const struct conf *conf, const struct conf_section *section, const char *name,
		     const char *item);

/* Whether a name in the file stands for many: "default", or with a star. */
bool conf_entry_is_pattern(const char *name);

/* Who said the item's value in a struct of this snapshot (a room's or an entry's), and where. */
enum conf_from conf_origin_of(const struct conf *conf, const void *values, const char *item,
			      struct conf_place *place);

/* Reports the item of a struct of this snapshot (a room's or an entry's) at the place where its
 * value was said; silent when that value was at fault already. The message is "expected …"; what
 * was found is added, unless it is a secret. */
__attribute__((format(printf, 5, 6))) void conf_fault(struct conf_errors *errors,
						      const struct conf *conf, const void *values,
						      const char *item, const char *format, ...);

/* The same for one member of a list, at its own place. */
__attribute__((format(printf, 6, 7))) void conf_fault_member(struct conf_errors *errors,
							     const struct conf *conf,
							     const void *values, const char *item,
							     size_t index, const char *format, ...);

/* The same for an entry as a whole, at the place of its name. */
__attribute__((format(printf, 4, 5))) void conf_fault_entry(struct conf_errors *errors,
							    const struct conf *conf,
							    const void *values, const char *format,
							    ...);

/* The row by which an item is read and printed: its own, or for a row that inherits the type,
 * limits and words of the room's setting. */
struct conf_item conf_item_rules(const struct conf_room *room, const struct conf_item *item);

/* Whether a room's setting differs between two snapshots of the same rooms. */
bool conf_changed(const struct conf *before, const struct conf *after, const struct conf_room *room,
		  const char *item);

/* Whether anything differs between two entries' values of one section. */
bool conf_entry_changed(const struct conf_section *section, const void *before, const void *after);
