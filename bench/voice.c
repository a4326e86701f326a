/* voice: the raw limit of voice rooms: each packet sealed for each hearer and sent with sendmmsg().
 *
 *     bench_voice [--hearers N] [--rate PER_S] [--len BYTES] [--seconds S] [--openssl]
 *
 * The same encryption as the server's, and nothing else of it. Another process has the hearers'
 * sockets and reads what comes, gathered as ringmain-voiceswarm gathers it. Prints a JSON line with
 * the sender's processor time. bench/voice.py compares with it. Not a test. */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "voice/voice_cipher.h"

#define HEARERS_MAX 5000u
#define BATCH       256u
#define GATHER_NS   4000000
#define BUFFER      (4 << 20)

static struct shared {
	struct sockaddr_in at[HEARERS_MAX];
	_Atomic bool ready, over;
	_Atomic uint64_t heard;
} * shared;

struct hearer {
	struct voice_key key;
	struct crypt_nonce base;
};

static unsigned hearers = 199;
static double rate = 500, seconds = 10;
static size_t len = 160;
static const struct block_cipher *cipher;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int open_one(unsigned i)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t at_len = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = BUFFER;

	at.sin_addr.s_addr = htonl(0x7f000002 + i % 20);
	CHECK(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	CHECK(getsockname(fd, (struct sockaddr *)&shared->at[i], &at_len) == 0);
	return fd;
}

static void hear(void)
{
	int epoll = epoll_create1(0);
	struct epoll_event events[256];

	for (unsigned i = 0; i < hearers; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = open_one(i)};

		CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) == 0);
	}
	atomic_store(&shared->ready, true);
	while (!atomic_load(&shared->over)) {
		struct timespec gather = {0, GATHER_NS};
		int count;

		nanosleep(&gather, NULL);
		count = epoll_wait(epoll, events, 256, 0);
		for (int i = 0; i < count; i++) {
			uint8_t bytes[2048];

			while (recv(events[i].data.fd, bytes, sizeof bytes, 0) > 0)
				atomic_fetch_add_explicit(&shared->heard, 1, memory_order_relaxed);
		}
	}
	_exit(0);
}

static void say(int fd, struct hearer *all, uint64_t number)
{
	static struct mmsghdr messages[BATCH];
	static struct iovec iov[BATCH];
	static uint8_t bytes[BATCH][CRYPT_MAX], plain[CRYPT_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < hearers; i++) {
		struct crypt_key key = {cipher, &all[i].key};

		iov[n] = (struct iovec){bytes[n],
					crypt_seal(key, crypt_nonce_add(all[i].base, number),
						   bytes_of(plain, len - CRYPT_HEAD), bytes[n])};
		messages[n].msg_hdr = (struct msghdr){.msg_name = &shared->at[i],
						      .msg_namelen = sizeof shared->at[i],
						      .msg_iov = &iov[n],
						      .msg_iovlen = 1};
		if (++n < BATCH && i + 1 < hearers)
			continue;
		for (unsigned at = 0; at < n;) {
			int sent = sendmmsg(fd, messages + at, n - at, 0);

			CHECK(sent > 0);
			at += (unsigned)sent;
		}
		n = 0;
	}
}

static void run(void)
{
	struct hearer *all = aligned_alloc(64, (hearers * sizeof *all + 63) & ~(size_t)63);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER;
	uint64_t begin, cpu, packets = (uint64_t)(rate * seconds);

	CHECK(all && fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	for (unsigned i = 0; i < hearers; i++) {
		uint8_t raw[VOICE_KEY_SIZE] = {(uint8_t)i, (uint8_t)(i >> 8), 7};

		voice_key_init(&all[i].key, raw);
		all[i].base = (struct crypt_nonce){i, i};
	}
	begin = now_ns(CLOCK_MONOTONIC);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < packets; i++) {
		uint64_t due = begin + (uint64_t)((double)i * 1e9 / rate);
		struct timespec when = {(time_t)(due / 1000000000), (long)(due % 1000000000)};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
		say(fd, all, i + 1);
	}
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	begin = now_ns(CLOCK_MONOTONIC) - begin;
	usleep(200000);
	printf("{\"event\":\"report\",\"hearers\":%u,\"sent\":%llu,\"heard\":%llu,\"seconds\":%.3f,"
	       "\"cpu_s\":%.4f}\n",
	       hearers, (unsigned long long)(packets * hearers),
	       (unsigned long long)atomic_load(&shared->heard), (double)begin / 1e9,
	       (double)cpu / 1e9);
	free(all);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"hearers", 1, NULL, 'h'}, {"rate", 1, NULL, 'r'},
					      {"len", 1, NULL, 'l'},     {"seconds", 1, NULL, 's'},
					      {"openssl", 0, NULL, 'o'}, {NULL, 0, NULL, 0}};
	int code;

	cipher = voice_cipher();
	while ((code = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (code) {
		case 'h': hearers = (unsigned)atoi(optarg); break;
		case 'r': rate = atof(optarg); break;
		case 'l': len = (size_t)atoi(optarg); break;
		case 's': seconds = atof(optarg); break;
		case 'o': cipher = &voice_cipher_openssl; break;
		default: return 2;
		}
	CHECK(hearers > 0 && hearers <= HEARERS_MAX && rate > 0 && len > CRYPT_HEAD &&
	      len <= CRYPT_MAX);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){HEARERS_MAX + 64, HEARERS_MAX + 64});
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	CHECK(shared != MAP_FAILED);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		hear();
	}
	while (!atomic_load(&shared->ready))
		usleep(1000);
	run();
	atomic_store(&shared->over, true);
	wait(NULL);
	voice_cipher_thread_stop();
	return 0;
}
