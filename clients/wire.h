/* wire: what the three programs share of sockets, clocks and HTTP heads.
 *
 * Small helpers over the system's calls; nothing here allocates or keeps state. Names are looked up
 * once, at start. Thread: any. It speaks no TLS. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/bytes.h"
#include "core/mono.h"

struct wire_url {
	char host[128];
	char user[64];
	char password[128];
	char path[256]; /* with its leading slash */
	uint16_t port;  /* 80 when the URL names none, or 443 */
	bool tls;       /* https */
};

/* http://user:password@host:port/path, or https; false when it is none. */
bool wire_url_parse(const char *text, struct wire_url *url);

/* The address of the URL's host; 0 or -EHOSTUNREACH. */
int wire_lookup(const struct wire_url *url, struct sockaddr_storage *to);

void wire_set_port(struct sockaddr_storage *to, uint16_t port);

/* Begins to connect, non-blocking, without Nagle. source: for 127.0.0.0/8 the socket is bound to
 * 127.0.0.<source> first, leaving the port to connect() (ip(7), IP_BIND_ADDRESS_NO_PORT), so that
 * every source address has its own range of ports; 0 binds nothing. Returns the socket or
 * -errno. */
int wire_connect(const struct sockaddr_storage *to, unsigned source);

/* SO_ERROR: how a connect went; 0 or -errno. */
int wire_connected(int fd);

mono_t wire_now(void);

/* Sleeps until then; a signal ends the sleep early. */
void wire_sleep_until(mono_t then);

/* CPU time of this process so far, user and system, in microseconds. */
int64_t wire_cpu_us(void);

/* "Authorization: Basic …" without line end; cut to fit. */
void wire_basic(const struct wire_url *url, char *out, size_t size);

/* The status of an answer whose head begins like this: "HTTP/1.x 200", "ICY 200"; 0 when it is not
 * (or not yet) one. */
unsigned wire_status(struct bytes head);

/* Length of the head with its empty line; 0 when that is not there yet. */
size_t wire_head_len(struct bytes in);

/* The value of a header field, blanks trimmed; false when the head has none. */
bool wire_field(struct bytes head, struct bytes name, struct bytes *value);

/* Parses a number of an option; prints what is wrong and exits with 2 when it is none or outside
 * min … max. */
double wire_number(const char *option, const char *text, double min, double max);
