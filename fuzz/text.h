/* text: properties of text that several targets hold their output against, each told independently
 * of charset.c: by iconv(). */
#pragma once

#include <iconv.h>

#include "property.h"

/* The code points of UTF-8 text, or SIZE_MAX when it is none. out has room for in.len of them. */
static inline size_t oracle_decode(struct bytes in, uint32_t *out)
{
	iconv_t cd = iconv_open("UTF-32LE", "UTF-8");
	char *from = (char *)(uintptr_t)in.at, *to = (char *)out;
	size_t from_left = in.len, to_left = in.len * 4;

	PROPERTY(cd != (iconv_t)-1);
	bool ok = iconv(cd, &from, &from_left, &to, &to_left) != (size_t)-1 && from_left == 0;

	iconv_close(cd);
	return ok ? in.len - to_left / 4 : SIZE_MAX;
}

/* Whether in is valid UTF-8 without any control character. */
static inline bool oracle_clean(struct bytes in)
{
	uint32_t *codes = malloc(in.len * 4 + 4);

	PROPERTY(codes);
	size_t count = oracle_decode(in, codes);
	bool clean = count != SIZE_MAX;

	for (size_t i = 0; clean && i < count; i++)
		clean = codes[i] >= 0x20 && (codes[i] < 0x7f || codes[i] > 0x9f);
	free(codes);
	return clean;
}

/* Takes up to len bytes off the beginning of *in. */
static inline struct bytes take(struct bytes *in, size_t len)
{
	struct bytes head = bytes_first(*in, len);

	*in = bytes_skip(*in, len);
	return head;
}

/* One byte off the beginning of *in; 0 when there is none. */
static inline uint8_t take_u8(struct bytes *in)
{
	struct bytes head = take(in, 1);

	return head.len && head.at ? head.at[0] : 0;
}
