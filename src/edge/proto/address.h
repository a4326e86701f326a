/* address: IP addresses and networks, as text and as bytes.
 *
 * An address is always 16 bytes; IPv4 is held as its v4-mapped form (::ffff:a.b.c.d, RFC 4291
 * 2.5.5.2), so one comparison and one table serve both, and a client that reaches a dual-stack
 * socket over IPv4 is the same client. No names, no zones ("%eth0"), no sockaddr: who opens sockets
 * converts. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

struct address {
	uint8_t ip[16];
	uint16_t port; /* 0 when none was said */
};

/* Room for the longest text: "[xxxx:…:xxxx]:65535". */
#define ADDRESS_TEXT_MAX 47

bool address_is_v4(const struct address *address);
bool address_same_ip(const struct address *a, const struct address *b);

/* "192.0.2.1" (four decimals, no leading zeros: some read those as octal) or RFC 4291 2.2; port
 * 0. */
bool address_parse_ip(struct bytes in, struct address *out);

/* The same with an optional port: "192.0.2.1", "192.0.2.1:80", "::1", "[::1]", "[::1]:80". */
bool address_parse(struct bytes in, struct address *out);

/* Where to listen: "127.0.0.1:8000", "[::]:8000"; ":8000" and "8000" are [::]:8000, which is every
 * address of both families. The port must be there; 0 lets the kernel choose. */
bool address_parse_listen(struct bytes in, struct address *out);

/* As RFC 5952 wants it, v4-mapped as dotted IPv4. */
void address_write_ip(struct writer *w, const struct address *address);

/* The same as text with a NUL in the caller's buffer, which is returned. */
const char *address_text(const struct address *address, char text[ADDRESS_TEXT_MAX + 1]);

/* "192.0.2.1:80", "[2001:db8::1]:80". */
void address_write(struct writer *w, const struct address *address);

/* A network. IPv4 networks count their bits behind the 96 of the v4-mapped prefix, so 0.0.0.0/0 is
 * all of IPv4 and ::/0 is everything, IPv4 too. */
struct cidr {
	uint8_t ip[16];
	uint8_t bits; /* 0 to 128 */
};

struct cidr_list {
	const struct cidr *at;
	size_t count;
};

/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits of the host must be zero: "10.0.0.1/8" is
 * more often a slip than a wish, and this list decides whom to trust. */
bool cidr_parse(struct bytes in, struct cidr *out);

bool cidr_holds(const struct cidr *cidr, const struct address *address);

/* The networks among these texts, into as many places of out as there are texts. */
struct cidr_list cidr_list_of(const char *const *texts, size_t count, struct cidr *out);

bool cidr_list_holds(struct cidr_list list, const struct address *address);

void cidr_write(struct writer *w, const struct cidr *cidr);
