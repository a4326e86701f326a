#include "radio/proto/crc_msb.h"

/* table[k][n]: the register that starts as 0 after byte n and k zero bytes. A CRC is linear, so an
 * entry is the sum of those of its bits; the 64 numbers below are the polynomial itself, shifted
 * through the register one step at a time. */
#define BIT(n, bit, c) ((n) >> (bit)&1 ? (c) : 0u)
#define ENTRY(n, a, b, c, d, e, f, g, h)                                                           \
	(BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^ \
	 BIT(n, 6, g) ^ BIT(n, 7, h))
#define FOUR(n, ...)                                                                 \
	ENTRY(n, __VA_ARGS__), ENTRY(n + 1, __VA_ARGS__), ENTRY(n + 2, __VA_ARGS__), \
		ENTRY(n + 3, __VA_ARGS__)
#define SIXTEEN(n, ...)                                                           \
	FOUR(n, __VA_ARGS__), FOUR(n + 4, __VA_ARGS__), FOUR(n + 8, __VA_ARGS__), \
		FOUR(n + 12, __VA_ARGS__)
#define SIXTYFOUR(n, ...)                                                                    \
	SIXTEEN(n, __VA_ARGS__), SIXTEEN(n + 16, __VA_ARGS__), SIXTEEN(n + 32, __VA_ARGS__), \
		SIXTEEN(n + 48, __VA_ARGS__)
#define TABLE(...)                                                                 \
	{                                                                          \
		SIXTYFOUR(0u, __VA_ARGS__), SIXTYFOUR(64u, __VA_ARGS__),           \
			SIXTYFOUR(128u, __VA_ARGS__), SIXTYFOUR(192u, __VA_ARGS__) \
	}

static const uint32_t table[8][256] = {
	TABLE(0x04c11db7u, 0x09823b6eu, 0x130476dcu, 0x2608edb8u, 0x4c11db70u, 0x9823b6e0u,
	      0x34867077u, 0x690ce0eeu),
	TABLE(0xd219c1dcu, 0xa0f29e0fu, 0x452421a9u, 0x8a484352u, 0x10519b13u, 0x20a33626u,
	      0x41466c4cu, 0x828cd898u),
	TABLE(0x01d8ac87u, 0x03b1590eu, 0x0762b21cu, 0x0ec56438u, 0x1d8ac870u, 0x3b1590e0u,
	      0x762b21c0u, 0xec564380u),
	TABLE(0xdc6d9ab7u, 0xbc1a28d9u, 0x7cf54c05u, 0xf9ea980au, 0xf7142da3u, 0xeae946f1u,
	      0xd1139055u, 0xa6e63d1du),
	TABLE(0x490d678du, 0x921acf1au, 0x20f48383u, 0x41e90706u, 0x83d20e0cu, 0x036501afu,
	      0x06ca035eu, 0x0d9406bcu),
	TABLE(0x1b280d78u, 0x36501af0u, 0x6ca035e0u, 0xd9406bc0u, 0xb641ca37u, 0x684289d9u,
	      0xd08513b2u, 0xa5cb3ad3u),
	TABLE(0x4f576811u, 0x9eaed022u, 0x399cbdf3u, 0x73397be6u, 0xe672f7ccu, 0xc824f22fu,
	      0x9488f9e9u, 0x2dd0ee65u),
	TABLE(0x5ba1dccau, 0xb743b994u, 0x6a466e9fu, 0xd48cdd3eu, 0xadd8a7cbu, 0x5f705221u,
	      0xbee0a442u, 0x79005533u),
};

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint32_t crc_msb_update(uint32_t crc, struct bytes in)
{
	const uint8_t *at = in.at;
	size_t left = in.len;

	/* Eight bytes a step, each with the table of what still follows it ("slicing by 8"). */
	for (; left >= 8; at += 8, left -= 8) {
		uint32_t a = crc ^ word(at);
		uint32_t b = word(at + 4);

		crc = table[7][a >> 24] ^ table[6][a >> 16 & 255] ^ table[5][a >> 8 & 255] ^
		      table[4][a & 255] ^ table[3][b >> 24] ^ table[2][b >> 16 & 255] ^
		      table[1][b >> 8 & 255] ^ table[0][b & 255];
	}
	for (; left; at++, left--)
		crc = crc << 8 ^ table[0][crc >> 24 ^ *at];
	return crc;
}
