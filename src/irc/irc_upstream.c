#include "irc/irc_upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/edge.h"
#include "edge/proto/reach.h"
#include "edge/tls_outgoing.h"
#include "irc/irc_bind.h"
#include "irc/irc_gap.h"
#include "irc/irc_multiline.h"
#include "irc/irc_network.h"
#include "irc/irc_proxy.h"
#include "irc/irc_service.h"

#define READS_A_TURN 4 /* of what irc.turn leaves time for */
#define PAUSE_MOST_MS \
	5000 /* then PING is answered again, and what is said may be lost to the store */

static void on_ready(uv_poll_t *poll, int status, int events);
static void try_next(struct irc_upstream *up, const char *why);
static void read_some(struct irc_upstream *up);

/* --- addresses ------------------------------------------------------------------------------ */

static bool place_parse(struct bytes in, struct irc_place *place)
{
	uint64_t port = 0;
	size_t colon;

	*place = (struct irc_place){.tls = true};
	if (bytes_start_with(in, BYTES("irc+unix://"))) {
		in = bytes_skip(in, 11);
		place->tls = false;
		place->is_unix = true;
		/* As long as a path of a socket may be. */
		return in.len > 1 && in.at[0] == '/' && in.len < 108 &&
		       bytes_to_str(in, place->host, sizeof place->host) == in.len;
	}
	if (bytes_start_with(in, BYTES("ircs://"))) {
		in = bytes_skip(in, 7);
	} else if (bytes_start_with(in, BYTES("irc+insecure://"))) {
		in = bytes_skip(in, 15);
		place->tls = false;
	} else if (bytes_start_with(in, BYTES("irc://"))) {
		in = bytes_skip(in, 6);
		place->tls = false;
	}
	port = place->tls ? 6697 : 6667;
	colon = in.len;
	while (colon && in.at[colon - 1] != ':' && in.at[colon - 1] != ']')
		colon--;
	/* "host:port", "[v6]:port"; an IPv6 address without brackets has no port. */
	if (colon && in.at[colon - 1] == ':' &&
	    (in.at[0] == '[' || bytes_find(in, ':') == colon - 1)) {
		if (!bytes_to_u64(bytes_skip(in, colon), 65535, &port) || !port)
			return false;
		in = bytes_first(in, colon - 1);
	}
	if (in.len > 2 && in.at[0] == '[' && in.at[in.len - 1] == ']')
		in = bytes_first(bytes_skip(in, 1), in.len - 2);
	place->port = (uint16_t)port;
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] <= ' ' || in.at[i] == '/' || in.at[i] == '@')
			return false;
	return in.len && bytes_to_str(in, place->host, sizeof place->host) == in.len;
}

bool irc_upstream_addr_valid(struct bytes list)
{
	struct irc_place place;

	while (list.len) {
		struct bytes one = bytes_cut(&list, ' ');

		if (one.len && !place_parse(one, &place))
			return false;
	}
	return true;
}

bool irc_upstream_place(const char *text, unsigned n, struct irc_place *place)
{
	struct bytes list = bytes_str(text), rest = list;
	unsigned count = 0;

	while (rest.len)
		count += bytes_cut(&rest, ' ').len > 0;
	if (!count)
		return false;
	for (n %= count; list.len;) {
		struct bytes one = bytes_cut(&list, ' ');

		if (one.len && n-- == 0)
			return place_parse(one, place);
	}
	return false;
}

bool irc_upstream_place_of(const struct irc_network *network, struct irc_place *place)
{
	if (!irc_upstream_place(network->conf.addr, network->server, place))
		return false;
	/* IRCv3 sts: the promise holds whatever the address says. */
	if (!place->is_unix && !place->tls && network->conf.sts_port &&
	    network->conf.sts_until > wall_now_us() / 1000000) {
		place->tls = true;
		place->port = (uint16_t)network->conf.sts_port;
	}
	return true;
}

/* --- the end -------------------------------------------------------------------------------- */

static void up_free(struct irc_upstream *up)
{
	if (up->handles || up->resolving)
		return;
	irc_pipe_fini(&up->in);
	irc_pipe_fini(&up->unheard);
	irc_pipe_fini(&up->out);
	irc_pipe_fini(&up->queue);
	irc_pipe_fini(&up->challenge);
	irc_gaps_drop(up);
	irc_register_forget(up);
	free(up->sasl_offer);
	free(up->wants_nick);
	free(up->fault);
	free(up);
}

static void on_closed_poll(uv_handle_t *handle)
{
	struct irc_upstream *up = container_of((uv_poll_t *)handle, struct irc_upstream, poll);

	up->handles--;
	up_free(up);
}

static void on_closed_timer(uv_handle_t *handle)
{
	struct irc_upstream *up = container_of((uv_timer_t *)handle, struct irc_upstream, timer);

	up->handles--;
	up_free(up);
}

/* The socket, and what hangs on it. */
static void socket_drop(struct irc_upstream *up)
{
	enter_worker();
	handshake_destroy(&up->handshake);
	if (!up->polled)
		return;
	uv_close((uv_handle_t *)&up->poll, on_closed_poll);
	up->polled = false;
	link_close_gently(up->link);
	up->link = link_plain(-1);
}

void irc_upstream_resume(struct irc_upstream *up)
{
	if (!up->paused || irc_here.hushed)
		return;
	/* A disk that hangs costs history, in the end, and no connection. */
	if (irc_here.store_full &&
	    mono_since_us(mono_now(), up->paused_at) < PAUSE_MOST_MS * INT64_C(1000))
		return;
	up->is_let = irc_here.store_full;
	up->paused = false;
	up->network->is_tight = false;
	irc_here.paused--;
	read_some(up);
}

static void up_end(struct irc_upstream *up)
{
	if (up->paused)
		irc_here.paused--;
	up->paused = false;
	up->phase = IRC_PHASE_CLOSED;
	irc_gaps_drop(up);
	irc_multiline_drop(up);
	up->network->up = NULL;
	if (up->resolving)
		uv_cancel((uv_req_t *)&up->dns);
	socket_drop(up);
	uv_close((uv_handle_t *)&up->timer, on_closed_timer);
}

void irc_upstream_fail(struct irc_upstream *up, bool again, const char *why)
{
	struct irc_network *network = up->network;
	char text[512];

	if (up->phase == IRC_PHASE_CLOSED)
		return;
	irc_multiline_finish(up);
	if (up->phase == IRC_PHASE_CLOSED)
		return;
	snprintf(text, sizeof text, "%s%s%s", why, up->fault ? ": " : "",
		 up->fault ? up->fault : "");
	up_end(up);
	irc_network_lost(network, again && !up->fatal, text);
}

/* --- out ------------------------------------------------------------------------------------ */

static void watch(struct irc_upstream *up, int events)
{
	if (up->poll_events == events || !up->polled)
		return;
	up->poll_events = events;
	if (events)
		uv_poll_start(&up->poll, events, on_ready);
	else
		uv_poll_stop(&up->poll);
}

/* False: nothing more can be sent. */
static bool send_out(struct irc_upstream *up, bool *waits)
{
	int flushed;

	enter_worker();
	*waits = false;
	while (irc_pipe_len(&up->out) && !*waits) {
		ssize_t n = link_send(up->link, irc_pipe_bytes(&up->out));

		if (n < 0)
			return false;
		*waits = n == 0;
		irc_pipe_take(&up->out, (uint32_t)n);
	}
	flushed = *waits ? 0 : link_flush(up->link);
	*waits = flushed == 0;
	return flushed >= 0;
}

/* A connection that cannot be sent to is lost for who reads it: behind what the server said last. */
static void flush(struct irc_upstream *up)
{
	bool waits;

	if (up->phase != IRC_PHASE_TALKS || up->in_turn)
		return;
	up->lost |= !send_out(up, &waits);
	if (up->lost)
		irc_pipe_fini(&up->out);
	/* What is left over of its turn is heard in the next, when the socket says that it is there. */
	waits |= !up->paused && (up->lost || irc_pipe_len(&up->unheard));
	watch(up, (up->paused ? 0 : UV_READABLE) | (waits ? UV_WRITABLE : 0));
}

static void put_line(struct irc_upstream *up, struct bytes line)
{
	if (!irc_pipe_put(&up->out, line) || !irc_pipe_put(&up->out, BYTES("\r\n")))
		metric_add(METRIC_irc_lines_lost, 1);
	up->network->user->lines_out++;
}

void irc_upstream_say(struct irc_upstream *up, const char *format, ...)
{
	char line[IRC_LINE_MAX * 2];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (len < 0)
		return;
	put_line(up, bytes_of(line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1));
	flush(up);
}

static void timer_set(struct irc_upstream *up);

/* Lines whose turn it is. */
static void queue_run(struct irc_upstream *up)
{
	mono_t now = mono_now();

	while (up->queued && irc_rate_take(&up->rate, now, &up->queue_at)) {
		struct bytes line = irc_pipe_bytes(&up->queue);

		line = bytes_first(line, bytes_find(line, '\n'));
		put_line(up, line);
		up->queued--;
		up->sent++;
		irc_pipe_take(&up->queue, (uint32_t)line.len + 1);
	}
}

bool irc_upstream_fits(const struct irc_upstream *up, struct bytes line)
{
	uint32_t most = up->network->is.linelen;

	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] == '\r' || line.at[i] == '\n' || line.at[i] == '\0')
			return false;
	if (line.len && line.at[0] == '@')
		(void)bytes_cut(&line, ' ');
	return line.len + 2 <= (most > IRC_LINE_MAX ? most : IRC_LINE_MAX);
}

bool irc_upstream_queue(struct irc_upstream *up, struct bytes line)
{
	if (!irc_upstream_fits(up, line) || up->phase != IRC_PHASE_TALKS || !up->welcomed ||
	    up->queued >= irc_conf_now()->queue || !irc_pipe_put(&up->queue, line) ||
	    !irc_pipe_put(&up->queue, BYTES("\n")))
		return false;
	up->queued++;
	queue_run(up);
	flush(up);
	if (up->queued && up->phase == IRC_PHASE_TALKS)
		timer_set(up);
	return true;
}

void irc_upstream_later(struct irc_upstream *up, const char *format, ...)
{
	char line[IRC_LINE_MAX * 2];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (len > 0 && (size_t)len < sizeof line &&
	    !irc_upstream_queue(up, bytes_of(line, (size_t)len)))
		metric_add(METRIC_irc_refused, 1);
}

void irc_upstream_close(struct irc_upstream *up, const char *text)
{
	if (up->phase == IRC_PHASE_TALKS) {
		/* Not as one that waits for its turn. */
		irc_pipe_fini(&up->queue);
		up->queued = 0;
		up->in_turn = false;
		irc_upstream_say(up, "QUIT :%s", text);
	}
	up_end(up);
}

/* --- in ------------------------------------------------------------------------------------- */

static void hear_line(struct irc_upstream *up, struct bytes text)
{
	struct irc_line line;

	while (text.len && text.at[text.len - 1] == '\r')
		text.len--;
	if (!text.len)
		return;
	if (text.len > IRC_LINE_ROOM || !irc_line_parse(text, &line) ||
	    line.rest.len > IRC_LINELEN_MAX) {
		metric_add(METRIC_irc_lines_bad, 1);
		return;
	}
	up->network->user->lines_in++;
	if (irc_service_debugs())
		log_info("irc", "heard", kv_str("user", up->network->user->name),
			 kv_str("network", up->network->name),
			 kv_bytes("line", line.rest.at, line.rest.len));
	if (!irc_register_hear(up, &line))
		irc_hear(up, &line);
}

void irc_upstream_pause(struct irc_upstream *up)
{
	if (up->paused || up->phase != IRC_PHASE_TALKS)
		return;
	up->paused = true;
	up->paused_at = mono_now();
	irc_here.paused++;
	watch(up, up->poll_events & ~UV_READABLE);
}

static void hear_later(struct irc_upstream *up, struct bytes unheard, bool pauses)
{
	enter_worker();
	if (!irc_pipe_put(&up->unheard, unheard))
		irc_upstream_fail(up, true, "out of memory");
	else if (pauses)
		irc_upstream_pause(up);
}

/* All whole lines of a run; the rest waits. A line that is too long is passed over to its end. */
static void hear_bytes(struct irc_upstream *up, struct bytes in)
{
	while (in.len && up->phase == IRC_PHASE_TALKS) {
		struct bytes part;
		size_t end;
		bool whole;

		/* More would push lines out of a ring that the store has not had. */
		up->is_let &= irc_here.store_full;
		if (up->network->is_tight && irc_here.store_full && !up->is_let) {
			hear_later(up, in, true);
			return;
		}
		if (!mono_before(mono_now(), up->turn_ends)) {
			hear_later(up, in, false);
			return;
		}
		end = bytes_find(in, '\n');
		part = bytes_first(in, end);
		whole = end < in.len;
		in = bytes_skip(in, end + 1);
		if (up->skips) {
			up->skips = !whole;
		} else if (irc_pipe_len(&up->in) + part.len > IRC_LINE_ROOM) {
			metric_add(METRIC_irc_lines_bad, 1);
			irc_pipe_fini(&up->in);
			up->skips = !whole;
		} else if (!whole || irc_pipe_len(&up->in)) {
			if (!irc_pipe_put(&up->in, part)) {
				irc_upstream_fail(up, true, "out of memory");
				return;
			}
			if (whole) {
				struct irc_pipe line = up->in;

				up->in = (struct irc_pipe){0};
				hear_line(up, irc_pipe_bytes(&line));
				irc_pipe_fini(&line);
			}
		} else {
			hear_line(up, part);
		}
		/* One turn of ours must not lap who reads as fast as he can. */
		if (up->network->fresh > irc_conf_now()->ring / 4)
			irc_network_turn(up->network);
	}
}

static void read_some(struct irc_upstream *up)
{
	struct irc_network *network = up->network;
	ssize_t n = 1;

	enter_worker();
	if (irc_here.hushed) {
		irc_upstream_pause(up);
		return;
	}
	up->in_turn = true;
	up->turn_ends = mono_add_ms(mono_now(), (int64_t)irc_conf_now()->turn);
	if (irc_pipe_len(&up->unheard)) {
		struct irc_pipe unheard = up->unheard;

		up->unheard = (struct irc_pipe){0};
		hear_bytes(up, irc_pipe_bytes(&unheard));
		irc_pipe_fini(&unheard);
	}
	for (int i = 0; i < READS_A_TURN && up->phase == IRC_PHASE_TALKS && !up->paused &&
			!irc_pipe_len(&up->unheard);
	     i++) {
		n = link_recv(up->link, irc_here.scratch, sizeof irc_here.scratch);
		if (n <= 0)
			break;
		up->heard = mono_now();
		up->pinged = false;
		hear_bytes(up, bytes_of(irc_here.scratch, (size_t)n));
		if ((size_t)n < sizeof irc_here.scratch && !link_ready(up->link))
			break;
	}
	up->in_turn = false;
	if (up->phase == IRC_PHASE_TALKS && n <= 0 && (n != -EAGAIN || up->lost)) {
		/* Its last words come before the word that it is gone. */
		irc_network_turn(network);
		irc_upstream_fail(up, true,
				  n == 0 && !up->lost ? "the server closed the connection"
						      : "the connection broke");
	}
	flush(up);
	/* What was heard goes out to all in one turn. */
	irc_network_turn(network);
}

/* --- time ----------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
	struct irc_upstream *up = container_of(timer, struct irc_upstream, timer);
	const struct irc_conf *conf = irc_conf_now();
	mono_t now = mono_now();

	enter_worker();
	if (up->phase != IRC_PHASE_TALKS || !up->welcomed) {
		if (!mono_before(now, up->deadline)) {
			if (up->phase == IRC_PHASE_CONNECTS)
				try_next(up, "no answer");
			else
				irc_upstream_fail(up, true,
						  up->phase == IRC_PHASE_TALKS
							  ? "the server did not let us in in time"
							  : "no answer in time");
		}
		if (up->phase != IRC_PHASE_CLOSED)
			timer_set(up);
		return;
	}
	queue_run(up);
	irc_register_tick(up, now);
	if (mono_since_us(now, up->heard) >
	    (int64_t)(conf->ping_interval + conf->ping_timeout) * 1000) {
		irc_upstream_fail(up, true, "the server does not answer");
		return;
	}
	if (!up->pinged && mono_since_us(now, up->heard) > (int64_t)conf->ping_interval * 1000) {
		up->pinged = true;
		up->ping_at = now;
		irc_upstream_say(up, "PING ringmain");
	}
	flush(up);
	if (up->phase != IRC_PHASE_CLOSED)
		timer_set(up);
}

static void timer_set(struct irc_upstream *up)
{
	mono_t now = mono_now();
	int64_t wait = (int64_t)irc_conf_now()->ping_interval * 1000 / 4;

	if (up->phase != IRC_PHASE_TALKS || !up->welcomed)
		wait = mono_since_us(up->deadline, now);
	else if (up->queued && mono_since_us(up->queue_at, now) < wait)
		wait = mono_since_us(up->queue_at, now);
	if (up->join_at.us && mono_since_us(up->join_at, now) < wait)
		wait = mono_since_us(up->join_at, now);
	if (wait > 15000000)
		wait = 15000000;
	if (wait < 1000)
		wait = 1000;
	uv_timer_start(&up->timer, on_timer, (uint64_t)wait / 1000 + 1, 0);
}

void irc_upstream_join_later(struct irc_upstream *up, int64_t ms)
{
	up->join_at = mono_add_ms(mono_now(), ms);
	timer_set(up);
}

/* --- connecting ----------------------------------------------------------------------------- */

static void talk(struct irc_upstream *up)
{
	up->phase = IRC_PHASE_TALKS;
	up->heard = mono_now();
	irc_network_state(up->network, IRC_STATE_REGISTERS);
	irc_register_begin(up);
	if (up->phase == IRC_PHASE_TALKS)
		read_some(up);
}

static struct tls_wish wish_of(const struct irc_upstream *up)
{
	const struct irc_network *network = up->network;

	return (struct tls_wish){
		.host = up->place.host,
		.ca_file = edge_settings()->conf.outgoing_ca_file,
		.pins = network->conf.certfp,
		.certificate = network->certificate,
		.key = network->key,
	};
}

static void secure_step(struct irc_upstream *up)
{
	struct tls_wish wish = wish_of(up);
	char why[256];

	enter_worker();
	switch (handshake_step(up->handshake, &up->link)) {
	case HANDSHAKE_READS: watch(up, UV_READABLE); return;
	case HANDSHAKE_WRITES: watch(up, UV_WRITABLE); return;
	case HANDSHAKE_FAILED:
		(void)tls_outgoing_believed(up->handshake, &wish, why, sizeof why);
		irc_upstream_fail(up, true, why);
		return;
	case HANDSHAKE_DONE: break;
	}
	if (!tls_outgoing_believed(up->handshake, &wish, why, sizeof why)) {
		irc_upstream_fail(up, true, why);
		return;
	}
	handshake_destroy(&up->handshake);
	talk(up);
}

/* The bytes go to the server from here on. */
static void connected(struct irc_upstream *up)
{
	struct tls_wish wish = wish_of(up);
	char why[256];

	if (!up->place.tls) {
		talk(up);
		return;
	}
	enter_worker();
	up->phase = IRC_PHASE_SECURES;
	up->handshake = tls_outgoing(&wish, why, sizeof why);
	if (!up->handshake)
		irc_upstream_fail(up, true, why);
	else
		secure_step(up);
}

RUNS_ON(on_worker) static void proxy_step(struct irc_upstream *up)
{
	const char *why = "";

	enter_worker();
	switch (irc_proxy_step(up, &why)) {
	case IRC_PROXY_READS: watch(up, UV_READABLE); break;
	case IRC_PROXY_DONE: connected(up); break;
	case IRC_PROXY_FAILED: irc_upstream_fail(up, true, why); break;
	}
}

/* What befell the socket. libuv says EBADF of all of it, the kernel knows more. */
static int error_of(const struct irc_upstream *up, int status)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(up->link.fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	return error ? error : status < 0 ? ECONNRESET : 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct irc_upstream *up = container_of(poll, struct irc_upstream, poll);
	int error;

	enter_worker();
	switch (up->phase) {
	case IRC_PHASE_CONNECTS:
		error = error_of(up, status);
		if (error)
			try_next(up, strerror(error));
		else if (up->network->conf.proxy[0] && !up->place.is_unix) {
			up->phase = IRC_PHASE_PROXY;
			proxy_step(up);
		} else
			connected(up);
		return;
	case IRC_PHASE_PROXY: proxy_step(up); return;
	case IRC_PHASE_SECURES: secure_step(up); return;
	case IRC_PHASE_TALKS:
		if (status < 0) {
			/* libuv has stopped to look. What it said last is there to be read: most say why. */
			up->lost = true;
			up->poll_events = 0;
		}
		if (events & UV_WRITABLE)
			flush(up);
		if (!up->paused &&
		    (up->lost || (events & UV_READABLE) || irc_pipe_len(&up->unheard)))
			read_some(up);
		return;
	case IRC_PHASE_RESOLVES:
	case IRC_PHASE_CLOSED: return;
	}
}

/* It talks there from now on, when it has connected. */
static int socket_begin(struct irc_upstream *up, int fd, int error)
{
	if (!error)
		error = uv_poll_init(&irc_here.worker->loop, &up->poll, fd);
	if (error) {
		close(fd);
		return error;
	}
	up->link = link_plain(fd);
	up->phase = IRC_PHASE_CONNECTS;
	up->polled = true;
	up->handles++;
	up->poll_events = 0;
	watch(up, UV_WRITABLE);
	return 0;
}

/* A server on this machine. */
static int socket_open_unix(struct irc_upstream *up, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	size_t len = strlen(path);

	if (fd == -1)
		return -errno;
	if (len >= sizeof un.sun_path)
		return socket_begin(up, fd, -ENAMETOOLONG);
	memcpy(un.sun_path, path, len);
	return socket_begin(up, fd,
			    connect(fd, (struct sockaddr *)&un, sizeof un) == -1 ? -errno : 0);
}

/* Begins to connect; 0 or -errno. */
static int socket_open(struct irc_upstream *up, const struct address *to)
{
	bool v4 = address_is_v4(to);
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(to->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(to->port)};
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd == -1)
		return -errno;
	memcpy(&in4.sin_addr, to->ip + 12, 4);
	memcpy(&in6.sin6_addr, to->ip, 16);
	error = irc_bind(fd, up->network, v4);
	if (!error &&
	    connect(fd, v4 ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6,
		    v4 ? sizeof in4 : sizeof in6) == -1 &&
	    errno != EINPROGRESS)
		error = -errno;
	error = socket_begin(up, fd, error);
	if (error)
		return error;
	up->local = tcp_local(fd);
	tcp_tune_stream(fd, 0);
	return 0;
}

/* What a user has us call must not lead to what only we can reach; an administrator's may. */
static bool may_reach(const struct irc_upstream *up, const struct address *to)
{
	return !reach_is_internal(to) || cidr_list_holds(edge_settings()->internal, to) ||
	       irc_is_admin(up->network->user->name);
}

/* The next of the addresses that the name had. */
static void try_next(struct irc_upstream *up, const char *why)
{
	char text[ADDRESS_TEXT_MAX + 1], whole[256];
	int error = 0;

	snprintf(whole, sizeof whole, "%.120s: %.120s", up->place.host, why);
	if (up->polled) {
		/* A handle that closes cannot be used again: all is begun anew with the next one. */
		irc_upstream_fail(up, true, whole);
		return;
	}
	while (up->address_at < up->address_count) {
		const struct address *to = &up->addresses[up->address_at++];

		if (!may_reach(up, to)) {
			snprintf(whole, sizeof whole,
				 "%s is in a network that may not be called (outgoing.internal)",
				 address_text(to, text));
			continue;
		}
		error = socket_open(up, to);
		if (!error)
			return;
		snprintf(whole, sizeof whole, "%s: %s", address_text(to, text), strerror(-error));
	}
	irc_upstream_fail(up, true, whole);
}

/* One at random goes first, so that a name with many addresses spreads those who call it. */
static void addresses_take(struct irc_upstream *up, const struct addrinfo *list)
{
	uint64_t first;

	for (const struct addrinfo *at = list; at && up->address_count < IRC_ADDRESSES_MAX;
	     at = at->ai_next) {
		struct address *to = &up->addresses[up->address_count];

		*to = (struct address){.port = up->place.port};
		if (at->ai_family == AF_INET) {
			const struct sockaddr_in *in = (const void *)at->ai_addr;

			to->ip[10] = to->ip[11] = 0xff;
			memcpy(to->ip + 12, &in->sin_addr, 4);
		} else if (at->ai_family == AF_INET6) {
			const struct sockaddr_in6 *in = (const void *)at->ai_addr;

			memcpy(to->ip, &in->sin6_addr, 16);
		} else {
			continue;
		}
		up->address_count++;
	}
	if (up->address_count < 2)
		return;
	first = (uv_hrtime() >> 10) % up->address_count;
	/* By how often it was tried, too: who cannot be reached is not asked again and again. */
	first = (first + up->network->failures) % up->address_count;
	struct address swap = up->addresses[0];
	up->addresses[0] = up->addresses[first];
	up->addresses[first] = swap;
}

static void on_resolved(uv_getaddrinfo_t *dns, int status, struct addrinfo *list)
{
	struct irc_upstream *up = container_of(dns, struct irc_upstream, dns);

	enter_worker();
	up->resolving = false;
	if (up->phase == IRC_PHASE_CLOSED) {
		uv_freeaddrinfo(list);
		up_free(up);
		return;
	}
	if (status == 0)
		addresses_take(up, list);
	uv_freeaddrinfo(list);
	try_next(up, status ? "the name cannot be found" : "the name has no address");
}

void irc_upstream_part(struct irc_upstream *up)
{
	enter_worker();
	handshake_destroy(&up->handshake);
	if (up->polled) {
		uv_close((uv_handle_t *)&up->poll, on_closed_poll);
		up->polled = false;
		/* The socket is another's too: only our number of it goes. */
		close(up->link.fd);
		up->link = link_plain(-1);
	}
	up_end(up);
}

static struct irc_upstream *up_new(struct irc_network *network)
{
	const struct irc_conf *conf = irc_conf_now();
	struct irc_upstream *up = calloc(1, sizeof *up);

	if (!up)
		return NULL;
	up->network = network;
	up->link = link_plain(-1);
	uv_timer_init(&irc_here.worker->loop, &up->timer);
	up->handles = 1;
	up->deadline = mono_add_ms(mono_now(), (int64_t)conf->login_timeout);
	irc_rate_init(&up->rate,
		      (network->conf.interval_ms ? network->conf.interval_ms
						 : (int64_t)conf->interval) *
			      1000,
		      network->conf.burst ? network->conf.burst : (int64_t)conf->burst);
	network->up = up;
	return up;
}

/* Who is at the other end of a connection that was handed over: identd is asked for it. */
static void peer_take(struct irc_upstream *up, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} peer = {0};
	socklen_t len = sizeof peer;
	struct address *to = &up->addresses[0];

	if (getpeername(fd, &peer.any, &len) == -1)
		return;
	if (peer.any.sa_family == AF_INET6) {
		memcpy(to->ip, &peer.in6.sin6_addr, 16);
	} else if (peer.any.sa_family == AF_INET) {
		to->ip[10] = to->ip[11] = 0xff;
		memcpy(to->ip + 12, &peer.in4.sin_addr, 4);
	} else {
		return;
	}
	to->port = ntohs(peer.in6.sin6_port);
	up->address_count = up->address_at = 1;
	up->local = tcp_local(fd);
}

bool irc_upstream_adopt(struct irc_network *network, const struct irc_upstream_left *left)
{
	struct irc_upstream *up = up_new(network);

	enter_worker();
	if (!up)
		return false;
	if (!irc_pipe_put(&up->unheard, left->in) || !irc_pipe_put(&up->out, left->out) ||
	    !irc_pipe_put(&up->queue, left->queue) ||
	    uv_poll_init(&irc_here.worker->loop, &up->poll, left->link.fd) != 0) {
		up_end(up);
		return false;
	}
	up->link = left->link;
	up->place = left->place;
	up->polled = true;
	up->handles++;
	up->on = left->caps;
	up->label = left->label;
	up->queued = left->queued;
	up->listed = up->ended = up->welcomed = up->ready = true;
	up->phase = IRC_PHASE_TALKS;
	peer_take(up, left->link.fd);
	up->heard = mono_now();
	up->nick_at = mono_add_ms(up->heard, 15000);
	irc_network_state(network, IRC_STATE_UP);
	timer_set(up);
	watch(up, UV_READABLE | UV_WRITABLE);
	if (left->in.len)
		read_some(up);
	return true;
}

/* Who may not call what only we can reach may not call this. */
static void open_unix(struct irc_upstream *up)
{
	const char *path = up->place.host;
	char why[400];
	int error;

	if (!irc_is_admin(up->network->user->name)) {
		irc_upstream_fail(up, false, "sockets of this machine are for administrators");
		return;
	}
	error = socket_open_unix(up, path);
	if (error) {
		snprintf(why, sizeof why, "%.250s: %s", path, strerror(-error));
		irc_upstream_fail(up, true, why);
	}
}

void irc_upstream_open(struct irc_network *network)
{
	struct irc_upstream *up = up_new(network);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct irc_place whom;

	if (!up) {
		irc_network_lost(network, true, "out of memory");
		return;
	}
	timer_set(up);
	if (!irc_upstream_place_of(network, &up->place)) {
		irc_upstream_fail(up, false, "the address is not one that can be called");
		return;
	}
	if (up->place.is_unix) {
		open_unix(up);
		return;
	}
	whom = up->place;
	if (network->conf.proxy[0] && !irc_proxy_place(network->conf.proxy, &whom)) {
		irc_upstream_fail(up, false, "the proxy's address is none");
		return;
	}
	if (address_parse_ip(bytes_str(whom.host), &up->addresses[0])) {
		up->addresses[0].port = whom.port;
		up->address_count = 1;
		try_next(up, "");
		return;
	}
	up->resolving = true;
	if (uv_getaddrinfo(&irc_here.worker->loop, &up->dns, on_resolved, whom.host, NULL,
			   &hints) != 0) {
		up->resolving = false;
		irc_upstream_fail(up, true, "the name cannot be looked up");
	}
}
