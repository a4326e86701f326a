#include "core/conf_standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

static char *value_of(const struct conf *conf, const struct conf_room *room, const char *name)
{
	const struct conf_item *item = room->items;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	while (item < room->items + room->count && strcmp(item->name, name) != 0)
		item++;
	CHECK(item < room->items + room->count);
	if (!out)
		return NULL;
	conf_value_print(out, item, conf_values(conf, room));
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void conf_standing_take(struct conf_standing *list, const struct conf *conf,
			const struct conf_room *room)
{
	for (; list->item; list++) {
		free(list->value);
		list->value = value_of(conf, room, list->item);
	}
}

void conf_standing_doubt(const struct conf_standing *list, const struct conf *conf,
			 const struct conf_room *room, struct conf_errors *errors)
{
	for (; list->item; list++) {
		char *now = list->value ? value_of(conf, room, list->item) : NULL;

		if (now && strcmp(now, list->value) != 0)
			conf_fault(errors, conf, conf_values(conf, room), list->item,
				   "takes effect at the next start, until then it is %s",
				   list->value);
		free(now);
	}
}

void conf_standing_drop(struct conf_standing *list)
{
	for (; list->item; list++) {
		free(list->value);
		list->value = NULL;
	}
}
