/* http1: cuts one HTTP/1 message head off the front of what a connection has received.
 *
 *     in:  "PUT /live HTTP/1.1\r\nHost: a\r\n\r\n" body …
 *           ^method ^target ^version  ^name ^value  ^used
 *
 * A head is judged line by line as the lines become complete, so the verdict on the same bytes is
 * the same however they were chopped. Everything found points into the input, which the caller
 * owns and must keep as long as he uses the parts. Nothing is allocated, copied or changed.
 *
 * Taken, because encoders and players in the field send it: a bare LF as the end of a line, up to
 * HTTP1_EMPTY_LINES empty lines in front, "ICE/1.0", methods nobody registered (SOURCE, STATS),
 * bytes above 127 in targets and values (UTF-8 titles), a missing Host.
 * Refused: bare CR, NUL and other control bytes, blanks around a name, folded lines (RFC 9112 5.2
 * lets a server), more than HTTP1_HEADERS_MAX header lines, any other version.
 *
 * It does not limit the length of a head: who owns the buffer does, by answering 431 when the
 * buffer is full and the word is still MORE. It knows no method and no header by meaning, except
 * those that frame the body. Pure: any thread, no I/O. */
#pragma once

#include "core/bytes.h"

#define HTTP1_HEADERS_MAX 64
#define HTTP1_EMPTY_LINES 4

enum http1_status {
	HTTP1_OK,   /* a whole head; the body or the next head begins at in.at + used */
	HTTP1_MORE, /* call again with more bytes behind these */
	HTTP1_BAD,  /* never a head: see fault; close after answering */
};

struct http1_header {
	struct bytes name;  /* never empty, as the peer spelt it */
	struct bytes value; /* without the blanks around it, may be empty */
};

struct http1_head {
	struct bytes method;  /* case-sensitive; empty in a response */
	struct bytes target;  /* "/path?query", "http://host/path" or "*"; empty in a response */
	struct bytes version; /* "HTTP/1.1", "HTTP/1.0", "ICE/1.0"; "ICY" in a response */
	int minor;            /* 1 for HTTP/1.1 and later minors, 0 for all else */
	struct http1_header headers[HTTP1_HEADERS_MAX];
	size_t count;      /* of headers */
	size_t used;       /* with HTTP1_OK: the bytes of the head, its empty last line included */
	const char *fault; /* with HTTP1_BAD: what was wrong, for the reply and the log */
	unsigned refusal;  /* with HTTP1_BAD: the status to answer: 400, 431 or 505 */
};

struct http1_response {
	struct http1_head head; /* head.method and head.target are empty */
	unsigned status;        /* 100 to 999 */
	struct bytes reason;    /* may be empty */
};

/* seen: how many of these bytes were there at an earlier call that said HTTP1_MORE, or 0. Without
 * the end of a line behind them nothing is read again; so a head that comes byte by byte is read
 * once a line, and its lines are bounded. */
enum http1_status http1_parse_request(struct bytes in, size_t seen, struct http1_head *head);

/* The same for what a relay gets back: "HTTP/1.x nnn reason" or SHOUTcast's "ICY 200 OK". */
enum http1_status http1_parse_response(struct bytes in, size_t seen, struct http1_response *out);

/* The same for header lines alone, as a SHOUTcast v1 source sends them after its password. An
 * empty line at once is a head without headers. */
enum http1_status http1_parse_fields(struct bytes in, size_t seen, struct http1_head *head);

/* The target without scheme and authority: "/live?x=1" of "http://host:8000/live?x=1", "/" when
 * nothing is left; "*" stays. Of a target that http1_parse_request() let through. */
struct bytes http1_target_path(struct bytes target);

/* The first value under that name (ASCII case ignored). {NULL, 0} when there is no such header; at
 * is never NULL for an empty value. */
struct bytes http1_header_get(const struct http1_head *head, struct bytes name);

/* Whether a comma list, perhaps spread over several headers of that name, has that element (ASCII
 * case ignored), as in Connection: keep-alive, Expect: 100-continue. RFC 9110 5.6.1. */
bool http1_header_has_token(const struct http1_head *head, struct bytes name, struct bytes token);

enum http1_framing {
	HTTP1_NONE,        /* no body: the next head follows */
	HTTP1_LENGTH,      /* exactly length bytes, 0 included */
	HTTP1_CHUNKED,     /* chunked.h tells where it ends */
	HTTP1_UNTIL_CLOSE, /* all that comes until the peer closes */
};

struct http1_body {
	enum http1_framing framing;
	uint64_t length;   /* with HTTP1_LENGTH */
	bool must_close;   /* the connection cannot carry another message after this one */
	const char *fault; /* when the framing was refused */
};

/* How the body of this request is framed (RFC 9112 6.3). False with body->fault when two readers
 * of the same bytes could disagree about it: the only right answer is 400 and close.
 * A SOURCE or PUT that says nothing is a live stream until close: encoders do that. */
bool http1_body_of(const struct http1_head *head, struct http1_body *body);

/* The same for a response; to_head: the request was a HEAD. */
bool http1_response_body_of(const struct http1_response *response, bool to_head,
			    struct http1_body *body);

struct http1_range {
	bool from_end;  /* "bytes=-n": the last n bytes; else first to last */
	uint64_t count; /* n, with from_end; may be 0 */
	uint64_t first;
	uint64_t last; /* inclusive; UINT64_MAX for "bytes=a-" */
};

/* A Range value of one byte range (RFC 9110 14.1.2). False for several ranges, another unit or
 * nonsense: the header is then ignored, as RFC 9110 14.2 allows, and the answer is 200. */
bool http1_parse_range(struct bytes value, struct http1_range *range);
