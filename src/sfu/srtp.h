/* srtp: SRTP and SRTCP of one direction of one session: AEAD_AES_128_GCM (RFC 7714) and
 * AES_CM_128_HMAC_SHA1_80 (RFC 3711), on OpenSSL's ciphers.
 *
 *   keys of DTLS ──▶ srtp_open ──▶ srtp_seal (header, payload, index) ──▶ datagram
 *                             └──▶ srtp_unseal (datagram) ──▶ packet
 *
 *   ┌ header ┐┌ payload, encrypted ┐┌ tag ┐        ┌ 8 bytes ┐┌ encrypted ┐┌ tag ┐┌ E index ┐ (GCM)
 *
 * A sender says the index (rollover counter and sequence number) itself; a receiver guesses it from
 * what came before of the same source and refuses what came already (RFC 3711 3.3). Payloads are
 * read from where they lie and written where they go, so sealing is a packet's only copy.
 *
 * Owner: the session, on its worker; the struct holds one cipher context for RTP, which is made when the
 * first packet comes: a viewer sends none. RTCP, which is rare, uses a context of the thread and the
 * keys that are kept here. */
#pragma once

#include "core/bytes.h"
#include "core/check.h"

/* As RFC 5764 4.1.2 and RFC 7714 14.2 number them. */
enum srtp_profile {
	SRTP_NONE = 0,
	SRTP_CM_SHA1_80 = 1,
	SRTP_GCM_128 = 7,
};

#define SRTP_KEY      16u
#define SRTP_SALT_MAX 14u
#define SRTP_TAG_MAX  16u
#define SRTCP_MORE    20u /* bytes that a sealed RTCP datagram is longer, at most */
#define SRTP_SOURCES  32u /* that one session may send to us */
#define SRTCP_SOURCES 32u /* that say something in it */

struct srtp_source {
	uint32_t ssrc;
	bool begun;
	uint64_t highest; /* index */
	uint64_t window;  /* bit n: highest - n has come */
};

struct fast_key;
struct srtp_mac; /* HMAC-SHA1, with the key worked in */

struct srtp {
	enum srtp_profile profile;
	bool seals;
	struct fast_key
		*fast; /* of RTP that is sealed, where srtp_fast.h can; NULL: cipher does it */
	void *cipher;  /* OpenSSL's, of RTP; NULL: not needed yet */
	struct srtp_mac *mac; /* two, of RTP and RTCP; NULL with GCM */
	uint8_t salt[SRTP_SALT_MAX], rtcp_salt[SRTP_SALT_MAX];
	uint8_t key[SRTP_KEY], rtcp_key[SRTP_KEY];
	uint32_t rtcp_index;             /* the next, of a sender */
	struct srtp_source *rtcp_source; /* SRTCP_SOURCES; NULL: nothing has come */
	struct srtp_source *source;      /* SRTP_SOURCES; the same */
};

/* Bytes of salt of a profile: 12 or 14. */
size_t srtp_salt_len(enum srtp_profile profile);

/* seals: for sending. 0, or -ENOMEM. */
MUST_CHECK int srtp_open(struct srtp *srtp, enum srtp_profile profile, bool seals,
			 const uint8_t *key, const uint8_t *salt);
/* Wipes. Accepts a zeroed one. */
void srtp_close(struct srtp *srtp);

/* Bytes behind a payload. */
size_t srtp_tag_len(enum srtp_profile profile);

/* Seals a packet to out, which has room for header, payload and tag; returns the length, 0 when
 * OpenSSL fails. index: rollover counter << 16 | sequence number. */
size_t srtp_seal(struct srtp *srtp, struct bytes header, struct bytes payload, uint32_t ssrc,
		 uint64_t index, uint8_t *out);

/* Brings near what srtp_seal() will need, beside the struct itself (core/cache.h). */
void srtp_fetch(const struct srtp *srtp);

enum srtp_status {
	SRTP_OK,
	SRTP_BAD,    /* not made with these keys, or no packet */
	SRTP_REPLAY, /* came already, or too old to say */
	SRTP_FULL,   /* of one source too many */
};

/* Opens a packet to out, which has room for in.len; *len is that of the packet. */
enum srtp_status srtp_unseal(struct srtp *srtp, struct bytes in, uint8_t *out, size_t *len);

/* Frees what this thread keeps for RTCP. */
void srtp_thread_end(void);

/* The same for RTCP; out has room for in.len + SRTCP_MORE. */
size_t srtcp_seal(struct srtp *srtp, struct bytes in, uint8_t *out);
enum srtp_status srtcp_unseal(struct srtp *srtp, struct bytes in, uint8_t *out, size_t *len);
