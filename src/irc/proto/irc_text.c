#include "irc/proto/irc_text.h"

/* --- time ----------------------------------------------------------------------------------- */

/* Days since 1970 of a date of the Gregorian calendar, and back (the well-known era arithmetic). */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t era, shifted = month <= 2 ? year - 1 : year;
	int64_t of_era, of_year;

	era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	of_era = shifted - era * 400;
	of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void put_digits(struct writer *w, uint64_t value, unsigned digits)
{
	uint64_t scale = 1;

	for (unsigned i = 1; i < digits; i++)
		scale *= 10;
	for (; scale; scale /= 10)
		writer_u8(w, (uint8_t)('0' + value / scale % 10));
}

void irc_time_write(struct writer *w, int64_t ms)
{
	uint64_t t = ms < 0 ? 0 : (uint64_t)ms, seconds = t / 1000, z = seconds / 86400 + 719468;
	uint64_t era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;

	put_digits(w, (yoe + era * 400 + (month <= 2)) % 10000, 4);
	writer_u8(w, '-');
	put_digits(w, month, 2);
	writer_u8(w, '-');
	put_digits(w, doy - (153 * mp + 2) / 5 + 1, 2);
	writer_u8(w, 'T');
	put_digits(w, seconds / 3600 % 24, 2);
	writer_u8(w, ':');
	put_digits(w, seconds / 60 % 60, 2);
	writer_u8(w, ':');
	put_digits(w, seconds % 60, 2);
	writer_u8(w, '.');
	put_digits(w, t % 1000, 3);
	writer_u8(w, 'Z');
}

static bool take_digits(struct bytes *in, unsigned digits, uint8_t end, uint64_t most,
			uint64_t *out)
{
	struct bytes word = bytes_first(*in, digits);

	if (in->len < digits || !bytes_to_u64(word, most, out))
		return false;
	*in = bytes_skip(*in, digits);
	if (end && (!in->len || in->at[0] != end))
		return false;
	*in = bytes_skip(*in, end ? 1 : 0);
	return true;
}

bool irc_time_parse(struct bytes in, int64_t *ms)
{
	static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint64_t year, month, day, hour, minute, second, fraction = 0;

	if (!take_digits(&in, 4, '-', 9999, &year) || !take_digits(&in, 2, '-', 12, &month) ||
	    !take_digits(&in, 2, 'T', 31, &day) || !take_digits(&in, 2, ':', 23, &hour) ||
	    !take_digits(&in, 2, ':', 59, &minute) || !take_digits(&in, 2, 0, 60, &second))
		return false;
	if (year < 1970 || month < 1 || day < 1 || day > lengths[month - 1])
		return false;
	if (in.len > 1 && in.at[0] == '.') {
		unsigned digits = 0;

		for (in = bytes_skip(in, 1); in.len && in.at[0] >= '0' && in.at[0] <= '9';
		     in = bytes_skip(in, 1))
			if (digits++ < 3)
				fraction = fraction * 10 + (uint64_t)(in.at[0] - '0');
		for (; digits && digits < 3; digits++)
			fraction *= 10;
	}
	if (!bytes_equal(in, BYTES("Z")))
		return false;
	*ms = ((days_of((int64_t)year, (unsigned)month, (unsigned)day) * 24 + (int64_t)hour) *
		       3600 +
	       (int64_t)minute * 60 + (int64_t)second) *
		      1000 +
	      (int64_t)fraction;
	return true;
}

/* --- words ---------------------------------------------------------------------------------- */

bool irc_ctcp_parse(struct bytes text, struct bytes *verb, struct bytes *words)
{
	if (text.len < 2 || text.at[0] != 1)
		return false;
	*words = bytes_skip(text, 1);
	if (words->at[words->len - 1] == 1)
		words->len--;
	*verb = bytes_cut(words, ' ');
	return verb->len > 0;
}

struct bytes irc_split(struct bytes *rest, size_t max)
{
	struct bytes all = *rest;
	size_t cut = max, back;

	if (all.len <= max) {
		*rest = bytes_skip(all, all.len);
		return all;
	}
	/* RFC 3629: bytes that go on a character begin with 10. */
	while (cut && cut + 3 >= max && (all.at[cut] & 0xc0) == 0x80)
		cut--;
	if (cut == 0 || (all.at[cut] & 0xc0) == 0x80)
		cut = max ? max : 1;
	for (back = cut; back > cut - cut / 4; back--)
		if (all.at[back - 1] == ' ') {
			cut = back;
			break;
		}
	*rest = bytes_skip(all, cut);
	return bytes_first(all, cut);
}

static bool is_of_name(uint8_t c)
{
	return (byte_lower(c) >= 'a' && byte_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '[' || c == ']' || c == '\\' || c == '^' || c == '{' ||
	       c == '}' || c == '|' || c == '`' || c >= 0x80;
}

bool irc_has_word(struct bytes text, struct bytes word)
{
	if (!word.len)
		return false;
	for (size_t i = 0; i + word.len <= text.len; i++) {
		size_t end = i + word.len;

		if ((i == 0 || !is_of_name(text.at[i - 1])) &&
		    (end == text.len || !is_of_name(text.at[end])) &&
		    bytes_equal_nocase(bytes_of(text.at + i, word.len), word))
			return true;
	}
	return false;
}

/* --- hours ---------------------------------------------------------------------------------- */

/* "7:05", "07:05" or "0705". */
static bool minute_parse(struct bytes text, unsigned hours, uint16_t *minute)
{
	size_t colon = bytes_find(text, ':');
	struct bytes h = bytes_first(text, colon < text.len ? colon
					   : text.len > 2   ? text.len - 2
							    : 0);
	struct bytes m = bytes_skip(text, h.len + (colon < text.len));
	uint64_t hour, past;

	if (h.len < 1 || h.len > 2 || m.len != 2 || !bytes_to_u64(h, hours, &hour) ||
	    !bytes_to_u64(m, 59, &past))
		return false;
	*minute = (uint16_t)(hour * 60 + past);
	return true;
}

bool irc_hours_parse(struct bytes text, uint16_t *from, uint16_t *to)
{
	struct bytes first = bytes_cut(&text, '-');

	/* The end of a day may be called 24:00. */
	if (!minute_parse(first, 23, from) || !minute_parse(text, 24, to) || *to > 1440)
		return false;
	*to %= 1440;
	return true;
}

bool irc_zone_parse(struct bytes text, int16_t *minutes)
{
	uint16_t east;

	if (text.len < 2 || (text.at[0] != '+' && text.at[0] != '-') ||
	    !minute_parse(bytes_skip(text, 1), 14, &east))
		return false;
	*minutes = (int16_t)(text.at[0] == '-' ? -east : east);
	return true;
}

bool irc_hours_hold(uint16_t from, uint16_t to, unsigned minute)
{
	if (from < to)
		return minute >= from && minute < to;
	return minute >= from || minute < to;
}

bool irc_is_utf8(struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		uint8_t c = text.at[i];
		size_t n = c < 0x80   ? 1
			   : c < 0xc2 ? 0
			   : c < 0xe0 ? 2
			   : c < 0xf0 ? 3
			   : c < 0xf5 ? 4
				      : 0;

		if (n == 0 || n > text.len - i)
			return false;
		for (size_t k = 1; k < n; k++)
			if ((text.at[i + k] & 0xc0) != 0x80)
				return false;
		if ((c == 0xe0 && text.at[i + 1] < 0xa0) || (c == 0xed && text.at[i + 1] > 0x9f) ||
		    (c == 0xf0 && text.at[i + 1] < 0x90) || (c == 0xf4 && text.at[i + 1] > 0x8f))
			return false;
		i += n;
	}
	return true;
}

/* --- rate ----------------------------------------------------------------------------------- */

bool irc_rate_take(struct irc_rate *rate, mono_t now, mono_t *when)
{
	mono_t from = mono_before(rate->empty, now) ? now : rate->empty;
	mono_t allowed = mono_add_us(now, rate->interval_us * (rate->burst - 1));

	if (mono_before(allowed, from)) {
		*when = mono_add_us(now, mono_since_us(from, allowed));
		return false;
	}
	rate->empty = mono_add_us(from, rate->interval_us);
	return true;
}
