#include "feed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "outlet.h"

#define LOOK_MS        200
#define PIPE_SIZE      (1 << 20)
#define DELAY_LEAST_MS 500
#define DELAY_MOST_MS  30000
#define GOOD_RUN_MS    10000
#define FINISH_MS      30000 /* for a process that has been told that this is all */
#define TERMINATE_MS   5000

enum outcome { SOURCE_ENDED, PROCESS_ENDED, STOPPED };

const char *feed_state_name(int state)
{
	static const char *const names[] = {"waiting", "running", "pausing", "ending", "done"};

	return names[state];
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool stopped(const struct feed *feed)
{
	return atomic_load(&feed->all->stop);
}

static void nap(const struct feed *feed, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (!stopped(feed) && now_ms() < end)
		nanosleep(&(struct timespec){0, 20000000}, NULL);
}

static void say(const struct feed *feed, const char *what, const char *more)
{
	fprintf(stderr, "capture-manager: %s: %s: %s%s%s\n", feed->all->slot, feed->name, what,
		*more ? ": " : "", more);
}

/* --- the process ---------------------------------------------------------------------------------- */

/* A pipe whose other end is for a child. */
static bool pipe_make(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) == -1)
		return false;
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	(void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
	return true;
}

static void pipe_drop(int ends[2])
{
	for (int i = 0; i < 2; i++) {
		if (ends[i] != -1)
			close(ends[i]);
		ends[i] = -1;
	}
}

static int spawn(struct command *command, int video, int sound, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int error;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	/* A group of its own: what a terminal tells us it hears from us. */
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	error = posix_spawn_file_actions_adddup2(&files, video, STDIN_FILENO);
	if (!error) /* what we say there is for others */
		error = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null",
							 O_WRONLY, 0);
	if (!error && sound != -1)
		error = posix_spawn_file_actions_adddup2(&files, sound, 3);
	if (!error)
		error = posix_spawnp(pid, command->words[0], &files, &attributes, command->words,
				     environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static bool process_start(struct feed *feed, const fc_info_t *info, struct outlet *outlet)
{
	struct command *command = malloc(sizeof *command);
	const struct command_values values = {.slot = feed->all->slot,
					      .name = feed->name,
					      .out = feed->all->out,
					      .run = atomic_load(&feed->run),
					      .raw = feed->raw,
					      .info = info};
	int video[2] = {-1, -1}, sound[2] = {-1, -1}, error;
	bool good = command, two = feed->raw && info->audio_channels;
	char fault[128] = "no memory";
	pid_t pid = -1;

	good = good && command_fill(command, feed->template, &values, fault, sizeof fault);
	if (good && (!pipe_make(video) || (two && !pipe_make(sound)))) {
		snprintf(fault, sizeof fault, "no pipe: %s", strerror(errno));
		good = false;
	}
	if (good && (error = spawn(command, video[0], sound[0], &pid)) != 0) {
		snprintf(fault, sizeof fault, "%s: %s", command->words[0], strerror(error));
		good = false;
	}
	free(command);
	if (!good) {
		say(feed, "its command does not start", fault);
		atomic_store(&feed->status, 127 << 8);
		pipe_drop(video);
		pipe_drop(sound);
		return false;
	}
	close(video[0]);
	if (two)
		close(sound[0]);
	atomic_store(&feed->pid, pid);
	atomic_store(&feed->state, FEED_RUNS);
	return outlet_open(outlet, info, video[1], sound[1], feed->raw, &feed->all->stop);
}

/* Whether it has ended within so many milliseconds. */
static bool ended_within(const struct feed *feed, uint64_t ms, int *status)
{
	uint64_t end = now_ms() + ms;
	pid_t pid = atomic_load(&feed->pid);

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (now_ms() >= end)
			return false;
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	}
	return true;
}

/* Its pipes are closed: it finishes its file, or is ended. */
static void process_end(struct feed *feed)
{
	char how[64] = "";
	int status = 0;

	atomic_store(&feed->state, FEED_ENDS);
	if (!ended_within(feed, FINISH_MS, &status)) {
		say(feed, "its process does not end by itself", "");
		kill(atomic_load(&feed->pid), SIGTERM);
		if (!ended_within(feed, TERMINATE_MS, &status)) {
			kill(atomic_load(&feed->pid), SIGKILL);
			(void)ended_within(feed, TERMINATE_MS, &status);
		}
	}
	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(how, sizeof how, "with status %d", WEXITSTATUS(status));
	if (*how)
		say(feed, "its process has ended", how);
	atomic_store(&feed->status, status);
	atomic_store(&feed->pid, 0);
}

/* --- frames --------------------------------------------------------------------------------------- */

struct buffers {
	uint8_t *now, *before;
	bool any; /* before holds a frame */
};

static bool process_lives(const struct feed *feed)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)atomic_load(&feed->pid), &info, WEXITED | WNOHANG | WNOWAIT) ==
		       0 &&
	       info.si_pid == 0;
}

static enum outcome pump(struct feed *feed, fc_slot_t *slot, const fc_info_t *info,
			 struct outlet *outlet, struct buffers *buffers)
{
	uint64_t silent_since = now_ms();

	while (!stopped(feed)) {
		fc_frame_t *frame;
		/* A copy: what a pipe has taken half of cannot be taken back. */
		int result = fc_copy_frame(slot, &frame, buffers->now, info->frame_size, LOOK_MS);
		uint8_t *swap = buffers->before;

		atomic_store(&feed->position, fc_position(slot));
		atomic_store(&feed->lost, feed->lost_before + fc_lost(slot));
		if (result == FC_CLOSED || result == FC_SUPERSEDED || result == FC_BROKEN)
			return SOURCE_ENDED;
		if (result == FC_DEAD && now_ms() - silent_since > feed->all->patience_ms)
			return SOURCE_ENDED;
		if (result != FC_OK) {
			if (!process_lives(feed))
				return PROCESS_ENDED;
			continue;
		}
		silent_since = now_ms();
		if (!outlet_frame(outlet, slot, frame, buffers->now,
				  buffers->any ? buffers->before : NULL))
			return stopped(feed) ? STOPPED : PROCESS_ENDED;
		buffers->before = buffers->now;
		buffers->now = swap;
		buffers->any = true;
		atomic_fetch_add(&feed->frames, 1);
		atomic_store(&feed->repeated, outlet->repeated);
	}
	return STOPPED;
}

/* One life of the process. */
static enum outcome run(struct feed *feed, fc_slot_t *slot, const fc_info_t *info,
			struct buffers *buffers)
{
	struct outlet outlet = {.video = -1, .sound = -1};
	enum outcome outcome = PROCESS_ENDED;
	bool started;

	atomic_fetch_add(&feed->run, 1);
	started = process_start(feed, info, &outlet);
	if (started)
		outcome = pump(feed, slot, info, &outlet, buffers);
	outlet_close(&outlet);
	if (atomic_load(&feed->pid))
		process_end(feed);
	return outcome;
}

/* --- the slot ------------------------------------------------------------------------------------- */

/* From its beginning where that is still there, or else from now on; the same for all feeds. A feed that
 * knows the slot goes on where it was. */
static void seek_together(struct feed *feed, fc_slot_t *slot, const fc_info_t *info)
{
	struct feeds *all = feed->all;

	pthread_mutex_lock(&all->lock);
	if (feed->generation == info->generation) {
		fc_seek(slot, FC_SEEK_INDEX, atomic_load(&feed->position));
	} else if (all->generation != info->generation) {
		fc_seek(slot,
			info->write_cursor < info->ring_depth / 2 ? FC_SEEK_OLDEST : FC_SEEK_NEWEST,
			0);
		all->generation = info->generation;
		all->start = fc_position(slot);
	} else {
		fc_seek(slot, FC_SEEK_INDEX, all->start);
	}
	feed->generation = info->generation;
	feed->lost_before = atomic_load(&feed->lost);
	pthread_mutex_unlock(&all->lock);
}

static bool source_ended(fc_slot_t *slot)
{
	int state = fc_state(slot);

	return state == FC_CLOSED || state == FC_SUPERSEDED;
}

/* Nobody needs to wait for the end of a pause when there will be nothing more. */
static void nap_while_written(const struct feed *feed, fc_slot_t *slot, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (!stopped(feed) && now_ms() < end && !source_ended(slot))
		nap(feed, LOOK_MS);
}

/* Until the slot, or its writer, has ended. A process that fails gets what is left of an ended one once. */
static enum outcome slot_serve(struct feed *feed, fc_slot_t *slot)
{
	uint64_t delay_ms = DELAY_LEAST_MS;
	enum outcome outcome = PROCESS_ENDED;
	struct buffers buffers;
	bool last = false;
	fc_info_t info;

	fc_info(slot, &info);
	seek_together(feed, slot, &info);
	buffers = (struct buffers){malloc(info.frame_size), malloc(info.frame_size), false};
	while (buffers.now && buffers.before && outcome == PROCESS_ENDED && !stopped(feed)) {
		uint64_t begun = now_ms();

		outcome = run(feed, slot, &info, &buffers);
		if (outcome != PROCESS_ENDED || stopped(feed))
			break;
		if (last) {
			outcome = SOURCE_ENDED;
			break;
		}
		atomic_fetch_add(&feed->restarts, 1);
		if (now_ms() - begun > GOOD_RUN_MS)
			delay_ms = DELAY_LEAST_MS;
		atomic_store(&feed->state, FEED_PAUSES);
		nap_while_written(feed, slot, delay_ms);
		last = source_ended(slot);
		delay_ms = 2 * delay_ms < DELAY_MOST_MS ? 2 * delay_ms : DELAY_MOST_MS;
		buffers.any = false;
	}
	if (!buffers.now || !buffers.before)
		say(feed, "no memory", "");
	free(buffers.now);
	free(buffers.before);
	return outcome;
}

/* A slot with somebody who writes to it. */
static fc_slot_t *slot_await(struct feed *feed)
{
	atomic_store(&feed->state, FEED_WAITS);
	while (!stopped(feed)) {
		fc_slot_t *slot = fc_open_wait(feed->all->slot, LOOK_MS);
		int state;

		if (!slot) {
			if (errno != ETIMEDOUT)
				nap(feed, LOOK_MS);
			continue;
		}
		state = fc_state(slot);
		if (state == FC_OK || state == FC_NOSIGNAL || state == FC_STALLED)
			return slot;
		fc_close(slot);
		nap(feed, LOOK_MS);
	}
	return NULL;
}

static void *feed_main(void *context)
{
	struct feed *feed = context;
	fc_slot_t *slot;

	/* By this name the server's list of readers knows it: cut off after 15 characters. */
	prctl(PR_SET_NAME, feed->name);
	while ((slot = slot_await(feed))) {
		enum outcome outcome = slot_serve(feed, slot);

		fc_close(slot);
		if (outcome == SOURCE_ENDED && feed->all->once)
			break;
	}
	atomic_store(&feed->state, FEED_DONE);
	return NULL;
}

/* The highest run of this feed that has left a file in OUT, SLOT-NAME-RUN…; 0: none has. A manager that is
 * started again goes on behind it, as ffmpeg is told to write over what is there. */
static unsigned last_run(const struct feed *feed)
{
	char begin[FC_SLOT_ID_MAX + FEED_NAME_MAX + 8];
	const size_t len =
		(size_t)snprintf(begin, sizeof begin, "%s-%s-", feed->all->slot, feed->name);
	DIR *directory = opendir(feed->all->out);
	unsigned long last = 0;

	for (struct dirent *at; directory && (at = readdir(directory));) {
		const char *digits = at->d_name + len;
		unsigned long run;

		if (strncmp(at->d_name, begin, len) != 0 || *digits < '0' || *digits > '9')
			continue;
		run = strtoul(digits, NULL, 10);
		if (run > last && run < UINT32_MAX)
			last = run;
	}
	if (directory)
		closedir(directory);
	return (unsigned)last;
}

bool feed_start(struct feed *feed)
{
	atomic_store(&feed->run, last_run(feed));
	return pthread_create(&feed->thread, NULL, feed_main, feed) == 0;
}

void feed_join(struct feed *feed)
{
	pthread_join(feed->thread, NULL);
}
