/* Header lines of an encoder, one each line of the input: whatever they say, the fields are text
 * that can be shown and the numbers are within bounds. */
#include "radio/proto/station.h"

#include "text.h"

static void check_field(const char *field, size_t size)
{
	struct bytes text = bytes_str(field);

	PROPERTY(text.len < size && oracle_clean(text));
	PROPERTY(bytes_trim(text).len == text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct station station = {0};

	while (in.len) {
		struct bytes value = bytes_cut(&in, '\n');
		struct bytes name = bytes_cut(&value, ':');
		struct station before = station;
		bool taken = station_take_header(&station, name, value);

		PROPERTY(taken || memcmp(&before, &station, sizeof station) == 0);
		PROPERTY(!taken || bytes_start_with_nocase(name, BYTES("ic")) ||
			 bytes_start_with_nocase(name, BYTES("x-audiocast-")));
		before = station; /* the same line once more changes nothing */
		PROPERTY(station_take_header(&station, name, value) == taken);
		if (!bytes_end_with(name, BYTES("o"))) /* but audio-info fills in what is missing */
			PROPERTY(memcmp(&before, &station, sizeof station) == 0);
	}
	check_field(station.name, sizeof station.name);
	check_field(station.description, sizeof station.description);
	check_field(station.genre, sizeof station.genre);
	check_field(station.url, sizeof station.url);
	check_field(station.audio_info, sizeof station.audio_info);
	PROPERTY(station.bitrate <= 1000000 && station.channels <= 255);
	PROPERTY(station.samplerate <= 10000000);
	return 0;
}
