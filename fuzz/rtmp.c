/* rtmp: whatever comes, each call makes progress or says why not, pieces lie inside the input and inside their
 * message, and what is taken of a stream does not depend on how it is cut. */
#include "rtmp.h"

#include "property.h"

struct tally {
	uint64_t pieces, sum;
	enum rtmp_status last;
	size_t used;
};

static void feed(struct rtmp *rtmp, struct bytes in, struct tally *tally)
{
	tally->used = 0;
	for (;;) {
		uint8_t buf[RTMP_OUT_MAX];
		struct writer out = writer_of(buf, sizeof buf);
		struct rtmp_chunk chunk;
		struct rtmp_call call;
		size_t used;

		tally->last = rtmp_input(rtmp, in, &used, &chunk, &out);
		PROPERTY(used <= in.len && writer_ok(&out));
		tally->used += used;
		if (tally->last != RTMP_CHUNK)
			return;
		PROPERTY(used > 0 || chunk.len == 0);
		PROPERTY(part_inside(chunk.piece, in) && chunk.lane < RTMP_LANES);
		PROPERTY(chunk.len <= RTMP_MESSAGE_MAX && chunk.off <= chunk.len &&
			 chunk.piece.len <= chunk.len - chunk.off);
		for (size_t i = 0; i < chunk.piece.len; i++)
			tally->sum = tally->sum * 31 + chunk.piece.at[i] + chunk.type;
		tally->pieces += chunk.piece.len;
		if (chunk.off == 0 && rtmp_call_parse(chunk.piece, &call)) {
			PROPERTY(part_inside(call.name, chunk.piece));
			out = writer_of(buf, sizeof buf);
			rtmp_answer(&out, &call);
			rtmp_refuse(&out, &call, "no");
			PROPERTY(writer_ok(&out));
		}
		PROPERTY(part_inside(rtmp_data_trim(chunk.piece), chunk.piece));
		in = bytes_skip(in, used);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tally whole = {0}, first = {0}, second = {0};
	struct rtmp a, b;
	size_t cut = size ? (size_t)data[0] * size / 256 : 0;

	/* The handshake is 3,073 bytes that nobody wants to guess. */
	rtmp_init(&a);
	if (size && data[size - 1] & 1)
		a.stage = RTMP_CHUNKS;
	b = a;
	feed(&a, bytes_of(data, size), &whole);
	feed(&b, bytes_of(data, cut), &first);
	second = first;
	if (first.last == RTMP_MORE)
		feed(&b, bytes_of(data + first.used, size - first.used), &second);
	PROPERTY(second.last == whole.last || whole.last == RTMP_BROKEN);
	if (whole.last == RTMP_MORE)
		PROPERTY(second.pieces == whole.pieces && second.sum == whole.sum);
	return 0;
}
