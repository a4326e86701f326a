/* web_push: a message for a browser or phone that is not connected, sealed for it alone.
 *
 *   text ─▶ sealed with the receiver's key (RFC 8291, aes128gcm of RFC 8188) ─▶ POST to its endpoint
 *                                              with who we are, signed (VAPID, RFC 8292) ─┘
 *
 * Computes only: who sends is the caller's (edge/fetch.h). The key that we are known by lies in
 * DIR/web_push.pem and is made when it is missing. Any thread after web_push_init(). */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

#define WEB_PUSH_KEY_SIZE    65u /* a point of P-256, uncompressed */
#define WEB_PUSH_SECRET_SIZE 16u
#define WEB_PUSH_TEXT_MAX    3000u
#define WEB_PUSH_SEALED_MAX  (WEB_PUSH_TEXT_MAX + 16u + 4u + 1u + WEB_PUSH_KEY_SIZE + 1u + 16u)
#define WEB_PUSH_PUBLIC_SIZE 88u   /* our public key in base64url, with its NUL */
#define WEB_PUSH_SIGNED_MAX  1024u /* of an Authorization header */

struct web_push_receiver {
	uint8_t key[WEB_PUSH_KEY_SIZE];       /* p256dh */
	uint8_t secret[WEB_PUSH_SECRET_SIZE]; /* auth */
};

/* Reads the key, or makes it. False: errno says why. Once. */
bool web_push_init(const char *directory);
void web_push_fini(void);

/* Our public key, base64url; "" before web_push_init(). */
const char *web_push_public(void);

/* Both base64url. False: they are no such. */
bool web_push_receiver_of(struct web_push_receiver *receiver, struct bytes p256dh,
			  struct bytes auth);

/* The body of the POST (Content-Encoding: aes128gcm). False: the text is too long, the key is on no
 * curve, or no memory. */
bool web_push_seal(const struct web_push_receiver *receiver, struct bytes text, struct writer *out);

/* The same with this key of one use (its scalar) and salt: for RFC 8291's example. */
bool web_push_seal_with(const struct web_push_receiver *receiver, struct bytes text,
			const uint8_t scalar[32], const uint8_t salt[16], struct writer *out);

/* "Authorization: vapid t=…, k=…" for an endpoint, good until then (seconds since 1970); contact: an
 * address that the push service may write to, "mailto:…" or a URL. False: no key, or no URL. */
bool web_push_sign(const char *endpoint, const char *contact, int64_t until,
		   char out[WEB_PUSH_SIGNED_MAX]);
