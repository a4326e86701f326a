#include "http1.h"

/* No file and no stream is longer, and sums with it stay far from overflow. */
#define LENGTH_MAX ((uint64_t)INT64_MAX)

static bool refuse(struct http1_body *body, const char *fault)
{
	body->fault = fault;
	body->must_close = true;
	return false;
}

/* What the framing headers of a message say, over all its lines. */
struct framing_headers {
	size_t encodings;  /* Transfer-Encoding lines, even empty ones */
	bool not_chunked;  /* one of them is something else than "chunked" */
	bool has_length;   /* a Content-Length line, even a broken one */
	bool bad_length;   /* not a number, out of bounds, or two that differ */
	bool length_known; /* length is set */
	uint64_t length;
};

/* RFC 9110 8.6: the same number again, in one line or in several, still is that number. */
static void read_length(struct bytes value, struct framing_headers *found)
{
	bool more = true;

	found->has_length = true;
	while (more && !found->bad_length) {
		uint64_t length = 0;

		more = bytes_find(value, ',') < value.len;
		if (!bytes_to_u64(bytes_trim(bytes_cut(&value, ',')), LENGTH_MAX, &length) ||
		    (found->length_known && length != found->length))
			found->bad_length = true;
		found->length = length;
		found->length_known = true;
	}
}

static struct framing_headers read_framing(const struct http1_head *head)
{
	struct framing_headers found = {0};

	for (size_t i = 0; i < head->count; i++) {
		const struct http1_header *header = &head->headers[i];

		if (bytes_equal_nocase(header->name, BYTES("Transfer-Encoding"))) {
			found.encodings++;
			found.not_chunked |= !bytes_equal_nocase(header->value, BYTES("chunked"));
		} else if (bytes_equal_nocase(header->name, BYTES("Content-Length"))) {
			read_length(header->value, &found);
		}
	}
	return found;
}

/* The part of RFC 9112 6.3 that requests and responses have in common. *said tells whether the
 * headers framed the body at all. */
static bool frame_by_headers(const struct http1_head *head, struct http1_body *body, bool *said)
{
	struct framing_headers found = read_framing(head);

	*said = found.encodings || found.has_length;
	/* RFC 9112 6.1 and 11.2: both at once is how requests are smuggled past a proxy. */
	if (found.encodings && found.has_length)
		return refuse(body, "both Transfer-Encoding and Content-Length");
	/* Lists with empty elements or lines are allowed, and read differently by others: one line,
	 * one word, or nothing. */
	if (found.encodings > 1 || found.not_chunked)
		return refuse(body, "Transfer-Encoding is not just chunked");
	if (found.encodings) {
		body->framing = HTTP1_CHUNKED;
		/* RFC 9112 6.1: HTTP/1.0 has no chunks; whoever relayed this may not have read
		 * them, so that nothing may follow on this connection. */
		body->must_close |= head->minor == 0;
	}
	if (found.bad_length)
		return refuse(body, "Content-Length is not one number");
	if (found.has_length) {
		body->framing = HTTP1_LENGTH;
		body->length = found.length;
	}
	return true;
}

bool http1_body_of(const struct http1_head *head, struct http1_body *body)
{
	bool said;

	*body = (struct http1_body){.framing = HTTP1_NONE};
	if (!frame_by_headers(head, body, &said))
		return false;
	if (!said && (bytes_equal(head->method, BYTES("SOURCE")) ||
		      bytes_equal(head->method, BYTES("PUT")))) {
		body->framing = HTTP1_UNTIL_CLOSE;
		body->must_close = true;
	}
	return true;
}

bool http1_response_body_of(const struct http1_response *response, bool to_head,
			    struct http1_body *body)
{
	bool said;

	*body = (struct http1_body){.framing = HTTP1_NONE};
	/* RFC 9112 6.3 rule 1: these never have a body, whatever their headers say. */
	if (to_head || response->status < 200 || response->status == 204 || response->status == 304)
		return true;
	if (!frame_by_headers(&response->head, body, &said))
		return false;
	if (!said) {
		body->framing = HTTP1_UNTIL_CLOSE;
		body->must_close = true;
	}
	return true;
}

bool http1_parse_range(struct bytes value, struct http1_range *range)
{
	struct bytes rest = bytes_trim(value);
	struct bytes unit = bytes_cut(&rest, '=');

	*range = (struct http1_range){.last = UINT64_MAX};
	/* RFC 9110 14.1: the names of units ignore case. */
	if (!bytes_equal_nocase(unit, BYTES("bytes")))
		return false;
	rest = bytes_trim(rest);
	if (bytes_find(rest, '-') == rest.len)
		return false;
	/* A second range leaves its comma in the last number, which then is none. */
	struct bytes first = bytes_cut(&rest, '-');

	if (first.len == 0) {
		range->from_end = true;
		return bytes_to_u64(rest, LENGTH_MAX, &range->count);
	}
	if (!bytes_to_u64(first, LENGTH_MAX, &range->first))
		return false;
	if (rest.len == 0)
		return true;
	return bytes_to_u64(rest, LENGTH_MAX, &range->last) && range->last >= range->first;
}
