/* Recordings: whatever payloads come, frames are made of nothing else, fit where they are put, and say of
 * themselves what a walk over them finds; the file that they go into is a tree of elements whose sizes are right
 * at each moment, and holds each frame once. Packets come in any order and some never: those that do come out rise.
 * The first byte chooses the codec; then payloads, each behind its length and a byte: its marker and step of time. */
#include <string.h>

#include "core/reader.h"
#include "property.h"
#include "sfu/proto/lipsync.h"
#include "sfu/proto/mkv.h"
#include "sfu/proto/order.h"
#include "sfu/proto/unpack.h"

#define FRAME_SIZE 8192u

static uint8_t room[FRAME_SIZE], cluster_room[2 * FRAME_SIZE], file[1u << 20];
static struct mkv mkv;
static struct writer out, cluster;
static unsigned put, blocks;
static uint64_t sum;

/* --- the file -------------------------------------------------------------------------------- */

static uint64_t sum_of(struct bytes in)
{
	uint64_t hash = in.len;

	for (size_t i = 0; i < in.len; i++)
		hash = (hash ^ in.at[i]) * 1099511628211u;
	return hash;
}

static bool is_master(uint64_t id)
{
	static const uint32_t ids[] = {0x1a45dfa3, 0x18538067, 0x114d9b74, 0x1549a966, 0x1654ae6b,
				       0x1f43b675, 0x1c53bb6b, 0xae,       0xe0,       0xe1,
				       0xbb,       0xb7,       0x4dbb};

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (id == ids[i])
			return true;
	return false;
}

static void walk(struct bytes in, uint64_t *sums)
{
	struct reader r = reader_of(in);

	while (reader_left(&r)) {
		uint8_t first = reader_u8(&r);
		unsigned n = 1;
		uint64_t id, size;
		struct bytes body;

		PROPERTY(first >= 0x10);
		while (!(first >> (8 - n)))
			n++;
		id = (uint64_t)first << 8 * (n - 1) | reader_be(&r, n - 1);
		first = reader_u8(&r);
		PROPERTY(first != 0);
		for (n = 1; !(first >> (8 - n)); n++)
			;
		size = ((uint64_t)first & (0xffu >> n)) << 8 * (n - 1) | reader_be(&r, n - 1);
		if (id == 0x18538067 && size == (1ull << 56) - 1)
			size = reader_left(&r);
		body = reader_take(&r, size);
		PROPERTY(reader_ok(&r));
		if (id == 0xa3) {
			PROPERTY(body.len > 4);
			blocks++;
			*sums += sum_of(bytes_skip(body, 4));
		}
		if (is_master(id))
			walk(body, sums);
	}
}

static void check_file(bool all)
{
	uint64_t sums = 0;

	blocks = 0;
	walk(writer_done(&out), &sums);
	PROPERTY(blocks <= put && (!all || (blocks == put && sums == sum)));
}

static void write_out(void)
{
	struct bytes whole = mkv_end_cluster(&mkv);

	writer_put(&out, whole);
	PROPERTY(writer_ok(&out) && mkv.at == out.len);
}

static bool open_file(const struct shape *shape)
{
	const struct mkv_track track = {shape, 2, "x", shape->width % 4};
	const struct mkv_about about = {
		.title = "room", .program = "fuzz", .uid = 1, .track = &track, .count = 1};

	out = writer_of(file, sizeof file);
	cluster = writer_of(cluster_room, sizeof cluster_room);
	put = 0;
	sum = 0;
	return mkv_open(&mkv, &about, &out);
}

static void close_file(void)
{
	static uint8_t cues[MKV_CUES_MAX];
	struct writer w = writer_of(cues, sizeof cues);
	struct mkv_patch patch[MKV_PATCHES];
	unsigned n;

	write_out();
	check_file(true);
	n = mkv_close(&mkv, &w, patch);
	PROPERTY(writer_ok(&w));
	writer_put(&out, writer_done(&w));
	for (unsigned i = 0; i < n; i++) {
		PROPERTY(patch[i].at + patch[i].len <= out.len);
		memcpy(file + patch[i].at, patch[i].bytes, patch[i].len);
	}
	check_file(true);
}

/* --- frames ---------------------------------------------------------------------------------- */

/* Units behind their lengths fill a frame. */
static void check_frame(enum codec codec, struct bytes frame)
{
	struct reader r = reader_of(frame);

	PROPERTY(part_inside(frame, bytes_of(room, sizeof room)) && frame.len);
	while ((codec == CODEC_H264 || codec == CODEC_H265) && reader_left(&r)) {
		reader_skip(&r, reader_be32(&r));
		PROPERTY(reader_ok(&r));
	}
}

static void frames(enum codec codec, struct reader *r)
{
	struct lipsync_base base = {0};
	struct lipsync sync;
	struct unpack unpack;
	struct shape shape, now;
	bool is_open = false;
	int64_t ts = 0;
	size_t fed = 0;

	unpack_init(&unpack, codec, room, sizeof room);
	lipsync_begin(&sync, 90000, 0, 0);
	while (reader_left(r) > 2) {
		uint8_t how = reader_u8(r);
		struct bytes payload = reader_take(r, reader_u8(r) % (reader_left(r) + 1));
		struct unpacked frame;

		ts += (int64_t)(how & 0x7e) * 90;
		fed += payload.len;
		if (how == 0x7e)
			lipsync_report(&sync, &base, (uint64_t)fed << 32 | how, ts, false);
		if (unpack_is_other(&unpack, ts))
			PROPERTY(unpack_end(&unpack, &frame) <= UNPACK_BROKEN);
		if (!unpack_put(&unpack, payload, ts, how & 1) ||
		    unpack_end(&unpack, &frame) != UNPACK_FRAME)
			continue;
		PROPERTY(frame.ts == ts);
		check_frame(codec, frame.frame);
		if (frame.key && shape_read(codec, frame.frame, 2, &now)) {
			PROPERTY(now.setup_len <= SHAPE_SETUP_MAX);
			PROPERTY(codec == CODEC_OPUS || (now.width && now.height));
			if (is_open && !shape_fits(&shape, &now)) {
				close_file();
				is_open = false;
			}
			if (!is_open) {
				shape = now;
				PROPERTY(open_file(&shape));
				is_open = true;
			}
			if (codec != CODEC_OPUS)
				mkv_see(&mkv, 0, now.width, now.height);
		}
		if (!is_open || out.len > sizeof file / 2)
			continue;
		ts += 1;
		if (!mkv_fits(&mkv, 0, lipsync_us(&sync, ts) / 1000, frame.key, frame.frame.len)) {
			write_out();
			check_file(true);
		}
		if (mkv_put(&mkv, &cluster, 0, lipsync_us(&sync, ts) / 1000, frame.key,
			    frame.frame)) {
			put++;
			sum += sum_of(frame.frame);
		}
	}
	if (is_open)
		close_file();
}

/* --- order ----------------------------------------------------------------------------------- */

static void numbers(struct reader *r)
{
	static struct order order;
	int64_t number = 100, last = 99, lost = 0, lost_all = 0, taken = 0, now = 0;
	uint64_t place;

	order_begin(&order, number);
	while (reader_left(r)) {
		uint8_t step = reader_u8(r);

		number += (int8_t)step / 8 * ((step & 7) == 7 ? 512 : 1);
		now += step & 7;
		if (!order_came(&order, number, (uint64_t)number + 1000, now))
			number = order.next;
		if (number < order.next - 4096)
			number = order.next;
		for (;;) {
			enum order_status status = order_take(&order, now, 20, &place, &lost);

			if (status == ORDER_WAIT)
				break;
			if (status == ORDER_LOST) {
				PROPERTY(lost > 0);
				lost_all += lost;
				continue;
			}
			PROPERTY((int64_t)place - 1000 > last);
			last = (int64_t)place - 1000;
			taken++;
		}
		PROPERTY(order.next == 100 + taken + lost_all);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum codec codecs[] = {CODEC_H264, CODEC_H265, CODEC_VP8,
					    CODEC_VP9,  CODEC_AV1,  CODEC_OPUS};
	struct reader r = reader_of(bytes_of(data, size));
	uint8_t what = reader_u8(&r) % 7;

	if (!reader_ok(&r))
		return 0;
	if (what == 6)
		numbers(&r);
	else
		frames(codecs[what], &r);
	return 0;
}
