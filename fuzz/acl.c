/* Any tree of rules and groups: who is the superuser may all but speak, nobody may more than there is, a
 * rule for somebody else changes nothing, and a permission that is denied here at the end is not had. */
#include "voice/proto/acl.h"
#include "core/check.h"
#include "core/reader.h"
#include "property.h"

#define CHANNELS 6u
#define RULES    6u
#define GROUPS   3u

static struct acl_channel channels[CHANNELS];
static struct acl_rule rules[CHANNELS][RULES + 1];
static struct acl_group groups[CHANNELS][GROUPS];
static const int32_t lists[4][3] = {{1, 2, 3}, {2, 3, 5}, {1, 4, 9}, {7, 8, 9}};

static const char *const names[] = {
	"all",     "auth",       "in",         "~in",   "out",    "!in",    "sub",
	"sub,0,1", "sub,-1,0,2", "~sub,1,1,1", "#word", "!#word", "$00ff",  "strong",
	"none",    "crew",       "~crew",      "!crew", "band",   "sub,,,", "sub,99999999999",
	"!",       "~~",         "",
};

static void make(struct reader *r, unsigned i)
{
	struct acl_channel *channel = &channels[i];
	unsigned shape = reader_u8(r);

	*channel = (struct acl_channel){
		.parent = i ? &channels[shape % i] : NULL,
		.inherit = shape & 0x10,
		.rules = rules[i],
		.rule_count = shape >> 5 & 3,
		.groups = groups[i],
		.group_count = (shape >> 7) + (shape >> 3 & 1),
	};
	channel->rule_count += channel->rule_count == 3 ? 2 : 0;
	for (size_t n = 0; n < channel->rule_count; n++) {
		unsigned a = reader_u8(r), b = reader_u8(r);

		rules[i][n] = (struct acl_rule){
			.here = a & 1,
			.below = a & 2,
			.user = a & 4 ? (int32_t)(b % 10) : ACL_NOBODY,
			.group = a & 4 ? BYTES("") : bytes_str(names[b % COUNT_OF(names)]),
			.grant = a & 8 ? 1u << (reader_u8(r) % 21) | 2 : reader_u8(r),
			.deny = a & 16 ? 1u << (reader_u8(r) % 21) : reader_u8(r) & ~3u,
		};
	}
	for (size_t n = 0; n < channel->group_count; n++) {
		unsigned a = reader_u8(r);

		groups[i][n] = (struct acl_group){
			.name = n ? BYTES("band") : BYTES("crew"),
			.inherit = a & 1,
			.inheritable = a & 2,
			.add = lists[a >> 2 & 3],
			.add_count = a >> 6 & 1 ? 3 : 1,
			.remove = lists[a >> 4 & 3],
			.remove_count = a >> 7 ? 2 : 0,
		};
	}
}

static void check(unsigned number, const struct acl_who *who, struct reader *r)
{
	struct acl_channel *channel = &channels[number];
	uint32_t all = channel->parent ? MAY_IN_CHANNEL : MAY_ALL,
		 had = acl_permissions(channel, who);
	struct acl_who super = *who;
	struct acl_rule *last = &rules[number][channel->rule_count];
	uint32_t one = 1u << (reader_u8(r) % 21);

	super.user = ACL_SUPER_USER;
	PROPERTY((had & ~all) == 0);
	PROPERTY(acl_permissions(channel, &super) == (all & ~(uint32_t)(MAY_SPEAK | MAY_WHISPER)));
	if (had & MAY_WRITE)
		PROPERTY((~had & all & ~(uint32_t)(MAY_SPEAK | MAY_WHISPER)) == 0);
	channel->rule_count++;
	*last = (struct acl_rule){.here = true, .below = true, .user = 4711, .deny = MAY_ALL};
	PROPERTY(acl_permissions(channel, who) == had);
	*last = (struct acl_rule){
		.here = true, .user = ACL_NOBODY, .group = BYTES("all"), .deny = one};
	/* Who may write may all else: unless that is what is denied, or only speaking is asked. */
	if (one != MAY_WRITE && one != MAY_TRAVERSE &&
	    (!(had & MAY_WRITE) || one & (MAY_SPEAK | MAY_WHISPER)))
		PROPERTY((acl_permissions(channel, who) & one) == 0);
	channel->rule_count--;
	PROPERTY(acl_is_member(channel, channel, BYTES("all"), who));
	for (size_t n = 0; n < COUNT_OF(names); n++) {
		char turned[32];
		size_t len = strlen(names[n]);

		/* Nothing behind the signs is a group of nobody, turned or not. */
		if (!len || names[n][0] == '!' || names[n][len - 1] == '~')
			continue;
		snprintf(turned, sizeof turned, "!%s", names[n]);
		PROPERTY(acl_is_member(channel, channel, bytes_str(names[n]), who) !=
			 acl_is_member(channel, channel, bytes_str(turned), who));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bytes token = BYTES("WORD");
	struct reader r = reader_of(bytes_of(data, size));
	unsigned a;

	for (unsigned i = 0; i < CHANNELS; i++)
		make(&r, i);
	a = reader_u8(&r);
	for (unsigned i = 0; i < CHANNELS; i++) {
		struct acl_who who = {
			.user = a & 1 ? (int32_t)(1 + a / 2 % 9) : ACL_NOBODY,
			.home = a & 0x20 ? &channels[a % CHANNELS] : NULL,
			.hash = a & 0x40 ? BYTES("00FF") : BYTES(""),
			.strong = a & 4,
			.tokens = &token,
			.token_count = a >> 7,
		};

		check(i, &who, &r);
	}
	return 0;
}
