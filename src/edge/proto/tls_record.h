/* tls_record: TLS records after the handshake, as far as they are no cryptography: framing, nonces,
 * what is authenticated beside the data, and what may come from a client that is connected already, or
 * from a server that we are connected to.
 *
 *   wire:  │ type │ 3 3 │ length │ sealed ………………………………………… tag │        RFC 8446 section 5.2
 *   1.3:                           data … │ type │ 0 0 0 …
 *   1.2:                           8 bytes of nonce, with AES-GCM │ data …   RFC 5288, RFC 7905
 *
 * TLS 1.3 and TLS 1.2 with an AEAD; nothing else is offered. Pure: state and bytes in, news out. Who
 * calls has the keys and the socket (edge/tls.c). */
#pragma once

#include "core/bytes.h"

#define TLS_HEADER_LEN 5u
#define TLS_TAG_LEN    16u
#define TLS_IV_LEN     12u
#define TLS_DATA_MAX   16384u /* of one record: RFC 8446 section 5.1 */
/* Beside the data: the tag, and the explicit nonce of 1.2 or the type of 1.3. */
#define TLS_OVERHEAD_MAX (TLS_HEADER_LEN + 8u + TLS_TAG_LEN)
/* Of what a peer may send, padding included: RFC 8446 section 5.2. Ours of 1.2 is shorter. */
#define TLS_SEALED_MAX (TLS_DATA_MAX + 256u)
#define TLS_AAD_MAX    13u

enum tls_type {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_DATA = 23,
};

/* RFC 8446 section 6: those we send or look at. */
enum tls_alert {
	TLS_CLOSE_NOTIFY = 0,
	TLS_UNEXPECTED_MESSAGE = 10,
	TLS_BAD_RECORD_MAC = 20,
	TLS_RECORD_OVERFLOW = 22,
	TLS_DECODE_ERROR = 50,
	TLS_INTERNAL_ERROR = 80,
	TLS_USER_CANCELED = 90,
	TLS_NO_RENEGOTIATION = 100, /* of 1.2: RFC 5246 section 7.2.2 */
};

/* The shape of a connection's records. */
enum tls_shape {
	TLS_SHAPE_13,        /* TLS 1.3 */
	TLS_SHAPE_12_GCM,    /* 1.2, the nonce is 4 bytes of the key block and 8 in the record */
	TLS_SHAPE_12_CHACHA, /* 1.2, the nonce is made as in 1.3, the data has no type in it */
};

/* --- records -------------------------------------------------------------------------------- */

/* The length of what follows a header of 5 bytes, in *len. 0, or the alert that says what is wrong. */
int tls_header_parse(enum tls_shape shape, const uint8_t header[TLS_HEADER_LEN], size_t *len);

void tls_header_write(uint8_t header[TLS_HEADER_LEN], enum tls_type type, size_t len);

/* Bytes that sealing adds behind the header. */
size_t tls_sealed_len(enum tls_shape shape, size_t data_len);

/* Bytes between header and data: the explicit nonce. */
static inline size_t tls_explicit_len(enum tls_shape shape)
{
	return shape == TLS_SHAPE_12_GCM ? 8 : 0;
}

/* The nonce of record seq. explicit_part: as it came, or NULL for one of ours. */
void tls_nonce(enum tls_shape shape, const uint8_t iv[TLS_IV_LEN], uint64_t seq,
	       const uint8_t *explicit_part, uint8_t nonce[TLS_IV_LEN]);

/* What is authenticated beside the data; returns its length. */
size_t tls_aad(enum tls_shape shape, const uint8_t header[TLS_HEADER_LEN], uint64_t seq,
	       size_t data_len, uint8_t aad[TLS_AAD_MAX]);

/* Takes padding and type off what was opened. 0, or an alert. */
int tls_inner_parse(struct bytes *opened, uint8_t *type);

/* The label of RFC 8446 section 7.1, without a context. Returns its length. */
#define TLS_LABEL_MAX 32u
size_t tls_label_write(const char *label, size_t len, uint8_t out[TLS_LABEL_MAX]);

/* --- what comes in -------------------------------------------------------------------------- */

/* What the records before have left unfinished: 8 bytes, part of a row. */
struct tls_inbound {
	uint8_t alert_level;     /* its first byte came alone: 1.2 only; 0: none */
	uint8_t head_len : 7;    /* bytes of the handshake message under way */
	uint8_t from_server : 1; /* we are the client */
	uint8_t head[3];         /* its type, and the first bytes of its length */
	uint8_t warnings;
	uint16_t skip; /* bytes of it to be passed over */
};

_Static_assert(sizeof(struct tls_inbound) == 8, "a word of a row");

enum tls_news {
	TLS_NEWS_NONE,          /* nothing to do */
	TLS_NEWS_DATA,          /* the record is data */
	TLS_NEWS_KEYS,          /* the peer's next record has new keys */
	TLS_NEWS_KEYS_ASKED,    /* and it wants us to renew ours */
	TLS_NEWS_RENEGOTIATION, /* it wants a new handshake; answer TLS_NO_RENEGOTIATION */
	TLS_NEWS_CLOSED,        /* close_notify */
	TLS_NEWS_ENDED,         /* it ended the connection with *alert */
	TLS_NEWS_FAULT,         /* it broke the rules: end the connection with *alert */
};

/* Looks at an opened record. */
enum tls_news tls_inbound_take(struct tls_inbound *in, enum tls_shape shape, uint8_t type,
			       struct bytes data, uint8_t *alert);

/* What we say: an alert (2 bytes), or that our next record has new keys (5 bytes). */
void tls_alert_write(uint8_t out[2], enum tls_alert alert);
#define TLS_KEY_UPDATE_LEN 5u
void tls_key_update_write(uint8_t out[TLS_KEY_UPDATE_LEN]);
