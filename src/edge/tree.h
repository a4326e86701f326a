/* tree: members of a JSON object, one call each. Thin: jansson owns all that is put. Any thread. */
#pragma once

#include "edge/document.h"

/* What is no UTF-8 becomes U+FFFD; NULL is put as the empty text. */
static inline void tree_text(json_t *tree, const char *name, const char *text)
{
	json_object_set_new(tree, name, document_text(text ? text : ""));
}

static inline void tree_number(json_t *tree, const char *name, int64_t number)
{
	json_object_set_new(tree, name, json_integer(number));
}

static inline void tree_bool(json_t *tree, const char *name, bool yes)
{
	json_object_set_new(tree, name, json_boolean(yes));
}

/* Seconds since 1970 of microseconds; null for 0, which stands for never. */
static inline void tree_time(json_t *tree, const char *name, int64_t wall_us)
{
	json_object_set_new(tree, name, wall_us ? json_integer(wall_us / 1000000) : json_null());
}
