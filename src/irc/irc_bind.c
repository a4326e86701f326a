#include "irc/irc_bind.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "edge/auth.h"
#include "edge/proto/address.h"
#include "irc/irc_network.h"
#include "irc/irc_user.h"

/* The user's within a range; the first and the last are the range's own. */
static struct address own_address(const struct cidr *range, const char *user)
{
	uint8_t hash[AUTH_DIGEST_SIZE], zeros = 0, ones = 0xff;
	struct address own = {0};

	auth_hash(hash, "irc address", bytes_str(user));
	for (unsigned i = 0; i < sizeof own.ip; i++) {
		unsigned kept = range->bits > 8 * i ? range->bits - 8 * i : 0;
		uint8_t mask = kept < 8 ? (uint8_t)(0xff >> kept) : 0;

		own.ip[i] = (uint8_t)((range->ip[i] & ~mask) | (hash[i] & mask));
		zeros |= own.ip[i] & mask;
		ones &= (uint8_t)(own.ip[i] | ~mask);
	}
	if (range->bits < 127 && (!zeros || ones == 0xff))
		own.ip[sizeof own.ip - 1] ^= 1;
	return own;
}

/* False: there is no range of this family. */
static bool find_own(const char *user, bool v4, struct address *own)
{
	const struct conf_list *ranges = &irc_conf_now()->addresses;
	struct cidr range;

	for (size_t i = 0; i < ranges->count; i++) {
		if (!cidr_parse(bytes_str(ranges->at[i]), &range))
			continue;
		*own = own_address(&range, user);
		if (address_is_v4(own) == v4)
			return true;
	}
	return false;
}

static int bind_to(int fd, const struct address *address)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	bool v4 = address_is_v4(address);

	memcpy(&in4.sin_addr, address->ip + 12, 4);
	memcpy(&in6.sin6_addr, address->ip, 16);
	return bind(fd, v4 ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6,
		    v4 ? sizeof in4 : sizeof in6) == 0
		       ? 0
		       : -errno;
}

int irc_bind(int fd, const struct irc_network *network, bool v4)
{
	const char *said = network->conf.bind;
	struct address address;
	int on = 1;

	if (said[0])
		return address_parse_ip(bytes_str(said), &address) && address_is_v4(&address) == v4
			       ? bind_to(fd, &address)
			       : -EADDRNOTAVAIL;
	if (!find_own(network->user->name, v4, &address))
		return 0;
	/* They are routed to this machine, and no interface has each of them. */
	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &on,
		       sizeof on) == -1)
		return -errno;
	return bind_to(fd, &address);
}
