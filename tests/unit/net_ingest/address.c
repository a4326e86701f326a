/* What may be opened for an address. */
#include "guarded.h"

#include <stdio.h>

#include "address.h"

/* Whether one of the words that commas part is name. */
static bool lists(const char *words, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = words; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && memcmp(at, name, len) == 0)
			return true;
	return false;
}

static void each_leads_to_its_own_kind(void **state)
{
	static const char *const network[] = {
		"rtmp://a/b/c", "rtmps://a/b/c", "rtmpt://a/b", "rtmpts://a/b", "srt://a:1",
		"rist://a:1",   "udp://a:1",     "rtp://a:1",   "srtp://a:1",   "rtsp://a/b",
		"rtsps://a/b",  "tcp://a:1",     "tls://a:1",   "http://a/b",   "https://a/b",
	};
	/* Into our files, to our sockets, to what was opened before us, and what hides another address. */
	static const char *const never[] = {"file",   "unix",   "pipe",    "cache", "async",
					    "concat", "data",   "subfile", "tee",   "concatf",
					    "zmq",    "sftp",   "fd",      "ipfs",  "amqp",
					    "gopher", "bluray", "md5"};

	(void)state;
	for (size_t i = 0; i < sizeof network / sizeof *network; i++) {
		const char *may = address_protocols(network[i]);
		char own[16];

		snprintf(own, sizeof own, "%.*s", (int)strcspn(network[i], ":"), network[i]);
		assert_true(lists(may, own));
		assert_false(address_is_file(network[i]));
		for (size_t j = 0; j < sizeof never / sizeof *never; j++)
			assert_false(lists(may, never[j]));
	}
	assert_string_equal(address_protocols("clip.mov"), "file,crypto");
	assert_string_equal(address_protocols("/srv/a:b.ts"), "file,crypto");
	assert_string_equal(address_protocols("./a:b.ts"), "file,crypto");
	assert_string_equal(address_protocols("file:x"), "file,crypto");
	assert_string_equal(address_protocols("pipe:0"), "pipe");
	assert_true(address_is_file("clip.mov") && address_is_file("file:x"));
	assert_true(address_is_file("./a:b.ts") && address_is_file("pipe:0"));
}

static void all_else_is_refused(void **state)
{
	static const char *const refused[] = {
		"",
		"unix:/run/x",
		"unix:///run/x",
		"pipe:3",
		"pipe:1",
		"cache:http://a",
		"async:http://a",
		"concat:a|b",
		"concatf:list",
		"data:,x",
		"subfile,,:x",
		"crypto:x",
		"crypto+http://a",
		"hls+http://a",
		"tee:a|b",
		"RTMP://a/b",
		"rtmpe://a/b",
		"httpproxy://a",
		"ftp://a/b",
		"sftp://a/b",
		"mmsh://a",
		"gopher://a",
		"ipfs://a",
		"zmq:tcp://a",
		"fd:3",
		"rtm://a",
		"lavfi:testsrc",
		"fil:x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_null(address_protocols(refused[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_leads_to_its_own_kind),
		cmocka_unit_test(all_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
