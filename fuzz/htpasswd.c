/* htpasswd: what is found lies in the text and means what it says; taking a user out leaves all others. */
#include "radio/proto/htpasswd.h"

#include "property.h"

static uint8_t left[1 << 16];

static size_t check_lines(struct bytes text, struct bytes *first)
{
	struct htpasswd_line line = {0};
	struct bytes rest = text;
	enum htpasswd_found found;
	unsigned number = 0;
	size_t users = 0;

	while ((found = htpasswd_next(&rest, &line)) != HTPASSWD_END) {
		PROPERTY(line.number > number);
		number = line.number;
		if (found != HTPASSWD_USER)
			continue;
		PROPERTY(part_inside(line.name, text) && part_inside(line.hash, text));
		PROPERTY(htpasswd_name_is_good(line.name));
		PROPERTY(line.hash.len >= 1 && line.hash.len <= HTPASSWD_HASH_MAX);
		PROPERTY(line.kind != HTPASSWD_MD5 || line.hash.len == 32);
		if (users++ == 0)
			*first = line.name;
	}
	PROPERTY(rest.len == 0);
	return users;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size), name, other;
	struct writer w = writer_of(left, sizeof left);
	size_t users;

	if (size >= sizeof left)
		return 0;
	users = check_lines(text, &name);
	if (!users) {
		PROPERTY(!htpasswd_without(text, BYTES("nobody"), &w));
		return 0;
	}
	PROPERTY(htpasswd_without(text, name, &w) && writer_ok(&w));
	PROPERTY(check_lines(writer_done(&w), &other) < users);
	/* Once more: it is gone. */
	PROPERTY(!htpasswd_without(writer_done(&w), name, &(struct writer){left, 0, 0, true}));
	return 0;
}
