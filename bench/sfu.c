/* sfu: the raw limit of one stream to many over SRTP on this machine, to hold the server against.
 *
 *     bench_sfu --viewers N [--packets 9] [--size 1100] [--fps 30] [--seconds 5]
 *
 * One thread, and nothing but what each packet for each viewer cannot be without: a header written anew, its
 * payload sealed with the viewer's own AES-128-GCM key from where it lies to where it goes, and a frame's
 * packets sent in one piece (UDP_SEGMENT, sendmmsg). Viewers are addresses of 127.0.0.0/8 and a child that reads as
 * ringmain-sfuload does, on one socket with UDP_GRO and IP_PKTINFO, and throws away: what the kernel does for the
 * receiver on a loopback, and waking it, is the sender's time, here as there. Every 1/fps s a frame; CPU is the
 * sender's. Sealed by libipsec-mb where the server would do it so, unless --openssl 1. Prints a JSON line. Not a
 * test. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sfu/srtp_fast.h"

#define HEADER 12
#define TAG    16
#define BATCH  16u
#define RUN    65536u
#define READS  16u

static struct {
	unsigned viewers, packets, size;
	double fps, seconds;
	bool openssl;
} o = {100, 9, 1100, 30, 5, false};

static int sink(uint16_t *port)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len = sizeof any;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 64 << 20, on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&any, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &len) != 0)
		return -1;
	*port = any.sin_port;
	return fd;
}

static void read_for_ever(int fd)
{
	static char room[READS][RUN], control[READS][128];
	struct epoll_event event = {.events = EPOLLIN};
	int poll = epoll_create1(EPOLL_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
		_exit(1);
	while (epoll_wait(poll, &event, 1, -1) >= 0) {
		struct mmsghdr msg[READS] = {0};
		struct iovec data[READS];

		for (unsigned i = 0; i < READS; i++) {
			data[i] = (struct iovec){room[i], RUN};
			msg[i].msg_hdr = (struct msghdr){.msg_iov = &data[i],
							 .msg_iovlen = 1,
							 .msg_control = control[i],
							 .msg_controllen = sizeof control[i]};
		}
		(void)recvmmsg(fd, msg, READS, MSG_DONTWAIT, NULL);
	}
	_exit(0);
}

static size_t seal(EVP_CIPHER_CTX *ctx, const struct fast_key *fast, uint32_t viewer, uint64_t seq,
		   const uint8_t *payload, uint8_t *out)
{
	uint8_t iv[12] = {0};
	int n;

	out[0] = 0x80;
	out[1] = 96;
	out[2] = (uint8_t)(seq >> 8);
	out[3] = (uint8_t)seq;
	memcpy(out + 4, &seq, 4);
	memcpy(out + 8, &viewer, 4);
	memcpy(iv + 2, &viewer, 4);
	memcpy(iv + 4, &seq, 8);
	if (fast) {
		fast_seal(fast, iv, bytes_of(out, HEADER), bytes_of(payload, o.size), out + HEADER);
		return HEADER + o.size + TAG;
	}
	EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv);
	EVP_EncryptUpdate(ctx, NULL, &n, out, HEADER);
	EVP_EncryptUpdate(ctx, out + HEADER, &n, payload, (int)o.size);
	EVP_EncryptFinal_ex(ctx, out, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + HEADER + o.size);
	return HEADER + o.size + TAG;
}

struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec data[BATCH];
	struct sockaddr_in to[BATCH];
	struct {
		_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(uint16_t))];
	} control[BATCH];
	uint8_t (*run)[RUN];
};

static void prepare(struct batch *b, uint16_t port)
{
	uint16_t segment = (uint16_t)(HEADER + o.size + TAG);

	b->run = calloc(BATCH, RUN);
	for (unsigned i = 0; i < BATCH; i++) {
		struct msghdr *m = &b->msg[i].msg_hdr;
		struct cmsghdr *c;

		b->to[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		b->data[i] = (struct iovec){b->run[i], (size_t)segment * o.packets};
		*m = (struct msghdr){.msg_name = &b->to[i],
				     .msg_namelen = sizeof b->to[i],
				     .msg_iov = &b->data[i],
				     .msg_iovlen = 1,
				     .msg_control = b->control[i].room,
				     .msg_controllen = sizeof b->control[i].room};
		c = CMSG_FIRSTHDR(m);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof segment);
		memcpy(CMSG_DATA(c), &segment, sizeof segment);
	}
}

static uint64_t send_frame(struct batch *b, int fd, EVP_CIPHER_CTX **ctx, struct fast_key **fast,
			   const uint8_t *payload, uint64_t seq)
{
	uint64_t sent = 0;

	for (unsigned v = 0; v < o.viewers;) {
		unsigned n = 0;
		int taken;

		for (; n < BATCH && v < o.viewers; n++, v++) {
			uint8_t *at = b->run[n];

			b->to[n].sin_addr.s_addr = htonl(0x7f010000u + v);
			for (unsigned p = 0; p < o.packets; p++)
				at += seal(ctx[v], fast[v], v, seq + p,
					   payload + (size_t)p * o.size, at);
		}
		taken = sendmmsg(fd, b->msg, n, 0);
		sent += taken > 0 ? (uint64_t)taken * o.packets : 0;
	}
	return sent;
}

static double seconds_of(struct timeval at)
{
	return (double)at.tv_sec + (double)at.tv_usec / 1e6;
}

/* CPU time, of it in the kernel. */
static double cpu_s(double *kernel)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	*kernel = seconds_of(use.ru_stime);
	return seconds_of(use.ru_utime) + *kernel;
}

static int run(int fd, uint16_t port)
{
	EVP_CIPHER_CTX **ctx = calloc(o.viewers, sizeof(EVP_CIPHER_CTX *));
	struct fast_key **fast = calloc(o.viewers, sizeof *fast);
	uint8_t *payload = calloc(o.packets, o.size), key[16] = {0};
	struct batch *b = calloc(1, sizeof *b);
	uint64_t sent = 0, frames = (uint64_t)(o.seconds * o.fps);
	struct timespec at;
	double before, kernel, more;

	for (unsigned v = 0; v < o.viewers; v++) {
		memcpy(key, &v, sizeof v);
		ctx[v] = EVP_CIPHER_CTX_new();
		EVP_EncryptInit_ex(ctx[v], EVP_aes_128_gcm(), NULL, key, NULL);
		fast[v] = fast_key_create(key);
	}
	prepare(b, port);
	clock_gettime(CLOCK_MONOTONIC, &at);
	before = cpu_s(&kernel);
	for (uint64_t f = 0; f < frames; f++) {
		at.tv_nsec += (long)(1e9 / o.fps);
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		sent += send_frame(b, fd, ctx, fast, payload, f * o.packets);
	}
	before = cpu_s(&more) - before;
	kernel = more - kernel;
	printf("{\"event\":\"bare\",\"sealed_by\":\"%s\",\"viewers\":%u,\"packets\":%llu,"
	       "\"refused\":%llu,\"cpu_s\":%.3f,\"user_ns\":%.0f,\"kernel_ns\":%.0f,"
	       "\"packets_per_core_s\":%.0f}\n",
	       fast_is_open() ? "libipsec-mb" : "openssl", o.viewers, (unsigned long long)sent,
	       (unsigned long long)(frames * o.viewers * o.packets - sent), before,
	       (before - kernel) * 1e9 / (double)sent, kernel * 1e9 / (double)sent,
	       (double)sent / before);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {{"viewers", 1, 0, 'v'},
					      {"packets", 1, 0, 'p'},
					      {"size", 1, 0, 's'},
					      {"fps", 1, 0, 'f'},
					      {"seconds", 1, 0, 't'},
					      {"openssl", 1, 0, 'o'},
					      {0}};
	uint16_t port;
	int code, in, status;
	pid_t child;

	while ((code = getopt_long(argc, argv, "", known, NULL)) != -1) {
		double value = optarg ? strtod(optarg, NULL) : 0;

		switch (code) {
		case 'v': o.viewers = (unsigned)value; break;
		case 'p': o.packets = (unsigned)value; break;
		case 's': o.size = (unsigned)value; break;
		case 'f': o.fps = value; break;
		case 't': o.seconds = value; break;
		case 'o': o.openssl = value > 0; break;
		default: return 2;
		}
	}
	if (!o.openssl)
		(void)fast_open(1);
	in = sink(&port);
	if (in < 0 || o.viewers == 0 || o.packets == 0 || (size_t)o.packets * (o.size + 28) > 65000)
		return 2;
	child = fork();
	if (child == 0)
		read_for_ever(in);
	status = run(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), port);
	kill(child, SIGKILL);
	return status;
}
