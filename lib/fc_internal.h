/* fc_internal: what the files of the client library share: atomics, the shape of a slot, files, time.
 *
 * Live fields of a slot are touched with the macros below and nothing else; all that is constant is
 * copied out of the file once, judged, and used from that copy, so that whoever can write to the file
 * can spoil pictures but not lead a reader outside its mapping (nor, see fc_on_map, outside the file). */
#pragma once

#include <stdbool.h>

#include "fc_client.h"

#define PAGE 4096u

#define LOAD(field)                 __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(field)         __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value)         __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define STORE_RELEASE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

/* --- shape.c: pure ------------------------------------------------------------------------------ */

/* Fills in all constant fields but generation, created_us and slot_id. False: no valid shape. */
bool fc_shape_make(const fc_config_t *config, fc_header_t *out);

/* Whether all that a header says of itself fits together and into a file of this size. */
bool fc_shape_ok(const fc_header_t *header, uint64_t file_size);

/* --- slot_file.c: directory, files, locks, time -------------------------------------------------- */

struct fc_file {
	int fd;
	uint64_t dev, ino;
	fc_header_t *map;   /* the whole of header.file_size bytes */
	fc_header_t header; /* as it was when it was judged; its live fields mean nothing */
};

/* Opens FC_DIR/slot_id: a regular file, no link. A descriptor, or -errno. */
int fc_file_open(const char *slot_id, bool writable);

/* Judges the header and maps the file. fd is the file's from now on, and is closed when it fails.
 * 0, or -errno; -EPROTO when it is no slot. */
int fc_file_map(struct fc_file *file, int fd, bool writable);
void fc_file_unmap(struct fc_file *file);

/* Told of each mapping before it is touched and before it is gone: whoever may write to a file may also
 * make it shorter, and to touch what is not there any more kills (SIGBUS) who has not provided for that.
 * NULL: nobody is. Set before the first slot is opened; not in the shared library. */
extern void (*fc_on_map)(const void *at, size_t len, bool mapped);

/* What FC_DIR/slot_id is now. */
enum fc_name { FC_NAME_SAME, FC_NAME_OTHER, FC_NAME_NONE };
enum fc_name fc_file_name(const struct fc_file *file, const char *slot_id);

/* The writer's lock: for as long as the descriptor is open anywhere. 0, or -EBUSY, or -errno. */
int fc_lock(int fd);
/* Whether somebody holds it. A descriptor that was opened for reading will do. */
bool fc_locked(int fd);

/* Tells all who wait that something has changed. */
void fc_wake(fc_header_t *shared);
void fc_state_say(fc_header_t *shared, uint32_t state);

void fc_info_of(const struct fc_file *file, fc_info_t *out);

/* "/framecache-<slot_id>-write". */
#define FC_SEMAPHORE_MAX (FC_SLOT_ID_MAX + 32)
void fc_semaphore_name(const char *slot_id, char name[FC_SEMAPHORE_MAX]);

uint64_t fc_mono_ns(void);
uint64_t fc_wall_us(void);
/* Now and so many milliseconds, on the monotonic clock; UINT64_MAX stays what it is. */
uint64_t fc_deadline(uint64_t timeout_ms);

/* The one function that touches bytes which the other side may be changing. What it copies is checked
 * afterwards; TSan, which does not know fences, is told so here and only here. */
void fc_copy(void *to, const void *from, size_t len);
