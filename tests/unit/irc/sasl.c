#include "irc/proto/irc_sasl.h"

#include "sasl_crypto.h"

static bool step(struct irc_sasl *sasl, const char *challenge, const char *want)
{
	struct bytes in = guarded(bytes_str(challenge));
	char buf[IRC_SASL_MESSAGE];
	struct writer w = writer_of(buf, sizeof buf);
	bool went = irc_sasl_answer(sasl, in, &w);

	guarded_free(in);
	if (went)
		assert_true(bytes_equal(writer_done(&w), bytes_str(want)));
	return went;
}

static void begin(struct irc_sasl *sasl)
{
	char nonce[IRC_SASL_NONCE + 1] = "rOprNGfwEbeRWgbNEkqO";

	irc_sasl_start(sasl, IRC_SASL_SCRAM_SHA_256, &crypto, BYTES("user"), BYTES("pencil"),
		       nonce);
}

#define SERVER_FIRST \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define CLIENT_FINAL                                                   \
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," \
	"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

/* RFC 7677 section 3. */
static void test_scram(void **state)
{
	struct irc_sasl sasl;

	(void)state;
	begin(&sasl);
	assert_true(step(&sasl, "", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
	assert_true(step(&sasl, SERVER_FIRST, CLIENT_FINAL));
	assert_false(irc_sasl_is_proved(&sasl));
	assert_true(step(&sasl, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ""));
	assert_true(irc_sasl_is_proved(&sasl));
	assert_false(step(&sasl, "", ""));
}

static void test_scram_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"r=other,s=W22Z,i=4096",
		"r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096", /* nothing of its own */
		"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=0",
		"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=99999999",
		"r=rOprNGfwEbeRWgbNEkqOx,s=W2*Z,i=4096",
		"r=rOprNGfwEbeRWgbNEkqOx,i=4096",
		"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4096",
	};
	struct irc_sasl sasl;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		begin(&sasl);
		assert_true(step(&sasl, "", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
		assert_false(step(&sasl, bad[i], ""));
	}
	begin(&sasl);
	assert_true(step(&sasl, "", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
	assert_true(step(&sasl, SERVER_FIRST, CLIENT_FINAL));
	assert_false(step(&sasl, "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ""));
	assert_false(irc_sasl_is_proved(&sasl));
}

static void test_plain(void **state)
{
	struct irc_sasl sasl;
	struct irc_plain plain;
	char buf[64];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	irc_sasl_start(&sasl, IRC_SASL_PLAIN, &crypto, BYTES("jilles"), BYTES("sesame"), "");
	assert_true(irc_sasl_answer(&sasl, BYTES(""), &w));
	assert_true(bytes_equal(writer_done(&w), BYTES("\0jilles\0sesame")));
	assert_false(irc_sasl_answer(&sasl, BYTES(""), &w));
	assert_true(irc_plain_parse(BYTES("a\0b\0c\0d"), &plain));
	assert_true(bytes_equal(plain.authorize, BYTES("a")));
	assert_true(bytes_equal(plain.user, BYTES("b")));
	assert_true(bytes_equal(plain.password, BYTES("c\0d")));
	assert_false(irc_plain_parse(BYTES("a\0b"), &plain));
	assert_false(irc_plain_parse(BYTES("a"), &plain));
	assert_false(irc_plain_parse(BYTES("a\0\0c"), &plain));
	assert_int_equal(irc_mechanism_of(BYTES("scram-sha-256")), IRC_SASL_SCRAM_SHA_256);
	assert_int_equal(irc_mechanism_of(BYTES("")), IRC_SASL_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_refuses),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
