#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fc_internal.h"
#include "slot_dir.h"

/* --- time ---------------------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t fc_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t fc_wall_us(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000;
}

uint64_t fc_deadline(uint64_t timeout_ms)
{
	uint64_t now = fc_mono_ns();

	return timeout_ms > (UINT64_MAX - now) / 1000000 ? UINT64_MAX : now + timeout_ms * 1000000;
}

/* --- bytes that change under the reader ----------------------------------------------------------- */

#if defined(__SANITIZE_THREAD__)
#	define UNDER_TSAN 1
#elif defined(__has_feature)
#	if __has_feature(thread_sanitizer)
#		define UNDER_TSAN 1
#	endif
#endif

__attribute__((no_sanitize("thread"), noinline)) void fc_copy(void *to, const void *from,
							      size_t len)
{
#ifdef UNDER_TSAN /* which sees each memcpy() whoever calls it */
	for (size_t i = 0; i < len; i++) {
		((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
		__asm__ volatile("" ::: "memory");
	}
#else
	if (len)
		memcpy(to, from, len);
#endif
}

/* --- files ---------------------------------------------------------------------------------------- */

int fc_file_open(const char *slot_id, bool writable)
{
	int dir, fd, error;

	if (!fc_slot_id_ok(slot_id))
		return -EINVAL;
	dir = fc_dir_open(false);
	if (dir < 0)
		return dir;
	/* Not blocking, as somebody may have put a pipe there. */
	fd = openat(dir, slot_id,
		    (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
			    O_NOCTTY);
	error = errno;
	close(dir);
	return fd == -1 ? -error : fd;
}

/* Also whether all of it is there: to touch what is not can kill us (SIGBUS) where memory is short. */
static int judge(struct fc_file *file)
{
	struct stat st;
	ssize_t got;

	if (fstat(file->fd, &st) == -1)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)FC_HEADER_SIZE)
		return -EPROTO;
	got = pread(file->fd, &file->header, sizeof file->header, 0);
	if (got == -1)
		return -errno;
	if (got != sizeof file->header || !fc_shape_ok(&file->header, (uint64_t)st.st_size) ||
	    (uint64_t)st.st_blocks * 512 < file->header.file_size)
		return -EPROTO;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	return 0;
}

void (*fc_on_map)(const void *at, size_t len, bool mapped);

int fc_file_map(struct fc_file *file, int fd, bool writable)
{
	int error;

	file->fd = fd;
	file->map = MAP_FAILED;
	error = judge(file);
	if (error == 0) {
		file->map = mmap(NULL, file->header.file_size,
				 writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
		error = file->map == MAP_FAILED ? -errno : 0;
	}
	if (error)
		fc_file_unmap(file);
	else if (fc_on_map)
		fc_on_map(file->map, file->header.file_size, true);
	return error;
}

void fc_file_unmap(struct fc_file *file)
{
	if (file->map != MAP_FAILED && fc_on_map)
		fc_on_map(file->map, file->header.file_size, false);
	if (file->map != MAP_FAILED)
		munmap(file->map, file->header.file_size);
	close(file->fd);
	file->map = MAP_FAILED;
	file->fd = -1;
}

enum fc_name fc_file_name(const struct fc_file *file, const char *slot_id)
{
	enum fc_name name = FC_NAME_NONE;
	struct stat st;
	int dir = fc_dir_open(false);

	if (dir < 0)
		return name;
	if (fstatat(dir, slot_id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		name = st.st_dev == file->dev && st.st_ino == file->ino ? FC_NAME_SAME
									: FC_NAME_OTHER;
	close(dir);
	return name;
}

/* --- the writer's lock ---------------------------------------------------------------------------- */

int fc_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Asks for a lock that only a writer's stands against: what readers may lock deceives nobody. */
bool fc_locked(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &lock) == -1 || lock.l_type == F_WRLCK;
}

/* --- telling -------------------------------------------------------------------------------------- */

void fc_wake(fc_header_t *shared)
{
	/* After what it tells of, which readers load behind it. */
	__atomic_fetch_add(&shared->wake_seq, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &shared->wake_seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void fc_state_say(fc_header_t *shared, uint32_t state)
{
	STORE_RELEASE(shared->state, state);
	fc_wake(shared);
}

void fc_info_of(const struct fc_file *file, fc_info_t *out)
{
	const fc_header_t *h = &file->header;

	*out = (fc_info_t){
		.width = h->width,
		.height = h->height,
		.fps_num = h->fps_num,
		.fps_den = h->fps_den,
		.pixel_format = h->pixel_format,
		.frame_size = h->frame_size,
		.ring_depth = h->ring_depth,
		.scan = h->scan,
		.colour = h->colour,
		.plane_count = h->plane_count,
		.audio_channels = h->audio_channels,
		.audio_rate = h->audio_rate,
		.audio_capacity = h->audio_capacity,
		.file_size = h->file_size,
		.generation = h->generation,
		.created_us = h->created_us,
		.state = LOAD(file->map->state),
		.writer_pid = LOAD(file->map->writer_pid),
		.write_cursor = LOAD_ACQUIRE(file->map->write_cursor),
		.dropped_frames = LOAD(file->map->dropped_frames),
		.heartbeat_ns = LOAD(file->map->heartbeat_ns),
		.writer_epoch = LOAD(file->map->writer_epoch),
		.audio_cursor = LOAD(file->map->audio_cursor),
	};
	memcpy(out->plane_offset, h->plane_offset, sizeof out->plane_offset);
	memcpy(out->plane_row_bytes, h->plane_row_bytes, sizeof out->plane_row_bytes);
	memcpy(out->slot_id, h->slot_id, sizeof out->slot_id);
	memcpy(out->source_type, h->source_type, sizeof out->source_type);
}
