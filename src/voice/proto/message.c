#include "voice/proto/message.h"

#include "edge/proto/charset.h"
#include "voice/proto/protobuf.h"

enum kind { U32, U64, I32, BOOL, YES, FLOAT, TEXT, BYTES_, PART_ };

enum how { ONCE, REQUIRED, REPEATED };

struct shape;

struct rule {
	uint8_t number;
	uint8_t kind;           /* enum kind */
	uint8_t how;            /* enum how */
	uint32_t most;          /* REPEATED */
	uint32_t longest;       /* TEXT, BYTES_ */
	size_t off;             /* in the struct */
	const struct shape *of; /* PART_ */
};

struct shape {
	const struct rule *rules;
	uint32_t count;
	size_t size;
};

/* What every array field is (MUMBLE_MANY), whatever it points at. */
struct array {
	const void *at;
	size_t count;
};

#define KIND_U32          U32
#define KIND_U64          U64
#define KIND_I32          I32
#define KIND_BOOL         BOOL
#define KIND_YES          YES
#define KIND_FLOAT        FLOAT
#define KIND_TEXT         TEXT
#define KIND_BYTES        BYTES_
#define AT(message, name) offsetof(struct mumble_##message, name)

#define MESSAGE(message) static const struct rule rules_##message[] = {
#define ONE(message, number, kind, name, longest) \
	{number, KIND_##kind, ONCE, 1, longest, AT(message, name), NULL},
#define MUST(message, number, kind, name, longest) \
	{number, KIND_##kind, REQUIRED, 1, longest, AT(message, name), NULL},
#define MANY(message, number, kind, name, most, longest) \
	{number, KIND_##kind, REPEATED, most, longest, AT(message, name), NULL},
#define PART(message, number, of, name) {number, PART_, ONCE, 1, 0, AT(message, name), &shape_##of},
#define PARTS(message, number, of, name, most) \
	{number, PART_, REPEATED, most, 0, AT(message, name), &shape_##of},
#define END(message)                                                                          \
	}                                                                                     \
	;                                                                                     \
	static const struct shape shape_##message = {rules_##message, MUMBLE_COUNT_##message, \
						     sizeof(struct mumble_##message)};
#include "voice/proto/message.def"

#define RULES_MAX 24u

#define MESSAGE(message)
#define ONE(message, number, kind, name, longest)
#define MUST(message, number, kind, name, longest)
#define MANY(message, number, kind, name, most, longest)
#define PART(message, number, of, name)
#define PARTS(message, number, of, name, most)
#define END(message)                                                                \
	_Static_assert(MUMBLE_COUNT_##message <= RULES_MAX, "has is 32 bits wide"); \
	_Static_assert(offsetof(struct mumble_##message, has) == 0, "has comes first");
#include "voice/proto/message.def"

struct control {
	const struct shape *shape; /* NULL: not ours */
	const char *name;
	uint32_t longest;
};

static const struct control controls[MESSAGE_TYPES] = {
#define CONTROL(number, NAME, name, longest) [number] = {&shape_##name, #name, longest},
#include "voice/proto/control.def"
	/* 1,024 bytes of a datagram less its crypt header. */
	[MUMBLE_UDP_TUNNEL] = {NULL, "udp_tunnel", 1020},
};

static const struct shape *shape_of(uint32_t type)
{
	return type < MESSAGE_TYPES ? controls[type].shape : NULL;
}

size_t message_longest(uint32_t type)
{
	return type < MESSAGE_TYPES ? controls[type].longest : 0;
}

const char *message_name(uint32_t type)
{
	return type < MESSAGE_TYPES ? controls[type].name : NULL;
}

uint64_t mumble_version_of(const struct mumble_version *version)
{
	uint32_t v1 = version->version_v1;

	if (version->has & MUMBLE_HAS(version, version_v2))
		return version->version_v2;
	return mumble_version_v2(v1 >> 16, v1 >> 8 & 0xff, v1 & 0xff);
}

/* --- decoding ---------------------------------------------------------------------------------- */

static void init_struct(const struct shape *shape, void *to)
{
	memset(to, 0, shape->size);
	for (uint32_t i = 0; i < shape->count; i++)
		if (shape->rules[i].kind == YES)
			*(bool *)((uint8_t *)to + shape->rules[i].off) = true;
}

static const struct rule *rule_of(const struct shape *shape, uint32_t number, uint32_t *index)
{
	for (uint32_t i = 0; i < shape->count; i++) {
		if (shape->rules[i].number == number) {
			*index = i;
			return &shape->rules[i];
		}
	}
	return NULL;
}

static enum protobuf_wire wire_of(uint8_t kind)
{
	switch ((enum kind)kind) {
	case FLOAT: return PROTOBUF_FIXED32;
	case TEXT:
	case BYTES_:
	case PART_: return PROTOBUF_BYTES;
	case U32:
	case U64:
	case I32:
	case BOOL:
	case YES: break;
	}
	return PROTOBUF_VARINT;
}

static size_t size_of(const struct rule *rule)
{
	switch ((enum kind)rule->kind) {
	case U32:
	case I32: return sizeof(uint32_t);
	case U64: return sizeof(uint64_t);
	case FLOAT: return sizeof(float);
	case TEXT:
	case BYTES_: return sizeof(struct bytes);
	case PART_: return rule->of->size;
	case BOOL:
	case YES: break;
	}
	return sizeof(bool);
}

/* Whether the field is one of a run of numbers in one length (the "packed" form, which a parser
 * takes for every repeated number, whatever the schema says). */
static bool is_packed(const struct rule *rule, const struct protobuf_field *field)
{
	return rule->how == REPEATED && field->wire == PROTOBUF_BYTES &&
	       wire_of(rule->kind) != PROTOBUF_BYTES;
}

/* The next number of a packed run. */
static bool next_packed(const struct rule *rule, struct reader *run, struct protobuf_field *one)
{
	if (!reader_ok(run) || reader_left(run) == 0)
		return false;
	one->wire = wire_of(rule->kind);
	one->value = one->wire == PROTOBUF_FIXED32 ? reader_le32(run) : protobuf_varint(run);
	return reader_ok(run);
}

/* How many elements each repeated field has. */
static enum message_status count_fields(const struct shape *shape, struct bytes in,
					uint32_t counts[RULES_MAX])
{
	struct reader r = reader_of(in);
	struct protobuf_field field, one;

	memset(counts, 0, RULES_MAX * sizeof counts[0]);
	while (protobuf_next(&r, &field)) {
		uint32_t index;
		const struct rule *rule = rule_of(shape, field.number, &index);

		if (!rule || rule->how != REPEATED)
			continue;
		if (is_packed(rule, &field)) {
			struct reader run = reader_of(field.bytes);

			while (next_packed(rule, &run, &one))
				if (counts[index]++ == rule->most)
					return MESSAGE_TOO_MANY;
			if (!reader_ok(&run))
				return MESSAGE_BAD;
		} else if (field.wire == wire_of(rule->kind) && counts[index]++ == rule->most) {
			return MESSAGE_TOO_MANY;
		}
	}
	return reader_ok(&r) ? MESSAGE_OK : MESSAGE_BAD;
}

/* Takes the arrays out of the room and leaves them empty. */
static enum message_status make_arrays(const struct shape *shape, const uint32_t counts[RULES_MAX],
				       struct message_room *room, void *to, void *arrays[RULES_MAX])
{
	for (uint32_t i = 0; i < shape->count; i++) {
		const struct rule *rule = &shape->rules[i];
		size_t size = size_of(rule), lead = -((uintptr_t)room->at + room->used) & 7;
		struct array array = {NULL, 0};

		arrays[i] = NULL;
		if (rule->how != REPEATED)
			continue;
		if (counts[i]) {
			if (lead > room->size - room->used ||
			    counts[i] > (room->size - room->used - lead) / size)
				return MESSAGE_TOO_MANY;
			room->used += lead;
			arrays[i] = room->at + room->used;
			array.at = arrays[i];
			room->used += counts[i] * size;
		}
		memcpy((uint8_t *)to + rule->off, &array, sizeof array);
	}
	return MESSAGE_OK;
}

static enum message_status decode_struct(const struct shape *shape, struct bytes in,
					 struct message_room *room, void *to);

/* One value; its wire type is the kind's. */
static enum message_status decode_value(const struct rule *rule, const struct protobuf_field *field,
					struct message_room *room, void *to)
{
	switch ((enum kind)rule->kind) {
	case U32: *(uint32_t *)to = (uint32_t)field->value; break;
	case I32: *(int32_t *)to = (int32_t)(uint32_t)field->value; break;
	case U64: *(uint64_t *)to = field->value; break;
	case BOOL:
	case YES: *(bool *)to = field->value != 0; break;
	case FLOAT: *(float *)to = protobuf_to_float((uint32_t)field->value); break;
	case TEXT:
		if (!charset_is_utf8(field->bytes))
			return MESSAGE_BAD_TEXT;
		*(struct bytes *)to = field->bytes;
		return field->bytes.len > rule->longest ? MESSAGE_TOO_LONG : MESSAGE_OK;
	case BYTES_:
		*(struct bytes *)to = field->bytes;
		return field->bytes.len > rule->longest ? MESSAGE_TOO_LONG : MESSAGE_OK;
	case PART_: return decode_struct(rule->of, field->bytes, room, to);
	}
	return MESSAGE_OK;
}

/* One more element behind those that the array has. */
static enum message_status append(const struct rule *rule, const struct protobuf_field *field,
				  struct message_room *room, void *to, void *elements)
{
	struct array array;
	void *element;

	memcpy(&array, (uint8_t *)to + rule->off, sizeof array);
	element = (uint8_t *)elements + array.count * size_of(rule);
	array.count++;
	memcpy((uint8_t *)to + rule->off, &array, sizeof array);
	if (rule->kind == PART_)
		init_struct(rule->of, element);
	return decode_value(rule, field, room, element);
}

static enum message_status
append_packed(const struct rule *rule, const struct protobuf_field *field, void *to, void *elements)
{
	struct reader run = reader_of(field->bytes);
	struct protobuf_field one;

	while (next_packed(rule, &run, &one))
		(void)append(rule, &one, NULL, to, elements);
	return MESSAGE_OK; /* count_fields() has read it to its end */
}

/* Adds to what *to has: a PART that comes twice is the two put together, as protobuf wants it. */
static enum message_status decode_struct(const struct shape *shape, struct bytes in,
					 struct message_room *room, void *to)
{
	uint32_t counts[RULES_MAX], has, index;
	void *arrays[RULES_MAX];
	struct reader r = reader_of(in);
	struct protobuf_field field;
	enum message_status status = count_fields(shape, in, counts);

	if (status == MESSAGE_OK)
		status = make_arrays(shape, counts, room, to, arrays);
	memcpy(&has, to, sizeof has);
	while (status == MESSAGE_OK && protobuf_next(&r, &field)) {
		const struct rule *rule = rule_of(shape, field.number, &index);

		if (!rule)
			continue;
		if (is_packed(rule, &field)) {
			status = append_packed(rule, &field, to, arrays[index]);
		} else if (field.wire == wire_of(rule->kind) && rule->how == REPEATED) {
			status = append(rule, &field, room, to, arrays[index]);
		} else if (field.wire == wire_of(rule->kind)) {
			if (rule->kind == PART_ && !(has & 1u << index))
				init_struct(rule->of, (uint8_t *)to + rule->off);
			has |= 1u << index;
			status = decode_value(rule, &field, room, (uint8_t *)to + rule->off);
		}
	}
	memcpy(to, &has, sizeof has);
	for (uint32_t i = 0; i < shape->count && status == MESSAGE_OK; i++)
		if (shape->rules[i].how == REQUIRED && !(has & 1u << i))
			status = MESSAGE_MISSING;
	return status;
}

/* The union's members all begin where it does. */
static void *body_of(struct mumble_message *message)
{
	return &message->version;
}

void message_init(struct mumble_message *message, enum message_type type)
{
	const struct shape *shape = shape_of(type);

	*message = (struct mumble_message){.type = type};
	if (shape)
		init_struct(shape, body_of(message));
}

enum message_status message_decode(uint32_t type, struct bytes body, struct message_room *room,
				   struct mumble_message *message)
{
	const struct shape *shape = shape_of(type);

	if (!shape)
		return MESSAGE_UNKNOWN;
	if (body.len > controls[type].longest)
		return MESSAGE_TOO_LONG;
	message->type = (enum message_type)type;
	init_struct(shape, body_of(message));
	return decode_struct(shape, body, room, body_of(message));
}

/* --- encoding ---------------------------------------------------------------------------------- */

static size_t struct_len(const struct shape *shape, const void *from);

/* Bytes of a value, with its length in front of it where it has one. */
static size_t value_len(const struct rule *rule, const void *from)
{
	size_t len;

	switch ((enum kind)rule->kind) {
	case U32: return protobuf_varint_len(*(const uint32_t *)from);
	case I32: return protobuf_varint_len((uint64_t)(int64_t) * (const int32_t *)from);
	case U64: return protobuf_varint_len(*(const uint64_t *)from);
	case FLOAT: return sizeof(uint32_t);
	case TEXT:
	case BYTES_: len = ((const struct bytes *)from)->len; return protobuf_varint_len(len) + len;
	case PART_: len = struct_len(rule->of, from); return protobuf_varint_len(len) + len;
	case BOOL:
	case YES: break;
	}
	return 1;
}

/* The elements of a field that are there: one or none, or those of its array. */
static struct array elements_of(const struct shape *shape, uint32_t index, const void *from)
{
	const struct rule *rule = &shape->rules[index];
	const void *field = (const uint8_t *)from + rule->off;
	struct array array = {field, 0};
	uint32_t has;

	if (rule->how == REPEATED) {
		memcpy(&array, field, sizeof array);
	} else {
		memcpy(&has, from, sizeof has);
		array.count = has >> index & 1;
	}
	return array;
}

static size_t struct_len(const struct shape *shape, const void *from)
{
	size_t len = 0;

	for (uint32_t i = 0; i < shape->count; i++) {
		const struct rule *rule = &shape->rules[i];
		struct array array = elements_of(shape, i, from);

		for (size_t n = 0; n < array.count; n++)
			len += protobuf_tag_len(rule->number) +
			       value_len(rule, (const uint8_t *)array.at + n * size_of(rule));
	}
	return len;
}

static void encode_struct(const struct shape *shape, const void *from, struct writer *w);

static void encode_value(const struct rule *rule, const void *from, struct writer *w)
{
	protobuf_put_tag(w, rule->number, wire_of(rule->kind));
	switch ((enum kind)rule->kind) {
	case U32: protobuf_put_varint(w, *(const uint32_t *)from); break;
	/* A negative number is ten bytes: it is widened to 64 bits. */
	case I32: protobuf_put_varint(w, (uint64_t)(int64_t) * (const int32_t *)from); break;
	case U64: protobuf_put_varint(w, *(const uint64_t *)from); break;
	case BOOL:
	case YES: writer_u8(w, *(const bool *)from); break;
	case FLOAT: writer_le(w, protobuf_of_float(*(const float *)from), 4); break;
	case TEXT:
	case BYTES_:
		protobuf_put_varint(w, ((const struct bytes *)from)->len);
		writer_put(w, *(const struct bytes *)from);
		break;
	case PART_:
		protobuf_put_varint(w, struct_len(rule->of, from));
		encode_struct(rule->of, from, w);
		break;
	}
}

static void encode_struct(const struct shape *shape, const void *from, struct writer *w)
{
	for (uint32_t i = 0; i < shape->count; i++) {
		const struct rule *rule = &shape->rules[i];
		struct array array = elements_of(shape, i, from);

		for (size_t n = 0; n < array.count; n++)
			encode_value(rule, (const uint8_t *)array.at + n * size_of(rule), w);
	}
}

size_t message_len(const struct mumble_message *message)
{
	const struct shape *shape = shape_of(message->type);

	return shape ? struct_len(shape, &message->version) : 0;
}

void message_encode(const struct mumble_message *message, struct writer *w)
{
	const struct shape *shape = shape_of(message->type);

	if (shape)
		encode_struct(shape, &message->version, w);
}
