/* http_reply: whatever is put into a head, it stays one head with the same number of lines, and
 * every value is read back as it was but for its control bytes and outer blanks. The input is pairs
 * of name and value, apart by bytes of 0xff. */
#include "edge/proto/http_reply.h"

#include "edge/proto/http1.h"
#include "property.h"

/* What is to come out of value at the other end. */
static struct bytes cleaned(struct bytes value, uint8_t *buf)
{
	for (size_t i = 0; i < value.len; i++)
		buf[i] = value.at[i] < 0x20 || value.at[i] == 0x7f ? ' ' : value.at[i];
	return bytes_trim(bytes_of(buf, value.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[1 << 16];
	static uint8_t buf[1 << 14];
	static struct http1_response got;
	struct bytes values[16];
	struct bytes rest = bytes_of(data, size);
	struct writer w = writer_of(text, sizeof text);
	size_t count = 1;

	if (size > sizeof buf)
		return 0;
	struct http_reply reply = {.version = BYTES("HTTP/1.1"), .status = 200, .length = size};

	reply.has_length = true;
	http_reply_begin(&w, &reply);
	while (rest.len && count < 16) {
		struct bytes name = bytes_cut(&rest, 0xff);

		values[count] = bytes_cut(&rest, 0xff);
		http_reply_header(&w, name.len ? name : BYTES("x"), values[count]);
		count++;
	}
	http_reply_end(&w);
	PROPERTY(writer_ok(&w));
	PROPERTY(http1_parse_response(writer_done(&w), 0, &got) == HTTP1_OK);
	PROPERTY(got.head.used == w.len && got.head.count == count && got.status == 200);
	for (size_t i = 1; i < count; i++)
		PROPERTY(bytes_equal(got.head.headers[i].value, cleaned(values[i], buf)));
	return 0;
}
