/* shoutcast: how SHOUTcast v1 encoders (and x-audiocast ones) announce themselves: no HTTP at all.
 *
 *     encoder                          server
 *     password CRLF ───────────────▶
 *                   ◀─────────────── OK2 CRLF icy-caps:11 CRLF CRLF      (or: invalid password)
 *     icy-name:… CRLF … CRLF CRLF ─▶
 *     audio ───────────────────────▶
 *
 *     x-audiocast:  SOURCE password /mount LF · x-audiocast-name:… LF … LF ─▶ · ◀─ OK · audio ─▶
 *
 * Lines end in LF with or without a CR. Parts point into the input; the caller keeps what was not
 * used and calls again with more behind it. Sans-I/O, no allocation; all state lies in the struct.
 * It judges no password and sends nothing: the caller does, after SHOUTCAST_LOGIN. An encoder that
 * sends its headers before it has read the answer is taken as well. */
#pragma once

#include "core/writer.h"

#define SHOUTCAST_LINE_MAX    1024u /* bytes of a line, with its LF */
#define SHOUTCAST_HEADERS_MAX 64u

/* What the first bytes of a connection are. */
enum shoutcast_first {
	SHOUTCAST_FIRST_MORE,       /* cannot be said before more bytes */
	SHOUTCAST_FIRST_OTHER,      /* HTTP, TLS or junk: not for this parser */
	SHOUTCAST_FIRST_PASSWORD,   /* SHOUTcast v1: a password and nothing else */
	SHOUTCAST_FIRST_XAUDIOCAST, /* SOURCE password /mount */
};

/* Tells a SHOUTcast encoder from everything else that may knock at the same port. It is decided
 * when the first LF is there: a line that ends in a protocol (" HTTP/", " ICE/", " RTSP/"),
 * begins with the name of an HTTP method, is empty, or has a control character in it (TLS has,
 * in its first byte) is not a password. Without an LF in SHOUTCAST_LINE_MAX bytes it is OTHER,
 * too. A password that looks like a request line cannot be used. */
enum shoutcast_first shoutcast_is_handshake(struct bytes first);

enum shoutcast_stage {
	SHOUTCAST_AT_LOGIN,
	SHOUTCAST_AT_HEADERS,
	SHOUTCAST_AT_AUDIO,
};

struct shoutcast {
	enum shoutcast_stage stage;
	bool xaudiocast;
	unsigned headers; /* lines taken so far */
};

enum shoutcast_status {
	SHOUTCAST_MORE,   /* no whole line is there */
	SHOUTCAST_LOGIN,  /* part->line, mount, password: check it and answer */
	SHOUTCAST_HEADER, /* part->name and value */
	SHOUTCAST_AUDIO,  /* the headers are over: what follows is audio */
	SHOUTCAST_BAD,    /* not this protocol, or over its bounds: give up */
};

struct shoutcast_part {
	struct bytes line;     /* the whole first line: a password that contains ':' is still one */
	struct bytes mount;    /* of "/mount:password" or x-audiocast; empty when not said */
	struct bytes password; /* without the mount */
	struct bytes name, value;
};

void shoutcast_init(struct shoutcast *shoutcast);

/* Takes the next line off the beginning of in. *used bytes are done with. */
enum shoutcast_status shoutcast_next(struct shoutcast *shoutcast, struct bytes in,
				     struct shoutcast_part *part, size_t *used);
