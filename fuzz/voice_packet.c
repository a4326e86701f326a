/* Datagrams of voice, decrypted: what is read lies inside what came, and says the same when it is written
 * and read again, in either form. The first byte chooses form and side. */
#include "voice/proto/voice_packet.h"
#include "property.h"
#include "voice/proto/voice_ping.h"

static bool same(const struct voice_packet *a, const struct voice_packet *b)
{
	return a->codec == b->codec && a->session == b->session && a->frame == b->frame &&
	       a->last == b->last && a->has_position == b->has_position &&
	       bytes_equal(a->payload, b->payload) &&
	       (!a->has_position || memcmp(a->position, b->position, VOICE_POSITION_SIZE) == 0);
}

static void voice(struct bytes in, enum voice_form form, enum voice_side side)
{
	struct voice_packet packet, again;
	uint8_t room[2 * VOICE_PACKET_MAX];
	struct writer w = writer_of(room, VOICE_PACKET_MAX);

	if (!voice_packet_parse(in, form, side, &packet))
		return;
	PROPERTY(part_inside(packet.payload, in));
	if (voice_packet_write(&packet, form, side, &w)) {
		PROPERTY(voice_packet_parse(writer_done(&w), form, side, &again));
		PROPERTY(same(&packet, &again));
	}
	for (int to = 0; to < 2; to++) {
		w = writer_of(room, VOICE_PACKET_MAX);
		if (!voice_packet_forward(&packet, 77, VOICE_SHOUTED, true, 0, (enum voice_form)to,
					  &w)) {
			PROPERTY(w.len == 0);
			continue;
		}
		PROPERTY(voice_packet_parse(writer_done(&w), (enum voice_form)to, VOICE_FROM_SERVER,
					    &again));
		PROPERTY(again.session == 77 && again.target == VOICE_SHOUTED);
		PROPERTY(bytes_equal(again.payload, packet.payload));
	}
}

static void ping(struct bytes in, enum voice_form form)
{
	struct voice_ping ping, again;
	uint8_t room[VOICE_PING_MAX];
	struct writer w = writer_of(room, sizeof room);

	if (voice_ping_parse(in, form, &ping)) {
		voice_ping_write(&ping, &w);
		PROPERTY(writer_ok(&w) && voice_ping_parse(writer_done(&w), form, &again));
		PROPERTY(again.timestamp == ping.timestamp);
	}
	if (list_ping_parse(in, &ping)) {
		w = writer_of(room, sizeof room);
		ping.has_info = true;
		ping.version = UINT64_MAX;
		ping.users = ping.max_users = ping.bandwidth = UINT32_MAX;
		list_ping_write(&ping, &w);
		PROPERTY(writer_ok(&w));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_skip(bytes_of(data, size), 1);

	if (size == 0)
		return 0;
	voice(in, data[0] & 1 ? VOICE_PROTOBUF : VOICE_LEGACY,
	      data[0] & 2 ? VOICE_FROM_SERVER : VOICE_FROM_CLIENT);
	ping(in, data[0] & 1 ? VOICE_PROTOBUF : VOICE_LEGACY);
	return 0;
}
