/* web_push: RFC 8291's example byte by byte; keys that are none; a signature that is right. */
#include "guarded.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "edge/web_push.h"

#define URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

static size_t decoded(uint8_t *out, size_t size, const char *text)
{
	size_t len;

	assert_int_equal(sodium_base642bin(out, size, text, strlen(text), NULL, &len, NULL, URL),
			 0);
	return len;
}

/* RFC 8291, appendix A. */
static const char p256dh[] =
	"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8p"
	"ZGH6SRpkNtoIAiw4";
static const char auth[] = "BTBZMqHH6r4Tts7J_aSIgg";

static void the_example_of_the_rfc(void **state)
{
	static const char wanted[] =
		"DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_"
		"c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWA"
		"mS6TlzAC8wEqKK6PBru3jl7A_"
		"yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSx"
		"sj_Qulcy4a-fN";
	struct web_push_receiver receiver;
	uint8_t scalar[32], salt[16], room[512], expected[512];
	struct writer out = writer_of(room, sizeof room);
	size_t len = decoded(expected, sizeof expected, wanted);

	(void)state;
	assert_int_equal(
		decoded(scalar, sizeof scalar, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), 32);
	assert_int_equal(decoded(salt, sizeof salt, "DGv6ra1nlYgDCS1FRnbzlw"), 16);
	assert_true(web_push_receiver_of(&receiver, bytes_str(p256dh), bytes_str(auth)));
	assert_true(web_push_seal_with(
		&receiver, BYTES("When I grow up, I want to be a watermelon"), scalar, salt, &out));
	assert_int_equal(out.len, len);
	assert_memory_equal(room, expected, len);
}

static void each_message_has_a_key_of_its_own(void **state)
{
	struct web_push_receiver receiver;
	uint8_t one[300], two[300];
	struct writer a = writer_of(one, sizeof one), b = writer_of(two, sizeof two);

	(void)state;
	assert_true(web_push_receiver_of(&receiver, bytes_str(p256dh), bytes_str(auth)));
	assert_true(web_push_seal(&receiver, BYTES("x"), &a));
	assert_true(web_push_seal(&receiver, BYTES("x"), &b));
	assert_int_equal(a.len, 16 + 4 + 1 + 65 + 2 + 16);
	assert_memory_not_equal(one, two, 16);
	assert_memory_not_equal(one + 21, two + 21, 65);
}

static void keys_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *key, *secret;
	} cases[] = {
		{"", auth},
		{p256dh, ""},
		{p256dh, "BTBZMqHH6r4Tts7J_aSIg"},
		{"BCVxsr7N", auth},
		/* on no curve */
		{"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"
		 "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw8",
		 auth},
		{"not base64 at all!", auth},
	};
	struct web_push_receiver receiver;
	uint8_t room[WEB_PUSH_SEALED_MAX];
	static uint8_t text[WEB_PUSH_TEXT_MAX + 1];
	struct writer out = writer_of(room, sizeof room);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_false(web_push_receiver_of(&receiver, bytes_str(cases[i].key),
						  bytes_str(cases[i].secret)));
	assert_true(web_push_receiver_of(&receiver, bytes_str(p256dh), bytes_str(auth)));
	assert_false(web_push_seal(&receiver, bytes_of(text, sizeof text), &out));
	out = writer_of(room, sizeof room);
	assert_true(web_push_seal(&receiver, bytes_of(text, sizeof text - 1), &out));
}

static void a_key_is_made_once_and_signs(void **state)
{
	char directory[] = "/tmp/ringmain-push-XXXXXX", file[80], header[WEB_PUSH_SIGNED_MAX],
	     before[WEB_PUSH_PUBLIC_SIZE], claims[300];
	const char *token, *dot, *second;
	struct stat facts;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/web_push.pem", directory);
	assert_false(web_push_sign("https://push.example/x", "", 1, header));
	assert_true(web_push_init(directory));
	assert_int_equal(stat(file, &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
	assert_int_equal(strlen(web_push_public()), WEB_PUSH_PUBLIC_SIZE - 1);
	snprintf(before, sizeof before, "%s", web_push_public());
	web_push_fini();
	assert_true(web_push_init(directory));
	assert_string_equal(web_push_public(), before);
	assert_true(
		web_push_sign("https://push.example:8443/a/b?c", "mailto:a@b", 1700000000, header));
	token = strstr(header, "vapid t=") + 8;
	dot = strchr(token, '.');
	second = strchr(dot + 1, '.');
	assert_int_equal(sodium_base642bin((uint8_t *)claims, sizeof claims, dot + 1,
					   (size_t)(second - dot - 1), NULL, &len, NULL, URL),
			 0);
	claims[len] = '\0';
	assert_string_equal(claims, "{\"aud\":\"https://push.example:8443\",\"exp\":1700000000,"
				    "\"sub\":\"mailto:a@b\"}");
	assert_non_null(strstr(second, ", k="));
	assert_int_equal(strcspn(second + 1, ","), 86); /* r and s */
	assert_false(web_push_sign("no url", "", 1, header));
	web_push_fini();
	unlink(file);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc),
		cmocka_unit_test(each_message_has_a_key_of_its_own),
		cmocka_unit_test(keys_that_are_none_are_refused),
		cmocka_unit_test(a_key_is_made_once_and_signs),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
