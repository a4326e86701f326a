#include "core/stow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "core/keeper.h"
#include "core/scm.h"

#define MAGIC        0x776f7473676e6972ull
#define LAYOUT       1u
#define FIRST        3
#define STOW_MOST    65536u
#define BARRIER_US   10000000u
#define NAME         "rm"
#define MAP_NAME     "rm-map"
#define STORE(name)  "FDSTORE=1\nFDPOLL=0\nFDNAME=" name
#define REMOVE(name) "FDSTOREREMOVE=1\nFDNAME=" name

struct stowed {
	uint64_t device, inode;
	int32_t number;
	uint32_t pad;
};

struct map {
	uint64_t magic;
	uint32_t layout;
	uint32_t count;
	int32_t estate;
	uint32_t begun; /* a server went on with it */
	struct stowed rows[];
};

static int passed;                /* how many systemd passed, from FIRST on */
static int map_fd = -1;           /* among them */
static int32_t now_at[STOW_MOST]; /* of each row: where it is at present; 0: not here */
static int32_t row_at[STOW_MOST]; /* of each number: the row that is there, + 1 */

size_t stow_offered(void)
{
	const char *offered = getenv("FDSTORE");
	long most = offered && getenv("NOTIFY_SOCKET") ? strtol(offered, NULL, 10) : 0;

	return most < 2 ? 0 : most > (long)STOW_MOST ? STOW_MOST : (size_t)most;
}

/* --- the server that ends ------------------------------------------------------------------- */

static int by_inode(const void *a, const void *b)
{
	const struct stowed *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return (x->inode > y->inode) - (x->inode < y->inode);
}

static int map_fill(struct map *map, int estate, const int *fds, size_t count)
{
	*map = (struct map){.magic = MAGIC, .layout = LAYOUT, .estate = estate};
	for (size_t i = 0; i < count; i++) {
		struct stat about;

		if (fstat(fds[i], &about) == -1)
			return -errno;
		map->rows[i] = (struct stowed){about.st_dev, about.st_ino, fds[i], 0};
	}
	map->count = (uint32_t)count;
	qsort(map->rows, count, sizeof *map->rows, by_inode);
	return 0;
}

static size_t map_size(size_t count)
{
	return sizeof(struct map) + count * sizeof(struct stowed);
}

/* Its descriptor, or -errno. */
static int map_make(int estate, const int *fds, size_t count)
{
	int fd = memfd_create("ringmain-map", MFD_CLOEXEC), error;
	size_t size = map_size(count);
	struct map *map;

	if (fd == -1)
		return -errno;
	map = ftruncate(fd, (off_t)size) == -1
		      ? MAP_FAILED
		      : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	error = map == MAP_FAILED ? -errno : map_fill(map, estate, fds, count);
	if (map != MAP_FAILED)
		munmap(map, size);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int put_all(int map, const int *fds, size_t count)
{
	int sent;

	for (size_t at = 0; at < count; at += SCM_MOST) {
		size_t part = count - at < SCM_MOST ? count - at : SCM_MOST;

		sent = sd_pid_notify_with_fds(0, 0, STORE(NAME), fds + at, (unsigned)part);
		if (sent <= 0)
			return sent ? sent : -ENOTCONN;
	}
	sent = sd_pid_notify_with_fds(0, 0, STORE(MAP_NAME), &map, 1);
	if (sent <= 0)
		return sent ? sent : -ENOTCONN;
	/* It looks up who sent what: that one must be there still. */
	sent = sd_notify_barrier(0, BARRIER_US);
	return sent < 0 ? sent : 0;
}

int stow_put(int estate, const int *fds, size_t count)
{
	int map, error;

	if (count + 1 > stow_offered())
		return -E2BIG;
	map = map_make(estate, fds, count);
	if (map < 0)
		return map;
	error = put_all(map, fds, count);
	close(map);
	/* What it has by now would keep connections open that nobody serves. */
	if (error)
		stow_forget(true);
	return error;
}

/* --- the keeper that begins ----------------------------------------------------------------- */

/* The next of the names that systemd joined with colons. */
static bool next_name_is(const char **names, const char *wanted)
{
	size_t len = strcspn(*names, ":");
	bool is = len == strlen(wanted) && memcmp(*names, wanted, len) == 0;

	*names += len + ((*names)[len] == ':');
	return is;
}

void stow_look(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int count = sd_listen_fds(0); /* and makes them close-on-exec */

	passed = count > 0 && names ? count : 0;
	for (int i = 0; i < passed; i++)
		if (next_name_is(&names, MAP_NAME))
			map_fd = FIRST + i;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

void stow_close(void)
{
	if (passed)
		(void)!close_range(FIRST, (unsigned)(FIRST + passed - 1), 0);
	passed = 0;
	map_fd = -1;
}

void stow_forget(bool at_once)
{
	if (!stow_offered())
		return;
	sd_notify(0, REMOVE(NAME));
	sd_notify(0, REMOVE(MAP_NAME));
	if (at_once)
		(void)sd_notify_barrier(0, BARRIER_US);
}

/* The map, when it is one. */
static struct map *map_open(int fd, size_t *size)
{
	struct stat about;
	struct map *map;

	if (fstat(fd, &about) == -1 || about.st_size < (off_t)sizeof *map ||
	    about.st_size > (off_t)map_size(STOW_MOST))
		return NULL;
	*size = (size_t)about.st_size;
	map = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (map->magic == MAGIC && map->layout == LAYOUT && map->count <= STOW_MOST &&
	    map_size(map->count) == *size)
		return map;
	munmap(map, *size);
	return NULL;
}

/* The first row of this inode that nothing was found for yet; -1: none. */
static int row_of(const struct map *map, const struct stat *about)
{
	struct stowed wanted = {about->st_dev, about->st_ino, 0, 0};
	uint32_t low = 0, high = map->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (by_inode(&map->rows[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < map->count && by_inode(&map->rows[low], &wanted) == 0) {
		if (now_at[low] == 0)
			return (int)low;
		low++;
	}
	return -1;
}

/* Which row each passed descriptor is; what is none's is closed. False: one row has none. */
static bool rows_find(const struct map *map)
{
	for (int fd = FIRST; fd < FIRST + passed; fd++) {
		struct stat about;
		int row = fstat(fd, &about) == 0 ? row_of(map, &about) : -1;

		if (row < 0) {
			close(fd);
			continue;
		}
		now_at[row] = fd;
		row_at[fd] = row + 1;
	}
	for (uint32_t row = 0; row < map->count; row++)
		if (now_at[row] == 0 || map->rows[row].number < FIRST ||
		    map->rows[row].number >= keeper_zone())
			return false;
	return true;
}

/* The one that is where another one belongs goes to any free number. */
static bool make_way(int number)
{
	int row = row_at[number] - 1;
	int fd;

	if (row < 0)
		return fcntl(number, F_GETFD) == -1;
	fd = fcntl(number, F_DUPFD_CLOEXEC, FIRST);
	if (fd == -1 || fd >= (int)STOW_MOST)
		return false;
	close(number);
	row_at[number] = 0;
	row_at[fd] = row + 1;
	now_at[row] = fd;
	return true;
}

static bool rows_place(const struct map *map)
{
	for (uint32_t row = 0; row < map->count; row++) {
		int number = map->rows[row].number;

		if (now_at[row] == number)
			continue;
		if (!make_way(number) || dup3(now_at[row], number, O_CLOEXEC) == -1)
			return false;
		close(now_at[row]);
		row_at[now_at[row]] = 0;
		row_at[number] = (int32_t)row + 1;
		now_at[row] = number;
	}
	return true;
}

int stow_take(bool *crashed)
{
	struct map *map = NULL;
	int estate = -1, fd = -1;
	size_t size = 0;

	if (passed == 0)
		return -1;
	/* Out of the way of the others. */
	if (map_fd >= 0 && FIRST + passed < keeper_zone())
		fd = fcntl(map_fd, F_DUPFD_CLOEXEC, keeper_zone() + 8);
	if (map_fd >= 0)
		close(map_fd);
	if (fd >= 0)
		map = map_open(fd, &size);
	if (map && rows_find(map) && rows_place(map)) {
		estate = map->estate;
		*crashed = map->begun;
		map->begun = 1;
	} else {
		(void)!close_range(FIRST, (unsigned)keeper_zone() - 1, 0);
		stow_forget(true);
	}
	if (map)
		munmap(map, size);
	if (fd >= 0)
		close(fd);
	passed = 0;
	return estate;
}
