#include "edge/api_history.h"

#include <stdlib.h>
#include <time.h>

#include "edge/api_server.h"
#include "edge/document.h"
#include "store/store_query.h"

#define PAGE_ROWS     100u
#define PAGE_ROWS_MAX 1000u

enum form { FORM_PAGE, FORM_JSON, FORM_CSV };

struct history {
	struct store_query query;
	struct call *call;
	const char *name; /* of the list, and of the file */
	enum form form;
	struct buffer out; /* the store's thread writes it */
};

/* --- writing, on the store's thread --------------------------------------------------------- */

static bool is_time(const char *name)
{
	return strcmp(name, "at") == 0 || strcmp(name, "began") == 0 || strcmp(name, "ended") == 0;
}

static bool put_text(struct buffer *out, const char *text)
{
	return buffer_put(out, bytes_str(text));
}

static json_t *cell_tree(const struct store_rows *rows, const struct store_cell *cell, bool time)
{
	switch (cell->kind) {
	case STORE_CELL_NONE: break;
	case STORE_CELL_NUMBER: return json_integer(time ? cell->number / 1000 : cell->number);
	case STORE_CELL_REAL: return json_real(cell->real);
	case STORE_CELL_BYTES: return document_text(store_cell_text(rows, cell));
	}
	return json_null();
}

static int put_json(const char *text, size_t len, void *out)
{
	return buffer_put(out, bytes_of(text, len)) ? 0 : -1;
}

/* Row by row, so that a long list needs no tree of its own. */
static void write_json(struct buffer *out, const struct store_rows *rows, const char *name)
{
	put_text(out, "{\"");
	put_text(out, name);
	put_text(out, "\":[");
	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		json_t *row = json_object();

		for (unsigned c = 0; c < rows->columns; c++)
			json_object_set_new(row, rows->names[c],
					    cell_tree(rows, store_cell(rows, i, c),
						      is_time(rows->names[c])));
		if (i)
			put_text(out, ",");
		if (json_dump_callback(row, put_json, out, JSON_COMPACT | JSON_REAL_PRECISION(6)) !=
		    0)
			out->failed = true;
		json_decref(row);
	}
	put_text(out, "]}");
}

/* RFC 4180 section 2. A spreadsheet takes what begins like a formula for one, and titles and names
 * of players come from anybody: such a text gets an apostrophe in front. */
static void write_csv_text(struct buffer *out, struct bytes text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++)
		quoted |= text.at[i] == '"' || text.at[i] == ',' || text.at[i] == ';' ||
			  text.at[i] < 0x20;
	if (quoted)
		put_text(out, "\"");
	if (text.len && memchr("=+-@\t\r\n", text.at[0], 7))
		put_text(out, "'");
	while (text.len) {
		struct bytes part = bytes_first(text, bytes_find(text, '"'));

		buffer_put(out, part);
		text = bytes_skip(text, part.len);
		if (!text.len)
			break;
		put_text(out, "\"\"");
		text = bytes_skip(text, 1);
	}
	if (quoted)
		put_text(out, "\"");
}

/* RFC 3339, UTC. */
static void write_csv_time(struct buffer *out, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
		put_text(out, text);
}

static void write_csv_cell(struct buffer *out, const struct store_rows *rows,
			   const struct store_cell *cell, bool time)
{
	char number[40];

	switch (cell->kind) {
	case STORE_CELL_NONE: return;
	case STORE_CELL_NUMBER:
		if (time) {
			write_csv_time(out, cell->number);
			return;
		}
		snprintf(number, sizeof number, "%lld", (long long)cell->number);
		put_text(out, number);
		return;
	case STORE_CELL_REAL:
		snprintf(number, sizeof number, "%.3f", cell->real);
		put_text(out, number);
		return;
	case STORE_CELL_BYTES:
		write_csv_text(out, bytes_of(store_cell_text(rows, cell), cell->len));
		return;
	}
}

static void write_csv(struct buffer *out, const struct store_rows *rows)
{
	for (unsigned c = 0; c < rows->columns; c++) {
		put_text(out, c ? "," : "");
		put_text(out, rows->names[c]);
	}
	put_text(out, "\r\n");
	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		for (unsigned c = 0; c < rows->columns; c++) {
			put_text(out, c ? "," : "");
			write_csv_cell(out, rows, store_cell(rows, i, c), is_time(rows->names[c]));
		}
		put_text(out, "\r\n");
	}
}

static enum store_fault run_history(struct store_db *db, struct store_ask *ask)
{
	struct store_query *query = container_of(ask, struct store_query, ask);
	struct history *history = container_of(query, struct history, query);
	enum store_fault fault = store_query_run(db, ask);

	if (!fault && history->form == FORM_CSV)
		write_csv(&history->out, &query->rows);
	else if (!fault)
		write_json(&history->out, &query->rows, history->name);
	store_rows_fini(&query->rows);
	return fault;
}

/* --- asking --------------------------------------------------------------------------------- */

static void history_done(struct store_ask *ask)
{
	struct store_query *query = container_of(ask, struct store_query, ask);
	struct history *history = container_of(query, struct history, query);
	struct call *call = history->call;
	char name[64];

	enter_control();
	if (ask->fault) {
		api_fault(call, 503, "no_history", "%s", store_fault_text(ask->fault));
	} else if (query->out_of_memory || history->out.failed) {
		api_fault(call, 503, "no_memory", "this is too much at once: ask for less time");
	} else {
		if (history->form != FORM_PAGE) {
			snprintf(name, sizeof name, "attachment; filename=\"%s.%s\"", history->name,
				 history->form == FORM_CSV ? "csv" : "json");
			reply_header(&call->reply, "Content-Disposition", bytes_str(name));
		}
		call->reply.body = history->out;
		history->out = (struct buffer){0};
		api_answer_text(call, history->form == FORM_CSV
					      ? "text/csv; charset=utf-8; header=present"
					      : "application/json; charset=utf-8");
	}
	buffer_fini(&history->out);
	free(history);
}

/* False, and answered, when it is no format. */
RUNS_ON(on_control) static bool form_read(struct call *call, enum form *form)
{
	char text[16];

	*form = FORM_PAGE;
	if (!call_param(call, "format", text, sizeof text))
		return true;
	if (strcmp(text, "csv") == 0)
		*form = FORM_CSV;
	else if (strcmp(text, "json") == 0)
		*form = FORM_JSON;
	else
		api_fault(call, 400, "bad_format", "a format is csv or json");
	return *form != FORM_PAGE;
}

RUNS_ON(on_control) static bool query_read(struct call *call, struct store_query *query)
{
	char mount[4096] = "";

	call_param(call, "mount", mount, sizeof mount);
	if (strlen(mount) >= sizeof query->mount) {
		api_fault(call, 400, "bad_mount", "no mount has such a long name");
		return false;
	}
	bytes_to_str(bytes_str(mount), query->mount, sizeof query->mount);
	query->from_ms = (int64_t)api_number(call, "from", 0, INT64_MAX / 1000) * 1000;
	query->to_ms = (int64_t)api_number(call, "to", 0, INT64_MAX / 1000) * 1000;
	query->before = (int64_t)api_number(call, "before", 0, INT64_MAX);
	query->limit = (unsigned)api_number(call, "limit", PAGE_ROWS, PAGE_ROWS_MAX);
	query->step_ms = (int64_t)api_number(call, "step", 60, 366 * 86400) * 1000;
	if (!query->step_ms || query->step_ms % 60000) {
		api_fault(call, 400, "bad_step", "a step is whole minutes, in seconds");
		return false;
	}
	return true;
}

RUNS_ON(on_control)
static void ask_history(struct call *call, const char *name, enum store_table table)
{
	struct store_query query = {.table = table};
	struct history *history;
	enum form form;

	if (!form_read(call, &form) || !query_read(call, &query))
		return;
	history = calloc(1, sizeof *history);
	if (!history) {
		api_fault(call, 503, "no_memory", "out of memory");
		return;
	}
	history->query = query;
	history->query.ask = (struct store_ask){.run = run_history, .done = history_done};
	/* A file has all of the time that was asked for. */
	if (form != FORM_PAGE)
		history->query.limit = STORE_ROWS_MAX;
	history->call = call;
	history->name = name;
	history->form = form;
	store_ask(&history->query.ask);
}

RUNS_ON(on_control)
static void answer_songs(struct call *call, const struct api_input *input)
{
	(void)input;
	ask_history(call, "songs", STORE_TABLE_SONGS);
}

RUNS_ON(on_control)
static void answer_listeners(struct call *call, const struct api_input *input)
{
	(void)input;
	ask_history(call, "listeners", STORE_TABLE_LISTENERS);
}

RUNS_ON(on_control)
static void answer_sources(struct call *call, const struct api_input *input)
{
	(void)input;
	ask_history(call, "sources", STORE_TABLE_SOURCES);
}

RUNS_ON(on_control)
static void answer_minutes(struct call *call, const struct api_input *input)
{
	(void)input;
	ask_history(call, "minutes", STORE_TABLE_MINUTES);
}

RUNS_ON(on_control)
static void answer_audit(struct call *call, const struct api_input *input)
{
	(void)input;
	ask_history(call, "audit", STORE_TABLE_AUDIT);
}

void history_health(json_t *list)
{
	struct store_status status = store_status();

	if (status.fault == STORE_OFF)
		return;
	if (status.fault)
		health_say(list, "history", HEALTH_BAD,
			   "Not kept: %s. Streams are not touched; %llu events were lost.",
			   status.what, (unsigned long long)status.lost);
	else if (status.moved_aside)
		health_say(list, "history", HEALTH_WARNING,
			   "A corrupt database was moved aside and a new one begun.");
	else
		health_say(list, "history", HEALTH_GOOD, "Kept; %llu events were lost.",
			   (unsigned long long)status.lost);
}

const struct api_operation history_operations[] = {
	{"GET", API_ROOT "/history/songs", RANK_OPERATOR, answer_songs,
	 "What was on, newest first. All of these take mount, from, to (seconds), before (an id), "
	 "limit, and format=csv|json for a file.",
	 NULL, "PastSongs", NULL},
	{"GET", API_ROOT "/history/listeners", RANK_OPERATOR, answer_listeners,
	 "Who listened, and is gone, newest first.", NULL, "PastListeners", NULL},
	{"GET", API_ROOT "/history/sources", RANK_OPERATOR, answer_sources,
	 "Which encoders there were, newest first.", NULL, "PastSources", NULL},
	{"GET", API_ROOT "/history/minutes", RANK_OPERATOR, answer_minutes,
	 "How many listened, in steps of ?step= seconds (60, 3600, 86400, …), newest first; "
	 "without "
	 "a mount all together.",
	 NULL, "PastMinutes", NULL},
	{"GET", API_ROOT "/audit", RANK_ADMIN, answer_audit, "Who did what, newest first.", NULL,
	 "Audit", NULL},
	{0},
};
