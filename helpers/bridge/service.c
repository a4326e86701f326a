#include "service.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S  5 /* for each step */
#define ANSWER_S    8 /* for all of them: who sends a byte now and then has no answer */
#define ANSWER_SIZE 16384u

/* "http://127.0.0.1:7435/" or "http://[::1]:7435" */
static bool split_url(const char *where, char host[256], char port[8])
{
	const char *at = where + strlen("http://"), *end, *colon;
	size_t len;

	if (strncmp(where, "http://", strlen("http://")) != 0)
		return false;
	end = *at == '[' ? strchr(at, ']') : strpbrk(at, ":/");
	if (*at == '[')
		at++;
	if (!end || end == at || (len = (size_t)(end - at)) >= 256)
		return false;
	memcpy(host, at, len);
	host[len] = '\0';
	colon = *end == ']' ? end + 1 : end;
	if (*colon != ':')
		return false;
	len = strspn(colon + 1, "0123456789");
	if (len == 0 || len > 5 || (colon[1 + len] && strcmp(colon + 1 + len, "/") != 0))
		return false;
	memcpy(port, colon + 1, len);
	port[len] = '\0';
	return true;
}

bool service_where_ok(const char *where)
{
	char host[256], port[8];

	if (strncmp(where, "unix:/", strlen("unix:/")) == 0)
		return strlen(where) - strlen("unix:") < sizeof((struct sockaddr_un *)0)->sun_path;
	return split_url(where, host, port);
}

/* --- the connection ------------------------------------------------------------------------- */

static int reach(int domain, const struct sockaddr *at, socklen_t len)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	if (fd == -1)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, at, len) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int dial(const char *where)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct addrinfo *found;
	char host[256], port[8];
	int fd = -EADDRNOTAVAIL;

	if (!split_url(where, host, port)) {
		strcpy(at.sun_path, where + strlen("unix:"));
		return reach(AF_UNIX, (const struct sockaddr *)&at, sizeof at);
	}
	if (getaddrinfo(host, port, &wanted, &found) != 0)
		return -EADDRNOTAVAIL;
	for (const struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
		fd = reach(info->ai_family, info->ai_addr, info->ai_addrlen);
	freeaddrinfo(found);
	return fd;
}

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static int send_all(int fd, const char *text, size_t len, time_t end)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n == -1)
			return -errno;
		if (now_s() > end)
			return -ETIMEDOUT;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Everything until the other side closes. */
static int receive(int fd, char *answer, time_t end)
{
	size_t len = 0;
	ssize_t n;

	while (len < ANSWER_SIZE - 1 &&
	       (n = recv(fd, answer + len, ANSWER_SIZE - 1 - len, 0)) > 0) {
		len += (size_t)n;
		if (now_s() > end)
			return -ETIMEDOUT;
	}
	answer[len] = '\0';
	return len ? 0 : -ETIMEDOUT;
}

static int ask(const struct service *service, const char *method, const char *path,
	       const char *body, char *answer)
{
	char *request;
	time_t end = now_s() + ANSWER_S;
	int fd = dial(service->where), error, len;

	if (fd < 0)
		return fd;
	len = asprintf(&request,
		       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s"
		       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		       method, path, service->token ? "Authorization: Bearer " : "",
		       service->token ? service->token : "", service->token ? "\r\n" : "",
		       strlen(body), body);
	error = len == -1 ? -ENOMEM : send_all(fd, request, (size_t)len, end);
	if (len != -1)
		free(request);
	if (!error)
		error = receive(fd, answer, end);
	close(fd);
	return error;
}

/* --- what it means -------------------------------------------------------------------------- */

/* {"error": {"message": "…"}} */
static void say_fault(const char *answer, char fault[SERVICE_FAULT_SIZE])
{
	const char *body = strstr(answer, "\r\n\r\n");
	json_t *tree = body ? json_loads(body + 4, 0, NULL) : NULL;
	const char *message =
		json_string_value(json_object_get(json_object_get(tree, "error"), "message"));

	snprintf(fault, SERVICE_FAULT_SIZE, "%s", message ? message : "no reason was given");
	json_decref(tree);
}

static int request(const struct service *service, const char *method, const char *path,
		   const char *body, char fault[SERVICE_FAULT_SIZE])
{
	char *answer = malloc(ANSWER_SIZE);
	int status = answer ? ask(service, method, path, body, answer) : -ENOMEM;

	if (status) {
		snprintf(fault, SERVICE_FAULT_SIZE, "no answer from %s: %s", service->where,
			 strerror(-status));
		/* NOLINTNEXTLINE(cert-err34-c): three digits are in range */
	} else if (sscanf(answer, "HTTP/1.%*1d %3d", &status) != 1) {
		status = -EPROTO;
		snprintf(fault, SERVICE_FAULT_SIZE, "%s does not speak HTTP", service->where);
	} else if (status >= 300) {
		say_fault(answer, fault);
	}
	free(answer);
	return status;
}

int service_make(const struct service *service, const char *slot_id, const fc_config_t *config,
		 char fault[SERVICE_FAULT_SIZE])
{
	json_t *tree = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:b}", "slot_id", slot_id,
		"width", (json_int_t)config->width, "height", (json_int_t)config->height, "fps_num",
		(json_int_t)config->fps_num, "fps_den", (json_int_t)config->fps_den, "pixel_format",
		fc_pix_name(config->pixel_format), "ring_depth", (json_int_t)config->ring_depth,
		"audio_channels", (json_int_t)config->audio_channels, "scan",
		(json_int_t)config->scan, "colour", (json_int_t)config->colour, "source_type",
		config->source_type ? config->source_type : "", "replace", 1);
	char *body = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
	int status = body ? request(service, "POST", "/slots", body, fault) : -ENOMEM;

	free(body);
	json_decref(tree);
	return status;
}

int service_remove(const struct service *service, const char *slot_id,
		   char fault[SERVICE_FAULT_SIZE])
{
	char path[FC_SLOT_ID_MAX + 16];

	snprintf(path, sizeof path, "/slots/%s", slot_id);
	return request(service, "DELETE", path, "", fault);
}
