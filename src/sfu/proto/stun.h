/* stun: messages of RFC 8489, as far as ICE (RFC 8445) uses them.
 *
 *    0               2               4                               8
 *   +-+-+-----------+---------------+-------------------------------+------ … 20 +------------ …
 *   |0 0| type      | length        | magic cookie 0x2112a442       | transaction| attributes
 *   +-+-+-----------+---------------+-------------------------------+------ … ---+------------ …
 *
 * Parsed parts point into the message. The fingerprint, where there is one, is checked by
 * stun_parse; the integrity needs a key and a hash, which are handed in. Attributes behind
 * MESSAGE-INTEGRITY other than FINGERPRINT are passed over (RFC 8489 14.5).
 *
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"
#include "edge/proto/address.h"

#define STUN_HEADER      20u
#define STUN_MAX         1280u /* bytes of a message that is looked at */
#define STUN_ID          12u
#define STUN_UNKNOWN_MAX 8u

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

#define STUN_BINDING 1u

/* HMAC-SHA1 of in under key (RFC 2104). */
typedef void stun_hmac(struct bytes key, struct bytes in, uint8_t out[20]);

struct stun {
	struct bytes message;
	enum stun_class class;
	unsigned method;
	struct bytes id;        /* of the transaction */
	struct bytes username;  /* at NULL: there is none; so below */
	struct bytes integrity; /* the 20 bytes of the hash */
	bool fingerprint;
	bool use_candidate, has_priority, has_mapped;
	bool controlling, controlled; /* with tie_breaker */
	uint32_t priority;
	uint64_t tie_breaker;
	struct address mapped; /* XOR-MAPPED-ADDRESS */
	unsigned error;        /* 300 … 699; 0: none */
	unsigned unknown_count;
	uint16_t unknown[STUN_UNKNOWN_MAX]; /* that must be understood (RFC 8489 14) and are not */
};

enum stun_status {
	STUN_OK,
	STUN_OTHER, /* not STUN at all */
	STUN_BAD,   /* STUN, and broken */
};

/* Whether a datagram is to be parsed as STUN (RFC 7983 7, RFC 8489 5). */
bool stun_looks(struct bytes in);

enum stun_status stun_parse(struct bytes in, struct stun *out);

/* Whether the message carries a MESSAGE-INTEGRITY that was made with this key. */
bool stun_is_authentic(const struct stun *stun, struct bytes key, stun_hmac *hmac);

/* --- writing: begin, attributes, end ---------------------------------------------------------- */

void stun_begin(struct writer *w, enum stun_class class, unsigned method, struct bytes id);
void stun_put_username(struct writer *w, struct bytes left, struct bytes right);
void stun_put_mapped(struct writer *w, const struct address *address, struct bytes id);
void stun_put_error(struct writer *w, unsigned code, const char *reason);
void stun_put_unknown(struct writer *w, const struct stun *stun);
void stun_put_priority(struct writer *w, uint32_t priority);
void stun_put_use_candidate(struct writer *w);
void stun_put_role(struct writer *w, bool controlling, uint64_t tie_breaker);

/* MESSAGE-INTEGRITY where key.at is not NULL, FINGERPRINT, and the length. The message begins the
 * writer's buffer. */
void stun_end(struct writer *w, struct bytes key, stun_hmac *hmac);
