/* fetch: what may be called, how far an answer may go, and how it ends; against a server of a few
 * lines on loopback. */
#include "edge/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "edge/edge.h"
#include "edge/sign.h"
#include "expect.h"

/* --- a server ------------------------------------------------------------------------------- */

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	const char *answer;
	char asked[4096]; /* the last request */
	int requests;
};

static void *serve(void *user)
{
	static const struct timeval patience = {0, 50000};
	struct server *server = user;

	for (;;) {
		int fd = accept(server->fd, NULL, NULL);
		char rest[1000];
		ssize_t n;

		if (fd == -1)
			return NULL;
		n = recv(fd, server->asked, sizeof server->asked - 1, 0);
		server->asked[n > 0 ? n : 0] = '\0';
		server->requests++;
		if (server->answer) {
			(void)!send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
			shutdown(fd, SHUT_WR);
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
			(void)!recv(fd, rest, sizeof rest, 0);
			close(fd);
		}
		/* Without an answer the client waits, and the descriptor stays until the end. */
	}
}

static void server_start(struct server *server, const char *answer)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	*server = (struct server){.answer = answer};
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &len), 0);
	server->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* --- a fetch -------------------------------------------------------------------------------- */

static uv_loop_t loop;
static int done_count;

static void on_done(struct fetch *fetch)
{
	(void)fetch;
	done_count++;
}

static void turn_until_done(void)
{
	while (done_count == 0)
		uv_run(&loop, UV_RUN_ONCE);
}

static void inside_is(const char *network)
{
	static const char *list[1];
	static struct edge_conf conf = {
		.outgoing_ca_file = "",
		.http_hostname = "localhost",
	};

	list[0] = network;
	conf.outgoing_internal = (struct conf_list){list, network ? 1 : 0};
	role_here = ROLE_CONTROL;
	enter_control();
	edge_fini();
	assert_int_equal(edge_configure(&conf), 0);
}

static struct fetch_request request_of(const char *url)
{
	return (struct fetch_request){
		.method = "GET",
		.url = url,
		.timeout_ms = 60000,
		.body_max = 1000,
		.done = on_done,
	};
}

/* Calls path at the server and waits for its end. */
static void call(struct fetch *fetch, const struct server *server, const char *host,
		 struct fetch_request request)
{
	char url[200];

	snprintf(url, sizeof url, "http://%s:%u/path?x=1", host, server->port);
	request.url = url;
	done_count = 0;
	assert_int_equal(fetch_start(fetch, &request), 0);
	assert_int_equal(done_count, 0);
	memset(url, 'x', sizeof url); /* it was copied */
	turn_until_done();
	assert_int_equal(done_count, 1);
	assert_false(fetch_is_running(fetch));
}

static const char fine[] = "HTTP/1.1 200 OK\r\nX-A:  b c \r\nContent-Length: 2\r\n\r\nhi";

static void an_answer_comes_whole(void **state)
{
	struct fetch_request request = request_of("");
	struct fetch fetch = {0};
	struct server server;

	(void)state;
	inside_is(NULL);
	server_start(&server, fine);
	request.user = "ann";
	request.password = "pw";
	request.headers[0] = "X-B: 1";
	request.body = BYTES("a=b");
	request.method = "POST";
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_OK);
	assert_int_equal(fetch.status, 200);
	assert_true(bytes_equal(fetch_body(&fetch), BYTES("hi")));
	assert_true(bytes_equal(fetch_header(&fetch, "x-a"), BYTES("b c")));
	assert_null(fetch_header(&fetch, "x").at);
	assert_non_null(strstr(server.asked, "POST /path?x=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(server.asked, "Authorization: Basic YW5uOnB3\r\n"));
	assert_non_null(strstr(server.asked, "X-B: 1\r\n"));
	assert_null(strstr(server.asked, "Expect"));
	fetch_fini(&fetch);
	server_stop(&server);
}

/* A kernel without it knows no such number. */
static bool has_v6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

static void strangers_do_not_lead_inside(void **state)
{
	struct fetch_request request = request_of("");
	struct fetch fetch = {0};
	struct server server;

	(void)state;
	server_start(&server, fine);
	request.reach = FETCH_OUTSIDE;
	inside_is(NULL);
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_BLOCKED);
	/* Names are judged by what they are, and other spellings of the number too. */
	call(&fetch, &server, "localhost", request);
	assert_int_equal(fetch.result, FETCH_BLOCKED);
	call(&fetch, &server, "2130706433", request);
	assert_int_equal(fetch.result, FETCH_BLOCKED);
	call(&fetch, &server, "0.0.0.0", request);
	assert_int_equal(fetch.result, FETCH_BLOCKED);
	if (has_v6()) {
		call(&fetch, &server, "[::ffff:127.0.0.1]", request);
		assert_int_equal(fetch.result, FETCH_BLOCKED);
	}
	inside_is("10.0.0.0/8");
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_BLOCKED);
	assert_int_equal(server.requests, 0);
	inside_is("127.0.0.0/8");
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_OK);
	/* A connection that may go anywhere is open now: it is not lent to who may not. */
	request.reach = FETCH_ANYWHERE;
	call(&fetch, &server, "127.0.0.1", request);
	inside_is(NULL);
	request.reach = FETCH_OUTSIDE;
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_BLOCKED);
	fetch_fini(&fetch);
	server_stop(&server);
}

static void redirects_are_counted_and_lose_the_password(void **state)
{
	static const char again[] =
		"HTTP/1.1 302 No\r\nLocation: /path?x=1\r\nContent-Length: 0\r\n\r\n";
	struct fetch_request request = request_of("");
	struct server server, other;
	struct fetch fetch = {0};
	char away[200];

	(void)state;
	inside_is(NULL);
	server_start(&server, again);
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.status, 302);
	assert_int_equal(server.requests, 1);
	request.redirects = 3;
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.status, 302);
	assert_int_equal(server.requests, 5);
	server_stop(&server);

	server_start(&other, fine);
	snprintf(away, sizeof away,
		 "HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
		 other.port);
	server_start(&server, away);
	request.user = "ann";
	request.password = "pw";
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.status, 200);
	assert_non_null(strstr(server.asked, "Authorization"));
	assert_null(strstr(other.asked, "Authorization"));
	server_stop(&server);

	server_start(
		&server,
		"HTTP/1.1 302 No\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.status, 302);
	assert_int_equal(fetch_body(&fetch).len, 0);
	fetch_fini(&fetch);
	server_stop(&server);
	server_stop(&other);
}

static void too_much_is_not_taken(void **state)
{
	static char large[66000];
	struct fetch_request request = request_of("");
	struct fetch fetch = {0};
	struct server server;
	int n = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");

	(void)state;
	inside_is(NULL);
	memset(large + n, 'a', 1000);
	server_start(&server, large);
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_OK);
	assert_int_equal(fetch_body(&fetch).len, 1000);
	large[n + 1000] = 'a';
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_TOO_BIG);
	memset(large, 0, sizeof large);
	n = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nX: ");
	memset(large + n, 'a', 20000);
	strcat(large, "\r\n\r\n");
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_TOO_BIG);
	fetch_fini(&fetch);
	server_stop(&server);
}

static void time_ends_and_so_does_a_cancel(void **state)
{
	struct fetch_request request = request_of("");
	struct fetch fetch = {0}, other = {0};
	struct server server;
	char url[100];

	(void)state;
	inside_is(NULL);
	server_start(&server, NULL);
	request.timeout_ms = 50;
	call(&fetch, &server, "127.0.0.1", request);
	assert_int_equal(fetch.result, FETCH_TIMEOUT);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", server.port);
	request = request_of(url);
	done_count = 0;
	assert_int_equal(fetch_start(&fetch, &request), 0);
	assert_int_equal(fetch_start(&other, &request), 0);
	fetch_cancel(&fetch);
	assert_false(fetch_is_running(&fetch));
	fetch_cancel(&fetch);
	/* The end of the loop's part ends the other one, with a word. */
	fetch_loop_stop();
	assert_int_equal(done_count, 1);
	assert_int_equal(other.result, FETCH_STOPPED);
	assert_int_equal(fetch_start(&fetch, &request), -ESHUTDOWN);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fetch_loop_start(&loop), 0);
	request = request_of("ftp://127.0.0.1/");
	assert_int_equal(fetch_start(&fetch, &request), -EINVAL);
	fetch_fini(&fetch);
	fetch_fini(&other);
	server_stop(&server);
}

static void what_is_shown_has_no_secrets(void **state)
{
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{"http://a/b", "http://a/b"},
		{"https://u:p@a.example:8443/b?token=x", "https://a.example:8443/b?..."},
		{"http://u:p@[::1]:80/", "http://[::1]/"},
		{"nonsense", ""},
	};
	char out[100];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fetch_url_show(rows[i].url, out, sizeof out);
		assert_string_equal(out, rows[i].shown);
	}
}

/* By an HMAC of another maker (openssl dgst -sha256 -hmac). */
static void signatures_are_those_of_others(void **state)
{
	struct signature signature = {0};

	(void)state;
	sign_body(&signature, "key", BYTES("{\"a\":1}"), 1795232221);
	assert_string_equal(signature.timestamp, "X-Ringmain-Timestamp: 1795232221");
	assert_string_equal(signature.signature,
			    "X-Ringmain-Signature: sha256="
			    "a272b4797e341517b624db19f097b2a3c39875d034bf05398519e346072ec076");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_whole),
		cmocka_unit_test(strangers_do_not_lead_inside),
		cmocka_unit_test(redirects_are_counted_and_lose_the_password),
		cmocka_unit_test(too_much_is_not_taken),
		cmocka_unit_test(time_ends_and_so_does_a_cancel),
		cmocka_unit_test(what_is_shown_has_no_secrets),
		cmocka_unit_test(signatures_are_those_of_others),
	};
	int failed;

	if (fetch_init() != 0 || uv_loop_init(&loop) != 0 || fetch_loop_start(&loop) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fetch_loop_stop();
	uv_run(&loop, UV_RUN_DEFAULT);
	enter_control();
	edge_fini();
	return failed || uv_loop_close(&loop) != 0;
}
