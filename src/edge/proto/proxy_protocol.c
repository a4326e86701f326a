#include "proxy_protocol.h"

#include "core/reader.h"

#define V1_START  BYTES("PROXY ")
#define SIGNATURE BYTES("\r\n\r\n\0\r\nQUIT\n")
#define V2_FIXED  16u

static enum proxy_status refuse(struct proxy_info *info, const char *fault)
{
	*info = (struct proxy_info){.fault = fault};
	return PROXY_BAD;
}

/* Section 2.1: no leading zeros, 0 to 65535. */
static bool parse_port(struct bytes in, uint16_t *out)
{
	uint64_t port = 0;

	if (!bytes_to_u64(in, UINT16_MAX, &port) || (in.len > 1 && in.at[0] == '0'))
		return false;
	*out = (uint16_t)port;
	return true;
}

static bool parse_ip(struct bytes in, bool v6, struct address *out)
{
	return (bytes_find(in, ':') < in.len) == v6 && address_parse_ip(in, out);
}

/* Section 2.1: "PROXY" SP family SP source SP destination SP port SP port CR LF, exactly one blank
 * each. */
static enum proxy_status parse_v1_line(struct bytes line, struct proxy_info *info)
{
	struct bytes rest = bytes_skip(line, V1_START.len);
	struct bytes family = bytes_cut(&rest, ' ');
	bool v6 = bytes_equal(family, BYTES("TCP6"));

	/* Whatever follows UNKNOWN is to be ignored. */
	if (bytes_equal(family, BYTES("UNKNOWN")))
		return PROXY_OK;
	if (!v6 && !bytes_equal(family, BYTES("TCP4")))
		return refuse(info, "v1: neither TCP4 nor TCP6 nor UNKNOWN");
	if (!parse_ip(bytes_cut(&rest, ' '), v6, &info->source) ||
	    !parse_ip(bytes_cut(&rest, ' '), v6, &info->destination))
		return refuse(info, "v1: an address is not of its family");
	if (!parse_port(bytes_cut(&rest, ' '), &info->source.port) ||
	    !parse_port(rest, &info->destination.port))
		return refuse(info, "v1: a port is no port");
	info->known = true;
	return PROXY_OK;
}

static enum proxy_status parse_v1(struct bytes in, struct proxy_info *info)
{
	struct bytes line = bytes_first(in, PROXY_V1_MAX);
	size_t end = bytes_find(line, '\n');

	if (end == line.len)
		return in.len < PROXY_V1_MAX ? PROXY_MORE
					     : refuse(info, "v1: no line end within 107 bytes");
	if (line.at[end - 1] != '\r')
		return refuse(info, "v1: the line does not end in CR LF");
	info->used = end + 1;
	return parse_v1_line(bytes_first(line, end - 1), info);
}

static struct address read_ip(struct reader *r, size_t size)
{
	struct address address = {0};
	struct bytes field = reader_take(r, size);

	if (field.len == 4)
		address.ip[10] = address.ip[11] = 0xff;
	if (field.len)
		memcpy(address.ip + 16 - field.len, field.at, field.len);
	return address;
}

/* Section 2.2: the size of the addresses of this family, or 0 when there are none that we know. */
static size_t v2_address_size(uint8_t family)
{
	switch (family >> 4) {
	case 1: return 4;  /* AF_INET */
	case 2: return 16; /* AF_INET6 */
	default: return 0; /* AF_UNSPEC, AF_UNIX: accepted, and the real addresses used */
	}
}

/* Section 2.2.1: type, 16 bits of length, value. */
static bool skip_tlvs(struct reader *r)
{
	while (reader_ok(r) && reader_left(r)) {
		reader_u8(r);
		reader_skip(r, reader_be16(r));
	}
	return reader_ok(r);
}

static enum proxy_status parse_v2_body(uint8_t family, struct reader *r, struct proxy_info *info)
{
	size_t size = v2_address_size(family);

	/* An AF_UNIX body is 216 bytes of paths; nothing in it is for us. */
	if (family >> 4 > 3 || (family & 15) > 2)
		return refuse(info, "v2: a family that does not exist");
	if (size == 0)
		return PROXY_OK;
	info->source = read_ip(r, size);
	info->destination = read_ip(r, size);
	info->source.port = reader_be16(r);
	info->destination.port = reader_be16(r);
	if (!reader_ok(r))
		return refuse(info, "v2: too short for its addresses");
	if (!skip_tlvs(r))
		return refuse(info, "v2: a TLV is longer than the header");
	info->known = true;
	return PROXY_OK;
}

static enum proxy_status parse_v2(struct bytes in, struct proxy_info *info)
{
	struct reader r = reader_of(bytes_skip(in, SIGNATURE.len));
	uint8_t command = reader_u8(&r);
	uint8_t family = reader_u8(&r);
	size_t len = reader_be16(&r);

	if (!reader_ok(&r))
		return PROXY_MORE;
	if (command >> 4 != 2)
		return refuse(info, "v2: the version is not 2");
	if ((command & 15) > 1)
		return refuse(info, "v2: neither LOCAL nor PROXY");
	if (len > PROXY_V2_MAX - V2_FIXED)
		return refuse(info, "v2: too long");
	struct reader body = reader_of(reader_take(&r, len));

	if (!reader_ok(&r))
		return PROXY_MORE;
	info->used = V2_FIXED + len;
	/* LOCAL: the balancer itself; the rest of the header is to be discarded. */
	return (command & 15) == 0 ? PROXY_OK : parse_v2_body(family, &body, info);
}

enum proxy_status proxy_parse(struct bytes in, struct proxy_info *info)
{
	*info = (struct proxy_info){0};
	if (bytes_start_with(in, V1_START))
		return parse_v1(in, info);
	if (bytes_start_with(in, SIGNATURE))
		return parse_v2(in, info);
	return bytes_start_with(V1_START, in) || bytes_start_with(SIGNATURE, in) ? PROXY_MORE
										 : PROXY_NONE;
}
