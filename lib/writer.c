#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fc_internal.h"

#ifndef MADV_POPULATE_WRITE
#	define MADV_POPULATE_WRITE 23
#endif

struct fc_writer {
	struct fc_file file;
	fc_header_t *live;
	uint64_t next;        /* the frame that is written next */
	uint64_t audio_next;  /* the sample that is written next */
	uint64_t audio_first; /* the first one that belongs to the next frame */
	uint32_t state;       /* as we said it last */
	uint32_t first_flags; /* FC_FRAME_DISCONTINUITY on the first frame after another writer */
	bool begun;
	sem_t *semaphore; /* or NULL */
};

/* --- opening -------------------------------------------------------------------------------------- */

static void beat(fc_writer_t *writer)
{
	STORE(writer->live->heartbeat_ns, fc_mono_ns());
}

/* Goes on where the former writer left off. What it had begun and not committed is begun again: intent
 * and seq say already that it is void, and intent never goes back, as readers have believed it. */
static int take_over(fc_writer_t *writer)
{
	fc_header_t *live = writer->live;
	uint64_t intent = LOAD_ACQUIRE(live->write_intent);

	writer->next = LOAD_ACQUIRE(live->write_cursor);
	writer->audio_next = writer->audio_first = LOAD_ACQUIRE(live->audio_cursor);
	if (intent - writer->next > 1 || writer->next > UINT64_MAX / 4 ||
	    LOAD(live->audio_intent) - writer->audio_next > writer->file.header.audio_capacity)
		return -EPROTO;
	writer->first_flags = writer->next ? FC_FRAME_DISCONTINUITY : 0;
	STORE(live->writer_epoch, LOAD(live->writer_epoch) + 1);
	STORE(live->writer_pid, (uint32_t)getpid());
	writer->state = FC_STATE_LIVE;
	beat(writer);
	fc_state_say(live, FC_STATE_LIVE);
	return 0;
}

/* What consumers of the first kind wait on. One post wakes one of them; so it is made only where
 * FC_LEGACY_SEM=1 is in the environment. */
static sem_t *semaphore_open(const char *slot_id)
{
	const char *wanted = getenv("FC_LEGACY_SEM");
	char name[FC_SEMAPHORE_MAX];
	sem_t *semaphore;

	if (!wanted || strcmp(wanted, "1") != 0)
		return NULL;
	fc_semaphore_name(slot_id, name);
	semaphore = sem_open(name, O_CREAT, 0660, 0);
	return semaphore == SEM_FAILED ? NULL : semaphore;
}

/* Nobody may be waiting: then it must not count up for ever. */
static void semaphore_post(fc_writer_t *writer)
{
	int value;

	if (writer->semaphore && sem_getvalue(writer->semaphore, &value) == 0 &&
	    value < (int)writer->file.header.ring_depth)
		sem_post(writer->semaphore);
}

/* fd is the file's from now on. */
static fc_writer_t *open_fd(int fd, const char *slot_id)
{
	fc_writer_t *writer = calloc(1, sizeof *writer);
	int error = writer ? fc_lock(fd) : -ENOMEM;

	if (error) {
		close(fd);
		goto fail;
	}
	error = fc_file_map(&writer->file, fd, true);
	if (error)
		goto fail;
	writer->live = writer->file.map;
	/* A slot that was replaced or removed while we got here. */
	error = slot_id && fc_file_name(&writer->file, slot_id) != FC_NAME_SAME ? -ENOENT
										: take_over(writer);
	if (error) {
		fc_file_unmap(&writer->file);
		goto fail;
	}
	/* The pages exist; now they are also ours, and the first lap costs no more than the others. */
	writer->semaphore = semaphore_open(writer->file.header.slot_id);
	(void)madvise(writer->file.map, writer->file.header.file_size, MADV_POPULATE_WRITE);
	return writer;
fail:
	free(writer);
	errno = -error;
	return NULL;
}

fc_writer_t *fc_writer_open(const char *slot_id)
{
	int fd = fc_file_open(slot_id, true);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	return open_fd(fd, slot_id);
}

/* Opened anew: a lock belongs to what open() made, and the descriptor given may have been made elsewhere. */
fc_writer_t *fc_writer_open_fd(int fd)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd == -1 ? NULL : open_fd(fd, NULL);
}

void fc_writer_close(fc_writer_t *writer)
{
	if (!writer)
		return;
	STORE(writer->live->writer_pid, 0);
	/* Before the lock goes, or for a moment we would look dead. */
	if (LOAD(writer->live->state) == writer->state)
		fc_state_say(writer->live, FC_STATE_CLOSED);
	if (writer->semaphore)
		sem_close(writer->semaphore);
	fc_file_unmap(&writer->file);
	free(writer);
}

/* --- frames --------------------------------------------------------------------------------------- */

static fc_record_t *record_next(fc_writer_t *writer)
{
	const fc_header_t *h = &writer->file.header;

	return (void *)((uint8_t *)writer->live + h->data_offset +
			writer->next % h->ring_depth * h->frame_stride);
}

void *fc_write_begin(fc_writer_t *writer)
{
	fc_record_t *record = record_next(writer);

	if (!writer->begun) {
		STORE(record->seq, 2 * writer->next + 1);
		STORE_RELEASE(writer->live->write_intent, writer->next + 1);
		/* Full: no store of pixels, by whatever instruction, may be seen before these. Pairs with
		 * the acquire fence of kept() in reader.c. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		writer->begun = true;
	}
	return (uint8_t *)record + writer->file.header.frame_data_off;
}

static void record_fill(fc_writer_t *writer, fc_record_t *record, const fc_frame_meta_t *meta,
			uint64_t now)
{
	STORE(record->pts_us, meta->pts_us);
	STORE(record->wall_us, meta->wall_us ? meta->wall_us : fc_wall_us());
	STORE(record->size, meta->size ? meta->size : writer->file.header.frame_size);
	STORE(record->flags, meta->flags | writer->first_flags);
	STORE(record->mono_ns, now);
	STORE(record->timecode, meta->timecode);
	STORE(record->audio_samples, (uint32_t)(writer->audio_next - writer->audio_first));
	STORE(record->audio_first, writer->audio_first);
}

/* What others said of the slot meanwhile. */
static int others_said(const fc_writer_t *writer)
{
	uint32_t state = LOAD(writer->live->state);

	if (state == writer->state)
		return FC_OK;
	return state == FC_STATE_SUPERSEDED ? FC_SUPERSEDED : FC_CLOSED;
}

int fc_write_commit(fc_writer_t *writer, const fc_frame_meta_t *meta)
{
	fc_header_t *live = writer->live;
	fc_record_t *record = record_next(writer);
	uint64_t now = fc_mono_ns();

	if (!writer->begun || meta->size > writer->file.header.frame_size)
		return FC_INVALID;
	record_fill(writer, record, meta, now);
	/* Full, for pixels that were stored past the cache. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	STORE_RELEASE(record->seq, 2 * writer->next + 2); /* pairs with frame_load() */
	STORE(live->heartbeat_ns, now);
	STORE_RELEASE(live->write_cursor, writer->next + 1); /* pairs with take() */
	fc_wake(live);
	semaphore_post(writer);
	writer->next++;
	writer->audio_first = writer->audio_next;
	writer->first_flags = 0;
	writer->begun = false;
	return others_said(writer);
}

int fc_write_frame(fc_writer_t *writer, const void *data, uint32_t size, uint64_t pts_us)
{
	fc_frame_meta_t meta = {.pts_us = pts_us, .size = size};

	if (size == 0 || size > writer->file.header.frame_size)
		return FC_INVALID;
	fc_copy(fc_write_begin(writer), data, size);
	return fc_write_commit(writer, &meta);
}

/* --- audio ---------------------------------------------------------------------------------------- */

int fc_write_audio(fc_writer_t *writer, const int32_t *samples, uint32_t count)
{
	const fc_header_t *h = &writer->file.header;
	fc_header_t *live = writer->live;
	uint8_t *ring = (uint8_t *)live + h->audio_offset;
	uint64_t end = writer->audio_next + count, at, front;

	if (h->audio_format == FC_AUDIO_NONE || count > h->audio_capacity / 2)
		return FC_INVALID;
	/* A dead writer may have announced more. */
	if (LOAD(live->audio_intent) < end)
		STORE(live->audio_intent, end);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* as in fc_write_begin */
	at = writer->audio_next % h->audio_capacity;
	front = h->audio_capacity - at < count ? h->audio_capacity - at : count;
	fc_copy(ring + at * h->audio_sample_bytes, samples, front * h->audio_sample_bytes);
	fc_copy(ring, (const uint8_t *)samples + front * h->audio_sample_bytes,
		(count - front) * h->audio_sample_bytes);
	STORE_RELEASE(live->audio_cursor, end); /* pairs with fc_read_audio */
	writer->audio_next = end;
	return FC_OK;
}

/* --- the rest ------------------------------------------------------------------------------------- */

int fc_writer_set_state(fc_writer_t *writer, uint32_t state)
{
	int others = others_said(writer);

	if (state != FC_STATE_LIVE && state != FC_STATE_NO_SIGNAL)
		return FC_INVALID;
	beat(writer);
	if (others != FC_OK || state == writer->state)
		return others;
	writer->state = state;
	fc_state_say(writer->live, state);
	return FC_OK;
}

void fc_writer_heartbeat(fc_writer_t *writer)
{
	beat(writer);
}

void fc_writer_dropped(fc_writer_t *writer, uint64_t frames)
{
	STORE(writer->live->dropped_frames, LOAD(writer->live->dropped_frames) + frames);
}

uint64_t fc_writer_position(const fc_writer_t *writer)
{
	return writer->next;
}

void fc_writer_info(const fc_writer_t *writer, fc_info_t *out)
{
	fc_info_of(&writer->file, out);
}
