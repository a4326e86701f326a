#include "sfu/sfu_dial.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/proto/ice.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_peer.h"

#define ASK_US      100000  /* until there is an answer */
#define KEEP_US     1000000 /* more often than RFC 7675 5.1 asks: another server stands by */
#define PATH_US     3000000
#define SILENCE_US  4000000
#define PRIORITY    0x6e0001ffu /* RFC 8445 5.1.2: peer-reflexive, component 1 */
#define TIE_BREAKER 0x7269696e676d6169ull

static _Thread_local struct sfu_dial *full; /* something waits in them */

/* ip(7): else who hears any address hears the groups that others of this machine have joined, too; and so
 * what we send there ourselves. */
static int leave_groups_of_others(int fd, bool v4)
{
	int no = 0, result = v4 ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &no, sizeof no)
				: setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &no, sizeof no);

	return result == 0 || errno == ENOPROTOOPT ? 0 : -errno; /* Linux before 4.20 */
}

int dial_create(const struct tcp_end *at, enum dial_kind kind, struct sfu_dial **out)
{
	struct sfu_dial *dial = calloc(1, sizeof *dial);
	int error;

	*out = NULL;
	if (!dial)
		return -ENOMEM;
	dial->kind = kind;
	error = udp_open(at, UDP_STEER_FLOW, 1, &dial->fd);
	if (error) {
		free(dial);
		return error;
	}
	error = leave_groups_of_others(dial->fd, dial_is_v4(at->ip));
	if (error)
		dial_free(dial);
	else
		*out = dial;
	return error;
}

uint16_t dial_port(const struct sfu_dial *dial)
{
	return tcp_port(dial->fd);
}

void dial_aim(struct sfu_dial *dial, const struct tcp_end *to, bool client)
{
	dial->to = (struct udp_path){.peer = *to};
	dial->client = client;
}

void dial_free(struct sfu_dial *dial)
{
	if (!dial)
		return;
	if (dial->fd != -1)
		close(dial->fd);
	free(dial);
}

/* --- groups ----------------------------------------------------------------------------------------- */

bool dial_is_v4(const uint8_t ip[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip, mapped, sizeof mapped) == 0;
}

bool dial_is_group(const uint8_t ip[16])
{
	return dial_is_v4(ip) ? (ip[12] & 0xf0) == 0xe0 : ip[0] == 0xff;
}

static bool is_at(const struct sockaddr *address, const uint8_t at[16])
{
	const void *v4 = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	const void *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

	return address->sa_family == AF_INET
		       ? dial_is_v4(at) && memcmp(v4, at + 12, 4) == 0
		       : address->sa_family == AF_INET6 && memcmp(v6, at, 16) == 0;
}

/* The number of the interface that has this address; 0: the kernel chooses. */
static unsigned interface_of(const uint8_t at[16])
{
	struct ifaddrs *all, *one;
	unsigned index = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (one = all; one && !index; one = one->ifa_next) {
		if (one->ifa_addr && is_at(one->ifa_addr, at))
			index = if_nametoindex(one->ifa_name);
	}
	freeifaddrs(all);
	return index;
}

int dial_join(struct sfu_dial *dial, const uint8_t group[16], const uint8_t at[16])
{
	struct ip_mreqn v4 = {.imr_ifindex = (int)interface_of(at)};
	struct ipv6_mreq v6 = {.ipv6mr_interface = interface_of(at)};
	int result;

	memcpy(&v4.imr_multiaddr, group + 12, 4);
	memcpy(&v6.ipv6mr_multiaddr, group, 16);
	result = dial_is_v4(group)
			 ? setsockopt(dial->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &v4, sizeof v4)
			 : setsockopt(dial->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6, sizeof v6);
	return result == 0 ? 0 : -errno;
}

int dial_reach(struct sfu_dial *dial, const uint8_t at[16], unsigned ttl)
{
	struct ip_mreqn v4 = {.imr_ifindex = (int)interface_of(at)};
	int hops = (int)ttl, index = v4.imr_ifindex;

	if (dial_is_v4(at)) {
		if (setsockopt(dial->fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops) != 0 ||
		    (index &&
		     setsockopt(dial->fd, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof v4) != 0))
			return -errno;
		return 0;
	}
	if (setsockopt(dial->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) != 0 ||
	    (index &&
	     setsockopt(dial->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) != 0))
		return -errno;
	return 0;
}

/* --- datagrams -------------------------------------------------------------------------------------- */

void dial_put(struct sfu_dial *dial, struct bytes datagram)
{
	memcpy(udp_room(&dial->udp, datagram.len), datagram.at, datagram.len);
	udp_put(&dial->udp, &dial->to, datagram.len);
	udp_flush(&dial->udp);
}

void dial_put_to(struct sfu_dial *dial, const struct udp_path *to, struct bytes datagram)
{
	memcpy(udp_room(&dial->udp, datagram.len), datagram.at, datagram.len);
	udp_put(&dial->udp, to, datagram.len);
	if (dial->full)
		return;
	dial->full = true;
	dial->next_full = full;
	full = dial;
}

RUNS_ON(on_worker) static void flush_one(struct sfu_dial *dial)
{
	uint64_t before = dial->udp.counts.blocked + dial->udp.counts.refused;

	udp_flush(&dial->udp);
	metric_add(METRIC_sfu_rtp_lost,
		   (int64_t)(dial->udp.counts.blocked + dial->udp.counts.refused - before));
	dial->full = false;
}

void dial_flush(void)
{
	while (full) {
		struct sfu_dial *dial = full;

		full = dial->next_full;
		flush_one(dial);
	}
}

RUNS_ON(on_worker) static void ask(struct sfu_dial *dial, mono_t now)
{
	uint8_t room[STUN_MAX];
	struct writer w = writer_of(room, sizeof room);

	if (RAND_bytes(dial->id, sizeof dial->id) != 1)
		return;
	ice_write_check(&dial->peer->name->names, bytes_of(dial->id, sizeof dial->id), PRIORITY,
			TIE_BREAKER, true, door_hmac, &w);
	dial->asked = now;
	if (writer_ok(&w))
		dial_put(dial, writer_done(&w));
}

/* A server that is not lite asks back (RFC 8445 7.3). */
RUNS_ON(on_worker) static void answer(struct sfu_dial *dial, struct stun *asked)
{
	struct address from = {.port = dial->to.peer.port};
	struct ice_check check;
	uint8_t room[STUN_MAX];
	struct writer w = writer_of(room, sizeof room);

	memcpy(from.ip, dial->to.peer.ip, sizeof from.ip);
	asked->controlled = false; /* as it must be: we control */
	ice_answer(&dial->peer->name->names, asked, &from, door_hmac, &w, &check);
	if (writer_ok(&w) && w.len)
		dial_put(dial, writer_done(&w));
}

RUNS_ON(on_worker) static void arrived_stun(struct sfu_dial *dial, struct bytes datagram)
{
	const struct ice_names *names = &dial->peer->name->names;
	struct stun stun;

	if (stun_parse(datagram, &stun) != STUN_OK) {
		metric_add(METRIC_sfu_refused, 1);
	} else if (stun.class == STUN_REQUEST) {
		answer(dial, &stun);
	} else if (ice_is_answer(names, &stun, bytes_of(dial->id, sizeof dial->id), door_hmac)) {
		dial->answered = mono_now();
		peer_answered(dial->peer);
	}
}

RUNS_ON(on_worker) static void arrived_one(struct sfu_dial *dial, struct bytes datagram)
{
	if (datagram.len == 0)
		return;
	if (datagram.at[0] < 4)
		arrived_stun(dial, datagram);
	else if (datagram.at[0] >= 20 && datagram.at[0] <= 63)
		peer_dtls(dial->peer, datagram);
	else if (datagram.at[0] >= 128 && datagram.at[0] <= 191)
		peer_media(dial->peer, datagram);
}

RUNS_ON(on_worker)
static void arrived_plain(struct sfu_dial *dial, const struct udp_packet *packet)
{
	if (packet->cut) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	if (dial->kind == DIAL_RTP_IN)
		dial->to = packet->path;
	else if (!dial_is_group(dial->out[0].ip) &&
		 memcmp(packet->path.peer.ip, dial->out[0].ip, sizeof dial->out[0].ip) != 0) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	peer_plain(dial->peer, packet->data);
}

static void on_arrived(struct udp *udp, const struct udp_packet *packets, size_t count)
{
	struct sfu_dial *dial = container_of(udp, struct sfu_dial, udp);

	enter_worker();
	for (size_t i = 0; i < count && dial->peer; i++) {
		const struct tcp_end *from = &packets[i].path.peer;

		if (dial->kind != DIAL_CALL) {
			arrived_plain(dial, &packets[i]);
			continue;
		}
		/* RFC 8445 7.2.5.2.1: from where we asked, and from nowhere else. */
		if (from->port == dial->to.peer.port &&
		    memcmp(from->ip, dial->to.peer.ip, sizeof from->ip) == 0 && !packets[i].cut)
			arrived_one(dial, packets[i].data);
		else
			metric_add(METRIC_sfu_refused, 1);
	}
}

/* --- life ------------------------------------------------------------------------------------------- */

int dial_begin(struct sfu_dial *dial, struct sfu_peer *peer)
{
	static const struct udp_shape shapes[] = {
		[DIAL_CALL] = {.out_count = 16, .out_size = 32768},
		[DIAL_RTP_IN] = {.out_count = 16, .out_size = 32768},
		[DIAL_RTP_OUT] = {.in_count = 8, .segments = true},
	};
	int fd = dial->fd, error;

	dial->fd = -1;
	error = udp_start(&dial->udp, &peer->worker->loop, fd, &shapes[dial->kind], on_arrived);
	if (error) {
		free(dial);
		return error;
	}
	dial->peer = peer;
	dial->answered = mono_now();
	if (dial->kind == DIAL_CALL)
		ask(dial, dial->answered);
	return 0;
}

bool dial_tick(struct sfu_dial *dial, mono_t now)
{
	bool known = dial->peer->state != PEER_NEW;

	if (dial->kind != DIAL_CALL)
		return true;
	if (mono_since_us(now, dial->asked) >= (known ? KEEP_US : ASK_US))
		ask(dial, now);
	return mono_since_us(now, dial->answered) < (known ? SILENCE_US : PATH_US);
}

static void on_stopped(struct udp *udp)
{
	free(container_of(udp, struct sfu_dial, udp));
}

void dial_end(struct sfu_dial *dial)
{
	struct sfu_dial **at = &full;

	while (*at && *at != dial)
		at = &(*at)->next_full;
	if (*at) {
		*at = dial->next_full;
		flush_one(dial);
	}
	dial->peer = NULL;
	udp_stop(&dial->udp, on_stopped);
}
