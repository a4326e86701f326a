#include "sfu/proto/mkv.h"

#define ID_EBML       0x1a45dfa3u
#define ID_SEGMENT    0x18538067u
#define ID_SEEK_HEAD  0x114d9b74u
#define ID_INFO       0x1549a966u
#define ID_TRACKS     0x1654ae6bu
#define ID_CLUSTER    0x1f43b675u
#define ID_CUES       0x1c53bb6bu
#define ID_VOID       0xecu
#define ID_BLOCK      0xa3u
#define ID_TIMESTAMP  0xe7u
#define UNKNOWN_SIZE  0x01ffffffffffffffull /* RFC 8794 6.2 */
#define SIZE_8        0x0100000000000000ull
#define CLUSTER_HEAD  22u /* ID, size of 8 bytes, Timestamp of 10 bytes */
#define SEEK_ROOM     84u /* a SeekHead of three, or a Void */
#define DURATION_ROOM 11u
#define BLOCK_HEAD    13u
#define EPOCH_2001_US 978307200000000 /* RFC 8794 7.6: dates count from there */
#define SEEK_PREROLL  80000000u       /* RFC 9559 5.1.4.1.25 of Opus: 80 ms */

/* --- EBML ------------------------------------------------------------------------------------ */

static void put_id(struct writer *w, uint32_t id)
{
	writer_be(w, id, id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1);
}

/* Of what is no longer than 16,382 bytes. */
static void put_size(struct writer *w, size_t size)
{
	if (size < 0x7f)
		writer_u8(w, (uint8_t)(0x80 | size));
	else
		writer_be(w, 0x4000 | size, 2);
}

static void put_uint(struct writer *w, uint32_t id, uint64_t value)
{
	unsigned n = 1;

	while (n < 8 && value >> 8 * n)
		n++;
	put_id(w, id);
	put_size(w, n);
	writer_be(w, value, n);
}

static void put_float(struct writer *w, uint32_t id, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	put_id(w, id);
	put_size(w, 8);
	writer_be(w, bits, 8);
}

static void put_bytes(struct writer *w, uint32_t id, struct bytes value)
{
	put_id(w, id);
	put_size(w, value.len);
	writer_put(w, value);
}

/* An element with others in it: its size, of two bytes, comes when it ends. */
static size_t begin(struct writer *w, uint32_t id)
{
	put_id(w, id);
	writer_be(w, 0x4000, 2);
	return w->len;
}

static void end(struct writer *w, size_t at)
{
	struct writer size;

	if (!writer_ok(w) || w->len - at > 0x3ffe) {
		w->failed = true;
		return;
	}
	size = writer_of(w->at + at - 2, 2);
	writer_be(&size, 0x4000 | (w->len - at), 2);
}

static void put_void(struct writer *w, size_t room)
{
	put_id(w, ID_VOID);
	put_size(w, room - 2);
	writer_fill(w, 0, room - 2);
}

/* --- the head -------------------------------------------------------------------------------- */

static const char *codec_id(enum codec codec)
{
	switch (codec) {
	case CODEC_H264: return "V_MPEG4/ISO/AVC";
	case CODEC_H265: return "V_MPEGH/ISO/HEVC";
	case CODEC_VP8: return "V_VP8";
	case CODEC_VP9: return "V_VP9";
	case CODEC_AV1: return "V_AV1";
	case CODEC_OPUS: return "A_OPUS";
	case CODEC_PCMU:
	case CODEC_PCMA:
	case CODEC_G722:
	case CODEC_NONE:
	case CODEC_COUNT: break;
	}
	return NULL;
}

static void put_ebml(struct writer *w)
{
	size_t at = begin(w, ID_EBML);

	put_uint(w, 0x4286, 1);                  /* EBMLVersion */
	put_uint(w, 0x42f7, 1);                  /* EBMLReadVersion */
	put_uint(w, 0x42f2, 4);                  /* EBMLMaxIDLength */
	put_uint(w, 0x42f3, 8);                  /* EBMLMaxSizeLength */
	put_bytes(w, 0x4282, BYTES("matroska")); /* DocType */
	put_uint(w, 0x4287, 4);                  /* DocTypeVersion */
	put_uint(w, 0x4285, 2);                  /* DocTypeReadVersion */
	end(w, at);
}

static void put_info(struct mkv *mkv, struct writer *w, const struct mkv_about *about)
{
	size_t at = begin(w, ID_INFO);
	uint8_t uid[16] = {0};
	struct writer id = writer_of(uid, sizeof uid);

	writer_be(&id, about->uid, 8);
	writer_be(&id, (uint64_t)about->wall_us, 8);
	put_bytes(w, 0x73a4, bytes_of(uid, sizeof uid)); /* SegmentUUID */
	put_uint(w, 0x2ad7b1, 1000000);                  /* TimestampScale: milliseconds */
	mkv->duration_at = w->len;
	put_void(w, DURATION_ROOM);
	put_id(w, 0x4461); /* DateUTC, in nanoseconds */
	put_size(w, 8);
	writer_be(w, (uint64_t)((about->wall_us - EPOCH_2001_US) * 1000), 8);
	if (about->title[0])
		put_bytes(w, 0x7ba9, bytes_first(bytes_str(about->title), 255));
	put_bytes(w, 0x4d80, bytes_str(about->program)); /* MuxerApp */
	put_bytes(w, 0x5741, bytes_str(about->program)); /* WritingApp */
	end(w, at);
}

/* Of a length that another size has too. */
static void put_picture(struct writer *w, uint32_t width, uint32_t height)
{
	put_id(w, 0xb0); /* PixelWidth */
	put_size(w, 4);
	writer_be(w, width, 4);
	put_id(w, 0xba); /* PixelHeight */
	put_size(w, 4);
	writer_be(w, height, 4);
}

/* RFC 9559 5.1.4.1.28.41: a roll counts the other way round, in degrees of -180 to 180. */
static void put_roll(struct writer *w, unsigned turn)
{
	static const double roll[4] = {0, -90, 180, 90};
	size_t at = begin(w, 0x7670);

	put_uint(w, 0x7671, 0); /* ProjectionType: a plane */
	put_float(w, 0x7673, 0);
	put_float(w, 0x7674, 0);
	put_float(w, 0x7675, roll[turn & 3u]); /* ProjectionPoseRoll */
	end(w, at);
}

static void put_track(struct mkv *mkv, struct writer *w, const struct mkv_about *about, unsigned n)
{
	const struct mkv_track *track = &about->track[n];
	const struct shape *shape = track->shape;
	bool video = codec_is_video(shape->codec);
	size_t at = begin(w, 0xae), in;

	put_uint(w, 0xd7, n + 1);                              /* TrackNumber */
	put_uint(w, 0x73c5, (about->uid >> 8 << 8) | (n + 1)); /* TrackUID */
	put_uint(w, 0x83, video ? 1 : 2);                      /* TrackType */
	put_uint(w, 0x9c, 0);                                  /* FlagLacing */
	put_bytes(w, 0x22b59c, BYTES("und"));                  /* Language */
	if (track->name[0])
		put_bytes(w, 0x536e, bytes_first(bytes_str(track->name), 100));
	put_bytes(w, 0x86, bytes_str(codec_id(shape->codec)));
	if (shape->setup_len)
		put_bytes(w, 0x63a2, bytes_of(shape->setup, shape->setup_len));
	if (!video)
		put_uint(w, 0x56bb, SEEK_PREROLL);
	in = begin(w, video ? 0xe0 : 0xe1);
	if (video) {
		mkv->videos |= 1u << n;
		mkv->picture[n].at = w->len;
		mkv->picture[n].width = shape->width;
		mkv->picture[n].height = shape->height;
		put_picture(w, shape->width, shape->height);
		if (track->turn & 3u)
			put_roll(w, track->turn);
	} else {
		put_float(w, 0xb5, 48000);
		put_uint(w, 0x9f, track->channels);
	}
	end(w, in);
	end(w, at);
}

bool mkv_open(struct mkv *mkv, const struct mkv_about *about, struct writer *w)
{
	size_t at;

	memset(mkv, 0, sizeof *mkv);
	mkv->cue_each = 1;
	put_ebml(w);
	put_id(w, ID_SEGMENT);
	writer_be(w, UNKNOWN_SIZE, 8);
	mkv->segment = w->len;
	mkv->void_at = w->len;
	put_void(w, SEEK_ROOM);
	mkv->info_at = w->len;
	put_info(mkv, w, about);
	mkv->tracks_at = w->len;
	/* Of the size of all tracks two bytes do not tell. */
	put_id(w, ID_TRACKS);
	at = w->len;
	writer_be(w, 0, 8);
	for (unsigned i = 0; i < about->count && i < MKV_TRACKS; i++)
		put_track(mkv, w, about, i);
	if (writer_ok(w)) {
		struct writer size = writer_of(w->at + at, 8);

		writer_be(&size, SIZE_8 | (w->len - at - 8), 8);
	}
	mkv->at = w->len;
	return writer_ok(w);
}

void mkv_see(struct mkv *mkv, unsigned track, uint32_t width, uint32_t height)
{
	if ((uint64_t)width * height <=
	    (uint64_t)mkv->picture[track].width * mkv->picture[track].height)
		return;
	mkv->picture[track].width = width;
	mkv->picture[track].height = height;
	mkv->picture[track].grew = true;
}

/* --- clusters -------------------------------------------------------------------------------- */

bool mkv_fits(const struct mkv *mkv, unsigned track, int64_t ms, bool key, size_t len)
{
	int64_t off = ms - mkv->cluster_ms;

	if (!mkv->cluster || mkv->blocks == 0)
		return true;
	if (key && mkv->videos >> track & 1)
		return false;
	/* RFC 9559 5.1.3.4: a block says its time in 16 bits. */
	return off > -MKV_CLUSTER_MS && off < MKV_CLUSTER_MS &&
	       len + BLOCK_HEAD <= mkv->cluster->size - mkv->cluster->len;
}

/* Where a player may go to: key pictures, or any cluster where there are none. */
static void add_cue(struct mkv *mkv, unsigned track, int64_t ms)
{
	if (mkv->cue_skip++ % mkv->cue_each)
		return;
	if (mkv->cue_count == MKV_CUES) {
		for (unsigned i = 0; i < MKV_CUES / 2; i++)
			mkv->cue[i] = mkv->cue[2 * i];
		mkv->cue_count = MKV_CUES / 2;
		mkv->cue_each *= 2;
		mkv->cue_skip = 1;
	}
	mkv->cue[mkv->cue_count].ms = ms;
	mkv->cue[mkv->cue_count].cluster = mkv->at - mkv->segment;
	mkv->cue[mkv->cue_count++].track = track;
}

bool mkv_put(struct mkv *mkv, struct writer *w, unsigned track, int64_t ms, bool key,
	     struct bytes frame)
{
	bool video = mkv->videos >> track & 1;

	if (ms < 0)
		ms = 0;
	if (mkv->blocks == 0) {
		w->len = 0;
		mkv->cluster = w;
		mkv->cluster_ms = ms;
		mkv->keyed = false;
		writer_fill(w, 0, CLUSTER_HEAD);
	}
	if (!writer_ok(w) || frame.len + BLOCK_HEAD > w->size - w->len)
		return false;
	put_id(w, ID_BLOCK);
	writer_be(w, SIZE_8 | (4 + frame.len), 8);
	writer_u8(w, (uint8_t)(0x80 | (track + 1)));
	writer_be(w, (uint16_t)(int16_t)(ms - mkv->cluster_ms), 2);
	writer_u8(w, key ? 0x80 : 0);
	writer_put(w, frame);
	mkv->blocks++;
	if (ms > mkv->last_ms)
		mkv->last_ms = ms;
	if (!mkv->keyed && (video ? key : mkv->videos == 0)) {
		mkv->keyed = true;
		add_cue(mkv, track, ms);
	}
	return true;
}

struct bytes mkv_end_cluster(struct mkv *mkv)
{
	struct writer *w = mkv->cluster, head;

	if (!w || mkv->blocks == 0)
		return (struct bytes){NULL, 0};
	head = writer_of(w->at, CLUSTER_HEAD);
	put_id(&head, ID_CLUSTER);
	writer_be(&head, SIZE_8 | (w->len - 12), 8);
	put_id(&head, ID_TIMESTAMP);
	writer_u8(&head, 0x88);
	writer_be(&head, (uint64_t)mkv->cluster_ms, 8);
	mkv->blocks = 0;
	mkv->at += w->len;
	return writer_done(w);
}

/* --- the end --------------------------------------------------------------------------------- */

static void put_cues(const struct mkv *mkv, struct writer *w)
{
	size_t at;

	put_id(w, ID_CUES);
	at = w->len;
	writer_be(w, 0, 8);
	for (unsigned i = 0; i < mkv->cue_count; i++) {
		size_t point = begin(w, 0xbb), where;

		put_uint(w, 0xb3, (uint64_t)mkv->cue[i].ms);
		where = begin(w, 0xb7);
		put_uint(w, 0xf7, mkv->cue[i].track + 1);
		put_uint(w, 0xf1, mkv->cue[i].cluster);
		end(w, where);
		end(w, point);
	}
	if (writer_ok(w)) {
		struct writer size = writer_of(w->at + at, 8);

		writer_be(&size, SIZE_8 | (w->len - at - 8), 8);
	}
}

static void put_seek(struct writer *w, uint32_t id, uint64_t at)
{
	size_t in = begin(w, 0x4dbb);
	uint8_t room[4];
	struct writer value = writer_of(room, sizeof room);

	put_id(&value, id);
	put_bytes(w, 0x53ab, writer_done(&value));
	put_id(w, 0x53ac);
	put_size(w, 8);
	writer_be(w, at, 8);
	end(w, in);
}

static void put_seek_head(const struct mkv *mkv, struct writer *w, bool cues, uint64_t cues_at)
{
	size_t at = begin(w, ID_SEEK_HEAD);

	put_seek(w, ID_INFO, mkv->info_at - mkv->segment);
	put_seek(w, ID_TRACKS, mkv->tracks_at - mkv->segment);
	if (cues)
		put_seek(w, ID_CUES, cues_at - mkv->segment);
	end(w, at);
	put_void(w, SEEK_ROOM - w->len);
}

unsigned mkv_close(struct mkv *mkv, struct writer *w, struct mkv_patch patch[MKV_PATCHES])
{
	uint64_t cues_at = mkv->at;
	bool cues = w && mkv->cue_count;
	unsigned count = 3;
	struct writer p;

	if (cues) {
		put_cues(mkv, w);
		mkv->at += w->len;
	}
	p = writer_of(patch[0].bytes, MKV_PATCH_MAX);
	patch[0].at = mkv->void_at;
	put_seek_head(mkv, &p, cues, cues_at);
	patch[0].len = p.len;
	p = writer_of(patch[1].bytes, MKV_PATCH_MAX);
	patch[1].at = mkv->duration_at;
	put_float(&p, 0x4489, (double)mkv->last_ms);
	patch[1].len = p.len;
	p = writer_of(patch[2].bytes, MKV_PATCH_MAX);
	patch[2].at = mkv->segment - 8;
	writer_be(&p, SIZE_8 | (mkv->at - mkv->segment), 8);
	patch[2].len = p.len;
	for (unsigned i = 0; i < MKV_TRACKS; i++) {
		if (!mkv->picture[i].grew)
			continue;
		p = writer_of(patch[count].bytes, MKV_PATCH_MAX);
		patch[count].at = mkv->picture[i].at;
		put_picture(&p, mkv->picture[i].width, mkv->picture[i].height);
		patch[count++].len = p.len;
	}
	return count;
}
