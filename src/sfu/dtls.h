/* dtls: the handshake that gives a session its keys (DTLS 1.2, RFC 6347; DTLS-SRTP, RFC 5764), on
 * OpenSSL, with datagrams handed in and out.
 *
 *   datagram ──▶ dtls_input ──▶ OpenSSL ──▶ send(datagram)
 *                    └──▶ DTLS_DONE: profile and keys, and the peer is who its description says
 *
 * The certificate is the process's own and new at each start: its fingerprint stands in each answer.
 * The peer's is checked against the fingerprint of its offer, and against nothing else. There is no
 * cookie exchange: datagrams are taken only from an address whose owner has answered for it in
 * ICE, so nobody else's can be flooded (RFC 8842 5.1). A ClientHello may come in several datagrams.
 *
 * When the keys are out dtls_finish gives the handshake's memory back, 48 kB a peer, and leaves what is
 * still of use, a quarter of a kB: our last flight, sealed, for a peer that has lost it; our farewell,
 * sealed; and the key that the peer's farewell is read with. Thread: the session's worker; dtls_init
 * once before. */
#pragma once

#include "core/bytes.h"
#include "core/check.h"
#include "sfu/srtp.h"

#define DTLS_MTU         1200
#define DTLS_FINGERPRINT 96u /* characters of ours: "AB:CD:…" and a NUL */
#define DTLS_KEPT_MAX    120u /* bytes of a ChangeCipherSpec and a Finished, and more than an alert */

struct dtls;

enum dtls_state { DTLS_RUNNING, DTLS_DONE, DTLS_CLOSED, DTLS_FAILED };

/* Once, before threads. 0 or -ENOMEM. */
MUST_CHECK int dtls_init(void);
const char *dtls_fingerprint(void);

typedef void dtls_send(void *owner, struct bytes datagram);

/* client: it speaks first. hash and print: of the peer's certificate, as its description has them.
 * NULL when there is no memory or the hash is not known. */
struct dtls *dtls_create(bool client, struct bytes hash, struct bytes print, dtls_send *send,
			 void *owner);
/* Says good-bye if the handshake was done, and frees. Accepts NULL. */
void dtls_destroy(struct dtls *dtls);

/* A client's first words. */
enum dtls_state dtls_start(struct dtls *dtls);
enum dtls_state dtls_input(struct dtls *dtls, struct bytes datagram);

/* Sends again what was not answered in time; how many ms until it wants to be asked again, -1 for
 * never. */
int dtls_tick(struct dtls *dtls, enum dtls_state *state);

/* Once DTLS_DONE. in: what the peer sends; out: what we send. */
MUST_CHECK int dtls_keys(const struct dtls *dtls, struct srtp *in, struct srtp *out);

/* What is left of a handshake that is done. */
struct dtls_rest {
	uint8_t key[SRTP_KEY], salt[4]; /* of what the peer seals (RFC 5288 3) */
	bool reads;                     /* the cipher suite is one with such a key */
	uint8_t flight_len, farewell_len;
	uint8_t flight[DTLS_KEPT_MAX], farewell[DTLS_KEPT_MAX];
};

/* Once DTLS_DONE and after dtls_keys: fills rest, frees dtls without a word to the peer. */
void dtls_finish(struct dtls *dtls, struct dtls_rest *rest);

enum dtls_said {
	DTLS_SAID_NOTHING,
	DTLS_SAID_AGAIN,    /* the peer has not got our last flight: send it again */
	DTLS_SAID_FAREWELL, /* authentic: it has closed the session */
};

/* What a datagram means that comes after that. */
enum dtls_said dtls_rest_read(const struct dtls_rest *rest, struct bytes datagram);

/* Why it failed, in words. */
const char *dtls_fault(const struct dtls *dtls);
