/* Texts that are longer than their places, and what is kept of them: a letter cut in two would be no text
 * any more, and what it belongs to would not be written. */
#include "edge/proto/charset.h"
#include "rooms.h"
#include "voice/voice_part.h"
#include "voice/voice_tree.h"

RUNS_ON(on_control) static struct voice_user *come(void)
{
	struct voice_peer *peer = voice_peer_make(NULL);

	assert_non_null(peer);
	peer->session = 5;
	peer->address.ip[15] = 9;
	assert_true(voice_user_back(peer));
	return peer->user;
}

/* So many bytes, of letters that have two each but the first. */
static struct bytes long_text(uint8_t *room, size_t len)
{
	room[0] = 'x';
	for (size_t i = 1; i < len; i++)
		room[i] = i % 2 ? 0xc3 : 0xa4;
	return bytes_of(room, len);
}

static void a_ban_with_a_long_reason_is_kept(void **state)
{
	uint8_t room[302];
	struct voice_user *user;
	uint8_t ip[16];
	json_t *tree;

	(void)state;
	enter_control();
	for (size_t len = 299; len <= 301; len += 2) {
		voice_hub = (struct voice_hub){.session_next = 1};
		user = come();
		memcpy(ip, user->peer->address.ip, sizeof ip);
		assert_true(voice_ban_user(user, bytes_skip(long_text(room, len), len == 301), 0,
					   VOICE_BAN_NETWORK));
		assert_non_null(voice_is_banned(ip, ""));
		tree = voice_tree_bans();
		assert_true(voice_tree_read_bans(tree));
		json_decref(tree);
		assert_non_null(voice_is_banned(ip, ""));
		voice_hub_fini();
	}
}

static void what_a_client_is_called_stays_text(void **state)
{
	uint8_t body[2 + 101] = {0x12, 101};
	struct voice_user *user;

	(void)state;
	enter_control();
	voice_hub = (struct voice_hub){.session_next = 1};
	user = come();
	for (size_t at = 0; at < 2; at++) {
		(void)long_text(body + 2, 101);
		if (at)
			memmove(body + 2, body + 3, 100);
		body[1] = (uint8_t)(101 - at);
		voice_request(user, MUMBLE_VERSION, bytes_of(body, sizeof body - at));
		assert_true(strlen(user->release) >= sizeof user->release - 2);
		assert_true(charset_is_utf8(bytes_str(user->release)));
	}
	voice_hub_fini();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ban_with_a_long_reason_is_kept),
		cmocka_unit_test(what_a_client_is_called_stays_text),
	};

	return cmocka_run_group_tests(tests, rooms_setup, rooms_teardown);
}
