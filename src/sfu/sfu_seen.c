#include "sfu/sfu_seen.h"

#include "core/check.h"

#define VALUE_MAX 9007199254740991 /* what a page can count to */

static const char *const names[SEEN_KINDS] = {
	[SEEN_FRAMES] = "frames",       [SEEN_DROPPED] = "dropped", [SEEN_FREEZES] = "freezes",
	[SEEN_FROZEN_MS] = "frozen_ms", [SEEN_LOST] = "lost",       [SEEN_JITTER_US] = "jitter_us",
	[SEEN_WIDTH] = "width",         [SEEN_HEIGHT] = "height",   [SEEN_FPS] = "fps",
};

bool seen_read(struct bytes in, int64_t now_us, struct seen *out)
{
	json_t *tree = json_loadb((const char *)in.at, in.len, JSON_REJECT_DUPLICATES, NULL);
	struct seen fresh = {.at_us = now_us};
	bool good = json_is_object(tree);

	for (unsigned i = 0; i < SEEN_KINDS && good; i++) {
		const json_t *value = json_object_get(tree, names[i]);
		double number = json_number_value(value);

		if (!value)
			continue;
		good = json_is_number(value) && number >= -VALUE_MAX && number <= VALUE_MAX;
		if (good)
			fresh.value[i] = (int64_t)number;
	}
	json_decref(tree);
	if (good)
		*out = fresh;
	return good;
}

json_t *seen_tree(const struct seen *seen)
{
	json_t *tree = seen->at_us ? json_object() : NULL;

	if (!tree)
		return NULL;
	json_object_set_new(tree, "at_us", json_integer((json_int_t)seen->at_us));
	for (unsigned i = 0; i < SEEN_KINDS; i++)
		json_object_set_new(tree, names[i], json_integer((json_int_t)seen->value[i]));
	return tree;
}
