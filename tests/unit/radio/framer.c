#include "golden.h"

#include "guarded.h"
#include "radio/proto/framer.h"

static struct framer framer;

static void each_type_that_encoders_send_has_its_kind(void **state)
{
	static const struct {
		const char *type;
		enum framer_kind kind;
	} rows[] = {
		{"audio/mpeg", FRAMER_MP3},
		{"audio/mp3", FRAMER_MP3},
		{"audio/x-mpeg", FRAMER_MP3},
		{"audio/aac", FRAMER_ADTS},
		{"audio/aacp", FRAMER_ADTS},
		{"audio/x-aac", FRAMER_ADTS},
		{"audio/mp4a-latm", FRAMER_ADTS},
		{"application/ogg", FRAMER_OGG},
		{"application/x-ogg", FRAMER_OGG},
		{"audio/ogg", FRAMER_OGG},
		{"video/ogg", FRAMER_OGG},
		{"audio/opus", FRAMER_OGG},
		{"audio/vorbis", FRAMER_OGG},
		{"audio/x-vorbis+ogg", FRAMER_OGG},
		{"audio/flac", FRAMER_FLAC},
		{"audio/x-flac", FRAMER_FLAC},
		{"audio/webm", FRAMER_WEBM},
		{"video/webm", FRAMER_WEBM},
		{"audio/x-matroska", FRAMER_WEBM},
		{"video/x-matroska", FRAMER_WEBM},
		{"video/mp2t", FRAMER_TS},
		{"  Audio/MPEG ; rate=44100", FRAMER_MP3},
		{"audio/ogg;codecs=\"flac\"", FRAMER_OGG},
		{"VIDEO/MP2T\t", FRAMER_TS},
		{"application/octet-stream", FRAMER_RAW},
		{"audio/mpegurl", FRAMER_RAW},
		{"audio/mpe", FRAMER_RAW},
		{"text/html; x=audio/mpeg", FRAMER_RAW},
		{";", FRAMER_RAW},
		{"", FRAMER_RAW},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes type = guarded(bytes_str(rows[i].type));

		assert_int_equal(framer_kind_of_type(type), rows[i].kind);
		guarded_free(type);
	}
}

static void the_type_of_each_kind_leads_back_to_it(void **state)
{
	static const char *const names[] = {"mp3", "adts", "ogg", "flac", "webm", "ts", "raw"};

	(void)state;
	for (enum framer_kind kind = FRAMER_MP3; kind <= FRAMER_RAW; kind++) {
		assert_int_equal(framer_kind_of_type(bytes_str(framer_type_of_kind(kind))), kind);
		assert_string_equal(framer_kind_name(kind), names[kind]);
	}
}

/* The least prefix that decides, and that no shorter and no longer one says otherwise. */
static void assert_kind(struct bytes in, enum framer_kind expected, size_t decides)
{
	enum framer_kind kind;

	for (size_t len = 0; len <= in.len; len += len < 600 || len + 97 > in.len ? 1 : 97) {
		struct bytes first = guarded(bytes_first(in, len));

		assert_int_equal(framer_kind_of_bytes(first, &kind), len >= decides);
		if (len >= decides)
			assert_int_equal(kind, expected);
		guarded_free(first);
	}
}

static void recordings_are_known_by_their_first_bytes(void **state)
{
	/* Two frames in step: one frame (as the .packets files have it) and the header behind. */
	static const struct {
		const char *name;
		enum framer_kind kind;
		size_t decides;
	} rows[] = {
		{"mp3_cbr.mp3", FRAMER_MP3, 140 + 208 + 4}, /* ID3, Info frame */
		{"mp3_crc.mp3", FRAMER_MP3, 156 + 4},
		{"mp2_layer2.mp2", FRAMER_MP3, 313 + 4},
		{"aac_lc.aac", FRAMER_ADTS, 128 + 7},
		{"aac_latm.latm", FRAMER_ADTS, 131 + 35},
		{"flac_fixed.flac", FRAMER_FLAC, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes in = golden_load(rows[i].name);

		assert_kind(in, rows[i].kind, rows[i].decides);
		golden_free(in);
	}
}

static void first_bytes_show_the_kind(void **state)
{
	static uint8_t data[10000];
	struct bytes in = bytes_of(data, sizeof data);
	struct bytes mp3 = golden_load("mp3_crc.mp3");

	(void)state;
	memcpy(data, "OggS", 4);
	assert_kind(in, FRAMER_OGG, 4);
	memcpy(data, "\x1A\x45\xDF\xA3", 4);
	assert_kind(in, FRAMER_WEBM, 4);
	memset(data, 0, sizeof data);
	data[0] = data[188] = data[376] = 0x47;
	assert_kind(in, FRAMER_TS, 377);
	data[376] = 0;
	assert_kind(in, FRAMER_RAW, FRAMER_SNIFF_MAX);

	/* Joined in the middle of a frame. */
	memcpy(data + 1000, mp3.at + 100, mp3.len - 100);
	assert_kind(in, FRAMER_MP3, 1000 + 56 + 157 + 4);

	/* A tag in front; its end beyond what is looked at. */
	memset(data, 0, sizeof data);
	memcpy(data, "ID3\x04\0\0\0\0\x01\x00", 10);
	memcpy(data + 138, "fLaC", 4);
	assert_kind(in, FRAMER_FLAC, 142);
	data[8] = 0x7F;
	assert_kind(in, FRAMER_MP3, FRAMER_SNIFF_MAX);
	golden_free(mp3);
}

static void kind_init(void *into)
{
	struct framer *one = into;

	framer_init(one, one->kind);
}

static enum framer_status kind_next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return framer_next(from, in, end, unit);
}

static void each_kind_goes_to_its_framer(void **state)
{
	static const struct {
		const char *name;
		enum framer_kind kind;
		size_t units;
		const char *codec;
		uint32_t sample_rate;
	} rows[] = {
		{"mp3_cbr.mp3", FRAMER_MP3, 40, "mp3", 44100},
		{"aac_lc.aac", FRAMER_ADTS, 45, "aac", 44100},
		{"flac_live.flac", FRAMER_FLAC, 12, "flac", 16000},
	};
	const struct framing_kind front = {kind_init, kind_next, &framer};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes in = golden_load(rows[i].name);
		struct bytes title;

		framer.kind = rows[i].kind;
		struct cuts cuts = cuts_always(&front, in, 0);

		assert_int_equal(assert_packets(&cuts, rows[i].name), rows[i].units);
		assert_string_equal(framer_about(&framer)->codec, rows[i].codec);
		assert_int_equal(framer_about(&framer)->sample_rate, rows[i].sample_rate);
		assert_false(framer_title(&framer, &title));
		free(cuts.list);
		golden_free(in);
	}
}

static void raw_bytes_are_units_as_they_come(void **state)
{
	static uint8_t data[FRAMER_UNIT_MAX + 10];
	struct bytes in = bytes_of(data, sizeof data);
	struct unit unit;

	(void)state;
	framer_init(&framer, FRAMER_RAW);
	assert_int_equal(framer_next(&framer, bytes_first(in, 0), true, &unit), FRAMER_MORE);
	assert_int_equal(framer_next(&framer, bytes_first(in, 1), false, &unit), FRAMER_UNIT);
	assert_int_equal(unit.data.len, 1);
	assert_int_equal(unit.flags, UNIT_KEY);
	assert_int_equal(framer_next(&framer, in, false, &unit), FRAMER_UNIT);
	assert_ptr_equal(unit.data.at, data);
	assert_int_equal(unit.data.len, FRAMER_UNIT_MAX);
	assert_string_equal(framer_about(&framer)->codec, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_that_encoders_send_has_its_kind),
		cmocka_unit_test(the_type_of_each_kind_leads_back_to_it),
		cmocka_unit_test(recordings_are_known_by_their_first_bytes),
		cmocka_unit_test(first_bytes_show_the_kind),
		cmocka_unit_test(each_kind_goes_to_its_framer),
		cmocka_unit_test(raw_bytes_are_units_as_they_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
