/* Comment headers: names in any case, first of a name, pictures, cut characters, lying lengths. */
#include "guarded.h"

#include "core/writer.h"
#include "radio/proto/vorbis_comment.h"

static uint8_t packet[70000];

static struct writer start(uint32_t count)
{
	struct writer w = writer_of(packet, sizeof packet);

	writer_str(&w, "OpusTags");
	writer_le(&w, 6, 4);
	writer_str(&w, "vendor");
	writer_le(&w, count, 4);
	return w;
}

static void comment(struct writer *w, const char *text)
{
	writer_le(w, strlen(text), 4);
	writer_str(w, text);
}

/* Feeds it whole, byte by byte and cut at every place; the outcome must be the same. */
static void expect(const struct writer *w, struct bytes artist, struct bytes title)
{
	struct bytes in = guarded(writer_done(w));

	assert_true(writer_ok(w));
	for (size_t cut = 0; cut <= in.len; cut += in.len > 2000 ? 997 : 1) {
		struct vorbis_comment c;

		vorbis_comment_init(&c, BYTES("Opus"), 4);
		vorbis_comment_feed(&c, bytes_first(in, cut));
		for (size_t i = cut; i < in.len; i++)
			vorbis_comment_feed(&c, bytes_of(in.at + i, 1));
		vorbis_comment_end(&c);
		assert_true(bytes_equal(bytes_of(c.artist.at, c.artist.len), artist));
		assert_true(bytes_equal(bytes_of(c.title.at, c.title.len), title));
	}
	guarded_free(in);
}

static void takes_artist_and_title(void **state)
{
	struct writer w = start(5);

	(void)state;
	comment(&w, "ALBUM=Not this");
	comment(&w, "Title=Eins = zwei");
	comment(&w, "artist=Jemand");
	comment(&w, "TITLE=A second one");
	comment(&w, "ARTISTSORT=Other");
	expect(&w, BYTES("Jemand"), BYTES("Eins = zwei"));
}

static void passes_over_what_has_no_name_or_value(void **state)
{
	struct writer w = start(6);

	(void)state;
	comment(&w, "");
	comment(&w, "no equals sign at all");
	comment(&w, "TITLE");
	comment(&w, "TITLE=");
	comment(&w, "=value");
	comment(&w, "TITLE=at last");
	expect(&w, BYTES(""), BYTES("at last"));
}

static void a_picture_is_not_stored(void **state)
{
	struct writer w = start(2);
	struct bytes name = BYTES("METADATA_BLOCK_PICTURE=");

	(void)state;
	writer_le(&w, name.len + 60000, 4);
	writer_put(&w, name);
	writer_fill(&w, 'T', 60000);
	comment(&w, "TITLE=behind the picture");
	expect(&w, BYTES(""), BYTES("behind the picture"));
}

static void a_long_value_ends_between_characters(void **state)
{
	/* 499 letters and then a character of two, three, four bytes: none of it fits whole. */
	static const char *const tails[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8e\xb5"};
	uint8_t letters[VORBIS_COMMENT_VALUE_MAX];

	(void)state;
	memset(letters, 'x', sizeof letters);
	for (size_t i = 0; i < 3; i++) {
		struct writer w = start(2);

		writer_le(&w, 6 + 499 + strlen(tails[i]), 4);
		writer_str(&w, "TITLE=");
		writer_put(&w, bytes_of(letters, 499));
		writer_str(&w, tails[i]);
		/* And one that ends exactly at the limit is whole. */
		writer_le(&w, 7 + 500 - strlen(tails[i]) + strlen(tails[i]), 4);
		writer_str(&w, "ARTIST=");
		writer_put(&w, bytes_of(letters, 500 - strlen(tails[i])));
		writer_str(&w, tails[i]);
		uint8_t artist[500];

		memcpy(artist, letters, 500);
		memcpy(artist + 500 - strlen(tails[i]), tails[i], strlen(tails[i]));
		expect(&w, bytes_of(artist, 500), bytes_of(letters, 499));
	}
}

static void lying_lengths_end_with_the_packet(void **state)
{
	struct writer w = start(UINT32_MAX);

	(void)state;
	comment(&w, "ARTIST=whole");
	writer_le(&w, 1000, 4);
	writer_str(&w, "TITLE=broken off");
	expect(&w, BYTES("whole"), BYTES(""));

	w = writer_of(packet, sizeof packet);
	writer_str(&w, "OpusTags");
	writer_le(&w, UINT32_MAX, 4);
	writer_str(&w, "vendor TITLE=no");
	expect(&w, BYTES(""), BYTES(""));
}

static void another_packet_is_ignored(void **state)
{
	struct writer w = start(1);

	(void)state;
	comment(&w, "TITLE=no");
	packet[3] = 'X';
	expect(&w, BYTES(""), BYTES(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_artist_and_title),
		cmocka_unit_test(passes_over_what_has_no_name_or_value),
		cmocka_unit_test(a_picture_is_not_stored),
		cmocka_unit_test(a_long_value_ends_between_characters),
		cmocka_unit_test(lying_lengths_end_with_the_packet),
		cmocka_unit_test(another_packet_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
