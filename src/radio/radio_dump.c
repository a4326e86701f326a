#include "radio/radio_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "radio/radio.h"
#include "radio/radio_publish.h"

#define TICK_MS     250
#define RETRY_MS    10000
#define BUFFER_SIZE (512u << 10)
#define PATH_SIZE   4096u

static_assert(BUFFER_SIZE > HEADERS_MAX, "the headers of a chain fit");

struct dump {
	uv_timer_t tick;
	uv_fs_t request;
	struct mount *mount;     /* NULL: it ends when the buffer is written */
	const struct feed *feed; /* as long as there is a mount */
	char pattern[PATH_SIZE];
	char path[PATH_SIZE]; /* of the file that is open */
	uv_file file;         /* -1: none */
	bool busy;            /* request is under way */
	bool begun;           /* pos is where the file goes on; else where one may begin */
	bool failed;          /* and that was said */
	mono_t retry;
	int64_t rotate_at_us; /* wall time; 0: never */
	uint64_t pos;
	size_t len, written;
	uint8_t buffer[BUFFER_SIZE];
};

RUNS_ON(on_control) static void dump_step(struct dump *dump);

static const char *dump_extension(const struct dump *dump)
{
	enum framer_kind kind = (enum framer_kind)dump->feed->kind;

	return kind == FRAMER_ADTS ? "aac" : framer_kind_name(kind);
}

/* --- old files ------------------------------------------------------------------------------ */

struct prune {
	uv_work_t work;
	int64_t before; /* seconds */
	char glob[2 * PATH_SIZE];
};

/* On the thread pool. */
static void prune_work(uv_work_t *work)
{
	struct prune *prune = container_of(work, struct prune, work);
	glob_t found = {0};

	if (glob(prune->glob, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++) {
			struct stat about;

			if (lstat(found.gl_pathv[i], &about) == 0 && S_ISREG(about.st_mode) &&
			    about.st_mtim.tv_sec < prune->before)
				(void)unlink(found.gl_pathv[i]);
		}
	globfree(&found);
}

static void prune_done(uv_work_t *work, int status)
{
	(void)status;
	free(container_of(work, struct prune, work));
}

RUNS_ON(on_control) static void prune_start(const struct dump *dump)
{
	const struct mount *mount = dump->mount;
	uint64_t keep_ms = mount_conf(mount)->dump_keep;
	struct prune *prune = keep_ms ? calloc(1, sizeof *prune) : NULL;

	if (!prune)
		return;
	prune->before = wall_now_us() / 1000000 - (int64_t)(keep_ms / 1000);
	if (!dump_glob(dump->pattern, mount->name, dump_extension(dump), prune->glob,
		       sizeof prune->glob) ||
	    uv_queue_work(dump->tick.loop, &prune->work, prune_work, prune_done) != 0)
		free(prune);
}

/* --- the end -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void dump_close_file(struct dump *dump)
{
	uv_fs_t request;

	if (dump->file >= 0) {
		uv_fs_close(dump->tick.loop, &request, dump->file, NULL);
		uv_fs_req_cleanup(&request);
		log_info("radio", "dump closed", kv_str("file", dump->path));
	}
	dump->file = -1;
	dump->begun = false;
	dump->len = dump->written = 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct dump, tick));
}

RUNS_ON(on_control) static void dump_free(struct dump *dump)
{
	dump_close_file(dump);
	uv_close((uv_handle_t *)&dump->tick, on_closed);
}

/* It begins anew some time later, with what is live then. What went wrong is said once. */
RUNS_ON(on_control) static void dump_fail(struct dump *dump, const char *why)
{
	if (!dump->failed)
		log_warnx("radio", "dump cannot be written",
			  kv_str("mount", dump->mount ? dump->mount->name : ""),
			  kv_str("file", dump->path), kv_str("why", why));
	metric_add(METRIC_radio_dump_failures, 1);
	dump->failed = true;
	dump_close_file(dump);
	dump->retry = mono_add_ms(mono_now(), RETRY_MS);
	dump->pos = dump->mount ? ring_head_pos(&dump->feed->ring[FEED_RECORDS]) : 0;
}

/* --- reading -------------------------------------------------------------------------------- */

/* The next bytes up to until, behind what is in the buffer. False: they have been overwritten. */
static bool dump_copy(struct dump *dump, uint64_t until)
{
	const struct ring *ring = &dump->feed->ring[FEED_RECORDS];
	uint64_t n = until - dump->pos, room = BUFFER_SIZE - dump->len;

	if (n > room)
		n = room;
	if (!ring_keeps(ring, dump->pos, 0))
		return false;
	ring_copy(ring, dump->pos, dump->buffer + dump->len, (size_t)n);
	if (!ring_keeps(ring, dump->pos, 0))
		return false;
	dump->len += (size_t)n;
	dump->pos += n;
	return true;
}

/* The place in the ring where a file can begin, its headers in the buffer. False: there is none yet. */
static bool dump_find_start(struct dump *dump)
{
	const struct ring *ring = &dump->feed->ring[FEED_RECORDS];
	const struct ring *past = &dump->feed->ring[FEED_HEADERS];
	struct record start, headers;

	if (!ring_keeps(ring, dump->pos, 0))
		dump->pos = ring_head_pos(ring);
	if (!ring_find_key(ring, dump->pos, &start))
		return false;
	dump->pos = start.pos;
	if (!feed_headers_at(dump->feed, start.pos, &headers))
		return true;
	if (start.pos < headers.word[1] && ring_keeps(ring, headers.word[0], 0)) {
		dump->pos = headers.word[0];
		return true;
	}
	ring_copy(past, headers.pos, dump->buffer, headers.len);
	dump->len = headers.len;
	return ring_keeps(past, headers.pos, 0);
}

/* --- writing -------------------------------------------------------------------------------- */

static void on_written(uv_fs_t *request)
{
	struct dump *dump = container_of(request, struct dump, request);
	ssize_t result = request->result;

	enter_control();
	uv_fs_req_cleanup(request);
	dump->busy = false;
	if (result < 0) {
		dump_fail(dump, uv_strerror((int)result));
		if (!dump->mount)
			dump_free(dump);
		return;
	}
	dump->failed = false;
	dump->written += (size_t)result;
	metric_add(METRIC_radio_dump_bytes, result);
	dump_step(dump);
}

RUNS_ON(on_control) static void dump_write(struct dump *dump)
{
	uv_buf_t buffer = uv_buf_init((char *)dump->buffer + dump->written,
				      (unsigned)(dump->len - dump->written));
	int error = uv_fs_write(dump->tick.loop, &dump->request, dump->file, &buffer, 1, -1,
				on_written);

	dump->busy = error == 0;
	if (error)
		dump_fail(dump, uv_strerror(error));
}

static void on_open(uv_fs_t *request)
{
	struct dump *dump = container_of(request, struct dump, request);
	ssize_t result = request->result;

	enter_control();
	uv_fs_req_cleanup(request);
	dump->busy = false;
	if (result < 0) {
		dump_fail(dump, uv_strerror((int)result));
		if (!dump->mount)
			dump_free(dump);
		return;
	}
	dump->file = (uv_file)result;
	log_info("radio", "dump opened", kv_str("file", dump->path));
	if (dump->mount)
		prune_start(dump);
	dump_step(dump);
}

/* Files change at multiples of dump_rotate since midnight, UTC: by the hour is at the full hour. */
RUNS_ON(on_control) static int64_t next_rotation(const struct dump *dump, int64_t now_us)
{
	int64_t every_us = (int64_t)mount_conf(dump->mount)->dump_rotate * 1000;

	return every_us ? (now_us / every_us + 1) * every_us : 0;
}

RUNS_ON(on_control) static void dump_open(struct dump *dump)
{
	int64_t now = wall_now_us();
	int error = -ENAMETOOLONG;

	if (mono_before(mono_now(), dump->retry) || !dump_find_start(dump))
		return;
	dump->rotate_at_us = next_rotation(dump, now);
	if (dump_name(dump->pattern, dump->mount->name, dump_extension(dump), now, dump->path,
		      sizeof dump->path))
		error = uv_fs_open(dump->tick.loop, &dump->request, dump->path,
				   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640, on_open);
	dump->busy = dump->begun = error == 0;
	if (error)
		dump_fail(dump, uv_strerror(error));
}

/* Fills the buffer. At the end of a file's time only up to where the next one can begin. */
RUNS_ON(on_control) static void dump_fill(struct dump *dump)
{
	const struct ring *ring = &dump->feed->ring[FEED_RECORDS];
	uint64_t until = ring_head_pos(ring);
	struct record key;

	if (dump->rotate_at_us && wall_now_us() >= dump->rotate_at_us &&
	    ring_find_key(ring, dump->pos, &key)) {
		until = key.pos;
		if (dump->pos == until) {
			dump_close_file(dump);
			dump_open(dump);
			return;
		}
	}
	if (dump_copy(dump, until))
		return;
	log_warnx("radio", "dump lost sound: the disk is too slow",
		  kv_str("mount", dump->mount->name), kv_str("file", dump->path));
	metric_add(METRIC_radio_dump_failures, 1);
	dump_close_file(dump);
	dump->pos = ring_head_pos(ring);
}

/* The next thing to do, when nothing is under way. */
static void dump_step(struct dump *dump)
{
	if (dump->busy)
		return;
	if (dump->file >= 0 && dump->written == dump->len) {
		dump->len = dump->written = 0;
		if (dump->mount)
			dump_fill(dump);
	} else if (dump->file < 0 && dump->mount) {
		dump_open(dump);
	}
	if (!dump->busy && dump->file >= 0 && dump->written < dump->len)
		dump_write(dump);
	if (!dump->busy && !dump->mount)
		dump_free(dump);
}

static void on_tick(uv_timer_t *timer)
{
	enter_control();
	dump_step(container_of(timer, struct dump, tick));
}

/* --- the mount's ---------------------------------------------------------------------------- */

void dump_end(struct mount *mount)
{
	struct dump *dump = mount->dump;

	if (!dump)
		return;
	mount->dump = NULL;
	uv_timer_stop(&dump->tick);
	/* What is being written lies in the buffer: the rest goes behind it. */
	if (dump->begun && !dump_copy(dump, ring_head_pos(&dump->feed->ring[FEED_RECORDS])))
		metric_add(METRIC_radio_dump_failures, 1);
	dump->mount = NULL;
	dump->feed = NULL;
	dump_step(dump);
}

void dump_follow(struct mount *mount, uv_loop_t *loop)
{
	const char *pattern = mount_conf(mount)->dump;
	struct dump *dump = mount->dump;

	if (dump && (mount->state == MOUNT_OFF || dump->feed != mount->feed ||
		     strcmp(dump->pattern, pattern) != 0))
		dump_end(mount);
	if (mount->dump || !pattern[0] || mount->state == MOUNT_OFF)
		return;
	dump = calloc(1, sizeof *dump);
	if (!dump) {
		metric_add(METRIC_radio_out_of_memory, 1);
		return;
	}
	dump->mount = mount;
	dump->feed = mount->feed;
	dump->file = -1;
	dump->pos = mount->first_pos;
	bytes_to_str(bytes_str(pattern), dump->pattern, sizeof dump->pattern);
	mount->dump = dump;
	uv_timer_init(loop, &dump->tick);
	uv_timer_start(&dump->tick, on_tick, 0, TICK_MS);
}

/* --- what is kept --------------------------------------------------------------------------- */

/* As it was split before the first part of the path that is not always the same. */
static bool place_in(const char *pattern, struct kept_place *out)
{
	char all[PATH_SIZE];
	size_t fixed, slash = 0;

	if (!dump_glob(pattern, NULL, "*", all, sizeof all))
		return false;
	fixed = strcspn(all, "*?[\\");
	for (size_t i = 0; i < fixed; i++)
		if (all[i] == '/')
			slash = i;
	if (all[0] != '/' || slash == 0 || strlen(all + slash + 1) >= sizeof out->pattern)
		return false;
	bytes_to_str(bytes_of(all, slash), out->directory, sizeof out->directory);
	bytes_to_str(bytes_str(all + slash + 1), out->pattern, sizeof out->pattern);
	return true;
}

static bool place_of(unsigned number, struct kept_place *out)
{
	const struct conf *conf = radio_settings();
	size_t count = conf_entry_count(conf, &mount_conf_section);

	for (size_t i = 0; i < count; i++) {
		const struct mount_conf *mount = conf_entry_values(conf, &mount_conf_section, i);
		bool again = false;

		/* Of several mounts with one pattern the files are listed once. */
		for (size_t k = 0; mount->dump[0] && k < i && !again; k++) {
			const struct mount_conf *other =
				conf_entry_values(conf, &mount_conf_section, k);

			again = strcmp(mount->dump, other->dump) == 0;
		}
		if (mount->dump[0] && !again && place_in(mount->dump, out) && number-- == 0)
			return true;
	}
	return false;
}

RUNS_ON(on_control) static void add_open(json_t *set)
{
	for (const struct mount *mount = mount_first(); mount; mount = mount->next)
		if (mount->dump && mount->dump->file >= 0)
			kept_is_open(set, mount->dump->path);
}

const struct kept_family dump_kept = {
	.name = "radio",
	.place = place_of,
	.open = add_open,
};
