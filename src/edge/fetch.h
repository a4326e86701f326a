/* fetch: HTTP requests that the server itself makes, on the loop of whoever makes them.
 *
 *   fetch_start(request) ──▶ libcurl ──▶ head() ─▶ data() data() … ─▶ done()     (answer is streamed)
 *                                   └──────────────────────────────▶ done()     (answer is kept)
 *
 * struct fetch lies in its owner's struct, which container_of() finds again. done() is called once,
 * never from within fetch_start(), and afterwards the fetch is at rest: it may be started again or
 * freed. fetch_cancel() ends it without another word, but not from within head(), data() or more():
 * those end it by their result. When the loop's part stops, all are ended with FETCH_STOPPED.
 *
 * Only http and https; certificates are verified; proxies of the environment are not used; names
 * are looked up off the loop. Redirects are followed only as many times as the request says.
 *
 * Who gave the address decides where it may lead. FETCH_ANYWHERE is for what stands in the file.
 * FETCH_OUTSIDE is for all else, and for where a redirect leads from outside: no network of
 * insiders (proto/reach.h) but those of outgoing.internal. The address is judged when the socket is
 * opened, behind the lookup, so a name that changes its mind gains nothing.
 *
 * Thread: a loop's owner (control thread or worker), all calls. Memory: taken for each fetch. */
#pragma once

#include <uv.h>

#include "core/buffer.h"
#include "core/worker.h"
#include "edge/proto/address.h"

#define FETCH_URL_MAX     2048u
#define FETCH_HEAD_MAX    16384u /* bytes of one answer's header lines */
#define FETCH_HEADERS_MAX 16u    /* header lines of a request */

enum fetch_reach { FETCH_ANYWHERE, FETCH_OUTSIDE };

enum fetch_result {
	FETCH_OK,      /* an answer came, of whatever status, and came whole */
	FETCH_FAILED,  /* no connection, or it broke */
	FETCH_TIMEOUT, /* not in time */
	FETCH_BLOCKED, /* the address may not be called */
	FETCH_TOO_BIG, /* head or body larger than allowed */
	FETCH_ENDED,   /* head(), data() or more() wanted it so */
	FETCH_STOPPED, /* the server stops */
};

struct fetch;

/* All of it is copied by fetch_start(). */
struct fetch_request {
	const char *method; /* "GET" */
	const char *url;
	const char *user, *password;            /* Basic; NULL: those in the URL, if any */
	const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; up to the first NULL */
	struct bytes body;                      /* with at NULL there is none */
	uint64_t timeout_ms;                    /* for all of it; 0: no end */
	uint64_t connect_ms;                    /* until there is a connection; 0: 10 s */
	size_t body_max;                        /* of an answer that is kept */
	unsigned redirects;
	enum fetch_reach reach;
	const char *bind; /* a local address to call from; NULL or "": any */
	bool shoutcast;   /* "ICY 200 OK" is an answer too */
	bool upload;      /* more() has the body */
	/* With head() the answer is not kept but streamed. */
	bool (*head)(struct fetch *fetch); /* the head of the last answer is there; false: end */
	/* false: end. *pause: these bytes are to be given again after fetch_resume(). */
	bool (*data)(struct fetch *fetch, struct bytes in, bool *pause);
	/* Writes into the room; how much: 0 is nothing now, until fetch_resume(). -1: end. */
	ssize_t (*more)(struct fetch *fetch, uint8_t *room, size_t size);
	void (*done)(struct fetch *fetch);
};

struct fetch {
	struct fetch *prev, *next;
	void *easy;  /* libcurl's; NULL: at rest */
	void *lines; /* libcurl's list of request headers */
	struct fetch_request request;
	enum fetch_result result; /* valid in done() and after */
	unsigned status;          /* of the answer; 0: none came */
	unsigned redirected;      /* times */
	bool internal;            /* some network of insiders was called */
	bool blocked, too_big, ended, headed;
	char head[FETCH_HEAD_MAX];
	size_t head_len;
	struct buffer
		body; /* the answer's, when it is kept; freed by the next start or fetch_fini */
	size_t body_len;
	char error[160]; /* in words; valid in done() and after, when there was an error */
};

/* Once, before threads; 0 or -errno. */
MUST_CHECK int fetch_init(void);

/* This loop may have fetches, until fetch_loop_stop(), which needs a turn of the loop behind it. */
MUST_CHECK int fetch_loop_start(uv_loop_t *loop);
void fetch_loop_stop(void);

extern const struct worker_hooks fetch_hooks;

/* Zeroed at first. 0, or -EINVAL for an address that is none, -ENOMEM, -ESHUTDOWN: then done() is
 * not called. */
MUST_CHECK int fetch_start(struct fetch *fetch, const struct fetch_request *request);

static inline bool fetch_is_running(const struct fetch *fetch)
{
	return fetch->easy;
}

/* Ends it, if it runs. done() is not called. */
void fetch_cancel(struct fetch *fetch);

/* Goes on after data() paused, or when more() has something again. Not from within its calls; done()
 * may be called before this returns. */
void fetch_resume(struct fetch *fetch);

/* Cancels it and frees what it holds. Accepts a zeroed one. */
void fetch_fini(struct fetch *fetch);

/* A header of the answer, without blanks around it; {NULL, 0} when it has none of that name. */
struct bytes fetch_header(const struct fetch *fetch, const char *name);

/* The answer's body, as far as it came. */
struct bytes fetch_body(const struct fetch *fetch);

/* Where the answer comes from: the connection's far end; false when there is none. */
bool fetch_peer(const struct fetch *fetch, struct address *peer);

/* Whether it is an http or https URL that could be called. */
bool fetch_url_is_good(const char *url);

/* The address as it may be shown and logged: without user, password and query. */
void fetch_url_show(const char *url, char *out, size_t size);
