/* Packets into Ogg and out again by a reader that shares nothing with the writer (ogg_pages.h). */
#include "voice/proto/ogg_opus.h"
#include "core/check.h"
#include "ogg_pages.h"
#include "voice.h"

static uint8_t out[1u << 20];
static struct ogg_opus ogg;

/* RFC 6716 3.1, table 2: every configuration, one frame. */
static void packets_last_as_their_first_byte_says(void **state)
{
	static const uint32_t silk[4] = {480, 960, 1920, 2880}, hybrid[2] = {480, 960},
			      celt[4] = {120, 240, 480, 960};

	(void)state;
	for (unsigned config = 0; config < 32; config++) {
		uint32_t frame = config < 12   ? silk[config % 4]
				 : config < 16 ? hybrid[config % 2]
					       : celt[config % 4];

		for (unsigned code = 0; code < 3; code++) {
			uint8_t toc = (uint8_t)(config << 3 | code);
			struct bytes packet = guarded(bytes_of(&toc, 1));

			assert_int_equal(opus_samples(packet), frame * (code ? 2 : 1));
			guarded_free(packet);
		}
		for (unsigned count = 0; count < 64; count++) {
			uint8_t two[2] = {(uint8_t)(config << 3 | 3), (uint8_t)(0xc0 | count)};
			struct bytes packet = guarded(bytes_of(two, 2));

			assert_int_equal(opus_samples(packet),
					 frame * count <= 5760 ? frame * count : 0);
			guarded_free(packet);
		}
	}
	assert_int_equal(opus_samples((struct bytes){0}), 0);
	assert_int_equal(opus_samples(BYTES("\x03")), 0); /* a count that is not there */
}

static struct bytes head(struct writer *w, const char *artist, const char *title)
{
	ogg_opus_head(&ogg, 7, bytes_str(artist), bytes_str(title), w);
	assert_true(writer_ok(w));
	return writer_done(w);
}

static void the_heads_are_two_pages(void **state)
{
	struct writer w = writer_of(out, sizeof out);
	struct bytes in = head(&w, "Ada", "hall"), packet = {0};
	struct ogg_page page = {0};

	(void)state;
	assert_true(ogg_page_read(&in, &page));
	assert_int_equal(page.flags, 2);
	assert_int_equal(page.serial, 7);
	assert_true(ogg_packet_read(&page, &packet));
	assert_bytes(packet, bytes_of("OpusHead\1\1\x38\1\x80\xbb\0\0\0\0\0", 19));
	assert_true(ogg_page_read(&in, &page));
	assert_int_equal(page.number, 1);
	assert_true(page.granule == 0);
	assert_true(ogg_packet_read(&page, &packet));
	assert_bytes(
		packet,
		bytes_of("OpusTags\x8\0\0\0ringmain\2\0\0\0\xa\0\0\0ARTIST=Ada\xa\0\0\0TITLE=hall",
			 20 + 4 + 14 + 14));
	assert_int_equal(in.len, 0);
}

/* Names as long as anybody may have. */
static void long_names_are_cut(void **state)
{
	struct writer w = writer_of(out, OGG_OPUS_PAGE);
	char name[2000];
	struct bytes in;
	struct ogg_page page = {0};

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	in = head(&w, name, name);
	assert_true(ogg_page_read(&in, &page) && ogg_page_read(&in, &page));
	assert_int_equal(page.body.len, 8 + 4 + 8 + 4 + 4 + 507 + 4 + 506);
}

/* Each packet as it came, in order; granules are what has been put until the end of their page; there is
 * room for what one call writes. */
static void packets_come_out_as_they_went_in(void **state)
{
	struct writer w = writer_of(out, sizeof out);
	uint8_t packet[1500];
	uint64_t samples = 0;
	uint32_t number = 2;
	struct bytes in;
	struct ogg_page page = {0};

	(void)state;
	in = head(&w, "a", "b");
	w.len = 0;
	for (unsigned i = 0; i < 300; i++) {
		size_t before = w.len;

		memset(packet, (int)i, sizeof packet);
		packet[0] = (uint8_t)(i % 2 ? 0xf8 : 0xe0); /* 20 and 2.5 ms */
		assert_true(ogg_opus_put(&ogg, bytes_of(packet, 1 + i * 7 % 1400), &w));
		assert_true(w.len - before <= OGG_OPUS_PAGE);
	}
	assert_false(ogg_opus_put(&ogg, BYTES("\x03"), &w));
	assert_false(ogg_opus_put(&ogg, bytes_of(out, OGG_OPUS_BODY / 2 + 1), &w));
	ogg_opus_end(&ogg, &w);
	assert_true(writer_ok(&w));
	in = writer_done(&w);
	for (unsigned i = 0; i < 300; i++) {
		struct bytes got = {0};

		while (page.lacing.len == 0) {
			assert_true(page.granule == samples);
			assert_true(ogg_page_read(&in, &page));
			assert_int_equal(page.number, number++);
		}
		assert_true(ogg_packet_read(&page, &got));
		memset(packet, (int)i, sizeof packet);
		packet[0] = (uint8_t)(i % 2 ? 0xf8 : 0xe0);
		assert_bytes(got, bytes_of(packet, 1 + i * 7 % 1400));
		samples += i % 2 ? 960 : 120;
	}
	assert_true(page.granule == samples && page.flags == 4);
	assert_int_equal(in.len, 0);
}

/* Where nothing came there is silence up to the very 10 ms, a page a call. */
static void silence_fills_up(void **state)
{
	static const uint64_t wants[] = {0, 479, 480, 960, 1440, 48000, 48001, 10 * 48000};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wants); i++) {
		struct writer w = writer_of(out, sizeof out);
		size_t calls = 1;

		(void)head(&w, "", "");
		w.len = 0;
		for (; ogg_opus_pad(&ogg, wants[i], &w); calls++)
			assert_true(w.len <= calls * OGG_OPUS_PAGE);
		assert_true(ogg.samples == wants[i] / 480 * 480);
		assert_true(calls <= wants[i] / 48000 + 1);
		/* And not further, when asked again. */
		assert_false(ogg_opus_pad(&ogg, wants[i], &w));
		assert_true(ogg.samples == wants[i] / 480 * 480);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_last_as_their_first_byte_says),
		cmocka_unit_test(the_heads_are_two_pages),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(packets_come_out_as_they_went_in),
		cmocka_unit_test(silence_fills_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
