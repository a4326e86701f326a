#include "sfu/proto/frame.h"

#include "core/reader.h"

enum frame_status frame_next(struct bytes *in, size_t max, struct bytes *packet)
{
	struct reader r = reader_of(*in);
	size_t len = reader_be16(&r);

	if (!reader_ok(&r))
		return FRAME_PART;
	if (len > max)
		return FRAME_LONG;
	if (len > reader_left(&r))
		return FRAME_PART;
	*packet = reader_take(&r, len);
	*in = bytes_skip(*in, FRAME_HEAD + len);
	return FRAME_WHOLE;
}

void frame_write_head(struct writer *w, size_t len)
{
	writer_be(w, len, FRAME_HEAD);
}
