#include "radio/radio_intro.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "radio/proto/framer.h"
#include "radio/radio.h"
#include "radio/radio_listener.h"
#include "radio/radio_send.h"

#define LOOK_US 2000000
#define HOLD_US 5000000 /* how long the last server's listeners wait for it */

struct intro {
	struct baton farewell;
	_Atomic uint32_t refs;
	_Atomic bool other_format_said;
	uint32_t number; /* of the bytes; not 0 */
	enum framer_kind kind;
	size_t len;
	uint8_t bytes[];
};

/* What tells one version of a file from another. */
struct version {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* The control thread's desk of one mount's intro, and what it gives to the thread pool. */
struct intro_desk {
	uv_work_t work;
	struct mount *mount; /* NULL: it is gone, and so is the desk when the pool is done */
	bool busy;           /* the pool's are: path to fault */
	mono_t looked;
	const char *said; /* what was last said to be wrong; NULL: nothing */
	char path[4096];
	uint64_t most;
	struct version version; /* of what was last looked at; all 0: nothing */
	bool changed;           /* and it is another than before */
	struct intro *made;
	const char *fault; /* why not */
};

/* A worker's listeners in one intro. */
struct use {
	struct use *next;
	struct intro *intro;
	uint32_t listeners;
};

static _Thread_local struct use *uses;
static _Thread_local mono_t missed_since;

/* Release and acquire: what others read of it happened before it is freed. */
static void intro_unref(struct intro *intro)
{
	if (intro && atomic_fetch_sub_explicit(&intro->refs, 1, memory_order_acq_rel) == 1)
		free(intro);
}

/* --- loading, on the thread pool ------------------------------------------------------------ */

/* FNV-1a: the same bytes have the same number in every process. */
static uint32_t number_of(struct bytes in)
{
	uint32_t number = 2166136261u;

	for (size_t i = 0; i < in.len; i++)
		number = (number ^ in.at[i]) * 16777619u;
	return number ? number : 1;
}

/* Where one stream's units can follow another's without a word between them. */
static bool can_introduce(enum framer_kind kind)
{
	return kind == FRAMER_MP3 || kind == FRAMER_ADTS || kind == FRAMER_OGG || kind == FRAMER_TS;
}

/* Leaves the whole units, one behind the other: tags, junk and a last unit that is cut off go. */
static const char *intro_cut(struct intro *intro)
{
	struct bytes in = bytes_of(intro->bytes, intro->len);
	struct framer *framer = malloc(sizeof *framer);
	enum framer_status status;
	struct unit unit;
	size_t len = 0;

	if (!framer)
		return "out of memory";
	if (!framer_kind_of_bytes(in, &intro->kind) || !can_introduce(intro->kind)) {
		free(framer);
		return "it is no MP3, AAC, Ogg or MPEG-TS";
	}
	framer_init(framer, intro->kind);
	while (in.len && (status = framer_next(framer, in, true, &unit)) != FRAMER_MORE) {
		if (status == FRAMER_UNIT) {
			memmove(intro->bytes + len, unit.data.at, unit.data.len);
			len += unit.data.len;
		}
		in = bytes_skip(in, unit.data.len);
	}
	free(framer);
	intro->len = len;
	intro->number = number_of(bytes_of(intro->bytes, len));
	return len ? NULL : "it holds nothing to play";
}

static const char *intro_read(int fd, struct intro *intro)
{
	size_t size = intro->len;

	for (intro->len = 0; intro->len < size;) {
		ssize_t n = read(fd, intro->bytes + intro->len, size - intro->len);

		if (n == -1)
			return "it cannot be read";
		if (n == 0)
			break; /* it became shorter: the next look sees that */
		intro->len += (size_t)n;
	}
	return intro_cut(intro);
}

static void intro_load(struct intro_desk *desk, int fd, size_t size)
{
	struct intro *intro = calloc(1, sizeof *intro + size);

	if (!intro) {
		desk->fault = "out of memory";
		return;
	}
	intro->len = size;
	atomic_init(&intro->refs, 1);
	desk->fault = intro_read(fd, intro);
	if (desk->fault)
		free(intro);
	else
		desk->made = intro;
}

static bool is_same(const struct version *a, const struct version *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void work(uv_work_t *request)
{
	struct intro_desk *desk = container_of(request, struct intro_desk, work);
	int fd = open(desk->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct version version = {0};
	struct stat about;

	desk->changed = true;
	desk->fault = NULL;
	if (fd == -1 || fstat(fd, &about) == -1) {
		desk->fault = errno == ENOENT ? "it is not there" : "it cannot be opened";
	} else if (!S_ISREG(about.st_mode)) {
		desk->fault = "it is no file";
	} else {
		version =
			(struct version){about.st_dev, about.st_ino, about.st_size, about.st_mtim};
		desk->changed = !is_same(&version, &desk->version);
		if (desk->changed && (uint64_t)about.st_size > desk->most)
			desk->fault = "it is larger than radio.intro_size";
		else if (desk->changed)
			intro_load(desk, fd, (size_t)about.st_size);
	}
	desk->version = version;
	if (fd != -1)
		close(fd);
}

/* --- the mount's ---------------------------------------------------------------------------- */

static void on_home(struct baton *baton)
{
	intro_unref(container_of(baton, struct intro, farewell));
}

/* Who comes from now on hears this one. A worker that has just found the old one has counted it before
 * the baton has passed. */
RUNS_ON(on_control) static void intro_put(struct mount *mount, struct intro *intro)
{
	struct intro *old =
		atomic_exchange_explicit(&mount->intro.intro, intro, memory_order_acq_rel);

	if (!old)
		return;
	old->farewell.visit = baton_pass;
	old->farewell.home = on_home;
	baton_send(&old->farewell);
}

RUNS_ON(on_control) static void desk_say(struct intro_desk *desk)
{
	struct mount *mount = desk->mount;

	if (desk->fault && (!desk->said || strcmp(desk->said, desk->fault) != 0))
		log_warnx("radio", "intro left out", kv_str("mount", mount->name),
			  kv_str("file", desk->path), kv_str("why", desk->fault));
	desk->said = desk->fault;
}

static void on_worked(uv_work_t *request, int status)
{
	struct intro_desk *desk = container_of(request, struct intro_desk, work);
	struct intro *made = desk->made;

	enter_control();
	(void)status;
	desk->busy = false;
	desk->made = NULL;
	if (!desk->mount) {
		intro_unref(made);
		free(desk);
		return;
	}
	if (!desk->changed)
		return;
	desk_say(desk);
	if (made)
		log_info("radio", "intro loaded", kv_str("mount", desk->mount->name),
			 kv_str("file", desk->path), kv_u64("bytes", made->len));
	intro_put(desk->mount, made);
}

void intro_stop(struct mount *mount)
{
	struct intro_desk *desk = mount->intro.desk;

	mount->intro.desk = NULL;
	if (!desk)
		return;
	desk->mount = NULL;
	if (!desk->busy)
		free(desk);
}

RUNS_ON(on_control)
static struct intro_desk *desk_open(struct mount *mount, const char *path)
{
	struct intro_desk *desk = calloc(1, sizeof *desk);

	if (!desk) {
		metric_add(METRIC_radio_out_of_memory, 1);
		return NULL;
	}
	desk->mount = mount;
	bytes_to_str(bytes_str(path), desk->path, sizeof desk->path);
	mount->intro.desk = desk;
	return desk;
}

void intro_follow(struct mount *mount, uv_loop_t *loop)
{
	const char *path = mount_conf(mount)->intro;
	struct intro_desk *desk = mount->intro.desk;
	mono_t now = mono_now();

	if (desk && (strcmp(desk->path, path) != 0 || desk->most != radio_conf()->intro_size)) {
		intro_stop(mount);
		desk = NULL;
		if (!path[0])
			intro_put(mount, NULL);
	}
	if (!path[0])
		return;
	if (!desk)
		desk = desk_open(mount, path);
	else if (desk->busy || mono_since_us(now, desk->looked) < LOOK_US)
		return;
	if (!desk)
		return;
	desk->looked = now;
	desk->most = radio_conf()->intro_size;
	desk->busy = uv_queue_work(loop, &desk->work, work, on_worked) == 0;
}

void intro_leave(struct mount *mount)
{
	intro_stop(mount);
	intro_unref(atomic_exchange_explicit(&mount->intro.intro, NULL, memory_order_acq_rel));
}

/* --- the listeners' ------------------------------------------------------------------------- */

static struct use **use_link(uint32_t number)
{
	struct use **link = &uses;

	while (*link && (*link)->intro->number != number)
		link = &(*link)->next;
	return link;
}

/* Two intros of the same bytes are one. */
RUNS_ON(on_worker) static bool use_take(struct intro *intro)
{
	struct use *use = *use_link(intro->number);

	if (!use) {
		use = malloc(sizeof *use);
		if (!use)
			return false;
		/* Relaxed: the mount has it, so it is not the first. */
		atomic_fetch_add_explicit(&intro->refs, 1, memory_order_relaxed);
		*use = (struct use){.next = uses, .intro = intro};
		uses = use;
	}
	use->listeners++;
	return true;
}

void intro_begin(const struct outlet *outlet, struct listener *listener)
{
	struct mount *mount = outlet->mount;
	struct intro *intro = atomic_load_explicit(&mount->intro.intro, memory_order_acquire);

	if (!intro)
		return;
	if (intro->kind != listener->kind) {
		if (!atomic_exchange_explicit(&intro->other_format_said, true,
					      memory_order_relaxed))
			log_warnx("radio", "intro left out", kv_str("mount", mount->name),
				  kv_str("why", "it is of another format"),
				  kv_str("intro", framer_kind_name(intro->kind)),
				  kv_str("heard", framer_kind_name(listener->kind)));
		return;
	}
	if (!use_take(intro))
		return;
	listener->flags |= LISTENER_INTRO | LISTENER_INTRO_HELD;
	listener->intro = intro->number;
	listener->intro_sent = 0;
	metric_add(METRIC_radio_intros, 1);
}

/* The last server's listener: 1: it is held here now. 0: perhaps soon. -ENOENT: its intro is lost. */
RUNS_ON(on_worker)
static int intro_hold(const struct mount *mount, struct listener *listener, mono_t now)
{
	struct intro *intro = atomic_load_explicit(&mount->intro.intro, memory_order_acquire);

	if (listener->flags & LISTENER_INTRO_HELD)
		return 1;
	if (intro && intro->number == listener->intro && use_take(intro)) {
		listener->flags |= LISTENER_INTRO_HELD;
		return 1;
	}
	/* From when this server first missed it: the last one may have been gone for long. */
	if (!missed_since.us)
		missed_since = now;
	return !intro && mono_since_us(now, missed_since) < HOLD_US ? 0 : -ENOENT;
}

int intro_send(struct outlet *outlet, uint32_t row, mono_t now)
{
	struct listener *listener = table_row(outlet_table(), row);
	int held = intro_hold(outlet->mount, listener, now);
	const struct use *use;
	struct bytes rest;
	ssize_t sent;
	int went;

	if (held == -ENOENT)
		metric_add(METRIC_radio_torn_frames, 1);
	if (held != 1)
		return held == -ENOENT;
	use = *use_link(listener->intro);
	CHECK(use);
	rest = bytes_skip(bytes_of(use->intro->bytes, use->intro->len), listener->intro_sent);
	went = link_flush(listener->link);
	if (went != 1)
		return went;
	sent = radio_send(listener, row, NULL, rest, 0);
	if (sent < 0)
		return (int)sent;
	outlet->bytes_out += (uint64_t)sent;
	return (size_t)sent == rest.len;
}

void intro_end(struct listener *listener)
{
	struct use **link = use_link(listener->intro), *use = *link;
	bool held = listener->flags & LISTENER_INTRO_HELD;

	listener->flags &= ~(LISTENER_INTRO | LISTENER_INTRO_HELD);
	if (!held)
		return;
	CHECK(use);
	if (--use->listeners)
		return;
	*link = use->next;
	intro_unref(use->intro);
	free(use);
}

void intro_worker_stop(void)
{
	while (uses) {
		struct use *next = uses->next;

		intro_unref(uses->intro);
		free(uses);
		uses = next;
	}
}
