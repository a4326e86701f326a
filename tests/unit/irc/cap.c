#include "irc/proto/irc_cap.h"

#include "guarded.h"

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IRC_CAPS; i++)
		assert_int_equal(irc_cap_of(bytes_str(irc_cap_name((enum irc_cap)i))), i);
	assert_int_equal(irc_cap_of(BYTES("draft/extended-monitor")), IRC_CAP_EXTENDED_MONITOR);
	assert_int_equal(irc_cap_of(BYTES("Batch")), IRC_CAPS);
	assert_true(irc_caps_with(IRC_CAP_UP) & IRC_CAP(SERVER_TIME));
	assert_false(irc_caps_with(IRC_CAP_UP) & IRC_CAP(BOUNCER_NETWORKS));
	assert_false(irc_caps_with(IRC_CAP_DOWN | IRC_CAP_NEEDS) & IRC_CAP(BATCH));
}

static void test_words(void **state)
{
	struct bytes list = BYTES(" sasl=PLAIN,EXTERNAL  -batch nonsense/x=1=2 ");
	struct irc_cap_word word;

	(void)state;
	assert_true(irc_cap_next(&list, &word));
	assert_int_equal(word.cap, IRC_CAP_SASL);
	assert_true(bytes_equal(word.value, BYTES("PLAIN,EXTERNAL")));
	assert_true(irc_cap_next(&list, &word));
	assert_true(word.minus && word.cap == IRC_CAP_BATCH);
	assert_true(irc_cap_next(&list, &word));
	assert_int_equal(word.cap, IRC_CAPS);
	assert_true(bytes_equal(word.value, BYTES("1=2")));
	assert_false(irc_cap_next(&list, &word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
