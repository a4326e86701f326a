#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

bool wire_url_parse(const char *text, struct wire_url *url)
{
	struct bytes rest = bytes_str(text), place, login = {0};
	uint64_t port;
	size_t at;

	memset(url, 0, sizeof(*url));
	url->tls = bytes_start_with_nocase(rest, BYTES("https://"));
	if (!url->tls && !bytes_start_with_nocase(rest, BYTES("http://")))
		return false;
	rest = bytes_skip(rest, url->tls ? 8 : 7);
	port = url->tls ? 443 : 80;
	place = bytes_first(rest, bytes_find(rest, '/'));
	rest = bytes_skip(rest, place.len);
	at = bytes_find(place, '@');
	if (at < place.len) {
		login = bytes_first(place, at);
		place = bytes_skip(place, at + 1);
	}
	bytes_to_str(bytes_cut(&login, ':'), url->user, sizeof(url->user));
	bytes_to_str(login, url->password, sizeof(url->password));
	if (bytes_start_with(place, BYTES("["))) {
		place = bytes_skip(place, 1);
		bytes_to_str(bytes_cut(&place, ']'), url->host, sizeof(url->host));
		bytes_cut(&place, ':');
	} else {
		bytes_to_str(bytes_cut(&place, ':'), url->host, sizeof(url->host));
	}
	if (place.len && !bytes_to_u64(place, 65535, &port))
		return false;
	url->port = (uint16_t)port;
	bytes_to_str(rest.len ? rest : BYTES("/"), url->path, sizeof(url->path));
	return url->host[0] != '\0';
}

void wire_set_port(struct sockaddr_storage *to, uint16_t port)
{
	if (to->ss_family == AF_INET6)
		((struct sockaddr_in6 *)to)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)to)->sin_port = htons(port);
}

int wire_lookup(const struct wire_url *url, struct sockaddr_storage *to)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;

	memset(to, 0, sizeof(*to));
	if (getaddrinfo(url->host, NULL, &hints, &found) != 0)
		return -EHOSTUNREACH;
	memcpy(to, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	wire_set_port(to, url->port);
	return 0;
}

static int bind_source(int fd, const struct sockaddr_storage *to, unsigned source)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int on = 1;

	if (source == 0 || to->ss_family != AF_INET ||
	    ntohl(((const struct sockaddr_in *)to)->sin_addr.s_addr) >> 24 != 127)
		return 0;
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + source);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == -1)
		return -errno;
	return bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1 ? -errno : 0;
}

int wire_connect(const struct sockaddr_storage *to, unsigned source)
{
	socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						  : sizeof(struct sockaddr_in);
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, err;

	if (fd == -1)
		return -errno;
	err = bind_source(fd, to, source);
	if (err)
		goto fail;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)to, len) == -1 && errno != EINPROGRESS) {
		err = -errno;
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return err;
}

int wire_connected(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 ? -errno : -err;
}

mono_t wire_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){ts.tv_sec * 1000000 + ts.tv_nsec / 1000};
}

void wire_sleep_until(mono_t then)
{
	struct timespec ts = {then.us / 1000000, then.us % 1000000 * 1000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

int64_t wire_cpu_us(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 + use.ru_utime.tv_usec +
	       use.ru_stime.tv_usec;
}

void wire_basic(const struct wire_url *url, char *out, size_t size)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char plain[sizeof(url->user) + sizeof(url->password) + 1], code[sizeof(plain) * 4 / 3 + 8];
	size_t len = (size_t)snprintf(plain, sizeof(plain), "%s:%s",
				      url->user[0] ? url->user : "source", url->password);
	size_t n = 0;

	/* RFC 4648 section 4. */
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)(uint8_t)plain[i] << 16;

		v |= i + 1 < len ? (uint32_t)(uint8_t)plain[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint8_t)plain[i + 2] : 0;
		code[n++] = digit[v >> 18];
		code[n++] = digit[v >> 12 & 63];
		code[n++] = i + 1 < len ? digit[v >> 6 & 63] : '=';
		code[n++] = i + 2 < len ? digit[v & 63] : '=';
	}
	code[n] = '\0';
	snprintf(out, size, "Authorization: Basic %s", code);
}

unsigned wire_status(struct bytes head)
{
	struct bytes line = bytes_first(head, bytes_find(head, '\n'));
	struct bytes word = bytes_cut(&line, ' ');
	uint64_t status;

	if (!bytes_start_with(word, BYTES("HTTP/")) && !bytes_equal(word, BYTES("ICY")))
		return 0;
	if (line.len < 3 || !bytes_to_u64(bytes_first(line, 3), 999, &status))
		return 0;
	return (unsigned)status;
}

size_t wire_head_len(struct bytes in)
{
	size_t at = bytes_find_nocase(in, BYTES("\r\n\r\n"));

	return at < in.len ? at + 4 : 0;
}

bool wire_field(struct bytes head, struct bytes name, struct bytes *value)
{
	bytes_cut(&head, '\n');
	while (head.len) {
		struct bytes line = bytes_cut(&head, '\n');

		if (bytes_equal_nocase(bytes_cut(&line, ':'), name)) {
			*value = bytes_trim(line);
			return true;
		}
	}
	return false;
}

double wire_number(const char *option, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= min && value <= max)) {
		fprintf(stderr, "--%s: %s is not a number from %g to %g\n", option, text, min, max);
		exit(2);
	}
	return value;
}
