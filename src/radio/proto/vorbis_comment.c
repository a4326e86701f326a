#include "radio/proto/vorbis_comment.h"

#include "core/reader.h"

/* Vorbis I specification, section 5.2.1: the fields in their order. */
enum state { PREFIX, GAP, VENDOR_LEN, VENDOR, COUNT, COMMENT_LEN, NAME, VALUE, DONE };
enum wanted { NOBODY, ARTIST, TITLE };

static void end_prefix(struct vorbis_comment *c)
{
	c->state = c->left ? GAP : VENDOR_LEN;
}

void vorbis_comment_init(struct vorbis_comment *c, struct bytes prefix, uint32_t gap)
{
	memset(c, 0, sizeof *c);
	prefix = bytes_first(prefix, sizeof c->prefix);
	if (prefix.len)
		memcpy(c->prefix, prefix.at, prefix.len);
	c->prefix_len = (uint8_t)prefix.len;
	c->left = gap;
	if (prefix.len == 0)
		end_prefix(c);
}

/* The end of at[0..len) that cuts no UTF-8 sequence in two. */
static size_t cut_between_characters(const uint8_t *at, size_t len)
{
	size_t lead = len;
	size_t want;

	while (lead > 0 && len - lead < 3 && (at[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead == 0)
		return len;
	lead--;
	want = at[lead] >= 0xf0 ? 4 : at[lead] >= 0xe0 ? 3 : at[lead] >= 0xc0 ? 2 : 1;
	return len - lead < want ? lead : len;
}

static struct vorbis_comment_value *value_of(struct vorbis_comment *c)
{
	return c->wanted == ARTIST ? &c->artist : c->wanted == TITLE ? &c->title : NULL;
}

/* Each field that has a length ends here, with nothing of it left. */
static void end_field(struct vorbis_comment *c)
{
	struct vorbis_comment_value *value = value_of(c);

	if (c->state == GAP || c->state == VENDOR) {
		c->state = c->state == GAP ? VENDOR_LEN : COUNT;
		return;
	}
	if (c->state == VALUE && value && value->len == VORBIS_COMMENT_VALUE_MAX)
		value->len = cut_between_characters(value->at, value->len);
	c->wanted = NOBODY;
	c->state = --c->count ? COMMENT_LEN : DONE;
}

static void take_number(struct vorbis_comment *c)
{
	struct reader r = reader_of(bytes_of(c->number, sizeof c->number));
	uint32_t value = reader_le32(&r);

	c->number_len = 0;
	if (c->state == COUNT) {
		c->count = value;
		c->state = value ? COMMENT_LEN : DONE;
		return;
	}
	c->left = value;
	c->name_len = 0;
	c->state = c->state == VENDOR_LEN ? VENDOR : NAME;
	if (c->left == 0)
		end_field(c);
}

static void take_name(struct vorbis_comment *c, uint8_t byte)
{
	struct bytes name = {c->name, c->name_len};

	c->left--;
	if (byte == '=') {
		/* Several of a name are allowed; the first is the one that players show. */
		if (bytes_equal_nocase(name, BYTES("artist")) && c->artist.len == 0)
			c->wanted = ARTIST;
		else if (bytes_equal_nocase(name, BYTES("title")) && c->title.len == 0)
			c->wanted = TITLE;
		c->state = VALUE;
	} else if (c->name_len == sizeof c->name) {
		c->state = VALUE; /* longer than any name that is looked for */
	} else {
		c->name[c->name_len++] = byte;
	}
	if (c->left == 0)
		end_field(c);
}

/* Passes over, or keeps, the part of the vendor string or of a value that is in this piece. */
static size_t take_run(struct vorbis_comment *c, struct bytes in)
{
	struct vorbis_comment_value *value = value_of(c);
	struct bytes run = bytes_first(in, c->left);

	if (value) {
		struct bytes kept = bytes_first(run, sizeof value->at - value->len);

		if (kept.len)
			memcpy(value->at + value->len, kept.at, kept.len);
		value->len += kept.len;
	}
	c->left -= (uint32_t)run.len;
	if (c->left == 0)
		end_field(c);
	return run.len;
}

static size_t take(struct vorbis_comment *c, struct bytes in)
{
	switch ((enum state)c->state) {
	case PREFIX:
		if (in.at[0] != c->prefix[c->prefix_seen]) {
			c->state = DONE;
			break;
		}
		if (++c->prefix_seen == c->prefix_len)
			end_prefix(c);
		break;
	case VENDOR_LEN:
	case COUNT:
	case COMMENT_LEN:
		c->number[c->number_len++] = in.at[0];
		if (c->number_len == sizeof c->number)
			take_number(c);
		break;
	case NAME: take_name(c, in.at[0]); break;
	case GAP:
	case VENDOR:
	case VALUE: return take_run(c, in);
	case DONE: return in.len;
	}
	return 1;
}

void vorbis_comment_feed(struct vorbis_comment *c, struct bytes in)
{
	while (in.len)
		in = bytes_skip(in, take(c, in));
}

void vorbis_comment_end(struct vorbis_comment *c)
{
	struct vorbis_comment_value *broken = value_of(c);

	if (broken)
		broken->len = 0;
	c->wanted = NOBODY;
	c->state = DONE;
}
