#include <string.h>
#include <strings.h>

#include "fc_internal.h"

#define FILE_MAX     (1ull << 40)
#define FPS_TERM_MAX 1000000u

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* --- pixel formats ------------------------------------------------------------------------------ */

static const char *const pix_names[] = {
	[FC_PIX_UYVY422] = "uyvy422", [FC_PIX_V210] = "v210", [FC_PIX_NV12] = "nv12",
	[FC_PIX_P010] = "p010",       [FC_PIX_RGBA] = "rgba",
};

#define PIX_COUNT (sizeof pix_names / sizeof pix_names[0])

const char *fc_pix_name(uint32_t pixel_format)
{
	return pixel_format < PIX_COUNT ? pix_names[pixel_format] : NULL;
}

int fc_pix_by_name(const char *name)
{
	for (size_t i = 0; name && i < PIX_COUNT; i++)
		if (strcasecmp(name, pix_names[i]) == 0)
			return (int)i;
	return -1;
}

struct plane {
	uint32_t row_bytes; /* at least */
	uint32_t rows;
};

/* The planes of a picture whose sides are within their limits; 0: no such format, or not these sides. */
static uint32_t planes_of(uint32_t format, uint32_t width, uint32_t height, struct plane plane[2])
{
	uint32_t deep = format == FC_PIX_P010 ? 2 : 1;

	if (width % 2)
		return 0;
	plane[0].rows = height;
	switch (format) {
	case FC_PIX_UYVY422: plane[0].row_bytes = width * 2; return 1;
	case FC_PIX_V210: plane[0].row_bytes = (width + 47) / 48 * 128; return 1;
	case FC_PIX_RGBA: plane[0].row_bytes = width * 4; return 1;
	case FC_PIX_NV12:
	case FC_PIX_P010:
		if (height % 2)
			return 0;
		plane[0].row_bytes = plane[1].row_bytes = width * deep;
		plane[1].rows = height / 2;
		return 2;
	default: return 0;
	}
}

static bool sides_ok(uint32_t width, uint32_t height)
{
	return width >= FC_SIDE_MIN && width <= FC_SIDE_MAX && height >= FC_SIDE_MIN &&
	       height <= FC_SIDE_MAX;
}

/* Once a second to a thousand times. */
static bool rate_ok(uint32_t num, uint32_t den)
{
	return num > 0 && den > 0 && num <= FPS_TERM_MAX && den <= FPS_TERM_MAX && num >= den &&
	       num / 1000 <= den;
}

uint64_t fc_pts_us(uint32_t fps_num, uint32_t fps_den, uint64_t index)
{
	uint64_t second_us = (uint64_t)fps_den * 1000000;

	/* Whole runs of fps_num frames first, so that nothing overflows while the result does not. */
	if (fps_num == 0)
		return 0;
	return index / fps_num * second_us + (index % fps_num * second_us + fps_num / 2) / fps_num;
}

/* --- a header from what is asked for ------------------------------------------------------------- */

static bool text_ok(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'z') &&
		    !(text[i] >= 'A' && text[i] <= 'Z') && !strchr("_-.", text[i]))
			return false;
	return true;
}

static bool frames_make(const fc_config_t *config, fc_header_t *out)
{
	struct plane plane[2];
	uint64_t size = 0;

	out->plane_count = planes_of(config->pixel_format, config->width, config->height, plane);
	for (uint32_t i = 0; i < out->plane_count; i++) {
		out->plane_offset[i] = (uint32_t)size;
		out->plane_row_bytes[i] = plane[i].row_bytes;
		size += (uint64_t)plane[i].row_bytes * plane[i].rows;
		if (size > FC_FRAME_MAX)
			return false;
	}
	out->row_bytes = out->plane_row_bytes[0];
	out->frame_size = (uint32_t)size;
	out->ring_depth = config->ring_depth;
	if (out->ring_depth == 0) /* two seconds */
		out->ring_depth = (2 * config->fps_num + config->fps_den - 1) / config->fps_den;
	out->data_offset = FC_HEADER_SIZE;
	out->frame_data_off = PAGE;
	out->frame_stride = PAGE + round_up(size, PAGE);
	out->file_size = out->data_offset + out->frame_stride * out->ring_depth;
	return out->plane_count > 0 && out->ring_depth >= 2 && out->ring_depth <= FC_DEPTH_MAX;
}

/* As long as the frames are kept, and half a second more for what is written ahead of a frame. */
static bool audio_make(const fc_config_t *config, fc_header_t *out)
{
	uint32_t rate = config->audio_rate ? config->audio_rate : 48000;

	if (config->audio_channels == 0)
		return config->audio_rate == 0;
	if (config->audio_channels > FC_CHANNELS_MAX || rate < 8000 || rate > 192000)
		return false;
	out->audio_format = FC_AUDIO_S32;
	out->audio_channels = config->audio_channels;
	out->audio_rate = rate;
	out->audio_sample_bytes = 4 * config->audio_channels;
	out->audio_capacity =
		(uint64_t)rate * out->ring_depth * out->fps_den / out->fps_num + rate / 2;
	out->audio_offset = out->file_size;
	out->file_size += round_up(out->audio_capacity * out->audio_sample_bytes, PAGE);
	return true;
}

bool fc_shape_make(const fc_config_t *config, fc_header_t *out)
{
	const char *source = config->source_type ? config->source_type : "";

	memset(out, 0, sizeof *out);
	if (!sides_ok(config->width, config->height) ||
	    !rate_ok(config->fps_num, config->fps_den) ||
	    !text_ok(source, sizeof out->source_type) || config->scan > FC_SCAN_BOTTOM_FIRST ||
	    config->colour > FC_COLOUR_BT2020)
		return false;
	for (size_t i = 0; i < sizeof config->reserved / sizeof config->reserved[0]; i++)
		if (config->reserved[i])
			return false;
	out->magic = FC_MAGIC;
	out->version = FC_VERSION;
	out->width = config->width;
	out->height = config->height;
	out->fps_num = config->fps_num;
	out->fps_den = config->fps_den;
	out->pixel_format = config->pixel_format;
	out->scan = config->scan;
	out->colour = config->colour;
	memcpy(out->source_type, source, strlen(source));
	return frames_make(config, out) && audio_make(config, out) && out->file_size <= FILE_MAX;
}

uint64_t fc_slot_size(const fc_config_t *config)
{
	fc_header_t header;

	return config && fc_shape_make(config, &header) ? header.file_size : 0;
}

int fc_slot_id_ok(const char *slot_id)
{
	size_t len = slot_id ? strnlen(slot_id, FC_SLOT_ID_MAX + 1) : 0;

	return len > 0 && len <= FC_SLOT_ID_MAX && slot_id[0] != '_' && slot_id[0] != '-' &&
	       !memchr(slot_id, '.', len) && text_ok(slot_id, len + 1);
}

/* --- a header that somebody else wrote ----------------------------------------------------------- */

static bool planes_ok(const fc_header_t *h)
{
	struct plane plane[2];
	uint32_t count = planes_of(h->pixel_format, h->width, h->height, plane);

	if (count == 0 || count != h->plane_count || h->row_bytes != h->plane_row_bytes[0] ||
	    h->frame_size == 0 || h->frame_size > FC_FRAME_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (h->plane_row_bytes[i] < plane[i].row_bytes || h->plane_offset[i] % 2 ||
		    h->plane_offset[i] + (uint64_t)h->plane_row_bytes[i] * plane[i].rows >
			    h->frame_size)
			return false;
	return true;
}

static bool frames_ok(const fc_header_t *h)
{
	return h->ring_depth >= 2 && h->ring_depth <= FC_DEPTH_MAX &&
	       h->data_offset >= FC_HEADER_SIZE && h->data_offset % PAGE == 0 &&
	       h->data_offset <= FILE_MAX && h->frame_stride % PAGE == 0 &&
	       h->frame_stride <= FILE_MAX / h->ring_depth &&
	       h->frame_data_off >= sizeof(fc_record_t) && h->frame_data_off % 64 == 0 &&
	       (uint64_t)h->frame_data_off + h->frame_size <= h->frame_stride &&
	       h->data_offset + h->frame_stride * h->ring_depth <= h->file_size;
}

static bool audio_ok(const fc_header_t *h)
{
	if (h->audio_format == FC_AUDIO_NONE)
		return h->audio_offset == 0 && h->audio_capacity == 0 && h->audio_channels == 0;
	return h->audio_format == FC_AUDIO_S32 && h->audio_channels > 0 &&
	       h->audio_channels <= FC_CHANNELS_MAX && h->audio_rate >= 8000 &&
	       h->audio_rate <= 192000 && h->audio_sample_bytes == 4 * h->audio_channels &&
	       h->audio_offset % 64 == 0 && h->audio_offset <= FILE_MAX &&
	       h->audio_offset >= h->data_offset + h->frame_stride * h->ring_depth &&
	       h->audio_capacity >= 2 && h->audio_capacity <= FILE_MAX / h->audio_sample_bytes &&
	       h->audio_offset + h->audio_capacity * h->audio_sample_bytes <= h->file_size;
}

bool fc_shape_ok(const fc_header_t *h, uint64_t file_size)
{
	return h->magic == FC_MAGIC && h->version == FC_VERSION && h->file_size <= FILE_MAX &&
	       h->file_size <= file_size && sides_ok(h->width, h->height) &&
	       rate_ok(h->fps_num, h->fps_den) && h->scan <= FC_SCAN_BOTTOM_FIRST &&
	       h->colour <= FC_COLOUR_BT2020 && memchr(h->slot_id, 0, sizeof h->slot_id) &&
	       fc_slot_id_ok(h->slot_id) && text_ok(h->source_type, sizeof h->source_type) &&
	       planes_ok(h) && frames_ok(h) && audio_ok(h);
}
