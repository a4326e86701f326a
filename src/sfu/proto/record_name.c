#include "sfu/proto/record_name.h"

#include "core/writer.h"

#define STAMP   16u /* -20260102-030405 */
#define NUMBER  17u /* % and 16 digits: all of a name that was cut */
#define ESCAPED 3u

static bool is_plain(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static void put_hex(struct writer *w, uint64_t value, unsigned digits)
{
	while (digits-- > 0)
		writer_u8(w, (uint8_t) "0123456789ABCDEF"[value >> (4 * digits) & 15]);
}

/* %2D and the like stand for what is not plain, and a number made of all of it for the end of what is too
 * long (FNV-1a). */
void record_name_write(const char *room, char out[RECORD_NAME_MAX + 1])
{
	uint64_t number = 14695981039346656037u;
	struct writer w = writer_of(out, RECORD_NAME_MAX);

	for (const char *at = room; *at; at++)
		number = (number ^ (uint8_t)*at) * 1099511628211u;
	for (; *room && RECORD_NAME_MAX - w.len >= NUMBER + ESCAPED; room++) {
		uint8_t c = (uint8_t)*room;

		if (is_plain(c)) {
			writer_u8(&w, c);
		} else {
			writer_u8(&w, '%');
			put_hex(&w, c, 2);
		}
	}
	/* No letter is cut in two. */
	for (; w.len && ((uint8_t)*room & 0xc0) == 0x80; room--)
		w.len--;
	if (*room) {
		writer_u8(&w, '%');
		put_hex(&w, number, 16);
	}
	out[w.len] = '\0';
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool are_digits(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	return text.len > 0;
}

static bool is_stamp(struct bytes text)
{
	return text.len == STAMP && text.at[0] == '-' && text.at[9] == '-' &&
	       are_digits(bytes_first(bytes_skip(text, 1), 8)) && are_digits(bytes_skip(text, 10));
}

/* The name of the room as it was written, of a whole name. */
static bool take_name(struct bytes file, struct bytes *name)
{
	size_t dash;

	if (!bytes_end_with(file, BYTES(".mkv")))
		return false;
	file = bytes_first(file, file.len - 4);
	dash = bytes_find(file, '-');
	*name = bytes_first(file, dash);
	if (dash == 0 || dash > RECORD_NAME_MAX || file.len - dash < STAMP ||
	    !is_stamp(bytes_first(bytes_skip(file, dash), STAMP)))
		return false;
	file = bytes_skip(file, dash + STAMP);
	return file.len == 0 || (file.at[0] == '-' && are_digits(bytes_skip(file, 1)));
}

bool record_name_room(struct bytes file, char out[RECORD_NAME_MAX + 4])
{
	struct writer w = writer_of(out, RECORD_NAME_MAX + 3);
	struct bytes name;
	bool cut;

	if (!take_name(file, &name))
		return false;
	/* Whole names end before that. */
	cut = name.len > RECORD_NAME_MAX - NUMBER;
	if (cut)
		name = bytes_first(name, name.len - NUMBER);
	while (name.len) {
		uint8_t c = name.at[0];
		size_t len = c == '%' ? ESCAPED : 1;

		if (len > name.len)
			return false;
		if (c == '%') {
			int high = digit_of(name.at[1]), low = digit_of(name.at[2]);

			if (high < 0 || low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
		} else if (!is_plain(c)) {
			return false;
		}
		writer_u8(&w, c);
		name = bytes_skip(name, len);
	}
	if (cut)
		writer_str(&w, "...");
	out[w.len] = '\0';
	return true;
}
