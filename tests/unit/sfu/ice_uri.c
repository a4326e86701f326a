#include "sfu/proto/ice_uri.h"

#include "core/check.h"
#include "guarded.h"

static bool is_good(const char *text)
{
	struct bytes uri = guarded(bytes_str(text));
	bool good = ice_uri_is_good(uri);

	guarded_free(uri);
	return good;
}

/* RFC 7064 appendix A, RFC 7065 appendix A. */
static void test_what_names_a_server(void **state)
{
	static const char *const good[] = {
		"stun:example.org",
		"stuns:example.org",
		"stun:example.org:8000",
		"stun:192.0.2.1",
		"stun:[2001:db8::1]",
		"stun:[2001:db8::1]:3478",
		"turn:example.org",
		"turns:example.org",
		"turn:example.org:8000",
		"turn:example.org?transport=udp",
		"turn:example.org:3478?transport=tcp",
		"turns:[::1]:5349?transport=tcp",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_true(is_good(good[i]));
}

static void test_what_does_not(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"stun",
		"stun:",
		"http://x",
		"turn.example.org",
		"turn.example.org:3478",
		"stun://example.org",
		"turn:example.org/x",
		"turn:user@example.org",
		"stun:example.org:",
		"stun:example.org:0",
		"stun:example.org:65536",
		"stun:example.org:1:2",
		"stun:example.org:a",
		"stun:example.org?transport=udp",
		"turn:example.org?",
		"turn:example.org?transport=",
		"turn:example.org?transport=sctp",
		"turn:?transport=udp",
		"turn:exa mple.org",
		"turn:[::1",
		"turn:[::1]x",
		"turn:[]",
		"turn:[",
		"turn:[example]",
		"turn:::1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(is_good(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_names_a_server),
		cmocka_unit_test(test_what_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
