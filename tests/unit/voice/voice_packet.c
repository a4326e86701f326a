#include "voice/proto/voice_packet.h"

#include "core/check.h"
#include "voice.h"
#include "voice/proto/voice_ping.h"

static uint8_t room[VOICE_PACKET_MAX];
static const uint8_t opus[200] = {0xfc, 1, 2, 3};
static const uint8_t position[VOICE_POSITION_SIZE] = {0, 0,    0x80, 0x3f, 0,    0,
						      0, 0x40, 0,    0,    0x40, 0x40};

static struct voice_packet packet_of(size_t len, bool last, bool with_position)
{
	struct voice_packet packet = {.codec = VOICE_OPUS,
				      .target = 3,
				      .frame = 0x1234,
				      .payload = bytes_of(opus, len),
				      .last = last,
				      .has_position = with_position};

	memcpy(packet.position, position, sizeof position);
	return packet;
}

static void what_clients_send_is_as_on_the_wire(void **state)
{
	static const uint8_t legacy[] = {4 << 5 | 3, 0x92, 0x34, 0xa0 | 0, 4, 0xfc, 1, 2, 3};
	static const uint8_t protobuf[] = {0,    0x08, 3, 0x20, 0xb4, 0x24, 0x2a, 4,
					   0xfc, 1,    2, 3,    0x80, 0x01, 1};
	struct voice_packet packet = packet_of(4, true, false);
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	assert_true(voice_packet_write(&packet, VOICE_LEGACY, VOICE_FROM_CLIENT, &w));
	assert_bytes(writer_done(&w), bytes_of(legacy, sizeof legacy));
	w = writer_of(room, sizeof room);
	assert_true(voice_packet_write(&packet, VOICE_PROTOBUF, VOICE_FROM_CLIENT, &w));
	assert_bytes(writer_done(&w), bytes_of(protobuf, sizeof protobuf));
}

static void assert_same(const struct voice_packet *a, const struct voice_packet *b)
{
	assert_int_equal(a->codec, b->codec);
	assert_int_equal(a->target, b->target);
	assert_int_equal(a->session, b->session);
	assert_true(a->frame == b->frame);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->has_position, b->has_position);
	if (a->has_position)
		assert_memory_equal(a->position, b->position, VOICE_POSITION_SIZE);
	assert_bytes(a->payload, b->payload);
}

static void each_packet_comes_back(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 64; n++) {
		enum voice_form form = n & 1 ? VOICE_PROTOBUF : VOICE_LEGACY;
		enum voice_side side = n & 2 ? VOICE_FROM_SERVER : VOICE_FROM_CLIENT;
		struct voice_packet packet = packet_of(1 + n * 3, n & 4, n & 8), back;
		struct writer w = writer_of(room, sizeof room);
		struct bytes held;

		packet.session = side == VOICE_FROM_SERVER ? 70000 : 0;
		packet.frame = n & 16 ? 5 : UINT64_C(0x123456789a);
		packet.target = n & 32 ? 0 : 2;
		assert_true(voice_packet_write(&packet, form, side, &w));
		held = guarded(writer_done(&w));
		assert_true(voice_packet_parse(held, form, side, &back));
		assert_same(&packet, &back);
		/* cut anywhere it is none, or says less */
		for (size_t len = 0; len < held.len; len++) {
			struct bytes cut = guarded(bytes_first(held, len));

			if (voice_packet_parse(cut, form, side, &back))
				assert_true(form == VOICE_PROTOBUF || back.payload.len ||
					    !back.has_position);
			guarded_free(cut);
		}
		guarded_free(held);
	}
}

static void a_speaker_of_one_form_is_heard_in_the_other(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		enum voice_form from = n & 1 ? VOICE_PROTOBUF : VOICE_LEGACY;
		enum voice_form to = n & 2 ? VOICE_PROTOBUF : VOICE_LEGACY;
		struct voice_packet packet = packet_of(100, true, true), said, heard;
		uint8_t other[VOICE_PACKET_MAX];
		struct writer w = writer_of(room, sizeof room),
			      out = writer_of(other, sizeof other);

		assert_true(voice_packet_write(&packet, from, VOICE_FROM_CLIENT, &w));
		assert_true(voice_packet_parse(writer_done(&w), from, VOICE_FROM_CLIENT, &said));
		assert_true(voice_packet_forward(&said, 42, VOICE_LISTENED, true, 0.5f, to, &out));
		assert_true(voice_packet_parse(writer_done(&out), to, VOICE_FROM_SERVER, &heard));
		assert_int_equal(heard.session, 42);
		/* the old form has no word for listening */
		assert_int_equal(heard.target,
				 to == VOICE_PROTOBUF ? VOICE_LISTENED : VOICE_SPOKEN);
		assert_true(heard.last && heard.has_position && heard.frame == 0x1234);
		assert_bytes(heard.payload, bytes_of(opus, 100));
		assert_true(heard.volume == (to == VOICE_PROTOBUF ? 0.5f : 0));
		out = writer_of(other, sizeof other);
		assert_true(voice_packet_forward(&said, 42, VOICE_SPOKEN, false, 0, to, &out));
		assert_true(voice_packet_parse(writer_done(&out), to, VOICE_FROM_SERVER, &heard));
		assert_false(heard.has_position);
	}
}

static void old_codecs_are_for_old_clients(void **state)
{
	static const uint8_t celt[] = {3 << 5, 7, 0x82, 1, 2, 0x03, 4, 5, 6};
	struct voice_packet said, heard;
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	assert_true(voice_packet_parse(bytes_of(celt, sizeof celt), VOICE_LEGACY, VOICE_FROM_CLIENT,
				       &said));
	assert_int_equal(said.codec, VOICE_CELT_BETA);
	assert_true(voice_packet_forward(&said, 9, VOICE_SPOKEN, false, 0, VOICE_LEGACY, &w));
	assert_true(voice_packet_parse(writer_done(&w), VOICE_LEGACY, VOICE_FROM_SERVER, &heard));
	assert_bytes(heard.payload, bytes_of(celt + 2, sizeof celt - 2));
	w = writer_of(room, sizeof room);
	assert_false(voice_packet_forward(&said, 9, VOICE_SPOKEN, false, 0, VOICE_PROTOBUF, &w));
	assert_int_equal(w.len, 0);
}

static void pings_come_back_and_lists_are_answered(void **state)
{
	static const uint8_t question[] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t answer[] = {0, 1, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8,
					 0, 0, 0, 3, 0, 0, 0, 9, 0, 1, 0, 0};
	struct voice_ping ping, back;
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	assert_true(list_ping_parse(bytes_of(question, sizeof question), &ping));
	ping.version = UINT64_C(1) << 48 | UINT64_C(5) << 32;
	ping.has_info = true;
	ping.users = 3;
	ping.max_users = 9;
	ping.bandwidth = 65536;
	list_ping_write(&ping, &w);
	assert_bytes(writer_done(&w), bytes_of(answer, sizeof answer));
	for (size_t n = 0; n < sizeof question; n++)
		assert_false(list_ping_parse(bytes_of(question, n), &ping));
	for (int form = 0; form < 2; form++) {
		w = writer_of(room, sizeof room);
		ping = (struct voice_ping){.form = (enum voice_form)form, .timestamp = 1u << 30};
		voice_ping_write(&ping, &w);
		assert_true(voice_ping_parse(writer_done(&w), ping.form, &back));
		assert_true(back.timestamp == ping.timestamp);
		assert_int_equal(voice_packet_kind(writer_done(&w), ping.form), VOICE_IS_PING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_clients_send_is_as_on_the_wire),
		cmocka_unit_test(each_packet_comes_back),
		cmocka_unit_test(a_speaker_of_one_form_is_heard_in_the_other),
		cmocka_unit_test(old_codecs_are_for_old_clients),
		cmocka_unit_test(pings_come_back_and_lists_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
