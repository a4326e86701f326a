/* The address that an encoder is given, taken apart. */
#include "guarded.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "publisher.h"

static const struct {
	const char *url, *user, *password, *host, *mount;
	unsigned port;
} good[] = {
	{"http://source:pw@127.0.0.1:8000/demo.mp3", "source", "pw", "127.0.0.1", "/demo.mp3",
	 8000},
	{"HTTP://source:pw@localhost/demo", "source", "pw", "localhost", "/demo", 8000},
	{"http://source@h:1/m", "source", "", "h", "/m", 1},
	{"http://dj:a:b@c@h:65535/m/n?x", "dj", "a:b@c", "h", "/m/n?x", 65535},
};

static const char *const bad[] = {
	"",
	"http://",
	"https://source:pw@h:1/m",
	"source:pw@h:1/m",
	"http://h:1/m",
	"http://source:pw@h:1",
	"http://source:pw@h:1/",
	"http://source:pw@/m",
	"http://:pw@h:1/m",
	"http://source:@h:1/m",
	"http://source:pw@h:0/m",
	"http://source:pw@h:65536/m",
	"http://source:pw@h:/m",
	"http://source:pw@h:8x/m",
};

static void url_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct publisher_target target;

		assert_true(publisher_target_parse(good[i].url, &target));
		assert_string_equal(target.user, good[i].user);
		assert_string_equal(target.password, good[i].password);
		assert_string_equal(target.host, good[i].host);
		assert_string_equal(target.mount, good[i].mount);
		assert_int_equal(target.port, good[i].port);
	}
}

static void url_refused(void **state)
{
	char long_mount[600] = "http://source:pw@h:1/";
	struct publisher_target target;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (publisher_target_parse(bad[i], &target))
			fail_msg("taken: %s", bad[i]);
	memset(long_mount + strlen(long_mount), 'm', 500);
	assert_false(publisher_target_parse(long_mount, &target));
}

/* Nobody listens there: the attempt fails at once and says why, each time. */
static void unreachable_said(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct publisher_target target;
	socklen_t len = sizeof at;
	char url[64];

	(void)state;
	assert_int_equal(bind(taken, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
	snprintf(url, sizeof url, "http://source:pw@127.0.0.1:%u/m", ntohs(at.sin_port));
	assert_true(publisher_target_parse(url, &target));
	for (int attempt = 0; attempt < 3; attempt++) {
		const char *why = NULL;

		assert_false(publisher_open(&target, &why));
		assert_string_equal(why, "cannot connect");
	}
	close(taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(url_taken_apart),
		cmocka_unit_test(url_refused),
		cmocka_unit_test(unreachable_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
