#include "sfu_lock.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/reader.h"

#define KEY  16u
#define SALT 12u
#define HEAD 8u /* of RTCP, in the clear */

/* What media of one direction are locked with. */
struct lock_way {
	EVP_CIPHER_CTX *rtp, *rtcp;
	uint8_t salt[SALT], rtcp_salt[SALT];
};

struct lock {
	SSL *ssl;
	struct bytes in;
	lock_send *send;
	void *owner;
	bool sends;
	enum lock_state state;
	struct lock_way out, back; /* of a sender: RTP out, RTCP back; else RTCP out, RTP back */
	uint32_t rtcp_index;
};

static SSL_CTX *context;
static BIO_METHOD *method;
static char fingerprint[96];

/* --- datagrams in and out of OpenSSL ------------------------------------------------------------------ */

static int on_write(BIO *bio, const char *data, int len)
{
	struct lock *lock = BIO_get_data(bio);

	lock->send(lock->owner, bytes_of(data, (size_t)len));
	return len;
}

static int on_read(BIO *bio, char *data, int size)
{
	struct lock *lock = BIO_get_data(bio);
	size_t len = lock->in.len < (size_t)size ? lock->in.len : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (!len) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, lock->in.at, len);
	lock->in = (struct bytes){NULL, 0};
	return (int)len;
}

static long on_control(BIO *bio, int order, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return order == BIO_CTRL_FLUSH;
}

static int on_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* --- our certificate ------------------------------------------------------------------------------------ */

static int any_certificate(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

static X509 *certificate_of(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 864000);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"sfuload", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_sign(cert, key, EVP_sha256());
	return cert;
}

bool lock_init(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = certificate_of(key);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "datagrams");
	BIO_meth_set_write(method, on_write);
	BIO_meth_set_read(method, on_read);
	BIO_meth_set_ctrl(method, on_control);
	BIO_meth_set_create(method, on_create);
	context = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, any_certificate);
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	X509_digest(cert, EVP_sha256(), digest, &len);
	for (unsigned i = 0; i < len; i++)
		snprintf(fingerprint + 3 * i, 4, "%02X%s", digest[i], i + 1 < len ? ":" : "");
	return SSL_CTX_use_certificate(context, cert) == 1 &&
	       SSL_CTX_use_PrivateKey(context, key) == 1 &&
	       SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM") == 0;
}

const char *lock_fingerprint(void)
{
	return fingerprint;
}

struct lock *lock_create(bool sends, lock_send *send, void *owner)
{
	struct lock *lock = calloc(1, sizeof *lock);
	BIO *bio = BIO_new(method);

	lock->sends = sends;
	lock->send = send;
	lock->owner = owner;
	lock->ssl = SSL_new(context);
	BIO_set_data(bio, lock);
	SSL_set_bio(lock->ssl, bio, bio);
	(void)DTLS_set_link_mtu(lock->ssl, 1200);
	SSL_set_connect_state(lock->ssl);
	return lock;
}

static void way_close(struct lock_way *way)
{
	EVP_CIPHER_CTX_free(way->rtp);
	EVP_CIPHER_CTX_free(way->rtcp);
}

void lock_destroy(struct lock *lock)
{
	if (!lock)
		return;
	SSL_free(lock->ssl);
	way_close(&lock->out);
	way_close(&lock->back);
	free(lock);
}

/* --- keys (RFC 3711 4.3) -------------------------------------------------------------------------------- */

static void derive(const uint8_t *key, const uint8_t *salt, uint8_t label, uint8_t *out, int len)
{
	static const uint8_t zeroes[KEY];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = {0};
	int n;

	memcpy(iv, salt, SALT);
	iv[7] ^= label;
	EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, key, iv);
	EVP_EncryptUpdate(ctx, out, &n, zeroes, len);
	EVP_CIPHER_CTX_free(ctx);
}

static EVP_CIPHER_CTX *cipher_with(const uint8_t *key, const uint8_t *salt, uint8_t label,
				   int seals)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t session[KEY];

	derive(key, salt, label, session, KEY);
	EVP_CipherInit_ex(ctx, EVP_aes_128_gcm(), NULL, session, NULL, seals);
	return ctx;
}

/* Of each way only what is used: a viewer gets RTP and says RTCP. */
static void way_open(struct lock_way *way, const uint8_t *key, const uint8_t *salt, bool rtp,
		     int seals)
{
	if (rtp)
		way->rtp = cipher_with(key, salt, 0, seals);
	else
		way->rtcp = cipher_with(key, salt, 3, seals);
	derive(key, salt, 2, way->salt, SALT);
	derive(key, salt, 5, way->rtcp_salt, SALT);
}

static bool take_keys(struct lock *lock)
{
	static const char label[] = "EXTRACTOR-dtls_srtp";
	uint8_t m[2 * (KEY + SALT)];

	if (!SSL_get_selected_srtp_profile(lock->ssl) ||
	    SSL_export_keying_material(lock->ssl, m, sizeof m, label, sizeof label - 1, NULL, 0,
				       0) != 1)
		return false;
	/* RFC 5764 4.2: client key, server key, client salt, server salt. */
	way_open(&lock->out, m, m + 2 * KEY, lock->sends, 1);
	way_open(&lock->back, m + KEY, m + 2 * KEY + SALT, !lock->sends, 0);
	return true;
}

enum lock_state lock_shake(struct lock *lock, struct bytes datagram)
{
	int n, error;

	if (lock->state != LOCK_SHAKING)
		return lock->state;
	ERR_clear_error();
	lock->in = datagram;
	if (!datagram.len)
		(void)DTLSv1_handle_timeout(lock->ssl);
	n = SSL_do_handshake(lock->ssl);
	error = n == 1 ? SSL_ERROR_NONE : SSL_get_error(lock->ssl, n);
	lock->in = (struct bytes){NULL, 0};
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return LOCK_SHAKING;
	lock->state = n == 1 && take_keys(lock) ? LOCK_OPEN : LOCK_BROKEN;
	if (lock->state == LOCK_OPEN) {
		SSL_free(lock->ssl);
		lock->ssl = NULL;
	}
	return lock->state;
}

/* --- packets ------------------------------------------------------------------------------------------- */

/* RFC 7714 8.1: 0 0 SSRC ROC SEQ; 9.1: 0 0 SSRC 0 0 index. */
static void make_iv(uint8_t iv[SALT], const uint8_t *ssrc, uint64_t index, const uint8_t *salt)
{
	memset(iv, 0, SALT);
	memcpy(iv + 2, ssrc, 4);
	for (unsigned i = 0; i < 6; i++)
		iv[6 + i] = (uint8_t)(index >> (40 - 8 * i));
	for (unsigned i = 0; i < SALT; i++)
		iv[i] ^= salt[i];
}

static uint64_t index_of(const uint8_t *packet, uint32_t roc)
{
	return (uint64_t)roc << 16 | (uint64_t)packet[2] << 8 | packet[3];
}

size_t lock_seal_rtp(struct lock *lock, struct bytes head, struct bytes payload, uint32_t roc,
		     uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = lock->out.rtp;
	uint8_t iv[SALT];
	int n;

	make_iv(iv, head.at + 8, index_of(head.at, roc), lock->out.salt);
	memcpy(out, head.at, head.len);
	EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv);
	EVP_EncryptUpdate(ctx, NULL, &n, head.at, (int)head.len);
	EVP_EncryptUpdate(ctx, out + head.len, &n, payload.at, (int)payload.len);
	EVP_EncryptFinal_ex(ctx, out, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, LOCK_TAG, out + head.len + payload.len);
	return head.len + payload.len + LOCK_TAG;
}

static size_t unlock(EVP_CIPHER_CTX *ctx, const uint8_t *iv, struct bytes clear, struct bytes more,
		     struct bytes locked, uint8_t *out)
{
	uint8_t tag[LOCK_TAG];
	int n;

	if (locked.len < LOCK_TAG)
		return 0;
	locked.len -= LOCK_TAG;
	memcpy(tag, locked.at + locked.len, LOCK_TAG);
	EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, iv);
	EVP_DecryptUpdate(ctx, NULL, &n, clear.at, (int)clear.len);
	if (more.len)
		EVP_DecryptUpdate(ctx, NULL, &n, more.at, (int)more.len);
	EVP_DecryptUpdate(ctx, out + clear.len, &n, locked.at, (int)locked.len);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, LOCK_TAG, tag);
	if (EVP_DecryptFinal_ex(ctx, out, &n) != 1)
		return 0;
	memcpy(out, clear.at, clear.len);
	return clear.len + locked.len;
}

size_t lock_open_rtp(struct lock *lock, size_t head_len, struct bytes in, uint32_t roc,
		     uint8_t *out)
{
	uint8_t iv[SALT];

	make_iv(iv, in.at + 8, index_of(in.at, roc), lock->back.salt);
	return unlock(lock->back.rtp, iv, bytes_first(in, head_len), (struct bytes){NULL, 0},
		      bytes_skip(in, head_len), out);
}

size_t lock_seal_rtcp(struct lock *lock, struct bytes in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = lock->out.rtcp;
	uint32_t index = lock->rtcp_index++;
	uint8_t iv[SALT], e[4] = {(uint8_t)(0x80 | index >> 24), (uint8_t)(index >> 16),
				  (uint8_t)(index >> 8), (uint8_t)index};
	int n, len = (int)(in.len - HEAD);

	make_iv(iv, in.at + 4, index, lock->out.rtcp_salt);
	memcpy(out, in.at, HEAD);
	EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv);
	EVP_EncryptUpdate(ctx, NULL, &n, in.at, HEAD);
	EVP_EncryptUpdate(ctx, NULL, &n, e, sizeof e);
	EVP_EncryptUpdate(ctx, out + HEAD, &n, in.at + HEAD, len);
	EVP_EncryptFinal_ex(ctx, out, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, LOCK_TAG, out + in.len);
	memcpy(out + in.len + LOCK_TAG, e, sizeof e);
	return in.len + LOCK_MORE;
}

size_t lock_open_rtcp(struct lock *lock, struct bytes in, uint8_t *out)
{
	uint8_t iv[SALT];
	struct reader r = reader_of(in);
	uint32_t index;

	if (in.len < HEAD + LOCK_MORE)
		return 0;
	reader_skip(&r, in.len - 4);
	index = reader_be32(&r) & 0x7fffffffu;
	make_iv(iv, in.at + 4, index, lock->back.rtcp_salt);
	return unlock(lock->back.rtcp, iv, bytes_first(in, HEAD), bytes_skip(in, in.len - 4),
		      bytes_of(in.at + HEAD, in.len - HEAD - 4), out);
}
