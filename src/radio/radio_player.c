#include "radio/radio_player.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "radio/radio_desk.h"
#include "radio/radio_feed.h"
#include "radio/radio_outlet.h"
#include "radio/radio_publish.h"

#define READ_SIZE 16384u
#define READ_MIN  512u
#define AHEAD_US  5000000 /* as much as a new listener may want at once */
#define PACE_MS   100
#define RETRY_MS  10000
#define NO_TIME   (1u << 20) /* bytes without any play time: it would be played at once */

#define PLAYER_LAYOUT 1u
#define ROWS_MAX      16384u

struct player_row {
	uint64_t in_use;
	uint64_t mount;
	int32_t desk;
	uint8_t pad[44];
};

static_assert(sizeof(struct player_row) == 64, "rows are whole cache lines");

const struct estate_kind player_kind = {
	.name = "radio.players",
	.layout = PLAYER_LAYOUT,
	.row_size = sizeof(struct player_row),
	.fds_at = offsetof(struct player_row, desk),
	.fds = 1,
};

/* What is kept on the desk beside the publisher. */
struct player_words {
	char path[4096];
	int64_t offset;
	uint64_t total;
	mono_t began;
	bool announced;
};

static struct table rows;
static _Atomic uint64_t players_made;

struct player {
	uv_timer_t pace;
	uv_fs_t request;
	struct mount *mount; /* NULL: stopped */
	char path[4096];
	uv_file file; /* -1: not open */
	bool asking;  /* request is under way */
	bool closing;
	bool published; /* publisher is in use */
	bool announced;
	bool hidden;        /* its feed goes away: nobody is told any more to hear it */
	const char *failed; /* why it last did; NULL: never */
	uint64_t total;     /* bytes read since it began */
	struct publisher publisher;
	struct desk desk; /* page NULL: it begins anew after a crash */
	uint32_t row;     /* with a desk */
	mono_t began;
	int64_t offset;
	uint8_t buffer[READ_SIZE];
};

RUNS_ON(on_control) static void player_next(struct player *player);

struct feed *player_feed(const struct player *player)
{
	return player->announced && !player->hidden ? player->publisher.feed : NULL;
}

bool player_is_starting(const struct player *player)
{
	return !player->announced && !player->failed;
}

bool player_plays(const struct player *player, const char *file)
{
	return strcmp(player->path, file) == 0;
}

uint32_t player_bitrate(const struct player *player)
{
	int64_t us = player->publisher.state.media_us;

	return us > 0 ? (uint32_t)(player->total * 8000000 / (uint64_t)us) : 0;
}

/* --- what the next server needs ------------------------------------------------------------- */

/* Without memory for it, the file begins anew after a crash. */
RUNS_ON(on_control) static void player_list(struct player *player)
{
	struct player_row *row = rows.map ? table_take(&rows, &player->row) : NULL;

	if (!row)
		return;
	if (desk_create(&player->desk) != 0) {
		table_give(&rows, player->row);
		return;
	}
	row->mount = player->mount->id;
	row->desk = player->desk.fd;
	player->publisher.place = desk_place(&player->desk);
}

RUNS_ON(on_control) static void player_unlist(struct player *player)
{
	if (!player->desk.page)
		return;
	player->publisher.place = NULL;
	if (rows.map)
		table_doubt(&rows, player->row);
	desk_close(&player->desk);
	if (rows.map)
		table_give(&rows, player->row);
}

RUNS_ON(on_control) static void player_save(struct player *player)
{
	static struct player_words kept;
	struct desk_words words = {.owner = &kept, .owner_len = sizeof kept};

	if (!player->desk.page || !rows.map)
		return;
	memset(&kept, 0, sizeof kept);
	memcpy(kept.path, player->path, sizeof kept.path);
	kept.offset = player->offset;
	kept.total = player->total;
	kept.began = player->began;
	kept.announced = player->announced;
	desk_save(&player->desk, &player->publisher, &words);
	table_settle(&rows, player->row);
}

/* --- the end -------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct player, pace));
}

/* Publishes no more; who has the feed keeps it until the baton has been everywhere. */
RUNS_ON(on_control) static void player_silence(struct player *player)
{
	struct feed *feed = player->announced ? player->publisher.feed : NULL;

	if (!player->published)
		return;
	player_unlist(player);
	publisher_fini(&player->publisher);
	player->published = false;
	player->announced = player->hidden = false;
	if (feed) {
		outlet_feed_ended(feed);
		outlet_feed_drop(feed);
	}
}

RUNS_ON(on_control) static void player_close_file(struct player *player)
{
	uv_fs_t request;

	if (player->file >= 0) {
		uv_fs_close(player->pace.loop, &request, player->file, NULL);
		uv_fs_req_cleanup(&request);
	}
	player->file = -1;
}

RUNS_ON(on_control) static void player_free(struct player *player)
{
	player->closing = true;
	player_close_file(player);
	uv_close((uv_handle_t *)&player->pace, on_closed);
}

void player_stop(struct player *player)
{
	player->mount = NULL;
	player_silence(player);
	if (!player->asking && !player->closing)
		player_free(player);
}

/* --- playing -------------------------------------------------------------------------------- */

static void on_pace(uv_timer_t *timer)
{
	enter_control();
	player_next(container_of(timer, struct player, pace));
}

RUNS_ON(on_control) static void player_later(struct player *player, uint64_t ms)
{
	uv_timer_start(&player->pace, on_pace, ms, 0);
}

RUNS_ON(on_control) static void player_fail(struct player *player, const char *why)
{
	struct mount *mount = player->mount;

	/* It is tried again and again; what is known is not said again. */
	if (!player->failed || strcmp(player->failed, why) != 0)
		log_warnx("radio", "fallback file does not play", kv_str("mount", mount->name),
			  kv_str("file", player->path), kv_str("why", why));
	player->failed = why;
	/* Who hears it goes elsewhere, before there is nothing to be heard any more. */
	player->hidden = true;
	mount_player_changed(mount);
	if (!player->mount)
		return;
	player_silence(player);
	player_close_file(player);
	player_later(player, RETRY_MS);
}

RUNS_ON(on_control) static void player_publish(struct player *player, struct bytes in)
{
	struct mount *mount = player->mount;

	if (publisher_put(&player->publisher, in, mono_now()) != PUBLISH_OK) {
		player_fail(player, "no stream that can be cut into frames");
		return;
	}
	if (player->offset > NO_TIME && player->publisher.state.media_us == 0) {
		player_fail(player, "its format tells no play time");
		return;
	}
	if ((player->publisher.news & PUBLISH_LIVE) && !player->announced) {
		player->announced = true;
		mount_player_changed(mount);
		/* That may have stopped us. */
		if (!player->mount)
			return;
	}
	player->publisher.news = 0;
	player_save(player);
	player_next(player);
}

static void on_read(uv_fs_t *request)
{
	struct player *player = container_of(request, struct player, request);
	ssize_t n = request->result;

	enter_control();
	uv_fs_req_cleanup(request);
	player->asking = false;
	if (!player->mount) {
		player_free(player);
	} else if (n < 0) {
		player_fail(player, uv_strerror((int)n));
	} else if (n == 0 && player->publisher.state.media_us == 0) {
		player_fail(player, "it holds nothing to play");
	} else if (n == 0) {
		player->offset = 0; /* from the beginning */
		player_later(player, 1);
	} else {
		player->offset += n;
		player->total += (uint64_t)n;
		player_publish(player, bytes_of(player->buffer, (size_t)n));
	}
}

static void on_open(uv_fs_t *request)
{
	struct player *player = container_of(request, struct player, request);
	ssize_t result = request->result;

	enter_control();
	uv_fs_req_cleanup(request);
	player->asking = false;
	player->file = result >= 0 ? (uv_file)result : -1;
	if (!player->mount)
		player_free(player);
	else if (result < 0)
		player_fail(player, uv_strerror((int)result));
	else
		player_next(player);
}

RUNS_ON(on_control) static bool player_prepare(struct player *player)
{
	struct mount *mount = player->mount;
	struct publish_plan plan = {
		.name = bytes_str(mount->name),
		.shape = feed_shape_for(mount_conf(mount)->ring, 256, HEADERS_MAX),
		.writer = ++players_made,
	};

	if (publisher_init(&player->publisher, &plan) != 0) {
		publisher_fini(&player->publisher);
		return false;
	}
	player->published = true;
	player->began = mono_now();
	player->offset = 0;
	player->total = 0;
	player_list(player);
	return true;
}

/* As much as is heard between two looks, so that listeners get it as evenly as an encoder's; all of it
 * while there is nothing ahead. */
RUNS_ON(on_control) static unsigned read_size(const struct player *player, mono_t now)
{
	uint32_t size = player_bitrate(player) / 8 * PACE_MS / 1000;

	if (player->publisher.state.media_us < mono_since_us(now, player->began) + AHEAD_US / 2)
		return READ_SIZE;
	return size < READ_MIN ? READ_MIN : size < READ_SIZE ? size : READ_SIZE;
}

/* The next thing to do: open, read, or wait until what was read has been heard. */
static void player_next(struct player *player)
{
	uv_loop_t *loop = player->pace.loop;
	uv_buf_t buffer = uv_buf_init((char *)player->buffer, read_size(player, mono_now()));
	int error;

	if (player->file >= 0 && player->published &&
	    player->publisher.state.media_us >
		    mono_since_us(mono_now(), player->began) + AHEAD_US) {
		player_later(player, PACE_MS);
		return;
	}
	if (player->file < 0) {
		error = uv_fs_open(loop, &player->request, player->path, O_RDONLY | O_CLOEXEC, 0,
				   on_open);
	} else if (!player->published && !player_prepare(player)) {
		player_fail(player, "out of memory");
		return;
	} else {
		error = uv_fs_read(loop, &player->request, player->file, &buffer, 1, player->offset,
				   on_read);
	}
	player->asking = error == 0;
	if (error)
		player_fail(player, uv_strerror(error));
}

struct player *player_start(struct mount *mount, uv_loop_t *loop)
{
	struct player *player = calloc(1, sizeof *player);

	if (!player)
		return NULL;
	player->mount = mount;
	player->file = -1;
	bytes_to_str(bytes_str(mount_conf(mount)->fallback_file), player->path,
		     sizeof player->path);
	uv_timer_init(loop, &player->pace);
	player_later(player, 0);
	return player;
}

/* --- what the last server left -------------------------------------------------------------- */

int players_open(void)
{
	return estate_table(&rows, &player_kind, 0, ROWS_MAX);
}

void players_close(void)
{
	estate_close(&rows);
}

RUNS_ON(on_control) static bool player_load(struct player *player, int desk)
{
	static struct player_words kept;
	struct publish_plan plan = {
		.name = bytes_str(player->mount->name),
		.shape = feed_shape_for(mount_conf(player->mount)->ring, MEAN_RECORD, HEADERS_MAX),
		.writer = ++players_made,
	};
	uint64_t consumed;

	if (publisher_init(&player->publisher, &plan) != 0 || desk_open(&player->desk, desk) != 0)
		return false;
	player->publisher.place = desk_place(&player->desk);
	if (!desk_load(&player->desk, &player->publisher, &consumed, &kept, sizeof kept) ||
	    strcmp(kept.path, player->path) != 0 ||
	    !publisher_resume(&player->publisher, radio_feed_left))
		return false;
	player->offset = kept.offset;
	player->total = kept.total;
	player->began = kept.began;
	player->announced = kept.announced;
	return true;
}

RUNS_ON(on_control)
static bool player_adopt(uv_loop_t *loop, const struct player_row *row, uint32_t at)
{
	struct mount *mount = mount_of_id(row->mount);
	const char *file = mount ? mount_conf(mount)->fallback_file : NULL;
	struct player *player =
		file && file[0] && !mount->player ? player_start(mount, loop) : NULL;

	if (!player)
		return false;
	player->row = at;
	if (!player_load(player, row->desk)) {
		publisher_forget(&player->publisher);
		player->publisher.place = NULL;
		desk_leave(&player->desk);
		publisher_fini(&player->publisher);
		player_stop(player);
		return false;
	}
	player->published = true;
	if (player->publisher.feed)
		radio_feed_claim(player->publisher.feed);
	mount->player = player;
	return true;
}

void players_adopt(uv_loop_t *loop)
{
	for (uint32_t at = 0; at < rows.high; at++) {
		const struct player_row *row = table_settled(&rows, at);

		if (!row || player_adopt(loop, row, at))
			continue;
		table_doubt(&rows, at);
		close(row->desk);
		table_give(&rows, at);
	}
}

void player_leave(struct player *player)
{
	player->mount = NULL;
	uv_timer_stop(&player->pace);
}
