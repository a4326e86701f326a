#include "voice/proto/frame.h"

/* The head; false while it is not there. */
static bool parse_head(struct bytes in, uint32_t *type, size_t *len)
{
	struct reader r = reader_of(in);

	*type = reader_be16(&r);
	*len = reader_be32(&r);
	return reader_ok(&r);
}

size_t frame_len(struct bytes in)
{
	uint32_t type;
	size_t len;

	return parse_head(in, &type, &len) ? FRAME_HEAD + len : 0;
}

enum frame_status frame_parse(struct bytes in, size_t longest, struct frame *frame, size_t *used)
{
	size_t len, allowed;

	*used = 0;
	if (!parse_head(in, &frame->type, &len))
		return FRAME_MORE;
	allowed = message_name(frame->type) ? message_longest(frame->type) : FRAME_UNKNOWN_MAX;
	if (len > allowed || len > longest)
		return FRAME_TOO_LONG;
	if (len > in.len - FRAME_HEAD)
		return FRAME_MORE;
	frame->body = bytes_first(bytes_skip(in, FRAME_HEAD), len);
	*used = FRAME_HEAD + len;
	return FRAME_WHOLE;
}

void frame_write(uint32_t type, struct bytes body, struct writer *w)
{
	writer_be(w, type, 2);
	writer_be(w, body.len, 4);
	writer_put(w, body);
}

void frame_write_message(const struct mumble_message *message, struct writer *w)
{
	writer_be(w, message->type, 2);
	writer_be(w, message_len(message), 4);
	message_encode(message, w);
}
