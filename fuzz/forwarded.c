/* forwarded: the fold from the left finds what a plain walk from the right finds, for both headers.
 * Each line of the input is one header value. */
#include "edge/proto/forwarded.h"

#include "property.h"

#define HOPS_MAX 64

static const struct cidr networks[] = {
	{{[10] = 0xff, [11] = 0xff, [12] = 10}, 104}, /* 10.0.0.0/8 */
	{{[15] = 1}, 128},                            /* ::1 */
};
static const struct cidr_list trusted = {networks, 2};
static const struct address peer = {{[15] = 1}, 7};

static bool is_hidden(struct bytes hop)
{
	struct bytes rest = hop;

	return (hop.len > 1 && hop.at[0] == '_') ||
	       bytes_equal_nocase(bytes_cut(&rest, ':'), BYTES("unknown"));
}

/* The walk as the header of forwarded.h tells it. */
static struct address walk(const struct bytes *hops, size_t count, bool *good)
{
	struct address client = peer;

	*good = true;
	for (size_t i = count; i > 0; i--) {
		struct address hop;

		if (!cidr_list_holds(trusted, &client))
			break;
		if (!address_parse(hops[i - 1], &hop)) {
			*good = is_hidden(hops[i - 1]);
			break;
		}
		client = hop;
	}
	return client;
}

static bool same(const struct address *a, const struct address *b)
{
	return address_same_ip(a, b) && a->port == b->port;
}

/* The hops of a comma list; false when they are too many. */
static bool split(struct bytes in, struct bytes *hops, size_t *count)
{
	*count = 0;
	for (struct bytes lines = in; lines.len;) {
		struct bytes line = bytes_cut(&lines, '\n');

		while (line.len) {
			struct bytes hop = bytes_trim(bytes_cut(&line, ','));

			if (hop.len == 0)
				continue;
			if (*count == HOPS_MAX)
				return false;
			hops[(*count)++] = hop;
		}
	}
	return true;
}

static bool add_lines(struct http1_head *head, struct bytes name, struct bytes lines)
{
	head->count = 0;
	while (lines.len) {
		if (head->count == HTTP1_HEADERS_MAX)
			return false;
		head->headers[head->count++] =
			(struct http1_header){name, bytes_trim(bytes_cut(&lines, '\n'))};
	}
	return true;
}

static void check_x_forwarded_for(struct bytes in)
{
	static struct http1_head head;
	struct bytes hops[HOPS_MAX];
	size_t count;
	bool want_good;
	struct address got;

	if (!split(in, hops, &count) || !add_lines(&head, BYTES("x-forwarded-for"), in))
		return;
	struct address want = walk(hops, count, &want_good);
	bool good = forwarded_client(&head, FORWARDED_X_FORWARDED_FOR, &peer, trusted, &got);

	PROPERTY(good == want_good && same(&got, &want));
}

/* The same hops, each as a quoted node. */
static void check_quoted(struct bytes in)
{
	static struct http1_head head;
	static uint8_t text[1 << 16];
	struct writer w = writer_of(text, sizeof text);
	struct bytes hops[HOPS_MAX];
	size_t count;
	bool want_good;
	struct address got;

	if (!split(in, hops, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (bytes_find(hops[i], '"') < hops[i].len ||
		    bytes_find(hops[i], '\\') < hops[i].len)
			return;
		writer_str(&w, i ? " , proto=http;For=\"" : "For=\"");
		writer_put(&w, hops[i]);
		writer_str(&w, i % 2 ? "\";by=\"a,b\\\"c\"" : "\"");
	}
	head.count = 1;
	head.headers[0] = (struct http1_header){BYTES("FORWARDED"), writer_done(&w)};
	struct address want = walk(hops, count, &want_good);
	bool good = forwarded_client(&head, FORWARDED_RFC7239, &peer, trusted, &got);

	PROPERTY(writer_ok(&w));
	PROPERTY(good == want_good && same(&got, &want));
}

/* Whatever stands there: who is unreadable makes the hop that passed it on the client, and a peer
 * that is not trusted is the client. */
static void check_forwarded(struct bytes in)
{
	static struct http1_head head;
	const struct address stranger = {{[0] = 0x20}, 9};
	struct address got;

	if (!add_lines(&head, BYTES("Forwarded"), in))
		return;
	if (!forwarded_client(&head, FORWARDED_RFC7239, &peer, trusted, &got))
		PROPERTY(cidr_list_holds(trusted, &got));
	PROPERTY(forwarded_client(&head, FORWARDED_RFC7239, &stranger, trusted, &got));
	PROPERTY(same(&got, &stranger));
	/* A good hop behind all of it decides. */
	if (head.count < HTTP1_HEADERS_MAX) {
		head.headers[head.count++] =
			(struct http1_header){BYTES("Forwarded"), BYTES("for=\"192.0.2.1:80\"")};
		PROPERTY(forwarded_client(&head, FORWARDED_RFC7239, &peer, trusted, &got));
		PROPERTY(got.ip[12] == 192 && got.ip[15] == 1 && got.port == 80);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_x_forwarded_for(in);
	if (size < 1 << 12)
		check_quoted(in);
	check_forwarded(in);
	return 0;
}
