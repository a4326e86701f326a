/* mkv: a Matroska file (RFC 9559; EBML is RFC 8794) that grows at its end, and is good at every moment.
 *
 *   ┌ EBML ┐┌ Segment: ┌ Void ┐┌ Info ┐┌ Tracks ┐┌ Cluster ┐┌ Cluster ┐ …  ┌ Cues ┐
 *   └──────┘└ no size  └──────┘└──────┘└────────┘└ SimpleBlocks …        └──────┘
 *                          ▲ SeekHead   ▲ Duration  ▲ largest picture      only when it is closed well
 *                          └── mkv_close puts them there, and the Segment's size
 *
 * A cluster is gathered in the caller's memory and has its size when it is written, so a file that was cut
 * anywhere is played up to its last whole one. Sans-I/O, no allocation: the caller writes what comes out,
 * and patches. Thread: the owner's. */
#pragma once

#include "core/writer.h"
#include "sfu/proto/shape.h"

#define MKV_TRACKS     12u
#define MKV_HEAD_MAX   (1024u + MKV_TRACKS * (SHAPE_SETUP_MAX + 512u))
#define MKV_CUES       1024u /* of more, each other one is left out */
#define MKV_CUES_MAX   (MKV_CUES * 32u + 64u)
#define MKV_PATCHES    (3u + MKV_TRACKS)
#define MKV_PATCH_MAX  96u
#define MKV_CLUSTER_MS 2000 /* how long one gets */

struct mkv_track {
	const struct shape *shape;
	unsigned channels;
	const char *name; /* "": none */
	unsigned turn;    /* quarters of a turn clockwise that pictures are shown with */
};

struct mkv_about {
	const char *title, *program;
	int64_t wall_us; /* since 1970: when it began */
	uint64_t uid;    /* of this file */
	const struct mkv_track *track;
	unsigned count;
};

struct mkv {
	uint64_t at;      /* bytes that came out */
	uint64_t segment; /* where what is in it begins */
	uint64_t void_at, info_at, duration_at, tracks_at;
	uint32_t videos; /* bits of tracks */
	struct {
		uint64_t at; /* where the head says it */
		uint32_t width, height;
		bool grew; /* since the head was written */
	} picture[MKV_TRACKS];
	/* the cluster that is gathered */
	struct writer *cluster;
	int64_t cluster_ms;
	unsigned blocks;
	bool keyed; /* there is a cue for it */
	/* what came so far */
	int64_t last_ms;
	unsigned cue_count, cue_each, cue_skip;
	struct {
		int64_t ms;
		uint64_t cluster;
		unsigned track;
	} cue[MKV_CUES];
};

/* The head of a file; false when it does not fit. */
bool mkv_open(struct mkv *mkv, const struct mkv_about *about, struct writer *w);

/* Whether a block belongs to the cluster that is gathered: else mkv_end_cluster comes first. A key picture
 * begins a new one. */
bool mkv_fits(const struct mkv *mkv, unsigned track, int64_t ms, bool key, size_t len);

/* Into the cluster in w, which is the same and empty after each mkv_end_cluster. track: from 0. False: it is
 * larger than w. */
bool mkv_put(struct mkv *mkv, struct writer *w, unsigned track, int64_t ms, bool key,
	     struct bytes frame);

/* A key picture of this size comes: the head says the largest when the file is closed. */
void mkv_see(struct mkv *mkv, unsigned track, uint32_t width, uint32_t height);

/* The cluster is whole: it is to be written now. Empty when there is none. */
struct bytes mkv_end_cluster(struct mkv *mkv);

/* Written behind the last cluster. */
struct mkv_patch {
	uint64_t at;
	size_t len;
	uint8_t bytes[MKV_PATCH_MAX];
};

/* The end. cues: what is written behind all; they may be left out, as when the disk is full: w is NULL. The
 * patches go where they say. How many. */
unsigned mkv_close(struct mkv *mkv, struct writer *w, struct mkv_patch patch[MKV_PATCHES]);
