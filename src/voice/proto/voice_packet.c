#include "voice/proto/voice_packet.h"

#include "voice/proto/protobuf.h"
#include "voice/proto/varint.h"

#define LEGACY_PING  1u
#define PROTO_AUDIO  0u
#define PROTO_PING   1u
#define LAST_FLAG    0x2000u
#define TARGET_LIMIT 32u /* 5 bits in legacy */

/* Fields of message Audio. */
#define TARGET    1u
#define CONTEXT   2u
#define SESSION   3u
#define FRAME     4u
#define OPUS_DATA 5u
#define POSITION  6u
#define VOLUME    7u
#define LAST      16u

enum voice_kind voice_packet_kind(struct bytes in, enum voice_form form)
{
	uint32_t type;

	if (in.len == 0)
		return VOICE_IS_NOTHING;
	if (form == VOICE_PROTOBUF)
		return in.at[0] == PROTO_AUDIO  ? VOICE_IS_AUDIO
		       : in.at[0] == PROTO_PING ? VOICE_IS_PING
						: VOICE_IS_NOTHING;
	type = in.at[0] >> 5;
	return type == LEGACY_PING  ? VOICE_IS_PING
	       : type <= VOICE_OPUS ? VOICE_IS_AUDIO
				    : VOICE_IS_NOTHING;
}

/* --- legacy ------------------------------------------------------------------------------------ */

/* The frames of a codec before Opus: each behind a byte with its length and whether more come. */
static void parse_frames(struct reader *r, struct voice_packet *packet)
{
	const uint8_t *begin = r->at;
	uint8_t head;

	do {
		head = reader_u8(r);
		if ((head & 0x7f) == 0)
			packet->last = true;
		reader_skip(r, head & 0x7f);
	} while (reader_ok(r) && head & 0x80);
	packet->payload = bytes_of(begin, (size_t)(r->at - begin));
}

static bool parse_legacy(struct bytes in, enum voice_side side, struct voice_packet *packet)
{
	struct reader r = reader_of(in);
	uint8_t head = reader_u8(&r);
	uint64_t session = 0, length;

	packet->codec = (enum voice_codec)(head >> 5);
	packet->target = head & 0x1f;
	if (side == VOICE_FROM_SERVER)
		session = varint_read(&r);
	packet->session = (uint32_t)session;
	packet->frame = varint_read(&r);
	if (packet->codec == VOICE_OPUS) {
		length = varint_read(&r);
		packet->last = length & LAST_FLAG;
		packet->payload = reader_take(&r, length & VOICE_OPUS_MAX);
		if (length > (LAST_FLAG | VOICE_OPUS_MAX))
			return false;
	} else {
		parse_frames(&r, packet);
	}
	packet->has_position = reader_left(&r) == VOICE_POSITION_SIZE;
	if (packet->has_position)
		memcpy(packet->position, reader_take(&r, VOICE_POSITION_SIZE).at,
		       VOICE_POSITION_SIZE);
	return reader_ok(&r) && reader_left(&r) == 0 && session <= UINT32_MAX;
}

static bool write_legacy(const struct voice_packet *packet, enum voice_side side, struct writer *w)
{
	uint32_t target = packet->target;

	/* Mumble before 1.5 knows no listeners as a reason. */
	if (side == VOICE_FROM_SERVER && target == VOICE_LISTENED)
		target = VOICE_SPOKEN;
	if (target >= TARGET_LIMIT)
		return false;
	writer_u8(w, (uint8_t)(packet->codec << 5 | target));
	if (side == VOICE_FROM_SERVER)
		varint_write(w, packet->session);
	varint_write(w, packet->frame);
	if (packet->codec == VOICE_OPUS) {
		if (packet->payload.len > VOICE_OPUS_MAX)
			return false;
		varint_write(w, packet->payload.len | (packet->last ? LAST_FLAG : 0));
	}
	writer_put(w, packet->payload);
	if (packet->has_position)
		writer_put(w, bytes_of(packet->position, VOICE_POSITION_SIZE));
	return true;
}

/* --- protobuf ---------------------------------------------------------------------------------- */

/* Three floats, one a field or all in a run; *have counts their bytes. False: more than three. */
static bool parse_position(const struct protobuf_field *field, struct voice_packet *packet,
			   size_t *have)
{
	struct writer w = writer_of(packet->position, VOICE_POSITION_SIZE);

	w.len = *have;
	if (field->wire == PROTOBUF_FIXED32)
		writer_le(&w, field->value, 4);
	else if (field->wire == PROTOBUF_BYTES)
		writer_put(&w, field->bytes);
	*have = w.len;
	return writer_ok(&w);
}

static void parse_audio_field(const struct protobuf_field *field, enum voice_side side,
			      struct voice_packet *packet)
{
	if (field->wire == PROTOBUF_VARINT) {
		switch (field->number) {
		/* A oneof: the last of the two is meant, and the other is gone. */
		case TARGET:
			packet->target = side == VOICE_FROM_CLIENT ? (uint32_t)field->value : 0;
			break;
		case CONTEXT:
			packet->target = side == VOICE_FROM_SERVER ? (uint32_t)field->value : 0;
			break;
		case SESSION:
			packet->session = side == VOICE_FROM_SERVER ? (uint32_t)field->value : 0;
			break;
		case FRAME: packet->frame = field->value; break;
		case LAST: packet->last = field->value != 0; break;
		default: break;
		}
	} else if (field->wire == PROTOBUF_BYTES && field->number == OPUS_DATA) {
		packet->payload = field->bytes;
	} else if (field->wire == PROTOBUF_FIXED32 && field->number == VOLUME) {
		packet->volume = protobuf_to_float((uint32_t)field->value);
	}
}

static bool parse_protobuf(struct bytes in, enum voice_side side, struct voice_packet *packet)
{
	struct reader r = reader_of(bytes_skip(in, 1));
	struct protobuf_field field;
	size_t position = 0;

	packet->codec = VOICE_OPUS;
	while (protobuf_next(&r, &field)) {
		parse_audio_field(&field, side, packet);
		if (field.number == POSITION && !parse_position(&field, packet, &position))
			return false;
	}
	packet->has_position = position > 0;
	return reader_ok(&r) && packet->payload.len &&
	       (position == 0 || position == VOICE_POSITION_SIZE);
}

static bool write_protobuf(const struct voice_packet *packet, enum voice_side side,
			   struct writer *w)
{
	bool client = side == VOICE_FROM_CLIENT;

	if (packet->codec != VOICE_OPUS || packet->payload.len == 0)
		return false;
	writer_u8(w, PROTO_AUDIO);
	protobuf_put_tag(w, client ? TARGET : CONTEXT, PROTOBUF_VARINT);
	protobuf_put_varint(w, packet->target);
	if (!client) {
		protobuf_put_tag(w, SESSION, PROTOBUF_VARINT);
		protobuf_put_varint(w, packet->session);
	}
	protobuf_put_tag(w, FRAME, PROTOBUF_VARINT);
	protobuf_put_varint(w, packet->frame);
	protobuf_put_tag(w, OPUS_DATA, PROTOBUF_BYTES);
	protobuf_put_varint(w, packet->payload.len);
	writer_put(w, packet->payload);
	if (packet->has_position) {
		protobuf_put_tag(w, POSITION, PROTOBUF_BYTES);
		protobuf_put_varint(w, VOICE_POSITION_SIZE);
		writer_put(w, bytes_of(packet->position, VOICE_POSITION_SIZE));
	}
	if (!client && protobuf_of_float(packet->volume)) {
		protobuf_put_tag(w, VOLUME, PROTOBUF_FIXED32);
		writer_le(w, protobuf_of_float(packet->volume), 4);
	}
	if (packet->last) {
		protobuf_put_tag(w, LAST, PROTOBUF_VARINT);
		writer_u8(w, 1);
	}
	return true;
}

/* --- both -------------------------------------------------------------------------------------- */

bool voice_packet_parse(struct bytes in, enum voice_form form, enum voice_side side,
			struct voice_packet *packet)
{
	*packet = (struct voice_packet){0};
	if (in.len > VOICE_PACKET_MAX || voice_packet_kind(in, form) != VOICE_IS_AUDIO)
		return false;
	return form == VOICE_LEGACY ? parse_legacy(in, side, packet)
				    : parse_protobuf(in, side, packet);
}

bool voice_packet_write(const struct voice_packet *packet, enum voice_form form,
			enum voice_side side, struct writer *w)
{
	struct writer out = *w;

	if (!(form == VOICE_LEGACY ? write_legacy(packet, side, &out)
				   : write_protobuf(packet, side, &out)) ||
	    !writer_ok(&out))
		return false;
	*w = out;
	return true;
}

bool voice_packet_forward(const struct voice_packet *packet, uint32_t session,
			  enum voice_context why, bool with_position, float volume,
			  enum voice_form form, struct writer *w)
{
	struct voice_packet heard = *packet;

	heard.session = session;
	heard.target = why;
	heard.has_position = packet->has_position && with_position;
	heard.volume = volume;
	return voice_packet_write(&heard, form, VOICE_FROM_SERVER, w);
}
