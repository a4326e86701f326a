#include "core/tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static struct sockaddr_in6 sockaddr_of(const struct tcp_end *end)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(end->port),
	};

	memcpy(&address.sin6_addr, end->ip, sizeof end->ip);
	return address;
}

static struct tcp_end end_of(const struct sockaddr_storage *address)
{
	struct tcp_end end = {0};

	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		memcpy(end.ip, v4_mapped, sizeof v4_mapped);
		memcpy(end.ip + 12, &v4->sin_addr, 4);
		end.port = ntohs(v4->sin_port);
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;

		memcpy(end.ip, &v6->sin6_addr, sizeof end.ip);
		end.port = ntohs(v6->sin6_port);
	}
	return end;
}

/* One socket for both families where the kernel has IPv6, else one for IPv4. */
static int open_and_bind(const struct tcp_end *end)
{
	bool v4 = memcmp(end->ip, v4_mapped, sizeof v4_mapped) == 0;
	struct sockaddr_in6 v6_address = sockaddr_of(end);
	struct sockaddr_in v4_address = {.sin_family = AF_INET, .sin_port = htons(end->port)};
	int on = 1, off = 0;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1 && errno == EAFNOSUPPORT && !v4) {
		v4 = true;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd == -1)
		return -errno;
	memcpy(&v4_address.sin_addr, end->ip + 12, 4);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (!v4)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd,
		 v4 ? (const struct sockaddr *)&v4_address : (const struct sockaddr *)&v6_address,
		 v4 ? sizeof v4_address : sizeof v6_address) == -1) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int tcp_listen(const struct tcp_end *end)
{
	int fd = open_and_bind(end);

	/* The kernel cuts the backlog to net.core.somaxconn. */
	if (fd >= 0 && listen(fd, 65535) == -1) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int tcp_accept(int listener, struct tcp_end *peer)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	int fd;

	do
		fd = accept4(listener, (struct sockaddr *)&address, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd == -1 && (errno == EINTR || errno == ECONNABORTED));
	if (fd == -1)
		return -errno;
	*peer = end_of(&address);
	return fd;
}

struct tcp_end tcp_local(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len) == -1)
		return (struct tcp_end){0};
	return end_of(&address);
}

uint16_t tcp_port(int fd)
{
	return tcp_local(fd).port;
}

ssize_t tcp_send(int fd, struct bytes out)
{
	ssize_t n;

	do
		n = send(fd, out.at, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? 0 : -errno;
	return n;
}

ssize_t tcp_sendv(int fd, const struct bytes *out, size_t count)
{
	struct iovec iov[8];
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n;

	CHECK(count <= COUNT_OF(iov));
	for (size_t i = 0; i < count; i++)
		iov[i] = (struct iovec){(void *)(uintptr_t)out[i].at, out[i].len};
	do
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? 0 : -errno;
	return n;
}

ssize_t tcp_recv(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buf, size, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

bool tcp_alive(int fd)
{
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

static int tcp_info_of(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof *info;

	*info = (struct tcp_info){0};
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == -1)
		return -errno;
	/* bytes_received is behind bytes_acked: Linux 4.1. */
	return len >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t) ? 0
											: -ENOTSUP;
}

/* Each acknowledgement moves bytes from the queue to those acknowledged: what is asked in two calls
 * holds when none came in between. */
int tcp_taken(int fd, uint64_t *bytes)
{
	struct tcp_info before, after;
	int queued, error = tcp_info_of(fd, &after);

	do {
		before = after;
		if (!error && ioctl(fd, SIOCOUTQ, &queued) == -1)
			error = -errno;
		if (!error)
			error = tcp_info_of(fd, &after);
	} while (!error && before.tcpi_bytes_acked != after.tcpi_bytes_acked);
	if (!error)
		*bytes = after.tcpi_bytes_acked + (uint64_t)queued;
	return error;
}

/* The peer's FIN counts as a byte that was received, and not as one that waits. */
static bool has_fin(const struct tcp_info *info)
{
	enum { CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11 };

	return info->tcpi_state == CLOSE_WAIT || info->tcpi_state == LAST_ACK ||
	       info->tcpi_state == CLOSING;
}

int tcp_read(int fd, uint64_t *bytes)
{
	struct tcp_info before, after;
	int waiting, error = tcp_info_of(fd, &after);

	do {
		before = after;
		if (!error && ioctl(fd, SIOCINQ, &waiting) == -1)
			error = -errno;
		if (!error)
			error = tcp_info_of(fd, &after);
	} while (!error && (before.tcpi_bytes_received != after.tcpi_bytes_received ||
			    before.tcpi_state != after.tcpi_state));
	if (!error)
		*bytes = after.tcpi_bytes_received - (uint64_t)waiting - has_fin(&after);
	return error;
}

ssize_t tcp_peek(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buf, size, MSG_DONTWAIT | MSG_PEEK);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

int tcp_skip(int fd, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, NULL, len, MSG_DONTWAIT | MSG_TRUNC);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : -errno;
		len -= (size_t)n;
	}
	return 0;
}

bool tcp_carried(int fd, uint64_t *out, uint64_t *in)
{
	return tcp_taken(fd, out) == 0 && tcp_read(fd, in) == 0;
}

void tcp_tune_stream(int fd, size_t send_buffer)
{
	int on = 1, size = (int)send_buffer;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (size > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

void tcp_tune_live(int fd, unsigned unsent)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

void tcp_close_gently(int fd)
{
	uint8_t scrap[4096];

	/* Closing with unread bytes makes the kernel send a reset, which can destroy the answer on
	 * its way to the peer. What is here now is read; who goes on sending gets the reset. */
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 16 && recv(fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0; i++)
		;
	close(fd);
}
