#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "door.h"
#include "rtmp.h"
#include "say.h"

#define INPUT_SIZE  65536u
#define COMMAND_MAX 8192u /* before somebody is a publisher */
#define HELD_MAX    (32u << 20)
#define LISTENERS   4

struct lane_buffer {
	uint8_t *at;
	size_t size;
};

struct peer {
	int fd; /* -1: nobody */
	char from[80];
	uint64_t deadline_ms;
	struct rtmp rtmp;
	struct lane_buffer lanes[RTMP_LANES];
	uint8_t input[INPUT_SIZE];
	size_t len;
	bool connected; /* to the application */
};

struct rtmp_door {
	struct door door;
	struct door_config config;
	int listening[LISTENERS];
	size_t listening_count;
	struct peer peers[DOOR_PEERS];
	struct peer *publisher; /* one of them */
	uint8_t *tags;          /* FLV that was not read yet */
	size_t tags_at, tags_len, tags_size;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool door_key_is(const char *key, const void *name, size_t len)
{
	const uint8_t *given = name;
	size_t size = key ? strlen(key) : 0;
	unsigned differs = size != len;

	if (!key)
		return true;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned)given[i] ^ (uint8_t)key[size ? i % size : 0];
	return differs == 0;
}

/* --- peers ---------------------------------------------------------------------------------------- */

static void peer_close(struct rtmp_door *door, struct peer *peer)
{
	if (peer->fd == -1)
		return;
	close(peer->fd);
	peer->fd = -1;
	for (size_t i = 0; i < RTMP_LANES; i++) {
		free(peer->lanes[i].at);
		peer->lanes[i] = (struct lane_buffer){0};
	}
	if (door->publisher == peer)
		door->publisher = NULL;
}

static void peer_refuse(struct rtmp_door *door, struct peer *peer, const char *why)
{
	say("%s was refused: %s", peer->from, why);
	peer_close(door, peer);
}

/* Answers are short and go out at once, or the peer is none that we want. */
static bool peer_send(struct peer *peer, const struct writer *out)
{
	struct bytes all = writer_done(out);

	return writer_ok(out) &&
	       send(peer->fd, all.at, all.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)all.len;
}

static void peers_accept(struct rtmp_door *door, int listening)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	int fd =
		accept4(listening, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char host[64] = "?", port[8] = "?";
	struct peer *peer = NULL;

	if (fd == -1)
		return;
	for (size_t i = 0; i < DOOR_PEERS && !peer; i++)
		if (door->peers[i].fd == -1)
			peer = &door->peers[i];
	if (!peer) {
		close(fd);
		return;
	}
	getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV);
	peer->fd = fd;
	peer->len = 0;
	peer->connected = false;
	peer->deadline_ms = now_ms() + DOOR_PATIENCE;
	snprintf(peer->from, sizeof peer->from, "rtmp publisher %s port %s", host, port);
	rtmp_init(&peer->rtmp);
}

/* --- messages ------------------------------------------------------------------------------------- */

static bool tags_room(struct rtmp_door *door, size_t more)
{
	size_t need, size;
	uint8_t *grown;

	if (door->tags_at > 0) {
		door->tags_len -= door->tags_at;
		memmove(door->tags, door->tags + door->tags_at, door->tags_len);
		door->tags_at = 0;
	}
	need = door->tags_len + more;
	if (need <= door->tags_size)
		return true;
	if (need > HELD_MAX)
		return false;
	size = need < HELD_MAX / 2 ? 2 * need : HELD_MAX;
	grown = realloc(door->tags, size);
	if (!grown)
		return false;
	door->tags = grown;
	door->tags_size = size;
	return true;
}

static bool tags_add(struct rtmp_door *door, const struct rtmp_chunk *chunk, struct bytes body)
{
	uint8_t *to;

	if (chunk->type == RTMP_DATA)
		body = rtmp_data_trim(body);
	if (!tags_room(door, RTMP_TAG_HEAD + body.len + RTMP_TAG_TAIL))
		return false;
	to = door->tags + door->tags_len;
	rtmp_tag_head(to, chunk->type, (uint32_t)body.len, chunk->time);
	memcpy(to + RTMP_TAG_HEAD, body.at, body.len);
	rtmp_tag_tail(to + RTMP_TAG_HEAD + body.len, (uint32_t)body.len);
	door->tags_len += RTMP_TAG_HEAD + body.len + RTMP_TAG_TAIL;
	return true;
}

/* From now on what it sends is the stream: FLV's header first (E.2). */
static bool publisher_begin(struct rtmp_door *door, struct peer *peer)
{
	static const uint8_t flv[] = {'F', 'L', 'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0};

	door->tags_at = door->tags_len = 0;
	if (!tags_room(door, sizeof flv))
		return false;
	memcpy(door->tags, flv, sizeof flv);
	door->tags_len = sizeof flv;
	door->publisher = peer;
	return true;
}

/* NULL: go on; else why the peer must go. */
static const char *command(struct rtmp_door *door, struct peer *peer, struct bytes message,
			   struct writer *out)
{
	struct rtmp_call call;
	const char *why = NULL;

	if (!rtmp_call_parse(message, &call))
		return "it speaks no RTMP that we know";
	if (call.verb == RTMP_CONNECT) {
		peer->connected = bytes_equal(call.name, bytes_str(door->config.app));
		why = peer->connected ? NULL : "there is no such application";
	} else if (call.verb == RTMP_PUBLISH && peer != door->publisher) {
		if (!peer->connected || !door_key_is(door->config.key, call.name.at, call.name.len))
			why = "wrong stream key";
		else if (door->publisher)
			why = "somebody else publishes";
		else if (!publisher_begin(door, peer))
			why = "no memory";
	} else if (call.verb == RTMP_END) {
		return peer == door->publisher ? "the stream has ended" : NULL;
	}
	if (why)
		rtmp_refuse(out, &call, why);
	else
		rtmp_answer(out, &call);
	return why;
}

/* Joins the pieces of a message. NULL: go on; else why the peer must go. */
static const char *piece(struct rtmp_door *door, struct peer *peer, const struct rtmp_chunk *chunk,
			 struct writer *out)
{
	struct lane_buffer *lane = &peer->lanes[chunk->lane];
	bool media =
		chunk->type == RTMP_AUDIO || chunk->type == RTMP_VIDEO || chunk->type == RTMP_DATA;
	size_t end = chunk->off + chunk->piece.len;

	if (!media && chunk->type != RTMP_COMMAND)
		return NULL;
	if (peer != door->publisher && chunk->len > COMMAND_MAX)
		return "it sends too much before it publishes";
	/* Grows with what is really there, not with what was announced. */
	if (end > lane->size) {
		size_t size = 2 * end < chunk->len ? 2 * end : chunk->len;
		uint8_t *grown = realloc(lane->at, size);

		if (!grown)
			return "no memory";
		lane->at = grown;
		lane->size = size;
	}
	if (chunk->piece.len)
		memcpy(lane->at + chunk->off, chunk->piece.at, chunk->piece.len);
	if (end < chunk->len || chunk->len == 0)
		return NULL;
	if (chunk->type == RTMP_COMMAND)
		return command(door, peer, bytes_of(lane->at, chunk->len), out);
	if (peer == door->publisher && !tags_add(door, chunk, bytes_of(lane->at, chunk->len)))
		return "it sends faster than can be decoded";
	return NULL;
}

/* What the peer has sent. False: it has gone. */
static bool peer_turn(struct rtmp_door *door, struct peer *peer)
{
	ssize_t got = recv(peer->fd, peer->input + peer->len, INPUT_SIZE - peer->len, MSG_DONTWAIT);
	struct bytes in;

	if (got <= 0) {
		if (got == -1 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (peer != door->publisher)
			say("%s went before it published", peer->from);
		peer_close(door, peer);
		return false;
	}
	peer->len += (size_t)got;
	in = bytes_of(peer->input, peer->len);
	for (;;) {
		uint8_t buf[RTMP_OUT_MAX];
		struct writer out = writer_of(buf, sizeof buf);
		struct rtmp_chunk chunk;
		size_t used;
		enum rtmp_status status = rtmp_input(&peer->rtmp, in, &used, &chunk, &out);
		const char *why = NULL;
		bool was = peer == door->publisher;

		in = bytes_skip(in, used);
		if (status == RTMP_BROKEN)
			why = "it speaks no RTMP that we know";
		else if (status == RTMP_CHUNK)
			why = piece(door, peer, &chunk, &out);
		if (out.len && !peer_send(peer, &out) && !why)
			why = "it does not read what it is told";
		if (why && was) {
			peer_close(door, peer);
			return false;
		}
		if (why) {
			peer_refuse(door, peer, why);
			return false;
		}
		if (status == RTMP_MORE)
			break;
	}
	memmove(peer->input, in.at, in.len);
	peer->len = in.len;
	return true;
}

/* One look at everybody. */
static void turn(struct rtmp_door *door, bool read_publisher)
{
	struct pollfd fds[LISTENERS + DOOR_PEERS];
	size_t count = door->listening_count;

	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = door->listening[i], .events = POLLIN};
	for (size_t i = 0; i < DOOR_PEERS; i++) {
		struct peer *peer = &door->peers[i];

		fds[count + i] = (struct pollfd){.fd = peer->fd, .events = POLLIN};
		if (peer == door->publisher && !read_publisher)
			fds[count + i].fd = -1;
	}
	(void)poll(fds, count + DOOR_PEERS, DOOR_IDLE_MS);
	for (size_t i = 0; i < count; i++)
		if (fds[i].revents)
			peers_accept(door, door->listening[i]);
	for (size_t i = 0; i < DOOR_PEERS; i++) {
		struct peer *peer = &door->peers[i];

		if (fds[count + i].fd != -1 && fds[count + i].revents)
			peer_turn(door, peer);
		else if (peer->fd != -1 && peer != door->publisher && now_ms() > peer->deadline_ms)
			peer_refuse(door, peer, "it does not say what it wants");
	}
}

/* --- the door ------------------------------------------------------------------------------------- */

static int await(struct door *base, char *from, size_t size)
{
	struct rtmp_door *door = (struct rtmp_door *)base;

	while (!door->publisher) {
		if (base->idle(base->context))
			return 1;
		turn(door, false);
	}
	snprintf(from, size, "%s", door->publisher->from);
	return 0;
}

static int door_read(struct door *base, uint8_t *buf, int size, unsigned patience_ms)
{
	struct rtmp_door *door = (struct rtmp_door *)base;
	uint64_t end = now_ms() + patience_ms;
	size_t n;

	while (door->tags_at == door->tags_len) {
		if (!door->publisher || now_ms() > end)
			return 0;
		turn(door, true);
		if (base->idle(base->context))
			return -1;
	}
	n = door->tags_len - door->tags_at;
	n = n < (size_t)size ? n : (size_t)size;
	memcpy(buf, door->tags + door->tags_at, n);
	door->tags_at += n;
	return (int)n;
}

static void hang_up(struct door *base)
{
	struct rtmp_door *door = (struct rtmp_door *)base;

	if (door->publisher)
		peer_close(door, door->publisher);
	door->tags_at = door->tags_len = 0;
}

static void door_close(struct door *base)
{
	struct rtmp_door *door = (struct rtmp_door *)base;

	for (size_t i = 0; i < DOOR_PEERS; i++)
		peer_close(door, &door->peers[i]);
	for (size_t i = 0; i < door->listening_count; i++)
		close(door->listening[i]);
	free(door->tags);
	free(door);
}

static int listen_at(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			info->ai_protocol);
	const int yes = 1;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (info->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 16) == 0)
		return fd;
	close(fd);
	return -1;
}

struct door *rtmp_door_open(const struct door_config *config)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct rtmp_door *door = calloc(1, sizeof *door);
	const char *host = *config->host && strcmp(config->host, "*") != 0 ? config->host : NULL;
	struct addrinfo *list = NULL;
	int error;

	if (!door) {
		say("no memory");
		return NULL;
	}
	for (size_t i = 0; i < DOOR_PEERS; i++)
		door->peers[i].fd = -1;
	door->config = *config;
	door->door = (struct door){.format = "flv",
				   .await = await,
				   .read = door_read,
				   .hang_up = hang_up,
				   .close = door_close};
	error = getaddrinfo(host, config->port, &hints, &list);
	for (struct addrinfo *info = list; info && door->listening_count < LISTENERS;
	     info = info->ai_next) {
		int fd = listen_at(info);

		if (fd != -1)
			door->listening[door->listening_count++] = fd;
	}
	if (list)
		freeaddrinfo(list);
	if (door->listening_count > 0)
		return &door->door;
	say("cannot listen at %s port %s: %s", host ? host : "*", config->port,
	    error ? gai_strerror(error) : strerror(errno));
	door_close(&door->door);
	return NULL;
}
