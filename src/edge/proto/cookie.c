#include "cookie.h"

bool cookie_find(struct bytes header, struct bytes name, struct bytes *value)
{
	while (header.len) {
		struct bytes pair = bytes_trim(bytes_cut(&header, ';'));
		bool has_value = bytes_find(pair, '=') < pair.len;
		struct bytes key = bytes_cut(&pair, '=');

		if (!has_value || !bytes_equal(bytes_trim(key), name))
			continue;
		pair = bytes_trim(pair);
		/* RFC 6265 section 4.1.1: a value may stand in quotes. */
		if (pair.len >= 2 && pair.at[0] == '"' && pair.at[pair.len - 1] == '"')
			pair = bytes_of(pair.at + 1, pair.len - 2);
		*value = pair;
		return true;
	}
	*value = (struct bytes){0};
	return false;
}
