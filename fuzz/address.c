/* address: the same verdict and bytes as inet_pton(), the same text as inet_ntop(); what is printed
 * is read back; a network holds what its bits say. */
#include "edge/proto/address.h"

#include <arpa/inet.h>

#include "property.h"

static bool same(const struct address *a, const struct address *b)
{
	return address_same_ip(a, b) && a->port == b->port;
}

static void check_against_libc(struct bytes in)
{
	struct address ours;
	uint8_t theirs[16] = {[10] = 0xff, [11] = 0xff};
	char text[64];

	if (in.len >= sizeof text || bytes_find(in, 0) < in.len)
		return;
	bytes_to_str(in, text, sizeof text);
	bool v6 = bytes_find(in, ':') < in.len;
	bool known = inet_pton(v6 ? AF_INET6 : AF_INET, text, v6 ? theirs : theirs + 12) == 1;

	PROPERTY(address_parse_ip(in, &ours) == known);
	if (known)
		PROPERTY(memcmp(ours.ip, theirs, sizeof theirs) == 0);
}

static void check_printed(const struct address *address)
{
	uint8_t buf[ADDRESS_TEXT_MAX + 1] = {0};
	struct writer w = writer_of(buf, ADDRESS_TEXT_MAX);
	struct address back;
	char theirs[64];

	address_write(&w, address);
	PROPERTY(writer_ok(&w));
	PROPERTY(address_parse(writer_done(&w), &back) && same(address, &back));
	PROPERTY(address_parse_listen(writer_done(&w), &back) && same(address, &back));
	w = writer_of(buf, ADDRESS_TEXT_MAX);
	address_write_ip(&w, address);
	bool v4 = address_is_v4(address);

	PROPERTY(inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address->ip + 12 : address->ip, theirs,
			   sizeof theirs));
	/* glibc writes ::192.0.2.1 dotted; RFC 5952 5 has that for prefixes known to hold IPv4. */
	if (v4 || !strchr(theirs, '.'))
		PROPERTY(bytes_equal(writer_done(&w), bytes_str(theirs)));
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, size_t bits)
{
	for (size_t i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static void check_network(struct bytes in)
{
	struct cidr cidr;
	struct cidr back;
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);

	if (!cidr_parse(in, &cidr))
		return;
	cidr_write(&w, &cidr);
	PROPERTY(writer_ok(&w) && cidr_parse(writer_done(&w), &back));
	PROPERTY(cidr.bits == back.bits && memcmp(cidr.ip, back.ip, sizeof cidr.ip) == 0);
	for (size_t bit = 0; bit < 128; bit++) {
		struct address other = {0};

		memcpy(other.ip, cidr.ip, sizeof other.ip);
		PROPERTY(cidr_holds(&cidr, &other));
		other.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		PROPERTY(cidr_holds(&cidr, &other) == same_prefix(cidr.ip, other.ip, cidr.bits));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct address address;

	check_against_libc(in);
	if (address_parse(in, &address))
		check_printed(&address);
	if (address_parse_listen(in, &address))
		check_printed(&address);
	/* Any 18 bytes are an address. */
	if (size >= 18) {
		memcpy(address.ip, data, 16);
		address.port = (uint16_t)(data[16] << 8 | data[17]);
		check_printed(&address);
	}
	check_network(in);
	return 0;
}
