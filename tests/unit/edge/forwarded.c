/* forwarded: who the client is, when hops are honest and when they are not. */
#include "edge/proto/forwarded.h"

#include "expect.h"

struct row {
	const char *headers;
	const char *peer;
	const char *client; /* address and port */
	bool good;
};

/* 10.0.0.0/8 and ::1 are trusted. */
static struct address client_of(const struct row *row, enum forwarded_by by, bool *good)
{
	struct cidr trusted[2];
	char text[512];
	struct http1_head head;
	struct address peer;
	struct address client;

	assert_true(cidr_parse(BYTES("10.0.0.0/8"), &trusted[0]));
	assert_true(cidr_parse(BYTES("::1"), &trusted[1]));
	assert_true(address_parse(bytes_str(row->peer), &peer));
	snprintf(text, sizeof text, "GET / HTTP/1.1\n%s\n", row->headers);
	struct bytes in = guarded(bytes_str(text));

	assert_int_equal(http1_parse_request(in, 0, &head), HTTP1_OK);
	*good = forwarded_client(&head, by, &peer, (struct cidr_list){trusted, 2}, &client);
	guarded_free(in);
	return client;
}

static void expect_clients(const struct row *rows, size_t count, enum forwarded_by by)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t buf[ADDRESS_TEXT_MAX];
		struct writer w = writer_of(buf, sizeof buf);
		bool good;
		struct address client = client_of(&rows[i], by, &good);

		print_message("# row %zu\n", i);
		address_write(&w, &client);
		expect_written(&w, rows[i].client);
		assert_int_equal(good, rows[i].good);
	}
}

static void x_forwarded_for_is_walked_from_the_right(void **state)
{
	static const struct row rows[] = {
		{"", "10.0.0.1:5", "10.0.0.1:5", true},
		{"X-Forwarded-For: 192.0.2.1\n", "10.0.0.1:5", "192.0.2.1:0", true},
		{"x-forwarded-for: 192.0.2.1\n", "203.0.113.1:5", "203.0.113.1:5", true},
		{"X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1\n", "10.0.0.1", "192.0.2.1:0",
		 true},
		{"X-Forwarded-For: 10.3.3.3, 10.2.2.2\n", "::1", "10.3.3.3:0", true},
		{"X-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 192.0.2.1:99\n", "10.0.0.1",
		 "192.0.2.1:99", true},
		{"X-Forwarded-For: 192.0.2.1\nX-Forwarded-For: 10.2.2.2\n", "10.0.0.1",
		 "192.0.2.1:0", true},
		{"X-Forwarded-For: [2001:db8::1]:80\n", "10.0.0.1", "[2001:db8::1]:80", true},
		{"X-Forwarded-For: 2001:db8::1,::1\n", "10.0.0.1", "[2001:db8::1]:0", true},
		{"X-Forwarded-For: , 192.0.2.1 ,,\n", "10.0.0.1", "192.0.2.1:0", true},
		/* What the client invented is to the left of where the walk ends. */
		{"X-Forwarded-For: <script>, 192.0.2.1\n", "10.0.0.1", "192.0.2.1:0", true},
		{"X-Forwarded-For: 10.0.0.9, 192.0.2.1\n", "10.0.0.1", "192.0.2.1:0", true},
		/* A hop that does not say, or says something unreadable, stands for its client. */
		{"X-Forwarded-For: 192.0.2.1, unknown, 10.2.2.2\n", "10.0.0.1", "10.2.2.2:0", true},
		{"X-Forwarded-For: unknown\n", "10.0.0.1:5", "10.0.0.1:5", true},
		{"X-Forwarded-For: 192.0.2.1, nonsense, 10.2.2.2, 10.3.3.3\n", "10.0.0.1",
		 "10.2.2.2:0", false},
		{"X-Forwarded-For: 192.0.2.1, 300.1.1.1\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"X-Forwarded-For: 192.0.2.1, nonsense, unknown\n", "10.0.0.1:5", "10.0.0.1:5",
		 true},
		/* The other header is nobody's word. */
		{"Forwarded: for=192.0.2.1\n", "10.0.0.1:5", "10.0.0.1:5", true},
	};

	(void)state;
	expect_clients(rows, sizeof rows / sizeof *rows, FORWARDED_X_FORWARDED_FOR);
}

static void forwarded_is_walked_from_the_right(void **state)
{
	static const struct row rows[] = {
		/* RFC 7239 section 4 */
		{"Forwarded: For=\"[2001:db8:cafe::17]:4711\"\n", "10.0.0.1",
		 "[2001:db8:cafe::17]:4711", true},
		{"Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43\n", "10.0.0.1",
		 "192.0.2.60:0", true},
		{"Forwarded: for=192.0.2.43, for=198.51.100.17\n", "10.0.0.1", "198.51.100.17:0",
		 true},
		{"Forwarded: for=\"_gazonk\"\n", "10.0.0.1:5", "10.0.0.1:5", true},
		{"Forwarded: for=_hidden, for=_SEVKISEK\n", "10.0.0.1:5", "10.0.0.1:5", true},
		/* section 7.1 */
		{"Forwarded: for=192.0.2.43, for=\"[2001:db8:cafe::17]\", for=unknown\n",
		 "10.0.0.1:5", "10.0.0.1:5", true},
		{"Forwarded: for=192.0.2.43\nForwarded: for=\"[::1]\"\n", "10.0.0.1",
		 "192.0.2.43:0", true},
		{"Forwarded: for=\"192.0.2.1:80\" ; proto=https , for=10.2.2.2\n", "10.0.0.1",
		 "192.0.2.1:80", true},
		{"Forwarded: ;;for=192.0.2.1;;,,\n", "10.0.0.1", "192.0.2.1:0", true},
		{"Forwarded: by=\"a,b;for=6.6.6.6\";for=192.0.2.1\n", "10.0.0.1", "192.0.2.1:0",
		 true},
		{"Forwarded: by=\"\\\", for=6.6.6.6\";for=192.0.2.1\n", "10.0.0.1", "192.0.2.1:0",
		 true},
		{"Forwarded: for=192.0.2.1, proto=https, for=10.2.2.2\n", "10.0.0.1", "10.2.2.2:0",
		 true},
		{"Forwarded: for=\"unknown:77\"\n", "10.0.0.1:5", "10.0.0.1:5", true},
		/* An unfinished quote of the client swallows what the proxy wrote behind it. */
		{"Forwarded: for=\"6.6.6.6, for=192.0.2.1\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for=\", for=\"[2001:db8::1]:80\"\n", "10.0.0.1:5", "10.0.0.1:5",
		 false},
		{"Forwarded: for=192.0.2.1;for=6.6.6.6\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for=\"\\192.0.2.1\"\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for=\"\\\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for=192.0.2.1 for=192.0.2.2\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for=[2001:db8::1]\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: for=\n", "10.0.0.1:5", "10.0.0.1:5", false},
		{"Forwarded: @\nForwarded: for=192.0.2.1\n", "10.0.0.1:5", "192.0.2.1:0", true},
		{"X-Forwarded-For: 192.0.2.1\n", "10.0.0.1:5", "10.0.0.1:5", true},
		{"Forwarded: for=192.0.2.1\n", "203.0.113.1:5", "203.0.113.1:5", true},
	};

	(void)state;
	expect_clients(rows, sizeof rows / sizeof *rows, FORWARDED_RFC7239);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x_forwarded_for_is_walked_from_the_right),
		cmocka_unit_test(forwarded_is_walked_from_the_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
