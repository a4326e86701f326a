/* What a process may still do after it has given up all else. Each question is asked by a child. */
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

#define KILLED (-1)

/* What the question answers inside; KILLED when the system has ended the child for it. */
static int asked_inside(int (*question)(void), bool makes_slots)
{
	pid_t pid = fork();
	int status;

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		_exit(sandbox_enter(makes_slots) ? 120 : question());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run_a_program(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int fork_a_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 ? errno : 0;
}

static int make_a_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	return fd == -1 ? errno : 0;
}

static int read_a_file(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return fd == -1 ? errno : 0;
}

static int remove_a_file(void)
{
	return unlink("/tmp/there is no such file") == -1 ? errno : 0;
}

static int change_a_mode(void)
{
	return chmod("/tmp", 01777) == -1 ? errno : 0;
}

static int become_somebody(void)
{
	return setuid(65534) == -1 ? errno : 0;
}

static int write_what_runs(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	return at == MAP_FAILED ? errno : 0;
}

/* Written first, and run then. */
static int run_what_was_written(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? 121 : mprotect(at, 4096, PROT_READ | PROT_EXEC) == -1 ? errno : 0;
}

static int map_a_file_that_runs(void)
{
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
	void *at =
		fd == -1 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return fd == -1 ? 121 : at == MAP_FAILED ? errno : 0;
}

static int make_writable(void)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED || mprotect(at, 4096, PROT_READ | PROT_WRITE);
}

/* On a terminal that is how to type into the shell which started us. */
static int type_for_somebody(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x") == -1 ? errno : 0;
}

/* TIOCSTI to the kernel, and another number to a filter that looks at all 64 bits. */
static int type_with_more_bits(void)
{
	return syscall(SYS_ioctl, STDIN_FILENO, TIOCSTI | 1ul << 32, "x") == -1 ? errno : 0;
}

static int ask_how_much_is_there(void)
{
	int fds[2], count = -1;

	return pipe2(fds, O_CLOEXEC) == -1 || ioctl(fds[0], FIONREAD, &count) == -1 || count != 0;
}

static void *nothing(void *context)
{
	return context;
}

static int start_a_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL);
}

static int open_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) == -1 ? errno : 0;
}

static void what_decoding_needs_is_there(void **state)
{
	(void)state;
	assert_int_equal(asked_inside(read_a_file, false), 0);
	assert_int_equal(asked_inside(start_a_thread, false), 0);
	assert_int_equal(asked_inside(open_a_socket, false), 0);
	assert_int_equal(asked_inside(ask_how_much_is_there, false), 0);
	assert_int_equal(asked_inside(make_writable, false), 0);
}

static void all_else_is_not(void **state)
{
	(void)state;
	assert_int_equal(asked_inside(run_a_program, false), KILLED);
	assert_int_not_equal(asked_inside(fork_a_process, false), 0);
	assert_int_equal(asked_inside(make_a_file, false), EPERM);
	assert_int_equal(asked_inside(remove_a_file, false), EPERM);
	assert_int_equal(asked_inside(change_a_mode, false), EPERM);
	assert_int_equal(asked_inside(become_somebody, false), EPERM);
	assert_int_equal(asked_inside(write_what_runs, false), EPERM);
	assert_int_equal(asked_inside(run_what_was_written, false), EPERM);
	assert_int_equal(asked_inside(map_a_file_that_runs, false), EPERM);
	assert_int_equal(asked_inside(run_what_was_written, true), EPERM);
	assert_int_equal(asked_inside(type_for_somebody, false), EPERM);
	assert_int_equal(asked_inside(type_with_more_bits, false), EPERM);
}

static void who_makes_slots_may_make_files_and_no_more(void **state)
{
	(void)state;
	/* Not every file system has files without a name. */
	assert_int_equal(asked_inside(make_a_file, true), make_a_file());
	assert_int_equal(asked_inside(remove_a_file, true), ENOENT);
	assert_int_equal(asked_inside(run_a_program, true), KILLED);
	assert_int_equal(asked_inside(become_somebody, true), EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_decoding_needs_is_there),
		cmocka_unit_test(all_else_is_not),
		cmocka_unit_test(who_makes_slots_may_make_files_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
