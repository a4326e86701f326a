/* hex: bytes written in a test as hexadecimal digits, and HMAC by OpenSSL. */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "guarded.h"

static inline uint8_t hex_half(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* The bytes of text, blanks left out, into buf. */
static inline struct bytes from_hex(const char *text, uint8_t *buf)
{
	size_t len = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		buf[len++] = (uint8_t)(hex_half(text[0]) << 4 | hex_half(text[1]));
		text++;
	}
	return bytes_of(buf, len);
}

static inline void assert_same(struct bytes got, struct bytes want)
{
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.at, want.at, want.len);
}

static inline void hmac_sha1(struct bytes key, struct bytes in, uint8_t out[20])
{
	unsigned len;

	assert_non_null(HMAC(EVP_sha1(), key.at, (int)key.len, in.at, in.len, out, &len));
}
