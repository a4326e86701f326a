#include "voice/proto/acl.h"

#include "core/check.h"
#include "voice.h"

/* root ── hall ── stage ── box; each test fills them in. */
static struct acl_channel root, hall, stage, box;

static int tree(void **state)
{
	(void)state;
	root = (struct acl_channel){.inherit = true};
	hall = (struct acl_channel){.parent = &root, .inherit = true};
	stage = (struct acl_channel){.parent = &hall, .inherit = true};
	box = (struct acl_channel){.parent = &stage, .inherit = true};
	return 0;
}

static struct acl_who user(int32_t id, const struct acl_channel *home)
{
	return (struct acl_who){.user = id, .home = home};
}

#define RULES(channel, ...)                                            \
	do {                                                           \
		static const struct acl_rule rules_[] = {__VA_ARGS__}; \
		(channel)->rules = rules_;                             \
		(channel)->rule_count = COUNT_OF(rules_);              \
	} while (0)

#define GROUP(text)                                    \
	{                                              \
		(const uint8_t *)text, sizeof text - 1 \
	}

static void everybody_may_talk_at_first(void **state)
{
	struct acl_who who = user(ACL_NOBODY, &root), super = user(ACL_SUPER_USER, &root);

	(void)state;
	assert_int_equal(acl_permissions(&box, &who), MAY_AT_FIRST);
	assert_int_equal(acl_permissions(&root, &super), MAY_ALL & ~(MAY_SPEAK | MAY_WHISPER));
	assert_int_equal(acl_permissions(&box, &super),
			 MAY_IN_CHANNEL & ~(MAY_SPEAK | MAY_WHISPER));
}

static void a_later_rule_undoes_an_earlier_one(void **state)
{
	struct acl_who who = user(5, &root), other = user(6, &root);

	(void)state;
	RULES(&hall, {true, true, ACL_NOBODY, GROUP("all"), 0, MAY_ENTER | MAY_SPEAK},
	      {true, true, 5, {0}, MAY_ENTER, 0});
	assert_int_equal(acl_permissions(&hall, &other) & (MAY_ENTER | MAY_SPEAK), 0);
	assert_int_equal(acl_permissions(&hall, &who) & (MAY_ENTER | MAY_SPEAK), MAY_ENTER);
	/* below too */
	assert_int_equal(acl_permissions(&box, &who) & (MAY_ENTER | MAY_SPEAK), MAY_ENTER);
	assert_int_equal(acl_permissions(&root, &other), MAY_AT_FIRST);
}

static void a_rule_is_for_here_for_below_or_for_both(void **state)
{
	struct acl_who who = user(5, &root);

	(void)state;
	RULES(&hall, {true, false, ACL_NOBODY, GROUP("all"), MAY_KICK | MAY_MOVE, 0},
	      {false, true, ACL_NOBODY, GROUP("all"), MAY_MUTE_DEAFEN, 0});
	assert_int_equal(acl_permissions(&hall, &who) & (MAY_MOVE | MAY_MUTE_DEAFEN), MAY_MOVE);
	assert_int_equal(acl_permissions(&stage, &who) & (MAY_MOVE | MAY_MUTE_DEAFEN),
			 MAY_MUTE_DEAFEN);
	/* what belongs to the uppermost channel is nowhere else */
	assert_int_equal(acl_permissions(&hall, &who) & MAY_KICK, 0);
}

static void a_channel_that_does_not_inherit_begins_anew(void **state)
{
	struct acl_who who = user(5, &root);

	(void)state;
	RULES(&root, {true, true, ACL_NOBODY, GROUP("all"), MAY_MOVE, MAY_SPEAK});
	assert_int_equal(acl_permissions(&stage, &who) & (MAY_MOVE | MAY_SPEAK), MAY_MOVE);
	stage.inherit = false;
	assert_int_equal(acl_permissions(&stage, &who), MAY_AT_FIRST);
	assert_int_equal(acl_permissions(&box, &who), MAY_AT_FIRST);
}

static void who_may_not_pass_gets_nowhere_below(void **state)
{
	struct acl_who who = user(5, &root);

	(void)state;
	RULES(&hall, {true, true, ACL_NOBODY, GROUP("all"), 0, MAY_TRAVERSE});
	assert_int_equal(acl_permissions(&hall, &who), 0);
	assert_int_equal(acl_permissions(&box, &who), 0);
	/* who may write passes all the same */
	RULES(&root, {true, true, 5, {0}, MAY_WRITE, 0});
	assert_true(acl_permissions(&box, &who) & MAY_ENTER);
}

static void to_write_is_to_do_all_but_speaking(void **state)
{
	struct acl_who who = user(5, &root);

	(void)state;
	RULES(&root, {true, true, ACL_NOBODY, GROUP("all"), MAY_WRITE, MAY_SPEAK | MAY_WHISPER});
	assert_int_equal(acl_permissions(&root, &who), MAY_ALL & ~(MAY_SPEAK | MAY_WHISPER));
	assert_int_equal(acl_permissions(&box, &who), MAY_IN_CHANNEL & ~(MAY_SPEAK | MAY_WHISPER));
}

static bool member(const struct acl_channel *in, const struct acl_channel *at, const char *group,
		   const struct acl_who *who)
{
	return acl_is_member(in, at, bytes_str(group), who);
}

static void names_with_a_meaning(void **state)
{
	static const struct bytes tokens[] = {GROUP("Sesame"), GROUP("x")};
	struct acl_who nobody = user(ACL_NOBODY, &stage), known = user(3, NULL);

	(void)state;
	nobody.tokens = tokens;
	nobody.token_count = 2;
	nobody.hash = BYTES("abCD12");
	assert_true(member(&hall, &hall, "all", &nobody));
	assert_false(member(&hall, &hall, "none", &nobody));
	assert_true(member(&hall, &hall, "!none", &nobody));
	assert_false(member(&hall, &hall, "auth", &nobody));
	assert_true(member(&hall, &hall, "auth", &known));
	assert_true(member(&hall, &hall, "!auth", &nobody));
	assert_false(member(&hall, &hall, "strong", &nobody));
	assert_true(member(&stage, &root, "in", &nobody));
	assert_false(member(&stage, &root, "~in", &nobody));
	assert_true(member(&stage, &root, "~out", &nobody));
	assert_true(member(&box, &box, "out", &nobody));
	assert_true(member(&hall, &hall, "#sesame", &nobody));
	assert_false(member(&hall, &hall, "#sesam", &nobody));
	assert_true(member(&hall, &hall, "$ABcd12", &nobody));
	assert_false(member(&hall, &hall, "$", &known));
	assert_false(member(&hall, &hall, "", &nobody));
	assert_false(member(&hall, &hall, "!", &nobody));
	assert_false(member(&hall, &hall, "~~~", &nobody));
}

static void being_below(void **state)
{
	struct acl_who who = user(3, &stage), lost = user(3, NULL);

	(void)state;
	assert_true(member(&hall, &hall, "sub", &who));
	assert_true(member(&root, &root, "sub", &who));
	assert_false(member(&stage, &stage, "sub", &who));
	assert_true(member(&stage, &stage, "sub,0,0", &who));
	assert_false(member(&root, &root, "sub,0,1,1", &who));
	assert_true(member(&root, &root, "sub,0,2,2", &who));
	/* seen from where the rule stands */
	assert_true(member(&box, &hall, "~sub,0,1,1", &who));
	assert_true(member(&box, &hall, "~sub,1,0,0", &who));
	assert_false(member(&box, &hall, "~sub,2,0,9", &who));
	assert_false(member(&hall, &hall, "sub,9", &who));
	assert_true(member(&stage, &stage, "sub,-1", &who));
	assert_false(member(&hall, &hall, "sub", &lost));
	assert_true(member(&hall, &hall, "!sub", &lost));
}

static void groups_are_collected_downwards(void **state)
{
	static const int32_t five[] = {5}, six[] = {6}, both[] = {5, 6};
	static const struct acl_group at_root[] = {{GROUP("crew"), true, true, both, NULL, 2, 0}},
				      at_stage[] = {{GROUP("crew"), true, true, NULL, five, 0, 1}},
				      at_box[] = {{GROUP("crew"), false, true, five, NULL, 1, 0}},
				      private[] = {{GROUP("crew"), true, false, six, NULL, 1, 0}};
	struct acl_who who = user(5, &root), other = user(6, &root),
		       nobody = user(ACL_NOBODY, &root);

	(void)state;
	root.groups = at_root;
	stage.groups = at_stage;
	root.group_count = stage.group_count = 1;
	assert_true(member(&hall, &hall, "crew", &who));
	assert_false(member(&stage, &stage, "crew", &who));
	assert_true(member(&stage, &stage, "crew", &other));
	assert_false(member(&box, &box, "crew", &who));
	assert_true(member(&box, &root, "~crew", &who));
	assert_false(member(&hall, &hall, "crew", &nobody));
	box.groups = at_box;
	box.group_count = 1;
	assert_true(member(&box, &box, "crew", &who));
	assert_false(member(&box, &box, "crew", &other));
	/* what is not inheritable ends there */
	box.group_count = 0;
	hall.groups = private;
	hall.group_count = 1;
	assert_true(member(&hall, &hall, "crew", &other));
	assert_false(member(&stage, &stage, "crew", &other));
}

static void too_deep_gives_nothing(void **state)
{
	static struct acl_channel deep[ACL_DEPTH_MAX + 1];
	struct acl_who who = user(5, &deep[0]);

	(void)state;
	for (size_t i = 0; i <= ACL_DEPTH_MAX; i++)
		deep[i] = (struct acl_channel){.parent = i ? &deep[i - 1] : NULL, .inherit = true};
	assert_int_equal(acl_permissions(&deep[ACL_DEPTH_MAX - 1], &who), MAY_AT_FIRST);
	assert_int_equal(acl_permissions(&deep[ACL_DEPTH_MAX], &who), 0);
	assert_false(member(&deep[ACL_DEPTH_MAX], &deep[0], "sub", &who));
}

#define TEST(name) cmocka_unit_test_setup(name, tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everybody_may_talk_at_first),
		TEST(a_later_rule_undoes_an_earlier_one),
		TEST(a_rule_is_for_here_for_below_or_for_both),
		TEST(a_channel_that_does_not_inherit_begins_anew),
		TEST(who_may_not_pass_gets_nowhere_below),
		TEST(to_write_is_to_do_all_but_speaking),
		TEST(names_with_a_meaning),
		TEST(being_below),
		TEST(groups_are_collected_downwards),
		TEST(too_deep_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
