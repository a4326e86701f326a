#include "core/scm.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(SCM_MOST * sizeof(int))];
};

ssize_t scm_send(int socket, const void *data, size_t len, const int *fds, size_t count)
{
	union control control;
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	CHECK(count <= SCM_MOST);
	if (count) {
		struct cmsghdr *header;

		memset(&control, 0, sizeof control);
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

/* Takes the descriptors out of a message; more than there is room for are closed. */
static size_t take(struct msghdr *message, int *fds, size_t room, bool *all)
{
	size_t taken = 0;

	*all = !(message->msg_flags & MSG_CTRUNC);
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
			if (taken < room) {
				fds[taken++] = fd;
			} else {
				close(fd);
				*all = false;
			}
		}
	}
	return taken;
}

ssize_t scm_recv(int socket, void *data, size_t size, int *fds, size_t *count)
{
	union control control;
	struct iovec iov = {data, size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	size_t room = *count;
	ssize_t n;
	bool all;

	*count = 0;
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	*count = take(&message, fds, room, &all);
	if (all && !(message.msg_flags & MSG_TRUNC))
		return n;
	while (*count)
		close(fds[--*count]);
	return -EMSGSIZE;
}
