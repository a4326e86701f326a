#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/handover.h"
#include "core/log.h"

#define NAME      "control"
#define WORDS_MAX 4096
#define CALLERS   32
#define PLACES    (CALLERS + 1) /* one that is just being closed has its place until the turn ends */
#define AGAIN_MS  2000
#define LOOK_MS   1000

struct caller {
	uv_poll_t poll;
	int fd;
	bool in_use;
	bool waits;      /* for the outcome of an upgrade */
	bool asks;       /* a family, which has not answered */
	uint64_t number; /* the lower, the longer it is there */
	uint64_t since;  /* by the loop's clock */
	char line[WORDS_MAX];
	size_t len;
};

static const struct control_hooks *hooks;
static uv_poll_t listener;
static uv_timer_t again, look;
static const char *directory;
static int listening = -1, directory_fd = -1;
static struct caller callers[PLACES];
static uint64_t numbers;

/* The directory's own path may be longer than a socket's address. */
static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory_fd,
		 name);
	return address;
}

static void on_closed(uv_handle_t *handle)
{
	struct caller *caller = container_of(handle, struct caller, poll);

	caller->in_use = false;
}

RUNS_ON(on_control) static void caller_end(struct caller *caller)
{
	uv_close((uv_handle_t *)&caller->poll, on_closed);
	close(caller->fd);
	caller->fd = -1;
	caller->waits = false;
}

RUNS_ON(on_control) static void answer(struct caller *caller, bool done, const char *text)
{
	const char *word = done ? "ok" : "error", *gap = text[0] ? " " : "";
	struct iovec out[] = {{(void *)(uintptr_t)word, strlen(word)},
			      {(void *)(uintptr_t)gap, strlen(gap)},
			      {(void *)(uintptr_t)text, strlen(text)},
			      {(void *)(uintptr_t) "\n", 1}};

	(void)!writev(caller->fd, out, 4);
	caller_end(caller);
}

/* A family's answer, for the caller that is in the place it had, if it is still the same. */
struct asked {
	struct family_order order;
	size_t place;
	uint64_t number;
	char words[WORDS_MAX];
};

static void on_done(struct family_order *order, bool good, const char *text)
{
	struct asked *asked = container_of(order, struct asked, order);
	struct caller *caller = &callers[asked->place];

	enter_control();
	if (caller->in_use && caller->fd >= 0 && caller->number == asked->number)
		answer(caller, good, text);
	free(asked);
}

/* "FAMILY words …" */
RUNS_ON(on_control) static void ask_family(struct caller *caller)
{
	struct asked *asked = calloc(1, sizeof *asked);
	char *words = strchr(caller->line, ' ');
	size_t place = (size_t)(caller - callers);

	if (!asked || !words) {
		free(asked);
		answer(caller, false, "unknown word");
		return;
	}
	*words = '\0';
	snprintf(asked->words, sizeof asked->words, "%s", words + 1);
	asked->order = (struct family_order){asked->words, on_done};
	asked->place = place;
	asked->number = caller->number;
	caller->asks = true;
	if (!hooks->order(caller->line, &asked->order)) {
		free(asked);
		answer(caller, false, "unknown word");
	}
}

/* Faults and doubts of settings, each with its place, behind the word about all of them. */
RUNS_ON(on_control) static void obey_reload(struct caller *caller)
{
	static const char doubted[] = "but:\n", refused[] = "the settings before stay in force:\n";
	char *text = NULL;
	size_t len = 0;
	FILE *said = open_memstream(&text, &len);
	bool done = hooks->reload(said), whole;
	char *words = NULL;

	whole = said && fclose(said) == 0;
	if (whole && len &&
	    asprintf(&words, "%s%.*s", done ? doubted : refused, (int)len - 1, text) == -1)
		words = NULL;
	answer(caller, done,
	       words                 ? words
	       : done                ? ""
	       : handover_is_given() ? "another server takes over just now: ask again"
				     : "the log says why");
	free(words);
	free(text);
}

RUNS_ON(on_control) static void obey(struct caller *caller)
{
	if (strcmp(caller->line, "reload") == 0) {
		obey_reload(caller);
	} else if (strcmp(caller->line, "upgrade") == 0) {
		if (hooks->upgrade())
			caller->waits = true;
		else
			answer(caller, false, "there is no keeper, or an upgrade is under way");
	} else {
		ask_family(caller);
	}
}

static void on_caller(uv_poll_t *poll, int status, int events)
{
	struct caller *caller = container_of(poll, struct caller, poll);
	ssize_t n;
	char *end;

	(void)events;
	enter_control();
	n = status < 0 ? 0
		       : recv(caller->fd, caller->line + caller->len,
			      sizeof caller->line - 1 - caller->len, MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0 || caller->waits || caller->asks) {
		caller_end(caller);
		return;
	}
	caller->len += (size_t)n;
	caller->line[caller->len] = '\0';
	end = strchr(caller->line, '\n');
	if (end) {
		*end = '\0';
		obey(caller);
	} else if (caller->len == sizeof caller->line - 1) {
		answer(caller, false, "a line is at most 4094 bytes");
	}
}

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static bool is_here(const struct caller *caller)
{
	return caller->in_use && caller->fd >= 0;
}

/* Its order is not all there: nothing is lost with it. */
static bool is_idle(const struct caller *caller)
{
	return is_here(caller) && !caller->waits && !caller->asks;
}

/* Ends who was idle for too long; runs while anybody is here. */
static void on_look(uv_timer_t *timer)
{
	uint64_t now = uv_now(timer->loop), idle;
	bool any = false;

	enter_control();
	idle = hooks->idle();
	for (size_t i = 0; i < PLACES; i++) {
		if (is_idle(&callers[i]) && now - callers[i].since >= idle)
			answer(&callers[i], false, "no order was given here within control.idle");
		any |= is_here(&callers[i]);
	}
	if (!any)
		uv_timer_stop(timer);
}

/* A place for one more; whoever has said nothing for longest makes room. NULL: all are being served. */
RUNS_ON(on_control) static struct caller *place_find(void)
{
	struct caller *oldest = NULL, *free_place = NULL;
	size_t here = 0;

	for (size_t i = 0; i < PLACES; i++) {
		struct caller *caller = &callers[i];

		here += is_here(caller);
		if (!caller->in_use)
			free_place = caller;
		else if (is_idle(caller) && (!oldest || caller->number < oldest->number))
			oldest = caller;
	}
	if (!free_place || (here >= CALLERS && !oldest))
		return NULL;
	if (here >= CALLERS)
		answer(oldest, false, "another came, and no order was given here in time");
	return free_place;
}

/* NULL, or why not. */
RUNS_ON(on_control) static const char *caller_begin(int fd)
{
	struct caller *caller;

	if (!may_ask(fd))
		return "error only root and the user that the server runs as are heard\n";
	caller = place_find();
	if (!caller)
		return "error too many orders are being carried out: give it again later\n";
	*caller = (struct caller){
		.fd = fd, .in_use = true, .number = ++numbers, .since = uv_now(again.loop)};
	if (uv_poll_init(again.loop, &caller->poll, fd) != 0) {
		caller->in_use = false;
		return "error out of memory\n";
	}
	uv_poll_start(&caller->poll, UV_READABLE, on_caller);
	if (!uv_is_active((const uv_handle_t *)&look))
		uv_timer_start(&look, on_look, LOOK_MS, LOOK_MS);
	return NULL;
}

static void on_knock(uv_poll_t *poll, int status, int events)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const char *refusal;

	(void)poll;
	(void)status;
	(void)events;
	enter_control();
	refusal = fd >= 0 ? caller_begin(fd) : NULL;
	if (!refusal)
		return;
	(void)send(fd, refusal, strlen(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Under another name first, so that there is one at every moment of an upgrade. */
static int open_socket(void)
{
	static const char fresh[] = NAME ".new";
	struct sockaddr_un address = address_of(fresh);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	(void)unlinkat(directory_fd, fresh, 0);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) == -1 ||
	    fchmodat(directory_fd, fresh, 0600, 0) == -1 || listen(fd, CALLERS) == -1 ||
	    renameat(directory_fd, fresh, directory_fd, NAME) == -1) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

RUNS_ON(on_control) static int listen_here(void)
{
	int error;

	(void)mkdir(directory, 0700);
	directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd == -1)
		return -errno;
	listening = open_socket();
	error = listening < 0 ? listening : uv_poll_init(again.loop, &listener, listening);
	if (!error)
		return uv_poll_start(&listener, UV_READABLE, on_knock);
	if (listening >= 0)
		close(listening);
	listening = -1;
	close(directory_fd);
	return error;
}

/* The directory may be on a disk that is full or read-only at present. */
static void on_again(uv_timer_t *timer)
{
	enter_control();
	if (!handover_is_given() && listen_here() != 0)
		return;
	uv_timer_stop(timer);
	if (listening >= 0)
		log_info("core", "a socket for ringmainctl at last");
}

int control_start(uv_loop_t *loop, const char *path, const struct control_hooks *table)
{
	int error = uv_timer_init(loop, &again);

	if (error)
		return error;
	uv_timer_init(loop, &look); /* which does not fail */
	hooks = table;
	directory = path;
	error = listen_here();
	if (error)
		uv_timer_start(&again, on_again, AGAIN_MS, AGAIN_MS);
	return error;
}

void control_outcome(bool done, const char *why)
{
	for (size_t i = 0; i < PLACES; i++)
		if (callers[i].in_use && callers[i].waits)
			answer(&callers[i], done, why);
}

void control_stop(bool remove_name)
{
	if (!again.loop)
		return;
	uv_close((uv_handle_t *)&again, NULL);
	uv_close((uv_handle_t *)&look, NULL);
	if (listening >= 0) {
		if (remove_name)
			(void)unlinkat(directory_fd, NAME, 0);
		uv_close((uv_handle_t *)&listener, NULL);
		close(listening);
		close(directory_fd);
	}
	listening = -1;
	for (size_t i = 0; i < PLACES; i++)
		if (is_here(&callers[i]))
			caller_end(&callers[i]);
}
