#include "irc/proto/irc_name.h"

#include "guarded.h"
#include "irc/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_masks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mask_vectors); i++) {
		struct bytes mask = guarded(bytes_str(mask_vectors[i].mask));

		for (size_t k = 0; mask_vectors[i].matches[k]; k++)
			assert_true(irc_mask_match(IRC_ASCII, mask,
						   bytes_str(mask_vectors[i].matches[k])));
		for (size_t k = 0; mask_vectors[i].fails[k]; k++)
			assert_false(irc_mask_match(IRC_ASCII, mask,
						    bytes_str(mask_vectors[i].fails[k])));
		guarded_free(mask);
	}
	assert_true(irc_mask_match(IRC_ASCII, BYTES("a\\*b"), BYTES("a*b")));
	assert_false(irc_mask_match(IRC_ASCII, BYTES("a\\*b"), BYTES("axb")));
	assert_true(irc_mask_match(IRC_RFC1459, BYTES("[x]*"), BYTES("{X}y")));
}

static void same(struct bytes got, const char *want)
{
	assert_true(bytes_equal(got, bytes_str(want ? want : "")));
}

static void test_sources(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(userhost_vectors); i++) {
		struct irc_source source = irc_source_of(bytes_str(userhost_vectors[i].source));

		same(source.nick, userhost_vectors[i].nick);
		same(source.user, userhost_vectors[i].user);
		same(source.host, userhost_vectors[i].host);
	}
}

static void test_hostnames(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostname_vectors); i++)
		if (irc_is_hostname(bytes_str(hostname_vectors[i].host)) !=
		    hostname_vectors[i].valid)
			fail_msg("%s", hostname_vectors[i].host);
}

static void test_folding(void **state)
{
	char buf[32];

	(void)state;
	assert_true(irc_same(IRC_RFC1459, BYTES("Nick[\\]^"), BYTES("nICK{|}~")));
	assert_false(irc_same(IRC_RFC1459_STRICT, BYTES("a^"), BYTES("a~")));
	assert_true(irc_same(IRC_RFC1459_STRICT, BYTES("a["), BYTES("A{")));
	assert_false(irc_same(IRC_ASCII, BYTES("a["), BYTES("a{")));
	assert_true(irc_same(IRC_EXACT, BYTES("aB[^"), BYTES("aB[^")));
	assert_false(irc_same(IRC_EXACT, BYTES("ab"), BYTES("aB")));
	assert_int_equal(irc_hash(IRC_RFC1459, BYTES("A[")), irc_hash(IRC_RFC1459, BYTES("a{")));
	assert_int_equal(irc_fold(IRC_RFC1459, BYTES("#Ch[n"), buf, sizeof buf), 5);
	assert_string_equal(buf, "#ch{n");
	assert_int_equal(irc_fold(IRC_ASCII, BYTES("ABCDEF"), buf, 4), 3);
}

static void test_nicks(void **state)
{
	(void)state;
	assert_true(irc_is_nick(BYTES("Bob`_[x]")));
	assert_true(irc_is_nick(BYTES("\xc3\xa9va")));
	assert_false(irc_is_nick(BYTES("")));
	assert_false(irc_is_nick(BYTES("1bob")));
	assert_false(irc_is_nick(BYTES("-bob")));
	assert_false(irc_is_nick(BYTES("a b")));
	assert_false(irc_is_nick(BYTES("a!b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks),     cmocka_unit_test(test_sources),
		cmocka_unit_test(test_hostnames), cmocka_unit_test(test_folding),
		cmocka_unit_test(test_nicks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
