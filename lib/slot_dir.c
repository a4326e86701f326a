#include "slot_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fc_internal.h"

#define LOOK_AGAIN_MS 100 /* the most that passes before the directory is looked at again */

const char *fc_dir_name(void)
{
	const char *name = getenv("FC_DIR");

	return name && name[0] ? name : FC_DEFAULT_DIR;
}

int fc_dir_open(bool make)
{
	int fd;

	if (make && mkdir(fc_dir_name(), 0750) == -1 && errno != EEXIST)
		return -errno;
	fd = open(fc_dir_name(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd == -1 ? -errno : fd;
}

void fc_dir_await(uint64_t limit)
{
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd poll_fd = {.fd = watch, .events = POLLIN};
	uint64_t now = fc_mono_ns();
	uint64_t left_ms = limit > now ? (limit - now) / 1000000 + 1 : 0;

	/* What came before the watch was there is found by looking again soon. */
	if (watch != -1)
		(void)inotify_add_watch(watch, fc_dir_name(), IN_CREATE | IN_MOVED_TO);
	(void)poll(&poll_fd, watch != -1, left_ms < LOOK_AGAIN_MS ? (int)left_ms : LOOK_AGAIN_MS);
	if (watch != -1)
		close(watch);
}

/* --- making --------------------------------------------------------------------------------------- */

static int reserve(int dir, int fd, uint64_t size)
{
	struct statvfs room;

	/* Asked first, as a tmpfs would fill itself up before it says no. */
	if (fstatvfs(dir, &room) == -1)
		return -errno;
	if ((uint64_t)room.f_bavail * room.f_bsize < size)
		return -ENOSPC;
	return -posix_fallocate(fd, 0, (off_t)size);
}

/* A file without a name, with all of its space and its header. A descriptor, or -errno. */
static int make_nameless(int dir, const fc_header_t *header, mode_t mode)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int error;

	if (fd == -1)
		return -errno;
	error = reserve(dir, fd, header->file_size);
	if (error == 0 && pwrite(fd, header, sizeof *header, 0) != (ssize_t)sizeof *header)
		error = -EIO;
	if (error == 0 && fchmod(fd, mode) == -1)
		error = -errno;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

static int give_name(int dir, int fd, const char *name)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno == ENOENT && linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0)
		return 0;
	return -errno;
}

/* Says it in the header of a file that goes, if it is a slot and we may. */
static void say_of(int fd, uint32_t state)
{
	struct fc_file file;

	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd == -1 || fc_file_map(&file, fd, true) != 0)
		return;
	fc_state_say(file.map, state);
	fc_file_unmap(&file);
}

/* The file under a name, for saying that it goes; read-only when there is no right to say it. A
 * descriptor; -EBUSY: a living writer has it; or -errno. */
static int open_to_end(const char *slot_id, int flags)
{
	int fd = fc_file_open(slot_id, true);

	if (fd == -EACCES || fd == -EROFS)
		fd = fc_file_open(slot_id, false);
	if (fd >= 0 && !(flags & FC_FORCE) && fc_locked(fd)) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

static int replace(int dir, int fd, const char *slot_id, int flags)
{
	char name[FC_SLOT_ID_MAX + 32];
	int old = open_to_end(slot_id, flags), error;

	if (old == -EBUSY)
		return old;
	snprintf(name, sizeof name, ".%s.%d", slot_id, (int)getpid());
	unlinkat(dir, name, 0);
	error = give_name(dir, fd, name);
	if (error == 0 && renameat(dir, name, dir, slot_id) == -1) {
		error = -errno;
		unlinkat(dir, name, 0);
	}
	if (old >= 0) {
		if (error == 0)
			say_of(old, FC_STATE_SUPERSEDED);
		close(old);
	}
	return error;
}

static int create(const char *slot_id, const fc_header_t *header, mode_t mode, int flags)
{
	int dir = fc_dir_open(true), fd, error;

	if (dir < 0)
		return dir;
	/* Before the space is taken: it may be all there is. */
	if (!(flags & (FC_REPLACE | FC_FORCE)) &&
	    faccessat(dir, slot_id, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		close(dir);
		return -EEXIST;
	}
	fd = make_nameless(dir, header, mode);
	error = fd < 0 ? fd : give_name(dir, fd, slot_id);
	if (error == -EEXIST && (flags & (FC_REPLACE | FC_FORCE)))
		error = replace(dir, fd, slot_id, flags);
	if (fd >= 0)
		close(fd);
	close(dir);
	return error;
}

void fc_semaphore_name(const char *slot_id, char name[FC_SEMAPHORE_MAX])
{
	snprintf(name, FC_SEMAPHORE_MAX, "/framecache-%s-write", slot_id);
}

static int result(int error)
{
	if (error == 0)
		return 0;
	errno = -error;
	return -1;
}

int fc_slot_create(const char *slot_id, const fc_config_t *config, int flags)
{
	fc_header_t header;

	if (!fc_slot_id_ok(slot_id) || !config || !fc_shape_make(config, &header))
		return result(-EINVAL);
	memcpy(header.slot_id, slot_id, strlen(slot_id));
	/* Grows with each file of a name, even where the clock was set back between two servers. */
	header.created_us = fc_wall_us();
	header.generation = header.created_us;
	return result(create(slot_id, &header, config->file_mode ? config->file_mode & 0777 : 0640,
			     flags));
}

int fc_slot_remove(const char *slot_id, int flags)
{
	char semaphore[FC_SEMAPHORE_MAX];
	struct stat before, now;
	int dir, fd, error = 0;

	fd = open_to_end(slot_id, flags);
	if (fd < 0)
		return result(fd);
	dir = fc_dir_open(false);
	if (dir < 0) {
		close(fd);
		return result(dir);
	}
	/* Not what has come under the name since. */
	if (fstat(fd, &before) == -1 || fstatat(dir, slot_id, &now, AT_SYMLINK_NOFOLLOW) == -1 ||
	    before.st_ino != now.st_ino)
		error = -ENOENT;
	else if (unlinkat(dir, slot_id, 0) == -1)
		error = -errno;
	else
		say_of(fd, FC_STATE_CLOSED);
	if (error == 0) {
		fc_semaphore_name(slot_id, semaphore);
		sem_unlink(semaphore);
	}
	close(dir);
	close(fd);
	return result(error);
}
