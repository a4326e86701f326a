#include "encoder_mount.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "oracle.h"

enum {
	ANSWER_US = 10 * 1000000,
	/* A title names a frame that the server has surely read when it is told: then "no title
	 * before its frame" is the server's duty and no race between two connections. */
	TITLE_BEHIND_US = 200 * 1000,
	CHUNK_SPACE = 32, /* chunk head and tail, RFC 9112 section 7.1 */
};

static void __attribute__((format(printf, 3, 4)))
say(const struct encoder_mount *mount, const char *event, const char *format, ...)
{
	va_list args;

	printf("{\"event\":\"%s\",\"t\":%.3f,\"mount\":\"%s\",\"number\":%llu", event,
	       (double)wire_now().us / 1e6, mount->path, (unsigned long long)mount->next);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts("}");
	fflush(stdout);
}

static void watch(const struct encoder_mount *mount, int fd, bool title, bool write, int op)
{
	struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0)};

	event.data.u64 = mount->index * 2 + title;
	epoll_ctl(mount->epoll, op, fd, &event);
}

static int64_t us(double seconds)
{
	return (int64_t)(seconds * 1e6);
}

int encoder_mount_init(struct encoder_mount *mount, const struct encoder_options *options,
		       struct encoder_totals *totals, int epoll, unsigned index, mono_t now)
{
	size_t raw = (size_t)options->frames_per_write * ORACLE_FRAME_MAX + options->chop;

	memset(mount, 0, sizeof(*mount));
	mount->options = options;
	mount->totals = totals;
	mount->epoll = epoll;
	mount->index = index;
	mount->fd = mount->title_fd = -1;
	mount->at = now;
	mount->next = options->start_number;
	mount->random = index + 1;
	if (options->mounts > 1)
		snprintf(mount->path, sizeof(mount->path), "/m%u", index);
	else
		snprintf(mount->path, sizeof(mount->path), "%s", options->url.path);
	mount->raw = malloc(raw);
	mount->out = malloc(raw + CHUNK_SPACE);
	return mount->raw && mount->out ? 0 : -ENOMEM;
}

static void close_title(struct encoder_mount *mount)
{
	if (mount->title_fd != -1)
		close(mount->title_fd);
	mount->title_fd = -1;
}

static void disconnect(struct encoder_mount *mount)
{
	if (mount->fd != -1)
		close(mount->fd);
	mount->fd = -1;
	mount->raw_len = mount->out_len = mount->out_at = mount->answer_len = 0;
}

void encoder_mount_fini(struct encoder_mount *mount)
{
	disconnect(mount);
	close_title(mount);
	free(mount->raw);
	free(mount->out);
	mount->raw = mount->out = NULL;
}

/* Gone without being asked to: comes back when the options say so. */
static void lose(struct encoder_mount *mount, const char *why, mono_t now)
{
	const struct encoder_options *o = mount->options;

	mount->totals->lost++;
	say(mount, "lost", ",\"why\":\"%s\"", why);
	disconnect(mount);
	mount->state = o->reconnect_after_s > 0 ? ENCODER_WAITING : ENCODER_FINISHED;
	mount->at = mono_add_us(now, us(o->reconnect_after_s));
}

static void refuse(struct encoder_mount *mount, unsigned status)
{
	mount->totals->refused++;
	say(mount, "refused", ",\"status\":%u", status);
	disconnect(mount);
	mount->state = ENCODER_FINISHED;
}

static void drop(struct encoder_mount *mount, mono_t now)
{
	const struct encoder_options *o = mount->options;

	mount->totals->drops++;
	mount->drops++;
	say(mount, "dropped", ",\"unsent_bytes\":%zu",
	    mount->raw_len + mount->out_len - mount->out_at);
	disconnect(mount);
	mount->state = o->reconnect_after_s > 0 ? ENCODER_WAITING : ENCODER_FINISHED;
	mount->at = mono_add_us(now, us(o->reconnect_after_s));
}

static void begin_connect(struct encoder_mount *mount, mono_t now)
{
	int fd = wire_connect(&mount->options->to, 0);

	if (fd < 0) {
		lose(mount, strerror(-fd), now);
		return;
	}
	mount->fd = fd;
	mount->state = ENCODER_CONNECTING;
	mount->at = mono_add_us(now, ANSWER_US);
	watch(mount, mount->fd, false, true, EPOLL_CTL_ADD);
}

static void send_head(struct encoder_mount *mount, mono_t now)
{
	const struct encoder_options *o = mount->options;
	char head[1024], login[512];
	int len;

	wire_basic(&o->url, login, sizeof(login));
	if (o->protocol == ENCODER_SHOUTCAST)
		len = snprintf(head, sizeof(head), "%s\r\n", o->url.password);
	else
		len = snprintf(head, sizeof(head),
			       "%s %s HTTP/1.%d\r\nHost: %s:%u\r\n%s\r\n"
			       "User-Agent: ringmain-encoder\r\nContent-Type: audio/mpeg\r\n"
			       "Ice-Name: stream %u\r\nIce-Public: 0\r\nIce-Bitrate: %u\r\n"
			       "Ice-Audio-Info: ice-samplerate=44100;ice-bitrate=%u;"
			       "ice-channels=2\r\n%s%s\r\n",
			       o->protocol == ENCODER_SOURCE ? "SOURCE" : "PUT", mount->path,
			       o->protocol != ENCODER_SOURCE, o->url.host, o->url.port, login,
			       o->stream, o->kbps, o->kbps,
			       o->protocol == ENCODER_SOURCE ? "" : "Expect: 100-continue\r\n",
			       o->protocol == ENCODER_PUT_CHUNKED ? "Transfer-Encoding: chunked\r\n"
								  : "");
	watch(mount, mount->fd, false, false, EPOLL_CTL_MOD);
	mount->state = ENCODER_ASKING;
	if (send(mount->fd, head, (size_t)len, MSG_NOSIGNAL) != len)
		lose(mount, "head", now);
}

static void begin_sending(struct encoder_mount *mount, mono_t now)
{
	const struct encoder_options *o = mount->options;
	bool first = mount->next == o->start_number;

	mount->state = ENCODER_SENDING;
	mount->totals->connects++;
	mount->base = mount->next;
	mount->began = now;
	mount->base_due = (mono_t){now.us - (first ? us(o->burst_s) : 0)};
	mount->title_due = mono_add_us(now, us(o->title_every_s));
	say(mount, "connected", "%s", "");
}

/* What the server says: 100 and 200 both mean go; what comes later can only be bad news. */
static void read_answer(struct encoder_mount *mount, mono_t now)
{
	struct bytes in = bytes_of(mount->answer, mount->answer_len);
	size_t head;

	if (mount->options->protocol == ENCODER_SHOUTCAST && mount->state == ENCODER_ASKING) {
		char icy[256];
		int len;

		if (bytes_find(in, '\n') == in.len)
			return;
		if (!bytes_start_with(in, BYTES("OK"))) {
			refuse(mount, 0);
			return;
		}
		len = snprintf(icy, sizeof(icy),
			       "icy-name:stream %u\r\nicy-pub:0\r\nicy-br:%u\r\n"
			       "content-type:audio/mpeg\r\n\r\n",
			       mount->options->stream, mount->options->kbps);
		mount->answer_len = 0;
		if (send(mount->fd, icy, (size_t)len, MSG_NOSIGNAL) == len)
			begin_sending(mount, now);
		else
			lose(mount, "head", now);
		return;
	}
	while ((head = wire_head_len(in)) != 0) {
		unsigned status = wire_status(in);

		in = bytes_skip(in, head);
		if (status >= 300 || status == 0) {
			refuse(mount, status);
			return;
		}
		if (mount->state == ENCODER_ASKING)
			begin_sending(mount, now);
	}
	memmove(mount->answer, in.at, in.len);
	mount->answer_len = in.len;
}

static void receive(struct encoder_mount *mount, mono_t now)
{
	size_t room = sizeof(mount->answer) - mount->answer_len;
	ssize_t n = recv(mount->fd, mount->answer + mount->answer_len, room, 0);

	if (n > 0) {
		mount->answer_len += (size_t)n;
		read_answer(mount, now);
		if (mount->answer_len == sizeof(mount->answer))
			lose(mount, "answer too long", now);
	} else if (n == 0 && mount->options->protocol == ENCODER_SHOUTCAST &&
		   mount->state == ENCODER_ASKING) {
		refuse(mount, 0); /* a wrong SHOUTcast password is answered by closing */
	} else if (n == 0) {
		lose(mount, "closed", now);
	} else if (errno != EAGAIN && errno != EINTR) {
		lose(mount, "reset", now);
	}
}

static size_t make_rubbish(struct encoder_mount *mount, uint8_t *out)
{
	size_t len = oracle_frame_len(mount->options->kbps, mount->next);

	for (size_t i = 0; i < len; i++) {
		mount->random = mount->random * 1664525 + 1013904223;
		out[i] = (uint8_t)(mount->random >> 24);
	}
	return len;
}

static void make_frames(struct encoder_mount *mount, mono_t now)
{
	const struct encoder_options *o = mount->options;

	for (unsigned i = 0; i < o->frames_per_write; i++) {
		struct oracle_frame frame = {mount->next, o->stream + mount->index, o->kbps, now};
		uint8_t *to = mount->raw + mount->raw_len;

		mount->raw_len +=
			o->rubbish ? make_rubbish(mount, to) : oracle_frame_make(to, &frame);
		mount->next++;
		mount->totals->frames++;
	}
}

/* Sends what is in out; false when some is left because the socket is full, or gone. */
static bool flush(struct encoder_mount *mount, mono_t now)
{
	while (mount->out_at < mount->out_len) {
		ssize_t n = send(mount->fd, mount->out + mount->out_at,
				 mount->out_len - mount->out_at, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			watch(mount, mount->fd, false, true, EPOLL_CTL_MOD);
			return false;
		}
		if (n == -1) {
			lose(mount, "send", now);
			return false;
		}
		mount->out_at += (size_t)n;
		mount->totals->bytes += (uint64_t)n;
	}
	mount->out_at = mount->out_len = 0;
	return true;
}

/* Moves the next piece from raw to out, as a chunk where the protocol wants one. Piece by piece
 * without looking at frames when the options chop. */
static bool next_piece(struct encoder_mount *mount)
{
	const struct encoder_options *o = mount->options;
	size_t len = o->chop ? o->chop : mount->raw_len;
	int head = 0;

	if (len == 0 || mount->raw_len < len)
		return false;
	if (o->protocol == ENCODER_PUT_CHUNKED)
		head = snprintf((char *)mount->out, CHUNK_SPACE, "%zx\r\n", len);
	memcpy(mount->out + head, mount->raw, len);
	mount->out_len = (size_t)head + len;
	if (head) {
		memcpy(mount->out + mount->out_len, "\r\n", 2);
		mount->out_len += 2;
	}
	mount->raw_len -= len;
	memmove(mount->raw, mount->raw + len, mount->raw_len);
	return true;
}

/* When the next write is due: an encoder has frame n when the time of frame n has come. */
static mono_t write_due(const struct encoder_mount *mount)
{
	const struct encoder_options *o = mount->options;
	uint64_t ahead = mount->next - mount->base + o->frames_per_write - 1;

	if (o->speed <= 0)
		return mount->base_due;
	return mono_add_us(mount->base_due,
			   (int64_t)((double)oracle_frame_start_us(ahead) / o->speed));
}

static void send_due(struct encoder_mount *mount, mono_t now)
{
	mono_t until = mono_add_us(now, 20000); /* at full speed, other mounts have a turn too */

	while (flush(mount, now)) {
		mono_t due = write_due(mount);

		if (next_piece(mount))
			continue;
		now = wire_now();
		if (mono_before(now, due) ||
		    (mount->options->speed <= 0 && mono_before(until, now)))
			return;
		if (!mono_before(due, mount->began) &&
		    mono_since_us(now, due) > mount->totals->late_max_us)
			mount->totals->late_max_us = mono_since_us(now, due);
		make_frames(mount, now);
	}
}

static void end_title(struct encoder_mount *mount, unsigned status)
{
	/* Some servers answer 200 and say in the text that nothing was done. */
	bool done = status == 200 &&
		    bytes_find_nocase(bytes_of(mount->title_answer, mount->title_answer_len),
				      BYTES("<return>0")) == mount->title_answer_len;

	close_title(mount);
	mount->totals->titles += done;
	mount->totals->titles_refused += !done;
	say(mount, "title", ",\"title\":%llu,\"status\":%u",
	    (unsigned long long)mount->title_number, status);
}

static void ask_title(struct encoder_mount *mount)
{
	const struct encoder_options *o = mount->options;
	char head[1024], login[512];
	int len;

	wire_basic(&o->url, login, sizeof(login));
	len = snprintf(head, sizeof(head),
		       "GET /admin/metadata?mode=updinfo&mount=%s&song=title+%llu HTTP/1.0\r\n"
		       "Host: %s:%u\r\n%s\r\nUser-Agent: ringmain-encoder (Mozilla)\r\n\r\n",
		       mount->path, (unsigned long long)mount->title_number, o->url.host,
		       o->url.port, login);
	mount->title_asked = true;
	watch(mount, mount->title_fd, true, false, EPOLL_CTL_MOD);
	if (send(mount->title_fd, head, (size_t)len, MSG_NOSIGNAL) != len)
		end_title(mount, 0);
}

static void title_ready(struct encoder_mount *mount)
{
	size_t room = sizeof(mount->title_answer) - mount->title_answer_len;
	ssize_t n;

	if (!mount->title_asked) {
		if (wire_connected(mount->title_fd) == 0)
			ask_title(mount);
		else
			end_title(mount, 0);
		return;
	}
	n = recv(mount->title_fd, mount->title_answer + mount->title_answer_len, room, 0);
	if (n > 0)
		mount->title_answer_len += (size_t)n;
	else if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The buffer holds the status line and more; what does not fit is not needed. */
	if (n <= 0 || mount->title_answer_len == sizeof(mount->title_answer))
		end_title(mount,
			  wire_status(bytes_of(mount->title_answer, mount->title_answer_len)));
}

static void tick_title(struct encoder_mount *mount, mono_t now)
{
	if (mount->title_fd != -1) {
		if (!mono_before(now, mount->title_until))
			end_title(mount, 0);
		return;
	}
	if (mount->title_at.us && !mono_before(now, mount->title_at)) {
		mount->title_at.us = 0;
		mount->title_asked = false;
		mount->title_answer_len = 0;
		mount->title_until = mono_add_us(now, ANSWER_US);
		mount->title_fd = wire_connect(&mount->options->admin, 0);
		if (mount->title_fd < 0) {
			mount->title_fd = -1;
			end_title(mount, 0);
			return;
		}
		watch(mount, mount->title_fd, true, true, EPOLL_CTL_ADD);
	} else if (!mount->title_at.us && !mono_before(now, mount->title_due) &&
		   mount->next > mount->base) {
		mount->title_number = mount->next - 1;
		mount->title_at = mono_add_us(now, TITLE_BEHIND_US);
		mount->title_due = mono_add_us(now, us(mount->options->title_every_s));
	}
}

void encoder_mount_tick(struct encoder_mount *mount, mono_t now)
{
	const struct encoder_options *o = mount->options;
	int64_t up = mono_since_us(now, mount->began);

	switch (mount->state) {
	case ENCODER_WAITING:
		if (!mono_before(now, mount->at))
			begin_connect(mount, now);
		break;
	case ENCODER_CONNECTING:
	case ENCODER_ASKING:
		if (!mono_before(now, mount->at))
			lose(mount, "no answer", now);
		break;
	case ENCODER_SENDING:
		if (o->drop_after_s > 0 && mount->drops < o->times && up >= us(o->drop_after_s)) {
			drop(mount, now);
		} else if (o->stall_after_s > 0 && up >= us(o->stall_after_s)) {
			mount->state = ENCODER_STALLED;
			say(mount, "stalled", "%s", "");
		} else {
			if (o->title_every_s > 0)
				tick_title(mount, now);
			send_due(mount, now);
		}
		break;
	case ENCODER_STALLED:
	case ENCODER_FINISHED: break;
	}
}

mono_t encoder_mount_deadline(const struct encoder_mount *mount)
{
	const struct encoder_options *o = mount->options;
	mono_t next = MONO_NEVER;

	if (mount->state == ENCODER_WAITING || mount->state == ENCODER_CONNECTING ||
	    mount->state == ENCODER_ASKING)
		return mount->at;
	if (mount->state != ENCODER_SENDING)
		return MONO_NEVER;
	if (mount->out_len == 0)
		next = write_due(mount);
	if (o->drop_after_s > 0 && mount->drops < o->times)
		next = mono_min(next, mono_add_us(mount->began, us(o->drop_after_s)));
	if (o->stall_after_s > 0)
		next = mono_min(next, mono_add_us(mount->began, us(o->stall_after_s)));
	if (o->title_every_s > 0 && mount->title_fd != -1)
		next = mono_min(next, mount->title_until);
	else if (o->title_every_s > 0)
		next = mono_min(next, mount->title_at.us ? mount->title_at : mount->title_due);
	return next;
}

void encoder_mount_ready(struct encoder_mount *mount, bool title, mono_t now)
{
	if (title) {
		if (mount->title_fd != -1)
			title_ready(mount);
		return;
	}
	if (mount->fd == -1)
		return;
	if (mount->state == ENCODER_CONNECTING) {
		int error = wire_connected(mount->fd);

		if (error)
			lose(mount, strerror(-error), now);
		else
			send_head(mount, now);
		return;
	}
	receive(mount, now);
	if (mount->state == ENCODER_SENDING && mount->out_len) {
		watch(mount, mount->fd, false, false, EPOLL_CTL_MOD);
		send_due(mount, now);
	}
}

void encoder_mount_end(struct encoder_mount *mount)
{
	if (mount->state == ENCODER_SENDING && mount->options->protocol == ENCODER_PUT_CHUNKED &&
	    mount->out_len == 0)
		(void)!send(mount->fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
	disconnect(mount);
	close_title(mount);
	mount->state = ENCODER_FINISHED;
}
