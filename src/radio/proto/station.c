#include "radio/proto/station.h"

#include "edge/proto/charset.h"

#define BITRATE_MAX    1000000u
#define SAMPLERATE_MAX 10000000u
#define CHANNELS_MAX   255u

/* The digits that value begins with: "128", "128 kbps" and "128.5" are all 128. False: there are
 * none, or they are 0 or more than max. */
static bool take_number(struct bytes value, uint32_t max, uint32_t *out)
{
	size_t n = 0;
	uint64_t number;

	value = bytes_trim(value);
	while (n < value.len && value.at[n] >= '0' && value.at[n] <= '9')
		n++;
	if (!bytes_to_u64(bytes_first(value, n), max, &number) || number == 0)
		return false;
	*out = (uint32_t)number;
	return true;
}

static int hex_digit(uint8_t c)
{
	c = byte_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 section 2.1. A '%' that begins no octet stays; what does not fit is cut. */
static struct bytes percent_decode(struct bytes in, uint8_t *buf, size_t size)
{
	struct writer w = writer_of(buf, size);

	for (size_t i = 0; i < in.len && w.len < size; i++) {
		int high = in.at[i] == '%' && i + 2 < in.len ? hex_digit(in.at[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(in.at[i + 2]) : -1;

		writer_u8(&w, low >= 0 ? (uint8_t)(high << 4 | low) : in.at[i]);
		if (low >= 0)
			i += 2;
	}
	return writer_done(&w);
}

static struct bytes without(struct bytes in, struct bytes prefix)
{
	return bytes_start_with_nocase(in, prefix) ? bytes_skip(in, prefix.len) : in;
}

static void take_info_field(struct station *station, struct bytes key, struct bytes value,
			    bool has_bitrate, bool has_rate, bool has_channels)
{
	key = without(key, BYTES("ice-"));
	if (bytes_equal_nocase(key, BYTES("bitrate")) && !has_bitrate)
		take_number(value, BITRATE_MAX, &station->bitrate);
	else if (bytes_equal_nocase(key, BYTES("samplerate")) && !has_rate)
		take_number(value, SAMPLERATE_MAX, &station->samplerate);
	else if (bytes_equal_nocase(key, BYTES("channels")) && !has_channels)
		take_number(value, CHANNELS_MAX, &station->channels);
}

/* "ice-samplerate=44100;ice-bitrate=128;ice-channels=2", as many encoders spell it as there are:
 * ';' or ',', with and without "ice-", each part percent-encoded or not. */
static void take_audio_info(struct station *station, struct bytes info)
{
	bool has_bitrate = station->bitrate, has_rate = station->samplerate,
	     has_channels = station->channels;

	charset_to_field(info, CHARSET_UTF8, station->audio_info, sizeof station->audio_info);
	while (info.len) {
		uint8_t key_buf[32], value_buf[32];
		size_t end = bytes_find(info, ';'), comma = bytes_find(info, ',');
		struct bytes value = bytes_first(info, end < comma ? end : comma);
		struct bytes key;

		info = bytes_skip(info, value.len + 1);
		key = percent_decode(bytes_trim(bytes_cut(&value, '=')), key_buf, sizeof key_buf);
		value = percent_decode(bytes_trim(value), value_buf, sizeof value_buf);
		take_info_field(station, bytes_trim(key), value, has_bitrate, has_rate,
				has_channels);
	}
}

static void take_public(struct station *station, struct bytes value)
{
	value = bytes_trim(value);
	station->public_said = true;
	station->is_public = bytes_equal(value, BYTES("1")) ||
			     bytes_equal_nocase(value, BYTES("true")) ||
			     bytes_equal_nocase(value, BYTES("yes"));
}

/* The name without the prefix that makes it one of ours; empty when it has none. */
static struct bytes own_name(struct bytes name)
{
	static const char *const prefixes[] = {"ice-", "icy-", "x-audiocast-"};

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (bytes_start_with_nocase(name, bytes_str(prefixes[i])))
			return bytes_skip(name, strlen(prefixes[i]));
	return bytes_first(name, 0);
}

static bool take_text(struct station *station, struct bytes key, struct bytes value)
{
	const struct {
		const char *key;
		char *field;
		size_t size;
	} fields[] = {
		{"name", station->name, sizeof station->name},
		{"description", station->description, sizeof station->description},
		{"genre", station->genre, sizeof station->genre},
		{"url", station->url, sizeof station->url},
		{"via", station->via, sizeof station->via},
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (bytes_equal_nocase(key, bytes_str(fields[i].key))) {
			charset_to_field(value, CHARSET_UTF8, fields[i].field, fields[i].size);
			return true;
		}
	}
	return false;
}

bool station_take_header(struct station *station, struct bytes name, struct bytes value)
{
	struct bytes key = own_name(name);

	if (take_text(station, key, value))
		return true;
	if (bytes_equal_nocase(key, BYTES("public")) || bytes_equal_nocase(key, BYTES("pub")))
		take_public(station, value);
	else if (bytes_equal_nocase(key, BYTES("bitrate")) || bytes_equal_nocase(key, BYTES("br")))
		take_number(value, BITRATE_MAX, &station->bitrate);
	else if (bytes_equal_nocase(key, BYTES("samplerate")))
		take_number(value, SAMPLERATE_MAX, &station->samplerate);
	else if (bytes_equal_nocase(key, BYTES("channels")))
		take_number(value, CHANNELS_MAX, &station->channels);
	else if (bytes_equal_nocase(key, BYTES("audio-info")))
		take_audio_info(station, value);
	else
		return false;
	return true;
}
