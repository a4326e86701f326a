#include "framecache/slot_order.h"

#include <stdio.h>
#include <string.h>

#include "core/check.h"

#define MEMBERS                                                                                   \
	"slot_id, width, height, fps_num, fps_den, source_type, pixel_format, ring_depth, scan, " \
	"colour, audio_channels, audio_rate, file_mode, replace"
#define FORMATS    "uyvy422, v210, nv12, p010, rgba"
#define QUOTED_MAX 64

enum kind { NUMBER, TEXT, FORMAT, YES_OR_NO };

struct member {
	const char *name;
	enum kind kind;
	bool needed;
	void *out;
	uint64_t low, high; /* of a number; of a text: the bytes that it may have */
};

/* --- one member ------------------------------------------------------------------------------ */

/* A whole number within its limits. */
static bool take_number(const struct member *member, const json_t *value, char *fault)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number < member->low ||
	    (uint64_t)number > member->high) {
		snprintf(fault, SLOT_FAULT_SIZE, "%s: expected a whole number from %llu to %llu",
			 member->name, (unsigned long long)member->low,
			 (unsigned long long)member->high);
		return false;
	}
	*(uint32_t *)member->out = (uint32_t)number;
	return true;
}

static bool take_text(const struct member *member, const json_t *value, char *fault)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len > member->high ||
	    memchr(json_string_value(value), 0, len)) {
		snprintf(fault, SLOT_FAULT_SIZE, "%s: expected a text of at most %llu bytes",
			 member->name, (unsigned long long)member->high);
		return false;
	}
	memcpy(member->out, json_string_value(value), len + 1);
	return true;
}

/* By its name, or by its number. */
static bool take_format(const struct member *member, const json_t *value, char *fault)
{
	int format = -1;

	if (json_is_string(value))
		format = fc_pix_by_name(json_string_value(value));
	else if (json_is_integer(value) && json_integer_value(value) >= 0 &&
		 json_integer_value(value) <= UINT32_MAX &&
		 fc_pix_name((uint32_t)json_integer_value(value)))
		format = (int)json_integer_value(value);
	if (format == -1) {
		snprintf(fault, SLOT_FAULT_SIZE, "%s: %s%.*s%s is none of " FORMATS, member->name,
			 json_is_string(value) ? "\"" : "", QUOTED_MAX,
			 json_is_string(value) ? json_string_value(value) : "this",
			 json_is_string(value) ? "\"" : "");
		return false;
	}
	*(uint32_t *)member->out = (uint32_t)format;
	return true;
}

static bool take(const struct member *member, const json_t *value, char *fault)
{
	switch (member->kind) {
	case NUMBER: return take_number(member, value, fault);
	case TEXT: return take_text(member, value, fault);
	case FORMAT: return take_format(member, value, fault);
	case YES_OR_NO: break;
	}
	*(bool *)member->out = json_is_true(value);
	if (!json_is_boolean(value))
		snprintf(fault, SLOT_FAULT_SIZE, "%s: expected true or false", member->name);
	return json_is_boolean(value);
}

/* --- all of them ----------------------------------------------------------------------------- */

static const struct member *member_named(const struct member *members, size_t count,
					 const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

static bool read_members(const json_t *body, const struct member *members, size_t count,
			 char *fault)
{
	json_t *all = (json_t *)(uintptr_t)body;

	for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at)) {
		const char *name = json_object_iter_key(at);
		const struct member *member = member_named(members, count, name);

		if (!member) {
			snprintf(fault, SLOT_FAULT_SIZE,
				 "%.*s: there is no such member; there are " MEMBERS, QUOTED_MAX,
				 name);
			return false;
		}
		if (!take(member, json_object_iter_value(at), fault))
			return false;
	}
	for (size_t i = 0; i < count; i++)
		if (members[i].needed && !json_object_get(body, members[i].name)) {
			snprintf(fault, SLOT_FAULT_SIZE, "%s is missing", members[i].name);
			return false;
		}
	return true;
}

/* What members say together; fc_slot_create() asks once more. */
static const char *shape_fault(const struct board_order *order)
{
	const fc_config_t *config = &order->config;
	bool halved = config->pixel_format == FC_PIX_NV12 || config->pixel_format == FC_PIX_P010;
	fc_config_t bare = *config;

	bare.source_type = NULL;
	if (!fc_slot_id_ok(order->slot_id))
		return "slot_id: expected 1 to 64 letters, digits, _ and -, a letter or digit "
		       "first";
	if (config->width % 2)
		return "width: expected an even number";
	if (halved && config->height % 2)
		return "height: expected an even number, as nv12 and p010 have half as many rows "
		       "of colour";
	if (config->fps_num < config->fps_den || config->fps_num / 1000 > config->fps_den)
		return "fps_num / fps_den: expected 1 to 1,000 frames a second";
	if (order->source_type[strspn(order->source_type,
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-.")])
		return "source_type: expected letters, digits, _, - and .";
	if (config->audio_rate && config->audio_channels == 0)
		return "audio_rate: there is no sound without audio_channels";
	if (config->audio_rate && (config->audio_rate < 8000 || config->audio_rate > 192000))
		return "audio_rate: expected 8000 to 192000, or 0 for 48000";
	if (config->ring_depth == 1)
		return "ring_depth: expected at least 2, or 0 for two seconds";
	if (fc_slot_size(&bare) == 0)
		return "no slot can have this shape: a frame is at most 1 GiB, a slot 1 TiB";
	return NULL;
}

bool slot_order_read(const json_t *body, struct board_order *order, char fault[SLOT_FAULT_SIZE])
{
	fc_config_t *config = &order->config;
	bool replace = false;
	const struct member members[] = {
		{"slot_id", TEXT, true, order->slot_id, 0, sizeof order->slot_id - 1},
		{"width", NUMBER, true, &config->width, FC_SIDE_MIN, FC_SIDE_MAX},
		{"height", NUMBER, true, &config->height, FC_SIDE_MIN, FC_SIDE_MAX},
		{"fps_num", NUMBER, true, &config->fps_num, 1, 1000000},
		{"fps_den", NUMBER, true, &config->fps_den, 1, 1000000},
		{"source_type", TEXT, false, order->source_type, 0, sizeof order->source_type - 1},
		{"pixel_format", FORMAT, false, &config->pixel_format, 0, 0},
		{"ring_depth", NUMBER, false, &config->ring_depth, 0, FC_DEPTH_MAX},
		{"scan", NUMBER, false, &config->scan, 0, FC_SCAN_BOTTOM_FIRST},
		{"colour", NUMBER, false, &config->colour, 0, FC_COLOUR_BT2020},
		{"audio_channels", NUMBER, false, &config->audio_channels, 0, FC_CHANNELS_MAX},
		{"audio_rate", NUMBER, false, &config->audio_rate, 0, 192000},
		{"file_mode", NUMBER, false, &config->file_mode, 0, 0777},
		{"replace", YES_OR_NO, false, &replace, 0, 0},
	};
	const char *shape;

	if (!read_members(body, members, COUNT_OF(members), fault))
		return false;
	order->flags = replace ? FC_REPLACE : 0;
	shape = shape_fault(order);
	if (shape)
		snprintf(fault, SLOT_FAULT_SIZE, "%s", shape);
	return !shape;
}
