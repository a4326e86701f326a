/* pam_login: answers, and what is none, of a program that plays ringmain-pam; what is no service. */
#include "edge/pam_login.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/pam_service.h"
#include "expect.h"

static const char script[] = "#!/bin/sh\n"
			     "asked=$(dd bs=2048 count=1 2>/dev/null | tr '\\0' ,)\n"
			     "case $asked in\n"
			     "*,program,ann,secret,192.0.2.1,) printf '+Success\\n' >&0 ;;\n"
			     "*,program,bob,*) printf '%s\\n' '-no' >&0 ;;\n"
			     "*,program,odd,*) printf '?why\\n' >&0 ;;\n"
			     "*,program,dies,*) kill -9 $$ ;;\n"
			     "*,program,late,*) exec sleep 5 ;;\n"
			     "esac\n";

static uv_loop_t loop;
static char directory[] = "/tmp/pam_login-XXXXXX", path[64];
static unsigned done_count;
static bool busy_then; /* when the answer came */
static enum auth_result last;

static void on_done(struct pam_login *login, enum auth_result result)
{
	assert_null(login->run);
	done_count++;
	last = result;
	busy_then = pam_logins_busy();
}

static bool ask(struct pam_login *login, const char *user, uint64_t ms, unsigned most)
{
	char given[] = "secret";
	struct pam_question question = {path, user, given, "192.0.2.1", ms, most};
	bool asked = pam_login_start(&loop, login, &question, on_done);

	memset(given, 'x', sizeof given - 1); /* it was copied */
	return asked;
}

static enum auth_result answer_to(const char *user, uint64_t ms)
{
	struct pam_login login;

	done_count = 0;
	assert_true(ask(&login, user, ms, 10));
	assert_int_equal(done_count, 0);
	while (!done_count)
		uv_run(&loop, UV_RUN_ONCE);
	return last;
}

static void until_quiet(void)
{
	while (pam_logins_busy())
		uv_run(&loop, UV_RUN_ONCE);
}

static int setup(void **state)
{
	FILE *file;

	(void)state;
	role_here = ROLE_CONTROL;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/program", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(script, file);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	pam_login_program(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(directory);
	return uv_loop_close(&loop);
}

static void answers_are_told_from_none(void **state)
{
	(void)state;
	assert_int_equal(answer_to("ann", 30000), AUTH_YES);
	assert_int_equal(answer_to("bob", 30000), AUTH_NO);
	assert_int_equal(answer_to("odd", 30000), AUTH_BUSY);
	assert_int_equal(answer_to("dies", 30000), AUTH_BUSY);
	assert_int_equal(answer_to("silent", 30000), AUTH_BUSY);
	until_quiet();
}

/* The program does not hear that nobody waits: it is killed. */
static void who_is_late_is_ended(void **state)
{
	(void)state;
	assert_int_equal(answer_to("late", 50), AUTH_BUSY);
	assert_true(busy_then);
	until_quiet();
}

static void so_many_at_a_time(void **state)
{
	struct pam_login one, two;

	(void)state;
	done_count = 0;
	assert_true(ask(&one, "late", 30000, 1));
	assert_false(ask(&two, "ann", 30000, 1));
	pam_login_cancel(&one);
	assert_null(one.run);
	until_quiet();
	assert_int_equal(done_count, 0);
	assert_true(ask(&two, "ann", 30000, 1));
	until_quiet();
	assert_int_equal(done_count, 1);
}

static void a_stop_answers_those_that_wait(void **state)
{
	struct pam_login waiting, fresh;

	(void)state;
	done_count = 0;
	assert_true(ask(&waiting, "late", 30000, 10));
	uv_run(&loop, UV_RUN_ONCE); /* it is started; the next is not */
	assert_true(ask(&fresh, "late", 30000, 10));
	pam_logins_stop();
	assert_int_equal(done_count, 2);
	assert_int_equal(last, AUTH_BUSY);
	until_quiet();
}

static void without_the_program_nobody_is_let_in(void **state)
{
	struct pam_login login;

	(void)state;
	pam_login_program("/nonexistent/program");
	assert_int_equal(answer_to("ann", 30000), AUTH_BUSY);
	until_quiet();
	pam_login_program("");
	assert_false(ask(&login, "ann", 30000, 10));
	assert_false(pam_logins_busy());
	pam_login_program(path);
}

static void a_service_is_a_name_or_a_path(void **state)
{
	static const char *const none[] = {"",        "/",           "..",    "../x", "a/b",
					   ".hidden", "/etc/pam.d/", "Login", "a b",  "/a/b\n"};
	struct pam_service service;
	char text[300];

	(void)state;
	assert_true(pam_service_of("login", &service));
	assert_string_equal(service.directory, "");
	assert_string_equal(service.name, "login");
	assert_true(pam_service_of("/srv/pam/ring-main_1.x", &service));
	assert_string_equal(service.directory, "/srv/pam");
	assert_string_equal(service.name, "ring-main_1.x");
	assert_false(pam_service_is_there(&service));
	for (size_t i = 0; i < COUNT_OF(none); i++)
		if (pam_service_of(none[i], &service))
			fail_msg("\"%s\" is a service", none[i]);
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(pam_service_of(text, &service));
	assert_true(pam_service_of(path, &service));
	assert_true(pam_service_is_there(&service));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_told_from_none),
		cmocka_unit_test(who_is_late_is_ended),
		cmocka_unit_test(so_many_at_a_time),
		cmocka_unit_test(a_stop_answers_those_that_wait),
		cmocka_unit_test(without_the_program_nobody_is_let_in),
		cmocka_unit_test(a_service_is_a_name_or_a_path),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
