/* A tmpfs of a few megabytes: what does not fit is refused before a byte is promised, and nobody dies of
 * SIGBUS. Readers need no right to write, not even to the file system. In a mount namespace of its own,
 * so it needs to be allowed one; else it is skipped. */
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "slot_box.h"

#define SKIPPED 77 /* what meson takes for it */

static void file_write(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void file_write(const char *path, const char *format, ...)
{
	FILE *file = fopen(path, "we");
	va_list args;

	if (!file)
		return;
	va_start(args, format);
	(void)vfprintf(file, format, args);
	va_end(args);
	(void)fclose(file);
}

static bool own_mounts(void)
{
	unsigned uid = (unsigned)getuid(), gid = (unsigned)getgid();

	if (unshare(CLONE_NEWNS) == -1) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
			return false;
		file_write("/proc/self/setgroups", "deny");
		file_write("/proc/self/uid_map", "0 %u 1\n", uid);
		file_write("/proc/self/gid_map", "0 %u 1\n", gid);
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static uint64_t free_bytes(void)
{
	struct statvfs room;

	CHECK(statvfs(slot_box_dir, &room) == 0);
	return (uint64_t)room.f_bavail * room.f_bsize;
}

/* 1080p takes 4.1 MB a frame: of two frames one fits and the next not. */
static void too_much_is_refused_and_takes_nothing(void)
{
	fc_config_t hd = slot_config(1920, 1080, 2), deep = slot_config(1920, 1080, 0);
	uint64_t before = free_bytes();

	CHECK(fc_slot_create("deep", &deep, 0) == -1 && errno == ENOSPC);
	CHECK(free_bytes() == before);
	CHECK(fc_slot_create("first", &hd, 0) == 0);
	CHECK(before - free_bytes() >= fc_slot_size(&hd));
	before = free_bytes();
	CHECK(fc_slot_create("second", &hd, 0) == -1 && errno == ENOSPC);
	/* To replace one, both must fit for a moment; the old one stays when they do not. */
	CHECK(fc_slot_create("first", &hd, FC_REPLACE) == -1 && errno == ENOSPC);
	CHECK(free_bytes() == before);
	CHECK(fc_open("second") == NULL && errno == ENOENT);
}

/* All that is left of the space goes to somebody else; the slot has its own. */
static void what_was_promised_is_there(void)
{
	char path[128], block[65536] = {1};
	fc_writer_t *writer = fc_writer_open("first");
	fc_slot_t *slot = fc_open("first");
	fc_frame_t *frame;
	ssize_t put;
	int fd;

	CHECK(writer && slot);
	snprintf(path, sizeof path, "%s/other", slot_box_dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	do {
		put = write(fd, block, sizeof block);
	} while (put > 0);
	CHECK(put == -1 && errno == ENOSPC);
	for (uint64_t i = 0; i < 5; i++) {
		const fc_frame_meta_t meta = {.pts_us = i};

		slot_fill(fc_write_begin(writer), 1920 * 1080 * 2, i, 1);
		CHECK(fc_write_commit(writer, &meta) == FC_OK);
		CHECK(fc_read_frame(slot, &frame, 0) == FC_OK);
		CHECK(slot_is(frame->data, frame->size, i, 1));
	}
	fc_close(slot);
	fc_writer_close(writer);
	close(fd);
	CHECK(unlink(path) == 0);
}

/* A hole where the pixels should be: on a full tmpfs to look at it would be death. */
static void a_file_with_holes_is_refused(void)
{
	char path[128], other[128];
	fc_header_t header;
	int from, to;

	snprintf(path, sizeof path, "%s/first", slot_box_dir);
	snprintf(other, sizeof other, "%s/hollow", slot_box_dir);
	from = open(path, O_RDONLY);
	to = open(other, O_CREAT | O_RDWR, 0600);
	CHECK(pread(from, &header, sizeof header, 0) == sizeof header);
	CHECK(pwrite(to, &header, sizeof header, 0) == sizeof header);
	CHECK(ftruncate(to, (off_t)header.file_size) == 0);
	CHECK(fc_open("hollow") == NULL && errno == EPROTO);
	CHECK(fc_writer_open("hollow") == NULL && errno == EPROTO);
	close(from);
	close(to);
	CHECK(unlink(other) == 0);
}

/* A reader whose mount is read-only reads, waits, is woken and judges the writer; writers it is not. */
static void a_reader_needs_no_right_to_write(void)
{
	char seen[80];
	fc_writer_t *writer = fc_writer_open("first");
	pid_t reader;
	int status, ready[2];
	char byte;

	CHECK(writer && pipe(ready) == 0);
	snprintf(seen, sizeof seen, "%s-ro", slot_box_dir);
	CHECK(mkdir(seen, 0700) == 0 && mount(slot_box_dir, seen, NULL, MS_BIND, NULL) == 0);
	CHECK(mount(NULL, seen, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
	reader = fork();
	CHECK(reader != -1);
	if (reader == 0) {
		fc_config_t config = slot_config(16, 16, 2);
		fc_frame_t *frame;
		fc_slot_t *slot;

		CHECK(setenv("FC_DIR", seen, 1) == 0);
		CHECK(fc_writer_open("first") == NULL && errno == EROFS);
		CHECK(fc_slot_create("new", &config, 0) == -1 && errno == EROFS);
		CHECK(fc_slot_remove("first", FC_FORCE) == -1 && errno == EROFS);
		slot = fc_open("first");
		CHECK(slot);
		fc_set_stall_ms(slot, SLOT_PATIENT_MS);
		CHECK(fc_state(slot) == FC_OK);
		fc_seek(slot, FC_SEEK_NEXT, 0);
		CHECK(write(ready[1], "", 1) == 1);
		CHECK(fc_read_frame(slot, &frame, 60000) == FC_OK && frame->pts_us == 77);
		CHECK(fc_read_frame(slot, &frame, 60000) == FC_CLOSED);
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(fc_write_frame(writer, "abcdefgh", 8, 77) == FC_OK);
	fc_writer_close(writer);
	CHECK(waitpid(reader, &status, 0) == reader && status == 0);
	CHECK(umount(seen) == 0 && rmdir(seen) == 0);
}

int main(void)
{
	if (!own_mounts()) {
		fprintf(stderr, "no mount namespace: skipped\n");
		return SKIPPED;
	}
	slot_box_make();
	CHECK(mount("tmpfs", slot_box_dir, "tmpfs", 0, "size=12m,mode=0700") == 0);
	too_much_is_refused_and_takes_nothing();
	what_was_promised_is_there();
	a_file_with_holes_is_refused();
	a_reader_needs_no_right_to_write();
	CHECK(umount(slot_box_dir) == 0 && rmdir(slot_box_dir) == 0);
	return 0;
}
