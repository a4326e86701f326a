#include <errno.h>
#include <netdb.h>
#include <srt/access_control.h>
#include <srt/srt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "door.h"
#include "say.h"

struct srt_door {
	struct door door;
	struct door_config config;
	SRTSOCKET listening, publisher;
	int poll;
	uint8_t piece[4096];
	int piece_at, piece_len;
};

/* --- who may -------------------------------------------------------------------------------------- */

/* The member r of "#!::r=NAME,m=publish" (SRT Access Control), or all of a plain id. */
static const char *resource(const char *id, size_t *len)
{
	const char *found = NULL;

	if (strncmp(id, "#!::", 4) != 0) {
		*len = strlen(id);
		return id;
	}
	for (id += 4; *id; id += strcspn(id, ","), id += *id == ',') {
		size_t size = strcspn(id, ",");

		if (strncmp(id, "r=", 2) == 0) {
			found = id + 2;
			*len = size - 2;
		} else if (strncmp(id, "m=", 2) == 0 &&
			   (size != 9 || strncmp(id, "m=publish", 9) != 0)) {
			return NULL;
		}
	}
	return found;
}

static void name_peer(const struct sockaddr *address, char *out, size_t size)
{
	char host[64] = "?", port[8] = "?";
	socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in);

	getnameinfo(address, len, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, size, "srt publisher %s port %s", host, port);
}

/* In libsrt's receiving thread, before the peer is let in; the passphrase is asked for afterwards, by
 * libsrt. Reads nothing but config, which does not change. */
static int on_knock(void *context, SRTSOCKET socket, int version, const struct sockaddr *address,
		    const char *id)
{
	struct srt_door *door = context;
	size_t len = 0;
	const char *name = resource(id ? id : "", &len);
	char from[80];

	(void)version;
	if (door->config.key && (!name || !door_key_is(door->config.key, name, len))) {
		name_peer(address, from, sizeof from);
		say("%s was refused: wrong stream id", from);
		srt_setrejectreason(socket, SRT_REJX_UNAUTHORIZED);
		return -1;
	}
	return 0;
}

/* --- the door ------------------------------------------------------------------------------------- */

/* Whoever comes while somebody publishes is let go. */
static void turn_away(struct srt_door *door)
{
	struct sockaddr_storage address;
	int len = sizeof address;
	SRTSOCKET other = srt_accept(door->listening, (struct sockaddr *)&address, &len);
	char from[80];

	if (other == SRT_INVALID_SOCK)
		return;
	name_peer((struct sockaddr *)&address, from, sizeof from);
	say("%s was refused: somebody else publishes", from);
	srt_close(other);
}

static int await(struct door *base, char *from, size_t size)
{
	struct srt_door *door = (struct srt_door *)base;
	struct sockaddr_storage address;
	int len = sizeof address;

	while (door->publisher == SRT_INVALID_SOCK) {
		SRTSOCKET ready[2];
		int count = 2, events = SRT_EPOLL_IN | SRT_EPOLL_ERR;

		if (base->idle(base->context))
			return 1;
		if (srt_epoll_wait(door->poll, ready, &count, NULL, NULL, DOOR_IDLE_MS, NULL, NULL,
				   NULL, NULL) < 1)
			continue;
		door->publisher = srt_accept(door->listening, (struct sockaddr *)&address, &len);
		if (door->publisher != SRT_INVALID_SOCK)
			srt_epoll_add_usock(door->poll, door->publisher, &events);
	}
	name_peer((struct sockaddr *)&address, from, size);
	door->piece_at = door->piece_len = 0;
	return 0;
}

/* Only whole packets can be taken from libsrt, and libavformat may ask for less. */
static int give(struct srt_door *door, uint8_t *buf, int size)
{
	int n = door->piece_len - door->piece_at;

	n = n < size ? n : size;
	memcpy(buf, door->piece + door->piece_at, (size_t)n);
	door->piece_at += n;
	return n;
}

static int door_read(struct door *base, uint8_t *buf, int size, unsigned patience_ms)
{
	struct srt_door *door = (struct srt_door *)base;
	int64_t end = srt_time_now() + (int64_t)patience_ms * 1000;

	while (door->piece_at == door->piece_len) {
		SRTSOCKET ready[2];
		int count = 2, got;

		if (base->idle(base->context))
			return -1;
		if (door->publisher == SRT_INVALID_SOCK || srt_time_now() > end)
			return 0;
		got = srt_recvmsg(door->publisher, (char *)door->piece, sizeof door->piece);
		if (got > 0) {
			door->piece_at = 0;
			door->piece_len = got;
			break;
		}
		if (got == 0 || srt_getlasterror(NULL) != SRT_EASYNCRCV)
			return 0;
		if (srt_epoll_wait(door->poll, ready, &count, NULL, NULL, DOOR_IDLE_MS, NULL, NULL,
				   NULL, NULL) > 0)
			for (int i = 0; i < count; i++)
				if (ready[i] == door->listening)
					turn_away(door);
	}
	return give(door, buf, size);
}

static void hang_up(struct door *base)
{
	struct srt_door *door = (struct srt_door *)base;

	if (door->publisher == SRT_INVALID_SOCK)
		return;
	srt_close(door->publisher);
	door->publisher = SRT_INVALID_SOCK;
}

static void door_close(struct door *base)
{
	struct srt_door *door = (struct srt_door *)base;

	hang_up(base);
	srt_epoll_release(door->poll);
	srt_close(door->listening);
	srt_cleanup();
	free(door);
}

static bool set(SRTSOCKET socket, SRT_SOCKOPT option, const void *value, int len)
{
	return srt_setsockflag(socket, option, value, len) != SRT_ERROR;
}

static bool listen_at(struct srt_door *door, const struct addrinfo *info)
{
	const struct door_config *config = &door->config;
	int latency = (int)config->latency_ms, events = SRT_EPOLL_IN | SRT_EPOLL_ERR;
	const bool no = false;
	SRTSOCKET socket = srt_create_socket();
	bool good = socket != SRT_INVALID_SOCK && set(socket, SRTO_RCVSYN, &no, sizeof no);

	if (good && config->passphrase)
		good = set(socket, SRTO_PASSPHRASE, config->passphrase,
			   (int)strlen(config->passphrase));
	if (good && latency)
		good = set(socket, SRTO_LATENCY, &latency, sizeof latency);
	door->listening = socket;
	return good && srt_listen_callback(socket, on_knock, door) != SRT_ERROR &&
	       srt_bind(socket, info->ai_addr, (int)info->ai_addrlen) != SRT_ERROR &&
	       srt_listen(socket, 4) != SRT_ERROR &&
	       srt_epoll_add_usock(door->poll, socket, &events) != SRT_ERROR;
}

struct door *srt_door_open(const struct door_config *config)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE};
	struct srt_door *door = calloc(1, sizeof *door);
	const char *host = *config->host && strcmp(config->host, "*") != 0 ? config->host : NULL;
	struct addrinfo *list = NULL;
	int error;

	if (!door) {
		say("no memory");
		return NULL;
	}
	srt_startup();
	srt_setloglevel(LOG_CRIT);
	door->config = *config;
	door->listening = door->publisher = SRT_INVALID_SOCK;
	door->poll = srt_epoll_create();
	door->door = (struct door){.format = "mpegts",
				   .await = await,
				   .read = door_read,
				   .hang_up = hang_up,
				   .close = door_close};
	error = getaddrinfo(host, config->port, &hints, &list);
	if (error == 0 && listen_at(door, list)) {
		freeaddrinfo(list);
		return &door->door;
	}
	say("cannot listen at %s port %s: %s", host ? host : "*", config->port,
	    error ? gai_strerror(error) : srt_getlasterror_str());
	if (list)
		freeaddrinfo(list);
	door_close(&door->door);
	return NULL;
}
