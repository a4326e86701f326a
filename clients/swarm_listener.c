#include "swarm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "veil.h"

enum {
	EVENTS = 512,
	HEAD_MAX = 4096,
	READ_MAX = 65536,
	DISCARD_MAX = 1 << 20,
	SLOW_STEP_US = 50 * 1000,
	SLOW_RCVBUF = 16384,
	JOIN_TICK_US = 1000,
};

struct work {
	struct swarm *swarm;
	struct swarm_crew *crew;
	unsigned process, next, waiting; /* waiting: begun, and neither served nor over */
	int epoll;
	bool has_slow;
	mono_t slow_due;
	uint8_t read[READ_MAX];
};

/* Never touched: MSG_TRUNC makes TCP throw the bytes away where they lie (tcp(7)). */
static uint8_t discard[DISCARD_MAX];

static void on_frame(struct oracle *oracle, const struct oracle_frame *frame)
{
	struct swarm_ear *ear =
		(struct swarm_ear *)(void *)((char *)oracle - offsetof(struct swarm_ear, oracle));
	const struct swarm_listener *listener = ear->listener;
	int64_t took = mono_since_us(listener->last, frame->sent);

	/* What was sent before we came is burst: its age is no latency. */
	if (listener->slow || mono_before(frame->sent, listener->began))
		return;
	spread_add(&ear->crew->latency_us, took);
	if (ear->crew->frames) {
		struct swarm_frame *at = &ear->crew->frames[frame->number % SWARM_FRAMES];
		int64_t last = atomic_load_explicit(&at->last_us, memory_order_relaxed);

		atomic_fetch_add_explicit(&at->heard, 1, memory_order_relaxed);
		while (took > last && !atomic_compare_exchange_weak_explicit(
					      &at->last_us, &last, took, memory_order_relaxed,
					      memory_order_relaxed))
			;
	}
}

static struct swarm_ear *ear_of_icy(struct icy *icy)
{
	return (struct swarm_ear *)(void *)((char *)icy - offsetof(struct swarm_ear, icy));
}

static void on_audio(struct icy *icy, struct bytes audio)
{
	oracle_input(&ear_of_icy(icy)->oracle, audio);
}

static void on_title(struct icy *icy, struct bytes title)
{
	struct swarm_ear *ear = ear_of_icy(icy);
	const struct oracle_counts *heard = &ear->oracle.counts;
	uint64_t number;

	if (title.len == 0)
		return; /* none set yet */
	if (!bytes_start_with(title, BYTES("title ")) ||
	    !bytes_to_u64(bytes_skip(title, 6), UINT64_MAX, &number)) {
		ear->titles_foreign++;
		return;
	}
	if (heard->switches || !heard->frames)
		return;
	ear->titles++;
	if (number > heard->last)
		ear->titles_early++;
	else if (ear->titles > 1 && number != ear->title &&
		 heard->last - number > ear->title_late_max)
		ear->title_late_max = heard->last - number;
	ear->titles_back += ear->titles > 1 && number < ear->title;
	ear->title = number;
}

static void end(struct work *work, struct swarm_listener *listener, enum swarm_state state, int err)
{
	_Atomic uint64_t *count = listener->first.us ? &work->crew->ended : &work->crew->over;

	if (!listener->first.us)
		work->waiting--;
	veil_close(listener->veil);
	listener->veil = NULL;
	close(listener->fd);
	listener->fd = -1;
	free(listener->head);
	listener->head = NULL;
	listener->state = state;
	listener->err = err;
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

/* n bytes of the body came; at is NULL when they were thrown away unread. */
static void hear(struct work *work, struct swarm_listener *listener, const uint8_t *at, size_t n,
		 mono_t now)
{
	int64_t settle_us = (int64_t)(work->swarm->options.settle_s * 1e6);

	if (!listener->first.us) {
		listener->first = now;
		work->waiting--;
		atomic_fetch_add_explicit(&work->crew->served, 1, memory_order_relaxed);
	} else if (!listener->slow && mono_since_us(now, listener->first) >= settle_us) {
		int64_t gap = mono_since_us(now, listener->last);

		spread_add(&work->crew->gap_us, gap);
		if (gap > listener->gap_max_us)
			listener->gap_max_us = gap;
	}
	listener->last = now;
	listener->bytes += n;
	atomic_fetch_add_explicit(&work->crew->bytes, n, memory_order_relaxed);
	if (at && listener->ear)
		icy_input(&listener->ear->icy, bytes_of(at, n));
}

/* What nobody checks is not even opened: over TLS it is thrown away as it comes, but for what was
 * opened already. */
static ssize_t take(struct work *work, struct swarm_listener *listener, size_t ask)
{
	if (listener->veil && (listener->ear || veil_has(listener->veil)))
		return veil_read(listener->veil, work->read, ask < READ_MAX ? ask : READ_MAX);
	if (listener->ear)
		return recv(listener->fd, work->read, ask, 0);
	return recv(listener->fd, discard, ask, MSG_TRUNC);
}

/* closing: the end of the stream lies behind the data, and no event will tell of it again. */
static void read_body(struct work *work, struct swarm_listener *listener, size_t limit,
		      bool closing)
{
	bool check = listener->ear != NULL;

	while (limit) {
		size_t most = check ? READ_MAX : DISCARD_MAX, ask = limit < most ? limit : most;
		ssize_t n = take(work, listener, ask);

		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
			end(work, listener, listener->first.us ? SWARM_ENDED : SWARM_FAILED,
			    n == 0 ? 0 : errno);
			return;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return;
		hear(work, listener, check ? work->read : NULL, (size_t)n, wire_now());
		/* A short read emptied the socket (epoll(7), edge-triggered). */
		if ((size_t)n < ask && !closing && !listener->veil)
			return;
		limit -= (size_t)n;
	}
}

/* A slow listener has a right to so many bytes since its first one, and takes no more. */
static void read_slowly(struct work *work, struct swarm_listener *listener, mono_t now)
{
	const struct swarm_options *o = &work->swarm->options;
	int64_t since = listener->first.us ? mono_since_us(now, listener->first) : SLOW_STEP_US;
	uint64_t right = (uint64_t)((double)since * o->slow_rate * o->kbps / 8000.0);

	if (right > listener->bytes)
		read_body(work, listener, right - listener->bytes, false);
}

/* The head is there: judges it; what lies behind it is body. */
static void read_head_end(struct work *work, struct swarm_listener *listener, size_t head_len)
{
	struct bytes all = bytes_of(listener->head, listener->head_len);
	struct bytes head = bytes_first(all, head_len), body = bytes_skip(all, head_len), value;
	uint64_t interval = 0;

	listener->status = wire_status(head);
	if (listener->status != 200) {
		end(work, listener, listener->status ? SWARM_REFUSED : SWARM_FAILED, EPROTO);
		return;
	}
	listener->chunked = wire_field(head, BYTES("transfer-encoding"), &value);
	if (wire_field(head, BYTES("icy-metaint"), &value) &&
	    (!listener->icy || !bytes_to_u64(value, 1 << 24, &interval))) {
		end(work, listener, SWARM_FAILED, EPROTO);
		return;
	}
	listener->state = SWARM_BODY;
	if (listener->ear) {
		icy_init(&listener->ear->icy, (size_t)interval);
		listener->ear->icy.on_audio = on_audio;
		listener->ear->icy.on_title = on_title;
	}
	if (body.len)
		hear(work, listener, body.at, body.len, wire_now());
	free(listener->head);
	listener->head = NULL;
}

static void read_head(struct work *work, struct swarm_listener *listener)
{
	while (listener->state == SWARM_HEAD) {
		char *at = listener->head + listener->head_len;
		size_t room = HEAD_MAX - listener->head_len;
		ssize_t n = listener->veil ? veil_read(listener->veil, at, room)
					   : recv(listener->fd, at, room, 0);
		size_t head_len;

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end(work, listener, SWARM_FAILED, n == 0 ? ECONNABORTED : errno);
			return;
		}
		listener->head_len += (size_t)n;
		head_len = wire_head_len(bytes_of(listener->head, listener->head_len));
		if (head_len)
			read_head_end(work, listener, head_len);
		else if (listener->head_len == HEAD_MAX)
			end(work, listener, SWARM_FAILED, EMSGSIZE);
	}
}

static const char *path_of(const struct swarm_options *o, unsigned i, char *room, size_t size)
{
	if (o->mounts) {
		snprintf(room, size, "/m%u", i % o->mounts);
		return room;
	}
	return o->n_paths ? o->paths[i % o->n_paths] : o->url.path;
}

static void ask(struct work *work, struct swarm_listener *listener)
{
	const struct swarm_options *o = &work->swarm->options;
	unsigned i = (unsigned)(listener - work->swarm->listeners);
	char head[1024], room[32];
	int len = snprintf(head, sizeof(head),
			   "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: %s\r\nAccept: */*\r\n"
			   "%sConnection: close\r\n\r\n",
			   path_of(o, i, room, sizeof(room)), o->url.host, o->url.port,
			   o->user_agent, listener->icy ? "Icy-MetaData: 1\r\n" : "");

	listener->head = malloc(HEAD_MAX);
	if (!listener->head ||
	    (listener->veil ? veil_write(listener->veil, head, (size_t)len)
			    : send(listener->fd, head, (size_t)len, MSG_NOSIGNAL)) != len) {
		end(work, listener, SWARM_FAILED, errno);
		return;
	}
	listener->state = SWARM_HEAD;
}

static void connected(struct work *work, struct swarm_listener *listener)
{
	const struct swarm_options *o = &work->swarm->options;
	int err = wire_connected(listener->fd);

	if (!err && o->url.tls) {
		listener->veil = veil_open(listener->fd, o->tls_1_2 ? 12 : 0);
		err = listener->veil ? 0 : -ENOMEM;
	}
	if (err)
		end(work, listener, SWARM_FAILED, -err);
	else if (listener->veil)
		listener->state = SWARM_SHAKING;
	else
		ask(work, listener);
}

static void shake(struct work *work, struct swarm_listener *listener)
{
	int went = veil_shake(listener->veil);

	if (went < 0)
		end(work, listener, SWARM_FAILED, -went);
	else if (went == 1)
		ask(work, listener);
}

static void ready(struct work *work, struct swarm_listener *listener, uint32_t events)
{
	if (listener->state == SWARM_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		connected(work, listener);
	if (listener->state == SWARM_SHAKING)
		shake(work, listener);
	if (listener->state == SWARM_HEAD)
		read_head(work, listener);
	if (listener->state == SWARM_BODY && !listener->slow)
		read_body(work, listener, SIZE_MAX, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* Listener i is one of a share of all when the running share passes a whole number at i. */
static bool is_one_of(double share, uint64_t i)
{
	return (uint64_t)((double)(i + 1) * share + 1e-9) > (uint64_t)((double)i * share + 1e-9);
}

static void begin(struct work *work, unsigned i, mono_t now)
{
	struct swarm *swarm = work->swarm;
	const struct swarm_options *o = &swarm->options;
	struct swarm_listener *listener = &swarm->listeners[i];
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	struct sockaddr_storage to = o->to;
	int small = SLOW_RCVBUF;

	wire_set_port(&to, (uint16_t)(o->url.port + i % o->ports));
	listener->icy = is_one_of(o->icy, i);
	/* Another order, so that the slow are not the ones that ask for titles. */
	listener->slow = is_one_of(o->slow, (uint64_t)i * 7919 % o->listeners);
	listener->began = now;
	listener->state = SWARM_CONNECTING;
	atomic_fetch_add_explicit(&work->crew->opened, 1, memory_order_relaxed);
	work->waiting++;
	listener->fd = wire_connect(&to, o->sources ? 2 + i % o->sources : 0);
	if (listener->fd < 0) {
		listener->err = -listener->fd;
		listener->state = SWARM_FAILED;
		listener->fd = -1;
		work->waiting--;
		atomic_fetch_add_explicit(&work->crew->over, 1, memory_order_relaxed);
		return;
	}
	if (listener->slow) {
		work->has_slow = true;
		setsockopt(listener->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	}
	if (listener->ear) {
		oracle_init(&listener->ear->oracle);
		listener->ear->oracle.on_frame = on_frame;
		listener->ear->listener = listener;
		listener->ear->crew = work->crew;
	}
	event.data.u32 = i;
	epoll_ctl(work->epoll, EPOLL_CTL_ADD, listener->fd, &event);
}

static mono_t join_due(const struct work *work)
{
	const struct swarm_options *o = &work->swarm->options;

	if (work->next >= o->listeners)
		return MONO_NEVER;
	return mono_add_us(work->swarm->start, (int64_t)(work->next / o->rate * 1e6));
}

static void begin_due(struct work *work, mono_t now)
{
	const struct swarm_options *o = &work->swarm->options;
	unsigned most = o->pending ? 1 + (o->pending - 1) / o->processes : UINT32_MAX;

	while (work->waiting < most && !mono_before(now, join_due(work))) {
		begin(work, work->next, wire_now());
		work->next += o->processes;
	}
}

static void tick_slow(struct work *work, mono_t now)
{
	const struct swarm_options *o = &work->swarm->options;

	if (!work->has_slow || mono_before(now, work->slow_due))
		return;
	work->slow_due = mono_add_us(now, SLOW_STEP_US);
	for (unsigned i = work->process; i < work->next && i < o->listeners; i += o->processes) {
		struct swarm_listener *listener = &work->swarm->listeners[i];

		if (listener->slow && listener->state == SWARM_BODY)
			read_slowly(work, listener, now);
	}
}

static int wait_events(struct work *work, struct epoll_event *events, int64_t timeout_us)
{
	struct timespec ts = {0, timeout_us > 0 ? timeout_us * 1000 : 0};
	int n = epoll_pwait2(work->epoll, events, EVENTS, &ts, NULL);

	for (int i = 0; i < n; i++)
		ready(work, &work->swarm->listeners[events[i].data.u32], events[i].events);
	return n;
}

/* With a tick, the process sleeps whatever comes and then reads everybody that has something: the
 * server's sends wake nobody, which is most of what a listener costs. Without one, it reads at
 * once, to measure latency. */
static void turn(struct work *work, mono_t now)
{
	struct epoll_event events[EVENTS];
	int64_t tick_us = (int64_t)(work->swarm->options.tick_ms * 1000);
	bool joining = work->next < work->swarm->options.listeners || work->waiting;
	mono_t then;

	if (joining && tick_us > JOIN_TICK_US)
		tick_us = JOIN_TICK_US;
	then = mono_min(mono_add_us(now, tick_us ? tick_us : JOIN_TICK_US * 10), join_due(work));
	if (work->has_slow)
		then = mono_min(then, work->slow_due);
	if (mono_before(then, now))
		then = mono_add_us(now, JOIN_TICK_US); /* joins wait for others to be served */
	if (!tick_us) {
		wait_events(work, events, mono_since_us(then, now));
		return;
	}
	wire_sleep_until(then);
	while (wait_events(work, events, 0) == EVENTS)
		begin_due(work, wire_now());
}

/* A listener that hears nothing any more has a gap that is still open. */
static void close_gaps(struct work *work)
{
	const struct swarm_options *o = &work->swarm->options;
	mono_t now = wire_now();

	for (unsigned i = work->process; i < o->listeners; i += o->processes) {
		struct swarm_listener *listener = &work->swarm->listeners[i];
		int64_t gap = mono_since_us(now, listener->last);

		if (listener->state == SWARM_BODY && listener->first.us && !listener->slow &&
		    gap > listener->gap_max_us)
			listener->gap_max_us = gap;
	}
}

void swarm_work(struct swarm *swarm, unsigned process)
{
	static struct work work;

	work.swarm = swarm;
	work.crew = &swarm->crew[process];
	work.crew->frames = swarm->frames;
	work.process = work.next = process;
	work.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (work.epoll == -1) {
		perror("epoll");
		return;
	}
	wire_sleep_until(swarm->start);
	while (!atomic_load_explicit(&swarm->stop, memory_order_relaxed)) {
		mono_t now = wire_now();

		begin_due(&work, now);
		tick_slow(&work, now);
		turn(&work, now);
	}
	close_gaps(&work);
	work.crew->cpu_us = wire_cpu_us();
}
