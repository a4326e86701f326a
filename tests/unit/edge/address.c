/* address: text to bytes and back, networks, lists of them. inet_pton() is the oracle. */
#include "edge/proto/address.h"

#include <arpa/inet.h>

#include "expect.h"

static void texts_are_read_as_inet_pton_reads_them(void **state)
{
	static const char *const rows[] = {
		"0.0.0.0",
		"255.255.255.255",
		"192.0.2.1",
		"256.0.0.1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.4.",
		".1.2.3.4",
		"1..2.3",
		"1.2.3.a",
		"1.2.3.-4",
		"1.2.3.0x4",
		"",
		" 1.2.3.4",
		"1.2.3.4 ",
		"1",
		"::",
		"::1",
		"1::",
		"2001:db8::1",
		"2001:DB8:0:0:8:800:200C:417A",
		"1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8",
		"1::2:3:4:5:6:7:8",
		"1:2:3:4:5:6::8",
		"1::2::3",
		":::",
		":",
		":1",
		"1:",
		":1::2",
		"1::2:",
		"12345::",
		"g::",
		"::ffff:192.0.2.1",
		"::192.0.2.1",
		"::192.0.2.256",
		"::192.0.2",
		"1:2:3:4:5:6:192.0.2.1",
		"1:2:3:4:5:6:7:192.0.2.1",
		"192.0.2.1::",
		"::192.0.2.1:1",
		"64:ff9b::192.0.2.33",
		"fe80::1%eth0",
		"[::1]",
		"::1/128",
		"0:0:0:0:0:0:0:0",
		"::00001",
		"2001:db8:0:0:1:0:0:1",
		"2001:db8::1:1:1:1:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool v6 = strchr(rows[i], ':') != NULL;
		struct bytes in = guarded(bytes_str(rows[i]));
		uint8_t want[16] = {[10] = 0xff, [11] = 0xff};
		int known = inet_pton(v6 ? AF_INET6 : AF_INET, rows[i], v6 ? want : want + 12);
		struct address got;

		if (address_parse_ip(in, &got) != (known == 1))
			fail_msg("address: %s", rows[i]);
		if (known == 1)
			assert_memory_equal(got.ip, want, 16);
		guarded_free(in);
	}
}

static void leading_zeros_of_ipv4_are_refused(void **state)
{
	struct address a;

	(void)state;
	assert_false(address_parse_ip(BYTES("192.0.2.01"), &a));
	assert_false(address_parse_ip(BYTES("00.0.0.0"), &a));
}

static void addresses_are_printed_as_rfc_5952_says(void **state)
{
	static const char *const rows[][2] = {
		{"2001:0db8::0001", "2001:db8::1"},               /* 4.1 */
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},        /* 4.2.1 */
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2 */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* 4.2.3 */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* 4.2.3 */
		{"2001:DB8::A", "2001:db8::a"},                   /* 4.3 */
		{"0:0:0:0:0:0:0:0", "::"},
		{"0:0:0:0:0:0:0:1", "::1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
		{"::ffff:192.0.2.1", "192.0.2.1"}, /* 5 */
		{"::ffff:0:0", "0.0.0.0"},
		{"192.0.2.1", "192.0.2.1"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t buf[ADDRESS_TEXT_MAX];
		struct writer w = writer_of(buf, sizeof buf);
		struct address a;

		assert_true(address_parse_ip(bytes_str(rows[i][0]), &a));
		address_write_ip(&w, &a);
		expect_written(&w, rows[i][1]);
		a.port = 65535;
		w = writer_of(buf, sizeof buf);
		address_write(&w, &a);
		assert_true(writer_ok(&w));
	}
}

static void ports_are_cut_off(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
	} rows[] = {
		{"192.0.2.1", "192.0.2.1:0"},
		{"192.0.2.1:80", "192.0.2.1:80"},
		{"::1", "[::1]:0"},
		{"[::1]", "[::1]:0"},
		{"[::1]:65535", "[::1]:65535"},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
		{"1:80", NULL},
		{"192.0.2.1:", NULL},
		{"192.0.2.1:65536", NULL},
		{"192.0.2.1:000080", NULL},
		{"192.0.2.1:+80", NULL},
		{"192.0.2.1:80:80", NULL},
		{"[192.0.2.1]:80", NULL},
		{"[::1]80", NULL},
		{"[::1]:", NULL},
		{"[::1", NULL},
		{"[]:80", NULL},
		{"localhost:80", NULL},
		{":80", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes in = guarded(bytes_str(rows[i].in));
		uint8_t buf[ADDRESS_TEXT_MAX];
		struct writer w = writer_of(buf, sizeof buf);
		struct address a;

		if (address_parse(in, &a) != (rows[i].out != NULL))
			fail_msg("address: %s", rows[i].in);
		if (rows[i].out) {
			address_write(&w, &a);
			expect_written(&w, rows[i].out);
		}
		guarded_free(in);
	}
}

static void listen_settings_need_a_port(void **state)
{
	static const char *const rows[][2] = {
		{"127.0.0.1:8000", "127.0.0.1:8000"},
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"[::]:8000", "[::]:8000"},
		{":8000", "[::]:8000"},
		{"8000", "[::]:8000"},
		{"0", "[::]:0"},
		{"127.0.0.1", NULL},
		{"::1", NULL},
		{"[::1]", NULL},
		{"::ffff:1.2.3.4", NULL},
		{"[::1]:", NULL},
		{":", NULL},
		{"", NULL},
		{"65536", NULL},
		{":65536", NULL},
		{"localhost:8000", NULL},
		{"127.0.0.1:8000 ", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes in = guarded(bytes_str(rows[i][0]));
		uint8_t buf[ADDRESS_TEXT_MAX];
		struct writer w = writer_of(buf, sizeof buf);
		struct address a;

		if (address_parse_listen(in, &a) != (rows[i][1] != NULL))
			fail_msg("listen: %s", rows[i][0]);
		if (rows[i][1]) {
			address_write(&w, &a);
			expect_written(&w, rows[i][1]);
		}
		guarded_free(in);
	}
}

static void networks_hold_their_addresses(void **state)
{
	static const struct {
		const char *cidr;
		const char *ip;
		bool holds;
	} rows[] = {
		{"10.0.0.0/8", "10.255.1.2", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "a00::", false},
		{"10.0.0.0/8", "::ffff:10.1.1.1", true},
		{"192.0.2.64/26", "192.0.2.127", true},
		{"192.0.2.64/26", "192.0.2.128", false},
		{"192.0.2.64/26", "192.0.2.63", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::1", true},
		{"::/0", "203.0.113.9", true},
		{"::1", "::1", true},
		{"::1", "::2", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1/32", "127.0.0.2", false},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/32", "2001:db9::", false},
		{"fe80::/10", "febf::1", true},
		{"fe80::/10", "fec0::1", false},
		{"::ffff:0:0/96", "1.2.3.4", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cidr cidr;
		struct address a;

		assert_true(cidr_parse(bytes_str(rows[i].cidr), &cidr));
		assert_true(address_parse_ip(bytes_str(rows[i].ip), &a));
		if (cidr_holds(&cidr, &a) != rows[i].holds)
			fail_msg("%s in %s", rows[i].ip, rows[i].cidr);
	}
}

static void broken_networks_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/08",
		"10.0/8",
		"::/129",
		"::1/127",
		"10.0.0.1/8",
		"192.0.2.65/26",
		"10.0.0.0/8/8",
		"[::1]/128",
		"a/8",
		"10.0.0.0/0x8",
		"10.0.0.0 /8",
		"2001:db8::1/32",
		"10.0.0.0/1000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct bytes in = guarded(bytes_str(bad[i]));
		struct cidr cidr;

		if (cidr_parse(in, &cidr))
			fail_msg("taken: %s", bad[i]);
		guarded_free(in);
	}
}

static void lists_take_what_is_a_network(void **state)
{
	static const char *const texts[] = {"10.0.0.0/8", "nonsense", "::1", "2001:db8::/32"};
	struct cidr networks[4];
	struct cidr_list list = cidr_list_of(texts, 4, networks);
	struct address a;
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	assert_int_equal(list.count, 3);
	for (size_t i = 0; i < list.count; i++) {
		cidr_write(&w, &list.at[i]);
		writer_u8(&w, ' ');
	}
	expect_written(&w, "10.0.0.0/8 ::1/128 2001:db8::/32 ");
	assert_true(address_parse_ip(BYTES("2001:db8::7"), &a));
	assert_true(cidr_list_holds(list, &a));
	list.count = 2;
	assert_false(cidr_list_holds(list, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read_as_inet_pton_reads_them),
		cmocka_unit_test(leading_zeros_of_ipv4_are_refused),
		cmocka_unit_test(addresses_are_printed_as_rfc_5952_says),
		cmocka_unit_test(ports_are_cut_off),
		cmocka_unit_test(listen_settings_need_a_port),
		cmocka_unit_test(networks_hold_their_addresses),
		cmocka_unit_test(broken_networks_are_refused),
		cmocka_unit_test(lists_take_what_is_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
