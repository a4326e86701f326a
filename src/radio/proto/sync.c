#include "radio/proto/sync.h"

#include "radio/proto/tag.h"

enum look sync_look(sync_parse *parse, struct bytes in, bool end, struct sync_frame *frame)
{
	struct sync_frame next;
	uint64_t tag_size;
	enum look look = parse(in, frame);

	if (look != LOOK_YES)
		return look;
	if (!frame->opens)
		return LOOK_NO;
	if (in.len < frame->len)
		return LOOK_SHORT;

	struct bytes behind = bytes_skip(in, frame->len);
	enum look header = parse(behind, &next);
	enum look tag = tag_look(behind, &tag_size);

	if (tag == LOOK_YES || (header == LOOK_YES && next.fixed == frame->fixed))
		return LOOK_YES;
	if (tag == LOOK_SHORT || header == LOOK_SHORT)
		return end ? LOOK_YES : LOOK_SHORT;
	return LOOK_NO;
}

static enum framer_status hunt(struct sync *sync, sync_parse *parse, struct bytes in, bool end,
			       struct unit *unit, struct sync_frame *frame)
{
	enum look look = LOOK_NO;
	enum look tag = LOOK_NO;
	uint64_t tag_size;
	size_t junk;

	for (junk = 0; junk < in.len && junk < FRAMER_UNIT_MAX; junk++) {
		look = sync_look(parse, bytes_skip(in, junk), end, frame);
		tag = tag_look(bytes_skip(in, junk), &tag_size);
		if (look == LOOK_YES || tag == LOOK_YES)
			break;
		if (!end && (look == LOOK_SHORT || tag == LOOK_SHORT))
			break;
	}
	if (junk)
		return cut_skip(bytes_first(in, junk), unit);
	if (tag == LOOK_YES) {
		sync->tag_left = tag_size;
		return cut_skip_counted(&sync->tag_left, in, unit);
	}
	if (look != LOOK_YES)
		return FRAMER_MORE;
	sync->fixed = frame->fixed;
	return cut_unit(bytes_first(in, frame->len), 0, 0, unit);
}

enum framer_status sync_next(struct sync *sync, sync_parse *parse, struct bytes in, bool end,
			     struct unit *unit, struct sync_frame *frame)
{
	if (in.len == 0)
		return FRAMER_MORE;
	if (sync->tag_left)
		return cut_skip_counted(&sync->tag_left, in, unit);
	if (sync->fixed) {
		enum look look = parse(in, frame);

		if (look == LOOK_YES && frame->fixed == sync->fixed) {
			if (in.len >= frame->len)
				return cut_unit(bytes_first(in, frame->len), 0, 0, unit);
			/* The stream ended within a frame: a decoder has no use for it. */
			return end ? cut_skip(in, unit) : FRAMER_MORE;
		}
		/* Tags lie between frames of one stream as well: they do not end the sync. */
		enum look tag = tag_look(in, &sync->tag_left);

		if (tag == LOOK_YES)
			return cut_skip_counted(&sync->tag_left, in, unit);
		sync->tag_left = 0;
		if (!end && (look == LOOK_SHORT || tag == LOOK_SHORT))
			return FRAMER_MORE;
		sync->fixed = 0;
	}
	return hunt(sync, parse, in, end, unit, frame);
}
