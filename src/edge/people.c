#include "edge/people.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/edge.h"
#include "store/store_query.h"

#define PATIENCE_MS 2000u  /* of a start */
#define RETRY_MS    1000u  /* while the store cannot be read */
#define SEEN_MS     30000u /* how often the store is told who was seen */

static struct {
	uv_timer_t timer; /* the next try, later the next telling */
	uv_loop_t *loop;
	struct store_query query;
	enum account_part part; /* that is loaded now */
	bool loaded;
	bool waiting; /* at a start */
	bool complained;
} people OWNED_BY(on_control);

/* What the store was told of each row's place. */
static int64_t told[3][ACCOUNT_USERS_MAX] OWNED_BY(on_control);

/* --- loading -------------------------------------------------------------------------------- */

static int64_t number_at(const struct store_rows *rows, size_t row, unsigned column)
{
	const struct store_cell *cell = store_cell(rows, row, column);

	return cell->kind == STORE_CELL_NUMBER ? cell->number : 0;
}

static void text_at(const struct store_rows *rows, size_t row, unsigned column, char *out,
		    size_t size)
{
	bytes_to_str(bytes_str(store_cell_text(rows, store_cell(rows, row, column))), out, size);
}

static bool blob_at(const struct store_rows *rows, size_t row, unsigned column, void *out,
		    size_t size)
{
	const struct store_cell *cell = store_cell(rows, row, column);

	if (cell->kind != STORE_CELL_BYTES || cell->len != size)
		return false;
	memcpy(out, rows->text + cell->at, size);
	return true;
}

/* A rank that this version does not know is none. */
static struct rights rights_at(const struct store_rows *rows, size_t row, unsigned rank)
{
	struct rights rights = {0};
	const char *word = store_cell_text(rows, store_cell(rows, row, rank));

	if (!rank_of_name(bytes_str(word), &rights.rank))
		rights.rank = RANK_NONE;
	text_at(rows, row, rank + 1, rights.mounts, sizeof rights.mounts);
	return rights;
}

/* Columns as in store_query.c. */
static struct account user_at(const struct store_rows *rows, size_t i)
{
	struct account account = {
		.rights = rights_at(rows, i, 2),
		.disabled = number_at(rows, i, 4),
		.created_us = number_at(rows, i, 5) * 1000,
	};

	text_at(rows, i, 0, account.name, sizeof account.name);
	text_at(rows, i, 1, account.stored, sizeof account.stored);
	return account;
}

/* All in one book: one each would be as many copies of all that are there already. */
RUNS_ON(on_control) static int take_users(const struct store_rows *rows)
{
	struct account *all = calloc(rows->count + 1, sizeof *all);
	int64_t *seen = calloc(rows->count + 1, sizeof *seen);
	int error = all && seen ? 0 : -ENOMEM;

	for (size_t i = 0; i < rows->count && !error; i++) {
		all[i] = user_at(rows, i);
		seen[i] = number_at(rows, i, 6) * 1000;
	}
	/* Somebody was made while they could not be read: the rest behind him. */
	if (!error && account_book()->account_count)
		for (size_t i = 0; i < rows->count && !error; i++)
			error = account_put(ACCOUNT_USERS, &all[i], seen[i]);
	else if (!error)
		error = account_put_users(all, seen, (uint32_t)rows->count);
	free(all);
	free(seen);
	return error;
}

RUNS_ON(on_control) static int take_token(const struct store_rows *rows, size_t i)
{
	struct token token = {
		.number = number_at(rows, i, 0),
		.of_settings = number_at(rows, i, 5),
		.rights = rights_at(rows, i, 6),
		.created_us = number_at(rows, i, 8) * 1000,
		.expires_us = number_at(rows, i, 9) * 1000,
	};

	text_at(rows, i, 2, token.prefix, sizeof token.prefix);
	text_at(rows, i, 3, token.name, sizeof token.name);
	text_at(rows, i, 4, token.owner, sizeof token.owner);
	if (!blob_at(rows, i, 1, token.id, sizeof token.id))
		return 0;
	return account_put(ACCOUNT_TOKENS, &token, number_at(rows, i, 10) * 1000);
}

RUNS_ON(on_control) static int take_session(const struct store_rows *rows, size_t i)
{
	struct session session = {
		.of_settings = number_at(rows, i, 2),
		.created_us = number_at(rows, i, 6) * 1000,
	};
	const struct edge_conf *conf = &edge_settings()->conf;

	if (!blob_at(rows, i, 0, session.id, sizeof session.id) ||
	    !blob_at(rows, i, 3, session.bound, sizeof session.bound) ||
	    !blob_at(rows, i, 4, session.ip, sizeof session.ip))
		return 0;
	if (wall_now_us() - session.created_us > (int64_t)conf->auth_session_max * 1000) {
		store_session_drop(session.id);
		return 0;
	}
	text_at(rows, i, 1, session.name, sizeof session.name);
	text_at(rows, i, 5, session.agent, sizeof session.agent);
	return account_put(ACCOUNT_SESSIONS, &session, number_at(rows, i, 7) * 1000);
}

RUNS_ON(on_control) static int take_rows(void)
{
	const struct store_rows *rows = &people.query.rows;
	int error = 0;

	if (people.part == ACCOUNT_USERS)
		return take_users(rows);
	for (size_t i = 0; i < rows->count && !error; i++)
		switch (people.part) {
		case ACCOUNT_USERS: break;
		case ACCOUNT_TOKENS: error = take_token(rows, i); break;
		case ACCOUNT_SESSIONS: error = take_session(rows, i); break;
		}
	return error;
}

RUNS_ON(on_control) static void load_part(enum account_part part);

static void on_retry(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	load_part(people.part);
}

RUNS_ON(on_control) static void tell_who_was_seen(void);

static void on_seen(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	tell_who_was_seen();
}

RUNS_ON(on_control) static void all_loaded(void)
{
	const struct account_book *book = account_book();

	people.loaded = true;
	people.waiting = false;
	if (people.complained || book->account_count || book->token_count)
		log_info("edge", "users known", kv_u64("users", book->account_count),
			 kv_u64("tokens", book->token_count),
			 kv_u64("browsers", book->session_count));
	uv_timer_start(&people.timer, on_seen, SEEN_MS, SEEN_MS);
}

RUNS_ON(on_control) static void load_failed(void)
{
	enum store_fault fault = people.query.ask.fault;

	people.waiting = false;
	if (fault == STORE_OFF)
		return;
	if (!people.complained)
		log_error("edge", "users are not known, only admin.user",
			  kv_str("why", fault ? store_fault_text(fault) : "out of memory"));
	people.complained = true;
	if (!uv_is_closing((uv_handle_t *)&people.timer))
		uv_timer_start(&people.timer, on_retry, RETRY_MS, 0);
}

static void part_done(struct store_ask *ask)
{
	bool good;

	enter_control();
	good = !ask->fault && !people.query.out_of_memory && take_rows() == 0;
	store_rows_fini(&people.query.rows);
	if (!good)
		load_failed();
	else if (people.part == ACCOUNT_SESSIONS)
		all_loaded();
	else
		load_part(people.part == ACCOUNT_USERS ? ACCOUNT_TOKENS : ACCOUNT_SESSIONS);
}

static void load_part(enum account_part part)
{
	static const enum store_table tables[] = {
		[ACCOUNT_USERS] = STORE_TABLE_USERS,
		[ACCOUNT_TOKENS] = STORE_TABLE_TOKENS,
		[ACCOUNT_SESSIONS] = STORE_TABLE_SESSIONS,
	};

	people.part = part;
	people.query = (struct store_query){
		.ask = {.run = store_query_run, .done = part_done},
		.table = tables[part],
	};
	store_ask(&people.query.ask);
}

static void on_patience_out(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	people.waiting = false;
}

void people_start(uv_loop_t *loop)
{
	people.loop = loop;
	people.waiting = true;
	uv_timer_init(loop, &people.timer);
	uv_timer_start(&people.timer, on_patience_out, PATIENCE_MS, 0);
	load_part(ACCOUNT_USERS);
	while (people.waiting)
		uv_run(loop, UV_RUN_ONCE);
}

bool people_loaded(void)
{
	return people.loaded;
}

uv_loop_t *people_loop(void)
{
	return people.loop;
}

/* --- telling -------------------------------------------------------------------------------- */

/* When a row was seen, if the store does not know yet; else 0. */
RUNS_ON(on_control) static int64_t news_of(enum account_part part, uint32_t place)
{
	int64_t seen = atomic_load_explicit(account_seen(part, place), memory_order_relaxed);

	if (seen == told[part][place])
		return 0;
	told[part][place] = seen;
	return seen;
}

static void tell_who_was_seen(void)
{
	const struct account_book *book = account_book();
	int64_t seen;

	for (uint32_t i = 0; i < book->account_count; i++)
		if ((seen = news_of(ACCOUNT_USERS, book->accounts[i].place)))
			store_user_seen(book->accounts[i].name, seen);
	for (uint32_t i = 0; i < book->token_count; i++)
		if ((seen = news_of(ACCOUNT_TOKENS, book->tokens[i].place)))
			store_token_used(book->tokens[i].number, seen, NULL);
	for (uint32_t i = 0; i < book->session_count; i++)
		if ((seen = news_of(ACCOUNT_SESSIONS, book->sessions[i].place)))
			store_session_seen(book->sessions[i].id, seen);
}

void people_keep_session(const struct session *session)
{
	struct store_session kept = {
		.user = session->name,
		.agent = session->agent,
		.of_settings = session->of_settings,
		.created_us = session->created_us,
		.seen_us = session->created_us,
	};

	memcpy(kept.hash, session->id, sizeof kept.hash);
	memcpy(kept.bound, session->bound, sizeof kept.bound);
	memcpy(kept.ip, session->ip, sizeof kept.ip);
	store_session_put(&kept);
}

void people_forget_session(const uint8_t *id)
{
	store_session_drop(id);
}

void people_stop(void)
{
	if (!people.loop)
		return;
	tell_who_was_seen();
	uv_close((uv_handle_t *)&people.timer, NULL);
}
