/* fc_client: raw video frames in shared memory, from one writer to any number of reader processes.
 *
 *   a slot is one file of a tmpfs, FC_DIR/<slot_id>:
 *   ┌─────────────┬──────────────────────────┬─────────────────────┬─ … ─┬────────────────────┐
 *   │ fc_header_t │ frame 0: record │ pixels │ frame 1: …          │     │ audio ring         │
 *   │ 4,096 bytes │          4,096  │ frame_size, to a page        │     │ interleaved s32    │
 *   └─────────────┴──────────────────────────┴─────────────────────┴─ … ─┴────────────────────┘
 *
 * Frame number k (0, 1, 2 …) lies at place k % ring_depth. The writer announces which frame it is
 * about to overwrite (write_intent), writes, then commits (write_cursor) and wakes all who wait. It
 * never waits and knows no reader. A reader maps the slot read-only and is a number: the frame it
 * wants next. What it uses in place it checks afterwards (fc_frame_valid); a reader that was
 * overtaken is given the newest frame and told exactly how many it lost.
 *
 * A handle (fc_slot_t, fc_writer_t) is used by one thread at a time; any number of handles may be
 * open. Nothing is allocated but by the functions that open. Functions that return int return 0
 * (FC_OK) or one of FC_… below zero, unless they say otherwise; those that return a pointer return
 * NULL and set errno. The library installs no signal handler, starts no thread and prints nothing.
 *
 * The layout below is frozen: version 2. Fields are only ever added where it says reserved. */
#ifndef FC_CLIENT_H
#define FC_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#	define FC_API __attribute__((visibility("default")))
#else
#	define FC_API
#endif

/* --- the layout, as it lies in memory, in the machine's byte order ------------------------------ */

#define FC_MAGIC        0x46524D43u /* "FRMC" */
#define FC_VERSION      2u
#define FC_HEADER_SIZE  4096u
#define FC_RING_DEPTH   120u                  /* two seconds at 59.94 frames a second */
#define FC_DEFAULT_DIR  "/dev/shm/framecache" /* where the environment has no FC_DIR */
#define FC_SLOT_ID_MAX  64u                   /* ^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$ */
#define FC_PLANES_MAX   4u
#define FC_SIDE_MAX     16384u /* width, height */
#define FC_SIDE_MIN     16u
#define FC_FRAME_MAX    (1u << 30) /* bytes of a frame */
#define FC_DEPTH_MAX    65536u
#define FC_CHANNELS_MAX 64u

enum {
	FC_PIX_UYVY422 = 0, /* 8 bit, U Y V Y; row 2 × width */
	FC_PIX_V210 = 1, /* 10 bit 4:2:2, six pixels in 16 bytes; rows of 128 × ⌈width / 48⌉ */
	FC_PIX_NV12 = 2, /* 8 bit 4:2:0: a plane of Y, a plane of UV pairs */
	FC_PIX_P010 = 3, /* the same with 16 bits, the upper 10 used */
	FC_PIX_RGBA = 4  /* 8 bit each; row 4 × width */
};

/* What the writer says of itself. Whether it is true is judged by fc_state(). */
enum {
	FC_STATE_INIT = 0,      /* made; nobody has written yet */
	FC_STATE_LIVE = 1,      /* a writer has it */
	FC_STATE_NO_SIGNAL = 2, /* a writer has it and its input is away */
	FC_STATE_CLOSED = 3,    /* the writer went, as it should */
	FC_STATE_SUPERSEDED = 4 /* another file has this name now */
};

enum {
	FC_SCAN_UNKNOWN = 0,
	FC_SCAN_PROGRESSIVE = 1,
	FC_SCAN_TOP_FIRST = 2,
	FC_SCAN_BOTTOM_FIRST = 3
};
enum { FC_COLOUR_UNKNOWN = 0, FC_COLOUR_BT601 = 1, FC_COLOUR_BT709 = 2, FC_COLOUR_BT2020 = 3 };
enum { FC_AUDIO_NONE = 0, FC_AUDIO_S32 = 1 /* interleaved, 24-bit sound in the upper bits */ };

/* Flags of a frame. */
#define FC_FRAME_NO_SIGNAL     1u /* the input was away: the picture is made up */
#define FC_FRAME_REPEATED      2u /* the same picture as the frame before */
#define FC_FRAME_DISCONTINUITY 4u /* time or picture do not go on from the frame before */

/* Offsets are those of the field notes: 0 to 55 as in version 1. "live" fields change under the
 * reader and are touched with atomic operations only; all others are constant once the file has its
 * name. */
typedef struct fc_header {
	uint32_t magic;          /*   0 */
	uint32_t version;        /*   4 */
	uint32_t width;          /*   8 pixels */
	uint32_t height;         /*  12 */
	uint32_t fps_num;        /*  16 */
	uint32_t fps_den;        /*  20 */
	uint32_t pixel_format;   /*  24 FC_PIX_… */
	uint32_t frame_size;     /*  28 bytes of all planes */
	uint32_t ring_depth;     /*  32 frames; readable are ring_depth - 1 */
	uint32_t reserved36;     /*  36 */
	uint64_t write_cursor;   /*  40 live: frames committed */
	uint64_t dropped_frames; /*  48 live: frames that the input lost, never a reader */
	uint32_t wake_seq;       /*  56 live: futex word, +1 for each commit and change of state */
	uint32_t state;          /*  60 live: FC_STATE_… */
	uint64_t generation;     /*  64 of the file; a later one of the same name has a larger */
	uint64_t write_intent;   /*  72 live: frames begun; k is void once k + ring_depth < it */
	uint64_t heartbeat_ns;   /*  80 live: CLOCK_MONOTONIC of the writer's last sign of life */
	uint64_t data_offset;    /*  88 of frame 0 in the file; a multiple of 4,096 */
	uint64_t frame_stride;   /*  96 from frame to frame; a multiple of 4,096 */
	uint32_t frame_data_off; /* 104 of the pixels behind the start of their frame: 4,096 */
	uint32_t row_bytes;      /* 108 of the first plane */
	uint32_t writer_pid;     /* 112 live: in the writer's own pid namespace; 0: none */
	uint32_t scan;           /* 116 FC_SCAN_… */
	uint32_t colour;         /* 120 FC_COLOUR_… */
	uint32_t plane_count;    /* 124 */
	uint64_t audio_offset;   /* 128 in the file; 0: no audio */
	uint64_t audio_capacity; /* 136 samples (of all channels) in the ring */
	uint32_t audio_rate;     /* 144 Hz */
	uint32_t audio_channels; /* 148 */
	uint32_t audio_format;   /* 152 FC_AUDIO_… */
	uint32_t audio_sample_bytes; /* 156 one sample of all channels: 4 × audio_channels */
	uint64_t audio_intent;       /* 160 live: samples begun */
	uint64_t audio_cursor;       /* 168 live: samples committed */
	uint32_t plane_offset[FC_PLANES_MAX];    /* 176 from the first pixel */
	uint32_t plane_row_bytes[FC_PLANES_MAX]; /* 192 */
	uint64_t file_size;                      /* 208 */
	uint64_t created_us;                     /* 216 CLOCK_REALTIME */
	uint64_t writer_epoch;                   /* 224 live: how many writers there were */
	char slot_id[72];                        /* 232 ends with a zero */
	char source_type[32]; /* 304 ends with a zero: "sdi", "rtmp", whatever the maker said */
	uint8_t reserved[FC_HEADER_SIZE - 336];
} fc_header_t;

/* Stands at the beginning of each frame; all of it is live. */
typedef struct fc_record {
	uint64_t pts_us;        /*  0 time in the stream */
	uint64_t wall_us;       /*  8 CLOCK_REALTIME when the frame came in */
	uint32_t size;          /* 16 bytes of pixels */
	uint32_t flags;         /* 20 FC_FRAME_… */
	uint64_t seq;           /* 24 2k + 2: frame k is whole; 2k + 1: it is being written */
	uint64_t mono_ns;       /* 32 CLOCK_MONOTONIC of the commit */
	uint32_t timecode;      /* 40 SMPTE 12M, binary coded: 0xHHMMSSFF, bit 31 drop frame */
	uint32_t audio_samples; /* 44 how many samples belong to this frame */
	uint64_t audio_first;   /* 48 the first of them */
	uint64_t reserved;      /* 56 */
} fc_record_t;

/* --- results ------------------------------------------------------------------------------------ */

enum {
	FC_OK = 0,
	FC_TIMEOUT = -1,    /* nothing came; the writer is well, or never was there */
	FC_NOSIGNAL = -2,   /* nothing came: the writer says that its input is away */
	FC_STALLED = -3,    /* nothing came: the writer lives and gives no sign */
	FC_DEAD = -4,       /* the writer went without a word; another may take over */
	FC_CLOSED = -5,     /* the writer went, as it should; another may come */
	FC_SUPERSEDED = -6, /* another file has this name: close and open again */
	FC_LOST = -7,       /* what was asked for is overwritten, or was while it was copied */
	FC_BROKEN = -8,     /* the slot contradicts itself */
	FC_SMALL = -9,      /* the buffer is too small */
	FC_INVALID = -10    /* the call makes no sense */
};

/* "timeout", "superseded" …; for a log line. */
FC_API const char *fc_result_name(int result);

/* --- what a slot is like ------------------------------------------------------------------------ */

/* What is asked for. Fields left zero take the value in brackets. */
typedef struct fc_config {
	uint32_t width, height;    /* width even; height too for NV12 and P010 */
	uint32_t fps_num, fps_den; /* 1 to 1,000 frames a second */
	uint32_t pixel_format;     /* FC_PIX_… */
	uint32_t ring_depth;       /* at least 2 [two seconds] */
	uint32_t scan, colour;
	uint32_t audio_channels; /* 0 to FC_CHANNELS_MAX; 0: no audio */
	uint32_t audio_rate;     /* 8,000 to 192,000 [48,000 where there are channels] */
	const char *source_type; /* at most 31 bytes of ASCII letters, digits and _ - . [""] */
	uint32_t file_mode;      /* [0640] */
	uint32_t reserved[7];    /* zero */
} fc_config_t;

/* How a slot is, at this moment. */
typedef struct fc_info {
	uint32_t width, height, fps_num, fps_den, pixel_format, frame_size, ring_depth;
	uint32_t scan, colour;
	uint32_t plane_count;
	uint32_t plane_offset[FC_PLANES_MAX], plane_row_bytes[FC_PLANES_MAX];
	uint32_t audio_channels, audio_rate;
	uint64_t audio_capacity;
	uint64_t file_size, generation, created_us;
	char slot_id[72], source_type[32];
	/* live */
	uint32_t state; /* as the header says; fc_state() judges */
	uint32_t writer_pid;
	uint64_t write_cursor, dropped_frames, heartbeat_ns, writer_epoch, audio_cursor;
} fc_info_t;

/* Bytes that a slot of this shape takes, all of them allocated when it is made; 0: no valid shape. */
FC_API uint64_t fc_slot_size(const fc_config_t *config);

/* Whether this may name a slot. */
FC_API int fc_slot_id_ok(const char *slot_id);

/* The time in the stream of frame index, rounded to the microsecond and never accumulated. */
FC_API uint64_t fc_pts_us(uint32_t fps_num, uint32_t fps_den, uint64_t index);

/* "uyvy422", "v210", "nv12", "p010", "rgba"; NULL for what is none. And back, "UYVY422" too: -1 for what is none. */
FC_API const char *fc_pix_name(uint32_t pixel_format);
FC_API int fc_pix_by_name(const char *name);

/* --- making and removing slots: the service, or a program that does without one ----------------- */

#define FC_REPLACE 1 /* an existing slot is superseded, unless a living writer has it */
#define FC_FORCE   2 /* even then */

/* Makes FC_DIR/<slot_id>, whole or not at all. 0, or -1 with errno: EINVAL, EEXIST, EBUSY (a living
 * writer), ENOSPC (not a byte is taken then) … The directory is made (0750) when it is not there. */
FC_API int fc_slot_create(const char *slot_id, const fc_config_t *config, int flags);

/* Tells the readers and takes the name away; they keep what they have mapped. 0, or -1 with errno:
 * ENOENT; EBUSY when a living writer has it and flags has no FC_FORCE. */
FC_API int fc_slot_remove(const char *slot_id, int flags);

/* --- reading ------------------------------------------------------------------------------------ */

typedef struct fc_slot fc_slot_t;

/* One frame as a reader has it. The struct is the handle's and holds until its next call; the pixels
 * are the ring's, and hold as long as fc_frame_valid() says so. */
typedef struct fc_frame {
	uint64_t pts_us;
	uint64_t wall_us;
	uint32_t size;
	uint32_t flags; /* FC_FRAME_… */
	uint64_t index; /* 0, 1, 2 …: its number in the slot */
	uint64_t mono_ns;
	uint32_t timecode;
	uint32_t audio_samples;
	uint64_t audio_first;
	uint64_t lost; /* frames that were lost between the one before and this one */
	const uint8_t *data;
} fc_frame_t;

/* Opens a slot for reading, beginning with the newest frame. Needs no right to write, neither to the
 * file nor to the file system. NULL with errno: ENOENT: there is none; EINVAL: no slot id; EPROTO: no
 * slot of this version, or one that contradicts itself. */
FC_API fc_slot_t *fc_open(const char *slot_id);

/* The same once there is such a slot: waits for it up to timeout_ms. NULL with ETIMEDOUT. */
FC_API fc_slot_t *fc_open_wait(const char *slot_id, uint64_t timeout_ms);

/* The same from a descriptor, which stays the caller's: of a file in another place, or of a sealed
 * memfd that came over a socket. Such a slot is never found to be superseded by name. */
FC_API fc_slot_t *fc_open_fd(int fd);

FC_API void fc_close(fc_slot_t *slot);

/* The next frame. FC_OK: *out is it. A reader that was overtaken is put on the newest frame;
 * (*out)->lost says how many it lost. Any other result means that there is no frame: a change of
 * state is told at once and once, what stays as it is when the time is up; frames that are still
 * there come first. timeout_ms 0 does not wait, UINT64_MAX waits for ever. */
FC_API int fc_read_frame(fc_slot_t *slot, fc_frame_t **out, uint64_t timeout_ms);

/* The same with the pixels copied into buf: exact, nothing needs to be checked afterwards. *out's data
 * is buf. FC_SMALL when size is less than the frame's; the frame is not used up then. */
FC_API int fc_copy_frame(fc_slot_t *slot, fc_frame_t **out, void *buf, size_t size,
			 uint64_t timeout_ms);

/* Whether all that was read of this frame up to now was whole: ask after use. 0: what was used is
 * void, forget it. */
FC_API int fc_frame_valid(const fc_slot_t *slot, const fc_frame_t *frame);

/* How many frames more may be begun before this one is void; 0: none, or it is. Whoever gives pixels to
 * something that cannot take them back begins only with a good margin, and checks all the same. */
FC_API uint64_t fc_frame_margin(const fc_slot_t *slot, const fc_frame_t *frame);

FC_API const uint8_t *fc_frame_data(const fc_frame_t *frame);
FC_API uint64_t fc_frame_index(const fc_frame_t *frame);
/* A plane of it; NULL when there is no such plane. */
FC_API const uint8_t *fc_frame_plane(const fc_slot_t *slot, const fc_frame_t *frame, uint32_t plane,
				     uint32_t *row_bytes);

/* Copies the samples that belong to the frame out: frame->audio_samples × channels × 4 bytes. 0, or
 * FC_LOST when they are overwritten, or FC_SMALL. */
FC_API int fc_frame_audio(fc_slot_t *slot, const fc_frame_t *frame, int32_t *buf, size_t buf_bytes);

/* Samples first … first + count - 1, however they belong to frames. 0; FC_LOST; FC_TIMEOUT when they are not
 * all there yet. */
FC_API int fc_read_audio(fc_slot_t *slot, uint64_t first, uint32_t count, int32_t *buf);

/* Where to go on: FC_SEEK_NEWEST (the newest frame there is, else the next), FC_SEEK_NEXT (those to
 * come), FC_SEEK_OLDEST (the oldest that is not about to go) or FC_SEEK_INDEX. None of them counts as
 * lost. */
enum { FC_SEEK_NEWEST = 0, FC_SEEK_NEXT = 1, FC_SEEK_OLDEST = 2, FC_SEEK_INDEX = 3 };
FC_API int fc_seek(fc_slot_t *slot, int where, uint64_t index);

/* The number of the next frame wanted; how many are there from it on; how many were lost in all. */
FC_API uint64_t fc_position(const fc_slot_t *slot);
FC_API uint64_t fc_lag(const fc_slot_t *slot);
FC_API uint64_t fc_lost(const fc_slot_t *slot);

/* How the writer is: FC_OK (well), FC_TIMEOUT (there was none yet), FC_NOSIGNAL, FC_STALLED, FC_DEAD,
 * FC_CLOSED or FC_SUPERSEDED. A few system calls. */
FC_API int fc_state(fc_slot_t *slot);

/* Silence for which a living writer counts as stalled [500 ms, or five frames if that is longer]. */
FC_API void fc_set_stall_ms(fc_slot_t *slot, uint64_t stall_ms);

FC_API void fc_info(const fc_slot_t *slot, fc_info_t *out);

/* --- writing ------------------------------------------------------------------------------------ */

typedef struct fc_writer fc_writer_t;

/* Becomes the writer of a slot that is there. Where the former one left off or died, this one goes on;
 * its first frame has FC_FRAME_DISCONTINUITY unless it is the slot's first. Holds a lock on the file
 * until it is closed or the process ends (a child that inherits the descriptor must exec or close).
 * NULL with errno: EBUSY: there is a living writer; ENOENT, EPROTO, EACCES … */
FC_API fc_writer_t *fc_writer_open(const char *slot_id);
FC_API fc_writer_t *fc_writer_open_fd(int fd);

/* Says FC_STATE_CLOSED, wakes the readers and lets go. */
FC_API void fc_writer_close(fc_writer_t *writer);

/* What is known of a frame beside its pixels; zeroed fields take the value in brackets. */
typedef struct fc_frame_meta {
	uint64_t pts_us;
	uint64_t wall_us; /* [now] */
	uint32_t size;    /* [the slot's frame_size] */
	uint32_t flags;   /* FC_FRAME_… */
	uint32_t timecode;
	uint32_t reserved[3];
} fc_frame_meta_t;

/* Copies a frame in, commits it, wakes everybody. size: at most the slot's frame_size. */
FC_API int fc_write_frame(fc_writer_t *writer, const void *data, uint32_t size, uint64_t pts_us);

/* The same without the copy: the place of the next frame in the ring, for a card, a scaler or a decoder
 * to write into; then the commit. Begin again without a commit gives the same place. NULL never. */
FC_API void *fc_write_begin(fc_writer_t *writer);
FC_API int fc_write_commit(fc_writer_t *writer, const fc_frame_meta_t *meta);

/* Appends samples of all channels: those since the last commit belong to the frame committed next.
 * FC_INVALID: the slot has no audio, or count is more than half of the ring. */
FC_API int fc_write_audio(fc_writer_t *writer, const int32_t *samples, uint32_t count);

/* FC_STATE_LIVE or FC_STATE_NO_SIGNAL, told to all. Also a sign of life. */
FC_API int fc_writer_set_state(fc_writer_t *writer, uint32_t state);

/* A sign of life where there are no frames to write. */
FC_API void fc_writer_heartbeat(fc_writer_t *writer);

/* The input lost so many frames. */
FC_API void fc_writer_dropped(fc_writer_t *writer, uint64_t frames);

/* The number of the next frame. */
FC_API uint64_t fc_writer_position(const fc_writer_t *writer);
FC_API void fc_writer_info(const fc_writer_t *writer, fc_info_t *out);

#ifdef __cplusplus
}
#endif

#endif
