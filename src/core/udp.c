#include "core/udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_COUNT     64u
#define IN_SIZE      2048u
#define OUT_COUNT    256u
#define OUT_SIZE     (256u << 10)
#define ROUNDS       4u     /* receives in one event: the loop has others to serve */
#define SEGMENTS_MAX 64u    /* UDP_MAX_SEGMENTS of Linux 6.1 */
#define DATAGRAM_MAX 65507u /* what IPv4 leaves of 64 KiB */
#define SOCKET_SIZE  (4 << 20)

#ifndef UDP_SEGMENT
#	define UDP_SEGMENT 103
#endif

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Where the datagrams of one send go, and how many they are. */
struct out {
	struct udp_path path;
	size_t len;       /* of all */
	unsigned segment; /* of each but the last, which may be shorter */
	unsigned count;
	bool closed; /* nothing goes behind a shorter one */
};

#define CONTROL_IN  (CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)))
#define CONTROL_OUT (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

struct control_in {
	_Alignas(struct cmsghdr) uint8_t at[CONTROL_IN];
};

struct control_out {
	_Alignas(struct cmsghdr) uint8_t at[CONTROL_OUT];
};

struct udp_store {
	unsigned in_count, in_size, out_count, out_size;
	unsigned waiting; /* messages */
	size_t used;      /* bytes of out_bytes */
	struct mmsghdr *in, *out;
	struct iovec *in_vecs, *out_vecs;
	union address *in_addresses, *out_addresses;
	struct control_in *in_controls;
	struct control_out *out_controls;
	struct udp_packet *packets;
	struct out *outs;
	uint8_t *in_bytes, *out_bytes;
};

/* --- addresses ------------------------------------------------------------------------------ */

static bool is_v4(const uint8_t ip[16])
{
	return memcmp(ip, v4_mapped, sizeof v4_mapped) == 0;
}

static bool is_unset(const uint8_t ip[16])
{
	static const uint8_t none[16];

	return memcmp(ip, none, sizeof none) == 0;
}

static bool is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

static socklen_t address_of(const struct tcp_end *end, uint32_t scope, bool v6,
			    union address *address)
{
	if (!v6) {
		address->v4 =
			(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(end->port)};
		memcpy(&address->v4.sin_addr, end->ip + 12, 4);
		return sizeof address->v4;
	}
	address->v6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(end->port), .sin6_scope_id = scope};
	memcpy(&address->v6.sin6_addr, end->ip, 16);
	return sizeof address->v6;
}

static void end_of(const union address *address, struct udp_path *path)
{
	if (address->any.sa_family == AF_INET) {
		memcpy(path->peer.ip, v4_mapped, sizeof v4_mapped);
		memcpy(path->peer.ip + 12, &address->v4.sin_addr, 4);
		path->peer.port = ntohs(address->v4.sin_port);
		return;
	}
	memcpy(path->peer.ip, &address->v6.sin6_addr, 16);
	path->peer.port = ntohs(address->v6.sin6_port);
	if (is_link_local(path->peer.ip))
		path->scope = address->v6.sin6_scope_id;
}

/* --- opening -------------------------------------------------------------------------------- */

static void set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

static int open_one(const struct tcp_end *end, bool shared)
{
	bool v6 = !is_v4(end->ip);
	union address address;
	int on = 1, error, fd;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 && errno == EAFNOSUPPORT && is_unset(end->ip)) {
		v6 = false;
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd == -1)
		return -errno;
	if (v6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == -1) ||
	    bind(fd, &address.any, address_of(end, 0, v6, &address)) == -1) {
		error = errno;
		close(fd);
		return -error;
	}
	/* The kernel cuts these to net.core.rmem_max unless it may be forced. */
	set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_SIZE);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_SIZE);
	set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_SIZE);
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_SIZE);
	return fd;
}

#define GOLDEN 0x9e3779b1u /* 2^32 / the golden ratio */

static uint32_t be32_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

unsigned udp_steered_to(const uint8_t ip[16], unsigned count)
{
	uint32_t word = is_v4(ip) ? be32_at(ip + 12) : be32_at(ip) ^ be32_at(ip + 4);

	return (word * GOLDEN >> 16) % count;
}

/* The number of the socket in the order in which they were bound, by the sender's address. */
static int steer_by_address(int fd, unsigned count)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 2, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 12), /* IPv4 source */
		BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 8), /* IPv6, its /64 */
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 12),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, GOLDEN), /* from here on as udp_steered_to() */
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = {COUNT_OF(code), code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == -1)
		return -errno;
	return 0;
}

int udp_open(const struct tcp_end *end, enum udp_steer steer, unsigned count, int fds[])
{
	struct tcp_end at = *end;
	unsigned opened = 0;
	int fd = open_one(&at, false);

	/* A port that another program shares would give us a part of its datagrams. */
	if (fd < 0)
		return fd;
	at.port = tcp_port(fd);
	close(fd);
	for (fd = 0; opened < count && fd >= 0; opened++) {
		fd = open_one(&at, true);
		fds[opened] = fd;
	}
	if (fd >= 0 && steer == UDP_STEER_ADDRESS && count > 1)
		fd = steer_by_address(fds[0], count);
	if (fd >= 0)
		return 0;
	while (opened > 0)
		if (fds[--opened] >= 0)
			close(fds[opened]);
	return fd;
}

/* --- receiving ------------------------------------------------------------------------------ */

static void read_controls(struct msghdr *header, struct udp_packet *packet)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		uint8_t *local = packet->path.local;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			memcpy(local, v4_mapped, sizeof v4_mapped);
			memcpy(local + 12, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			memcpy(local, &info.ipi6_addr, 16);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			packet->ecn = *CMSG_DATA(c) & 3;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			int class;

			memcpy(&class, CMSG_DATA(c), sizeof class);
			packet->ecn = (uint8_t)(class & 3);
		}
	}
}

static void prepare_in(const struct udp *udp)
{
	struct udp_store *s = udp->store;

	for (unsigned i = 0; i < s->in_count; i++) {
		struct msghdr *header = &s->in[i].msg_hdr;

		header->msg_namelen = sizeof s->in_addresses[i];
		header->msg_control = udp->reads ? s->in_controls[i].at : NULL;
		header->msg_controllen = udp->reads ? sizeof s->in_controls[i].at : 0;
		header->msg_flags = 0;
	}
}

static void fill_packets(struct udp *udp, unsigned count)
{
	struct udp_store *s = udp->store;

	for (unsigned i = 0; i < count; i++) {
		struct udp_packet *packet = &s->packets[i];
		struct msghdr *header = &s->in[i].msg_hdr;

		*packet = (struct udp_packet){
			.data = bytes_of(s->in_vecs[i].iov_base, s->in[i].msg_len),
			.cut = header->msg_flags & MSG_TRUNC,
		};
		end_of(&s->in_addresses[i], &packet->path);
		if (header->msg_controllen)
			read_controls(header, packet);
		udp->counts.cut += packet->cut;
		udp->counts.bytes_in += packet->data.len;
	}
	udp->counts.received += count;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct udp *udp = container_of(poll, struct udp, poll);
	struct udp_store *s = udp->store;
	int n = (int)s->in_count;

	(void)status;
	(void)events;
	for (unsigned i = 0; i < ROUNDS && n == (int)s->in_count && !udp->stopping; i++) {
		prepare_in(udp);
		n = recvmmsg(udp->fd, s->in, s->in_count, MSG_DONTWAIT, NULL);
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1) {
			/* Interrupted, or it was an error that waited there: go on behind it. */
			n = (int)s->in_count;
			continue;
		}
		fill_packets(udp, (unsigned)n);
		udp->arrived(udp, s->packets, (size_t)n);
	}
	if (!udp->stopping)
		udp_flush(udp);
}

/* --- sending -------------------------------------------------------------------------------- */

static void add_control(struct msghdr *header, int level, int type, const void *value, size_t len)
{
	struct cmsghdr *c =
		(struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	header->msg_controllen += CMSG_SPACE(len);
}

static void add_local(const struct udp *udp, struct msghdr *header, const struct udp_path *path)
{
	if (udp->v6) {
		struct in6_pktinfo info = {.ipi6_ifindex = path->scope};

		memcpy(&info.ipi6_addr, path->local, 16);
		add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	} else {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, path->local + 12, 4);
		add_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	}
}

static void prepare_out(const struct udp *udp, unsigned i)
{
	struct udp_store *s = udp->store;
	struct msghdr *header = &s->out[i].msg_hdr;
	struct out *out = &s->outs[i];

	s->out_vecs[i].iov_len = out->len;
	header->msg_namelen =
		address_of(&out->path.peer, out->path.scope, udp->v6, &s->out_addresses[i]);
	header->msg_control = s->out_controls[i].at;
	header->msg_controllen = 0;
	if (udp->any && !is_unset(out->path.local))
		add_local(udp, header, &out->path);
	if (out->count > 1) {
		uint16_t segment = (uint16_t)out->segment;

		add_control(header, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
	}
	if (header->msg_controllen == 0)
		header->msg_control = NULL;
}

uint8_t *udp_room(struct udp *udp, size_t len)
{
	struct udp_store *s = udp->store;

	CHECK(len <= DATAGRAM_MAX && len <= s->out_size);
	if (s->waiting == s->out_count || len > s->out_size - s->used)
		udp_flush(udp);
	return s->out_bytes + s->used;
}

/* Behind the one before, as another segment of it? */
static bool joins(const struct udp *udp, const struct udp_path *to, struct bytes data)
{
	struct udp_store *s = udp->store;
	struct out *last = s->waiting ? &s->outs[s->waiting - 1] : NULL;
	const uint8_t *end = last ? (uint8_t *)s->out_vecs[s->waiting - 1].iov_base + last->len : 0;

	if (!udp->segments || !last || last->closed || end != data.at || data.len == 0 ||
	    data.len > last->segment || last->count == SEGMENTS_MAX ||
	    last->len + data.len > DATAGRAM_MAX || !udp_path_equal(&last->path, to))
		return false;
	last->len += data.len;
	last->count++;
	last->closed = data.len < last->segment;
	return true;
}

void udp_lend(struct udp *udp, const struct udp_path *to, struct bytes data)
{
	struct udp_store *s = udp->store;

	if (joins(udp, to, data))
		return;
	if (s->waiting == s->out_count)
		udp_flush(udp);
	s->out_vecs[s->waiting].iov_base = (void *)(uintptr_t)data.at;
	s->outs[s->waiting++] = (struct out){*to, data.len, (unsigned)data.len, 1, data.len == 0};
}

void udp_put(struct udp *udp, const struct udp_path *to, size_t len)
{
	struct udp_store *s = udp->store;
	struct bytes data = bytes_of(s->out_bytes + s->used, len);

	CHECK(len <= s->out_size - s->used);
	s->used += len;
	/* udp_room() has seen to it that there is a message left. */
	udp_lend(udp, to, data);
}

/* A run that the kernel does not take as one: its datagrams one by one. How many it takes. */
static unsigned send_apart(struct udp *udp, unsigned i)
{
	struct udp_store *s = udp->store;
	struct out *out = &s->outs[i];
	struct msghdr header = s->out[i].msg_hdr;
	struct control_out control = {{0}};
	uint8_t *at = s->out_vecs[i].iov_base;
	unsigned sent = 0;

	header.msg_control = control.at;
	header.msg_controllen = 0;
	if (udp->any && !is_unset(out->path.local))
		add_local(udp, &header, &out->path);
	for (size_t left = out->len; left > 0;) {
		struct iovec vec = {at, left < out->segment ? left : out->segment};

		header.msg_iov = &vec;
		if (sendmsg(udp->fd, &header, MSG_DONTWAIT) >= 0) {
			sent++;
			udp->counts.bytes_out += vec.iov_len;
		}
		at += vec.iov_len;
		left -= vec.iov_len;
	}
	udp->counts.sent += sent;
	udp->counts.trips += sent;
	return sent;
}

static void count_sent(struct udp *udp, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		udp->counts.sent += udp->store->outs[i].count;
		udp->counts.bytes_out += udp->store->outs[i].len;
	}
	udp->counts.trips += to - from;
}

/* Message at was refused. How many of its datagrams are lost. */
static unsigned refuse(struct udp *udp, unsigned at, int error)
{
	unsigned count = udp->store->outs[at].count;

	if (count > 1) {
		/* The device cannot sum (EIO) or the kernel has no such thing: never again. Segments
		 * beyond the path's MTU (EINVAL, EMSGSIZE) are this run's trouble alone. */
		if (error == EIO || error == EOPNOTSUPP)
			udp->segments = false;
		count -= send_apart(udp, at);
	}
	udp->counts.refused += count;
	return count;
}

size_t udp_flush(struct udp *udp)
{
	struct udp_store *s = udp->store;
	unsigned at = 0;
	size_t lost = 0;

	for (unsigned i = 0; i < s->waiting; i++)
		prepare_out(udp, i);
	while (at < s->waiting) {
		int n = sendmmsg(udp->fd, s->out + at, s->waiting - at, MSG_DONTWAIT);

		if (n > 0) {
			count_sent(udp, at, at + (unsigned)n);
			at += (unsigned)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			for (; at < s->waiting; at++) {
				udp->counts.blocked += s->outs[at].count;
				lost += s->outs[at].count;
			}
		} else if (errno != EINTR) {
			lost += refuse(udp, at, errno);
			at++;
		}
	}
	s->waiting = 0;
	s->used = 0;
	return lost;
}

/* --- life ----------------------------------------------------------------------------------- */

static void store_free(struct udp_store **store)
{
	struct udp_store *s = *store;

	*store = NULL;
	if (!s)
		return;
	free(s->in);
	free(s->out);
	free(s->in_vecs);
	free(s->out_vecs);
	free(s->in_addresses);
	free(s->out_addresses);
	free(s->in_controls);
	free(s->out_controls);
	free(s->packets);
	free(s->outs);
	free(s->in_bytes);
	free(s->out_bytes);
	free(s);
}

static bool store_fill(struct udp_store *s)
{
	s->in = calloc(s->in_count, sizeof *s->in);
	s->out = calloc(s->out_count, sizeof *s->out);
	s->in_vecs = calloc(s->in_count, sizeof *s->in_vecs);
	s->out_vecs = calloc(s->out_count, sizeof *s->out_vecs);
	s->in_addresses = calloc(s->in_count, sizeof *s->in_addresses);
	s->out_addresses = calloc(s->out_count, sizeof *s->out_addresses);
	s->in_controls = calloc(s->in_count, sizeof *s->in_controls);
	s->out_controls = calloc(s->out_count, sizeof *s->out_controls);
	s->packets = calloc(s->in_count, sizeof *s->packets);
	s->outs = calloc(s->out_count, sizeof *s->outs);
	s->in_bytes = calloc(s->in_count, s->in_size);
	s->out_bytes = calloc(s->out_size, 1);
	if (!s->in || !s->out || !s->in_vecs || !s->out_vecs || !s->in_addresses ||
	    !s->out_addresses || !s->in_controls || !s->out_controls || !s->packets || !s->outs ||
	    !s->in_bytes || !s->out_bytes)
		return false;
	for (unsigned i = 0; i < s->in_count; i++) {
		s->in_vecs[i] = (struct iovec){s->in_bytes + (size_t)i * s->in_size, s->in_size};
		s->in[i].msg_hdr.msg_iov = &s->in_vecs[i];
		s->in[i].msg_hdr.msg_iovlen = 1;
		s->in[i].msg_hdr.msg_name = &s->in_addresses[i];
	}
	for (unsigned i = 0; i < s->out_count; i++) {
		s->out[i].msg_hdr.msg_iov = &s->out_vecs[i];
		s->out[i].msg_hdr.msg_iovlen = 1;
		s->out[i].msg_hdr.msg_name = &s->out_addresses[i];
	}
	return true;
}

static struct udp_store *store_create(const struct udp_shape *shape)
{
	struct udp_store *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->in_count = shape->in_count ? shape->in_count : IN_COUNT;
	s->in_size = shape->in_size ? shape->in_size : IN_SIZE;
	s->out_count = shape->out_count ? shape->out_count : OUT_COUNT;
	s->out_size = shape->out_size ? shape->out_size : OUT_SIZE;
	if (!store_fill(s))
		store_free(&s);
	return s;
}

static void ask_kernel(struct udp *udp, bool ecn)
{
	if (udp->any && udp->v6)
		set(udp->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	else if (udp->any)
		set(udp->fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (ecn && udp->v6)
		set(udp->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	if (ecn) /* also for IPv4 over a socket of IPv6 */
		set(udp->fd, IPPROTO_IP, IP_RECVTOS, 1);
	udp->reads = udp->any || ecn;
}

int udp_start(struct udp *udp, uv_loop_t *loop, int fd, const struct udp_shape *shape,
	      void (*arrived)(struct udp *udp, const struct udp_packet *packets, size_t count))
{
	struct tcp_end end = tcp_local(fd);
	int family = AF_INET, error;
	socklen_t len = sizeof family;
	static const uint8_t v4_any[4];

	*udp = (struct udp){.fd = fd, .segments = shape->segments, .arrived = arrived};
	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	udp->v6 = family == AF_INET6;
	udp->any = is_unset(end.ip) || (is_v4(end.ip) && memcmp(end.ip + 12, v4_any, 4) == 0);
	ask_kernel(udp, shape->ecn);
	udp->store = store_create(shape);
	error = udp->store ? uv_poll_init(loop, &udp->poll, fd) : -ENOMEM;
	if (error) {
		store_free(&udp->store);
		close(fd);
		return error;
	}
	CHECK(uv_poll_start(&udp->poll, UV_READABLE, on_readable) == 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct udp *udp = container_of(handle, struct udp, poll);

	store_free(&udp->store);
	if (udp->stopped)
		udp->stopped(udp);
}

void udp_stop(struct udp *udp, void (*stopped)(struct udp *udp))
{
	udp->stopping = true;
	udp->stopped = stopped;
	uv_poll_stop(&udp->poll);
	uv_close((uv_handle_t *)&udp->poll, on_closed);
	/* Behind the loop's last look at it. */
	close(udp->fd);
	udp->fd = -1;
}

uint64_t udp_dropped(const struct udp *udp)
{
	uint32_t numbers[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof numbers;

	if (getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, numbers, &len) == -1)
		return 0;
	return numbers[SK_MEMINFO_DROPS];
}
