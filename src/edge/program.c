#include "edge/program.h"

#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "edge/hook.h"

struct program {
	struct program *prev, *next;
	uv_process_t process;
	uv_timer_t timer;
	unsigned open_handles;
	char path[1024];
};

static struct program *running OWNED_BY(on_control);
static unsigned count OWNED_BY(on_control);

static void on_closed(uv_handle_t *handle)
{
	struct program *program = handle->data;

	if (--program->open_handles == 0)
		free(program);
}

RUNS_ON(on_control) static void program_close(struct program *program)
{
	if (program->prev)
		program->prev->next = program->next;
	else
		running = program->next;
	if (program->next)
		program->next->prev = program->prev;
	count--;
	uv_close((uv_handle_t *)&program->process, on_closed);
	uv_close((uv_handle_t *)&program->timer, on_closed);
}

static void on_ended(uv_process_t *process, int64_t status, int signal_number)
{
	struct program *program = container_of(process, struct program, process);

	enter_control();
	if (status || signal_number)
		log_warnx("edge", "program ended badly", kv_str("path", program->path),
			  kv_i64("status", status), kv_i64("signal", signal_number));
	program_close(program);
}

static void on_late(uv_timer_t *timer)
{
	struct program *program = container_of(timer, struct program, timer);

	enter_control();
	log_warnx("edge", "program killed: it ran too long", kv_str("path", program->path));
	/* All that it started: it leads a session of its own. */
	kill(-program->process.pid, SIGKILL);
	uv_process_kill(&program->process, SIGKILL);
}

/* Who is nobody: its number, and that of its group. False: we are not root, and cannot choose. */
static bool find_nobody(uv_process_options_t *options)
{
	const struct passwd *nobody = geteuid() == 0 ? getpwnam("nobody") : NULL;

	if (!nobody)
		return false;
	options->uid = nobody->pw_uid;
	options->gid = nobody->pw_gid;
	options->flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
	return true;
}

/* uv_spawn() takes pointers to char that it does not change. */
static char *unsure(const char *text)
{
	return (char *)(uintptr_t)text;
}

void program_run(uv_loop_t *loop, const char *path, const char *argument,
		 const char *const *environment)
{
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
	};
	char *argv[] = {unsure(path), unsure(argument), NULL};
	char *variables[18] = {unsure("PATH=/usr/local/bin:/usr/bin:/bin"), unsure("LANG=C.UTF-8")};
	uv_process_options_t options = {
		.file = path,
		.args = argv,
		.env = variables,
		.cwd = "/",
		.exit_cb = on_ended,
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = 3,
	};
	struct program *program =
		count < hooks_conf()->programs ? calloc(1, sizeof *program) : NULL;
	int error;

	if (!program) {
		metric_add(METRIC_edge_programs_lost, 1);
		return;
	}
	for (size_t i = 0; i < 15 && environment[i]; i++)
		variables[2 + i] = unsure(environment[i]);
	if (geteuid() == 0 && !find_nobody(&options)) {
		log_warnx("edge", "program not started: there is no user nobody",
			  kv_str("path", path));
		free(program);
		return;
	}
	/* libcurl has pairs of its own while it looks names up. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	/* Of this thread, whose children they are: no program of theirs is set-user-ID any more. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	bytes_to_str(bytes_str(path), program->path, sizeof program->path);
	program->open_handles = 2;
	uv_timer_init(loop, &program->timer);
	program->process.data = program->timer.data = program;
	program->next = running;
	if (running)
		running->prev = program;
	running = program;
	count++;
	metric_add(METRIC_edge_programs, 1);
	error = uv_spawn(loop, &program->process, &options);
	if (error) {
		metric_add(METRIC_edge_programs_lost, 1);
		log_warn_code(error, "edge", "program not started", kv_str("path", path));
		program_close(program);
		return;
	}
	uv_timer_start(&program->timer, on_late, hooks_conf()->program_timeout, 0);
}

void programs_stop(void)
{
	while (running) {
		struct program *program = running;

		kill(-program->process.pid, SIGKILL);
		uv_process_kill(&program->process, SIGKILL);
		program_close(program);
	}
}
