#include "core/conf_net.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/bytes.h"

static bool is_address(int family, struct bytes in)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (in.len >= sizeof text)
		return false;
	bytes_to_str(in, text, sizeof text);
	return inet_pton(family, text, &address) == 1;
}

bool conf_net_is_listen(const char *text)
{
	struct bytes rest = bytes_str(text);
	uint64_t port;

	if (bytes_start_with(rest, BYTES("["))) {
		rest = bytes_skip(rest, 1);
		if (!is_address(AF_INET6, bytes_cut(&rest, ']')) ||
		    !bytes_start_with(rest, BYTES(":")))
			return false;
		rest = bytes_skip(rest, 1);
	} else {
		struct bytes host = bytes_cut(&rest, ':');

		if (!bytes_equal(host, BYTES("*")) && !is_address(AF_INET, host))
			return false;
	}
	return bytes_to_u64(rest, 65535, &port);
}

bool conf_net_is_range(const char *text)
{
	struct bytes rest = bytes_str(text);
	bool has_bits = strchr(text, '/');
	struct bytes address = bytes_cut(&rest, '/');
	uint64_t bits = 0;

	if (is_address(AF_INET, address))
		return !has_bits || bytes_to_u64(rest, 32, &bits);
	return is_address(AF_INET6, address) && (!has_bits || bytes_to_u64(rest, 128, &bits));
}

void conf_net_check_listen(struct conf_errors *errors, const struct conf *conf, const void *values,
			   const char *item, const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!conf_net_is_listen(list->at[i]))
			conf_fault_member(
				errors, conf, values, item, i,
				"expected ADDRESS:PORT such as 0.0.0.0:8000 or [::1]:8000");
}

void conf_net_check_ranges(struct conf_errors *errors, const struct conf *conf, const void *values,
			   const char *item, const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!conf_net_is_range(list->at[i]))
			conf_fault_member(errors, conf, values, item, i,
					  "expected an address or range such as 10.0.0.0/8 or ::1");
}
