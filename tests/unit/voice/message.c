#include "voice/proto/message.h"

#include "voice.h"
#include "voice/proto/frame.h"

static uint8_t room_at[1u << 16];

static enum message_status decode(uint32_t type, struct bytes body, struct mumble_message *message)
{
	struct message_room room = message_room_of(room_at, sizeof room_at);

	return message_decode(type, body, &room, message);
}

static void test_a_user_state_there_and_back(void **state)
{
	static const uint32_t add[] = {3, 70000};
	static const struct bytes tokens[] = {{(const uint8_t *)"one", 3},
					      {(const uint8_t *)"", 0}};
	static const struct mumble_volume_adjustment volumes[] = {
		{3, 3, 0.5f}, /* both fields are there */
	};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	struct mumble_message message, again;
	struct mumble_user_state *user = &message.user_state;

	(void)state;
	message_init(&message, MUMBLE_USER_STATE);
	MUMBLE_SET(user, user_state, session, 300);
	MUMBLE_SET(user, user_state, name, BYTES("J\xc3\xb6rg"));
	MUMBLE_SET(user, user_state, mute, false);
	user->listening_channel_add.at = add;
	user->listening_channel_add.count = 2;
	user->temporary_access_tokens.at = tokens;
	user->temporary_access_tokens.count = 2;
	user->listening_volume_adjustment.at = volumes;
	user->listening_volume_adjustment.count = 1;
	message_encode(&message, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(w.len, message_len(&message));
	/* by hand: numbers 1, 3, 6, 20, 20, 21, 21, 23 */
	assert_bytes(writer_done(&w),
		     BYTES("\x08\xac\x02\x1a\x05J\xc3\xb6rg\x30\x00\xa2\x01\x03one\xa2\x01\x00\xa8"
			   "\x01\x03"
			   "\xa8\x01\xf0\xa2\x04\xba\x01\x07\x08\x03\x15\x00\x00\x00\x3f"));

	struct bytes body = guarded(writer_done(&w));

	assert_int_equal(decode(MUMBLE_USER_STATE, body, &again), MESSAGE_OK);
	user = &again.user_state;
	assert_int_equal(user->has, MUMBLE_HAS(user_state, session) | MUMBLE_HAS(user_state, name) |
					    MUMBLE_HAS(user_state, mute));
	assert_int_equal(user->session, 300);
	assert_bytes(user->name, BYTES("J\xc3\xb6rg"));
	assert_int_equal(user->listening_channel_add.count, 2);
	assert_int_equal(user->listening_channel_add.at[1], 70000);
	assert_int_equal(user->temporary_access_tokens.count, 2);
	assert_bytes(user->temporary_access_tokens.at[0], BYTES("one"));
	assert_int_equal(user->listening_volume_adjustment.count, 1);
	assert_int_equal(user->listening_volume_adjustment.at[0].listening_channel, 3);
	assert_true(user->listening_volume_adjustment.at[0].volume_adjustment == 0.5f);
	guarded_free(body);
}

static void test_defaults(void **state)
{
	struct mumble_message message;

	(void)state;
	assert_int_equal(decode(MUMBLE_ACL, BYTES("\x08\x00\x1a\x03\x0a\x01g\x22\x00"), &message),
			 MESSAGE_OK);
	assert_true(message.acl.inherit_acls);
	assert_false(message.acl.query);
	assert_int_equal(message.acl.has, MUMBLE_HAS(acl, channel_id));
	assert_int_equal(message.acl.groups.count, 1);
	assert_true(message.acl.groups.at[0].inherit && message.acl.groups.at[0].inheritable);
	assert_int_equal(message.acl.acls.count, 1);
	assert_true(message.acl.acls.at[0].apply_here && message.acl.acls.at[0].apply_subs);
	message_init(&message, MUMBLE_CODEC_VERSION);
	assert_true(message.codec_version.prefer_alpha);
}

static void test_what_is_refused(void **state)
{
	static char long_text[1025 + 3] = "\x0a\x81\x08"; /* username, 1,025 bytes */
	static char many[2 * 33];                         /* celt_versions, 33 times */
	const struct {
		uint32_t type;
		struct bytes body;
		enum message_status status;
	} cases[] = {
		{MUMBLE_UDP_TUNNEL, BYTES(""), MESSAGE_UNKNOWN},
		{27, BYTES(""), MESSAGE_UNKNOWN},
		{UINT32_MAX, BYTES(""), MESSAGE_UNKNOWN},
		{MUMBLE_VERSION, BYTES("\x08"), MESSAGE_BAD},
		{MUMBLE_VERSION, BYTES("\x12\x01\xff"), MESSAGE_BAD_TEXT},
		{MUMBLE_VERSION, BYTES("\x12\x03\xed\xa0\x80"), MESSAGE_BAD_TEXT}, /* a surrogate */
		{MUMBLE_CHANNEL_REMOVE, BYTES(""), MESSAGE_MISSING},
		{MUMBLE_CHANNEL_REMOVE, BYTES("\x0a\x01x"),
		 MESSAGE_MISSING}, /* a foreign wire type */
		{MUMBLE_BAN_LIST, BYTES("\x0a\x02\x10\x20"), MESSAGE_MISSING},
		{MUMBLE_CRYPT_SETUP,
		 BYTES("\x0a\x11"
		       "0123456789abcdefg"),
		 MESSAGE_TOO_LONG},
		{MUMBLE_AUTHENTICATE, bytes_of(long_text, sizeof long_text), MESSAGE_TOO_LONG},
		{MUMBLE_AUTHENTICATE, bytes_of(many, sizeof many), MESSAGE_TOO_MANY},
		{MUMBLE_AUTHENTICATE, bytes_of(many, sizeof many - 2), MESSAGE_OK},
		{MUMBLE_AUTHENTICATE, BYTES("\x22\x03\x01\x02\x80"),
		 MESSAGE_BAD}, /* half of a run */
		{MUMBLE_USER_STATS, BYTES("\xa2\x01\x04\x12\x02\x08\x80"), MESSAGE_BAD},
	};

	(void)state;
	memset(long_text + 3, 'x', sizeof long_text - 3);
	for (size_t i = 0; i < sizeof many; i += 2) {
		many[i] = 0x20;
		many[i + 1] = 1;
	}
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mumble_message message;
		struct bytes body = guarded(cases[i].body);

		if (decode(cases[i].type, body, &message) != cases[i].status)
			fail_msg("case %zu is not %d", i, (int)cases[i].status);
		guarded_free(body);
	}
}

static void test_the_room_is_the_bound(void **state)
{
	/* three numbers: 12 bytes of room */
	struct bytes body = BYTES("\x0a\x03\x01\x02\x03");
	struct mumble_message message;

	(void)state;
	for (size_t size = 0; size <= 12; size++) {
		struct message_room room = message_room_of(room_at, size);

		assert_int_equal(message_decode(MUMBLE_REQUEST_BLOB, body, &room, &message),
				 size < 12 ? MESSAGE_TOO_MANY : MESSAGE_OK);
		assert_true(room.used <= size);
	}
	assert_int_equal(message.request_blob.session_texture.at[2], 3);
}

static void test_a_part_that_comes_twice_is_put_together(void **state)
{
	struct mumble_message message;

	(void)state;
	/* from_client { good 1, late 2 }, from_client { late 3 } */
	assert_int_equal(decode(MUMBLE_USER_STATS,
				BYTES("\x22\x04\x08\x01\x10\x02\x22\x02\x10\x03"), &message),
			 MESSAGE_OK);
	assert_int_equal(message.user_stats.from_client.good, 1);
	assert_int_equal(message.user_stats.from_client.late, 3);
}

static void test_versions(void **state)
{
	struct mumble_version version = {0};

	(void)state;
	assert_int_equal(mumble_version_v1(1, 2, 4), 0x010204);
	assert_int_equal(mumble_version_v1(1, 5, 735), 0x0105ff);
	assert_int_equal(mumble_version_v2(1, 5, 735), UINT64_C(0x0001000502df0000));
	assert_int_equal(mumble_version_of(&version), 0);
	MUMBLE_SET(&version, version, version_v1, 0x010304);
	assert_int_equal(mumble_version_of(&version), mumble_version_v2(1, 3, 4));
	MUMBLE_SET(&version, version, version_v2, mumble_version_v2(1, 5, 735));
	assert_int_equal(mumble_version_of(&version), mumble_version_v2(1, 5, 735));
}

static void test_frames_cut_at_every_byte(void **state)
{
	struct bytes whole =
		guarded(BYTES("\x00\x05\x00\x00\x00\x02\x08\x01\x00\x01\x00\x00\x00\x00"));
	struct frame frame;
	size_t used;

	(void)state;
	for (size_t cut = 0; cut < 8; cut++) {
		assert_int_equal(frame_parse(bytes_first(whole, cut), 100, &frame, &used),
				 FRAME_MORE);
		assert_int_equal(used, 0);
		assert_int_equal(frame_len(bytes_first(whole, cut)), cut < FRAME_HEAD ? 0 : 8);
	}
	assert_int_equal(frame_parse(whole, 100, &frame, &used), FRAME_WHOLE);
	assert_int_equal(used, 8);
	assert_int_equal(frame.type, MUMBLE_SERVER_SYNC);
	assert_bytes(frame.body, BYTES("\x08\x01"));
	assert_int_equal(frame_parse(bytes_skip(whole, 8), 100, &frame, &used), FRAME_WHOLE);
	assert_int_equal(frame.type, MUMBLE_UDP_TUNNEL);
	assert_int_equal(frame.body.len, 0);
	guarded_free(whole);
}

static void test_frames_too_long_are_known_by_their_head(void **state)
{
	static const struct {
		struct bytes head;
		enum frame_status status;
	} cases[] = {
		{{(const uint8_t *)"\x00\x01\x00\x00\x03\xfc", 6}, FRAME_MORE},     /* 1,020 */
		{{(const uint8_t *)"\x00\x01\x00\x00\x03\xfd", 6}, FRAME_TOO_LONG}, /* 1,021 */
		{{(const uint8_t *)"\x00\x09\x00\x01\x00\x00", 6}, FRAME_MORE},
		{{(const uint8_t *)"\x00\x09\x00\x02\x00\x01", 6},
		 FRAME_TOO_LONG}, /* for this peer */
		{{(const uint8_t *)"\x7f\xff\x00\x01\x00\x00", 6}, FRAME_MORE},
		{{(const uint8_t *)"\x7f\xff\x00\x01\x00\x01", 6}, FRAME_TOO_LONG},
		{{(const uint8_t *)"\x00\x09\xff\xff\xff\xff", 6}, FRAME_TOO_LONG},
		{{(const uint8_t *)"GET / ", 6}, FRAME_TOO_LONG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct frame frame;
		size_t used;

		assert_int_equal(frame_parse(cases[i].head, 131072, &frame, &used),
				 cases[i].status);
	}
}

static void test_a_message_in_its_frame(void **state)
{
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);
	struct mumble_message message;

	(void)state;
	message_init(&message, MUMBLE_REJECT);
	MUMBLE_SET(&message.reject, reject, type, REJECT_SERVER_FULL);
	MUMBLE_SET(&message.reject, reject, reason, BYTES("full"));
	frame_write_message(&message, &w);
	assert_bytes(writer_done(&w), BYTES("\x00\x04\x00\x00\x00\x08\x08\x06\x12\x04"
					    "full"));
	w = writer_of(buf, sizeof buf);
	frame_write(MUMBLE_UDP_TUNNEL, BYTES("abc"), &w);
	assert_bytes(writer_done(&w), BYTES("\x00\x01\x00\x00\x00\x03"
					    "abc"));
	for (size_t size = 0; size < 14; size++) {
		w = writer_of(buf, size);
		frame_write_message(&message, &w);
		assert_false(writer_ok(&w));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_user_state_there_and_back),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_the_room_is_the_bound),
		cmocka_unit_test(test_a_part_that_comes_twice_is_put_together),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_frames_cut_at_every_byte),
		cmocka_unit_test(test_frames_too_long_are_known_by_their_head),
		cmocka_unit_test(test_a_message_in_its_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
