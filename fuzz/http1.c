/* http1: parts lie inside the input; the verdict does not depend on how the bytes were chopped;
 * what was parsed, printed and parsed again is the same. */
#include "edge/proto/http1.h"

#include "core/writer.h"
#include "property.h"

typedef enum http1_status parse_fn(struct bytes in, size_t seen, struct http1_response *out);

static enum http1_status parse_request(struct bytes in, size_t seen, struct http1_response *out)
{
	out->status = 0;
	out->reason = bytes_of(NULL, 0);
	return http1_parse_request(in, seen, &out->head);
}

static enum http1_status parse_fields(struct bytes in, size_t seen, struct http1_response *out)
{
	out->status = 0;
	out->reason = bytes_of(NULL, 0);
	return http1_parse_fields(in, seen, &out->head);
}

static bool has_control(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if ((in.at[i] < 0x20 && in.at[i] != '\t') || in.at[i] == 0x7f)
			return true;
	return false;
}

static void check_parts(struct bytes in, enum http1_status status, const struct http1_head *head)
{
	PROPERTY((status == HTTP1_BAD) == (head->fault != NULL));
	PROPERTY((status == HTTP1_BAD) == (head->refusal != 0));
	PROPERTY((status == HTTP1_OK) == (head->used > 0));
	PROPERTY(head->used <= in.len && head->count <= HTTP1_HEADERS_MAX);
	PROPERTY(part_inside(head->method, in) && part_inside(head->target, in) &&
		 part_inside(head->version, in));
	for (size_t i = 0; i < head->count; i++) {
		const struct http1_header *header = &head->headers[i];

		PROPERTY(part_inside(header->name, in) && part_inside(header->value, in));
		PROPERTY(header->name.len > 0 && header->value.at);
		PROPERTY(!has_control(header->name) && !has_control(header->value));
		PROPERTY(bytes_find(header->name, ':') == header->name.len);
		PROPERTY(http1_header_get(head, header->name).at);
	}
}

static void check_same(const struct http1_response *a, const struct http1_response *b)
{
	PROPERTY(a->head.used == b->head.used && a->head.minor == b->head.minor &&
		 a->head.count == b->head.count && a->head.fault == b->head.fault &&
		 a->status == b->status);
	PROPERTY(bytes_equal(a->head.method, b->head.method));
	PROPERTY(bytes_equal(a->head.target, b->head.target));
	PROPERTY(bytes_equal(a->head.version, b->head.version));
	PROPERTY(bytes_equal(a->reason, b->reason));
	for (size_t i = 0; i < a->head.count; i++) {
		PROPERTY(bytes_equal(a->head.headers[i].name, b->head.headers[i].name));
		PROPERTY(bytes_equal(a->head.headers[i].value, b->head.headers[i].value));
	}
}

/* The first n bytes, then all: the same verdict as all at once. */
static void check_cut(parse_fn *parse, struct bytes in, size_t n, enum http1_status whole_status,
		      const struct http1_response *whole)
{
	static struct http1_response part;
	enum http1_status status = parse(bytes_first(in, n), 0, &part);

	if (status == HTTP1_MORE)
		status = parse(in, n, &part);
	PROPERTY(status == whole_status);
	/* With MORE, what is set so far says nothing. */
	if (status != HTTP1_MORE)
		check_same(&part, whole);
}

static void check_cuts(parse_fn *parse, struct bytes in)
{
	static struct http1_response whole;
	static struct http1_response bytewise;
	enum http1_status status = parse(in, 0, &whole);
	enum http1_status last = HTTP1_MORE;
	size_t step = in.len / 128 + 1;

	check_parts(in, status, &whole.head);
	for (size_t n = 0; n < in.len; n += step)
		check_cut(parse, in, n, status, &whole);
	for (size_t n = 1; n <= in.len && last == HTTP1_MORE; n++)
		last = parse(bytes_first(in, n), n - 1, &bytewise);
	PROPERTY(last == status);
	if (status != HTTP1_MORE)
		check_same(&bytewise, &whole);
}

static void print_headers(struct writer *w, const struct http1_head *head)
{
	for (size_t i = 0; i < head->count; i++) {
		writer_put(w, head->headers[i].name);
		writer_str(w, ": ");
		writer_put(w, head->headers[i].value);
		writer_str(w, "\r\n");
	}
	writer_str(w, "\r\n");
}

static void check_printed(struct bytes in)
{
	static uint8_t text[1 << 20];
	static struct http1_response first;
	static struct http1_response second;
	struct writer w = writer_of(text, sizeof text);

	if (in.len > sizeof text / 8 || parse_request(in, 0, &first) != HTTP1_OK)
		return;
	writer_put(&w, first.head.method);
	writer_u8(&w, ' ');
	writer_put(&w, first.head.target);
	writer_u8(&w, ' ');
	writer_put(&w, first.head.version);
	writer_str(&w, "\r\n");
	print_headers(&w, &first.head);
	PROPERTY(writer_ok(&w));
	PROPERTY(parse_request(writer_done(&w), 0, &second) == HTTP1_OK);
	PROPERTY(second.head.used == w.len);
	first.head.used = second.head.used;
	check_same(&first, &second);
}

static void check_meaning(struct bytes in)
{
	static struct http1_head head;
	struct http1_body body;
	struct http1_range range;

	if (http1_parse_request(in, 0, &head) != HTTP1_OK)
		return;
	bool framed = http1_body_of(&head, &body);
	bool has_length = http1_header_get(&head, BYTES("Content-Length")).at != NULL;
	bool has_encoding = http1_header_get(&head, BYTES("Transfer-Encoding")).at != NULL;

	PROPERTY(framed == (body.fault == NULL));
	PROPERTY(!(framed && has_length && has_encoding));
	if (framed) {
		PROPERTY((body.framing == HTTP1_LENGTH) == has_length);
		PROPERTY((body.framing == HTTP1_CHUNKED) == has_encoding);
		PROPERTY(body.length <= INT64_MAX);
	} else {
		PROPERTY(body.must_close && (has_length || has_encoding));
	}
	if (http1_parse_range(http1_header_get(&head, BYTES("Range")), &range))
		PROPERTY(range.from_end || range.first <= range.last);
	struct bytes path = http1_target_path(head.target);

	PROPERTY(path.len > 0 && (path.at[0] == '/' || bytes_equal(path, BYTES("*"))));
	for (size_t i = 0; i < head.count; i++) {
		struct bytes list = head.headers[i].value;
		struct bytes token = bytes_trim(bytes_cut(&list, ','));

		if (token.len)
			PROPERTY(http1_header_has_token(&head, head.headers[i].name, token));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_cuts(parse_request, in);
	check_cuts(http1_parse_response, in);
	check_cuts(parse_fields, in);
	check_printed(in);
	check_meaning(in);
	return 0;
}
