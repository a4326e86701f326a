/* STUN: parts lie inside the message; a message that is taken is answered, or not, without longer words
 * than its own to who is not known; what is written is read. */
#include "property.h"
#include "sfu/proto/ice.h"

/* No HMAC, but one that depends on key and text. */
static void mix(struct bytes key, struct bytes in, uint8_t out[20])
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < key.len + in.len; i++)
		hash = (hash ^ (i < key.len ? key.at[i] : in.at[i - key.len])) * 16777619u;
	for (unsigned i = 0; i < 20; i++)
		out[i] = (uint8_t)(hash >> (i % 4 * 8));
}

static void check_answer(const struct ice_names *names, const struct stun *stun)
{
	struct address from = {.port = 1};
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof buf);
	struct ice_check check;
	struct stun back;

	ice_answer(names, stun, &from, mix, &w, &check);
	PROPERTY(writer_ok(&w));
	PROPERTY(!check.nominated || check.authentic);
	PROPERTY(names || !check.authentic);
	if (w.len == 0)
		return;
	PROPERTY(stun_parse(writer_done(&w), &back) == STUN_OK);
	PROPERTY(back.class == STUN_SUCCESS || back.class == STUN_ERROR);
	PROPERTY(bytes_equal(back.id, stun->id) && back.fingerprint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ice_names names = {"Aserver", "the password of us", "", ""};
	struct bytes in = bytes_of(data, size);
	struct stun stun;

	if (stun_parse(in, &stun) != STUN_OK)
		return 0;
	PROPERTY(part_inside(stun.username, in) && part_inside(stun.integrity, in));
	PROPERTY(part_inside(ice_ufrag_of(&stun), in) && stun.id.len == STUN_ID);
	PROPERTY(stun.unknown_count <= STUN_UNKNOWN_MAX);
	check_answer(NULL, &stun);
	check_answer(&names, &stun);
	return 0;
}
