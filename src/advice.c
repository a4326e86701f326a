#include "advice.h"

#include <errno.h>
#include <string.h>

/* The setting that has this door as a member, or http.listen, whose neighbour it then is. */
static const char *setting_of(const struct conf *conf, struct bytes at)
{
	for (size_t i = 0; i < conf_room_count(conf); i++) {
		const struct conf_room *room = conf_room_at(conf, i);

		for (size_t j = 0; j < room->count; j++) {
			const struct conf_item *item = &room->items[j];
			const struct conf_list *list =
				(const void *)((const char *)conf_values(conf, room) +
					       item->offset);

			if (item->type != CONF_LISTEN)
				continue;
			for (size_t k = 0; k < list->count; k++)
				if (bytes_equal(bytes_str(list->at[k]), at))
					return item->name;
		}
	}
	return "http.listen";
}

void advice_print(FILE *out, const struct conf *conf, int error, const char *at)
{
	struct bytes door = bytes_first(bytes_str(at), bytes_find(bytes_str(at), ' '));
	const char *setting = setting_of(conf, door), *port = strrchr(at, ':');

	if (!at[0])
		return;
	switch (error) {
	case -EADDRINUSE:
		fprintf(out,
			"\nringmain: another program serves %s already. Choose another port, "
			"for example:\n    --set '%s=[::]:8010'\n"
			"No two settings may have the same. The port above http.listen's is ours,\n"
			"for SHOUTcast encoders; --set radio.shoutcast_port=no does without.\n\n",
			at, setting);
		return;
	case -EACCES:
		fprintf(out,
			"\nringmain: %s is not for ordinary users. Choose a port above 1023:\n"
			"    --set '%s=[::]:8000'\n"
			"or give it the right to: CAP_NET_BIND_SERVICE, as the unit of the package "
			"does.\n\n",
			at, setting);
		return;
	case -EADDRNOTAVAIL:
		fprintf(out,
			"\nringmain: %s is no address of this machine. `ip address` shows those "
			"that\n"
			"are; this serves on all of them:\n    --set '%s=[::]:%.*s'\n\n",
			at, setting, port ? (int)strcspn(port + 1, " ") : 0, port ? port + 1 : "");
		return;
	default: return;
	}
}
