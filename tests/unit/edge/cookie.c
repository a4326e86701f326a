/* cookie: one value out of a Cookie header. */
#include "edge/proto/cookie.h"

#include "expect.h"

static void a_cookie_is_found_by_its_whole_name(void **state)
{
	static const struct {
		const char *header;
		const char *value; /* NULL: none */
	} rows[] = {
		{"s=1", "1"},         {"a=0; s=1; b=2", "1"}, {"a=0;s=1", "1"}, {" s = 1 ", "1"},
		{"s=\"1 2\"", "1 2"}, {"s=\"", "\""},         {"s=", ""},       {"s=a=b", "a=b"},
		{"s=1; s=2", "1"}, /* RFC 6265 5.4: the one of the longer path comes first */
		{"S=1", NULL},        {"ss=1", NULL},         {"xs=1", NULL},   {"s", NULL},
		{"a=s=1", NULL},      {";;;", NULL},          {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes header = guarded(bytes_str(rows[i].header));
		struct bytes value;
		bool found = cookie_find(header, BYTES("s"), &value);

		if (found != (rows[i].value != NULL))
			fail_msg("%s", rows[i].header);
		if (found)
			expect_bytes(value, rows[i].value);
		guarded_free(header);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
