#include "radio/proto/client_profile.h"

#include "text.h"

static void test_known_players(void **state)
{
	static const struct {
		const char *user_agent;
		uint32_t quirks;
	} cases[] = {
		{"shoutcastsource", QUIRK_ICY_STATUS},
		{"Windows-Media-Player/12.0.7601.17514", QUIRK_ICY_STATUS},
		{"RealMedia Player HelixDNAClient/12.0", QUIRK_ICY_STATUS},
		{"BlackBerry9000/4.6.0.167 Profile/MIDP-2.0", QUIRK_ICY_STATUS},
		{"SHOUTcast Server/Linux v1.9.8", QUIRK_LOWER_CASE_HEADERS},
		{"Shoutcast Server", QUIRK_LOWER_CASE_HEADERS},
		{"Linux UPnP/1.0 Sonos/63.2-88230 (ZPS9)", QUIRK_AACP_AS_AAC},
		{"BlackBerry sonos", QUIRK_ICY_STATUS | QUIRK_AACP_AS_AAC},
		{"", 0},
		{"Lavf/59.27.100", 0},
		{"VLC/3.0.18 LibVLC/3.0.18", 0},
		{"WinampMPEG/5.66, Ultravox/2.1", 0},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/119 Safari/537.36", 0},
		{"AppleCoreMedia/1.0.0.20G75 (iPhone; U; CPU OS 16_6 like Mac OS X)", 0},
		{"Sono", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes user_agent = guarded(bytes_str(cases[i].user_agent));

		assert_int_equal(client_profile_of(user_agent), cases[i].quirks);
		guarded_free(user_agent);
	}
}

static void test_only_the_beginning_is_searched(void **state)
{
	char text[600];

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text + 507, "Sonos", 5);
	assert_int_equal(client_profile_of(bytes_of(text, sizeof text)), QUIRK_AACP_AS_AAC);
	memset(text, 'x', sizeof text);
	memcpy(text + 508, "Sonos", 5);
	assert_int_equal(client_profile_of(bytes_of(text, sizeof text)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_players),
		cmocka_unit_test(test_only_the_beginning_is_searched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
