#include "framecache/slot_board.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/handover.h"
#include "core/log.h"
#include "core/metric.h"
#include "framecache/slot_readers.h"

#define LOOK_MS 1000u

static struct {
	uv_loop_t *loop;
	uv_timer_t timer;
	const struct framecache_conf *conf;
	struct board_slot *slots;
	uint64_t pending;       /* bytes of orders under way */
	unsigned pending_count; /* and how many there are */
	uint64_t revision;      /* of the registry */
	bool changed;           /* since it was written */
	int untold;             /* why the registry was not written, as it was said; 0 */
	int blind;              /* why the directory could not be looked into; 0 */
	bool open;              /* the timer is there */
} board OWNED_BY(on_control);

/* --- places and room ------------------------------------------------------------------------ */

const char *board_directory(void)
{
	const char *name = getenv("FC_DIR");

	return name && name[0] ? name : FC_DEFAULT_DIR;
}

void board_place(const struct framecache_conf *conf)
{
	if (conf->dir[0])
		CHECK(setenv("FC_DIR", conf->dir, 1) == 0);
}

static bool statvfs_of(struct statvfs *room)
{
	return statvfs(board_directory(), room) == 0;
}

uint64_t board_room(void)
{
	struct statvfs room;

	return statvfs_of(&room) ? (uint64_t)room.f_bavail * room.f_bsize : 0;
}

uint64_t board_budget(void)
{
	const char *said = getenv("FC_SHM_SIZE");
	uint64_t budget = board.conf->budget;
	struct statvfs room;
	uint64_t most = statvfs_of(&room) ? (uint64_t)room.f_blocks * room.f_frsize / 5 * 4 : 0;

	if (budget == 0 && said)
		budget = strtoull(said, NULL, 10);
	return budget && budget < most ? budget : most;
}

uint64_t board_taken(void)
{
	uint64_t sum = board.pending;

	for (const struct board_slot *slot = board.slots; slot; slot = slot->next)
		sum += slot->info.file_size;
	return sum;
}

/* --- the registry --------------------------------------------------------------------------- */

RUNS_ON(on_control) static json_t *registry_tree(void)
{
	json_t *list = json_array();

	for (const struct board_slot *slot = board.slots; slot; slot = slot->next) {
		const fc_info_t *info = &slot->info;

		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I}", "slot_id",
				  info->slot_id, "width", (json_int_t)info->width, "height",
				  (json_int_t)info->height, "fps_num", (json_int_t)info->fps_num,
				  "fps_den", (json_int_t)info->fps_den, "pixel_format",
				  fc_pix_name(info->pixel_format), "source_type", info->source_type,
				  "ring_depth", (json_int_t)info->ring_depth, "bytes",
				  (json_int_t)info->file_size, "generation",
				  (json_int_t)info->generation));
	}
	return json_pack("{s:I, s:o}", "revision", (json_int_t)board.revision, "slots", list);
}

/* Beside it, and then in its place: whoever reads it reads one or the other, whole. */
static int registry_replace(int dir, const char *text)
{
	static const char next[] = ".registry.json.next";
	int fd = openat(dir, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t len = strlen(text);
	ssize_t put;

	if (fd == -1)
		return -errno;
	put = write(fd, text, len);
	close(fd);
	if (put == (ssize_t)len && renameat(dir, next, dir, "registry.json") == 0)
		return 0;
	unlinkat(dir, next, 0);
	return put == -1 ? -errno : -ENOSPC;
}

RUNS_ON(on_control) static void registry_write(void)
{
	int dir = open(board_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	json_t *tree;
	char *text;
	int error = -ENOENT;

	board.revision++;
	tree = registry_tree();
	text = tree ? json_dumps(tree, JSON_INDENT(1)) : NULL;
	if (dir != -1 && text)
		error = registry_replace(dir, text);
	board.changed = error != 0;
	/* It is tried again at each look: to say it once is enough. */
	if (error && error != board.untold)
		log_warn_code(-error, "framecache", "registry not written",
			      kv_str("directory", board_directory()));
	else if (!error && board.untold)
		log_info("framecache", "registry written again",
			 kv_str("directory", board_directory()));
	board.untold = error;
	free(text);
	json_decref(tree);
	if (dir != -1)
		close(dir);
}

/* --- looking -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static struct board_slot **slot_place(const char *slot_id)
{
	struct board_slot **link = &board.slots;

	while (*link && strcmp((*link)->info.slot_id, slot_id) < 0)
		link = &(*link)->next;
	return link;
}

const struct board_slot *board_first(void)
{
	return board.slots;
}

const struct board_slot *board_find(const char *slot_id)
{
	const struct board_slot *slot = *slot_place(slot_id);

	return slot && strcmp(slot->info.slot_id, slot_id) == 0 ? slot : NULL;
}

RUNS_ON(on_control) static void slot_forget(struct board_slot **link)
{
	struct board_slot *slot = *link;

	*link = slot->next;
	log_info("framecache", "slot gone", kv_str("slot", slot->info.slot_id));
	metric_add(METRIC_framecache_slots, -1);
	fc_close(slot->handle);
	free(slot);
	board.changed = true;
}

static void slot_measure(struct board_slot *slot, uint64_t now)
{
	uint64_t frames;

	fc_info(slot->handle, &slot->info);
	frames = slot->info.write_cursor - slot->fps_cursor;
	if (now - slot->fps_ns < LOOK_MS * 900000ull)
		return;
	slot->fps = slot->fps_ns ? (double)frames * 1e9 / (double)(now - slot->fps_ns) : 0;
	slot->fps_cursor = slot->info.write_cursor;
	slot->fps_ns = now;
}

static bool has_writer(const struct board_slot *slot)
{
	return slot->state == FC_OK || slot->state == FC_NOSIGNAL || slot->state == FC_STALLED;
}

RUNS_ON(on_control) static void slot_look(struct board_slot *slot, uint64_t now)
{
	slot->seen = true;
	slot->state = fc_state(slot->handle);
	slot_measure(slot, now);
	if (has_writer(slot))
		slot->alone_ns = 0;
	else if (slot->alone_ns == 0)
		slot->alone_ns = now;
}

RUNS_ON(on_control) static void slot_adopt(const char *slot_id, uint64_t now)
{
	struct board_slot **link = slot_place(slot_id);
	struct board_slot *slot = calloc(1, sizeof *slot);

	if (!slot)
		return;
	/* A file that is no slot is not ours. */
	slot->handle = fc_open(slot_id);
	if (!slot->handle) {
		free(slot);
		return;
	}
	fc_info(slot->handle, &slot->info);
	slot->fps_cursor = slot->info.write_cursor;
	slot->fps_ns = now;
	slot_look(slot, now);
	slot->next = *link;
	*link = slot;
	board.changed = true;
	metric_add(METRIC_framecache_slots, 1);
	log_info("framecache", "slot found", kv_str("slot", slot_id),
		 kv_str("source", slot->info.source_type), kv_u64("bytes", slot->info.file_size));
}

RUNS_ON(on_control) static void name_look(const char *slot_id, uint64_t now)
{
	struct board_slot **link = slot_place(slot_id);
	struct board_slot *slot = *link;

	if (!fc_slot_id_ok(slot_id))
		return;
	if (slot && strcmp(slot->info.slot_id, slot_id) == 0) {
		slot_look(slot, now);
		if (slot->state != FC_SUPERSEDED)
			return;
		slot_forget(link);
	}
	slot_adopt(slot_id, now);
}

RUNS_ON(on_control) static void slots_collect(uint64_t now)
{
	struct board_slot **link = &board.slots;

	while (*link) {
		struct board_slot *slot = *link;
		bool over = board.conf->grace && slot->alone_ns &&
			    now - slot->alone_ns > board.conf->grace * 1000000ull;

		/* Asks for the lock again: a writer that came in this moment keeps it. */
		if (over && fc_slot_remove(slot->info.slot_id, 0) == 0) {
			log_info("framecache", "slot collected", kv_str("slot", slot->info.slot_id),
				 kv_str("state", fc_result_name(slot->state)));
			slot->seen = false;
		}
		if (slot->seen)
			link = &slot->next;
		else
			slot_forget(link);
	}
}

bool board_fault(char *fault, size_t size)
{
	int error = board.blind ? board.blind : -board.untold;

	if (error)
		snprintf(fault, size, "%s%s: %s", board_directory(),
			 board.blind ? "" : "/registry.json", strerror(error));
	return error;
}

bool board_is_open(void)
{
	return board.open;
}

void board_look(void)
{
	uint64_t now = uv_hrtime();
	struct dirent *entry;
	DIR *dir;

	/* There is one registry and one that collects: the server that took over. */
	if (handover_is_given())
		return;
	dir = opendir(board_directory());
	board.blind = dir ? 0 : errno;
	for (struct board_slot *slot = board.slots; slot; slot = slot->next)
		slot->seen = false;
	while (dir && (entry = readdir(dir)))
		name_look(entry->d_name, now);
	if (dir)
		closedir(dir);
	slots_collect(now);
	readers_look(now);
	if (board.changed)
		registry_write();
}

/* --- orders --------------------------------------------------------------------------------- */

/* A bridge that runs as another user could not open what we made. The name may be another file's by now:
 * then that one is ours too, or is not given away. */
static void give_away(const struct board_order *order)
{
	int dir = open(board_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir == -1 ? -1
			   : openat(dir, order->slot_id,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    fchown(fd, order->uid, order->gid) == -1)
		log_warn_code(errno, "framecache", "slot not given away",
			      kv_str("slot", order->slot_id));
	if (fd != -1)
		close(fd);
	if (dir != -1)
		close(dir);
}

/* On libuv's pool: to take half a gigabyte takes a while. */
static void order_work(uv_work_t *work)
{
	struct board_order *order = container_of(work, struct board_order, work);

	if (fc_slot_create(order->slot_id, &order->config, order->flags) != 0)
		order->error = -errno;
	else if (order->owned && order->uid != geteuid())
		give_away(order);
}

static void order_done(uv_work_t *work, int status)
{
	struct board_order *order = container_of(work, struct board_order, work);

	enter_control();
	if (status)
		order->error = -ECANCELED;
	board.pending -= order->size;
	board.pending_count--;
	board_look();
	order->done(order);
}

void board_create(struct board_order *order)
{
	uint64_t budget = board_budget(), taken = board_taken();

	order->config.source_type = order->source_type;
	order->size = fc_slot_size(&order->config);
	order->error = 0;
	if (!fc_slot_id_ok(order->slot_id) || order->size == 0)
		order->error = -EINVAL;
	else if (board_find(order->slot_id) && !(order->flags & FC_REPLACE))
		order->error = -EEXIST;
	else if (taken > budget || order->size > budget - taken)
		order->error = -EDQUOT;
	if (order->error) {
		order->done(order);
		return;
	}
	board.pending += order->size;
	board.pending_count++;
	/* The order is the pool's from here on. It refuses nothing but a call without work. */
	CHECK(uv_queue_work(board.loop, &order->work, order_work, order_done) == 0);
}

int board_remove(const char *slot_id, bool force)
{
	int error = fc_slot_remove(slot_id, force ? FC_FORCE : 0) == 0 ? 0 : -errno;

	board_look();
	return error == -EINVAL ? -ENOENT : error;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_look(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	board_look();
}

void board_configure(const struct framecache_conf *conf)
{
	board.conf = conf;
}

int board_start(uv_loop_t *loop, const struct framecache_conf *conf)
{
	struct stat st;
	int error;

	if (mkdir(board_directory(), 0750) == -1 && errno != EEXIST)
		return -errno;
	if (stat(board_directory(), &st) == -1)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	board.loop = loop;
	board.conf = conf;
	/* Beyond where the server before was, who wrote it less often than each millisecond. */
	board.revision = (uint64_t)wall_now_us() / 1000;
	board.changed = true; /* the registry of the server before may say anything */
	board.open = true;
	error = readers_start(loop, board_directory());
	if (error)
		log_warn_code(-error, "framecache", "readers are not shown");
	board_look();
	uv_timer_init(loop, &board.timer);
	return uv_timer_start(&board.timer, on_look, LOOK_MS, LOOK_MS);
}

void board_stop(void)
{
	if (!board.open)
		return;
	board.open = false;
	uv_close((uv_handle_t *)&board.timer, NULL);
	while (board.pending_count)
		uv_run(board.loop, UV_RUN_ONCE);
	while (board.slots)
		slot_forget(&board.slots);
	readers_stop();
}
