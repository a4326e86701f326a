/* sfu_lock: the client's half of DTLS-SRTP (RFC 5764), with AEAD_AES_128_GCM (RFC 7714) and nothing else.
 *
 *   datagrams ──▶ lock_shake ──▶ LOCK_OPEN ──▶ lock_open_rtp, lock_seal_rtp, lock_seal_rtcp …
 *
 * Written beside the server's, not with it: what one of them gets wrong the other finds. A lock sends or
 * receives media, not both. It keeps no replay window and does not look at the server's certificate: here
 * nobody is deceived. Thread: the caller's; lock_init once before. */
#pragma once

#include <stdbool.h>

#include "core/bytes.h"

#define LOCK_TAG  16u
#define LOCK_MORE 20u /* bytes that sealed RTCP is longer */

struct lock;

enum lock_state { LOCK_SHAKING, LOCK_OPEN, LOCK_BROKEN };

typedef void lock_send(void *owner, struct bytes datagram);

bool lock_init(void);
/* "AB:CD:…" of our certificate (SHA-256). */
const char *lock_fingerprint(void);

/* sends: media go out; else they come in. NULL: no memory. */
struct lock *lock_create(bool sends, lock_send *send, void *owner);
void lock_destroy(struct lock *lock);

/* Takes the next step; datagram may be empty: to begin, and now and then to send again what was not
 * answered. */
enum lock_state lock_shake(struct lock *lock, struct bytes datagram);

/* Length of what was written, 0 when it is not from the peer. roc: the upper bits of the index. */
size_t lock_seal_rtp(struct lock *lock, struct bytes head, struct bytes payload, uint32_t roc,
		     uint8_t *out);
size_t lock_open_rtp(struct lock *lock, size_t head_len, struct bytes in, uint32_t roc,
		     uint8_t *out);
size_t lock_seal_rtcp(struct lock *lock, struct bytes in, uint8_t *out);
size_t lock_open_rtcp(struct lock *lock, struct bytes in, uint8_t *out);
