#include "sfu/sfu_record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/side_thread.h"
#include "edge/kept.h"
#include "sfu/proto/mkv.h"
#include "sfu/proto/record_name.h"
#include "sfu/sfu_record_take.h"

#define ROUND_NS    100000000u
#define CLUSTER_MAX (16u << 20)
#define PATIENCE_US 3000000 /* a file begins without who has said nothing by then */
#define MERGE_US \
	1500000 /* one track waits for another's frames: longer than these wait for theirs */
#define LAYER_US  3000000 /* a layer that is silent for so long has gone */
#define ODD_US    5000000 /* pictures that cannot be begun with for so long are told of */
#define TURN_US   2000000 /* and so long before a phone that is turned does */
#define CHANGE_US 5000000 /* a file lasts at least so long before a better layer begins another */

_Static_assert(MKV_TRACKS >= ROOM_TRACKS_MAX, "a file has room for all tracks of a room");

struct writing {
	struct writing *next;
	struct record_job *job;
	struct take take[ROOM_TRACKS_MAX];
	unsigned count;
	int64_t began_us;  /* mono */
	int64_t ready_us;  /* mono: since when there is something for a file; 0: nothing */
	int64_t opened_us; /* mono: the file */
	/* the file */
	int fd;          /* -1: none */
	int64_t zero_us; /* wall time of its beginning */
	struct lipsync_base base;
	struct mkv mkv;
	struct writer cluster;
	bool failed; /* what is not written yet is lost */
};

static struct {
	struct side_thread thread;
	void (*over)(struct message *message);
	struct writing *writings; /* the thread's */
} here;

/* --- jobs ------------------------------------------------------------------------------------ */

int record_track_open(struct record_track *out, const struct sfu_track *track)
{
	int fd = dup(track->feed.fd), error;

	if (fd < 0)
		return -errno;
	error = feed_open(&out->feed, fd);
	if (error) {
		close(fd);
		return error;
	}
	out->codec = track->codec;
	out->video = track->video;
	out->place = track->place;
	out->clock = track->clock;
	memcpy(out->rid, track->rid, sizeof out->rid);
	return 0;
}

void record_job_free(struct record_job *job)
{
	for (unsigned i = 0; job && i < job->count; i++)
		feed_close(&job->track[i].feed);
	free(job);
}

void sfu_record_file(struct record_job *job, char out[RECORD_PATH])
{
	uv_mutex_lock(&here.thread.mutex);
	memcpy(out, job->file, RECORD_PATH);
	uv_mutex_unlock(&here.thread.mutex);
}

static void store(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static uint64_t load(_Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

/* --- the disk -------------------------------------------------------------------------------- */

/* No more is written; the first reason counts. */
static void fail(struct writing *writing, const char *why, int error)
{
	if (!writing->failed && !writing->job->why) {
		writing->job->why = why;
		writing->job->error = error;
	}
	writing->failed = true;
}

static bool disk_has(struct writing *writing, size_t len)
{
	struct record_job *job = writing->job;
	struct statvfs about;

	if (job->bytes_most && load(&job->bytes) + len > job->bytes_most) {
		fail(writing, "it is as large as it may be", 0);
		return false;
	}
	if (job->keep_free && statvfs(job->folder, &about) == 0 &&
	    (uint64_t)about.f_bavail * about.f_frsize < job->keep_free + len) {
		fail(writing, "the disk is nearly full", -ENOSPC);
		return false;
	}
	return true;
}

/* All or nothing: a part of a cluster is taken back. */
static bool write_all(struct writing *writing, struct bytes out)
{
	off_t from = lseek(writing->fd, 0, SEEK_END);
	struct bytes rest = out;

	while (rest.len) {
		ssize_t n = write(writing->fd, rest.at, rest.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail(writing, "it cannot be written", n < 0 ? -errno : -EIO);
			if (from >= 0 && ftruncate(writing->fd, from) != 0)
				log_warn("sfu", "recording not cut");
			return false;
		}
		rest = bytes_skip(rest, (size_t)n);
	}
	metric_add(METRIC_sfu_record_bytes, (int64_t)out.len);
	store(&writing->job->bytes, load(&writing->job->bytes) + out.len);
	return true;
}

static void prune(const struct record_job *job, const char *room, int64_t wall_us)
{
	char pattern[2 * RECORD_PATH + RECORD_NAME_MAX + 128] = "";
	struct writer w = writer_of(pattern, sizeof pattern - 1);
	glob_t found = {0};
	struct stat about;

	if (!job->keep_us)
		return;
	kept_put_plain(&w, job->folder);
	writer_str(&w, "/");
	writer_str(&w, room);
	writer_str(&w, RECORD_NAME_GLOB);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (lstat(found.gl_pathv[i], &about) == 0 && S_ISREG(about.st_mode) &&
			    (int64_t)about.st_mtim.tv_sec * 1000000 < wall_us - job->keep_us)
				(void)unlink(found.gl_pathv[i]);
	globfree(&found);
}

/* ROOM-20260102-030405.mkv, in UTC; a number behind it when there are two. */
static int open_file(struct writing *writing)
{
	struct record_job *job = writing->job;
	time_t now = (time_t)(writing->zero_us / 1000000);
	char room[RECORD_NAME_MAX + 1], stamp[32], path[RECORD_PATH];
	struct tm parts;

	record_name_write(job->room, room);
	prune(job, room, wall_now_us());
	gmtime_r(&now, &parts);
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
	for (unsigned i = 1; i < 1000; i++) {
		int n = snprintf(path, sizeof path, i > 1 ? "%s/%s-%s-%u.mkv" : "%s/%s-%s.mkv",
				 job->folder, room, stamp, i);

		if (n < 0 || (size_t)n >= sizeof path)
			return -ENAMETOOLONG;
		writing->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (writing->fd >= 0) {
			uv_mutex_lock(&here.thread.mutex);
			memcpy(job->file, path, sizeof path);
			uv_mutex_unlock(&here.thread.mutex);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* --- files ----------------------------------------------------------------------------------- */

static void put_cluster(struct writing *writing)
{
	struct bytes cluster = mkv_end_cluster(&writing->mkv);

	if (cluster.len == 0)
		return;
	if (writing->failed || !disk_has(writing, cluster.len) || !write_all(writing, cluster))
		writing->mkv.at -= cluster.len;
}

/* The index may be larger than what is left of the disk: without it the file is good too. */
static void close_file(struct writing *writing)
{
	struct mkv_patch patch[MKV_PATCHES];
	struct writer cues;
	bool more;
	unsigned count;

	if (writing->fd < 0)
		return;
	put_cluster(writing);
	writing->cluster.len = 0;
	cues = writer_of(writing->cluster.at, writing->cluster.size);
	more = !writing->failed;
	count = mkv_close(&writing->mkv, more ? &cues : NULL, patch);
	if (more && cues.len && !write_all(writing, writer_done(&cues))) {
		writing->mkv.at -= cues.len;
		count = mkv_close(&writing->mkv, NULL, patch);
	}
	for (unsigned i = 0; i < count; i++)
		if (pwrite(writing->fd, patch[i].bytes, patch[i].len, (off_t)patch[i].at) !=
		    (ssize_t)patch[i].len)
			fail(writing, "it cannot be written", -errno);
	close(writing->fd);
	writing->fd = -1;
	log_info("sfu", "recording closed", kv_str("room", writing->job->room),
		 kv_str("file", writing->job->file));
}

/* Numbers what is in the file. */
static unsigned choose_tracks(struct writing *writing, struct mkv_track tracks[MKV_TRACKS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < writing->count; i++) {
		struct take *take = &writing->take[i];

		if (take->number < 0)
			continue;
		take->number = (int)count;
		take->filed = take->shape;
		take->filed_turn = take->turn;
		tracks[count++] = (struct mkv_track){&take->filed, RECORD_CHANNELS, take->of->rid,
						     take->turn};
	}
	return count;
}

/* Places what is held on one clock that begins with the first of it. */
static void place_takes(struct writing *writing)
{
	int64_t first = INT64_MAX;

	writing->base = (struct lipsync_base){0};
	for (unsigned i = 0; i < writing->count; i++)
		if (writing->take[i].number >= 0)
			take_place(&writing->take[i], &writing->base,
				   writing->take[i].frame_wall_us - writing->zero_us);
	for (unsigned i = 0; i < writing->count; i++)
		if (writing->take[i].number >= 0 && writing->take[i].sync.us < first)
			first = writing->take[i].sync.us;
	for (unsigned i = 0; i < writing->count; i++)
		writing->take[i].sync.us -= first;
	writing->base.ntp_us += first;
}

static void begin_file(struct writing *writing)
{
	struct record_job *job = writing->job;
	struct mkv_track tracks[MKV_TRACKS];
	struct mkv_about about = {.title = job->room, .program = "ringmain", .track = tracks};
	struct writer head = writer_of(writing->cluster.at, writing->cluster.size);
	int error;

	writing->zero_us = INT64_MAX;
	for (unsigned i = 0; i < writing->count; i++)
		if (writing->take[i].number >= 0 &&
		    writing->take[i].frame_wall_us < writing->zero_us)
			writing->zero_us = writing->take[i].frame_wall_us;
	about.count = choose_tracks(writing, tracks);
	about.wall_us = writing->zero_us;
	about.uid = job->uid + load(&job->files);
	place_takes(writing);
	if (job->files_most && load(&job->files) >= job->files_most) {
		fail(writing, "it has as many files as it may have", 0);
		return;
	}
	if (!disk_has(writing, MKV_HEAD_MAX))
		return;
	error = open_file(writing);
	if (error) {
		fail(writing, "it cannot be written", error);
		return;
	}
	store(&job->files, load(&job->files) + 1);
	log_info("sfu", "recording opened", kv_str("room", job->room), kv_str("file", job->file));
	if (!mkv_open(&writing->mkv, &about, &head))
		fail(writing, "its head does not fit", 0);
	else
		(void)write_all(writing, writer_done(&head));
	if (writing->failed) {
		/* A file without a head is none. */
		close(writing->fd);
		writing->fd = -1;
		(void)unlink(job->file);
	}
	writing->ready_us = 0;
	writing->opened_us = mono_now().us;
}

/* --- which layer ----------------------------------------------------------------------------- */

static bool same_place(const struct take *a, const struct take *b)
{
	return a->of->video == b->of->video && a->of->place == b->of->place;
}

static uint64_t area(const struct take *take)
{
	return take->shaped ? (uint64_t)take->shape.width * take->shape.height : 0;
}

/* Whether a is rather recorded than b. */
static bool is_better(const struct record_job *job, const struct take *a, const struct take *b)
{
	bool chosen_a = job->layer[0] && strcmp(a->of->rid, job->layer) == 0;
	bool chosen_b = job->layer[0] && strcmp(b->of->rid, job->layer) == 0;

	return chosen_a != chosen_b ? chosen_a : area(a) > area(b);
}

/* Of each place the best that holds a frame; the others let go of theirs. */
static void choose_layers(struct writing *writing)
{
	for (unsigned i = 0; i < writing->count; i++) {
		struct take *take = &writing->take[i];
		bool best = take->held;

		for (unsigned k = 0; k < writing->count && best; k++) {
			struct take *other = &writing->take[k];

			if (k != i && other->held && same_place(take, other))
				best = k < i ? is_better(writing->job, take, other)
					     : !is_better(writing->job, other, take);
		}
		take->number = best ? 0 : -1;
	}
	for (unsigned i = 0; i < writing->count; i++)
		if (writing->take[i].number < 0)
			writing->take[i].held = false;
}

/* Whether one that is not in the file should be: it came late, or its better layer is gone or back. Of one
 * whose pictures nobody has seen yet the first key picture says how large they are. */
static bool wants_in(struct writing *writing, struct take *take, int64_t mono_us, int64_t wall_us)
{
	int64_t last = take_last_us(take);
	struct take *now = NULL;

	if (!last || wall_us - last > LAYER_US / 3)
		return false;
	if (!take->shaped && take_hold(take, wall_us, false))
		take->held = false;
	if (!take->shaped)
		return false;
	for (unsigned i = 0; i < writing->count; i++)
		if (writing->take[i].number >= 0 && same_place(&writing->take[i], take))
			now = &writing->take[i];
	if (!now)
		return true;
	return wall_us - take_last_us(now) > LAYER_US ||
	       (is_better(writing->job, take, now) && mono_us - writing->opened_us > CHANGE_US);
}

/* --- rounds ---------------------------------------------------------------------------------- */

static void want_keys(struct writing *writing)
{
	atomic_store_explicit(&writing->job->wants_key, true, memory_order_relaxed);
}

/* The next file: what is held begins it; pictures of others, at their next key. */
static void begin_again(struct writing *writing)
{
	close_file(writing);
	for (unsigned i = 0; i < writing->count; i++) {
		struct take *take = &writing->take[i];

		if (take->number < 0)
			take_again(take);
		else if (!take->held && take->of->video)
			take->needs_key = true;
		else if (take->held && take->of->video && !take->frame.key) {
			take->held = false;
			take->needs_key = true;
		}
		take->number = -1;
	}
	want_keys(writing);
}

static void count_lost(struct writing *writing)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < writing->count; i++) {
		struct take *take = &writing->take[i];

		if (take->lost && take->of->video)
			want_keys(writing);
		lost += take->number >= 0 ? take->lost : 0;
		take->lost = 0;
	}
	if (!lost)
		return;
	store(&writing->job->lost, load(&writing->job->lost) + lost);
	metric_add(METRIC_sfu_record_lost, (int64_t)lost);
}

/* Without a file: whether one can begin. */
static bool gather(struct writing *writing, int64_t mono_us, int64_t wall_us, bool all)
{
	unsigned held = 0, told = 0;
	bool late = false;

	for (unsigned i = 0; i < writing->count; i++) {
		struct take *take = &writing->take[i];

		held += take_hold(take, wall_us, all);
		told += take->held && take_is_told(take);
		late |= take->held && take_is_late(take);
	}
	if (!held)
		return false;
	if (!writing->ready_us)
		writing->ready_us = mono_us;
	return all || late || mono_us - writing->ready_us > PATIENCE_US ||
	       (held == writing->count && told == held);
}

/* The frame that is first in time; NULL: another track may still have an earlier one. */
static struct take *next_take(struct writing *writing, int64_t wall_us, bool all)
{
	struct take *first = NULL;
	bool waits = false;
	int64_t first_us = 0;

	for (unsigned i = 0; i < writing->count; i++) {
		struct take *take = &writing->take[i];
		int64_t us;

		if (take->number < 0)
			continue;
		if (!take_hold(take, wall_us, all)) {
			waits = true;
			continue;
		}
		us = lipsync_us(&take->sync, take->frame.ts);
		if (!first || us < first_us) {
			first = take;
			first_us = us;
		}
	}
	/* A clock that was set back says nothing of how long it was. */
	if (first && waits && !all && llabs(wall_us - first->frame_wall_us) <= MERGE_US &&
	    !take_is_late(first))
		return NULL;
	return first;
}

/* False: it begins another file. */
static bool put_frame(struct writing *writing, struct take *take)
{
	int64_t ms = (lipsync_us(&take->sync, take->frame.ts) + 500) / 1000;
	size_t len = take->frame.frame.len;
	unsigned number = (unsigned)take->number;

	/* A phone was turned: the head of a file says only one way. */
	bool turns = take->turn != take->filed_turn && mono_now().us - writing->opened_us > TURN_US;

	if (take->frame.key && (!shape_fits(&take->filed, &take->shape) || turns))
		return false;
	if (turns)
		want_keys(writing);
	if (take->frame.key && take->of->video)
		mkv_see(&writing->mkv, number, take->shape.width, take->shape.height);
	if (ms < 0)
		ms = 0;
	if (!mkv_fits(&writing->mkv, number, ms, take->frame.key, len))
		put_cluster(writing);
	if (mkv_put(&writing->mkv, &writing->cluster, number, ms, take->frame.key,
		    take->frame.frame))
		store(&writing->job->frames, load(&writing->job->frames) + 1);
	take->held = false;
	return true;
}

/* With a file: what can be put into it is. False: another begins. */
static bool write_frames(struct writing *writing, int64_t mono_us, int64_t wall_us, bool all)
{
	struct take *take;

	for (unsigned i = 0; i < writing->count; i++) {
		take = &writing->take[i];
		if (take->number >= 0)
			take_listen(take, &writing->base, false);
		else if (!all && wants_in(writing, take, mono_us, wall_us))
			return false;
	}
	while (!writing->failed && (take = next_take(writing, wall_us, all)))
		if (!put_frame(writing, take))
			return false;
	return true;
}

static bool is_long(const struct writing *writing)
{
	int64_t most = writing->job->length_us;

	return most && mono_now().us - writing->began_us > most;
}

/* Pictures that come and cannot be begun with: whoever wonders where they are finds it in the log. */
static void complain(struct writing *writing, int64_t mono_us, int64_t wall_us)
{
	for (unsigned i = 0; i < writing->count && mono_us - writing->began_us > ODD_US; i++) {
		struct take *take = &writing->take[i];

		if (take->shaped || take->complained || !take->of->video ||
		    wall_us - take_last_us(take) > LAYER_US)
			continue;
		take->complained = true;
		log_warnx("sfu",
			  "a track is not recorded: no picture to begin with has said its size",
			  kv_str("room", writing->job->room),
			  kv_str("codec", codec_name(take->of->codec)),
			  kv_str("rid", take->of->rid));
	}
}

/* all: nothing comes any more. */
static void round_of(struct writing *writing, bool all)
{
	int64_t mono_us = mono_now().us, wall_us = wall_now_us();

	for (unsigned tries = 0; tries < 4 && !writing->failed; tries++) {
		if (writing->fd < 0) {
			if (!gather(writing, mono_us, wall_us, all))
				break;
			choose_layers(writing);
			begin_file(writing);
			continue;
		}
		if (write_frames(writing, mono_us, wall_us, all))
			break;
		begin_again(writing);
	}
	count_lost(writing);
	complain(writing, mono_us, wall_us);
}

/* --- begin and end --------------------------------------------------------------------------- */

static void writing_free(struct writing *writing)
{
	for (unsigned i = 0; i < writing->count; i++)
		take_end(&writing->take[i]);
	free(writing->cluster.at);
	free(writing);
}

/* NULL: no memory. */
static struct writing *writing_make(struct record_job *job)
{
	struct writing *writing = calloc(1, sizeof *writing);
	uint8_t *cluster = malloc(CLUSTER_MAX);

	if (!writing || !cluster) {
		free(writing);
		free(cluster);
		return NULL;
	}
	writing->job = job;
	writing->fd = -1;
	writing->began_us = mono_now().us;
	writing->cluster = writer_of(cluster, CLUSTER_MAX);
	for (unsigned i = 0; i < job->count; i++, writing->count++)
		if (!take_begin(&writing->take[i], &job->track[i], job->fresh)) {
			writing_free(writing);
			return NULL;
		}
	if (!job->fresh)
		want_keys(writing);
	return writing;
}

/* stopped: nobody is told. Each job is counted until here or, where somebody is told, until there: never twice. */
static void give_back(struct record_job *job, bool stopped)
{
	if (stopped) {
		metric_add(METRIC_sfu_recordings, -1);
		record_job_free(job);
		return;
	}
	job->message.deliver = here.over;
	control_post(&job->message);
}

static void writing_end(struct writing *writing, bool stopped)
{
	struct record_job *job = writing->job;

	if (!writing->failed)
		round_of(writing, true);
	close_file(writing);
	writing_free(writing);
	give_back(job, stopped);
}

static bool take_jobs(void)
{
	bool stop;
	struct message *list =
		side_thread_take(&here.thread, here.writings ? ROUND_NS : SIDE_THREAD_ANY, &stop);

	while (list) {
		struct record_job *job = container_of(list, struct record_job, message);
		struct writing *writing = writing_make(job);

		list = list->next;
		if (writing) {
			writing->next = here.writings;
			here.writings = writing;
			continue;
		}
		job->why = "there is no memory";
		job->error = -ENOMEM;
		give_back(job, stop);
	}
	return stop;
}

static void record_main(void *unused)
{
	bool stop = false;

	(void)unused;
	while (!stop) {
		stop = take_jobs();
		for (struct writing **at = &here.writings; *at;) {
			struct writing *writing = *at;
			bool end = stop ||
				   atomic_load_explicit(&writing->job->end, memory_order_acquire);

			if (!end)
				round_of(writing, false);
			if (!end && !writing->failed && !is_long(writing)) {
				at = &writing->next;
				continue;
			}
			if (!end && !writing->failed)
				writing->job->why = "it is as long as it may be";
			*at = writing->next;
			writing_end(writing, stop);
		}
	}
}

int sfu_record_thread_give(struct record_job *job, void (*over)(struct message *message))
{
	int error;

	if (!here.thread.runs)
		here.over = over;
	error = side_thread_start(&here.thread, record_main);
	if (!error)
		side_thread_give(&here.thread, &job->message);
	return error;
}

void sfu_record_thread_wake(void)
{
	side_thread_wake(&here.thread);
}

void sfu_record_thread_stop(void)
{
	side_thread_stop(&here.thread);
}
