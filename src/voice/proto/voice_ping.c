#include "voice/proto/voice_ping.h"

#include "voice/proto/protobuf.h"
#include "voice/proto/varint.h"

#define LEGACY_HEAD 0x20u
#define PROTO_HEAD  1u

/* Fields of message Ping. */
#define TIMESTAMP  1u
#define WANTS_INFO 2u
#define VERSION    3u
#define USERS      4u
#define MAX_USERS  5u
#define BANDWIDTH  6u

/* *strange counts fields that are none of the six. */
static bool parse_protobuf(struct bytes in, struct voice_ping *ping, size_t *strange)
{
	struct reader r = reader_of(in);
	struct protobuf_field field;

	while (protobuf_next(&r, &field)) {
		if (field.wire != PROTOBUF_VARINT) {
			++*strange;
			continue;
		}
		switch (field.number) {
		case TIMESTAMP: ping->timestamp = field.value; break;
		case WANTS_INFO: ping->wants_info = field.value != 0; break;
		case VERSION: ping->version = field.value; break;
		case USERS: ping->users = (uint32_t)field.value; break;
		case MAX_USERS: ping->max_users = (uint32_t)field.value; break;
		case BANDWIDTH: ping->bandwidth = (uint32_t)field.value; break;
		default: ++*strange; break;
		}
	}
	ping->has_info = ping->version != 0; /* no server has version 0 */
	return reader_ok(&r);
}

static void put(struct writer *w, uint32_t number, uint64_t value)
{
	if (value == 0) /* proto3 leaves it out */
		return;
	protobuf_put_tag(w, number, PROTOBUF_VARINT);
	protobuf_put_varint(w, value);
}

static void write_protobuf(const struct voice_ping *ping, struct writer *w)
{
	writer_u8(w, PROTO_HEAD);
	put(w, TIMESTAMP, ping->timestamp);
	put(w, WANTS_INFO, ping->wants_info);
	if (!ping->has_info)
		return;
	put(w, VERSION, ping->version);
	put(w, USERS, ping->users);
	put(w, MAX_USERS, ping->max_users);
	put(w, BANDWIDTH, ping->bandwidth);
}

bool voice_ping_parse(struct bytes in, enum voice_form form, struct voice_ping *ping)
{
	struct reader r = reader_of(bytes_skip(in, 1));
	size_t strange = 0;

	*ping = (struct voice_ping){.form = form};
	if (voice_packet_kind(in, form) != VOICE_IS_PING)
		return false;
	if (form == VOICE_PROTOBUF)
		return parse_protobuf(bytes_skip(in, 1), ping, &strange);
	ping->timestamp = varint_read(&r);
	return reader_ok(&r) && reader_left(&r) == 0;
}

void voice_ping_write(const struct voice_ping *ping, struct writer *w)
{
	if (ping->form == VOICE_PROTOBUF) {
		write_protobuf(ping, w);
		return;
	}
	writer_u8(w, LEGACY_HEAD);
	varint_write(w, ping->timestamp);
}

bool list_ping_parse(struct bytes in, struct voice_ping *ping)
{
	struct reader r = reader_of(in);
	size_t strange = 0;

	*ping = (struct voice_ping){.form = VOICE_LEGACY, .wants_info = true};
	if (in.len == 12 && reader_be32(&r) == 0) {
		ping->timestamp = reader_be64(&r);
		return true;
	}
	*ping = (struct voice_ping){.form = VOICE_PROTOBUF};
	return in.len && in.at[0] == PROTO_HEAD &&
	       parse_protobuf(bytes_skip(in, 1), ping, &strange) && ping->wants_info &&
	       strange == 0 && !ping->has_info && ping->users == 0 && ping->max_users == 0 &&
	       ping->bandwidth == 0;
}

void list_ping_write(const struct voice_ping *ping, struct writer *w)
{
	uint64_t version = ping->version;
	uint64_t patch = version >> 16 & 0xffff;

	if (ping->form == VOICE_PROTOBUF) {
		write_protobuf(ping, w);
		return;
	}
	writer_be(w, version >> 48, 2);
	writer_u8(w, (uint8_t)(version >> 32));
	writer_u8(w, (uint8_t)(patch < 255 ? patch : 255));
	writer_be(w, ping->timestamp, 8);
	writer_be(w, ping->users, 4);
	writer_be(w, ping->max_users, 4);
	writer_be(w, ping->bandwidth, 4);
}
