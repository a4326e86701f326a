/* basic_auth: credentials as clients send them, and what is none. */
#include "edge/proto/basic_auth.h"

#include "expect.h"

static void credentials_are_taken_apart(void **state)
{
	static const struct {
		const char *value;
		enum basic_auth_status status;
		const char *user, *password;
	} rows[] = {
		/* RFC 7617 section 2 and 2.1 */
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", BASIC_AUTH_OK, "Aladdin", "open sesame"},
		{"Basic dGVzdDoxMjPCow==", BASIC_AUTH_OK, "test", "123\302\243"},
		{"Basic c291cmNlOmhhY2ttZQ==", BASIC_AUTH_OK, "source", "hackme"},
		{"bAsIc   c291cmNlOmhhY2ttZQ== ", BASIC_AUTH_OK, "source", "hackme"},
		{"Basic YTpiOmM=", BASIC_AUTH_OK, "a", "b:c"},
		{"Basic Og==", BASIC_AUTH_OK, "", ""},
		{"Basic YTo=", BASIC_AUTH_OK, "a", ""},
		{"Basic OmI=", BASIC_AUTH_OK, "", "b"},
		{"Basic", BASIC_AUTH_BAD, "", ""},
		{"Basic ", BASIC_AUTH_BAD, "", ""},
		{"Basic YQ==", BASIC_AUTH_BAD, "", ""},      /* no colon */
		{"Basic YTpi YTpi", BASIC_AUTH_BAD, "", ""}, /* a blank inside */
		{"Basic YTpiYw=", BASIC_AUTH_BAD, "", ""},   /* padding */
		{"Basic YTpiAA==", BASIC_AUTH_BAD, "", ""},  /* NUL in the password */
		{"Basic YToKYg==", BASIC_AUTH_BAD, "", ""},  /* LF in the password */
		{"Basic bG9uZ2xvbmdsb25nOmxvbmdsb25nbG9uZ2xvbmdsb25nbG9uZ2xvbmc=", BASIC_AUTH_BAD,
		 "", ""}, /* longer than the buffer */
		{"Basi c291cmNlOmhhY2ttZQ==", BASIC_AUTH_OTHER, "", ""},
		{"Basicc291cmNlOmhhY2ttZQ==", BASIC_AUTH_OTHER, "", ""},
		{"Bearer abc", BASIC_AUTH_OTHER, "", ""},
		{"", BASIC_AUTH_OTHER, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes value = guarded(bytes_str(rows[i].value));
		uint8_t buf[32];
		struct writer w = writer_of(buf, sizeof buf);
		struct basic_auth auth;

		if (basic_auth_parse(value, &w, &auth) != rows[i].status)
			fail_msg("status of %s", rows[i].value);
		expect_bytes(auth.user, rows[i].user);
		expect_bytes(auth.password, rows[i].password);
		if (rows[i].status != BASIC_AUTH_OK)
			assert_int_equal(w.len, 0);
		guarded_free(value);
	}
}

static void bearer_tokens_are_taken(void **state)
{
	static const struct {
		const char *value;
		const char *token; /* NULL: refused */
	} rows[] = {
		{"Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM"}, /* RFC 6750 2.1 */
		{"bearer  abc== ", "abc=="},
		{"Bearer a+b/c~", "a+b/c~"},
		{"Bearer", NULL},
		{"Bearer ==", NULL},
		{"Bearer a b", NULL},
		{"Bearer a=b", NULL},
		{"Bearer a,b", NULL},
		{"Bearer \303\244", NULL},
		{"Basic abc", NULL},
		{"Bearerabc", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes value = guarded(bytes_str(rows[i].value));
		struct bytes token;

		assert_int_equal(basic_auth_parse_bearer(value, &token), rows[i].token != NULL);
		if (rows[i].token)
			expect_bytes(token, rows[i].token);
		guarded_free(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_are_taken_apart),
		cmocka_unit_test(bearer_tokens_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
