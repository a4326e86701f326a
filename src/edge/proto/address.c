#include "address.h"

#include "ascii.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_v4(const struct address *address)
{
	return memcmp(address->ip, v4_prefix, sizeof v4_prefix) == 0;
}

bool address_same_ip(const struct address *a, const struct address *b)
{
	return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* RFC 3986 3.2.2: dec-octet "." dec-octet "." dec-octet "." dec-octet. */
static bool parse_v4(struct bytes in, uint8_t out[4])
{
	for (size_t i = 0; i < 4; i++) {
		bool dot = bytes_find(in, '.') < in.len;
		struct bytes part = bytes_cut(&in, '.');
		uint64_t value = 0;

		if (dot != (i < 3) || !bytes_to_u64(part, 255, &value) ||
		    (part.len > 1 && part.at[0] == '0'))
			return false;
		out[i] = (uint8_t)value;
	}
	return true;
}

/* RFC 4291 2.2: h16 = 1*4HEXDIG. */
static bool parse_group(struct bytes in, uint8_t out[2])
{
	uint32_t value = 0;

	if (in.len == 0 || in.len > 4)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		int digit = ascii_hex(in.at[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (uint32_t)digit;
	}
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return true;
}

/* Groups apart by colons, the last perhaps dotted IPv4, into at most room bytes; *len is how many.
 * Empty input is no group. */
static bool parse_groups(struct bytes in, bool v4_last, uint8_t *out, size_t room, size_t *len)
{
	bool more = in.len > 0;

	*len = 0;
	while (more) {
		more = bytes_find(in, ':') < in.len;
		struct bytes group = bytes_cut(&in, ':');
		bool dotted = v4_last && !more && bytes_find(group, '.') < group.len;
		size_t size = dotted ? 4 : 2;

		if (room - *len < size ||
		    !(dotted ? parse_v4(group, out + *len) : parse_group(group, out + *len)))
			return false;
		*len += size;
	}
	return true;
}

/* Offset of the "::", or in.len. */
static size_t find_gap(struct bytes in)
{
	for (size_t i = 0; i + 1 < in.len; i++)
		if (in.at[i] == ':' && in.at[i + 1] == ':')
			return i;
	return in.len;
}

static bool parse_v6(struct bytes in, uint8_t out[16])
{
	uint8_t tail[16];
	size_t gap = find_gap(in);
	size_t head_len;
	size_t tail_len;

	if (gap == in.len)
		return parse_groups(in, true, out, 16, &head_len) && head_len == 16;
	/* RFC 4291 2.2: "::" stands for one or more groups of zeros. */
	if (!parse_groups(bytes_first(in, gap), false, out, 14, &head_len) ||
	    !parse_groups(bytes_skip(in, gap + 2), true, tail, 14 - head_len, &tail_len))
		return false;
	memset(out + head_len, 0, 16 - head_len - tail_len);
	memcpy(out + 16 - tail_len, tail, tail_len);
	return true;
}

bool address_parse_ip(struct bytes in, struct address *out)
{
	*out = (struct address){0};
	if (bytes_find(in, ':') < in.len)
		return parse_v6(in, out->ip);
	memcpy(out->ip, v4_prefix, sizeof v4_prefix);
	return parse_v4(in, out->ip + sizeof v4_prefix);
}

static bool parse_port(struct bytes in, struct address *out)
{
	uint64_t port = 0;

	if (in.len > 5 || !bytes_to_u64(in, UINT16_MAX, &port))
		return false;
	out->port = (uint16_t)port;
	return true;
}

/* Cuts the port off; port->at is NULL when there is none. */
static bool split_port(struct bytes in, struct bytes *ip, struct bytes *port)
{
	struct bytes rest = in;

	*port = bytes_of(NULL, 0);
	if (in.len && in.at[0] == '[') {
		rest = bytes_skip(in, 1);
		if (bytes_find(rest, ']') == rest.len)
			return false;
		*ip = bytes_cut(&rest, ']');
		if (rest.len)
			*port = bytes_skip(rest, 1);
		/* Brackets are for IPv6 only (RFC 3986 3.2.2). */
		return bytes_find(*ip, ':') < ip->len && (rest.len == 0 || rest.at[0] == ':');
	}
	*ip = bytes_cut(&rest, ':');
	/* One colon ends an IPv4 address; several are an IPv6 address without a port. */
	if (bytes_find(rest, ':') < rest.len)
		*ip = in;
	else if (ip->len < in.len)
		*port = rest;
	return true;
}

bool address_parse(struct bytes in, struct address *out)
{
	struct bytes ip;
	struct bytes port;

	*out = (struct address){0};
	return split_port(in, &ip, &port) && address_parse_ip(ip, out) &&
	       (!port.at || parse_port(port, out));
}

bool address_parse_listen(struct bytes in, struct address *out)
{
	struct bytes ip;
	struct bytes port;

	*out = (struct address){0};
	if (parse_port(in, out))
		return true;
	if (!split_port(in, &ip, &port) || !port.at)
		return false;
	return (ip.len == 0 || address_parse_ip(ip, out)) && parse_port(port, out);
}

static void write_v4(struct writer *w, const uint8_t ip[4])
{
	for (size_t i = 0; i < 4; i++) {
		if (i)
			writer_u8(w, '.');
		writer_dec(w, ip[i]);
	}
}

/* RFC 5952 4.1 and 4.3: no leading zeros, lower case. */
static void write_group(struct writer *w, unsigned group)
{
	bool started = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned digit = group >> shift & 15;

		started |= digit || shift == 0;
		if (started)
			writer_u8(w, (uint8_t) "0123456789abcdef"[digit]);
	}
}

/* RFC 5952 4.2: the longest run of two or more zero groups is shortened, the first of equals. */
static void find_zero_run(const unsigned group[8], size_t *start, size_t *len)
{
	*start = 8;
	*len = 1;
	for (size_t i = 0; i < 8; i++) {
		size_t n = 0;

		while (i + n < 8 && group[i + n] == 0)
			n++;
		if (n > *len) {
			*start = i;
			*len = n;
		}
	}
}

static void write_v6(struct writer *w, const uint8_t ip[16])
{
	unsigned group[8];
	size_t run_start;
	size_t run_len;

	for (size_t i = 0; i < 8; i++)
		group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
	find_zero_run(group, &run_start, &run_len);
	for (size_t i = 0; i < 8;) {
		if (i == run_start) {
			writer_str(w, "::");
			i += run_len;
			continue;
		}
		if (i && i != run_start + run_len)
			writer_u8(w, ':');
		write_group(w, group[i++]);
	}
}

void address_write_ip(struct writer *w, const struct address *address)
{
	if (address_is_v4(address))
		write_v4(w, address->ip + sizeof v4_prefix);
	else
		write_v6(w, address->ip);
}

const char *address_text(const struct address *address, char text[ADDRESS_TEXT_MAX + 1])
{
	struct writer w = writer_of(text, ADDRESS_TEXT_MAX);

	address_write_ip(&w, address);
	text[w.len] = '\0';
	return text;
}

void address_write(struct writer *w, const struct address *address)
{
	bool v4 = address_is_v4(address);

	writer_str(w, v4 ? "" : "[");
	address_write_ip(w, address);
	writer_str(w, v4 ? ":" : "]:");
	writer_dec(w, address->port);
}

/* The bits of this byte of an address that belong to the network. */
static uint8_t mask_of(const struct cidr *cidr, size_t byte)
{
	size_t before = 8 * byte;

	if (cidr->bits >= before + 8)
		return 0xff;
	if (cidr->bits <= before)
		return 0;
	return (uint8_t)(0xff00u >> (cidr->bits - before));
}

bool cidr_parse(struct bytes in, struct cidr *out)
{
	struct bytes length = in;
	struct bytes ip = bytes_cut(&length, '/');
	struct address address;

	if (!address_parse_ip(ip, &address))
		return false;
	size_t v4_bits = bytes_find(ip, ':') < ip.len ? 0 : 8 * sizeof v4_prefix;
	uint64_t bits = 128 - v4_bits;

	if (ip.len < in.len && (length.len > 3 || !bytes_to_u64(length, bits, &bits) ||
				(length.len > 1 && length.at[0] == '0')))
		return false;
	*out = (struct cidr){.bits = (uint8_t)(bits + v4_bits)};
	memcpy(out->ip, address.ip, sizeof out->ip);
	for (size_t i = 0; i < sizeof out->ip; i++)
		if (out->ip[i] & (uint8_t)~mask_of(out, i))
			return false;
	return true;
}

bool cidr_holds(const struct cidr *cidr, const struct address *address)
{
	for (size_t i = 0; i < sizeof cidr->ip; i++)
		if ((address->ip[i] ^ cidr->ip[i]) & mask_of(cidr, i))
			return false;
	return true;
}

struct cidr_list cidr_list_of(const char *const *texts, size_t count, struct cidr *out)
{
	struct cidr_list list = {out, 0};

	for (size_t i = 0; i < count; i++)
		list.count += cidr_parse(bytes_str(texts[i]), &out[list.count]);
	return list;
}

bool cidr_list_holds(struct cidr_list list, const struct address *address)
{
	for (size_t i = 0; i < list.count; i++)
		if (cidr_holds(&list.at[i], address))
			return true;
	return false;
}

void cidr_write(struct writer *w, const struct cidr *cidr)
{
	struct address address = {0};
	bool v4;

	memcpy(address.ip, cidr->ip, sizeof address.ip);
	v4 = address_is_v4(&address) && cidr->bits >= 8 * sizeof v4_prefix;
	if (v4)
		write_v4(w, address.ip + sizeof v4_prefix);
	else
		write_v6(w, address.ip);
	writer_u8(w, '/');
	writer_dec(w, cidr->bits - (v4 ? 8 * sizeof v4_prefix : 0));
}
