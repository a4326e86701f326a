/* oracle: numbered MP3 frames, and a checker that proves what became of them on the way.
 *
 *     encoder: oracle_frame_make(n) ──▶ server under test ──▶ oracle_input() ──▶ counts
 *
 * A frame is a real MPEG-1 layer III frame (44.1 kHz stereo, silent, any bitrate), so that every
 * server and decoder takes it, and its ancillary bytes carry a stream id, a 64-bit frame number
 * and the moment it was sent, followed by filler that is computed from all three. One changed,
 * lost or added byte is therefore seen. 0xFF stands at the beginning of a frame and nowhere else.
 *
 *     0        4            36     40        45         55         65
 *     | header | side info 0 | RMO1 | stream | number   | sent µs  | filler …
 *     |        | (32 bytes)  |      | 5×7 bit| 10×7 bit | 10×7 bit | 7 bits a byte
 *
 * The checker is incremental: bytes come in pieces of any size. It allocates nothing and reads no
 * clock; all state lies in the struct. Thread: whoever owns the struct. It does not know HTTP or
 * ICY (icy.h removes that) and does not judge: it counts. */
#pragma once

#include "core/bytes.h"
#include "core/mono.h"

enum {
	ORACLE_FRAME_MAX = 1045,     /* 320 kbit/s, padded */
	ORACLE_FRAME_SAMPLES = 1152, /* per channel, at 44100 Hz */
	ORACLE_STREAMS = 8,          /* stream ids of which the last number is remembered */
};

struct oracle_frame {
	uint64_t number;
	uint32_t stream;
	uint32_t kbps;
	mono_t sent; /* CLOCK_MONOTONIC of the encoder's machine */
};

/* One of the 14 bitrates of MPEG-1 layer III. */
bool oracle_kbps_valid(unsigned kbps);

/* Length of frame number n: padding follows the number, so that 441 frames in a row make the exact
 * bitrate wherever they begin. kbps must be valid. */
size_t oracle_frame_len(unsigned kbps, uint64_t number);

/* Writes the frame to out, which has room for ORACLE_FRAME_MAX; returns its length. */
size_t oracle_frame_make(uint8_t *out, const struct oracle_frame *frame);

/* The frame in these bytes; false when they are not exactly one frame, right in every byte. */
bool oracle_frame_read(struct bytes in, struct oracle_frame *frame);

/* When frame number n begins, counted from frame 0, in microseconds. */
int64_t oracle_frame_start_us(uint64_t n);

struct oracle_counts {
	uint64_t frames;            /* whole and right */
	uint64_t first;             /* number of the first one */
	uint64_t last;              /* and of the latest */
	uint64_t gaps;              /* jumps forward */
	uint64_t gap_frames;        /* frames missing in them */
	uint64_t gap_longest;       /* in frames */
	uint64_t repeats;           /* jumps back, the same frame again among them */
	uint64_t repeat_frames;     /* how far back, added up */
	uint64_t torn;              /* runs of bytes that are no frame, between frames */
	uint64_t torn_bytes;        /* in them */
	uint64_t torn_start_bytes;  /* before the first frame: a stream joined inside a frame */
	uint64_t switches;          /* another stream id than before: a fallback, no fault */
	uint64_t switch_repeats;    /* came back to a stream at a frame that was heard already */
	uint64_t switch_gap_frames; /* frames of a stream that passed while another was heard */
};

struct oracle {
	struct oracle_counts counts;

	/* Called for every good frame; NULL when nobody wants it. The owner embeds the oracle. */
	void (*on_frame)(struct oracle *oracle, const struct oracle_frame *frame);

	/* Private. */
	uint32_t stream;
	bool tearing;
	struct {
		uint64_t last;
		uint32_t stream;
		bool used;
	} seen[ORACLE_STREAMS];
	size_t held;
	uint8_t hold[ORACLE_FRAME_MAX];
};

void oracle_init(struct oracle *oracle);
void oracle_input(struct oracle *oracle, struct bytes in);

/* Bytes at the end that are the beginning of a frame: a connection ends where it likes, so this
 * is no fault. */
size_t oracle_tail(const struct oracle *oracle);

/* No gap, no repeat, no torn bytes, and at least one frame. Switches and a torn start may be. */
bool oracle_is_whole(const struct oracle_counts *counts);
