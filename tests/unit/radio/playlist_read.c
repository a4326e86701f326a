/* playlist_read: the first address in lists of all kinds. */
#include "radio/proto/playlist_read.h"

#include "text.h"

static void the_first_address_is_found(void **state)
{
	static const struct {
		const char *in, *url;
	} rows[] = {
		{"", NULL},
		{"http://a/b", "http://a/b"},
		{"http://", NULL},
		{"#EXTM3U\r\n#EXTINF:-1,http://no/\r\nhttps://a:8/x?y=1\r\nhttp://b\r\n",
		 "https://a:8/x?y=1"},
		{"[playlist]\nNumberOfEntries=1\nFile1=HTTP://a/live\nTitle1=x\n", "HTTP://a/live"},
		{"<?xml?>\n<playlist "
		 "xmlns=\"http://xspf.org/ns/0/\">\n<location>http://a/b</location>",
		 "http://a/b"},
		{"<playlist xmlns=\"http://xspf.org/ns/0/\"><location>http://a/b</location>",
		 "http://a/b"},
		{"<html>nothing here</html>", NULL},
		{"ftp://a/b\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes in = guarded(bytes_str(rows[i].in));
		struct bytes url = playlist_first_url(in);

		assert_int_equal(url.at != NULL, rows[i].url != NULL);
		assert_true(bytes_equal(url, bytes_str(rows[i].url)));
		guarded_free(in);
	}
}

static void types_are_told_apart(void **state)
{
	(void)state;
	assert_true(playlist_is_type(BYTES("audio/x-scpls")));
	assert_true(playlist_is_type(BYTES("Audio/X-MpegURL; charset=utf-8")));
	assert_false(playlist_is_type(BYTES("audio/mpeg")));
	assert_false(playlist_is_type(BYTES("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_address_is_found),
		cmocka_unit_test(types_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
