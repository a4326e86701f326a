/* store_event: what is reported, as bytes in a port: a head, then its texts one behind the other,
 * each with a NUL. Written by store_port.c on any thread, read by store_write.c on the store's.
 *
 * It does not leave the process, so there is no order of bytes and no version. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum store_kind {
	STORE_SONG,
	STORE_SOURCE_CAME,
	STORE_SOURCE_GONE,
	STORE_LISTENER,
	STORE_MINUTE,
	STORE_ACT,
	STORE_USER_SEEN,
	STORE_TOKEN_USED,
	STORE_SESSION_PUT,
	STORE_SESSION_SEEN,
	STORE_SESSION_DROP,
	STORE_IRC_LINE,
	STORE_IRC_USER,
	STORE_IRC_USER_DROP,
	STORE_IRC_NETWORK,
	STORE_IRC_NETWORK_DROP,
	STORE_IRC_BUFFER,
	STORE_IRC_BUFFER_DROP,
	STORE_IRC_BUFFERS_DROP,
	STORE_IRC_MARKER,
	STORE_IRC_PRUNE,
	STORE_IRC_DEVICE,
	STORE_IRC_DEVICE_DROP,
	STORE_IRC_PASSWORD,
	STORE_IRC_PASSWORD_USED,
	STORE_IRC_PASSWORD_DROP,
	STORE_IRC_PUSH,
	STORE_IRC_PUSH_DROP,
	STORE_KINDS,
};

#define STORE_NUMBERS 6u
#define STORE_TEXTS   6u
#define STORE_TEXT_MAX \
	9999u /* longer ones are cut: who reports a text that must be whole looks first */

struct store_event {
	uint32_t size; /* with the texts, rounded up to 8 */
	uint8_t kind;
	uint8_t has_ip;
	uint8_t blobs; /* the first so many texts are 32 bytes instead */
	uint8_t pad;
	int64_t number[STORE_NUMBERS];
	uint8_t ip[16];
	uint16_t text_at[STORE_TEXTS]; /* from the event's start */
	uint16_t text_len[STORE_TEXTS];
};

static inline const char *store_event_text(const struct store_event *event, unsigned i)
{
	return (const char *)event + event->text_at[i];
}
