/* Parameter sets of a description: whatever it says, those that are taken are whole units of the right kinds and
 * lie in their room, and what is left of the text names none. Packets in any order, none twice: those that are
 * published have numbers of their own, and where they come in order there is no gap.
 * The first byte chooses the codec, the next two the length of the text; behind it packets: a step of the number,
 * one of time, a length, a payload. */
#include "core/reader.h"
#include "property.h"
#include "sfu/proto/sdp.h"
#include "sfu/proto/sprop.h"

#define PACKETS 512u

static uint8_t came[PACKETS], published[PACKETS * (SPROP_SETS + 1)];

static void judge_sets(enum codec codec, const struct sprop *sprop)
{
	size_t begin = 0;

	PROPERTY(sprop->count <= SPROP_SETS);
	for (unsigned i = 0; i < sprop->count; i++) {
		struct bytes set = sprop_set(sprop, i);
		unsigned type;

		PROPERTY(set.len > 0 && sprop->end[i] == begin + set.len &&
			 sprop->end[i] <= SPROP_SIZE);
		begin = sprop->end[i];
		type = codec == CODEC_H264 ? set.at[0] & 31u : set.at[0] >> 1 & 63u;
		PROPERTY(codec == CODEC_H264 ? type == 7 || type == 8 : type >= 32 && type <= 34);
	}
}

static void judge_rest(enum codec codec, struct bytes fmtp)
{
	uint8_t room[1024], again[1024];
	struct writer w = writer_of(room, sizeof room), v = writer_of(again, sizeof again);

	sprop_strip(fmtp, &w);
	if (!writer_ok(&w))
		return;
	PROPERTY(w.len <= fmtp.len && !sprop_are_said(codec, writer_done(&w)));
	PROPERTY(bytes_equal(sdp_parameter(fmtp, "profile-level-id"),
			     sdp_parameter(writer_done(&w), "profile-level-id")));
	sprop_strip(writer_done(&w), &v);
	PROPERTY(bytes_equal(writer_done(&v), writer_done(&w)));
}

static void publish(int64_t number)
{
	PROPERTY(number >= 0 && (size_t)number < sizeof published && !published[number]);
	published[number] = 1;
}

static void judge_packets(enum codec codec, const struct sprop *sprop, struct reader *r)
{
	struct sprop_places places = {0};
	int64_t at = 0, ts = 0, last = -1;
	bool ordered = true;

	memset(came, 0, sizeof came);
	memset(published, 0, sizeof published);
	while (reader_left(r) >= 3) {
		int64_t step = (int8_t)reader_u8(r), seq;
		struct bytes payload;
		enum sprop_order order;

		ts += reader_u8(r);
		payload = reader_take(r, reader_u8(r));
		at += step;
		if (!reader_ok(r) || at < 0 || at >= (int64_t)PACKETS)
			return;
		if (came[at])
			continue;
		came[at] = 1;
		ordered &= at == last + 1;
		last = at;
		seq = at;
		order = sprop_insert(&places, sprop, codec, payload, &seq, ts);
		PROPERTY(!ordered || order != SPROP_LATE);
		if (order == SPROP_LATE)
			continue;
		PROPERTY(seq >= at);
		for (unsigned i = 0; order == SPROP_INSERT && i < sprop->count; i++)
			publish(seq - sprop->count + i);
		publish(seq);
		for (int64_t i = 0; ordered && i < seq; i++)
			PROPERTY(published[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(bytes_of(data, size));
	enum codec codec = reader_u8(&r) & 1 ? CODEC_H265 : CODEC_H264;
	struct bytes fmtp = reader_take(&r, reader_be16(&r));
	struct sprop sprop;
	bool good;

	if (!reader_ok(&r))
		return 0;
	good = sprop_read(codec, fmtp, &sprop);
	PROPERTY(good == (sprop.count > 0) && (!good || sprop_are_said(codec, fmtp)));
	judge_sets(codec, &sprop);
	judge_rest(codec, fmtp);
	judge_packets(codec, &sprop, &r);
	return 0;
}
