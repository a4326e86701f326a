/* door: where a publisher comes in, and what it brings as a run of bytes that libavformat can read.
 *
 *   peers ─▶ door: who are you, and what is the key? ─▶ one publisher ─▶ door_read ─▶ FLV or MPEG-TS
 *              └─▶ no: told so, and gone; the publisher who is there notices nothing
 *
 * While it waits it calls idle() at least ten times a second; true from there ends the wait. One
 * thread. Keys are compared in a time that does not depend on them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOOR_IDLE_MS  100
#define DOOR_PEERS    8    /* who have not said yet what they want */
#define DOOR_PATIENCE 5000 /* ms for saying it */

struct door_config {
	const char *host, *port; /* "" and "*": all addresses */
	const char *app;         /* of RTMP */
	const char *key; /* RTMP: the stream; SRT: the stream id; NULL: anybody may publish */
	const char *passphrase; /* of SRT; NULL: none */
	unsigned latency_ms;    /* of SRT; 0: libsrt's own */
};

struct door {
	/* Set by who opened it, before it waits or reads. */
	bool (*idle)(void *context);
	void *context;
	const char *format; /* of the bytes: "flv", "mpegts" */
	/* 0: a publisher is there, as *from says; 1: idle() has ended it; or -errno. */
	int (*await)(struct door *door, char *from, size_t size);
	/* Bytes; 0: the publisher has gone or gave no sign for patience_ms; -1: idle() has ended it. */
	int (*read)(struct door *door, uint8_t *buf, int size, unsigned patience_ms);
	void (*hang_up)(struct door *door); /* the publisher, if there is one */
	void (*close)(struct door *door);
};

/* NULL: it was said why. */
struct door *rtmp_door_open(const struct door_config *config);
struct door *srt_door_open(const struct door_config *config);

/* Whether a name that came from outside is the key; all names are when there is none. */
bool door_key_is(const char *key, const void *name, size_t len);
