/* bearer: RFC 7628's example, and what is none. */
#include "guarded.h"

#include "core/check.h"
#include "irc/proto/irc_bearer.h"

static void what_clients_say(void **state)
{
	static const struct {
		const char *said, *user, *token; /* token NULL: refused */
	} cases[] = {
		/* RFC 7628 section 4.1 */
		{"n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer "
		 "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
		 "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
		{"n,,\1auth=Bearer abc\1\1", "", "abc"},
		{"y,,\1auth=bearer abc\1\1", "", "abc"},
		{"n,,\1auth=Basic abc\1\1", "", NULL},
		{"n,,\1auth=Bearer \1\1", "", NULL},
		{"n,,\1auth=Bearer a b\1\1", "", NULL},
		{"p=tls-unique,,\1auth=Bearer abc\1\1", "", NULL},
		{"n,user,\1auth=Bearer abc\1\1", "", NULL},
		{"n,,x\1auth=Bearer abc\1\1", "", NULL},
		{"\1", "", NULL},
		{"", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes in = guarded(bytes_str(cases[i].said));
		struct irc_bearer out;

		if (irc_bearer_parse(in, &out) != (cases[i].token != NULL))
			fail_msg("case %zu", i);
		if (cases[i].token) {
			assert_true(bytes_equal(out.user, bytes_str(cases[i].user)));
			assert_true(bytes_equal(out.token, bytes_str(cases[i].token)));
		}
		guarded_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_clients_say)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
