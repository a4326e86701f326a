/* The HUB of voice when memory is refused, at each request in turn: what was not made is not there, what is
 * there is whole, and nobody is without hearers once there is memory again. */
#include "oom.h"
#include "rooms.h"
#include "voice/voice_tree.h"

#define USERS 3u

/* --- what must hold at any time ---------------------------------------------------------------- */

RUNS_ON(on_control)
static bool listens(const struct voice_channel *channel, const struct voice_user *user)
{
	size_t count = 0;

	for (size_t i = 0; i < channel->listen_count; i++)
		count += channel->listens[i].user == user;
	return count == 1;
}

RUNS_ON(on_control) static void check_channels(void)
{
	size_t count = 0;

	for (size_t i = 0; i < voice_hub.channel_room; i++) {
		const struct voice_channel *channel = voice_hub.channels[i];

		if (!channel)
			continue;
		count++;
		assert_true(channel->id == i && channel->name);
		assert_true(i == 0 ? !channel->parent
				   : voice_channel_is_below(channel, channel->parent));
		assert_true(channel->acl.rule_count == channel->rules.rule_count &&
			    channel->acl.rules == channel->rules.rules);
		for (size_t n = 0; n < channel->link_count; n++)
			assert_true(voice_channel_is_linked(channel->links[n], channel));
	}
	assert_int_equal(count, voice_hub.channel_count);
}

RUNS_ON(on_control) static void check_users(void)
{
	for (const struct voice_user *user = voice_hub.users; user; user = user->next) {
		size_t heard = 0;

		for (const struct voice_user *other = user->channel ? user->channel->users : NULL;
		     other; other = other->next_here)
			heard += other == user;
		assert_int_equal(heard, user->channel ? 1 : 0);
		for (size_t i = 0; i < user->listen_count; i++)
			assert_true(listens(user->listens[i], user));
	}
	for (size_t i = 1; i < voice_hub.registration_count; i++)
		assert_true(voice_hub.registrations[i - 1]->id < voice_hub.registrations[i]->id);
}

/* --- what is done ---------------------------------------------------------------------------------- */

RUNS_ON(on_control) static struct voice_user *come(uint32_t session, struct voice_channel *channel)
{
	struct voice_peer *peer = voice_peer_make(NULL);

	if (!peer)
		return NULL;
	peer->session = session;
	if (!voice_user_back(peer)) {
		voice_peer_free(peer);
		return NULL;
	}
	voice_user_admitted(peer->user, channel);
	return peer->user;
}

RUNS_ON(on_control) static void rules(struct voice_channel *channel)
{
	struct acl_rule rule = {
		true, true, ACL_NOBODY, BYTES("#a word"), MAY_ENTER, MAY_TRAVERSE * 0};
	struct acl_rule his = {.here = true, .user = 2, .grant = MAY_WRITE};

	(void)voice_rules_add(channel, &rule);
	(void)voice_rules_add(channel, &his);
	voice_rules_forget(channel, 2);
}

RUNS_ON(on_control) static void read_back(const struct voice_channel *channel)
{
	json_t *tree = voice_tree_channel(channel);

	if (tree) {
		voice_tree_read_channel(40, tree);
		voice_tree_place_channel(40, tree);
	}
	json_decref(tree);
}

RUNS_ON(on_control) static void fill(struct voice_user *users[USERS])
{
	static const struct bytes tokens[] = {{(const uint8_t *)"a word", 6}, {NULL, 0}};
	struct voice_channel *root = voice_channel_make(NULL, VOICE_ROOT, "root"), *hall, *inner;
	struct voice_ban ban = {.has_network = true, .network = {.bits = 128}};
	struct voice_registration *row;

	if (!root || !voice_rules_at_first(root))
		return;
	hall = voice_channel_add(root, BYTES("hall"));
	inner = hall ? voice_channel_add(hall, BYTES("inner")) : NULL;
	if (!inner)
		return;
	(void)voice_channel_link(hall, root);
	(void)voice_blob_set(&hall->description, BYTES("of old"));
	rules(hall);
	for (unsigned i = 0; i < USERS; i++)
		users[i] = come(5 + 70 * i, i == 2 ? inner : hall);
	if (users[2]) {
		(void)voice_listen_add(users[2], root);
		(void)voice_tokens_set(users[2], tokens, 2);
		(void)voice_aims_room(users[2]->peer);
	}
	(void)voice_crowds_make();
	if (users[0])
		voice_user_enter(users[0], inner);
	row = voice_register("one", "00", 0);
	(void)voice_register("nine", "09", 9);
	if (row)
		voice_unregister(row->id);
	(void)!voice_ban_add(&ban);
	(void)voice_crowds_make();
	read_back(hall);
}

RUNS_ON(on_control) static void everybody_is_heard(void)
{
	for (const struct voice_user *user = voice_hub.users; user; user = user->next) {
		const struct voice_stage *stage = atomic_load(&user->peer->stage);
		const struct voice_crowd *crowd;
		size_t found = 0;

		assert_non_null(stage);
		crowd = atomic_load(&stage->crowd);
		for (size_t i = 0; i < crowd->count; i++)
			found += crowd->hearers[i].peer == user->peer;
		assert_int_equal(found, 1);
	}
}

static void memory_is_refused_at_each_request(void **state)
{
	unsigned refused = 0;

	(void)state;
	enter_control();
	for (unsigned n = 0;; n++) {
		struct voice_user *users[USERS] = {NULL};
		bool was;

		voice_hub = (struct voice_hub){.session_next = 1};
		oom_arm(n);
		fill(users);
		was = oom_disarm();
		refused += was;
		check_channels();
		check_users();
		/* Now there is some again. */
		assert_true(voice_crowds_make());
		everybody_is_heard();
		voice_hub_fini();
		if (!was) {
			assert_true(users[0] && users[1] && users[2]);
			break;
		}
		assert_true(n < 1000);
	}
	assert_true(refused > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_refused_at_each_request)};

	return cmocka_run_group_tests(tests, rooms_setup, rooms_teardown);
}
