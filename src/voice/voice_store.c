/* voice_store: channels, registrations and bans, kept beyond the process: read before the doors open,
 * written a moment after each change. */
#include <errno.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "store/store_voice.h"
#include "voice/voice_door.h"
#include "voice/voice_left.h"
#include "voice/voice_tree.h"

#define SAVE_MS  100
#define AGAIN_MS 5000
#define LOAD_MS  1000 /* between two attempts to read what was kept */

static struct {
	uv_timer_t timer;
	bool runs;
	bool loaded; /* before that nothing is written: it would be in the place of what is not known */
	struct store_voice *next; /* what was removed, and goes with the next save */
	bool bans;                /* are other than what is kept */
	unsigned under_way;       /* saves that were not answered yet */
	bool said;                /* that it cannot be read */
} keep OWNED_BY(on_control);

/* --- saving ------------------------------------------------------------------------------------ */

/* tree is taken; NULL: the row goes. False: no memory. */
static bool add(struct store_voice *to, const char *kind, int64_t id, json_t *tree, bool drops)
{
	struct store_voice_row *larger = realloc(to->rows, (to->count + 1) * sizeof *larger);
	char *body = tree ? json_dumps(tree, JSON_COMPACT) : NULL;

	json_decref(tree);
	if (larger)
		to->rows = larger;
	if (!larger || (!body && !drops)) {
		free(body);
		return false;
	}
	larger[to->count] = (struct store_voice_row){.id = id, .body = body};
	bytes_to_str(bytes_str(kind), larger[to->count].kind, STORE_VOICE_KIND_SIZE);
	to->count++;
	return true;
}

RUNS_ON(on_control) static struct store_voice *order(void)
{
	if (!keep.next)
		keep.next = calloc(1, sizeof *keep.next);
	return keep.next;
}

void voice_store_drop(const char *kind, int64_t id)
{
	if (order() && !add(keep.next, kind, id, NULL, true))
		metric_add(METRIC_voice_out_of_memory, 1);
	voice_registry_changed();
}

static void on_due(uv_timer_t *timer);

static void on_saved(struct store_ask *ask)
{
	struct store_voice *saved = container_of(ask, struct store_voice, ask);

	enter_control();
	keep.under_way--;
	if (ask->fault && ask->fault != STORE_OFF) {
		log_warnx("voice", "not kept", kv_str("why", store_fault_text(ask->fault)));
		/* All of it once more, whatever changed meanwhile; what is gone stays gone. */
		for (size_t i = 0; i < saved->count; i++)
			if (!saved->rows[i].body && order())
				(void)add(keep.next, saved->rows[i].kind, saved->rows[i].id, NULL,
					  true);
		voice_store_all_unsaved();
		if (keep.runs)
			uv_timer_start(&keep.timer, on_due, AGAIN_MS, 0);
	}
	store_voice_fini(saved);
	free(saved);
}

RUNS_ON(on_control) static void save(void)
{
	struct store_voice *to;
	bool whole;

	if (!keep.loaded)
		return;
	to = order();
	whole = to != NULL;
	for (size_t i = 0; whole && i < voice_hub.channel_room; i++) {
		struct voice_channel *channel = voice_hub.channels[i];

		if (!channel || !channel->unsaved || channel->temporary)
			continue;
		whole = add(to, "channel", channel->id, voice_tree_channel(channel), false);
		channel->unsaved = !whole;
	}
	for (size_t i = 0; whole && i < voice_hub.registration_count; i++) {
		struct voice_registration *row = voice_hub.registrations[i];

		if (!row->unsaved)
			continue;
		whole = add(to, "user", row->id, voice_tree_registration(row), false);
		row->unsaved = !whole;
	}
	if (whole && keep.bans) {
		whole = add(to, "bans", 0, voice_tree_bans(), false);
		keep.bans = !whole;
	}
	if (!whole)
		metric_add(METRIC_voice_out_of_memory, 1);
	if (!to || to->count == 0)
		return;
	keep.next = NULL;
	keep.under_way++;
	to->ask.run = store_voice_save;
	to->ask.done = on_saved;
	store_ask(&to->ask);
}

void voice_registry_changed(void)
{
	if (keep.runs && keep.loaded && !uv_is_active((uv_handle_t *)&keep.timer))
		uv_timer_start(&keep.timer, on_due, SAVE_MS, 0);
}

void voice_bans_changed(void)
{
	keep.bans = true;
	voice_registry_changed();
}

void voice_store_all_unsaved(void)
{
	keep.bans = true;
	for (size_t i = 0; i < voice_hub.channel_room; i++)
		if (voice_hub.channels[i])
			voice_hub.channels[i]->unsaved = true;
	for (size_t i = 0; i < voice_hub.registration_count; i++)
		voice_hub.registrations[i]->unsaved = true;
}

/* --- reading ----------------------------------------------------------------------------------- */

/* NULL: it is none, which is said, or there is no memory. */
static json_t *body_of(const struct store_voice_row *row, bool *out_of_memory)
{
	json_error_t fault;
	json_t *tree = json_loads(row->body, VOICE_TREE_LOAD, &fault);

	*out_of_memory = !tree && json_error_code(&fault) == json_error_out_of_memory;
	if (!tree && !*out_of_memory)
		log_warnx("voice", "row not read", kv_str("kind", row->kind),
			  kv_i64("id", row->id));
	return tree;
}

/* False: no memory. */
RUNS_ON(on_control) static bool read_rows(const struct store_voice *from, bool places)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct store_voice_row *row = &from->rows[i];
		bool out_of_memory, is_read = true;
		json_t *tree = body_of(row, &out_of_memory);

		if (out_of_memory)
			return false;
		if (!tree)
			continue;
		if (strcmp(row->kind, "channel") == 0)
			places ? voice_tree_place_channel(row->id, tree)
			       : voice_tree_read_channel(row->id, tree);
		else if (!places && strcmp(row->kind, "user") == 0)
			voice_tree_read_registration(row->id, tree);
		else if (!places && strcmp(row->kind, "bans") == 0)
			is_read = voice_tree_read_bans(tree);
		json_decref(tree);
		if (!is_read)
			return false;
	}
	return true;
}

/* The rooms stay closed: open ones would know no bans and no rules, and what came to be in them would be
 * written over what cannot be read now. */
RUNS_ON(on_control) static void try_again(const char *why)
{
	if (!keep.said)
		log_warnx("voice", "rooms stay closed: what was kept of them cannot be read",
			  kv_str("why", why));
	keep.said = true;
	uv_timer_start(&keep.timer, on_due, LOAD_MS, 0);
}

static void on_loaded(struct store_ask *ask)
{
	struct store_voice *loaded = container_of(ask, struct store_voice, ask);

	enter_control();
	if (!voice_hub.running)
		;
	else if (ask->fault && ask->fault != STORE_OFF)
		try_again(store_fault_text(ask->fault));
	else if (loaded->out_of_memory || !read_rows(loaded, false) || !read_rows(loaded, true))
		try_again("out of memory");
	else {
		for (size_t i = 0; i < voice_hub.channel_room; i++)
			if (voice_hub.channels[i])
				voice_hub.channels[i]->unsaved = false;
		keep.loaded = true;
		voice_left_restore();
		voice_hub_open();
		voice_door_go();
		voice_left_go();
	}
	store_voice_fini(loaded);
	free(loaded);
}

RUNS_ON(on_control) static int load(void)
{
	struct store_voice *load = calloc(1, sizeof *load);

	if (!load)
		return -ENOMEM;
	load->ask.run = store_voice_load;
	load->ask.done = on_loaded;
	store_ask(&load->ask);
	return 0;
}

static void on_due(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	if (keep.loaded)
		save();
	else if (load() != 0)
		try_again("out of memory");
}

int voice_store_start(uv_loop_t *loop)
{
	int error = uv_timer_init(loop, &keep.timer);

	if (error)
		return error;
	keep.runs = true;
	keep.loaded = false;
	return load();
}

void voice_store_now(void)
{
	if (keep.runs)
		save();
}

bool voice_store_is_kept(void)
{
	return keep.under_way == 0;
}

void voice_store_part(void)
{
	keep.runs = false;
	uv_timer_stop(&keep.timer);
}

void voice_store_stop(void)
{
	if (!keep.runs)
		return;
	save();
	keep.runs = false;
	uv_close((uv_handle_t *)&keep.timer, NULL);
}

void voice_store_fini(void)
{
	enter_control();
	if (keep.next)
		store_voice_fini(keep.next);
	free(keep.next);
	keep.next = NULL;
}
