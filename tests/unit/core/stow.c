#include "core/stow.h"
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST    400
#define HIGH    2000 /* out of the way of the numbers under test */
#define NUMBERS 4096 /* more than are in use at a time */

/* A systemd: keeps what it is sent, the names beside it. */
static struct {
	int socket;
	pthread_t thread;
	int fds[MOST];
	bool is_map[MOST];
	_Atomic int
		count; /* what lies below it is there: the main thread reads it behind a datagram's way */
} keeping;

static void take(const char *text, const int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		if (strstr(text, "FDSTORE=1")) {
			assert_non_null(strstr(text, "FDPOLL=0"));
			keeping.is_map[keeping.count] = strstr(text, "FDNAME=rm-map");
			keeping.fds[keeping.count++] = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH);
		}
		close(fds[i]);
	}
}

static void *keep(void *nothing)
{
	for (;;) {
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(253 * sizeof(int))];
		} control;
		char text[512] = "";
		struct iovec part = {text, sizeof text - 1};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof control};
		ssize_t n = recvmsg(keeping.socket, &message, MSG_CMSG_CLOEXEC);

		if (n <= 0 || strcmp(text, "end") == 0)
			return nothing;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
			if (c->cmsg_type == SCM_RIGHTS)
				take(text, (const int *)(const void *)CMSG_DATA(c),
				     (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)));
	}
}

static void keeping_begin(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < NUMBERS) {
		limit.rlim_cur = limit.rlim_max < NUMBERS ? limit.rlim_max : NUMBERS;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	snprintf(at.sun_path, sizeof at.sun_path, "/tmp/ringmain-stow-%d", (int)getpid());
	unlink(at.sun_path);
	keeping.count = 0;
	keeping.socket = fcntl(socket(AF_UNIX, SOCK_DGRAM, 0), F_DUPFD_CLOEXEC, HIGH);
	assert_int_equal(bind(keeping.socket, (const struct sockaddr *)&at, sizeof at), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	setenv("FDSTORE", "300", 1);
	assert_int_equal(pthread_create(&keeping.thread, NULL, keep, NULL), 0);
}

static void keeping_end(void)
{
	struct sockaddr_un at;
	socklen_t len = sizeof at;

	assert_int_equal(getsockname(keeping.socket, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(sendto(keeping.socket, "end", 3, 0, (struct sockaddr *)&at, len), 3);
	pthread_join(keeping.thread, NULL);
	close(keeping.socket);
	unlink(at.sun_path);
	unsetenv("NOTIFY_SOCKET");
	for (int i = 0; i < keeping.count; i++)
		close(keeping.fds[i]);
}

/* A memfd of this number, and what it holds says which. */
static void put_at(int number)
{
	int fd = memfd_create("stand-in", MFD_CLOEXEC);
	int moved = fd;

	if (fd != number) {
		moved = dup3(fd, number, O_CLOEXEC);
		close(fd);
	}
	assert_int_equal(moved, number);
	assert_int_equal(pwrite(moved, &number, sizeof number, 0), sizeof number);
}

static bool holds_itself(int number)
{
	int held = -1;

	return pread(number, &held, sizeof held, 0) == sizeof held && held == number;
}

enum spoil { WHOLE, ONE_MISSING, NO_MAP, MAP_CUT, MAP_RUBBISH, NUMBER_TOO_HIGH };

static void spoil_map(int map, enum spoil spoil)
{
	uint8_t rubbish[24];

	memset(rubbish, 0xa5, sizeof rubbish);
	if (spoil == MAP_CUT)
		assert_int_equal(ftruncate(map, 40), 0);
	else if (spoil == MAP_RUBBISH)
		assert_int_equal(pwrite(map, rubbish, sizeof rubbish, 0), sizeof rubbish);
	else if (spoil == NUMBER_TOO_HIGH) /* of its first row, behind the head and the inode */
		assert_int_equal(pwrite(map, rubbish, 3, 24 + 16), 3);
}

/* In a process of its own, which systemd has just started: what it exits with says how it went. */
static int start(const int *numbers, int count, int from, enum spoil spoil)
{
	int passed = 0, left = 0, estate;
	bool crashed = false;
	char text[32], names[MOST * 8] = "";

	(void)!close_range(3, HIGH - 1, 0);
	for (int i = 0; i < keeping.count; i++) {
		int which = (i + from) % keeping.count;

		if (keeping.is_map[which])
			spoil_map(keeping.fds[which], spoil);
		if ((spoil == ONE_MISSING && which == 1) ||
		    (spoil == NO_MAP && keeping.is_map[which]))
			continue;
		dup3(keeping.fds[which], 3 + passed++, O_CLOEXEC);
		strcat(names, keeping.is_map[which] ? "rm-map:" : "rm:");
	}
	(void)!close_range(HIGH, ~0u, 0);
	names[strlen(names) - 1] = '\0';
	snprintf(text, sizeof text, "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof text, "%d", passed);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	unsetenv("NOTIFY_SOCKET");
	stow_look();
	estate = stow_take(&crashed);
	if (getenv("LISTEN_FDS"))
		return 99;
	for (int fd = 3; fd < HIGH; fd++)
		left += fcntl(fd, F_GETFD) != -1;
	if (estate == -1)
		return left ? 98 : 1;
	for (int i = 0; i < count; i++)
		if (!holds_itself(numbers[i]) || fcntl(numbers[i], F_GETFD) != FD_CLOEXEC)
			return 97;
	return estate == numbers[0] && left == count ? (crashed ? 2 : 0) : 96;
}

static int start_apart(const int *numbers, int count, int from, enum spoil spoil)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(start(numbers, count, from, spoil));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void stow(const int *numbers, int count)
{
	for (int i = 0; i < count; i++)
		put_at(numbers[i]);
	assert_int_equal(stow_put(numbers[0], numbers, (size_t)count), 0);
	for (int i = 0; i < count; i++)
		close(numbers[i]);
	assert_int_equal(keeping.count, count + 1);
}

static void each_has_its_number_again_whatever_the_order(void **state)
{
	static const int numbers[] = {10, 11, 12, 13, 14, 15, 16, 17, 300, 301, 1500};
	int count = (int)(sizeof numbers / sizeof *numbers);

	(void)state;
	keeping_begin();
	stow(numbers, count);
	/* A server that goes on with it for a second time goes on where another one broke off. */
	for (int from = 0; from <= count; from++)
		assert_int_equal(start_apart(numbers, count, from, WHOLE), from ? 2 : 0);
	keeping_end();
}

static void numbers_in_each_others_way_change_places(void **state)
{
	int numbers[290];

	(void)state;
	for (int i = 0; i < 290; i++)
		numbers[i] = 10 + i; /* more than one message; received from 3 on */
	keeping_begin();
	stow(numbers, 290);
	for (int from = 0; from < 290; from += 29)
		assert_int_equal(start_apart(numbers, 290, from, WHOLE), from ? 2 : 0);
	keeping_end();
}

static void what_is_not_whole_is_closed(void **state)
{
	static const int numbers[] = {20, 25, 30, 35};

	(void)state;
	for (enum spoil spoil = ONE_MISSING; spoil <= NUMBER_TOO_HIGH; spoil++) {
		keeping_begin();
		stow(numbers, 4);
		assert_int_equal(start_apart(numbers, 4, 0, spoil), 1);
		keeping_end();
	}
}

static void more_than_is_offered_is_refused(void **state)
{
	int numbers[300] = {0};

	(void)state;
	keeping_begin();
	assert_int_equal(stow_offered(), 300);
	assert_int_equal(stow_put(20, numbers, 300), -E2BIG);
	keeping_end();
	assert_int_equal(stow_offered(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_number_again_whatever_the_order),
		cmocka_unit_test(numbers_in_each_others_way_change_places),
		cmocka_unit_test(what_is_not_whole_is_closed),
		cmocka_unit_test(more_than_is_offered_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
