/* message: Mumble's control messages as structs, decoded and encoded by one table (message.def).
 *
 *     bytes ──▶ message_decode() ──▶ struct mumble_message { type, union of structs }
 *     bytes ◀── message_encode() ◀──
 *
 * Texts and byte fields point into the bytes that were decoded; arrays lie in a room that the
 * caller lends, which bounds what one message can take. Both must live as long as the struct is
 * used. Fields that the table does not know are passed over, a known field with a foreign wire
 * type too. A number wider than its field loses its upper bits, as in any protobuf parser. Texts
 * are UTF-8 or the message is refused.
 *
 * Sans-I/O, no allocation. Thread: any. It does not judge what a message asks for. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

/* --- the structs: struct mumble_NAME, with a bit in has for each single field that is there --- */

#define MUMBLE_C_U32   uint32_t
#define MUMBLE_C_U64   uint64_t
#define MUMBLE_C_I32   int32_t
#define MUMBLE_C_BOOL  bool
#define MUMBLE_C_YES   bool
#define MUMBLE_C_FLOAT float
#define MUMBLE_C_TEXT  struct bytes
#define MUMBLE_C_BYTES struct bytes

/* Names of members and types take no parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */

/* Arrays: all of one shape, { at, count }. */
#define MUMBLE_MANY(type, name) \
	struct {                \
		const type *at; \
		size_t count;   \
	} name;

#define MESSAGE(name)          \
	struct mumble_##name { \
		uint32_t has;
#define ONE(message, number, kind, name, longest)        MUMBLE_C_##kind name;
#define MUST(message, number, kind, name, longest)       MUMBLE_C_##kind name;
#define MANY(message, number, kind, name, most, longest) MUMBLE_MANY(MUMBLE_C_##kind, name)
#define PART(message, number, of, name)                  struct mumble_##of name;
#define PARTS(message, number, of, name, most)           MUMBLE_MANY(struct mumble_##of, name)
#define END(name) \
	}         \
	;
#include "voice/proto/message.def"

/* Where a field stands in its message; MUMBLE_HAS() is its bit. */
#define MESSAGE(message)                                 enum {
#define ONE(message, number, kind, name, longest)        MUMBLE_AT_##message##_##name,
#define MUST(message, number, kind, name, longest)       MUMBLE_AT_##message##_##name,
#define MANY(message, number, kind, name, most, longest) MUMBLE_AT_##message##_##name,
#define PART(message, number, of, name)                  MUMBLE_AT_##message##_##name,
#define PARTS(message, number, of, name, most)           MUMBLE_AT_##message##_##name,
#define END(message)           \
	MUMBLE_COUNT_##message \
	}                      \
	;
#include "voice/proto/message.def"

#define MUMBLE_HAS(message, field) (1u << MUMBLE_AT_##message##_##field)

/* Sets a single field of a struct mumble_MESSAGE and says that it is there. */
#define MUMBLE_SET(to, message, field, value) \
	((to)->field = (value), (to)->has |= MUMBLE_HAS(message, field))

enum message_type {
#define CONTROL(number, NAME, name, longest) MUMBLE_##NAME = number,
#include "voice/proto/control.def"
	MUMBLE_UDP_TUNNEL = 1, /* no message: a voice packet */
};
/* NOLINTEND(bugprone-macro-parentheses) */

#define MESSAGE_TYPES 27u /* one more than the highest */

enum reject_reason {
	REJECT_NONE,
	REJECT_WRONG_VERSION,
	REJECT_INVALID_USERNAME,
	REJECT_WRONG_USER_PASSWORD,
	REJECT_WRONG_SERVER_PASSWORD,
	REJECT_USERNAME_IN_USE,
	REJECT_SERVER_FULL,
	REJECT_NO_CERTIFICATE,
	REJECT_AUTHENTICATOR_FAIL,
	REJECT_NO_NEW_CONNECTIONS,
};

/* Of context_action_modify. */
enum context_where { CONTEXT_SERVER = 1, CONTEXT_CHANNEL = 2, CONTEXT_USER = 4 };
enum context_operation { CONTEXT_ADD, CONTEXT_REMOVE };

enum deny_reason {
	DENY_TEXT,
	DENY_PERMISSION,
	DENY_SUPER_USER,
	DENY_CHANNEL_NAME,
	DENY_TEXT_TOO_LONG,
	DENY_H9K, /* never sent by us */
	DENY_TEMPORARY_CHANNEL,
	DENY_MISSING_CERTIFICATE,
	DENY_USER_NAME,
	DENY_CHANNEL_FULL,
	DENY_NESTING_LIMIT,
	DENY_CHANNEL_COUNT_LIMIT,
	DENY_CHANNEL_LISTENER_LIMIT,
	DENY_USER_LISTENER_LIMIT,
};

struct mumble_message {
	enum message_type type;
	union {
#define CONTROL(number, NAME, name, longest) struct mumble_##name name;
#include "voice/proto/control.def"
	};
};

/* Memory that arrays are put into, the caller's. Make one with message_room_of() for each message;
 * what decoding took is in used. */
struct message_room {
	uint8_t *at;
	size_t size, used;
};

static inline struct message_room message_room_of(void *at, size_t size)
{
	return (struct message_room){at, size, 0};
}

enum message_status {
	MESSAGE_OK,
	MESSAGE_UNKNOWN,  /* no type of ours: leave it unread */
	MESSAGE_BAD,      /* no protobuf */
	MESSAGE_BAD_TEXT, /* a text is not UTF-8 */
	MESSAGE_TOO_LONG, /* a text or the whole is longer than the table allows */
	MESSAGE_TOO_MANY, /* a field is there more often than the table or the room allows */
	MESSAGE_MISSING,  /* without a required field */
};

/* An empty message of that type: nothing is there, defaults are set. */
void message_init(struct mumble_message *message, enum message_type type);

/* The body of a frame of that type. *message is only meant to be read when MESSAGE_OK. */
enum message_status message_decode(uint32_t type, struct bytes body, struct message_room *room,
				   struct mumble_message *message);

/* Bytes of the body. */
size_t message_len(const struct mumble_message *message);

/* The body, fields in the order of their numbers. */
void message_encode(const struct mumble_message *message, struct writer *w);

/* The longest body that is taken; 0 for a type that nobody knows. */
size_t message_longest(uint32_t type);

/* The name in lower case, for logs and counters; NULL for a type that nobody knows. */
const char *message_name(uint32_t type);

/* Version numbers, the old form (patch up to 255) and the one since 1.5. */
static inline uint32_t mumble_version_v1(uint32_t major, uint32_t minor, uint32_t patch)
{
	return major << 16 | (minor < 255 ? minor : 255) << 8 | (patch < 255 ? patch : 255);
}

static inline uint64_t mumble_version_v2(uint32_t major, uint32_t minor, uint32_t patch)
{
	return (uint64_t)major << 48 | (uint64_t)(minor & 0xffff) << 32 |
	       (uint64_t)(patch & 0xffff) << 16;
}

/* What a peer says it is, in the form since 1.5; 0 when it says nothing. */
uint64_t mumble_version_of(const struct mumble_version *version);
