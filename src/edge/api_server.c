#include "edge/api_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/worker.h"
#include "edge/edge.h"
#include "edge/tree.h"
#include "edge/trend.h"

#define LOOKS_MAX 16

static void (*looks[LOOKS_MAX])(json_t *list);
static unsigned look_count;
static void (*adders[LOOKS_MAX])(json_t *tree);
static unsigned adder_count;
static bool is_ready OWNED_BY(on_control);
static int64_t started_us OWNED_BY(on_control);

void server_ready(bool ready)
{
	if (ready && !started_us)
		started_us = wall_now_us();
	is_ready = ready;
}

void server_add_facts(void (*add)(json_t *tree))
{
	CHECK(adder_count < LOOKS_MAX);
	adders[adder_count++] = add;
}

/* --- what it uses --------------------------------------------------------------------------- */

static int64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* Hundredths of one core, since the last time that lies at least so far back. */
RUNS_ON(on_control) static double cpu_now(void)
{
	static int64_t then_us, then_cpu;
	static double share;
	int64_t now = mono_now().us, cpu = cpu_us();

	if (!then_us || now - then_us >= 900000) {
		if (then_us)
			share = 100.0 * (double)(cpu - then_cpu) / (double)(now - then_us);
		then_us = now;
		then_cpu = cpu;
	}
	return (double)(int64_t)(share * 10 + .5) / 10;
}

/* Resident memory in bytes; 0 when the kernel does not say. */
static uint64_t memory_now(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	char line[128] = "", *behind_all;
	uint64_t resident;

	if (!file)
		return 0;
	(void)!fgets(line, sizeof line, file);
	fclose(file);
	(void)strtoull(line, &behind_all, 10);
	resident = strtoull(behind_all, NULL, 10);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Kernels from 6.2 on say in the size of the directory how many are open. Older ones do not, and to
 * count them by reading costs too much to be done all the time: null there. */
static json_t *descriptors_now(void)
{
	struct stat facts;

	if (stat("/proc/self/fd", &facts) == -1 || facts.st_size <= 0)
		return json_null();
	return json_integer(facts.st_size);
}

static uint64_t descriptors_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

json_t *server_facts(void)
{
	const struct edge_conf *conf = &edge_settings()->conf;
	json_t *tree = json_object();

	enter_control();
	tree_text(tree, "name", conf->server_name);
	tree_text(tree, "location", conf->server_location);
	tree_text(tree, "contact", conf->server_contact);
	json_object_set_new(tree, "version", json_string(RINGMAIN_VERSION));
	tree_number(tree, "pid", getpid());
	tree_number(tree, "started", started_us / 1000000);
	json_object_set_new(tree, "cpu", json_real(cpu_now()));
	tree_number(tree, "memory", (int64_t)memory_now());
	tree_number(tree, "workers", workers_count());
	tree_number(tree, "connections", edge_connections());
	json_object_set_new(tree, "descriptors", descriptors_now());
	tree_number(tree, "descriptors_limit", (int64_t)descriptors_limit());
	tree_number(tree, "requests", metric_sum(METRIC_edge_requests));
	tree_number(tree, "auth_failures", metric_sum(METRIC_edge_auth_failures));
	for (unsigned i = 0; i < adder_count; i++)
		adders[i](tree);
	return tree;
}

void server_sample(void)
{
	enter_control();
	trend_put("cpu", cpu_now());
	trend_put("memory", (double)memory_now());
}

RUNS_ON(on_control)
static void answer_server(struct call *call, const struct api_input *input)
{
	(void)input;
	api_answer(call, server_facts());
}

RUNS_ON(on_control)
static void answer_metrics(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		json_t *one = json_object();

		json_object_set_new(one, "name", json_string(metric_name(metric)));
		json_object_set_new(one, "help", json_string(metric_help(metric)));
		tree_number(one, "value", metric_sum(metric));
		json_array_append_new(list, one);
	}
	json_object_set_new(tree, "metrics", list);
	api_answer(call, tree);
}

/* --- how it is ------------------------------------------------------------------------------ */

void health_add(void (*look)(json_t *list))
{
	CHECK(look_count < LOOKS_MAX);
	looks[look_count++] = look;
}

static const char *health_word(enum health health)
{
	switch (health) {
	case HEALTH_GOOD: return "good";
	case HEALTH_WARNING: return "warning";
	case HEALTH_BAD: return "bad";
	}
	return "bad";
}

void health_say(json_t *list, const char *name, enum health health, const char *format, ...)
{
	json_t *one = json_object();
	char detail[512];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	json_object_set_new(one, "name", json_string(name));
	json_object_set_new(one, "state", json_string(health_word(health)));
	tree_text(one, "detail", detail);
	json_array_append_new(list, one);
}

/* Of things that should never happen. */
static void say_count(json_t *list, const char *name, int64_t count, const char *what)
{
	health_say(list, name, count ? HEALTH_WARNING : HEALTH_GOOD, "%lld %s.", (long long)count,
		   what);
}

static void look_here(json_t *list)
{
	int64_t lost = metric_sum(METRIC_core_log_lines_lost);
	int64_t memory = metric_sum(METRIC_edge_out_of_memory);
	int64_t pauses = metric_sum(METRIC_edge_accept_pauses);
	int64_t stuck = metric_sum(METRIC_core_workers_stuck);
	uint64_t most = edge_settings()->conf.http_connections;
	uint64_t limit = descriptors_limit() > 64 ? descriptors_limit() - 64 : 0;
	uint32_t now = edge_connections();

	if (limit < most)
		most = limit;
	health_say(list, "workers", stuck ? HEALTH_BAD : HEALTH_GOOD,
		   "%lld of %u workers give no sign of life.", (long long)stuck, workers_count());
	health_say(list, "connections",
		   now >= most           ? HEALTH_BAD
		   : now > most / 10 * 9 ? HEALTH_WARNING
					 : HEALTH_GOOD,
		   "%u of %llu connections are in use.", now, (unsigned long long)most);
	say_count(list, "descriptors", pauses, "times accepting paused as descriptors had run out");
	say_count(list, "memory", memory, "requests were refused for want of memory");
	say_count(list, "log", lost, "log lines could not be written");
}

RUNS_ON(on_control)
static void answer_health(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	look_here(list);
	for (unsigned i = 0; i < look_count; i++)
		looks[i](list);
	json_object_set_new(tree, "ready", json_boolean(is_ready));
	json_object_set_new(tree, "checks", list);
	api_answer(call, tree);
}

/* The worker that answers is alive. */
RUNS_ON(on_worker) static void serve_alive(struct conn *conn)
{
	struct reply reply = {0};

	reply_text(&reply, 200, "alive");
	conn_reply(conn, &reply);
}

static void answer_ready(struct call *call)
{
	enter_control();
	reply_text(&call->reply, is_ready ? 200 : 503, is_ready ? "ready" : "not ready");
	call_reply(call);
}

/* The control thread answers too, and has not begun to stop. */
RUNS_ON(on_worker) static void serve_ready(struct conn *conn)
{
	conn_call(conn, answer_ready);
}

/* --- the log -------------------------------------------------------------------------------- */

struct tail {
	json_t *lines;
	enum log_level least;
	size_t most;
};

/* The level is the second word of a line. */
static enum log_level level_of(struct bytes line)
{
	struct bytes word;

	bytes_cut(&line, ' ');
	word = bytes_cut(&line, ' ');
	if (bytes_equal(word, BYTES("error")))
		return LOG_LEVEL_ERROR;
	if (bytes_equal(word, BYTES("warning")))
		return LOG_LEVEL_WARNING;
	return bytes_equal(word, BYTES("debug")) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static void see_line(void *user, uint64_t number, const char *line, size_t len)
{
	struct tail *tail = user;
	json_t *one;

	if (level_of(bytes_of(line, len)) < tail->least)
		return;
	one = json_object();
	tree_number(one, "number", (int64_t)number);
	tree_text(one, "text", line);
	json_array_append_new(tail->lines, one);
	if (json_array_size(tail->lines) > tail->most)
		json_array_remove(tail->lines, 0);
}

static bool level_named(const char *name, enum log_level *level)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	for (unsigned i = 0; i < COUNT_OF(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

RUNS_ON(on_control)
static void answer_log(struct call *call, const struct api_input *input)
{
	struct tail tail = {.most = api_number(call, "limit", LOG_KEPT, LOG_KEPT)};
	char level[16] = "debug";
	json_t *tree;
	uint64_t next;

	(void)input;
	call_param(call, "level", level, sizeof level);
	if (level[0] && !level_named(level, &tail.least)) {
		api_fault(call, 400, "bad_level", "level is debug, info, warning or error");
		return;
	}
	tail.lines = json_array();
	next = log_recent(api_number(call, "from", 0, UINT64_MAX), see_line, &tail);
	tree = json_object();
	json_object_set_new(tree, "lines", tail.lines);
	tree_number(tree, "next", (int64_t)next);
	api_answer(call, tree);
}

#define READ (METHOD_GET | METHOD_HEAD)

const struct route health_routes[] = {
	{"/healthz", READ, serve_alive, NULL},
	{"/readyz", READ, serve_ready, NULL},
	{0},
};

const struct api_operation server_operations[] = {
	{"GET", API_ROOT "/server", RANK_OPERATOR, answer_server,
	 "The server: version, uptime, what it uses, how many are connected.", NULL, "Server",
	 NULL},
	{"GET", API_ROOT "/health", RANK_OPERATOR, answer_health, "What is well and what is not.",
	 NULL, "Health", NULL},
	{"GET", API_ROOT "/metrics", RANK_OPERATOR, answer_metrics,
	 "The counters and gauges of the whole server; /metrics has them for Prometheus.", NULL,
	 "Metrics", NULL},
	{"GET", API_ROOT "/log", RANK_OPERATOR, answer_log,
	 "The newest log lines: ?from=NUMBER&level=debug|info|warning|error&limit=N.", NULL, "Log",
	 NULL},
	{0},
};
