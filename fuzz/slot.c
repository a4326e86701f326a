/* slot: any bytes as the beginning of a slot's file. It is refused, or everything that a reader is given
 * of it lies in the file (else: SIGBUS, SIGSEGV), a copy fits its buffer, and no call goes on for ever; and a
 * writer who takes it over writes frames that are read back. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "property.h"

#include "fc_client.h"

#define FILE_SIZE 65536 /* the smallest slots fit, others not */

static int file = -1;

static void file_fill(const uint8_t *data, size_t size)
{
	if (file == -1)
		file = memfd_create("slot", MFD_CLOEXEC);
	PROPERTY(file != -1 && ftruncate(file, 0) == 0);
	PROPERTY(posix_fallocate(file, 0, FILE_SIZE) == 0);
	if (size > FILE_SIZE)
		size = FILE_SIZE;
	PROPERTY(pwrite(file, data, size, 0) == (ssize_t)size);
}

static void info_check(const fc_info_t *info)
{
	PROPERTY(info->file_size <= FILE_SIZE && info->frame_size <= info->file_size);
	PROPERTY(info->width >= FC_SIDE_MIN && info->height >= FC_SIDE_MIN);
	PROPERTY(info->ring_depth >= 2 && info->fps_num > 0 && info->fps_den > 0);
	PROPERTY(info->plane_count >= 1 && info->plane_count <= FC_PLANES_MAX);
	PROPERTY(fc_pix_name(info->pixel_format));
	PROPERTY(fc_slot_id_ok(info->slot_id));
	PROPERTY(memchr(info->source_type, 0, sizeof info->source_type));
	for (uint32_t i = 0; i < info->plane_count; i++)
		PROPERTY(info->plane_offset[i] + info->plane_row_bytes[i] <= info->frame_size);
}

static unsigned touch(const uint8_t *at, size_t size)
{
	unsigned sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += at[i];
	return sum;
}

static void sound_check(fc_slot_t *slot, const fc_info_t *info, const fc_frame_t *frame)
{
	size_t room = (size_t)(frame->audio_samples % 4096) * info->audio_channels * 4;
	int32_t *sound = malloc(room ? room : 1);
	int result;

	PROPERTY(sound);
	result = fc_frame_audio(slot, frame, sound, room);
	PROPERTY(result == FC_OK || result == FC_LOST || result == FC_SMALL || result == FC_BROKEN);
	free(sound);
}

static void frame_check(fc_slot_t *slot, const fc_info_t *info, bool copy)
{
	uint8_t *buf = copy ? malloc(info->frame_size) : NULL;
	fc_frame_t *frame;
	uint64_t before = fc_position(slot), lost = fc_lost(slot);
	int result = copy ? fc_copy_frame(slot, &frame, buf, info->frame_size, 0)
			  : fc_read_frame(slot, &frame, 0);
	uint32_t row;

	PROPERTY(result <= FC_OK && result >= FC_INVALID && result != FC_SMALL &&
		 result != FC_INVALID);
	PROPERTY((result == FC_OK) == (frame != NULL));
	if (frame) {
		PROPERTY(frame->size <= info->frame_size);
		PROPERTY(frame->index == before + (fc_lost(slot) - lost));
		PROPERTY(fc_position(slot) == frame->index + 1);
		(void)touch(frame->data, frame->size);
		PROPERTY(fc_frame_valid(slot, frame));
		PROPERTY(fc_frame_margin(slot, frame) < info->ring_depth);
		for (uint32_t i = 0; i < info->plane_count; i++)
			(void)touch(fc_frame_plane(slot, frame, i, &row), 1);
		sound_check(slot, info, frame);
	}
	free(buf);
}

static void read_check(void)
{
	fc_slot_t *slot = fc_open_fd(file);
	fc_info_t info;

	if (!slot) {
		PROPERTY(errno == EPROTO);
		return;
	}
	fc_info(slot, &info);
	info_check(&info);
	(void)fc_state(slot);
	for (int where = FC_SEEK_NEWEST; where <= FC_SEEK_INDEX; where++) {
		PROPERTY(fc_seek(slot, where, info.heartbeat_ns) == FC_OK);
		(void)fc_lag(slot);
		frame_check(slot, &info, false);
		frame_check(slot, &info, true);
	}
	fc_close(slot);
}

static void write_check(void)
{
	fc_writer_t *writer = fc_writer_open_fd(file);
	fc_slot_t *slot;
	fc_frame_t *frame;
	fc_info_t info;

	if (!writer) {
		PROPERTY(errno == EPROTO);
		return;
	}
	slot = fc_open_fd(file);
	PROPERTY(slot);
	fc_info(slot, &info);
	fc_seek(slot, FC_SEEK_NEXT, 0);
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t index = fc_writer_position(writer);
		uint8_t *pixels = fc_write_begin(writer);

		memset(pixels, (int)(index & 0xff), info.frame_size);
		PROPERTY(fc_write_frame(writer, pixels, info.frame_size, index) == FC_OK);
		PROPERTY(fc_read_frame(slot, &frame, 0) == FC_OK);
		PROPERTY(frame->index == index && frame->size == info.frame_size);
		PROPERTY(frame->data[info.frame_size - 1] == (uint8_t)index);
		PROPERTY(fc_frame_valid(slot, frame));
	}
	fc_writer_close(writer);
	PROPERTY(fc_state(slot) == FC_CLOSED);
	fc_close(slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	file_fill(data, size);
	read_check();
	write_check();
	return 0;
}
