#include "irc/proto/irc_isupport.h"

#include "guarded.h"

static void test_tokens(void **state)
{
	struct irc_isupport is;

	(void)state;
	irc_isupport_init(&is);
	assert_true(irc_is_channel(&is, BYTES("#a")));
	assert_false(irc_is_channel(&is, BYTES("a")));
	assert_false(irc_is_channel(&is, BYTES("")));
	irc_isupport_take(&is, BYTES("PREFIX=(qaohv)~&@%+"));
	irc_isupport_take(&is, BYTES("CASEMAPPING=ascii"));
	irc_isupport_take(&is, BYTES("CHANTYPES=#!"));
	irc_isupport_take(&is, BYTES("CHANMODES=beI,k,l,imnpstC"));
	irc_isupport_take(&is, BYTES("NICKLEN=31"));
	irc_isupport_take(&is, BYTES("MONITOR=30"));
	irc_isupport_take(&is, BYTES("WHOX"));
	irc_isupport_take(&is, BYTES("NETWORK=Example"));
	assert_string_equal(is.prefix_modes, "qaohv");
	assert_int_equal(irc_prefix_of_sign(&is, '@'), 4);
	assert_int_equal(irc_prefix_of_mode(&is, 'q'), 1);
	assert_int_equal(irc_prefix_of_sign(&is, '\0'), 0);
	assert_int_equal(is.casemap, IRC_ASCII);
	assert_true(irc_is_channel(&is, BYTES("!a")));
	assert_false(irc_is_channel(&is, BYTES("&a")));
	assert_int_equal(is.nicklen, 31);
	assert_true(is.whox && is.has_monitor);
	irc_isupport_take(&is, BYTES("-WHOX"));
	assert_false(is.whox);
	/* What makes no sense changes nothing. */
	irc_isupport_take(&is, BYTES("PREFIX=(ov)@"));
	irc_isupport_take(&is, BYTES("PREFIX=ov"));
	irc_isupport_take(&is, BYTES("PREFIX=(abcdefghijklmnop)abcdefghijklmnop"));
	irc_isupport_take(&is, BYTES(""));
	irc_isupport_take(&is, BYTES("="));
	irc_isupport_take(&is, BYTES("-"));
	assert_string_equal(is.prefix_modes, "qaohv");
}

static void test_modes(void **state)
{
	struct irc_isupport is;
	struct bytes param[] = {BYTES("+ovl-k+b-m"), BYTES("ann"), BYTES("bob"),
				BYTES("10"),         BYTES("key"), BYTES("*!*@x")};
	struct irc_modes modes = {.is = &is, .param = param, .count = 6};
	struct irc_change c;
	const struct {
		uint8_t mode;
		bool minus;
		unsigned prefix;
		const char *word;
	} want[] = {{'o', false, 1, "ann"}, {'v', false, 2, "bob"},   {'l', false, 0, "10"},
		    {'k', true, 0, "key"},  {'b', false, 0, "*!*@x"}, {'m', true, 0, ""}};

	(void)state;
	irc_isupport_init(&is);
	for (size_t i = 0; i < 6; i++) {
		assert_true(irc_modes_next(&modes, &c));
		assert_int_equal(c.mode, want[i].mode);
		assert_int_equal(c.minus, want[i].minus);
		assert_int_equal(c.prefix, want[i].prefix);
		assert_true(bytes_equal(c.word, bytes_str(want[i].word)));
	}
	assert_false(irc_modes_next(&modes, &c));
	/* A word too few is nobody's crash. */
	modes = (struct irc_modes){.is = &is, .param = param, .count = 2};
	for (size_t i = 0; i < 6; i++)
		assert_true(irc_modes_next(&modes, &c));
	assert_int_equal(c.word.len, 0);
	modes.count = 0;
	assert_false(irc_modes_next(&modes, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
