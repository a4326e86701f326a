#include "voiceswarm.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define FOREIGN   8u
#define OWN       8u /* of addresses that clients have */
#define LISTS     4u
#define BATCH     64u
#define LONGEST   1400u
#define TICK_NS   2000000
#define LIST_PING 12u

struct junk {
	int foreign[FOREIGN], own[OWN], lists[LISTS];
	uint64_t turn;
	mono_t next, next_list;
};

static int socket_from(const struct vswarm *swarm, const char *from)
{
	int fd = socket(swarm->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET};

	if (fd == -1)
		abort();
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (from && inet_pton(AF_INET, from, &at.sin_addr) == 1 && swarm->to.ss_family == AF_INET &&
	    bind(fd, (struct sockaddr *)&at, sizeof at) == -1)
		abort();
	if (connect(fd, (const struct sockaddr *)&swarm->to, sizeof swarm->to) == -1)
		abort();
	return fd;
}

static void open_all(struct junk *junk, const struct vswarm *swarm)
{
	char from[32];

	for (unsigned i = 0; i < FOREIGN; i++) {
		snprintf(from, sizeof from, "127.77.%u.%u", i, i + 1);
		junk->foreign[i] = socket_from(swarm, from);
	}
	for (unsigned i = 0; i < OWN; i++)
		junk->own[i] = socket_from(swarm, vswarm_address(swarm, i, from));
	for (unsigned i = 0; i < LISTS; i++) {
		snprintf(from, sizeof from, "127.78.1.%u", i + 1);
		junk->lists[i] = socket_from(swarm, from);
	}
}

/* Of every length there is; some begin as voice, pings and answers do. */
static size_t make(struct junk *junk, uint8_t *out)
{
	static uint8_t pool[1 << 16];
	uint64_t n = junk->turn;
	size_t len;

	if (n % 1024 == 0)
		RAND_bytes(pool, sizeof pool);
	switch (n % 5) {
	case 0: len = n / 5 % 8; break;
	case 1: len = LONGEST - n / 5 % 400; break;
	default: len = 16 + n / 5 % 180; break;
	}
	memcpy(out, pool + n * 97 % (sizeof pool - LONGEST), len);
	if (len > 0)
		out[0] = (uint8_t)(n / 5); /* all numbers in turn */
	if (len == LIST_PING)
		out[1] |= 1;
	return len;
}

static unsigned due(mono_t now, mono_t *next, double rate)
{
	double count = (double)mono_since_us(now, *next) * rate / 1e6;

	if (rate <= 0 || count < 1)
		return 0;
	/* Who comes too late does not make good more than a tenth of a second. */
	if (count > rate / 10 && count > BATCH) {
		*next = now;
		return (unsigned)(rate / 10);
	}
	*next = mono_add_us(*next, (int64_t)((double)(unsigned)count * 1e6 / rate));
	return (unsigned)count;
}

static void send_batch(int fd, uint8_t (*bytes)[LONGEST], struct iovec *iov, unsigned count,
		       struct vswarm_junk *counts)
{
	struct mmsghdr messages[BATCH] = {{{0}, 0}};

	for (unsigned i = 0; i < count; i++) {
		iov[i].iov_base = bytes[i];
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned at = 0; at < count;) {
		int sent = sendmmsg(fd, messages + at, count - at, 0);

		if (sent <= 0)
			return;
		at += (unsigned)sent;
		counts->sent += (unsigned)sent;
	}
}

static void send_junk(struct junk *junk, struct vswarm_junk *counts, unsigned count)
{
	static uint8_t bytes[BATCH][LONGEST];
	struct iovec iov[BATCH];

	while (count > 0) {
		unsigned n = count < BATCH ? count : BATCH;
		unsigned from = (unsigned)(junk->turn / 7 % (FOREIGN + OWN));

		for (unsigned i = 0; i < n; i++, junk->turn++)
			iov[i].iov_len = make(junk, bytes[i]);
		send_batch(from < FOREIGN ? junk->foreign[from] : junk->own[from - FOREIGN], bytes,
			   iov, n, counts);
		count -= n;
	}
}

static void ask(struct junk *junk, struct vswarm_junk *counts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t ping[LIST_PING] = {0};

		RAND_bytes(ping + 4, 8);
		if (send(junk->lists[counts->asked % LISTS], ping, sizeof ping, 0) < 0)
			continue;
		counts->asked++;
		counts->asked_bytes += sizeof ping;
	}
}

static void listen_all(struct junk *junk, struct vswarm_junk *counts)
{
	uint8_t bytes[2048];
	ssize_t got;

	for (unsigned i = 0; i < FOREIGN + OWN; i++)
		while (recv(i < FOREIGN ? junk->foreign[i] : junk->own[i - FOREIGN], bytes,
			    sizeof bytes, 0) >= 0)
			counts->answers++;
	for (unsigned i = 0; i < LISTS; i++)
		while ((got = recv(junk->lists[i], bytes, sizeof bytes, 0)) >= 0) {
			counts->told++;
			counts->told_bytes += (uint64_t)got;
		}
}

void vswarm_junk(struct vswarm *swarm)
{
	const struct vswarm_options *o = &swarm->options;
	struct junk junk = {.turn = 0};
	bool began = false;

	open_all(&junk, swarm);
	while (atomic_load(&swarm->phase) != PHASE_END) {
		struct timespec tick = {0, TICK_NS};

		nanosleep(&tick, NULL);
		listen_all(&junk, &swarm->junk);
		if (atomic_load(&swarm->phase) != PHASE_TALK)
			continue;
		if (!began)
			junk.next = junk.next_list = mono_now();
		began = true;
		send_junk(&junk, &swarm->junk, due(mono_now(), &junk.next, o->junk));
		ask(&junk, &swarm->junk, due(mono_now(), &junk.next_list, o->list_pings));
	}
	listen_all(&junk, &swarm->junk);
}
