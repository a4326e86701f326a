#include "radio/proto/client_profile.h"

/* A player names itself early; what is behind this is not worth a search. */
#define USER_AGENT_MAX 512u

uint32_t client_profile_of(struct bytes user_agent)
{
	static const struct {
		const char *piece;
		uint32_t quirks;
	} rules[] = {
#define CLIENT_PROFILE(piece, quirks, reason) {piece, quirks},
#include "radio/proto/client_profile.def"
#undef CLIENT_PROFILE
	};
	struct bytes head = bytes_first(user_agent, USER_AGENT_MAX);
	uint32_t quirks = 0;

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (bytes_find_nocase(head, bytes_str(rules[i].piece)) < head.len)
			quirks |= rules[i].quirks;
	return quirks;
}
