#include "sfu/proto/ice_uri.h"

#define PORT_MAX 65535

static bool is_one_of(uint8_t c, const char *set)
{
	while (*set && (uint8_t)*set != c)
		set++;
	return *set;
}

/* RFC 3986 3.2.2: what a name, or an address of IPv6 in its brackets, is made of. */
static bool is_host(struct bytes host, bool v6)
{
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.at[i], low = c | 0x20;
		bool digit = c >= '0' && c <= '9';

		if (v6 ? !digit && !(low >= 'a' && low <= 'f') && !is_one_of(c, ":.")
		       : !digit && !(low >= 'a' && low <= 'z') && !is_one_of(c, "-._~%!$&'()*+,;="))
			return false;
	}
	return host.len > 0;
}

/* Port 0 is nobody's. */
static bool is_port(struct bytes text)
{
	uint64_t port;

	return bytes_to_u64(text, PORT_MAX, &port) && port > 0;
}

static bool is_host_port(struct bytes text)
{
	bool v6 = bytes_start_with(text, BYTES("["));
	size_t end = v6 ? bytes_find(text, ']') : bytes_find(text, ':');
	struct bytes behind = bytes_skip(text, end + v6);

	/* The bracket that opens is closed again. */
	if (v6 && end == text.len)
		return false;
	if (!is_host(bytes_skip(bytes_first(text, end), v6), v6))
		return false;
	return behind.len == 0 ||
	       (bytes_start_with(behind, BYTES(":")) && is_port(bytes_skip(behind, 1)));
}

bool ice_uri_is_good(struct bytes uri)
{
	struct bytes rest = uri, scheme = bytes_cut(&rest, ':');
	bool turn = bytes_equal(scheme, BYTES("turn")) || bytes_equal(scheme, BYTES("turns"));
	size_t end = bytes_find(rest, '?');
	struct bytes query = bytes_skip(rest, end);

	if (!turn && !bytes_equal(scheme, BYTES("stun")) && !bytes_equal(scheme, BYTES("stuns")))
		return false;
	if (query.len && !(turn && (bytes_equal(query, BYTES("?transport=udp")) ||
				    bytes_equal(query, BYTES("?transport=tcp")))))
		return false;
	return is_host_port(bytes_first(rest, end));
}
