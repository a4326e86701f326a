/* kept: files that families make for people to take home: recordings of rooms, dumps of mounts.
 *
 *   family ─ places: a directory, and how names below it look ─▶ GET    /api/v1/recordings
 *                                                                GET    /api/v1/recordings/FAMILY/NAME ─▶ files
 *                                                                DELETE /api/v1/recordings/FAMILY/NAME
 *
 * What else lies in such a directory does not exist here: a name must fit its place, no link is followed, and
 * nothing leads out of the directory. A file that is being written is listed as such and can be fetched as far
 * as it goes, not deleted. Directories are read and files taken away on the thread pool.
 *
 * Owner: the control thread; files are sent by their connection's worker. */
#pragma once

#include "edge/api.h"

#define KEPT_PATH    4096u
#define KEPT_PATTERN 1024u

struct kept_place {
	char directory[KEPT_PATH];
	char pattern
		[KEPT_PATTERN]; /* glob(7) of what lies below it; a slash is never matched by a star */
};

struct kept_family {
	const char *name; /* "sfu": the first word of its files' names */
	bool folders;     /* a recording is a folder, which goes with the last file in it */
	/* The place of this number; false: there are no more. Any thread. */
	bool (*place)(unsigned number, struct kept_place *out);
	/* Puts the paths of files, or folders, that are being written into set, an object. On control. */
	void (*open)(json_t *set);
	/* What the file is of, such as a room: below KEPT_PATTERN bytes. Any thread; NULL: nobody knows. */
	void (*of)(const char *name, char out[KEPT_PATTERN]);
};

extern const struct api_operation kept_operations[];

/* Before the workers start; must last. Of its places the first 256 count. */
void kept_add(const struct kept_family *family);

/* For open(). */
void kept_is_open(json_t *set, const char *path);

/* A path as a glob(7) pattern that it alone matches. Any thread. */
void kept_put_plain(struct writer *w, const char *path);
