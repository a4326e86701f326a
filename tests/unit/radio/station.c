#include "radio/proto/station.h"

#include <stdio.h>

#include "text.h"

static bool take(struct station *station, const char *name, const char *value)
{
	struct bytes n = guarded(bytes_str(name)), v = guarded(bytes_str(value));
	bool taken = station_take_header(station, n, v);

	guarded_free(n);
	guarded_free(v);
	return taken;
}

static void test_all_spellings(void **state)
{
	static const char *const prefixes[] = {"ice-", "Ice-",         "icy-",
					       "ICY-", "x-audiocast-", "X-AudioCast-"};

	(void)state;
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		static const struct {
			const char *key, *value;
		} lines[] = {{"Name", "N"},     {"description", "D"},   {"GENRE", "G"},
			     {"url", "U"},      {"public", "1"},        {"bitrate", "128"},
			     {"channels", "2"}, {"samplerate", "44100"}};
		struct station station = {0};

		for (size_t j = 0; j < sizeof lines / sizeof lines[0]; j++) {
			char name[64];

			snprintf(name, sizeof name, "%s%s", prefixes[i], lines[j].key);
			assert_true(take(&station, name, lines[j].value));
		}
		assert_string_equal(station.name, "N");
		assert_string_equal(station.description, "D");
		assert_string_equal(station.genre, "G");
		assert_string_equal(station.url, "U");
		assert_true(station.public_said && station.is_public);
		assert_int_equal(station.bitrate, 128);
		assert_int_equal(station.channels, 2);
		assert_int_equal(station.samplerate, 44100);
	}
}

static void test_others_are_not_taken(void **state)
{
	static const char *const names[] = {"icy-irc",      "icy-aim", "icy-icq",
					    "name",         "ice-",    "icename",
					    "content-type", "",        "ice-names"};
	static const struct station none;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct station station = {0};

		assert_false(take(&station, names[i], "1"));
		assert_memory_equal(&station, &none, sizeof none);
	}
}

static void test_public(void **state)
{
	static const struct {
		const char *value;
		bool is_public;
	} cases[] = {{"1", true},  {" 1 ", true}, {"true", true}, {"Yes", true},
		     {"0", false}, {"", false},   {"no", false},  {"11", false}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct station station = {0};

		assert_true(take(&station, "icy-pub", cases[i].value));
		assert_true(station.public_said);
		assert_int_equal(station.is_public, cases[i].is_public);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		const char *value;
		uint32_t bitrate;
	} cases[] = {
		{"128", 128},      {" 64 ", 64},
		{"128 kbps", 128}, {"96.5", 96},
		{"128,128", 128},  {"0", 7},
		{"-1", 7},         {"", 7},
		{"Quality 0", 7},  {"1000000", 1000000},
		{"1000001", 7},    {"99999999999999999999", 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct station station = {.bitrate = 7};

		assert_true(take(&station, "icy-br", cases[i].value));
		assert_int_equal(station.bitrate, cases[i].bitrate);
	}
}

static void test_audio_info(void **state)
{
	static const struct {
		const char *value;
		uint32_t rate, bitrate, channels;
	} cases[] = {
		{"ice-samplerate=44100;ice-bitrate=128;ice-channels=2", 44100, 128, 2},
		{"samplerate=48000,bitrate=64,channels=1", 48000, 64, 1},
		{"ICE-SampleRate = 44100 ; Ice-Channels = 2;", 44100, 0, 2},
		{"bitrate=%31%32%38;%63hannels=2", 0, 128, 2},
		{"bitrate=Quality%200;samplerate=22050", 22050, 0, 0},
		{"quality=0.4;;,=;=5;bitrate", 0, 0, 0},
		{"bitrate=%", 0, 0, 0},
		{"bitrate=1%3", 0, 1, 0},
		{"bitrate=0", 0, 0, 0},
		{"channels=256;samplerate=99999999", 0, 0, 0},
		{"bitrate=64;bitrate=96", 0, 96, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct station station = {0};

		assert_true(take(&station, "ice-audio-info", cases[i].value));
		assert_int_equal(station.samplerate, cases[i].rate);
		assert_int_equal(station.bitrate, cases[i].bitrate);
		assert_int_equal(station.channels, cases[i].channels);
		assert_string_equal(station.audio_info, cases[i].value);
	}
}

static void test_a_line_of_its_own_wins(void **state)
{
	struct station station = {0};

	(void)state;
	take(&station, "ice-bitrate", "128");
	take(&station, "ice-audio-info", "bitrate=64;channels=2");
	assert_int_equal(station.bitrate, 128);
	assert_int_equal(station.channels, 2);
	station = (struct station){0};
	take(&station, "ice-audio-info", "bitrate=64");
	take(&station, "ice-bitrate", "128");
	assert_int_equal(station.bitrate, 128);
}

static void test_text_is_made_clean(void **state)
{
	struct station station = {0};
	char longer[1024];

	(void)state;
	take(&station, "ice-name", "A\r\nX-Evil: 1");
	assert_string_equal(station.name, "A  X-Evil: 1");
	take(&station, "icy-name", "Caf\xe9");
	assert_string_equal(station.name, "Caf\xc3\xa9");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	memcpy(longer + 254, "\xc3\xb6", 2);
	memcpy(longer + 510, "\xc3\xb6", 2);
	take(&station, "ice-name", longer);
	assert_int_equal(strlen(station.name), 254);
	take(&station, "ice-description", longer);
	assert_int_equal(strlen(station.description), 510);
	take(&station, "ice-name", "");
	assert_string_equal(station.name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_spellings),
		cmocka_unit_test(test_others_are_not_taken),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_audio_info),
		cmocka_unit_test(test_a_line_of_its_own_wins),
		cmocka_unit_test(test_text_is_made_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
