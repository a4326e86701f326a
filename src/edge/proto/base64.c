#include "base64.h"

static int sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, the last `padding` of which are '='; false unless they are canonical. */
static bool decode_group(const uint8_t *in, size_t padding, struct writer *w)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? sextet(in[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
	}
	/* RFC 4648 3.5: pad bits must be zero. */
	if (padding && bits & ((UINT32_C(1) << (8 * padding)) - 1))
		return false;
	writer_be(w, bits >> (8 * padding), 3 - padding);
	return true;
}

bool base64_decode(struct bytes in, struct writer *w)
{
	struct writer before = *w;
	bool good = in.len % 4 == 0;

	for (size_t i = 0; good && i < in.len; i += 4) {
		size_t padding = 0;

		while (i + 4 == in.len && padding < 2 && in.at[i + 3 - padding] == '=')
			padding++;
		good = decode_group(in.at + i, padding, w) && writer_ok(w);
	}
	if (!good)
		*w = before;
	return good;
}

void base64_encode(struct bytes in, struct writer *w)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < in.len; i += 3) {
		size_t n = in.len - i < 3 ? in.len - i : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? in.at[i + k] : 0u);
		for (size_t k = 0; k < 4; k++)
			writer_u8(w, k <= n ? (uint8_t)alphabet[bits >> (18 - 6 * k) & 63] : '=');
	}
}
