/* handover_fault: LD_PRELOAD for tests: ends the process at a chosen call, once.
 *
 *   FAULT_STEP=N FAULT_MARK=FILE   SIGKILL at the Nth call of those that a hand-over makes; FILE is made
 *                                  first, and with it there the library does nothing any more
 *   FAULT_PORT=FILE                SIGSEGV when something is sent to the peer whose port FILE says */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int calls;

static void step(void)
{
	const char *at = getenv("FAULT_STEP"), *mark = getenv("FAULT_MARK");
	int fd;

	if (!at || !mark || atomic_fetch_add(&calls, 1) + 1 != atoi(at))
		return;
	fd = open(mark, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	close(fd);
	kill(getpid(), SIGKILL);
	pause();
}

static void poisoned(int fd)
{
	const char *file = getenv("FAULT_PORT");
	struct sockaddr_in peer;
	socklen_t len = sizeof peer;
	char text[16] = "";
	int port;

	if (!file || getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		return;
	port = open(file, O_RDONLY | O_CLOEXEC);
	if (port == -1)
		return;
	if (read(port, text, sizeof text - 1) > 0 && atoi(text) == ntohs(peer.sin_port))
		*(volatile int *)0 = 1;
	close(port);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	step();
	poisoned(fd);
	return REAL(sendmsg)(fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	step();
	return REAL(recvmsg)(fd, message, flags);
}

int dup3(int from, int to, int flags)
{
	step();
	return REAL(dup3)(from, to, flags);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	step();
	poisoned(fd);
	return REAL(send)(fd, data, len, flags);
}
