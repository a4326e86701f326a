#include "edge/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/metric.h"
#include "edge/edge.h"
#include "edge/proto/reach.h"
#include "edge/proto/url.h"

#define CONNECT_MS     10000
#define CONNECTIONS    32 /* that one loop keeps open for the next request */
#define KEEPALIVE_SECS 30L

/* One loop's part. */
struct fetch_loop {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	struct fetch *first;
	bool open;
};

/* A socket of libcurl's in the loop. */
struct fetch_socket {
	uv_poll_t poll;
	curl_socket_t fd;
	int wanted; /* events */
};

static _Thread_local struct fetch_loop here;

static void take_results(void);

/* --- addresses ------------------------------------------------------------------------------ */

bool fetch_url_is_good(const char *url)
{
	struct url parts;

	return strlen(url) < FETCH_URL_MAX && url_parse_http(bytes_str(url), &parts);
}

void fetch_url_show(const char *url, char *out, size_t size)
{
	struct writer w = writer_of(out, size - 1);
	struct bytes path, query;
	struct url parts;

	if (url_parse_http(bytes_str(url), &parts)) {
		url_split_target(parts.target, &path, &query);
		writer_str(&w, parts.tls ? "https://" : "http://");
		writer_str(&w, parts.ipv6 ? "[" : "");
		writer_put(&w, parts.host);
		writer_str(&w, parts.ipv6 ? "]" : "");
		if (parts.port != (parts.tls ? 443 : 80)) {
			writer_u8(&w, ':');
			writer_dec(&w, parts.port);
		}
		writer_put(&w, path);
		writer_str(&w, query.len ? "?..." : "");
	}
	out[w.len] = '\0';
}

static bool address_of(const struct sockaddr *from, struct address *to)
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};

	*to = (struct address){0};
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		memcpy(to->ip, mapped, sizeof mapped);
		memcpy(to->ip + 12, &in->sin_addr, 4);
		to->port = ntohs(in->sin_port);
		return true;
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		memcpy(to->ip, &in6->sin6_addr, sizeof to->ip);
		to->port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

static bool may_call(struct fetch *fetch, const struct sockaddr *at)
{
	struct address address;

	if (!address_of(at, &address))
		return false;
	if (!reach_is_internal(&address))
		return true;
	if (fetch->request.reach == FETCH_OUTSIDE &&
	    !cidr_list_holds(edge_settings()->internal, &address))
		return false;
	fetch->internal = true;
	return true;
}

bool fetch_peer(const struct fetch *fetch, struct address *peer)
{
	char *ip = NULL;
	long port = 0;

	if (!fetch->easy || curl_easy_getinfo(fetch->easy, CURLINFO_PRIMARY_IP, &ip) != CURLE_OK ||
	    curl_easy_getinfo(fetch->easy, CURLINFO_PRIMARY_PORT, &port) != CURLE_OK || !ip ||
	    !address_parse_ip(bytes_str(ip), peer))
		return false;
	peer->port = (uint16_t)port;
	return true;
}

/* --- what libcurl calls --------------------------------------------------------------------- */

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *at)
{
	struct fetch *fetch = user;

	(void)purpose;
	if (!may_call(fetch, &at->addr)) {
		fetch->blocked = true;
		return CURL_SOCKET_BAD;
	}
	return socket(at->family, at->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->protocol);
}

static bool is_redirect(const struct fetch *fetch)
{
	unsigned status = fetch->status;

	return fetch->redirected < fetch->request.redirects &&
	       (status == 301 || status == 302 || status == 303 || status == 307 ||
		status == 308) &&
	       fetch_header(fetch, "Location").len;
}

/* The empty line: the head is whole. One of 100 or 200 to CONNECT is not the last one. */
static bool head_is_whole(struct fetch *fetch)
{
	long status = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	fetch->status = (unsigned)status;
	if (status < 200 || fetch->headed || is_redirect(fetch) || !fetch->request.head)
		return true;
	fetch->headed = true;
	fetch->ended = !fetch->request.head(fetch);
	return !fetch->ended;
}

static size_t on_header(char *at, size_t size, size_t count, void *user)
{
	struct bytes line = bytes_of(at, size * count);
	struct fetch *fetch = user;

	/* Each head begins anew with its status line. */
	if (bytes_start_with(line, BYTES("HTTP/")) || bytes_start_with(line, BYTES("ICY ")))
		fetch->head_len = 0;
	if (line.len > sizeof fetch->head - fetch->head_len) {
		fetch->too_big = true;
		return 0;
	}
	if (bytes_trim(line).len == 0)
		return head_is_whole(fetch) ? line.len : 0;
	memcpy(fetch->head + fetch->head_len, line.at, line.len);
	fetch->head_len += line.len;
	return line.len;
}

static bool body_add(struct fetch *fetch, struct bytes in)
{
	struct buffer *body = &fetch->body;
	struct writer w;

	if (in.len > fetch->request.body_max - fetch->body_len) {
		fetch->too_big = true;
		return false;
	}
	if (fetch->body_len + in.len > body->size) {
		size_t size = (fetch->body_len + in.len) * 2;
		uint8_t *more = realloc(body->at, size);

		if (!more)
			return false;
		body->at = more;
		body->size = size;
	}
	w = writer_of(body->at + fetch->body_len, body->size - fetch->body_len);
	writer_put(&w, in);
	fetch->body_len += in.len;
	body->len = fetch->body_len;
	return true;
}

static size_t on_body(char *at, size_t size, size_t count, void *user)
{
	struct bytes in = bytes_of(at, size * count);
	struct fetch *fetch = user;
	bool pause = false;

	if (is_redirect(fetch))
		return in.len; /* nobody reads what a redirect says */
	if (!fetch->request.head)
		return body_add(fetch, in) ? in.len : 0;
	/* An answer without any head of its own was never one: HTTP/0.9 is off. */
	if (!fetch->request.data(fetch, in, &pause)) {
		fetch->ended = true;
		return 0;
	}
	return pause ? CURL_WRITEFUNC_PAUSE : in.len;
}

static size_t on_more(char *at, size_t size, size_t count, void *user)
{
	struct fetch *fetch = user;
	ssize_t n = fetch->request.more(fetch, (uint8_t *)at, size * count);

	if (n < 0) {
		fetch->ended = true;
		return CURL_READFUNC_ABORT;
	}
	return n ? (size_t)n : CURL_READFUNC_PAUSE;
}

/* --- the loop ------------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct fetch_socket *socket = container_of(poll, struct fetch_socket, poll);
	int flags = 0, running;

	/* What came before the connection broke is there to be read, a piece each time. */
	if (status < 0)
		flags = CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(here.multi, socket->fd, flags, &running);
	take_results();
	/* libuv looks no longer where it has seen an error. */
	if (status < 0 && !uv_is_closing((uv_handle_t *)poll))
		uv_poll_start(poll, socket->wanted, on_poll);
}

static void on_timer(uv_timer_t *timer)
{
	int running;

	(void)timer;
	curl_multi_socket_action(here.multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_results();
}

static int on_timer_wanted(CURLM *multi, long ms, void *user)
{
	(void)multi;
	(void)user;
	if (ms < 0)
		uv_timer_stop(&here.timer);
	else
		uv_timer_start(&here.timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

static void on_socket_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct fetch_socket, poll));
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *of_socket)
{
	struct fetch_socket *socket = of_socket;

	(void)easy;
	(void)user;
	if (what == CURL_POLL_REMOVE) {
		if (socket) {
			curl_multi_assign(here.multi, fd, NULL);
			uv_poll_stop(&socket->poll);
			uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
		}
		return 0;
	}
	if (!socket) {
		socket = calloc(1, sizeof *socket);
		if (!socket || uv_poll_init(here.loop, &socket->poll, fd) != 0) {
			free(socket);
			return -1; /* the transfer fails */
		}
		socket->fd = fd;
		curl_multi_assign(here.multi, fd, socket);
	}
	socket->wanted =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	uv_poll_start(&socket->poll, socket->wanted, on_poll);
	return 0;
}

/* --- beginning and end ---------------------------------------------------------------------- */

static void fetch_release(struct fetch *fetch)
{
	if (!fetch->easy)
		return;
	curl_multi_remove_handle(here.multi, fetch->easy);
	curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->lines);
	fetch->easy = fetch->lines = NULL;
	if (fetch->prev)
		fetch->prev->next = fetch->next;
	else
		here.first = fetch->next;
	if (fetch->next)
		fetch->next->prev = fetch->prev;
	metric_add(METRIC_edge_fetches_running, -1);
}

void fetch_cancel(struct fetch *fetch)
{
	fetch_release(fetch);
}

void fetch_fini(struct fetch *fetch)
{
	fetch_release(fetch);
	buffer_fini(&fetch->body);
	*fetch = (struct fetch){0};
}

static enum fetch_result result_of(const struct fetch *fetch, CURLcode code)
{
	if (fetch->too_big)
		return FETCH_TOO_BIG;
	if (fetch->ended)
		return FETCH_ENDED;
	if (code == CURLE_OK)
		return FETCH_OK;
	if (fetch->blocked)
		return FETCH_BLOCKED;
	return code == CURLE_OPERATION_TIMEDOUT ? FETCH_TIMEOUT : FETCH_FAILED;
}

static void say_error(struct fetch *fetch, CURLcode code)
{
	const char *words = curl_easy_strerror(code);

	switch (fetch->result) {
	case FETCH_OK: words = ""; break;
	case FETCH_BLOCKED: words = "this address may not be called (outgoing.internal)"; break;
	case FETCH_TOO_BIG: words = "the answer is too large"; break;
	case FETCH_TIMEOUT: words = "no answer in time"; break;
	case FETCH_STOPPED: words = "the server stops"; break;
	case FETCH_ENDED:
		if (fetch->error[0])
			return; /* its owner has said why */
		break;
	case FETCH_FAILED: break;
	}
	bytes_to_str(bytes_str(words), fetch->error, sizeof fetch->error);
}

static void fetch_finish(struct fetch *fetch, enum fetch_result result, CURLcode code)
{
	fetch->result = result;
	say_error(fetch, code);
	if (result == FETCH_BLOCKED)
		metric_add(METRIC_edge_fetches_blocked, 1);
	if (result != FETCH_OK && result != FETCH_ENDED)
		metric_add(METRIC_edge_fetches_failed, 1);
	fetch_release(fetch);
	fetch->request.done(fetch);
}

static bool same_server(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && a->port == b->port && bytes_equal_nocase(a->host, b->host);
}

/* Goes where the answer says. False when it cannot. libcurl could do it itself, but would use an
 * open connection again without asking whether it may call there. */
static bool fetch_follow(struct fetch *fetch)
{
	struct url from, to;
	char *old = NULL, *url = NULL;

	curl_easy_getinfo(fetch->easy, CURLINFO_EFFECTIVE_URL, &old);
	curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &url);
	if (!url || !old || strlen(url) >= FETCH_URL_MAX || !url_parse_http(bytes_str(url), &to) ||
	    !url_parse_http(bytes_str(old), &from))
		return false;
	fetch->redirected++;
	fetch->headed = false;
	/* A server outside does not send us to those inside. */
	if (!fetch->internal)
		fetch->request.reach = FETCH_OUTSIDE;
	if (!same_server(&from, &to)) {
		curl_easy_setopt(fetch->easy, CURLOPT_USERPWD, NULL);
		curl_easy_setopt(fetch->easy, CURLOPT_HTTPAUTH, CURLAUTH_NONE);
	}
	curl_multi_remove_handle(here.multi, fetch->easy);
	return curl_easy_setopt(fetch->easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(fetch->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_multi_add_handle(here.multi, fetch->easy) == CURLM_OK;
}

/* Done with libcurl's own calls: owners may do here what they like. */
static void take_results(void)
{
	CURLMsg *message;
	int left;

	while (here.multi && (message = curl_multi_info_read(here.multi, &left))) {
		CURLcode code = message->data.result;
		struct fetch *fetch = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		if (code == CURLE_OK && is_redirect(fetch) && fetch_follow(fetch))
			continue;
		fetch_finish(fetch, result_of(fetch, code), code);
	}
}

static CURLcode set_request(struct fetch *fetch, const struct fetch_request *request)
{
	bool post = request->body.at && !request->upload;
	CURL *easy = fetch->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);

	if (post) {
		code |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
		code |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
					 (curl_off_t)request->body.len);
		code |= curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body.at);
	}
	if (request->upload) {
		code |= curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		code |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_more);
		code |= curl_easy_setopt(easy, CURLOPT_READDATA, fetch);
		code |= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	}
	if (strcmp(request->method, post ? "POST" : request->upload ? "PUT" : "GET") != 0)
		code |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->user) {
		code |= curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
		code |= curl_easy_setopt(easy, CURLOPT_PASSWORD,
					 request->password ? request->password : "");
	}
	code |= curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	return code;
}

static CURLcode set_limits(struct fetch *fetch, const struct fetch_request *request)
{
	const char *ca = edge_settings()->conf.outgoing_ca_file;
	CURL *easy = fetch->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");

	code |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	code |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A lookup under way is left to itself when the fetch ends: nobody waits for it. */
	code |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECS);
	code |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	code |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
				 request->connect_ms ? (long)request->connect_ms
						     : (long)CONNECT_MS);
	if (ca[0])
		code |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	/* host!ADDRESS is not looked up, and is no interface's name. */
	if (request->bind && request->bind[0]) {
		char host[64];

		snprintf(host, sizeof host, "host!%.50s", request->bind);
		code |= curl_easy_setopt(easy, CURLOPT_INTERFACE, host);
	}
	/* Connections that others opened may lead where this one must not go. */
	if (request->head || request->reach == FETCH_OUTSIDE) {
		code |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		code |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	return code;
}

static CURLcode set_calls(struct fetch *fetch, const struct fetch_request *request)
{
	static char words[] = "ICY 200 OK";
	static struct curl_slist icy = {words, NULL};
	CURL *easy = fetch->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);

	code |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "ringmain/" RINGMAIN_VERSION);
	code |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	code |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	if (request->shoutcast)
		code |= curl_easy_setopt(easy, CURLOPT_HTTP200ALIASES, &icy);
	return code;
}

static bool set_headers(struct fetch *fetch, const struct fetch_request *request)
{
	struct curl_slist *lines = NULL, *more;

	for (size_t i = 0; i < FETCH_HEADERS_MAX && request->headers[i]; i++) {
		more = curl_slist_append(lines, request->headers[i]);
		if (!more) {
			curl_slist_free_all(lines);
			return false;
		}
		lines = more;
	}
	/* No waiting for 100 Continue, where the request has not asked for it. */
	more = curl_slist_append(lines, "Expect:");
	fetch->lines = more ? more : lines;
	return more && curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, more) == CURLE_OK;
}

int fetch_start(struct fetch *fetch, const struct fetch_request *request)
{
	struct buffer kept = fetch->body;

	CHECK(!fetch->easy && request->done);
	if (!here.open)
		return -ESHUTDOWN;
	if (!fetch_url_is_good(request->url))
		return -EINVAL;
	buffer_fini(&kept);
	*fetch = (struct fetch){.request = *request};
	fetch->easy = curl_easy_init();
	if (!fetch->easy)
		return -ENOMEM;
	fetch->next = here.first;
	if (fetch->next)
		fetch->next->prev = fetch;
	here.first = fetch;
	metric_add(METRIC_edge_fetches_running, 1);
	metric_add(METRIC_edge_fetches, 1);
	if ((set_request(fetch, request) | set_limits(fetch, request) |
	     set_calls(fetch, request)) != CURLE_OK ||
	    !set_headers(fetch, request) ||
	    curl_multi_add_handle(here.multi, fetch->easy) != CURLM_OK) {
		fetch_release(fetch);
		return -ENOMEM;
	}
	/* The caller's memory: all of it was copied, and is not to be looked at again. */
	fetch->request.url = fetch->request.method = fetch->request.user = NULL;
	fetch->request.password = fetch->request.bind = NULL;
	fetch->request.body = (struct bytes){0};
	memset(fetch->request.headers, 0, sizeof fetch->request.headers);
	return 0;
}

void fetch_resume(struct fetch *fetch)
{
	CURLcode code = fetch->easy ? curl_easy_pause(fetch->easy, CURLPAUSE_CONT) : CURLE_OK;

	/* What was kept back was given again from within that, and not taken. */
	if (code != CURLE_OK)
		fetch_finish(fetch, result_of(fetch, code), code);
}

/* --- answers -------------------------------------------------------------------------------- */

struct bytes fetch_header(const struct fetch *fetch, const char *name)
{
	struct bytes rest = bytes_of(fetch->head, fetch->head_len);

	(void)bytes_cut(&rest, '\n'); /* the status line */
	while (rest.len) {
		struct bytes line = bytes_cut(&rest, '\n');
		struct bytes key = bytes_cut(&line, ':');

		if (bytes_equal_nocase(key, bytes_str(name)))
			return bytes_trim(line);
	}
	return (struct bytes){0};
}

struct bytes fetch_body(const struct fetch *fetch)
{
	return bytes_of(fetch->body.at, fetch->body_len);
}

/* --- life ----------------------------------------------------------------------------------- */

int fetch_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

int fetch_loop_start(uv_loop_t *loop)
{
	int error = uv_timer_init(loop, &here.timer);

	if (error)
		return error;
	here.loop = loop;
	here.first = NULL;
	here.multi = curl_multi_init();
	if (!here.multi) {
		uv_close((uv_handle_t *)&here.timer, NULL);
		return -ENOMEM;
	}
	/* Its own pair for waking is not close-on-exec. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	curl_multi_setopt(here.multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(here.multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(here.multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
	here.open = true;
	return 0;
}

void fetch_loop_stop(void)
{
	if (!here.multi)
		return;
	here.open = false;
	while (here.first)
		fetch_finish(here.first, FETCH_STOPPED, CURLE_OK);
	curl_multi_cleanup(here.multi);
	here.multi = NULL;
	uv_close((uv_handle_t *)&here.timer, NULL);
}

static int worker_start(struct worker *worker)
{
	return fetch_loop_start(&worker->loop);
}

static void worker_stop(struct worker *worker)
{
	(void)worker;
	fetch_loop_stop();
}

const struct worker_hooks fetch_hooks = {.start = worker_start, .stop = worker_stop};
