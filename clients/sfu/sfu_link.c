#include "sfu_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/udp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER  (64 << 20)
#define BATCH   16u
#define RUN_MAX 65536u
#define ASK_US  200000  /* until an answer came */
#define KEEP_US 5000000 /* then, so that the server knows that we are there (RFC 7675) */

static uint32_t base = 0x7f010000u; /* 127.1.0.0 */

static void hmac_sha1(struct bytes key, struct bytes in, uint8_t out[20])
{
	unsigned len = 20;

	HMAC(EVP_sha1(), key.at, (int)key.len, in.at, in.len, out, &len);
}

int link_socket(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1,
	    size = BUFFER;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof any) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

bool link_set_base(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	base = ntohl(address.s_addr);
	return true;
}

struct in_addr link_local(uint32_t number)
{
	return (struct in_addr){htonl(base + number)};
}

uint32_t link_number(struct in_addr local)
{
	uint32_t address = ntohl(local.s_addr);

	return address >= base ? address - base : UINT32_MAX;
}

/* What cmsg(3) asks for, once. */
struct control {
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct in_pktinfo)) +
					   CMSG_SPACE(sizeof(int))];
};

void link_send(struct link *link, struct bytes datagram)
{
	struct control control = {.room = {0}};
	struct iovec data = {.iov_base = (void *)(uintptr_t)datagram.at, .iov_len = datagram.len};
	struct msghdr msg = {.msg_name = &link->peer.at,
			     .msg_namelen = sizeof link->peer.at,
			     .msg_iov = &data,
			     .msg_iovlen = 1,
			     .msg_control = control.room,
			     .msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = {.ipi_spec_dst = link->local};

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(c), &info, sizeof info);
	(void)sendmsg(link->fd, &msg, 0); /* as on any network: what is lost is asked for again */
}

static void on_lock(void *owner, struct bytes datagram)
{
	link_send(owner, datagram);
}

static void ask(struct link *link, mono_t now)
{
	uint8_t buf[STUN_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	if (link->state == LINK_ASKING || link->asks == 0)
		RAND_bytes(link->id, sizeof link->id);
	ice_write_check(&link->peer.names, bytes_of(link->id, sizeof link->id), 0x6e0001ff, 1, true,
			hmac_sha1, &w);
	link_send(link, writer_done(&w));
	link->asked = now;
	link->asks++;
}

void link_begin(struct link *link, int fd, uint32_t number, bool sends, mono_t now)
{
	link->fd = fd;
	link->local = link_local(number);
	link->state = LINK_ASKING;
	link->asks = 0;
	link->lock = lock_create(sends, on_lock, link);
	ask(link, now);
}

void link_end(struct link *link)
{
	lock_destroy(link->lock);
	link->lock = NULL;
	link->state = LINK_BROKEN;
}

static void shake(struct link *link, struct bytes datagram)
{
	switch (lock_shake(link->lock, datagram)) {
	case LOCK_SHAKING: break;
	case LOCK_OPEN: link->state = LINK_UP; break;
	case LOCK_BROKEN: link->state = LINK_BROKEN; break;
	}
}

/* A server that is not lite, or that calls itself lite and asks all the same as libnice does (Janus),
 * wants answers (RFC 8445 7.3). */
static void answer(struct link *link, struct stun *asked)
{
	const struct sockaddr_in *at = &link->peer.at;
	struct address from = {.ip = {[10] = 0xff, [11] = 0xff}, .port = ntohs(at->sin_port)};
	struct ice_check check;
	uint8_t buf[STUN_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	memcpy(from.ip + 12, &at->sin_addr, 4);
	asked->controlled = false; /* as it must be: we control */
	ice_answer(&link->peer.names, asked, &from, hmac_sha1, &w, &check);
	if (writer_ok(&w) && w.len)
		link_send(link, writer_done(&w));
}

static void take_stun(struct link *link, struct bytes datagram)
{
	struct stun stun;

	if (stun_parse(datagram, &stun) != STUN_OK)
		return;
	if (stun.class == STUN_REQUEST) {
		answer(link, &stun);
	} else if (link->state == LINK_ASKING &&
		   ice_is_answer(&link->peer.names, &stun, bytes_of(link->id, sizeof link->id),
				 hmac_sha1)) {
		link->state = LINK_SHAKING;
		shake(link, (struct bytes){NULL, 0});
	}
}

void link_take(struct link *link, struct bytes datagram, mono_t now)
{
	(void)now;
	if (stun_looks(datagram)) {
		take_stun(link, datagram);
	} else if (link->state == LINK_SHAKING && datagram.len && datagram.at[0] >= 20 &&
		   datagram.at[0] <= 63) {
		shake(link, datagram);
	}
}

void link_tick(struct link *link, mono_t now)
{
	int64_t waited = mono_since_us(now, link->asked);

	if (link->state == LINK_BROKEN)
		return;
	if (link->state == LINK_SHAKING)
		shake(link, (struct bytes){NULL, 0});
	if (waited > (link->state == LINK_ASKING ? ASK_US : KEEP_US))
		ask(link, now);
}

static void cut_run(struct msghdr *msg, size_t len, link_arrived *arrived, void *owner, mono_t now,
		    unsigned *count)
{
	struct bytes run = bytes_of(msg->msg_iov->iov_base, len);
	struct in_addr to = {0};
	int size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct in_pktinfo info;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof info);
			to = info.ipi_addr;
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof size);
		}
	}
	if (size <= 0)
		size = (int)run.len;
	for (; run.len; run = bytes_skip(run, (size_t)size), ++*count)
		arrived(owner, link_number(to), bytes_first(run, (size_t)size), now);
}

unsigned link_receive(int fd, link_arrived *arrived, void *owner)
{
	static _Thread_local char(*room)[RUN_MAX];
	static _Thread_local struct control control[BATCH];
	struct iovec data[BATCH];
	struct mmsghdr msg[BATCH];
	unsigned count = 0;
	int n;

	if (!room)
		room = malloc(BATCH * sizeof *room);
	for (unsigned i = 0; i < BATCH; i++) {
		data[i] = (struct iovec){room[i], RUN_MAX};
		msg[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &data[i],
						      .msg_iovlen = 1,
						      .msg_control = &control[i],
						      .msg_controllen = sizeof control[i]}};
	}
	n = recvmmsg(fd, msg, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		cut_run(&msg[i].msg_hdr, msg[i].msg_len, arrived, owner, wire_now(), &count);
	return count;
}
