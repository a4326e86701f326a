#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/helper.h"
#include "core/log.h"

#define DELAY_LEAST_MS 1000
#define DELAY_MOST_MS  30000

struct child {
	uv_process_t process;
	uv_timer_t again;
	const char *name;
	char path[4200];
	char **argv;
	char **environment;
	uint64_t delay_ms;
	bool running;
	bool stopping;
	unsigned open_handles;
};

RUNS_ON(on_control) static void child_spawn(struct child *child);

static void on_closed(uv_handle_t *handle)
{
	struct child *child = handle->data;

	if (--child->open_handles == 0 && child->stopping)
		free(child);
}

static void on_again(uv_timer_t *timer)
{
	enter_control();
	child_spawn(container_of(timer, struct child, again));
}

RUNS_ON(on_control) static void child_later(struct child *child)
{
	uv_timer_start(&child->again, on_again, child->delay_ms, 0);
	child->delay_ms *= 2;
	if (child->delay_ms > DELAY_MOST_MS)
		child->delay_ms = DELAY_MOST_MS;
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	struct child *child = container_of(process, struct child, process);

	enter_control();
	child->running = false;
	uv_close((uv_handle_t *)process, on_closed);
	if (child->stopping)
		return;
	log_warnx("core", "helper ended", kv_str("name", child->name), kv_i64("status", status),
		  kv_i64("signal", signal));
	child_later(child);
}

/* Our environment and the child's own on top of it. */
static char **joined_environment(char **own)
{
	size_t inherited = 0, added = 0;
	char **all;

	while (environ[inherited])
		inherited++;
	while (own[added])
		added++;
	all = calloc(inherited + added + 1, sizeof *all);
	if (all) {
		memcpy(all, own, added * sizeof *all);
		memcpy(all + added, environ, inherited * sizeof *all);
	}
	return all;
}

static void child_spawn(struct child *child)
{
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
	};
	char **environment = joined_environment(child->environment);
	uv_process_options_t options = {
		.file = child->path,
		.args = child->argv,
		.env = environment,
		.exit_cb = on_ended,
		.stdio = stdio,
		.stdio_count = 3,
	};
	int error =
		environment ? uv_spawn(child->again.loop, &child->process, &options) : UV_ENOMEM;

	free(environment);
	child->open_handles++;
	child->process.data = child;
	if (error) {
		log_warn_code(-error, "core", "helper does not start", kv_str("name", child->name));
		if (environment)
			uv_close((uv_handle_t *)&child->process, on_closed);
		else
			child->open_handles--;
		child_later(child);
		return;
	}
	child->running = true;
}

struct child *child_start(uv_loop_t *loop, const char *name, char **argv, char **environment)
{
	struct child *child = calloc(1, sizeof *child);

	if (!child)
		return NULL;
	if (!helper_find(name, child->path, sizeof child->path)) {
		log_error("core", "helper not found", kv_str("name", name));
		free(child);
		return NULL;
	}
	child->name = name;
	child->argv = argv;
	child->environment = environment;
	child->delay_ms = DELAY_LEAST_MS;
	uv_timer_init(loop, &child->again);
	child->again.data = child;
	child->open_handles = 1;
	child_spawn(child);
	return child;
}

void child_stop(struct child *child)
{
	child->stopping = true;
	uv_close((uv_handle_t *)&child->again, on_closed);
	if (child->running)
		uv_process_kill(&child->process, SIGTERM);
}
