#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fc_internal.h"
#include "report.h"
#include "slot_dir.h"

#define LOOK_NS     200000000u /* how often a reader that waits asks how the writer is */
#define LAPS_AT_ONE 64 /* how often one call may be overtaken before it counts as too late */

struct fc_slot {
	struct fc_file file;
	const fc_header_t *live;
	uint64_t next;    /* the frame wanted */
	uint64_t lost;    /* in all */
	uint64_t skipped; /* of those, since the last frame that was given */
	uint64_t stall_ns;
	uint64_t looked_ns; /* when fc_state() was asked last */
	int told;           /* the result that the caller knows of; FC_OK: a frame came since */
	bool by_name;
	fc_frame_t frame;
	int report_fd; /* or -1 */
	uint64_t reported_ns;
	struct fc_report report;
};

/* --- telling where we are ------------------------------------------------------------------------- */

/* Who was handed a descriptor may not see the directory. */
static void report_prepare(fc_slot_t *slot)
{
	slot->report_fd = slot->by_name ? fc_report_open() : -1;
	slot->report = (struct fc_report){.magic = FC_REPORT_MAGIC,
					  .handle = fc_mono_ns(),
					  .generation = slot->file.header.generation};
	memcpy(slot->report.slot_id, slot->file.header.slot_id, sizeof slot->report.slot_id);
	prctl(PR_GET_NAME, slot->report.name);
}

static void report(fc_slot_t *slot, uint64_t now, bool gone)
{
	if (!gone && now - slot->reported_ns < FC_REPORT_EVERY_NS)
		return;
	slot->reported_ns = now;
	slot->report.gone = gone;
	slot->report.position = slot->next;
	slot->report.lost = slot->lost;
	fc_report_send(slot->report_fd, &slot->report);
}

/* --- opening -------------------------------------------------------------------------------------- */

static fc_slot_t *open_fd(int fd, bool by_name)
{
	fc_slot_t *slot = calloc(1, sizeof *slot);
	const fc_header_t *header;
	int error;

	if (!slot) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	error = fc_file_map(&slot->file, fd, false);
	if (error) {
		free(slot);
		errno = -error;
		return NULL;
	}
	header = &slot->file.header;
	slot->live = slot->file.map;
	slot->by_name = by_name;
	slot->stall_ns = 5000000000ull * header->fps_den / header->fps_num;
	if (slot->stall_ns < 500000000)
		slot->stall_ns = 500000000;
	fc_seek(slot, FC_SEEK_NEWEST, 0);
	report_prepare(slot);
	return slot;
}

fc_slot_t *fc_open(const char *slot_id)
{
	int fd = fc_file_open(slot_id, false);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	return open_fd(fd, true);
}

fc_slot_t *fc_open_fd(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return own == -1 ? NULL : open_fd(own, false);
}

fc_slot_t *fc_open_wait(const char *slot_id, uint64_t timeout_ms)
{
	uint64_t limit = fc_deadline(timeout_ms);

	for (;;) {
		fc_slot_t *slot = fc_open(slot_id);

		if (slot || errno != ENOENT)
			return slot;
		if (fc_mono_ns() >= limit) {
			errno = ETIMEDOUT;
			return NULL;
		}
		fc_dir_await(limit);
	}
}

void fc_close(fc_slot_t *slot)
{
	if (!slot)
		return;
	report(slot, 0, true);
	if (slot->report_fd != -1)
		close(slot->report_fd);
	fc_file_unmap(&slot->file);
	free(slot);
}

/* --- one frame ------------------------------------------------------------------------------------ */

static const fc_record_t *record_of(const fc_slot_t *slot, uint64_t index)
{
	const fc_header_t *h = &slot->file.header;

	return (const void *)((const uint8_t *)slot->live + h->data_offset +
			      index % h->ring_depth * h->frame_stride);
}

/* Whether the writer has begun a frame and not begun to overwrite it, as far as can be told of what was
 * loaded before. */
static bool kept(const fc_slot_t *slot, uint64_t index)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs with the full fence of fc_write_begin */
	return LOAD_ACQUIRE(slot->live->write_intent) - index - 1 < slot->file.header.ring_depth;
}

/* Frame index as a whole, or false. */
static bool frame_load(const fc_slot_t *slot, uint64_t index, fc_frame_t *out)
{
	const fc_record_t *record = record_of(slot, index);
	uint64_t seq = LOAD_ACQUIRE(record->seq); /* pairs with the release of fc_write_commit */

	*out = (fc_frame_t){
		.pts_us = LOAD(record->pts_us),
		.wall_us = LOAD(record->wall_us),
		.size = LOAD(record->size),
		.flags = LOAD(record->flags),
		.index = index,
		.mono_ns = LOAD(record->mono_ns),
		.timecode = LOAD(record->timecode),
		.audio_samples = LOAD(record->audio_samples),
		.audio_first = LOAD(record->audio_first),
		.data = (const uint8_t *)record + slot->file.header.frame_data_off,
	};
	return kept(slot, index) && seq == 2 * index + 2 &&
	       out->size <= slot->file.header.frame_size;
}

/* The policy for who was overtaken: the newest frame. False: there is no newer one, so that it cannot
 * have been: intent, which said so, is stored after the cursor that is loaded here. */
static bool catch_up(fc_slot_t *slot)
{
	uint64_t cursor = LOAD_ACQUIRE(slot->live->write_cursor);

	if (cursor <= slot->next + 1)
		return false;
	slot->lost += cursor - 1 - slot->next;
	slot->skipped += cursor - 1 - slot->next;
	slot->next = cursor - 1;
	return true;
}

/* The frame wanted, if there is one: FC_OK, FC_TIMEOUT or FC_BROKEN. With buf it is copied there and
 * exact. */
static int take(fc_slot_t *slot, void *buf, size_t size)
{
	fc_frame_t *frame = &slot->frame;

	for (int laps = 0; laps < LAPS_AT_ONE; laps++) {
		if (slot->next >= LOAD_ACQUIRE(slot->live->write_cursor))
			return FC_TIMEOUT;
		if (frame_load(slot, slot->next, frame)) {
			if (!buf)
				break;
			if (frame->size > size)
				return FC_SMALL;
			fc_copy(buf, frame->data, frame->size);
			if (kept(slot, slot->next)) {
				frame->data = buf;
				break;
			}
		}
		if (!catch_up(slot))
			return FC_BROKEN;
		if (laps == LAPS_AT_ONE - 1)
			return FC_TIMEOUT;
	}
	frame->lost = slot->skipped;
	slot->skipped = 0;
	slot->next++;
	slot->told = FC_OK;
	/* By the frame's own time, which costs no look at the clock; but frames that are read in a
	 * burst are many in a moment. */
	report(slot, frame->mono_ns, false);
	return FC_OK;
}

int fc_frame_valid(const fc_slot_t *slot, const fc_frame_t *frame)
{
	return kept(slot, frame->index) &&
	       LOAD(record_of(slot, frame->index)->seq) == 2 * frame->index + 2;
}

uint64_t fc_frame_margin(const fc_slot_t *slot, const fc_frame_t *frame)
{
	uint64_t begun = LOAD_ACQUIRE(slot->live->write_intent) - frame->index;
	uint32_t depth = slot->file.header.ring_depth;

	return begun - 1 < depth ? depth - begun : 0;
}

const uint8_t *fc_frame_data(const fc_frame_t *frame)
{
	return frame->data;
}

uint64_t fc_frame_index(const fc_frame_t *frame)
{
	return frame->index;
}

const uint8_t *fc_frame_plane(const fc_slot_t *slot, const fc_frame_t *frame, uint32_t plane,
			      uint32_t *row_bytes)
{
	const fc_header_t *h = &slot->file.header;

	if (plane >= h->plane_count)
		return NULL;
	if (row_bytes)
		*row_bytes = h->plane_row_bytes[plane];
	return frame->data + h->plane_offset[plane];
}

/* --- how the writer is ---------------------------------------------------------------------------- */

/* By what the header says alone. */
static int state_said(uint32_t state)
{
	switch (state) {
	case FC_STATE_NO_SIGNAL: return FC_NOSIGNAL;
	case FC_STATE_CLOSED: return FC_CLOSED;
	case FC_STATE_SUPERSEDED: return FC_SUPERSEDED;
	default: return FC_TIMEOUT;
	}
}

static bool stalled(const fc_slot_t *slot)
{
	uint64_t beat = LOAD(slot->live->heartbeat_ns), now = fc_mono_ns();

	return now > beat && now - beat > slot->stall_ns;
}

/* The header's word first and last: a writer says CLOSED before it lets the lock go. */
static int state_judge(fc_slot_t *slot)
{
	uint32_t state = LOAD_ACQUIRE(slot->live->state);

	slot->looked_ns = fc_mono_ns();
	if (slot->by_name && fc_file_name(&slot->file, slot->file.header.slot_id) == FC_NAME_OTHER)
		return FC_SUPERSEDED;
	if (state == FC_STATE_LIVE || state == FC_STATE_NO_SIGNAL) {
		if (!fc_locked(slot->file.fd)) {
			uint32_t now = LOAD_ACQUIRE(slot->live->state);

			return now == state ? FC_DEAD : state_said(now);
		}
		if (stalled(slot))
			return FC_STALLED;
	}
	return state_said(state);
}

int fc_state(fc_slot_t *slot)
{
	int state = state_judge(slot);

	return state == FC_TIMEOUT && LOAD(slot->live->state) == FC_STATE_LIVE ? FC_OK : state;
}

void fc_set_stall_ms(fc_slot_t *slot, uint64_t stall_ms)
{
	slot->stall_ns = stall_ms > UINT64_MAX / 1000000 ? UINT64_MAX : stall_ms * 1000000;
}

/* --- waiting -------------------------------------------------------------------------------------- */

static void sleep_on(const fc_slot_t *slot, uint32_t bell, uint64_t until)
{
	struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};

	syscall(SYS_futex, &slot->live->wake_seq, FUTEX_WAIT_BITSET, bell, &at, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

static bool not_in_header(int result)
{
	return result == FC_STALLED || result == FC_DEAD || result == FC_SUPERSEDED;
}

/* There is no frame: what is there to be told instead? FC_OK: nothing yet, wait. */
static int tell(fc_slot_t *slot, uint32_t state, bool late)
{
	int now = state_said(state);

	if (fc_mono_ns() - slot->looked_ns >= LOOK_NS)
		now = state_judge(slot);
	else if (now == FC_TIMEOUT && not_in_header(slot->told))
		now = slot->told;
	if (!late && (now == FC_TIMEOUT || now == slot->told))
		return FC_OK;
	slot->told = now;
	return now;
}

static int next_frame(fc_slot_t *slot, fc_frame_t **out, void *buf, size_t size,
		      uint64_t timeout_ms)
{
	uint64_t limit = timeout_ms ? fc_deadline(timeout_ms) : 0;

	*out = NULL;
	for (;;) {
		/* In this order: what is committed or said behind the bell rings it again, and what is
		 * committed before CLOSED is seen when CLOSED is. */
		uint32_t bell = LOAD_ACQUIRE(slot->live->wake_seq);
		uint32_t state = LOAD_ACQUIRE(slot->live->state);
		int result = take(slot, buf, size);
		uint64_t now = 0, until;

		if (result == FC_TIMEOUT) {
			now = timeout_ms ? fc_mono_ns() : 0;
			report(slot, now ? now : fc_mono_ns(), false);
			result = tell(slot, state, now >= limit);
			if (result == FC_OK) {
				until = now + LOOK_NS < limit ? now + LOOK_NS : limit;
				sleep_on(slot, bell, until);
				continue;
			}
			/* What a writer committed just before it died. */
			if (result != FC_TIMEOUT && take(slot, buf, size) == FC_OK)
				result = FC_OK;
		}
		if (result == FC_OK)
			*out = &slot->frame;
		return result;
	}
}

int fc_read_frame(fc_slot_t *slot, fc_frame_t **out, uint64_t timeout_ms)
{
	return next_frame(slot, out, NULL, 0, timeout_ms);
}

int fc_copy_frame(fc_slot_t *slot, fc_frame_t **out, void *buf, size_t size, uint64_t timeout_ms)
{
	*out = NULL;
	return buf ? next_frame(slot, out, buf, size, timeout_ms) : FC_INVALID;
}

/* --- audio ---------------------------------------------------------------------------------------- */

int fc_read_audio(fc_slot_t *slot, uint64_t first, uint32_t count, int32_t *buf)
{
	const fc_header_t *h = &slot->file.header;
	uint64_t cursor = LOAD_ACQUIRE(slot->live->audio_cursor);
	const uint8_t *ring = (const uint8_t *)slot->live + h->audio_offset;
	uint64_t at, front;

	if (h->audio_format == FC_AUDIO_NONE || count > h->audio_capacity)
		return FC_INVALID;
	if (first > cursor || count > cursor - first)
		return FC_TIMEOUT;
	at = first % h->audio_capacity;
	front = h->audio_capacity - at < count ? h->audio_capacity - at : count;
	fc_copy(buf, ring + at * h->audio_sample_bytes, front * h->audio_sample_bytes);
	fc_copy((uint8_t *)buf + front * h->audio_sample_bytes, ring,
		(count - front) * h->audio_sample_bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs with the full fence of fc_write_audio */
	return LOAD(slot->live->audio_intent) - first <= h->audio_capacity ? FC_OK : FC_LOST;
}

int fc_frame_audio(fc_slot_t *slot, const fc_frame_t *frame, int32_t *buf, size_t buf_bytes)
{
	const fc_header_t *h = &slot->file.header;
	int result;

	if (frame->audio_samples == 0)
		return FC_OK;
	if ((uint64_t)frame->audio_samples * h->audio_sample_bytes > buf_bytes)
		return FC_SMALL;
	result = fc_read_audio(slot, frame->audio_first, frame->audio_samples, buf);
	/* They were there before the frame was. */
	return result == FC_TIMEOUT || result == FC_INVALID ? FC_BROKEN : result;
}

/* --- places --------------------------------------------------------------------------------------- */

int fc_seek(fc_slot_t *slot, int where, uint64_t index)
{
	uint64_t cursor = LOAD_ACQUIRE(slot->live->write_cursor);
	uint32_t depth = slot->file.header.ring_depth;

	switch (where) {
	case FC_SEEK_NEWEST: slot->next = cursor ? cursor - 1 : 0; break;
	case FC_SEEK_NEXT: slot->next = cursor; break;
	case FC_SEEK_OLDEST: slot->next = cursor < depth ? 0 : cursor - depth + 1; break;
	case FC_SEEK_INDEX: slot->next = index; break;
	default: return FC_INVALID;
	}
	slot->skipped = 0;
	return FC_OK;
}

uint64_t fc_position(const fc_slot_t *slot)
{
	return slot->next;
}

uint64_t fc_lag(const fc_slot_t *slot)
{
	uint64_t cursor = LOAD_ACQUIRE(slot->live->write_cursor);

	return cursor > slot->next ? cursor - slot->next : 0;
}

uint64_t fc_lost(const fc_slot_t *slot)
{
	return slot->lost;
}

void fc_info(const fc_slot_t *slot, fc_info_t *out)
{
	fc_info_of(&slot->file, out);
}

const char *fc_result_name(int result)
{
	static const char *const names[] = {
		"ok",         "timeout", "no-signal", "stalled",   "dead",    "closed",
		"superseded", "lost",    "broken",    "too-small", "invalid",
	};

	return result <= 0 && result >= FC_INVALID ? names[-result] : "unknown";
}
