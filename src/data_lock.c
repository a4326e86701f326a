#include "data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/estate.h"
#include "core/log.h"

#define LAYOUT   1u
#define AGAIN_MS 500

struct lock_row {
	uint64_t in_use;
	int32_t fd;
	uint8_t pad[52];
};

static_assert(sizeof(struct lock_row) == 64, "rows are whole cache lines");

static const struct estate_kind kind = {
	.name = "data.lock",
	.layout = LAYOUT,
	.row_size = sizeof(struct lock_row),
	.fds_at = offsetof(struct lock_row, fd),
	.fds = 1,
};

static struct table rows;
static const char *path;
static uv_timer_t again;

void data_lock_know(void)
{
	estate_know(&kind);
}

static bool is_held(void)
{
	return rows.map && rows.high > 0 && table_settled(&rows, 0);
}

/* 0; -EBUSY; or -errno. */
static int lock_directory(void)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock_row *row;
	uint32_t number;
	int error;

	if (fd == -1)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		return error;
	}
	row = table_take(&rows, &number);
	CHECK(row && number == 0);
	row->fd = fd;
	table_settle(&rows, number);
	return 0;
}

int data_lock_take(const char *directory, bool alone)
{
	int error;

	path = directory;
	error = estate_table(&rows, &kind, 0, 1);
	if (error || is_held())
		return error;
	(void)mkdir(path, 0700);
	error = lock_directory();
	return error == -EBUSY && alone ? error : 0;
}

static void on_again(uv_timer_t *timer)
{
	enter_control();
	if (lock_directory() != 0)
		return;
	uv_timer_stop(timer);
	log_info("core", "the data directory is this server's alone now");
}

void data_lock_watch(uv_loop_t *loop)
{
	uv_timer_init(loop, &again);
	if (!is_held())
		uv_timer_start(&again, on_again, AGAIN_MS, AGAIN_MS);
}

void data_lock_stop(void)
{
	if (again.loop)
		uv_close((uv_handle_t *)&again, NULL);
	estate_close(&rows);
}
