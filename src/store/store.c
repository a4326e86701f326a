/* The store's thread: takes what is reported, answers what is asked, and never gives up. */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "store/store_db.h"
#include "store/store_index.h"
#include "store/store_port.h"
#include "store/store_write.h"

#define WRITE_MS      20u /* how long what was reported waits for more */
#define KEEP_HOUSE_MS 60000u
#define PRUNE_STEP_MS 250u
#define RETRY_MIN_MS  1000u
#define RETRY_MAX_MS  60000u
#define PATH_SIZE     4096u

struct settings {
	struct store_conf conf; /* its texts are not used here */
	char path[PATH_SIZE];
	bool in_data; /* the file lies in the data directory, which is made when there is none */
};

static struct {
	uv_loop_t loop;
	uv_thread_t thread;
	struct mailbox mailbox;
	struct settings settings;
	struct store_db db;
	struct store_batch *first, **last; /* what is to be written */
	uv_timer_t write, retry, house;
	unsigned retry_ms;
	bool opened_once;
	bool ending;
} store;

static char data_directory[PATH_SIZE]; /* constant from the start on */
static bool running;                   /* control's */
static _Atomic int the_fault = STORE_OFF;
static _Atomic bool moved_aside;
static _Atomic unsigned asked; /* and not answered */
static _Atomic bool stopping;  /* nobody waits for long answers any more */

/* --- how it is ------------------------------------------------------------------------------ */

static const struct {
	const char *word, *text;
} faults[] = {
	[STORE_GOOD] = {"good", "history is kept"},
	[STORE_OFF] = {"off", "no history is kept"},
	[STORE_FULL] = {"full", "the disk is full"},
	[STORE_READ_ONLY] = {"read-only", "the database may not be written"},
	[STORE_LOCKED] = {"locked", "another program uses the database"},
	[STORE_MISSING] = {"missing", "the database cannot be opened"},
	[STORE_CORRUPT] = {"corrupt", "the database is corrupt and cannot be moved aside"},
	[STORE_NEWER] = {"newer", "the database is of a newer ringmain; this one leaves it alone"},
	[STORE_FOREIGN] = {"foreign", "the file is another program's; it is left alone"},
	[STORE_BROKEN] = {"broken", "the database cannot be written"},
};

const char *store_fault_text(enum store_fault fault)
{
	return faults[fault].text;
}

struct store_status store_status(void)
{
	enum store_fault fault =
		(enum store_fault)atomic_load_explicit(&the_fault, memory_order_relaxed);

	return (struct store_status){
		.fault = fault,
		.word = faults[fault].word,
		.what = faults[fault].text,
		.lost = (uint64_t)metric_sum(METRIC_store_events_lost),
		.kept = (uint64_t)metric_sum(METRIC_store_events_kept),
		.moved_aside = atomic_load_explicit(&moved_aside, memory_order_relaxed),
	};
}

void store_metrics(FILE *out)
{
	struct store_status status = store_status();

	metric_write_head(out, "store_up", "gauge", "1 while history is kept; why says how it is.");
	metric_write_sample(out, "store_up", status.fault == STORE_GOOD, "why", status.word, NULL);
}

/* Said once, when it begins and when it ends. */
RUNS_ON(on_store) static void say(enum store_fault fault)
{
	int before = atomic_exchange_explicit(&the_fault, (int)fault, memory_order_relaxed);

	if (before == (int)fault)
		return;
	if (fault == STORE_GOOD) {
		log_info("store", "keeping history", kv_str("file", store.settings.path),
			 kv_i64("lost", metric_sum(METRIC_store_events_lost)));
		return;
	}
	metric_add(METRIC_store_faults, 1);
	log_error("store", "not keeping history", kv_str("why", faults[fault].word),
		  kv_str("what", faults[fault].text), kv_str("file", store.settings.path),
		  kv_str("error", sqlite3_errstr(store.db.code)));
}

/* --- opening -------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer);
static void on_house(uv_timer_t *timer);

RUNS_ON(on_store) static enum store_fault begin_anew(void)
{
	char aside[PATH_SIZE + 64];
	enum store_fault fault;

	db_close(&store.db);
	if (!db_move_aside(store.settings.path, aside, sizeof aside))
		return STORE_CORRUPT;
	log_error("store", "corrupt database moved aside", kv_str("file", store.settings.path),
		  kv_str("to", aside));
	atomic_store_explicit(&moved_aside, true, memory_order_relaxed);
	fault = db_open(&store.db, store.settings.path);
	if (!fault)
		log_warnx("store", "users taken over from it",
			  kv_i64("count", db_salvage(&store.db, aside)));
	return fault;
}

RUNS_ON(on_store) static enum store_fault open_now(void)
{
	enum store_fault fault;

	if (store.settings.in_data)
		(void)!mkdir(data_directory, 0700);
	fault = db_open(&store.db, store.settings.path);
	if (fault == STORE_CORRUPT)
		fault = begin_anew();
	if (fault)
		return fault;
	store.db.addresses = (enum store_addresses)store.settings.conf.addresses;
	/* What was written in the hours before an end that was none may not be rolled up yet. */
	store.db.oldest_minute = wall_now_us() / 1000 - 48 * 3600000;
	if (!store.opened_once)
		fault = write_end_of_earlier_run(&store.db);
	store.opened_once = true;
	return fault;
}

/* A fault of the file: what lies in the batches stays there until the next try. */
RUNS_ON(on_store) static void failed(enum store_fault fault)
{
	if (fault == STORE_CORRUPT && store.db.sqlite)
		fault = begin_anew();
	say(fault);
	if (!fault)
		return;
	/* Room and locks come back to an open file; all else is found out by opening it again. */
	if (fault != STORE_FULL && fault != STORE_LOCKED)
		db_close(&store.db);
	store.retry_ms = store.retry_ms ? store.retry_ms * 2 : RETRY_MIN_MS;
	if (store.retry_ms > RETRY_MAX_MS)
		store.retry_ms = RETRY_MAX_MS;
	uv_timer_start(&store.retry, on_retry, store.retry_ms, 0);
}

/* --- writing -------------------------------------------------------------------------------- */

RUNS_ON(on_store) static void give_back(bool kept)
{
	while (store.first) {
		struct store_batch *batch = store.first;

		store.first = batch->next;
		metric_add(kept ? METRIC_store_events_kept : METRIC_store_events_lost,
			   batch->events);
		batch->len = batch->events = 0;
		atomic_store_explicit(&batch->busy, false, memory_order_release);
	}
	store.last = &store.first;
}

RUNS_ON(on_store) static enum store_fault end_transaction(enum store_fault fault)
{
	if (!fault)
		fault = db_run(&store.db, "COMMIT");
	if (fault && store.db.sqlite)
		sqlite3_exec(store.db.sqlite, "ROLLBACK", NULL, NULL, NULL);
	return fault;
}

/* All or nothing of what waits. */
RUNS_ON(on_store) static enum store_fault write_waiting(void)
{
	enum store_fault fault;

	if (!store.first)
		return STORE_GOOD;
	fault = db_run(&store.db, "BEGIN IMMEDIATE");
	if (fault)
		return fault;
	for (struct store_batch *batch = store.first; batch && !fault; batch = batch->next)
		fault = write_batch(&store.db, batch);
	fault = end_transaction(fault);
	if (!fault)
		give_back(true);
	return fault;
}

/* Opens if need be and writes; a fault is dealt with. A corrupt file is replaced, and then what waits
 * goes into the new one. */
RUNS_ON(on_store) static void catch_up(void)
{
	for (int tries = 0; tries < 2; tries++) {
		enum store_fault fault = store.db.sqlite ? STORE_GOOD : open_now();

		if (!fault)
			fault = write_waiting();
		if (!fault) {
			store.retry_ms = 0;
			uv_timer_stop(&store.retry);
			say(STORE_GOOD);
			return;
		}
		failed(fault);
		if (!store.db.sqlite || fault != STORE_CORRUPT)
			return;
	}
}

static void on_write(uv_timer_t *timer)
{
	(void)timer;
	enter_store();
	if (!uv_is_active((uv_handle_t *)&store.retry))
		catch_up();
}

static void on_retry(uv_timer_t *timer)
{
	(void)timer;
	enter_store();
	catch_up();
}

static void deliver_batch(struct message *message)
{
	struct store_batch *batch = container_of(message, struct store_batch, message);

	enter_store();
	batch->next = NULL;
	*store.last = batch;
	store.last = &batch->next;
	if (!uv_is_active((uv_handle_t *)&store.write))
		uv_timer_start(&store.write, on_write, WRITE_MS, 0);
}

/* --- housekeeping --------------------------------------------------------------------------- */

RUNS_ON(on_store) static enum store_fault keep_house(bool *more)
{
	enum store_fault fault = db_run(&store.db, "BEGIN IMMEDIATE");
	bool index_more = false;

	if (fault)
		return fault;
	fault = write_roll_up(&store.db);
	if (!fault)
		fault = write_prune(&store.db, &store.settings.conf, wall_now_us() / 1000, more);
	if (!fault)
		fault = index_some(&store.db, &index_more);
	*more |= index_more;
	return end_transaction(fault);
}

static void on_house(uv_timer_t *timer)
{
	bool more = false;
	enum store_fault fault;

	enter_store();
	if (store.db.sqlite && !uv_is_active((uv_handle_t *)&store.retry)) {
		fault = keep_house(&more);
		if (fault)
			failed(fault);
	}
	uv_timer_start(timer, on_house, more ? PRUNE_STEP_MS : KEEP_HOUSE_MS, 0);
}

/* --- asking --------------------------------------------------------------------------------- */

static void deliver_answer(struct message *message)
{
	struct store_ask *ask = container_of(message, struct store_ask, message);

	enter_control();
	atomic_fetch_sub_explicit(&asked, 1, memory_order_relaxed);
	ask->done(ask);
}

RUNS_ON(on_store) static enum store_fault answer(struct store_ask *ask)
{
	enum store_fault fault;

	if (!uv_is_active((uv_handle_t *)&store.retry))
		catch_up();
	if (!store.db.sqlite)
		return (enum store_fault)atomic_load_explicit(&the_fault, memory_order_relaxed);
	fault = db_run(&store.db, "BEGIN IMMEDIATE");
	if (!fault)
		fault = end_transaction(ask->run(&store.db, ask));
	if (fault)
		failed(fault);
	return fault;
}

static void deliver_ask(struct message *message)
{
	struct store_ask *ask = container_of(message, struct store_ask, message);

	enter_store();
	ask->again = false;
	ask->fault = answer(ask);
	/* Nobody who writes waits for all of it. Who is not answered keeps the server from ending. */
	if (ask->again && !ask->fault && !atomic_load_explicit(&stopping, memory_order_relaxed)) {
		mailbox_post(&store.mailbox, &ask->message);
		return;
	}
	if (ask->again && !ask->fault)
		ask->fault = STORE_OFF;
	ask->message.deliver = deliver_answer;
	control_post(&ask->message);
}

void store_ask(struct store_ask *ask)
{
	atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
	if (!running) {
		ask->fault = STORE_OFF;
		ask->message.deliver = deliver_answer;
		control_post(&ask->message);
		return;
	}
	port_flush();
	ask->message.deliver = deliver_ask;
	mailbox_post(&store.mailbox, &ask->message);
}

/* --- settings ------------------------------------------------------------------------------- */

struct reload {
	struct message message;
	struct settings settings;
};

static void deliver_reload(struct message *message)
{
	struct reload *reload = container_of(message, struct reload, message);
	enter_store();
	/* Users and tokens in force are those of the file that was there at the start. */
	if (strcmp(reload->settings.path, store.settings.path) != 0)
		log_warnx("store", "another file is used from the next start on",
			  kv_str("file", reload->settings.path));
	store.settings.conf = reload->settings.conf;
	store.db.addresses = (enum store_addresses)store.settings.conf.addresses;
	free(reload);
}

static void settings_of(struct settings *settings, const struct store_conf *conf)
{
	settings->conf = *conf;
	settings->in_data = !conf->file[0];
	if (conf->file[0])
		snprintf(settings->path, sizeof settings->path, "%s", conf->file);
	else
		snprintf(settings->path, sizeof settings->path, "%.4080s/ringmain.db",
			 data_directory);
}

void store_reload(const struct store_conf *conf)
{
	struct reload *reload = running ? calloc(1, sizeof *reload) : NULL;

	if (!reload)
		return;
	settings_of(&reload->settings, conf);
	reload->message.deliver = deliver_reload;
	mailbox_post(&store.mailbox, &reload->message);
}

/* --- life ----------------------------------------------------------------------------------- */

static void deliver_end(struct message *message)
{
	(void)message;
	enter_store();
	catch_up();
	/* What the last try did not take is lost now. */
	give_back(false);
	db_close(&store.db);
	store.ending = true;
	mailbox_fini(&store.mailbox);
	uv_close((uv_handle_t *)&store.write, NULL);
	uv_close((uv_handle_t *)&store.retry, NULL);
	uv_close((uv_handle_t *)&store.house, NULL);
}

static void store_main(void *unused)
{
	(void)unused;
	role_here = ROLE_STORE;
	enter_store();
	(void)!metric_thread_start();
	catch_up();
	uv_timer_start(&store.house, on_house, KEEP_HOUSE_MS / 12, 0);
	uv_run(&store.loop, UV_RUN_DEFAULT);
	metric_thread_stop();
}

const char *store_directory(void)
{
	return data_directory;
}

int store_start(uv_loop_t *loop, const struct store_conf *conf, const char *data)
{
	int error;

	snprintf(data_directory, sizeof data_directory, "%s", data);
	if (!conf->enabled)
		return 0;
	settings_of(&store.settings, conf);
	store.last = &store.first;
	error = uv_loop_init(&store.loop);
	if (error)
		return error;
	uv_timer_init(&store.loop, &store.write);
	uv_timer_init(&store.loop, &store.retry);
	uv_timer_init(&store.loop, &store.house);
	error = mailbox_init(&store.mailbox, &store.loop);
	if (!error)
		error = port_open(loop, &store.mailbox, deliver_batch);
	if (!error)
		error = uv_thread_create(&store.thread, store_main, NULL);
	running = error == 0;
	return error;
}

void store_stop(void)
{
	static struct message end = {.deliver = deliver_end};

	if (!running)
		return;
	running = false;
	port_close();
	mailbox_post(&store.mailbox, &end);
	uv_thread_join(&store.thread);
	uv_loop_close(&store.loop);
	port_free_all();
}

static int worker_start(struct worker *worker)
{
	enter_worker();
	return running ? port_open(&worker->loop, &store.mailbox, deliver_batch) : 0;
}

static void worker_stop(struct worker *worker)
{
	(void)worker;
	enter_worker();
	atomic_store_explicit(&stopping, true, memory_order_relaxed);
	port_close();
}

/* Whoever asked gets an answer before the control thread stops listening. */
static bool worker_busy(struct worker *worker)
{
	(void)worker;
	return atomic_load_explicit(&asked, memory_order_relaxed) > 0;
}

const struct worker_hooks store_hooks = {worker_start, worker_stop, worker_busy};
