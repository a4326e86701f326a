/* base64: the vectors of RFC 4648, and everything that is not canonical. */
#include "edge/proto/base64.h"

#include "expect.h"

static void vectors_of_rfc_4648(void **state)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes text = guarded(bytes_str(rows[i][1]));
		uint8_t buf[16];
		struct writer w = writer_of(buf, sizeof buf);

		assert_true(base64_decode(text, &w));
		expect_written(&w, rows[i][0]);
		w = writer_of(buf, sizeof buf);
		base64_encode(bytes_str(rows[i][0]), &w);
		expect_written(&w, rows[i][1]);
		assert_int_equal(w.len, BASE64_SIZE(strlen(rows[i][0])));
		guarded_free(text);
	}
}

static void one_text_has_one_spelling(void **state)
{
	static const char *const bad[] = {
		"Z",        "Zg",       "Zg=",     "Zg===",   "=",
		"====",     "Z===",     "Zh==",    "Zm9=",    "Zg==Zg==",
		"Zm8=Zg==", "Zg=a",     "Zm 9",    "Zm9v\n",  "Zm9v\r\n\r\n",
		"Zm-_",     "Zm9v!m9v", "Zm\x80v", "Zg=\xc3",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct bytes text = guarded(bytes_str(bad[i]));
		uint8_t buf[16];
		struct writer w = writer_of(buf, sizeof buf);

		writer_str(&w, "x");
		if (base64_decode(text, &w))
			fail_msg("taken: %s", bad[i]);
		expect_written(&w, "x");
		guarded_free(text);
	}
}

static void a_full_buffer_is_a_refusal(void **state)
{
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	assert_false(base64_decode(BYTES("Zm9vYmE="), &w));
	assert_int_equal(w.len, 0);
	assert_true(base64_decode(BYTES("Zm9vYg=="), &w));
	expect_written(&w, "foob");
	w = writer_of(buf, 3);
	base64_encode(BYTES("f"), &w);
	assert_false(writer_ok(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_rfc_4648),
		cmocka_unit_test(one_text_has_one_spelling),
		cmocka_unit_test(a_full_buffer_is_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
