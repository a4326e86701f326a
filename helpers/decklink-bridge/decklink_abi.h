/* decklink_abi: how a program finds its way about libDeckLinkAPI.so, said in C.
 *
 * The library's objects are C++ objects with virtual functions. In memory such an object begins with a pointer
 * to a table of functions; the functions stand in it in the order in which they were declared, a base class's
 * first, and a virtual destructor takes two places where it was declared (Itanium C++ ABI 2.5). Each takes the
 * object as its first argument. That is all there is to know for calling them, or for being called.
 *
 * Written for this project from the published interface of API 11.6 to 14.2, which newer libraries answer to
 * as well; only what is used has a type. An interface is asked for by its 16 bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dl_iid {
	uint8_t byte[16];
};

typedef int32_t dl_result;
#define DL_OK           0
#define DL_FALSE        1
#define DL_NO_INTERFACE ((dl_result)0x80000004)
#define DL_FAIL         ((dl_result)0x80000008)
#define DL_INVALID      ((dl_result)0x80000003)
#define DL_DENIED       ((dl_result)0x80000009)

/* A word of four letters. */
#define DL_WORD(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

#define DL_FORMAT_8BIT  DL_WORD('2', 'v', 'u', 'y')
#define DL_FORMAT_10BIT DL_WORD('v', '2', '1', '0')

#define DL_FIELD_LOWER       DL_WORD('l', 'o', 'w', 'r')
#define DL_FIELD_UPPER       DL_WORD('u', 'p', 'p', 'r')
#define DL_FIELD_PROGRESSIVE DL_WORD('p', 'r', 'o', 'g')
#define DL_FIELD_SEGMENTED   DL_WORD('p', 's', 'f', ' ')

#define DL_MODE_FLAG_601 (1u << 1)
#define DL_MODE_FLAG_709 (1u << 2)

#define DL_INPUT_DETECT    (1u << 0)
#define DL_FRAME_NO_SOURCE (1u << 31)
#define DL_CHANGED_MODE    (1u << 0)

#define DL_TIMECODE_ANY  DL_WORD('r', 'p', '1', '8')
#define DL_TIMECODE_DROP (1u << 0)

#define DL_ATTRIBUTE_DETECTION DL_WORD('i', 'n', 'f', 'd') /* a flag: it can tell what comes in */

/* What every object can do. */
#define DL_UNKNOWN(self)                                                  \
	dl_result (*query)(struct self *, struct dl_iid iid, void **out); \
	unsigned long (*add_ref)(struct self *);                          \
	unsigned long (*release)(struct self *)
#define DL_DESTRUCTOR void (*destructor[2])(void)

#define DL_OBJECT(name)                           \
	struct name {                             \
		const struct name##_table *table; \
	}

DL_OBJECT(dl_iterator);
DL_OBJECT(dl_device);
DL_OBJECT(dl_attributes);
DL_OBJECT(dl_mode_iterator);
DL_OBJECT(dl_mode);
DL_OBJECT(dl_timecode);
DL_OBJECT(dl_frame);
DL_OBJECT(dl_packet);
DL_OBJECT(dl_callback);
DL_OBJECT(dl_input);

struct dl_iterator_table {
	DL_UNKNOWN(dl_iterator);
	dl_result (*next)(struct dl_iterator *, struct dl_device **out);
};

struct dl_device_table {
	DL_UNKNOWN(dl_device);
	dl_result (*get_model_name)(struct dl_device *, const char **out);
	dl_result (*get_display_name)(struct dl_device *, const char **out);
	DL_DESTRUCTOR;
};

struct dl_attributes_table {
	DL_UNKNOWN(dl_attributes);
	dl_result (*get_flag)(struct dl_attributes *, uint32_t id, bool *out);
	dl_result (*get_int)(struct dl_attributes *, uint32_t id, int64_t *out);
	dl_result (*get_float)(struct dl_attributes *, uint32_t id, double *out);
	dl_result (*get_string)(struct dl_attributes *, uint32_t id, const char **out);
	DL_DESTRUCTOR;
};

struct dl_mode_iterator_table {
	DL_UNKNOWN(dl_mode_iterator);
	dl_result (*next)(struct dl_mode_iterator *, struct dl_mode **out);
	DL_DESTRUCTOR;
};

struct dl_mode_table {
	DL_UNKNOWN(dl_mode);
	dl_result (*get_name)(struct dl_mode *, const char **out);
	uint32_t (*get_display_mode)(struct dl_mode *);
	long (*get_width)(struct dl_mode *);
	long (*get_height)(struct dl_mode *);
	dl_result (*get_frame_rate)(struct dl_mode *, int64_t *duration, int64_t *scale);
	uint32_t (*get_field_dominance)(struct dl_mode *);
	uint32_t (*get_flags)(struct dl_mode *);
	DL_DESTRUCTOR;
};

struct dl_timecode_table {
	DL_UNKNOWN(dl_timecode);
	uint32_t (*get_bcd)(struct dl_timecode *); /* 0xHHMMSSFF */
	dl_result (*get_components)(struct dl_timecode *, uint8_t *hours, uint8_t *minutes,
				    uint8_t *seconds, uint8_t *frames);
	dl_result (*get_string)(struct dl_timecode *, const char **out);
	uint32_t (*get_flags)(struct dl_timecode *);
	dl_result (*get_user_bits)(struct dl_timecode *, uint32_t *out);
	DL_DESTRUCTOR;
};

struct dl_frame_table {
	DL_UNKNOWN(dl_frame);
	long (*get_width)(struct dl_frame *);
	long (*get_height)(struct dl_frame *);
	long (*get_row_bytes)(struct dl_frame *);
	uint32_t (*get_pixel_format)(struct dl_frame *);
	uint32_t (*get_flags)(struct dl_frame *);
	dl_result (*get_bytes)(struct dl_frame *, void **out);
	dl_result (*get_timecode)(struct dl_frame *, uint32_t format, struct dl_timecode **out);
	dl_result (*get_ancillary)(struct dl_frame *, void **out);
	DL_DESTRUCTOR;
	/* Of an input frame. */
	dl_result (*get_stream_time)(struct dl_frame *, int64_t *time, int64_t *duration,
				     int64_t scale);
	dl_result (*get_reference_time)(struct dl_frame *, int64_t scale, int64_t *time,
					int64_t *duration);
};

struct dl_packet_table {
	DL_UNKNOWN(dl_packet);
	long (*get_sample_count)(struct dl_packet *);
	dl_result (*get_bytes)(struct dl_packet *, void **out);
	dl_result (*get_time)(struct dl_packet *, int64_t *time, int64_t scale);
	DL_DESTRUCTOR;
};

struct dl_callback_table {
	DL_UNKNOWN(dl_callback);
	dl_result (*format_changed)(struct dl_callback *, uint32_t events, struct dl_mode *mode,
				    uint32_t flags);
	dl_result (*frame_arrived)(struct dl_callback *, struct dl_frame *frame,
				   struct dl_packet *packet);
	DL_DESTRUCTOR;
};

struct dl_input_table {
	DL_UNKNOWN(dl_input);
	dl_result (*does_support)(struct dl_input *, uint32_t connection, uint32_t mode,
				  uint32_t format, uint32_t conversion, uint32_t flags,
				  uint32_t *actual, bool *supported);
	dl_result (*get_display_mode)(struct dl_input *, uint32_t mode, struct dl_mode **out);
	dl_result (*get_mode_iterator)(struct dl_input *, struct dl_mode_iterator **out);
	dl_result (*set_preview)(struct dl_input *, void *preview);
	dl_result (*enable_video)(struct dl_input *, uint32_t mode, uint32_t format,
				  uint32_t flags);
	dl_result (*disable_video)(struct dl_input *);
	dl_result (*get_frame_count)(struct dl_input *, uint32_t *out);
	dl_result (*set_allocator)(struct dl_input *, void *allocator);
	dl_result (*enable_audio)(struct dl_input *, uint32_t rate, uint32_t bits,
				  uint32_t channels);
	dl_result (*disable_audio)(struct dl_input *);
	dl_result (*get_sample_count)(struct dl_input *, uint32_t *out);
	dl_result (*start)(struct dl_input *);
	dl_result (*stop)(struct dl_input *);
	dl_result (*pause)(struct dl_input *);
	dl_result (*flush)(struct dl_input *);
	dl_result (*set_callback)(struct dl_input *, struct dl_callback *callback);
	dl_result (*get_reference_clock)(struct dl_input *, int64_t scale, int64_t *time,
					 int64_t *in_frame, int64_t *ticks);
	DL_DESTRUCTOR;
};

#define DL_IID(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)                                \
	{                                                                                     \
		{                                                                             \
			0x##a, 0x##b, 0x##c, 0x##d, 0x##e, 0x##f, 0x##g, 0x##h, 0x##i, 0x##j, \
				0x##k, 0x##l, 0x##m, 0x##n, 0x##o, 0x##p                      \
		}                                                                             \
	}
static const struct dl_iid dl_iid_unknown =
	DL_IID(00, 00, 00, 00, 00, 00, 00, 00, C0, 00, 00, 00, 00, 00, 00, 46);
static const struct dl_iid dl_iid_input =
	DL_IID(C2, 1C, DB, 6E, F4, 14, 46, E4, A6, 36, 80, A5, 66, E0, ED, 37);
static const struct dl_iid dl_iid_callback =
	DL_IID(C6, FC, E4, C9, C4, E4, 40, 47, 82, FB, 5D, 23, 82, 32, A9, 02);
static const struct dl_iid dl_iid_attributes =
	DL_IID(17, D4, BF, 8E, 49, 11, 47, 3A, 80, A0, 73, 1C, F6, FF, 34, 5B);

/* What is looked up in the library. */
#define DL_LIBRARY  "libDeckLinkAPI.so"
#define DL_ITERATOR "CreateDeckLinkIteratorInstance_0004"
typedef struct dl_iterator *dl_iterator_create(void);
