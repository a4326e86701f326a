/* hops: who is in a list of servers, how long it is, and how it goes on. */
#include "radio/proto/hops.h"

#include "text.h"

static void members_are_found(void **state)
{
	static const struct {
		const char *list, *id;
		bool held;
		size_t count;
	} rows[] = {
		{"", "rm-a", false, 0},
		{"rm-a", "rm-a", true, 1},
		{"1.1 rm-a", "rm-a", true, 1},
		{"1.1 rm-ab", "rm-a", false, 1},
		{"1.1 varnish (x, y), RM-A", "rm-a", true, 3},
		{"1.0 fred, 1.1 rm-b (ringmain) ,rm-a", "rm-b", true, 3},
		{" , ,rm-a,", "rm-a", true, 1},
		{"rm-a x", "rm-a", false, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes list = guarded(bytes_str(rows[i].list));

		assert_int_equal(hops_hold(list, bytes_str(rows[i].id)), rows[i].held);
		assert_int_equal(hops_count(list), rows[i].count);
		guarded_free(list);
	}
}

static void only_our_own_are_handed_on(void **state)
{
	char buf[200];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	hops_write_via(
		&w,
		BYTES("1.1 rm-ab, 1.1 proxy.example, rm-c\r\nX: y, rm-0123456789abcdef0123456789"),
		BYTES("rm-9"));
	assert_true(bytes_equal(writer_done(&w), BYTES("1.1 rm-ab, 1.1 rm-9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(only_our_own_are_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
