#include "irc/irc_load.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/estate.h"
#include "core/log.h"
#include "irc/irc_buffer.h"
#include "irc/irc_cursors.h"
#include "irc/irc_leave.h"
#include "irc/irc_network.h"
#include "irc/irc_push.h"
#include "irc/irc_user.h"
#include "store/store_irc.h"

#define WAIT_MS 5000 /* for the database, before doors open without it */

/* What is read, one table behind the other. */
static const enum store_irc_query tables[] = {STORE_IRC_USERS,     STORE_IRC_NETWORKS,
					      STORE_IRC_BUFFERS,   STORE_IRC_DEVICES,
					      STORE_IRC_PASSWORDS, STORE_IRC_PUSHES};

struct cursor {
	uint64_t buffer, device, seq;
	uint32_t row;
};

/* All of it; read by each worker for its own users, in turn, and then freed. */
static struct load {
	struct baton baton;
	struct store_irc_ask ask;
	struct store_rows rows[COUNT_OF(tables)];
	struct cursor *cursors;
	size_t cursor_count, cursor_size;
	unsigned at;
	bool done;
} load;

static const char *text_at(const struct store_rows *rows, size_t row, unsigned column)
{
	return store_cell_text(rows, store_cell(rows, row, column));
}

static int64_t number_at(const struct store_rows *rows, size_t row, unsigned column)
{
	return store_cell(rows, row, column)->number;
}

static bool is_ours(const char *user, const struct worker *worker)
{
	return irc_worker_of(bytes_str(user)) == worker;
}

/* --- on each worker ------------------------------------------------------------------------- */

static void users_take(const struct worker *worker)
{
	const struct store_rows *rows = &load.rows[0];

	for (size_t i = 0; i < rows->count; i++) {
		const char *name = text_at(rows, i, 0);
		struct irc_user *user =
			is_ours(name, worker) ? irc_user_make(bytes_str(name)) : NULL;

		if (user)
			irc_user_take(user, text_at(rows, i, 1));
	}
}

static void networks_take(const struct worker *worker)
{
	const struct store_rows *rows = &load.rows[1];

	for (size_t i = 0; i < rows->count; i++) {
		const char *name = text_at(rows, i, 1);
		struct irc_user *user =
			is_ours(name, worker) ? irc_user_make(bytes_str(name)) : NULL;
		struct irc_network *network =
			user ? irc_network_make(user, (uint64_t)number_at(rows, i, 0),
						bytes_str(text_at(rows, i, 2)))
			     : NULL;

		if (!network)
			continue;
		irc_network_take(network, bytes_str(text_at(rows, i, 3)));
		irc_set(&network->certificate, bytes_str(text_at(rows, i, 4)));
		irc_set(&network->key, bytes_str(text_at(rows, i, 5)));
	}
}

static int by_id(const void *a, const void *b)
{
	const struct irc_network *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/* All networks of this worker, by id. */
static size_t networks_of_worker(struct irc_network ***out)
{
	struct irc_network **all = NULL;
	size_t count = 0, size = 0;
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&irc_here.users, &at))) {
		struct irc_user *user = container_of(named, struct irc_user, named);

		for (struct irc_network *n = user->networks; n; n = n->next) {
			if (count == size) {
				struct irc_network **larger;

				size = size ? size * 2 : 64;
				larger = realloc(all, size * sizeof *larger);
				if (!larger)
					break;
				all = larger;
			}
			all[count++] = n;
		}
	}
	if (count)
		qsort(all, count, sizeof *all, by_id);
	*out = all;
	return count;
}

static void buffers_take(void)
{
	const struct store_rows *rows = &load.rows[2];
	struct irc_network **networks, **found;
	size_t count = networks_of_worker(&networks);

	enter_worker();
	for (size_t i = 0; i < rows->count && count; i++) {
		struct irc_network key = {.id = (uint64_t)number_at(rows, i, 1)}, *wanted = &key;
		uint64_t id = (uint64_t)number_at(rows, i, 0), left = irc_leave_head(id);
		uint64_t head = (uint64_t)number_at(rows, i, 5) + 1;
		struct irc_buffer *buffer;

		found = bsearch(&wanted, networks, count, sizeof *networks, by_id);
		buffer = found ? irc_buffer_add(*found, id, bytes_str(text_at(rows, i, 2)),
						left > head ? left : head)
			       : NULL;
		if (!buffer)
			continue;
		buffer->inherited = left;
		irc_buffer_take(buffer, bytes_str(text_at(rows, i, 3)));
		buffer->marker_ms = number_at(rows, i, 4);
		buffer->last_ms = number_at(rows, i, 6);
	}
	free(networks);
}

static void devices_take(const struct worker *worker)
{
	const struct store_rows *rows = &load.rows[3];

	for (size_t i = 0; i < rows->count; i++) {
		const char *name = text_at(rows, i, 1);
		struct irc_user *user =
			is_ours(name, worker) ? irc_user_make(bytes_str(name)) : NULL;

		if (user)
			(void)irc_device_add(user, (uint64_t)number_at(rows, i, 0),
					     bytes_str(text_at(rows, i, 2)), number_at(rows, i, 3));
	}
}

static void passwords_take(const struct worker *worker)
{
	const struct store_rows *rows = &load.rows[4];

	for (size_t i = 0; i < rows->count; i++) {
		const char *name = text_at(rows, i, 1);
		struct irc_user *user =
			is_ours(name, worker) ? irc_user_make(bytes_str(name)) : NULL;
		struct address address;
		struct irc_password *password = user && store_cell(rows, i, 4)->len == 32
							? calloc(1, sizeof *password)
							: NULL;

		if (!password)
			continue;
		password->id = (uint64_t)number_at(rows, i, 0);
		password->label = irc_copy(bytes_str(text_at(rows, i, 2)));
		password->fingerprint = irc_copy(bytes_str(text_at(rows, i, 8)));
		password->is_certificate = strcmp(text_at(rows, i, 3), "certificate") == 0;
		memcpy(password->hash, text_at(rows, i, 4), 32);
		password->created_ms = number_at(rows, i, 5);
		password->used_ms = number_at(rows, i, 6);
		if (address_parse_ip(bytes_str(text_at(rows, i, 7)), &address))
			memcpy(password->ip, address.ip, sizeof password->ip);
		password->next = user->passwords;
		user->passwords = password;
	}
}

static void pushes_take(const struct worker *worker)
{
	const struct store_rows *rows = &load.rows[5];

	for (size_t i = 0; i < rows->count; i++) {
		const char *name = text_at(rows, i, 1);
		struct irc_user *user =
			is_ours(name, worker) ? irc_user_make(bytes_str(name)) : NULL;

		if (user)
			(void)irc_push_add(user, (uint64_t)number_at(rows, i, 0),
					   (uint64_t)number_at(rows, i, 2),
					   bytes_str(text_at(rows, i, 3)),
					   bytes_str(text_at(rows, i, 4)),
					   bytes_str(text_at(rows, i, 5)), number_at(rows, i, 6));
	}
}

static int by_buffer(const void *a, const void *b)
{
	const struct cursor *x = a, *y = b;

	return x->buffer < y->buffer ? -1 : x->buffer > y->buffer;
}

static void cursor_take(struct irc_buffer *buffer, struct cursor *cursor)
{
	const struct irc_user *user = buffer->network->user;

	for (uint32_t i = 0; i < user->device_count; i++)
		if (user->devices[i].id == cursor->device) {
			irc_buffer_adopt_row(buffer, i, cursor->row);
			cursor->row = IRC_NO_ROW;
			return;
		}
}

/* The rows of a buffer lie side by side. */
static void cursors_take(void)
{
	struct irc_network **networks;
	size_t count = networks_of_worker(&networks);

	for (size_t i = 0; i < count; i++) {
		struct irc_named *named;
		uint32_t at = 0;

		while ((named = irc_index_next(&networks[i]->buffers, &at))) {
			struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
			struct cursor key = {.buffer = buffer->id}, *found;

			if (!load.cursor_count)
				break;
			found = bsearch(&key, load.cursors, load.cursor_count, sizeof key,
					by_buffer);
			while (found && found > load.cursors && found[-1].buffer == buffer->id)
				found--;
			for (; found && found < load.cursors + load.cursor_count &&
			       found->buffer == buffer->id;
			     found++)
				cursor_take(buffer, found);
		}
	}
	free(networks);
}

static void on_visit(struct baton *baton, struct worker *worker)
{
	struct irc_named *named;
	uint32_t at = 0;

	(void)baton;
	enter_worker();
	if (!irc_here.runs)
		return;
	users_take(worker);
	networks_take(worker);
	buffers_take();
	devices_take(worker);
	passwords_take(worker);
	pushes_take(worker);
	cursors_take();
	irc_leave_adopt();
	irc_users_look(wall_now_us() / 1000);
	while ((named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_network *n = container_of(named, struct irc_user, named)->networks;
		     n; n = n->next)
			irc_network_start(n);
}

/* --- on control ----------------------------------------------------------------------------- */

static void on_home(struct baton *baton)
{
	size_t orphans = 0;

	(void)baton;
	/* Of buffers and devices that are no more: their numbers must not be taken for others. */
	for (size_t i = 0; i < load.cursor_count; i++)
		if (load.cursors[i].row != IRC_NO_ROW) {
			irc_cursor_give(load.cursors[i].row);
			orphans++;
		}
	log_info("irc", "loaded", kv_u64("users", load.rows[0].count),
		 kv_u64("networks", load.rows[1].count), kv_u64("buffers", load.rows[2].count),
		 kv_u64("cursors", load.cursor_count - orphans));
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		store_rows_fini(&load.rows[i]);
	free(load.cursors);
	load.cursors = NULL;
	load.cursor_count = load.cursor_size = 0;
	load.done = true;
}

static void found_cursor(void *context, uint32_t row, uint64_t buffer, uint64_t device,
			 uint64_t seq)
{
	(void)context;
	if (load.cursor_count == load.cursor_size) {
		size_t size = load.cursor_size ? load.cursor_size * 2 : 256;
		struct cursor *larger = realloc(load.cursors, size * sizeof *larger);

		if (!larger)
			return;
		load.cursors = larger;
		load.cursor_size = size;
	}
	load.cursors[load.cursor_count++] = (struct cursor){buffer, device, seq, row};
}

static void ids_take(void)
{
	static const struct {
		unsigned table;
		enum irc_id kind;
	} kinds[] = {{1, IRC_ID_NETWORK},
		     {2, IRC_ID_BUFFER},
		     {3, IRC_ID_DEVICE},
		     {4, IRC_ID_PASSWORD},
		     {5, IRC_ID_PUSH}};

	for (size_t k = 0; k < COUNT_OF(kinds); k++)
		for (size_t i = 0; i < load.rows[kinds[k].table].count; i++)
			irc_id_used(kinds[k].kind,
				    (uint64_t)number_at(&load.rows[kinds[k].table], i, 0));
}

static void ask_next(void);

static void on_rows(struct store_ask *base)
{
	struct store_irc_ask *ask = container_of(base, struct store_irc_ask, ask);

	enter_control();
	if (base->fault)
		log_warnx("irc", "not loaded", kv_str("why", store_fault_text(base->fault)));
	load.rows[load.at++] = ask->rows;
	ask_next();
}

static void ask_next(void)
{
	enter_control();
	if (load.at == COUNT_OF(tables)) {
		ids_take();
		irc_cursors_each(found_cursor, NULL);
		/* One that is taken over from still has the file. */
		if (!estate_is_adopted() || estate_of_crashed())
			irc_cursors_reclaim();
		if (load.cursor_count)
			qsort(load.cursors, load.cursor_count, sizeof *load.cursors, by_buffer);
		load.baton.visit = on_visit;
		load.baton.home = on_home;
		baton_send(&load.baton);
		return;
	}
	load.ask = (struct store_irc_ask){
		.ask = {.run = store_irc_run, .done = on_rows},
		.query = tables[load.at],
	};
	store_ask(&load.ask.ask);
}

bool irc_loaded(void)
{
	return load.done;
}

void irc_load(uv_loop_t *loop)
{
	uint64_t began = uv_hrtime();

	load.at = 0;
	load.done = false;
	ask_next();
	while (!load.done && uv_hrtime() - began < WAIT_MS * UINT64_C(1000000))
		uv_run(loop, UV_RUN_ONCE);
}
