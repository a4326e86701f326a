#include "irc/proto/irc_scram.h"

#include "sasl_crypto.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

/* RFC 7677 section 3, from the server's side. */
static struct irc_scram_key example(void)
{
	/* W22ZaJ0SNY7soEsUEjb6gQ== */
	static const uint8_t salt[IRC_SCRAM_SALT] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12,
						     0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
						     0x12, 0x36, 0xfa, 0x81};
	struct irc_scram_key key;

	assert_true(irc_scram_key_make(&key, &crypto, BYTES("pencil"), salt, 4096));
	return key;
}

static bool challenge(struct irc_scram *scram, const char *first, const char *want)
{
	struct irc_scram_key key = example();
	struct bytes in = guarded(bytes_str(first));
	char buf[IRC_SASL_MESSAGE];
	struct writer w = writer_of(buf, sizeof buf);
	bool went =
		irc_scram_challenge(scram, &crypto, &key, in, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &w);

	guarded_free(in);
	if (went && want)
		assert_true(bytes_equal(writer_done(&w), bytes_str(want)));
	return went;
}

static bool prove(struct irc_scram *scram, const char *final, const char *want)
{
	struct bytes in = guarded(bytes_str(final));
	char buf[IRC_SASL_MESSAGE];
	struct writer w = writer_of(buf, sizeof buf);
	bool went = irc_scram_prove(scram, in, &w);

	guarded_free(in);
	if (went)
		assert_true(bytes_equal(writer_done(&w), bytes_str(want)));
	return went;
}

static void test_the_example(void **state)
{
	struct irc_scram scram;

	(void)state;
	assert_true(challenge(&scram, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			      "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
	assert_true(prove(&scram,
			  "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			  "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

static void test_what_is_wrong_is_refused(void **state)
{
	static const char *const finals[] = {
		"", "c=biws", "c=biws,r=" NONCE,
		"c=biws,r=" NONCE ",p=", "c=biws,r=" NONCE ",p=AAAA",
		/* another proof, another nonce, another binding than was said first */
		"c=biws,r=" NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=" NONCE "x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=eSws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=" NONCE ",x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="};
	static const char *const firsts[] = {"",
					     "n,,",
					     "n,,n=user",
					     "p=tls-exporter,,n=user,r=x",
					     "n,a=other,n=user,r=x",
					     "n,,m=x,n=user,r=x",
					     "n,,n=user,r=a b",
					     "n,,n=,r=x",
					     "n,,n=user,r="};
	struct irc_scram scram;

	(void)state;
	for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
		assert_true(challenge(&scram, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO", NULL));
		assert_false(prove(&scram, finals[i], ""));
	}
	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
		assert_false(challenge(&scram, firsts[i], NULL));
}

static void test_names(void **state)
{
	static const struct {
		const char *first, *name;
	} cases[] = {{"n,,n=user,r=x", "user"},       {"y,,n=ann/net@phone,r=x", "ann/net@phone"},
		     {"n,,n=a=2Cb=3Dc,r=x", "a,b=c"}, {"n,,n=a=2c,r=x", NULL},
		     {"n,,n=a=,r=x", NULL},           {"user", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes in = guarded(bytes_str(cases[i].first));
		char buf[64];
		struct writer w = writer_of(buf, sizeof buf);

		assert_int_equal(irc_scram_user(in, &w), cases[i].name != NULL);
		if (cases[i].name)
			assert_true(bytes_equal(writer_done(&w), bytes_str(cases[i].name)));
		guarded_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example),
		cmocka_unit_test(test_what_is_wrong_is_refused),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
