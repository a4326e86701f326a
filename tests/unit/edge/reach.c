/* reach: which addresses are the world's and which are of insiders. */
#include "edge/proto/reach.h"

#include "expect.h"

static void addresses_are_judged(void **state)
{
	static const struct {
		const char *ip;
		bool internal;
	} rows[] = {
		{"127.0.0.1", true},
		{"127.255.255.255", true},
		{"128.0.0.0", false},
		{"0.0.0.0", true},
		{"1.0.0.0", false},
		{"10.0.0.1", true},
		{"11.0.0.1", false},
		{"100.63.255.255", false},
		{"100.64.0.0", true},
		{"100.127.255.255", true},
		{"100.128.0.0", false},
		{"169.254.169.254", true},
		{"172.15.255.255", false},
		{"172.16.0.1", true},
		{"172.31.255.255", true},
		{"172.32.0.0", false},
		{"192.168.255.1", true},
		{"192.169.0.1", false},
		{"198.17.255.255", false},
		{"198.19.0.1", true},
		{"223.255.255.255", false},
		{"224.0.0.1", true},
		{"255.255.255.255", true},
		{"8.8.8.8", false},
		{"::", true},
		{"::1", true},
		{"::127.0.0.1", true}, /* the compatible form of RFC 4291 */
		{"::ffff:10.1.2.3", true},
		{"::ffff:8.8.8.8", false},
		{"64:ff9b::7f00:1", true}, /* NAT64 of 127.0.0.1 */
		{"64:ff9b::808:808", false},
		{"64:ff9b:1::1", true},
		{"2002:7f00:1::1", true}, /* 6to4 of 127.0.0.1 */
		{"2002:808:808::1", false},
		{"fc00::1", true},
		{"fdff::1", true},
		{"fe80::1", true},
		{"fec0::1", true},
		{"ff02::1", true},
		{"2001:db8::1", true},
		{"2001::1", true},
		{"2001:4860:4860::8888", false},
		{"2a00::1", false},
		{"100::1", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;

		assert_true(address_parse_ip(bytes_str(rows[i].ip), &address));
		if (reach_is_internal(&address) != rows[i].internal)
			fail_msg("%s", rows[i].ip);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(addresses_are_judged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
