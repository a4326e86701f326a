/* handover_fault: LD_PRELOAD for tests: ends the process at a chosen call, once.
 *
 *   FAULT_STEP=N FAULT_MARK=FILE   SIGKILL at the Nth call of those that a hand-over makes; FILE is made
 *                                  first, and with it there the library does nothing any more
 *   FAULT_TAKEN=FILE               SIGKILL when the keeper is to be told that all is taken over; FILE is made first,
 *                                  and the next server tells it when FILE is gone
 *   FAULT_PORT=FILE                SIGSEGV when something is sent to the peer whose port FILE says
 *   FAULT_SENT=FILE                SIGKILL when the kernel has something for the peer whose port FILE says; and
 *                                  the next server, when it asks how much the kernel has: FILE is gone then */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/tcp.h>
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

/* Whether the file says the port of fd's peer. */
static int names_peer(const char *file, int fd)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof peer;
	char text[16] = "";
	int port, names;

	if (!file || getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		return 0;
	port = open(file, O_RDONLY | O_CLOEXEC);
	if (port == -1)
		return 0;
	names = read(port, text, sizeof text - 1) > 0 && atoi(text) == ntohs(peer.sin_port);
	close(port);
	return names;
}

static void poisoned(int fd)
{
	if (names_peer(getenv("FAULT_PORT"), fd))
		*(volatile int *)0 = 1;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
	pause();
}

static ssize_t was_sent(int fd, ssize_t n)
{
	const char *file = getenv("FAULT_SENT");
	char next[512];

	if (n > 0 && names_peer(file, fd)) {
		snprintf(next, sizeof next, "%s.taken", file);
		rename(file, next);
		die();
	}
	return n;
}

/* The letter of core/keeper.h. */
static void tells(const char *letter, size_t len)
{
	const char *file = getenv("FAULT_TAKEN");
	int fd;

	if (!file || len != 1 || *letter != 't')
		return;
	fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd != -1)
		die();
	while (access(file, F_OK) == 0)
		poll(NULL, 0, 10);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	step();
	poisoned(fd);
	return was_sent(fd, REAL(sendmsg)(fd, message, flags));
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
	tells(data, len);
	return was_sent(fd, REAL(send)(fd, data, len, flags));
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	const char *file = getenv("FAULT_SENT");
	char next[512];

	snprintf(next, sizeof next, "%s.taken", file ? file : "");
	if (file && level == IPPROTO_TCP && name == TCP_INFO && names_peer(next, fd)) {
		unlink(next);
		die();
	}
	return REAL(getsockopt)(fd, level, name, value, len);
}
