#include "radio/proto/hops.h"

#define OURS BYTES("rm-")

/* The pseudonym of a member: "1.1 rm-a (comment)" or "rm-a". */
static struct bytes id_of(struct bytes member)
{
	struct bytes word = {0};

	member = bytes_trim(bytes_first(member, bytes_find(member, '(')));
	while (member.len)
		word = bytes_cut(&member, ' ');
	return word;
}

bool hops_hold(struct bytes list, struct bytes id)
{
	while (list.len)
		if (bytes_equal_nocase(id_of(bytes_cut(&list, ',')), id))
			return true;
	return false;
}

size_t hops_count(struct bytes list)
{
	size_t count = 0;

	while (list.len)
		count += id_of(bytes_cut(&list, ',')).len > 0;
	return count;
}

static bool is_ours(struct bytes id)
{
	if (!bytes_start_with_nocase(id, OURS) || id.len > HOPS_ID_MAX)
		return false;
	for (size_t i = OURS.len; i < id.len; i++) {
		uint8_t c = byte_lower(id.at[i]);

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

void hops_write_via(struct writer *w, struct bytes list, struct bytes self)
{
	for (size_t n = 0; list.len && n <= HOPS_MAX; n++) {
		struct bytes id = id_of(bytes_cut(&list, ','));

		if (!is_ours(id))
			continue;
		writer_str(w, "1.1 ");
		writer_put(w, id);
		writer_str(w, ", ");
	}
	writer_str(w, "1.1 ");
	writer_put(w, self);
}
