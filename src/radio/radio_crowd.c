#include "radio/radio_crowd.h"

#include <stdlib.h>

#include "radio/radio_facts.h"

static void crowd_free(struct crowd *crowd)
{
	free(crowd->copies);
	free(crowd->names);
	free(crowd);
}

static struct address address_of(const struct listener *listener)
{
	struct address address = {.port = listener->port};

	memcpy(address.ip, listener->ip, sizeof address.ip);
	return address;
}

static bool crowd_fits(const struct crowd *crowd, const struct listener *listener)
{
	struct address address = address_of(listener);
	struct bytes find = bytes_str(crowd->find), agent = bytes_str(listener->agent);
	char text[ADDRESS_TEXT_MAX + 1];

	if (crowd->id && listener->id != crowd->id)
		return false;
	if (crowd->by_network && !cidr_holds(&crowd->network, &address))
		return false;
	return find.len == 0 || bytes_find_nocase(agent, find) < agent.len ||
	       strstr(address_text(&address, text), crowd->find);
}

/* --- copies --------------------------------------------------------------------------------- */

static bool copies_grow(struct crowd *crowd)
{
	size_t size = crowd->copy_size ? crowd->copy_size * 2 : 256;
	struct crowd_copy *larger;

	if (crowd->copy_count < crowd->copy_size)
		return true;
	larger = realloc(crowd->copies, size * sizeof *larger);
	if (!larger)
		return false;
	crowd->copies = larger;
	crowd->copy_size = size;
	return true;
}

/* The number of this mount's name among names. */
static bool name_number(struct crowd *crowd, const char *name, uint32_t *number)
{
	char(*more)[FEED_NAME_MAX + 1];

	for (*number = 0; *number < crowd->name_count; (*number)++)
		if (strcmp(crowd->names[*number], name) == 0)
			return true;
	more = realloc(crowd->names, (crowd->name_count + 1) * sizeof *more);
	if (!more)
		return false;
	crowd->names = more;
	bytes_to_str(bytes_str(name), more[crowd->name_count++], sizeof *more);
	return true;
}

RUNS_ON(on_worker)
static void copy_one(struct crowd *crowd, uint32_t name, const struct listener *listener)
{
	if (!copies_grow(crowd)) {
		crowd->no_memory = true;
		return;
	}
	crowd->copies[crowd->copy_count++] = (struct crowd_copy){
		.row = *listener, .lag_ms = facts_lag_ms(listener), .name = name};
}

/* --- one outlet ----------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void visit_copy(struct crowd *crowd, struct outlet *outlet)
{
	uint32_t name;

	if (!name_number(crowd, outlet->mount->name, &name)) {
		crowd->no_memory = true;
		return;
	}
	for (unsigned s = 0; s < TURN_SLOTS; s++)
		for (uint32_t i = 0; i < outlet->slot[s].count; i++) {
			const struct listener *listener =
				table_row(outlet_table(), outlet->slot[s].rows[i]);

			if (crowd_fits(crowd, listener))
				copy_one(crowd, name, listener);
		}
}

/* Takes out of its slot whom take() wants; the last one of the slot is then in its place. */
RUNS_ON(on_worker) static void visit_change(struct crowd *crowd, struct outlet *outlet)
{
	struct outlet *to = crowd->deed == CROWD_MOVE ? outlet_find(bytes_str(crowd->to)) : NULL;

	if (crowd->deed == CROWD_MOVE && (!to || to == outlet))
		return;
	for (unsigned s = 0; s < TURN_SLOTS; s++)
		for (uint32_t i = 0; i < outlet->slot[s].count;) {
			uint32_t row = outlet->slot[s].rows[i];

			if (!crowd_fits(crowd, table_row(outlet_table(), row)) ||
			    (to && !listener_move(outlet, to, row))) {
				i++;
				continue;
			}
			outlet_remove_at(outlet, s, i);
			if (!to)
				listener_end(outlet, row, LEAVE_KILLED);
			crowd->done++;
		}
}

static void on_visit(struct baton *baton, struct worker *worker)
{
	struct crowd *crowd = container_of(baton, struct crowd, baton);

	(void)worker;
	enter_worker();
	for (struct outlet *outlet = outlet_first(); outlet; outlet = outlet->next) {
		if (crowd->mount[0] &&
		    !bytes_equal(bytes_str(outlet->mount->name), bytes_str(crowd->mount)))
			continue;
		if (crowd->deed == CROWD_COPY)
			visit_copy(crowd, outlet);
		else
			visit_change(crowd, outlet);
	}
}

static void on_home(struct baton *baton)
{
	struct crowd *crowd = container_of(baton, struct crowd, baton);

	enter_control();
	crowd->home(crowd);
	crowd_free(crowd);
}

struct crowd *crowd_make(enum crowd_deed deed, struct call *call, void (*home)(struct crowd *crowd))
{
	struct crowd *crowd = calloc(1, sizeof *crowd);

	if (!crowd)
		return NULL;
	crowd->deed = deed;
	crowd->call = call;
	crowd->home = home;
	crowd->baton.visit = on_visit;
	crowd->baton.home = on_home;
	return crowd;
}

void crowd_send(struct crowd *crowd)
{
	baton_send(&crowd->baton);
}
