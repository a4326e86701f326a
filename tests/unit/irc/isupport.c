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

static void merged(const char *list, const char *token, const char *want)
{
	char room[200];
	struct writer w = writer_of(room, sizeof room);

	irc_isupport_merge(&w, bytes_str(list), bytes_str(token));
	assert_true(bytes_equal(writer_done(&w), bytes_str(want)));
}

static void test_merge(void **state)
{
	static const char *const own[] = {
		"CHATHISTORY=50",  "-LINELEN", "VAPID=x", "soju.im/FILEHOST=https://x",
		"bouncer_netid=1", "-",        "=x",      ""};
	static const char *const theirs[] = {"NICKLEN=30", "-FOO", "SAFELIST", "CLIENTTAGDENY=*,-a",
					     "draft/ICON=https://x"};

	(void)state;
	merged("", "A=1", "A=1");
	merged("A=1 B", "C", "A=1 B C");
	merged("A=1 B C=2", "B=3", "A=1 B=3 C=2");
	merged("A=1 B A=2", "A=3", "A=3 B");
	merged("A=1 B C=2", "-B", "A=1 C=2");
	merged("AB=1", "-A", "AB=1");
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		assert_false(irc_isupport_passes(bytes_str(own[i])));
	for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
		assert_true(irc_isupport_passes(bytes_str(theirs[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
