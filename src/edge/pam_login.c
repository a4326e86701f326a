#include "edge/pam_login.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/writer.h"
#include "edge/pam_service.h"

#define REQUEST_SIZE 1200u /* ringmain-pam takes 2048 */
#define LINGER_MS    1000u /* for who has answered, to end by itself */

/* One process; the pool has it until it is started, then the loop. */
struct pam_run {
	struct pam_run *prev, *next;
	struct pam_login *login; /* NULL: nobody waits for the answer (any more) */
	uv_loop_t *loop;
	uv_work_t work;
	uv_poll_t wire, end; /* its answer; that it is gone */
	uv_timer_t timer;
	unsigned handles;
	bool started, stopping, hung_up;
	uint64_t timeout_ms;
	int fd, pidfd, error;
	pid_t pid;
	struct pam_service service;
	size_t request_len;
	uint8_t request[REQUEST_SIZE];
};

static char program[4096];
static _Thread_local struct pam_run *runs;
static _Atomic unsigned run_count; /* of all threads; relaxed: a bound */

void pam_login_program(const char *path)
{
	snprintf(program, sizeof program, "%s", path);
}

/* --- on the pool: the start ------------------------------------------------------------------- */

/* In a session of its own, so that what modules start ends with it; with two descriptors and no signals
 * of ours. */
static int spawn_with(struct pam_run *run, int fd)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LANG=C.UTF-8";
	char *const environment[] = {path, language, NULL};
	char *const argv[] = {program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
							 O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (!error)
		error = posix_spawn(&run->pid, program, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static void work_start(uv_work_t *work)
{
	struct pam_run *run = container_of(work, struct pam_run, work);
	int pair[2];

	if (!pam_service_is_there(&run->service) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		run->error = errno;
		return;
	}
	run->fd = pair[0];
	/* What it reads it finds there already; its own end is one that waits. */
	if (send(pair[0], run->request, run->request_len, MSG_NOSIGNAL) !=
		    (ssize_t)run->request_len ||
	    fcntl(pair[1], F_SETFL, 0) != 0)
		run->error = errno;
	else
		run->error = spawn_with(run, pair[1]);
	close(pair[1]);
	sodium_memzero(run->request, sizeof run->request);
	if (run->error)
		return;
	run->pidfd = pidfd_open(run->pid, 0);
	if (run->pidfd == -1) {
		run->error = errno;
		kill(run->pid, SIGKILL);
		(void)waitpid(run->pid, NULL, 0);
	}
}

/* --- life ----------------------------------------------------------------------------------- */

static void run_free(struct pam_run *run)
{
	if (run->prev)
		run->prev->next = run->next;
	else
		runs = run->next;
	if (run->next)
		run->next->prev = run->prev;
	if (run->fd != -1)
		close(run->fd);
	if (run->pidfd != -1)
		close(run->pidfd);
	sodium_memzero(run->request, sizeof run->request);
	free(run);
	atomic_fetch_sub_explicit(&run_count, 1, memory_order_relaxed);
}

static void on_closed(uv_handle_t *handle)
{
	struct pam_run *run = handle->data;

	if (--run->handles == 0)
		run_free(run);
}

static void run_close(struct pam_run *run)
{
	if (run->stopping)
		return;
	run->stopping = true;
	uv_close((uv_handle_t *)&run->wire, on_closed);
	uv_close((uv_handle_t *)&run->end, on_closed);
	uv_close((uv_handle_t *)&run->timer, on_closed);
}

static void on_late(uv_timer_t *timer);

/* Nobody wants to hear it any more: it ends, with all that its modules started. When it does not, it is
 * killed; it cannot be another's number, as it has not been waited for. */
static void run_hang_up(struct pam_run *run)
{
	shutdown(run->fd, SHUT_RDWR);
	if (run->hung_up)
		kill(run->pid, SIGKILL);
	run->hung_up = true;
	uv_poll_stop(&run->wire);
	uv_timer_start(&run->timer, on_late, LINGER_MS, 0);
}

static void run_answer(struct pam_run *run, enum auth_result result)
{
	struct pam_login *login = run->login;

	run->login = NULL;
	if (!login)
		return;
	login->run = NULL;
	login->done(login, result);
}

/* --- the answer ----------------------------------------------------------------------------- */

static void on_late(uv_timer_t *timer)
{
	struct pam_run *run = timer->data;

	if (run->login) {
		metric_add(METRIC_edge_pam_late, 1);
		log_warnx("edge", "PAM does not answer", kv_ms("after", run->timeout_ms));
	}
	run_hang_up(run);
	run_answer(run, AUTH_BUSY);
}

/* False: it has not said anything. */
static bool run_hear(struct pam_run *run)
{
	char text[256];
	ssize_t n = recv(run->fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (text[0] == '+') {
		run_answer(run, AUTH_YES);
	} else if (text[0] == '-') {
		log_debug("edge", "PAM refuses", kv_str("why", text + 1));
		run_answer(run, AUTH_NO);
	} else {
		log_warnx("edge", "PAM cannot say who it is", kv_str("why", text + 1));
		run_answer(run, AUTH_BUSY);
	}
	return true;
}

static void on_wire(uv_poll_t *poll, int status, int events)
{
	struct pam_run *run = poll->data;

	(void)status;
	(void)events;
	uv_poll_stop(poll);
	if (run_hear(run))
		uv_timer_start(&run->timer, on_late, LINGER_MS, 0);
}

static void on_ended(uv_poll_t *poll, int status, int events)
{
	struct pam_run *run = poll->data;
	int code = 0;

	(void)status;
	(void)events;
	if (waitpid(run->pid, &code, WNOHANG) == 0)
		return;
	if (run->login && !run_hear(run)) {
		log_warnx("edge", "PAM ended without an answer", kv_i64("status", code));
		run_answer(run, AUTH_BUSY);
	}
	run_close(run);
}

static void on_started(uv_work_t *work, int status)
{
	struct pam_run *run = container_of(work, struct pam_run, work);

	run->started = true;
	if (status || run->error) {
		if (!status)
			log_warn_code(run->error, "edge", "PAM cannot be asked",
				      kv_str("service", run->service.name),
				      kv_str("program", program));
		run_answer(run, AUTH_BUSY);
		run_free(run);
		return;
	}
	uv_timer_init(run->loop, &run->timer);
	uv_poll_init(run->loop, &run->wire, run->fd);
	uv_poll_init(run->loop, &run->end, run->pidfd);
	run->timer.data = run->wire.data = run->end.data = run;
	run->handles = 3;
	if (run->stopping) {
		run->stopping = false;
		run_close(run);
		return;
	}
	uv_timer_start(&run->timer, on_late, run->timeout_ms, 0);
	uv_poll_start(&run->wire, UV_READABLE, on_wire);
	uv_poll_start(&run->end, UV_READABLE, on_ended);
	if (!run->login)
		run_hang_up(run);
}

/* --- asking --------------------------------------------------------------------------------- */

static bool request_put(struct pam_run *run, const struct pam_question *question)
{
	const char *const fields[] = {run->service.directory, run->service.name, question->user,
				      question->password, question->address};
	struct writer w = writer_of(run->request, sizeof run->request);

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		writer_put(&w, bytes_of(fields[i], strlen(fields[i]) + 1));
	run->request_len = w.len;
	return writer_ok(&w);
}

static bool run_begin(struct pam_run *run, const struct pam_question *question)
{
	run->fd = run->pidfd = -1;
	run->timeout_ms = question->timeout_ms;
	if (!program[0] || !pam_service_of(question->service, &run->service) ||
	    !request_put(run, question) ||
	    uv_queue_work(run->loop, &run->work, work_start, on_started) != 0)
		return false;
	run->next = runs;
	if (runs)
		runs->prev = run;
	runs = run;
	return true;
}

bool pam_login_start(uv_loop_t *loop, struct pam_login *login, const struct pam_question *question,
		     void (*done)(struct pam_login *login, enum auth_result result))
{
	struct pam_run *run;

	if (atomic_fetch_add_explicit(&run_count, 1, memory_order_relaxed) >= question->most) {
		metric_add(METRIC_edge_pam_refused, 1);
		log_warnx("edge", "PAM is not asked: too many logins at once",
			  kv_u64("most", question->most));
		atomic_fetch_sub_explicit(&run_count, 1, memory_order_relaxed);
		return false;
	}
	run = calloc(1, sizeof *run);
	if (run)
		run->loop = loop;
	if (!run || !run_begin(run, question)) {
		if (run)
			sodium_memzero(run->request, sizeof run->request);
		free(run);
		atomic_fetch_sub_explicit(&run_count, 1, memory_order_relaxed);
		return false;
	}
	metric_add(METRIC_edge_pam_logins, 1);
	run->login = login;
	*login = (struct pam_login){run, done};
	return true;
}

void pam_login_cancel(struct pam_login *login)
{
	struct pam_run *run = login->run;

	login->run = NULL;
	if (!run)
		return;
	run->login = NULL;
	if (run->started)
		run_hang_up(run);
}

/* They end as their sockets do. Nobody waits for them: this process ends too. */
void pam_logins_stop(void)
{
	struct pam_run *next;

	for (struct pam_run *run = runs; run; run = next) {
		next = run->next;
		run_answer(run, AUTH_BUSY);
		if (run->started)
			run_close(run);
		else
			run->stopping = true;
	}
}

bool pam_logins_busy(void)
{
	return runs;
}

static int worker_start(struct worker *worker)
{
	(void)worker;
	return 0;
}

static void worker_stop(struct worker *worker)
{
	(void)worker;
	pam_logins_stop();
}

static bool worker_busy(struct worker *worker)
{
	(void)worker;
	return pam_logins_busy();
}

const struct worker_hooks pam_login_hooks = {worker_start, worker_stop, worker_busy};
