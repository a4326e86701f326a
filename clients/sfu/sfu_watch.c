/* The viewers' half: offers are posted by threads, all else is one loop.
 *
 *   loop ── numbers ──▶ queue ──▶ threads: POST, DELETE ── numbers ──▶ pipe ──▶ loop: ICE, DTLS, SRTP
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sfu_viewer.h"
#include "sfuload.h"

#define TICK_US      10000
#define GIVE_UP_US   60000000
#define LEAST_US     INT64_C(180000000) /* so much longer, for what is awaited */
#define DRAIN_US     30000000           /* so much longer, for what is still missing */
#define MEMINFO_DROP 8                  /* SK_MEMINFO_DROPS of linux/sock_diag.h */

struct crowd {
	const struct load_options *options;
	struct viewer *viewers;
	unsigned count, asked;
	int fd, pipe[2];
	struct viewer_sums sums;
	uint64_t joined, refused, broken, left, statuses[1000];
	uint64_t slow_packets;
	uint64_t random;
	unsigned burst_left;
	mono_t start, end;
	bool draining;
	struct spread post_us;
	/* What threads are to do: shared with them. */
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job {
		uint32_t index;
		bool leaves; /* DELETE first */
	} * job;
	unsigned job_begin, job_end, job_size;
	bool stopping;
};

static double next_random(struct crowd *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return (double)(c->random >> 11) / 9007199254740992.0;
}

/* --- signalling ------------------------------------------------------------------------------------------ */

static void push(struct crowd *c, uint32_t index, bool leaves)
{
	c->viewers[index].state = VIEWER_SIGNAL;
	pthread_mutex_lock(&c->lock);
	c->job[c->job_end++ % c->job_size] = (struct job){index, leaves};
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

static bool pop(struct crowd *c, struct job *job)
{
	bool some;

	pthread_mutex_lock(&c->lock);
	while (c->job_begin == c->job_end && !c->stopping)
		pthread_cond_wait(&c->more, &c->lock);
	some = !c->stopping;
	if (some)
		*job = c->job[c->job_begin++ % c->job_size];
	pthread_mutex_unlock(&c->lock);
	return some;
}

static void *signal_thread(void *arg)
{
	struct crowd *c = arg;
	const struct load_options *o = c->options;
	struct signal_line line = {.url = &o->url, .token = o->token, .fd = -1};
	struct job job;

	if (wire_lookup(&o->url, &line.to) != 0)
		return NULL;
	while (pop(c, &job)) {
		struct signal_peer *peer = &c->viewers[job.index].link.peer;

		if (job.leaves)
			(void)signal_delete(&line, peer);
		(void)signal_offer(&line, o->h264, o->rtx, 0, 0, peer);
		if (write(c->pipe[1], &job.index, sizeof job.index) != sizeof job.index)
			break;
	}
	signal_close(&line);
	return NULL;
}

/* Who is asked for from outside: a line each, as who speaks the other server's language says it. */
static void *lines_thread(void *arg)
{
	struct crowd *c = arg;
	char line[1024], address[64];
	uint32_t index;
	unsigned port;

	while (fgets(line, sizeof line, stdin)) {
		struct signal_peer peer = {.status = 201};
		struct signal_peer *to;

		/* NOLINTNEXTLINE(cert-err34-c): so many digits are in range */
		if (sscanf(line, "%9u %63s %5u %256s %256s", &index, address, &port,
			   peer.names.peer_ufrag, peer.names.peer_pwd) != 5 ||
		    index >= c->count || inet_pton(AF_INET, address, &peer.at.sin_addr) != 1)
			continue;
		to = &c->viewers[index].link.peer;
		memcpy(peer.names.ufrag, to->names.ufrag, sizeof peer.names.ufrag);
		memcpy(peer.names.pwd, to->names.pwd, sizeof peer.names.pwd);
		peer.at.sin_family = AF_INET;
		peer.at.sin_port = htons((uint16_t)port);
		*to = peer;
		if (write(c->pipe[1], &index, sizeof index) != sizeof index)
			break;
	}
	return NULL;
}

static void name(struct viewer *v)
{
	snprintf(v->link.peer.names.ufrag, sizeof v->link.peer.names.ufrag, "view%u", v->number);
	snprintf(v->link.peer.names.pwd, sizeof v->link.peer.names.pwd, "sfuloadsfuloadsfuload00");
}

static void on_signalled(struct crowd *c, uint32_t index, mono_t now)
{
	struct viewer *v = &c->viewers[index];

	c->statuses[v->link.peer.status % 1000]++;
	if (c->options->lines)
		v->begun = now;
	if (v->link.peer.status != 201) {
		v->state = VIEWER_FAILED;
		c->refused++;
		return;
	}
	spread_add(&c->post_us, mono_since_us(now, v->begun));
	v->state = VIEWER_LINK;
	link_begin(&v->link, c->fd, v->number, false, now);
}

static void fetch_signalled(struct crowd *c, mono_t now)
{
	uint32_t index[256];
	ssize_t n = read(c->pipe[0], index, sizeof index);

	for (ssize_t i = 0; i < n / (ssize_t)sizeof *index; i++)
		on_signalled(c, index[i], now);
}

/* --- datagrams -------------------------------------------------------------------------------------------- */

static bool is_lost(struct crowd *c)
{
	if (c->draining || c->options->loss <= 0)
		return false;
	if (c->burst_left) {
		c->burst_left--;
		return true;
	}
	if (next_random(c) >= c->options->loss / c->options->burst)
		return false;
	c->burst_left = (unsigned)c->options->burst - 1;
	return true;
}

static void on_datagram(void *owner, uint32_t number, struct bytes in, mono_t now)
{
	struct crowd *c = owner;
	struct viewer *v;

	number -= c->options->first;
	if (number >= c->count || !in.len)
		return;
	v = &c->viewers[number];
	if (in.at[0] < 128) {
		if (v->state == VIEWER_LINK || v->state == VIEWER_ON)
			link_take(&v->link, in, now);
		if (v->state == VIEWER_LINK && v->link.state == LINK_UP) {
			v->state = VIEWER_ON;
			v->up = now;
			c->joined++;
			spread_add(&c->sums.up_us, mono_since_us(now, v->begun));
		}
		return;
	}
	if (v->state != VIEWER_ON)
		return;
	if (v->slow) {
		c->slow_packets++;
		if (mono_since_us(now, c->start) / 1000000 % 10)
			return;
	}
	viewer_media(v, in, is_lost(c) || v->slow, now, &c->sums);
}

/* --- the loop ------------------------------------------------------------------------------------------------ */

static void begin_viewer(struct crowd *c, struct viewer *v, bool leaves, mono_t now)
{
	struct viewer fresh = {
		.number = v->number, .checked = v->checked, .slow = v->slow, .begun = now};
	struct signal_peer peer = v->link.peer;

	link_end(&v->link);
	*v = fresh;
	v->link.peer = peer;
	name(v);
	if (c->options->stay > 0)
		v->ends = mono_add_us(now,
				      (int64_t)(c->options->stay * (0.5 + next_random(c)) * 1e6));
	push(c, (uint32_t)(v - c->viewers), leaves);
}

static void tick_viewer(struct crowd *c, struct viewer *v, mono_t now)
{
	if (v->state != VIEWER_LINK && v->state != VIEWER_ON)
		return;
	link_tick(&v->link, now);
	if (v->state == VIEWER_LINK &&
	    (v->link.state == LINK_BROKEN || mono_since_us(now, v->begun) > GIVE_UP_US)) {
		v->state = VIEWER_FAILED;
		c->broken++;
		return;
	}
	if (v->state != VIEWER_ON)
		return;
	viewer_tick(v, now, !v->slow, &c->sums);
	if (v->ends.us && now.us > v->ends.us && !c->draining) {
		c->left++;
		begin_viewer(c, v, c->left & 1, now);
	}
}

static void tick(struct crowd *c, mono_t now)
{
	double due = (double)mono_since_us(now, c->start) / 1e6 * c->options->rate + 1;

	while (!c->options->lines && c->asked < c->count && c->asked < due)
		begin_viewer(c, &c->viewers[c->asked++], false, now);
	for (unsigned i = 0; i < c->count; i++)
		tick_viewer(c, &c->viewers[i], now);
}

static void print_times(const char *what, const struct spread *spread)
{
	printf(",\"%s\":{\"n\":%llu,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", what,
	       (unsigned long long)spread->count, (double)spread_at(spread, .5) / 1e3,
	       (double)spread_at(spread, .99) / 1e3, (double)spread->max / 1e3);
}

static void print_progress(const struct crowd *c, mono_t now)
{
	printf("{\"event\":\"progress\",\"t\":%.3f,\"joined\":%llu,\"whole\":%llu,\"refused\":%llu,"
	       "\"broken\":%llu,\"packets\":%llu,\"bytes\":%llu}\n",
	       (double)mono_since_us(now, c->start) / 1e6, (unsigned long long)c->joined,
	       (unsigned long long)c->sums.whole_us.count, (unsigned long long)c->refused,
	       (unsigned long long)c->broken, (unsigned long long)c->sums.packets,
	       (unsigned long long)c->sums.bytes);
}

#define NUMBER(field) printf(",\"" #field "\":%llu", (unsigned long long)s->field)

static uint64_t lost_of(const struct crowd *c)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < c->count; i++)
		if (!c->viewers[i].slow)
			lost += viewer_lost(&c->viewers[i]);
	return lost;
}

/* Datagrams that were here, and that we were too slow to take. */
static uint64_t overrun_of(const struct crowd *c)
{
	uint32_t info[MEMINFO_DROP + 1] = {0};
	socklen_t len = sizeof info;

	(void)getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, info, &len);
	return info[MEMINFO_DROP];
}

static int print_report(struct crowd *c)
{
	const struct viewer_sums *s = &c->sums;
	uint64_t lost = lost_of(c), overrun = overrun_of(c), watching = 0;

	for (unsigned i = 0; i < c->count; i++)
		watching += !c->viewers[i].slow && c->viewers[i].first.us != 0;
	printf("{\"event\":\"report\",\"viewers\":%u,\"watching\":%llu,\"joined\":%llu,\"left\":%"
	       "llu,"
	       "\"refused\":%llu,\"broken\":%llu,\"lost\":%llu,\"overrun\":%llu,\"slow_packets\":%"
	       "llu",
	       c->count, (unsigned long long)watching, (unsigned long long)c->joined,
	       (unsigned long long)c->left, (unsigned long long)c->refused,
	       (unsigned long long)c->broken, (unsigned long long)lost, (unsigned long long)overrun,
	       (unsigned long long)c->slow_packets);
	NUMBER(packets);
	NUMBER(bytes);
	NUMBER(opened);
	NUMBER(dropped);
	NUMBER(repaired);
	NUMBER(doubles);
	NUMBER(nacks);
	NUMBER(reports);
	NUMBER(bad);
	NUMBER(torn);
	NUMBER(astray);
	NUMBER(moves);
	NUMBER(torn_starts);
	printf(",\"statuses\":{");
	for (unsigned i = 0, n = 0; i < 1000; i++)
		if (c->statuses[i])
			printf("%s\"%u\":%llu", n++ ? "," : "", i,
			       (unsigned long long)c->statuses[i]);
	printf("}");
	print_times("post_ms", &c->post_us);
	print_times("up_ms", &s->up_us);
	print_times("first_ms", &s->first_us);
	print_times("key_ms", &s->key_us);
	print_times("whole_ms", &s->whole_us);
	print_times("latency_ms", &s->latency_us);
	printf(",\"cpu_s\":%.3f}\n", (double)wire_cpu_us() / 1e6);
	/* Who loses its first packet begins behind it. */
	return s->torn || s->astray || (s->torn_starts && c->options->loss <= 0 && !overrun) ||
	       (lost && !overrun) || (s->bad && c->options->stay <= 0);
}

static bool is_over(struct crowd *c, bool all, mono_t now)
{
	const struct load_options *o = c->options;
	int64_t past_us = mono_since_us(now, c->start) - (int64_t)(o->seconds * 1e6);
	bool enough = o->least <= 0 || (all && (double)c->sums.packets >= o->least);

	if (!c->draining && past_us > 0 && (enough || past_us > LEAST_US)) {
		c->draining = true;
		c->end = mono_add_us(now, (int64_t)(o->drain * 1e6));
	}
	return c->draining && now.us >= c->end.us &&
	       (lost_of(c) == 0 || mono_since_us(now, c->end) > DRAIN_US);
}

static void run(struct crowd *c)
{
	mono_t now = c->start = wire_now(), ticked = now, told = now;
	bool all = false;

	while (!load_stopped && !is_over(c, all, now)) {
		struct pollfd wait[2] = {{c->fd, POLLIN, 0}, {c->pipe[0], POLLIN, 0}};

		(void)poll(wait, 2, TICK_US / 1000);
		for (int i = 0; i < 64 && link_receive(c->fd, on_datagram, c); i++)
			;
		now = wire_now();
		if (wait[1].revents)
			fetch_signalled(c, now);
		if (mono_since_us(now, ticked) >= TICK_US) {
			ticked = now;
			tick(c, now);
		}
		if (!all && c->sums.whole_us.count + c->refused + c->broken >= c->count) {
			all = true;
			printf("{\"event\":\"joined\",\"took_s\":%.3f}\n",
			       (double)mono_since_us(now, c->start) / 1e6);
		}
		if (mono_since_us(now, told) >= 1000000) {
			told = now;
			print_progress(c, now);
		}
	}
}

int load_watch(const struct load_options *o)
{
	struct crowd *c = calloc(1, sizeof *c);
	pthread_t thread[64];
	unsigned threads = o->lines ? 1 : o->threads;
	struct sockaddr_in own = {0};
	socklen_t own_len = sizeof own;
	int status;

	c->options = o;
	c->count = o->viewers;
	c->viewers = calloc(c->count, sizeof *c->viewers);
	c->job_size = c->count + 1;
	c->job = calloc(c->job_size, sizeof *c->job);
	c->random = o->seed * 2654435761u + 88172645463325252u;
	c->fd = link_socket();
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
	if (c->fd < 0 || pipe(c->pipe) != 0)
		return 2;
	for (unsigned i = 0; i < c->count; i++) {
		struct viewer *v = &c->viewers[i];

		v->number = o->first + i;
		v->checked = i % o->check == 0;
		v->slow = i + 1 > c->count - (unsigned)(o->slow * c->count);
		name(v);
	}
	getsockname(c->fd, (struct sockaddr *)&own, &own_len);
	printf("{\"event\":\"ready\",\"fingerprint\":\"%s\",\"pwd\":\"%s\",\"port\":%u}\n",
	       lock_fingerprint(), c->viewers[0].link.peer.names.pwd, ntohs(own.sin_port));
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, o->lines ? lines_thread : signal_thread, c) !=
		    0)
			return 2;
	run(c);
	status = print_report(c);
	/* The process ends: so do its threads, in whatever they wait for. */
	fflush(stdout);
	_exit(status);
}
