/* proxy_protocol: both versions at every split, and what is broken or none. */
#include "edge/proto/proxy_protocol.h"

#include "expect.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

struct row {
	struct bytes in;
	enum proxy_status status;
	size_t used;
	const char *source; /* NULL: not known */
	const char *destination;
	const char *fault;
};

#define V1_LONGEST                                               \
	"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " \
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"

static const struct row *all_rows(size_t *count)
{
	static struct row rows[64];
	const struct row table[] = {
		/* the examples of the document's section 2.1 */
		{BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_OK, 56,
		 "255.255.255.255:65535", "255.255.255.255:65535", NULL},
		{BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n"),
		 PROXY_OK, 47, "192.168.0.1:56324", "192.168.0.11:443", NULL},
		{BYTES("PROXY TCP6 2001:db8::1 ::1 1 0\r\n"), PROXY_OK, 32, "[2001:db8::1]:1",
		 "[::1]:0", NULL},
		{BYTES("PROXY UNKNOWN\r\n"), PROXY_OK, 15, NULL, NULL, NULL},
		{BYTES(V1_LONGEST), PROXY_OK, 107, NULL, NULL, NULL},
		{BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: the line does not end in CR LF"},
		{BYTES("PROXY UNKNOWN x" V1_LONGEST), PROXY_BAD, 0, NULL, NULL,
		 "v1: no line end within 107 bytes"},
		{BYTES("PROXY \n"), PROXY_BAD, 0, NULL, NULL, "v1: the line does not end in CR LF"},
		{BYTES("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: neither TCP4 nor TCP6 nor UNKNOWN"},
		{BYTES("PROXY TCP4 ::1 1.2.3.4 1 2\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: an address is not of its family"},
		{BYTES("PROXY TCP6 1.2.3.4 ::1 1 2\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: an address is not of its family"},
		{BYTES("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: an address is not of its family"},
		{BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: a port is no port"},
		{BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: a port is no port"},
		{BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: a port is no port"},
		{BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), PROXY_BAD, 0, NULL, NULL,
		 "v1: a port is no port"},

		/* version 2 */
		{BYTES(SIG "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x1f\x90\0\x50rest"), PROXY_OK, 28,
		 "192.0.2.1:8080", "192.0.2.2:80", NULL},
		{BYTES(SIG
		       "\x21\x21\0\x24"
		       "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
		       "\0\1\0\2"),
		 PROXY_OK, 52, "[2001:db8::1]:1", "[2001:db8::2]:2", NULL},
		{BYTES(SIG "\x21\x11\0\x13\xc0\0\2\1\xc0\0\2\2\x1f\x90\0\x50\3\0\4\1\2\3\4"),
		 PROXY_OK, 35, "192.0.2.1:8080", "192.0.2.2:80", NULL}, /* a CRC32c, passed over */
		{BYTES(SIG "\x20\0\0\0"), PROXY_OK, 16, NULL, NULL, NULL},
		{BYTES(SIG "\x20\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x1f\x90\0\x50"), PROXY_OK, 28, NULL,
		 NULL, NULL}, /* LOCAL: its addresses do not count */
		{BYTES(SIG "\x21\0\0\3xyz"), PROXY_OK, 19, NULL, NULL, NULL},  /* UNSPEC */
		{BYTES(SIG "\x21\x31\0\2/a"), PROXY_OK, 18, NULL, NULL, NULL}, /* AF_UNIX */
		{BYTES(SIG "\x11\x11\0\0"), PROXY_BAD, 0, NULL, NULL, "v2: the version is not 2"},
		{BYTES(SIG "\x22\x11\0\0"), PROXY_BAD, 0, NULL, NULL,
		 "v2: neither LOCAL nor PROXY"},
		{BYTES(SIG "\x21\x41\0\0"), PROXY_BAD, 0, NULL, NULL,
		 "v2: a family that does not exist"},
		{BYTES(SIG "\x21\x13\0\0"), PROXY_BAD, 0, NULL, NULL,
		 "v2: a family that does not exist"},
		{BYTES(SIG "\x21\x11\xff\xff"), PROXY_BAD, 0, NULL, NULL, "v2: too long"},
		{BYTES(SIG "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\x1f\x90\0"), PROXY_BAD, 0, NULL,
		 NULL, "v2: too short for its addresses"},
		{BYTES(SIG "\x21\x11\0\x0f\xc0\0\2\1\xc0\0\2\2\x1f\x90\0\x50\3\0\4"), PROXY_BAD, 0,
		 NULL, NULL, "v2: a TLV is longer than the header"},

		{BYTES("PUT /live HTTP/1.1\r\n"), PROXY_NONE, 0, NULL, NULL, NULL},
		{BYTES("PROXY/1 HTTP"), PROXY_NONE, 0, NULL, NULL, NULL},
		{BYTES("\r\nGET / HTTP/1.1\r\n"), PROXY_NONE, 0, NULL, NULL, NULL},
		{BYTES("\r\n\r\n\0\r\nQUIT "), PROXY_NONE, 0, NULL, NULL, NULL},
		{BYTES("\x16\x03\x01"), PROXY_NONE, 0, NULL, NULL, NULL},
		{BYTES(""), PROXY_MORE, 0, NULL, NULL, NULL},
	};

	memcpy(rows, table, sizeof table);
	*count = sizeof table / sizeof *table;
	return rows;
}

static void expect_address(const struct address *got, const char *want)
{
	uint8_t buf[ADDRESS_TEXT_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	address_write(&w, got);
	expect_written(&w, want);
}

static void headers_are_taken_at_every_split(void **state)
{
	size_t count;
	const struct row *rows = all_rows(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		struct proxy_info info;

		if (proxy_parse(row->in, &info) != row->status)
			fail_msg("row %zu: %s", i, (const char *)row->in.at);
		assert_int_equal(info.known, row->source != NULL);
		if (row->status == PROXY_OK)
			assert_int_equal(info.used, row->used);
		if (row->status == PROXY_BAD)
			assert_string_equal(info.fault, row->fault);
		if (row->source) {
			expect_address(&info.source, row->source);
			expect_address(&info.destination, row->destination);
		}
		for (size_t cut = 0; cut < row->in.len; cut++) {
			struct bytes part = guarded(bytes_first(row->in, cut));
			enum proxy_status status = proxy_parse(part, &info);

			if (row->status == PROXY_OK)
				assert_int_equal(status, cut < row->used ? PROXY_MORE : PROXY_OK);
			else if (status != PROXY_MORE)
				assert_int_equal(status, row->status);
			guarded_free(part);
		}
	}
}

static void a_v1_line_is_never_waited_for_too_long(void **state)
{
	char text[PROXY_V1_MAX + 1] = "PROXY UNKNOWN ";
	struct proxy_info info;

	(void)state;
	memset(text + strlen(text), 'x', PROXY_V1_MAX - strlen(text));
	assert_int_equal(proxy_parse(bytes_of(text, PROXY_V1_MAX - 1), &info), PROXY_MORE);
	assert_int_equal(proxy_parse(bytes_of(text, PROXY_V1_MAX), &info), PROXY_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_taken_at_every_split),
		cmocka_unit_test(a_v1_line_is_never_waited_for_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
