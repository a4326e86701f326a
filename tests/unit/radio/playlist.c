#include "radio/proto/playlist.h"

#include "text.h"

#define TEXT(literal)                                                 \
	{                                                             \
		(const uint8_t *)("" literal), sizeof("" literal) - 1 \
	}

static const struct playlist_entry entries[] = {
	{
		.url = TEXT("http://radio.example:8000/live?a=1&b=2"),
		.name = TEXT("Rock & \"Roll\""),
		.description = TEXT("<loud>"),
		.genre = TEXT("Rock"),
		.artist = TEXT("AC/DC"),
		.title = TEXT("T.N.T."),
		.content_type = TEXT("audio/mpeg"),
		.info = TEXT("http://radio.example/"),
		.bitrate = 128,
	},
	{.name = TEXT("no url")},
	{
		.url = TEXT("#x y\r\nz\xc3\xb6"),
		.name = TEXT("two\r\nFile9=evil\xff"),
	},
};

static void check(enum playlist_kind kind, size_t count, const char *want)
{
	uint8_t buf[2048];
	struct writer w = writer_of(buf, sizeof buf);

	playlist_write(kind, BYTES("Server <1>"), entries, count, &w);
	assert_written(&w, want);
}

static void test_m3u(void **state)
{
	static const char want[] = "#EXTM3U\r\n"
				   "#EXTINF:-1,Rock & \"Roll\"\r\n"
				   "http://radio.example:8000/live?a=1&b=2\r\n"
				   "#EXTINF:-1,two  File9=evil\xef\xbf\xbd\r\n"
				   "%23x%20y%0D%0Az%C3%B6\r\n";

	(void)state;
	check(PLAYLIST_M3U, 3, want);
	check(PLAYLIST_M3U8, 3, want);
	check(PLAYLIST_M3U, 0, "#EXTM3U\r\n");
}

static void test_pls(void **state)
{
	(void)state;
	check(PLAYLIST_PLS, 3,
	      "[playlist]\r\n"
	      "File1=http://radio.example:8000/live?a=1&b=2\r\n"
	      "Title1=Rock & \"Roll\"\r\nLength1=-1\r\n"
	      "File2=%23x%20y%0D%0Az%C3%B6\r\n"
	      "Title2=two  File9=evil\xef\xbf\xbd\r\nLength2=-1\r\n"
	      "NumberOfEntries=2\r\nVersion=2\r\n");
	check(PLAYLIST_PLS, 0, "[playlist]\r\nNumberOfEntries=0\r\nVersion=2\r\n");
}

static void test_xspf(void **state)
{
	(void)state;
	check(PLAYLIST_XSPF, 3,
	      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\">"
	      "<title>Server &lt;1&gt;</title><creator>Server &lt;1&gt;</creator><trackList>"
	      "<track><location>http://radio.example:8000/live?a=1&amp;b=2</location>"
	      "<creator>AC/DC</creator><title>T.N.T.</title>"
	      "<annotation>Stream Title: Rock &amp; \"Roll\"\n"
	      "Stream Description: &lt;loud&gt;\n"
	      "Content Type: audio/mpeg\nBitrate: 128\nStream Genre: Rock\n</annotation>"
	      "<info>http://radio.example/</info></track>"
	      "<track><location>%23x%20y%0D%0Az%C3%B6</location>"
	      "<title>two  File9=evil\xef\xbf\xbd</title>"
	      "<annotation>Stream Title: two  File9=evil\xef\xbf\xbd\n</annotation></track>"
	      "</trackList></playlist>\n");
}

static void test_vclt(void **state)
{
	(void)state;
	check(PLAYLIST_VCLT, 3,
	      "STREAMURL=http://radio.example:8000/live?a=1&b=2\n"
	      "ARTIST=AC/DC\nTITLE=T.N.T.\nSERVER_NAME=Rock & \"Roll\"\n"
	      "DESCRIPTION=<loud>\nGENRE=Rock\n==\n"
	      "STREAMURL=%23x%20y%0D%0Az%C3%B6\n"
	      "SERVER_NAME=two  File9=evil\xef\xbf\xbd\n==\n");
}

static void test_name_falls_back_to_the_url(void **state)
{
	static const struct playlist_entry entry = {.url = TEXT("http://a/")};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	playlist_write(PLAYLIST_M3U, BYTES(""), &entry, 1, &w);
	assert_written(&w, "#EXTM3U\r\n#EXTINF:-1,http://a/\r\nhttp://a/\r\n");
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *mount; /* mount NULL: no playlist */
		enum playlist_kind kind;
	} cases[] = {
		{"/live.m3u", "/live", PLAYLIST_M3U},
		{"/live.mp3.m3u8", "/live.mp3", PLAYLIST_M3U8},
		{"/live.PLS", "/live", PLAYLIST_PLS},
		{"/live.xspf", "/live", PLAYLIST_XSPF},
		{"/live.vclt", "/live", PLAYLIST_VCLT},
		{"/live.mp3", NULL, PLAYLIST_M3U},
		{".m3u", NULL, PLAYLIST_M3U},
		{"", NULL, PLAYLIST_M3U},
		{"/livem3u", NULL, PLAYLIST_M3U},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes path = guarded(bytes_str(cases[i].path)), mount;
		enum playlist_kind kind;

		assert_int_equal(playlist_of_path(path, &kind, &mount), cases[i].mount != NULL);
		if (cases[i].mount) {
			assert_int_equal(kind, cases[i].kind);
			assert_bytes(mount, bytes_str(cases[i].mount));
		}
		guarded_free(path);
	}
	assert_string_equal(playlist_content_type(PLAYLIST_M3U), "audio/x-mpegurl");
	assert_string_equal(playlist_content_type(PLAYLIST_PLS), "audio/x-scpls");
	assert_string_equal(playlist_content_type(PLAYLIST_XSPF), "application/xspf+xml");
	assert_string_equal(playlist_content_type(PLAYLIST_VCLT), "audio/x-vclt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_m3u),
		cmocka_unit_test(test_pls),
		cmocka_unit_test(test_xspf),
		cmocka_unit_test(test_vclt),
		cmocka_unit_test(test_name_falls_back_to_the_url),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
