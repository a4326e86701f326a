/* ascii: the few byte classes that the grammars of the front door share, whatever the locale. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = byte_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline bool ascii_is_alnum(uint8_t c)
{
	uint8_t lower = byte_lower(c);

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 5234: CTL, which has HTAB in it. */
static inline bool ascii_is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

/* RFC 9110 5.6.2: tchar. */
static inline bool ascii_is_token(uint8_t c)
{
	static const bool mark[256] = {
		['!'] = true,  ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
		['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
		['^'] = true,  ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
		['0'] = true,  ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true,
		['5'] = true,  ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true,
	};

	return mark[c] || (byte_lower(c) >= 'a' && byte_lower(c) <= 'z');
}
