#include "core/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/scm.h"
#include "core/stow.h"

#define GENERATION     "RINGMAIN_GENERATION" /* in the environment of a binary that takes over */
#define GENERATIONS    64                    /* old ones that still answer somebody among them */
#define FAILURES_MAX   3                     /* starts in a row that come to nothing */
#define QUICK_MS       250 /* a server that crashes within this waits before the next start */
#define DELAY_FIRST_MS 50
#define DELAY_MOST_MS  5000
#define UPGRADE_MS     20000 /* a new server that has not taken over by then is ended */
#define ORPHAN_TRIES   3

/* What a holder and its servers share; it outlives both. */
struct life_page {
	_Atomic int32_t estate; /* + 1; 0: nothing to go on with */
	_Atomic uint32_t ready;
	_Atomic uint32_t handed_over;
	uint32_t crashes;
	int32_t signal;
};

static struct life_page *page;
static bool kept;
static sigset_t mask_of_server;

int keeper_zone(void)
{
	struct rlimit limit;

	/* Not too high either: the kernel's table reaches as far as the highest number. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur > 65536)
		return 65536 - 16;
	return (int)limit.rlim_cur - 16;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void signals_of_keepers(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR2);
}

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

/* A descriptor at a number of its own; the one it was is closed. */
static int move_to(int fd, int number)
{
	if (fd == number)
		return fd;
	if (dup3(fd, number, O_CLOEXEC) == -1)
		return -1;
	close(fd);
	return number;
}

/* As a shell's exit status: what a process ended with. */
static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the holder ----------------------------------------------------------------------------- */

/* A child that shares the descriptor table. It has a copy of everything else, as after fork(); libc
 * knows nothing of it, which is harmless while there is but one thread. */
static pid_t fork_with_files(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

struct holder {
	pid_t server;
	bool ending; /* somebody wants the server to end */
	bool ended;
	int status;
};

/* Takes one signal: passes it on, or notices the end of the server. timeout_ms < 0: for ever. False:
 * none came. */
static bool holder_wait(struct holder *holder, int timeout_ms)
{
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	siginfo_t info;
	sigset_t set;
	int number;

	signals_of_keepers(&set);
	number = timeout_ms < 0 ? sigwaitinfo(&set, &info) : sigtimedwait(&set, &info, &limit);
	if (number == -1)
		return false;
	if (number == SIGTERM || number == SIGINT)
		holder->ending = true;
	if (number != SIGCHLD && holder->server > 0)
		kill(holder->server, number);
	while (holder->server > 0 && waitpid(-1, &holder->status, WNOHANG) == holder->server) {
		holder->server = 0;
		holder->ended = true;
	}
	return true;
}

/* How long to wait before the next start; -1: there is to be none. */
static int holder_judge(struct holder *holder, int64_t lived_ms, unsigned *failures, int *delay)
{
	bool clean = WIFEXITED(holder->status) && WEXITSTATUS(holder->status) == 0;

	if (clean || holder->ending || atomic_load(&page->handed_over) ||
	    atomic_load(&page->estate) == 0)
		return -1;
	*failures = atomic_load(&page->ready) ? 0 : *failures + 1;
	if (*failures >= FAILURES_MAX)
		return -1;
	if (lived_ms > QUICK_MS)
		*delay = 0;
	else
		*delay = *delay == 0 ? DELAY_FIRST_MS : *delay * 2;
	if (*delay > DELAY_MOST_MS)
		*delay = DELAY_MOST_MS;
	/* The first crash in a while is made good at once. */
	return *delay == DELAY_FIRST_MS ? 0 : *delay;
}

/* What systemd kept, in the first holder. */
static void unstow(struct keeper_life *life)
{
	atomic_store(&page->estate, stow_take(&life->stow_broken) + 1);
	life->stowed = atomic_load(&page->estate) != 0;
}

/* Returns in each server. */
static void hold(struct keeper_life *life)
{
	struct holder holder = {0};
	unsigned failures = 0;
	int delay = 0;
	sigset_t set, before;

	page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		_exit(1);
	signals_of_keepers(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	unstow(life);
	for (;;) {
		int64_t began = now_ms(), until;
		int wait;

		atomic_store(&page->ready, 0);
		holder.ended = false;
		holder.server = fork_with_files();
		if (holder.server == 0) {
			/* What is said to it waits until it listens: keeper_listens(). */
			mask_of_server = before;
			sigdelset(&set, SIGCHLD);
			sigprocmask(SIG_SETMASK, &set, NULL);
			prctl(PR_SET_PDEATHSIG, 0);
			kept = true;
			life->kept = true;
			life->estate = atomic_load(&page->estate) - 1;
			life->crashes = page->crashes;
			life->signal = page->signal;
			life->stowed = life->stowed && page->crashes == 0;
			life->took_over = life->takes_over && life->estate >= 0;
			life->takes_over = life->takes_over && life->estate < 0;
			return;
		}
		if (holder.server == -1)
			_exit(1);
		while (!holder.ended)
			holder_wait(&holder, -1);
		wait = holder_judge(&holder, now_ms() - began, &failures, &delay);
		if (wait < 0)
			_exit(atomic_load(&page->handed_over) ? 0 : code_of(holder.status));
		page->crashes++;
		page->signal = WIFSIGNALED(holder.status) ? WTERMSIG(holder.status) : 0;
		for (until = now_ms() + wait; !holder.ending && now_ms() < until;)
			holder_wait(&holder, (int)(until - now_ms()));
		if (holder.ending)
			_exit(code_of(holder.status));
	}
}

/* --- the keeper ----------------------------------------------------------------------------- */

enum stage { NOBODY, STARTING, CURRENT, DRAINING };

struct generation {
	enum stage stage;
	pid_t holder; /* 0: it was killed, and its server lives on */
	int channel;
	int64_t since_ms;
};

static struct generation generations[GENERATIONS];
static char **program;
static char own_path[4096];
static bool ending;
static bool told_ready;
static bool upgrade_wanted; /* while another one was under way */
static unsigned orphan_tries;
static int last_status; /* of the present generation's holder */

static struct generation *generation_at(enum stage stage)
{
	for (size_t i = 0; i < GENERATIONS; i++)
		if (generations[i].stage == stage)
			return &generations[i];
	return NULL;
}

static void generation_forget(struct generation *generation)
{
	if (generation->channel >= 0)
		close(generation->channel);
	*generation = (struct generation){.channel = -1};
}

/* In the child: the channel and, at an upgrade, the way to the server before. */
static bool child_prepare(int channel, int peer, const sigset_t *before)
{
	pid_t keeper = getppid();

	sigprocmask(SIG_SETMASK, before, NULL);
	/* A terminal's signals are for the keeper, who passes them on. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != keeper)
		return false;
	return move_to(channel, KEEPER_CHANNEL_FD) >= 0 &&
	       (peer < 0 || move_to(peer, KEEPER_PEER_FD) >= 0);
}

/* The binary of the same name, whatever it is now. */
static void child_run(void)
{
	char number[16];

	snprintf(number, sizeof number, "%d", keeper_zone());
	setenv(GENERATION, number, 1);
	fcntl(KEEPER_CHANNEL_FD, F_SETFD, 0);
	fcntl(KEEPER_PEER_FD, F_SETFD, 0);
	execvp(program[0], program);
	if (errno == ENOENT)
		execv(own_path, program);
	_exit(127);
}

/* Starts a generation. In its holder (of the first one only) it returns 0. */
static int generation_start(int peer, const sigset_t *before)
{
	struct generation *generation = generation_at(NOBODY);
	int pair[2];
	pid_t pid;

	if (!generation)
		return -EBUSY;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1)
		return -errno;
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < GENERATIONS; i++)
			if (generations[i].stage != NOBODY)
				close(generations[i].channel);
		close(pair[0]);
		if (!child_prepare(pair[1], peer, before))
			_exit(1);
		if (peer >= 0)
			child_run();
		return 0;
	}
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		return -errno;
	}
	*generation = (struct generation){
		.stage = peer >= 0 ? STARTING : CURRENT,
		.holder = pid,
		.channel = pair[0],
		.since_ms = now_ms(),
	};
	return (int)pid;
}

/* The present server gets one end of a socket and the next one the other. */
static void upgrade_begin(const sigset_t *before)
{
	struct generation *current = generation_at(CURRENT);
	int pair[2];
	char letter = KEEPER_UPGRADE;

	/* One that failed says so to the server before we see that it is gone. */
	upgrade_wanted = generation_at(STARTING);
	if (ending || !current || upgrade_wanted || !generation_at(NOBODY))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return;
	if (scm_send(current->channel, &letter, 1, &pair[0], 1) > 0)
		(void)generation_start(pair[1], before);
	close(pair[0]);
	close(pair[1]);
}

static void generation_end(struct generation *generation, int number)
{
	if (generation->holder > 0)
		kill(generation->holder, number);
	else
		shutdown(generation->channel, SHUT_RDWR); /* the server sees that and ends */
}

static void pass_on(int number, const sigset_t *before)
{
	if (number == SIGUSR2) {
		upgrade_begin(before);
		return;
	}
	if (number == SIGTERM || number == SIGINT)
		ending = true;
	for (size_t i = 0; i < GENERATIONS; i++)
		if (generations[i].stage != NOBODY && (ending || generations[i].stage == CURRENT))
			generation_end(&generations[i], number);
}

static void taken_over(struct generation *next)
{
	struct generation *current = generation_at(CURRENT);

	if (next->stage != STARTING)
		return;
	if (current)
		current->stage = DRAINING;
	next->stage = CURRENT;
	upgrade_wanted = false;
	orphan_tries = 0;
}

/* The present server is gone. If another was taking over it has: it says so to the server before first,
 * and a crash may have come before it said so here. If not, it ends by itself. */
static void succeed(const struct generation *gone)
{
	struct generation *next = generation_at(STARTING);

	if (gone->stage == CURRENT && next && !ending)
		taken_over(next);
}

/* Everything that one server says. False: it is gone. */
static bool generation_hear(struct generation *generation, const sigset_t *before)
{
	char letter;
	ssize_t n = recv(generation->channel, &letter, 1, MSG_DONTWAIT);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		return false;
	if (n != 1)
		return true;
	if (letter == KEEPER_READY && !told_ready && generation->stage == CURRENT) {
		stow_forget(false);
		sd_notify(0, "READY=1");
		told_ready = true;
	} else if (letter == KEEPER_ENDING && generation->stage == CURRENT) {
		sd_notify(0, "STOPPING=1");
	} else if (letter == KEEPER_TAKEN) {
		taken_over(generation);
	} else if (letter == KEEPER_UPGRADE && generation->stage == CURRENT) {
		upgrade_begin(before);
	}
	return true;
}

/* The holder of the present server is gone, and not because the server is: that one lives on, with
 * nobody to start it again. Another generation is to take over from it. */
static bool is_orphaned(const struct generation *generation, int status)
{
	struct pollfd look = {.fd = generation->channel, .events = POLLIN};

	return WIFSIGNALED(status) && generation->stage == CURRENT && !ending &&
	       generation->channel >= 0 && poll(&look, 1, 0) >= 0 && !(look.revents & POLLHUP);
}

static void holder_ended(pid_t pid, int status)
{
	for (size_t i = 0; i < GENERATIONS; i++) {
		struct generation *generation = &generations[i];

		if (generation->stage == NOBODY || generation->holder != pid)
			continue;
		if (is_orphaned(generation, status)) {
			generation->holder = 0;
			return;
		}
		/* What a new server told last, before it went. */
		while (generation->stage == STARTING && generation_hear(generation, NULL)) {
			struct pollfd look = {.fd = generation->channel, .events = POLLIN};

			if (poll(&look, 1, 0) <= 0 || !(look.revents & POLLIN))
				break;
		}
		if (generation->stage == CURRENT)
			last_status = status;
		succeed(generation);
		generation_forget(generation);
	}
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		holder_ended(pid, status);
}

/* What is due without anybody asking. The time until the next look, or -1. */
static int look_after(const sigset_t *before)
{
	struct generation *starting = generation_at(STARTING);
	struct generation *current = generation_at(CURRENT);

	/* Its whole group, so that nothing of it can say later that it took over after all. */
	if (starting && now_ms() - starting->since_ms > UPGRADE_MS)
		kill(-starting->holder, SIGKILL);
	if (upgrade_wanted && !starting)
		upgrade_begin(before);
	if (current && current->holder == 0 && !starting) {
		if (++orphan_tries > ORPHAN_TRIES)
			generation_end(current, SIGTERM);
		else
			upgrade_begin(before);
	}
	return starting || (current && current->holder == 0) ? 1000 : -1;
}

static int generations_left(void)
{
	int left = 0;

	for (size_t i = 0; i < GENERATIONS; i++)
		left += generations[i].stage != NOBODY;
	return left;
}

/* Its server is gone for good. Its holder's end follows, if it has one. */
static void generation_silent(struct generation *generation)
{
	if (generation->holder == 0) {
		last_status = generation->stage == CURRENT ? 1 << 8 : 0;
		succeed(generation);
		generation_forget(generation);
	} else {
		close(generation->channel);
		generation->channel = -1;
	}
}

static void signals_take(int signals, const sigset_t *before)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
		if (info.ssi_signo != SIGCHLD)
			pass_on((int)info.ssi_signo, before);
}

static void watch(int signals, const sigset_t *before)
{
	struct pollfd look[GENERATIONS + 1] = {{.fd = signals, .events = POLLIN}};
	struct generation *whose[GENERATIONS + 1];
	int timeout = look_after(before);
	nfds_t count = 1;

	/* No more than there are: the kernel counts them against the limit of descriptors. */
	for (size_t i = 0; i < GENERATIONS; i++)
		if (generations[i].stage != NOBODY && generations[i].channel >= 0) {
			whose[count] = &generations[i];
			look[count++] =
				(struct pollfd){.fd = generations[i].channel, .events = POLLIN};
		}
	if (poll(look, count, timeout) < 0)
		return;
	for (nfds_t i = 1; i < count; i++)
		if (look[i].revents && !generation_hear(whose[i], before))
			generation_silent(whose[i]);
	if (look[0].revents)
		signals_take(signals, before);
	reap();
}

/* The keeper's whole life. Returns in the first holder. */
static void keep(void)
{
	sigset_t set, before;
	ssize_t len = readlink("/proc/self/exe", own_path, sizeof own_path - 1);
	int signals, pid;

	own_path[len > 0 ? len : 0] = '\0';
	for (size_t i = 0; i < GENERATIONS; i++)
		generations[i].channel = -1;
	signals_of_keepers(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	/* A server whose holder is killed becomes our child, so that its end is not missed. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	stow_look();
	pid = generation_start(-1, &before);
	if (pid == 0)
		return;
	stow_close();
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (pid < 0 || signals == -1) {
		say("ringmain: the keeper cannot start\n");
		_exit(1);
	}
	while (generations_left() && (generation_at(CURRENT) || ending))
		watch(signals, &before);
	for (size_t i = 0; i < GENERATIONS; i++)
		if (generations[i].stage != NOBODY)
			generation_end(&generations[i], SIGTERM);
	_exit(code_of(last_status));
}

/* --- in the server -------------------------------------------------------------------------- */

/* A binary that the keeper started for an upgrade. */
static bool is_next_generation(void)
{
	const char *number = getenv(GENERATION);
	bool next = number && strtol(number, NULL, 10) == keeper_zone() &&
		    fcntl(KEEPER_CHANNEL_FD, F_SETFD, FD_CLOEXEC) != -1 &&
		    fcntl(KEEPER_PEER_FD, F_SETFD, FD_CLOEXEC) != -1;

	unsetenv(GENERATION);
	return next;
}

void keeper_start(char **argv, struct keeper_life *life)
{
	*life = (struct keeper_life){.estate = -1};
	program = argv;
	fflush(NULL);
	if (is_next_generation())
		life->takes_over = true;
	else
		keep();
	hold(life);
}

void keeper_listens(void)
{
	if (kept)
		sigprocmask(SIG_SETMASK, &mask_of_server, NULL);
}

void keeper_owns(int estate)
{
	if (kept)
		atomic_store(&page->estate, estate + 1);
}

void keeper_disowns(void)
{
	if (kept)
		atomic_store(&page->estate, 0);
}

void keeper_handed_over(void)
{
	if (kept)
		atomic_store(&page->handed_over, 1);
}

int keeper_say(char letter)
{
	if (!kept)
		return -ENOTCONN;
	return send(KEEPER_CHANNEL_FD, &letter, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

void keeper_say_ready(void)
{
	if (kept) {
		atomic_store(&page->ready, 1);
		(void)keeper_say(KEEPER_READY);
	} else {
		sd_notify(0, "READY=1");
	}
}

void keeper_say_ending(void)
{
	if (kept)
		(void)keeper_say(KEEPER_ENDING);
	else
		sd_notify(0, "STOPPING=1");
}

int keeper_hear(int *fd)
{
	char letter;
	size_t fds = 1;
	ssize_t n = scm_recv(KEEPER_CHANNEL_FD, &letter, 1, fd, &fds);

	if (fds == 0)
		*fd = -1;
	return n == 1 ? letter : (int)n;
}
