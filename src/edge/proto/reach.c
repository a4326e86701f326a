#include "edge/proto/reach.h"

/* RFC 6890 and the registries it began: what is not globally reachable. IPv4 is 96 bits in. */
static const struct cidr internal[] = {
#define V4(a, b, c, d, bits)                                 \
	{                                                    \
		{[10] = 0xff, 0xff, a, b, c, d}, 96 + (bits) \
	}
	V4(0, 0, 0, 0, 8),
	V4(10, 0, 0, 0, 8),
	V4(100, 64, 0, 0, 10), /* RFC 6598 */
	V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16),
	V4(172, 16, 0, 0, 12),
	V4(192, 0, 0, 0, 24),
	V4(192, 0, 2, 0, 24),
	V4(192, 88, 99, 0, 24),
	V4(192, 168, 0, 0, 16),
	V4(198, 18, 0, 0, 15),
	V4(198, 51, 100, 0, 24),
	V4(203, 0, 113, 0, 24),
	V4(224, 0, 0, 0, 3), /* multicast, reserved, broadcast */
#undef V4
	{{0x01}, 8},                          /* 100::/64, discard */
	{{0x20, 0x01, 0x00}, 23},             /* IETF's own, Teredo among them */
	{{0x20, 0x01, 0x0d, 0xb8}, 32},       /* documentation */
	{{0x3f, 0xff}, 20},                   /* documentation */
	{{0xfc}, 7},                          /* unique local */
	{{0xfe, 0x80}, 10},                   /* link-local */
	{{0xfe, 0xc0}, 10},                   /* site-local, as it once was */
	{{0xff}, 8},                          /* multicast */
	{{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* local NAT64, RFC 8215 */
};

static const struct cidr nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96}; /* RFC 6052 */
static const struct cidr six_to_four = {{0x20, 0x02}, 16};       /* RFC 3056 */
static const struct cidr low = {{0}, 64}; /* ::, ::1, and the compatible form of RFC 4291 */

static struct address v4_at(const uint8_t *at)
{
	struct address v4 = {.ip = {[10] = 0xff, 0xff}};

	memcpy(v4.ip + 12, at, 4);
	return v4;
}

bool reach_is_internal(const struct address *address)
{
	struct cidr_list list = {internal, sizeof internal / sizeof *internal};
	struct address at = *address;

	if (cidr_holds(&nat64, &at))
		at = v4_at(at.ip + 12);
	else if (cidr_holds(&six_to_four, &at))
		at = v4_at(at.ip + 2);
	if (!address_is_v4(&at) && cidr_holds(&low, &at))
		return true;
	return cidr_list_holds(list, &at);
}
