#include "core/local_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static_assert(sizeof((struct sockaddr_un *)0)->sun_path == LOCAL_PATH_SIZE, "sun_path");

const char *local_path_in(const char *text)
{
	const char *path = text + strlen("unix:");

	if (strncmp(text, "unix:", strlen("unix:")) != 0 || path[0] != '/' ||
	    strlen(path) >= LOCAL_PATH_SIZE)
		return NULL;
	return path;
}

static int bound(int type, const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd == -1)
		return -errno;
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static bool is_answered(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answered = fd == -1 || connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 ||
			errno != ECONNREFUSED;

	if (fd != -1)
		close(fd);
	return answered;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int socket_at(int type, const char *path, mode_t mode)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof at.sun_path)
		return -ENAMETOOLONG;
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = bound(type, &at);
	if (fd == -EADDRINUSE && is_socket(path) && (type == SOCK_DGRAM || !is_answered(&at))) {
		unlink(path);
		fd = bound(type, &at);
	}
	if (fd >= 0 && chmod(path, mode) == -1) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int local_listen(const char *path, mode_t mode)
{
	int fd = socket_at(SOCK_STREAM, path, mode);

	if (fd >= 0 && listen(fd, 1024) == -1) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int local_bind(const char *path, mode_t mode)
{
	return socket_at(SOCK_DGRAM, path, mode);
}

void local_path_of(int fd, char path[LOCAL_PATH_SIZE])
{
	struct sockaddr_un at = {0};
	socklen_t len = sizeof at;

	path[0] = '\0';
	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sun_family == AF_UNIX &&
	    at.sun_path[0] == '/') {
		memcpy(path, at.sun_path, LOCAL_PATH_SIZE - 1);
		path[LOCAL_PATH_SIZE - 1] = '\0';
	}
}
