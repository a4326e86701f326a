/* ringmain-pacer: the raw limit of fan-out over TCP on this machine, to hold servers against.
 *
 *     accept N, answer each with a head ──▶ every turn: one send() of bitrate × turn to each
 *
 * It is what is left of a radio server when everything but the sends is taken away: one thread, no
 * protocol, no events, no memory per listener but a descriptor. The listeners of a turn are spread
 * over it in slots, so that the load is even. The bytes are those of a buffer that is read in a
 * circle, as a server reads its ring.
 *
 * Prints "listening", "running" and "done" as JSON lines; CPU is counted between the last two.
 * Exit status: 0, 1 when not all N listeners came, 2 bad usage. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wire.h"

enum { RING = 4 << 20 };

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	stopped = signo;
}

static const char usage[] =
	"usage: ringmain-pacer --url http://ADDRESS:PORT/ --listeners N [options]\n"
	"  --turn MS              each listener is sent to once a turn (250)\n"
	"  --slot MS              a turn is divided into slots of about this length (5)\n"
	"  --bitrate KBIT         (128)\n"
	"  --seconds S            of sending (20)\n"
	"  --accept-seconds S     the listeners must have come by then (120)\n";

struct pacer {
	struct wire_url url;
	unsigned listeners, kbps;
	double turn_ms, slot_ms, seconds, accept_seconds;
	int *fds;
	unsigned count;
	uint64_t sends, bytes, blocked, partial, lost;
	int64_t late_max_us;
};

static void read_options(int argc, char **argv, struct pacer *p)
{
	enum { URL = 1, LISTENERS, TURN, SLOT, BITRATE, SECONDS, ACCEPT };
	static const struct option known[] = {
		{"url", 1, 0, URL},
		{"listeners", 1, 0, LISTENERS},
		{"turn", 1, 0, TURN},
		{"slot", 1, 0, SLOT},
		{"bitrate", 1, 0, BITRATE},
		{"seconds", 1, 0, SECONDS},
		{"accept-seconds", 1, 0, ACCEPT},
		{0},
	};
	bool url = false;
	int code, index = 0;

	*p = (struct pacer){
		.kbps = 128, .turn_ms = 250, .slot_ms = 5, .seconds = 20, .accept_seconds = 120};
	while ((code = getopt_long(argc, argv, "", known, &index)) != -1) {
		const char *name = known[index].name;

		if (code == URL)
			url = wire_url_parse(optarg, &p->url);
		else if (code == LISTENERS)
			p->listeners = (unsigned)wire_number(name, optarg, 1, 1e6);
		else if (code == TURN)
			p->turn_ms = wire_number(name, optarg, 1, 10000);
		else if (code == SLOT)
			p->slot_ms = wire_number(name, optarg, 0.1, 10000);
		else if (code == BITRATE)
			p->kbps = (unsigned)wire_number(name, optarg, 1, 1e5);
		else if (code == SECONDS)
			p->seconds = wire_number(name, optarg, 0.1, 1e6);
		else if (code == ACCEPT)
			p->accept_seconds = wire_number(name, optarg, 0.1, 1e6);
		else
			break;
	}
	if (code != -1 || optind < argc || !url || !p->listeners) {
		fputs(usage, stderr);
		exit(2);
	}
}

static int open_listener(const struct pacer *p)
{
	struct sockaddr_storage at;
	int on = 1, fd;

	if (wire_lookup(&p->url, &at) != 0)
		return -1;
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || listen(fd, 4096) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static void greet(struct pacer *p, int fd)
{
	static const char head[] = "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n-";
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL) == sizeof(head) - 1)
		p->fds[p->count++] = fd;
	else
		close(fd);
}

static void accept_all(struct pacer *p, int listener)
{
	mono_t until = mono_add_us(wire_now(), (int64_t)(p->accept_seconds * 1e6));

	while (!stopped && p->count < p->listeners && mono_before(wire_now(), until)) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1)
			greet(p, fd);
		else
			wire_sleep_until(mono_add_us(wire_now(), 1000));
	}
	/* The requests lie unread in the sockets: take them out, a close would be a reset. */
	for (unsigned i = 0; i < p->count; i++) {
		char request[2048];

		(void)!recv(p->fds[i], request, sizeof(request), 0);
	}
}

static void send_one(struct pacer *p, int *fd, const uint8_t *at, size_t len)
{
	ssize_t n = send(*fd, at, len, MSG_NOSIGNAL);

	p->sends++;
	if (n > 0) {
		p->bytes += (uint64_t)n;
		p->partial += (size_t)n < len;
	} else if (errno == EAGAIN) {
		p->blocked++;
	} else {
		p->lost++;
		close(*fd);
		*fd = -1;
	}
}

static void run(struct pacer *p, const uint8_t *ring)
{
	int64_t turn_us = (int64_t)(p->turn_ms * 1000);
	unsigned slots = p->slot_ms < p->turn_ms ? (unsigned)(p->turn_ms / p->slot_ms) : 1;
	size_t len = (size_t)(p->turn_ms * p->kbps / 8), pos = 0;
	mono_t start = wire_now(), end = mono_add_us(start, (int64_t)(p->seconds * 1e6));

	for (mono_t turn = start; !stopped && mono_before(turn, end);
	     turn = mono_add_us(turn, turn_us)) {
		for (unsigned s = 0; s < slots && !stopped; s++) {
			mono_t due = mono_add_us(turn, turn_us * s / slots);
			unsigned to = (unsigned)((uint64_t)p->count * (s + 1) / slots);
			int64_t late;

			wire_sleep_until(due);
			late = mono_since_us(wire_now(), due);
			if (late > p->late_max_us)
				p->late_max_us = late;
			for (unsigned i = (unsigned)((uint64_t)p->count * s / slots); i < to; i++)
				if (p->fds[i] != -1)
					send_one(p, &p->fds[i], ring + pos, len);
		}
		pos = pos + len < RING ? pos + len : 0;
	}
}

static void report(const struct pacer *p, int64_t cpu_us, double seconds)
{
	/* By what was sent and not by the clock: a machine too busy for the pace counts as that. */
	double listener_s = (double)p->bytes / (p->kbps * 125.0);

	printf("{\"event\":\"done\",\"listeners\":%u,\"turn_ms\":%g,\"kbps\":%u,\"seconds\":%.3f,"
	       "\"sends\":%llu,\"bytes\":%llu,\"blocked\":%llu,\"partial\":%llu,\"lost\":%llu,"
	       "\"cpu_s\":%.3f,\"cpu_us_per_send\":%.3f,\"cpu_us_per_listener_s\":%.3f,"
	       "\"listeners_per_core\":%.0f,\"share\":%.3f,\"late_max_ms\":%.3f}\n",
	       p->count, p->turn_ms, p->kbps, seconds, (unsigned long long)p->sends,
	       (unsigned long long)p->bytes, (unsigned long long)p->blocked,
	       (unsigned long long)p->partial, (unsigned long long)p->lost, (double)cpu_us / 1e6,
	       p->sends ? (double)cpu_us / (double)p->sends : 0,
	       listener_s > 0 ? (double)cpu_us / listener_s : 0,
	       cpu_us ? listener_s * 1e6 / (double)cpu_us : 0,
	       p->count ? listener_s / (p->count * seconds) : 0, (double)p->late_max_us / 1e3);
}

int main(int argc, char **argv)
{
	static uint8_t ring[2 * RING]; /* a send that begins before the end goes on behind it */
	struct pacer p;
	struct rlimit limit;
	int listener;
	int64_t cpu_us;
	mono_t start;

	read_options(argc, argv, &p);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	p.fds = calloc(p.listeners, sizeof(*p.fds));
	memset(ring, 0x55, sizeof(ring));
	listener = open_listener(&p);
	if (!p.fds || listener == -1) {
		perror("ringmain-pacer");
		return 2;
	}
	puts("{\"event\":\"listening\"}");
	fflush(stdout);
	accept_all(&p, listener);
	printf("{\"event\":\"running\",\"listeners\":%u}\n", p.count);
	fflush(stdout);
	cpu_us = wire_cpu_us();
	start = wire_now();
	run(&p, ring);
	report(&p, wire_cpu_us() - cpu_us, (double)mono_since_us(wire_now(), start) / 1e6);
	for (unsigned i = 0; i < p.count; i++)
		if (p.fds[i] != -1)
			close(p.fds[i]);
	free(p.fds);
	close(listener);
	return p.count == p.listeners ? 0 : 1;
}
