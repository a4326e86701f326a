#include "chunked.h"

#include "ascii.h"

/* RFC 9112 7.1: recipients must guard the hexadecimal size against overflow. */
static enum chunked_state take_size_digit(struct chunked *chunked, uint8_t c)
{
	int digit = ascii_hex(c);

	if (digit >= 0) {
		if (chunked->left > (UINT64_MAX >> 4))
			return CHUNKED_BROKEN;
		chunked->left = chunked->left << 4 | (uint64_t)digit;
		return CHUNKED_SIZE;
	}
	if (chunked->state == CHUNKED_SIZE_FIRST)
		return CHUNKED_BROKEN;
	switch (c) {
	case ' ':
	case '\t': return CHUNKED_PAD;
	case ';': return CHUNKED_EXTENSION;
	case '\r': return CHUNKED_SIZE_LF;
	default: return CHUNKED_BROKEN;
	}
}

static enum chunked_state take_pad(uint8_t c)
{
	switch (c) {
	case ' ':
	case '\t': return CHUNKED_PAD;
	case ';': return CHUNKED_EXTENSION;
	case '\r': return CHUNKED_SIZE_LF;
	default: return CHUNKED_BROKEN;
	}
}

/* The text of an extension or a trailer, up to its CR. */
static enum chunked_state take_text(uint8_t c, enum chunked_state same, enum chunked_state end)
{
	if (c == '\r')
		return end;
	return ascii_is_control(c) && c != '\t' ? CHUNKED_BROKEN : same;
}

static enum chunked_state expect(uint8_t c, uint8_t wanted, enum chunked_state next)
{
	return c == wanted ? next : CHUNKED_BROKEN;
}

/* The state after this byte of framing. */
static enum chunked_state take_byte(struct chunked *chunked, uint8_t c)
{
	switch (chunked->state) {
	case CHUNKED_SIZE_FIRST:
	case CHUNKED_SIZE: return take_size_digit(chunked, c);
	case CHUNKED_PAD: return take_pad(c);
	case CHUNKED_EXTENSION: return take_text(c, CHUNKED_EXTENSION, CHUNKED_SIZE_LF);
	case CHUNKED_SIZE_LF:
		/* The count now goes over the trailers, or over the next size line. */
		chunked->skipped = 0;
		return expect(c, '\n', chunked->left ? CHUNKED_BODY : CHUNKED_TRAILER_FIRST);
	case CHUNKED_BODY_CR: return expect(c, '\r', CHUNKED_BODY_LF);
	case CHUNKED_BODY_LF: chunked->skipped = 0; return expect(c, '\n', CHUNKED_SIZE_FIRST);
	case CHUNKED_TRAILER_FIRST:
		return c == '\r' ? CHUNKED_LAST_LF
				 : take_text(c, CHUNKED_TRAILER, CHUNKED_TRAILER_LF);
	case CHUNKED_TRAILER: return take_text(c, CHUNKED_TRAILER, CHUNKED_TRAILER_LF);
	case CHUNKED_TRAILER_LF: return expect(c, '\n', CHUNKED_TRAILER_FIRST);
	case CHUNKED_LAST_LF: return expect(c, '\n', CHUNKED_DONE);
	case CHUNKED_BODY:
	case CHUNKED_DONE:
	case CHUNKED_BROKEN: return CHUNKED_BROKEN;
	}
	return CHUNKED_BROKEN;
}

/* A peer must not make us skip for ever (RFC 9112 7.1.1). */
static bool skips_too_much(const struct chunked *chunked)
{
	return chunked->skipped >
	       (chunked->state >= CHUNKED_TRAILER_FIRST ? CHUNKED_TRAILER_MAX : CHUNKED_LINE_MAX);
}

enum chunked_status chunked_next(struct chunked *chunked, struct bytes in, struct bytes *data,
				 size_t *used)
{
	size_t pos = 0;

	*data = bytes_of(NULL, 0);
	while (pos < in.len && chunked->state < CHUNKED_DONE) {
		if (chunked->state == CHUNKED_BODY) {
			size_t there = in.len - pos;

			*data = bytes_of(in.at + pos,
					 chunked->left < there ? (size_t)chunked->left : there);
			chunked->left -= data->len;
			if (chunked->left == 0)
				chunked->state = CHUNKED_BODY_CR;
			*used = pos + data->len;
			return CHUNKED_DATA;
		}
		chunked->skipped++;
		chunked->state = take_byte(chunked, in.at[pos++]);
		if (chunked->state < CHUNKED_DONE && skips_too_much(chunked))
			chunked->state = CHUNKED_BROKEN;
	}
	*used = pos;
	if (chunked->state == CHUNKED_BROKEN)
		return CHUNKED_BAD;
	return chunked->state == CHUNKED_DONE ? CHUNKED_END : CHUNKED_MORE;
}
