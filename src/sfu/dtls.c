#include "sfu/dtls.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/time.h>

#include "core/reader.h"
#include "core/writer.h"

#define EXPORTER   "EXTRACTOR-dtls_srtp" /* RFC 5764 4.2 */
#define DIGEST_MAX 64u
#define CERT_LIFE  (30L * 24 * 3600)
#define PROFILES   "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
#define CIPHERS                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"

struct dtls {
	SSL *ssl;
	enum dtls_state state;
	const char *fault;
	struct bytes in; /* the datagram that OpenSSL has not fetched yet */
	dtls_send *send;
	void *owner;
	const EVP_MD *hash;
	size_t digest_len;
	uint8_t digest[DIGEST_MAX];
	bool holds;         /* what is written is not sent, only kept */
	struct writer kept; /* what was written in this step */
	uint8_t kept_bytes[DTLS_KEPT_MAX];
};

static SSL_CTX *context;
static BIO_METHOD *datagrams;
static char own_fingerprint[DTLS_FINGERPRINT];

/* --- datagrams for OpenSSL -------------------------------------------------------------------------- */

static int bio_write(BIO *bio, const char *at, int len)
{
	struct dtls *dtls = BIO_get_data(bio);
	struct bytes datagram = bytes_of(at, (size_t)len);

	writer_put(&dtls->kept, datagram);
	if (!dtls->holds)
		dtls->send(dtls->owner, datagram);
	return len;
}

static int bio_read(BIO *bio, char *to, int size)
{
	struct dtls *dtls = BIO_get_data(bio);
	size_t len = dtls->in.len;

	BIO_clear_retry_flags(bio);
	if (len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (len > (size_t)size)
		len = (size_t)size;
	memcpy(to, dtls->in.at, len);
	dtls->in.len = 0; /* a datagram is read whole or cut */
	return (int)len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: return 1;
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU: return DTLS_MTU;
	default: return 0;
	}
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static bool bio_init(void)
{
	datagrams = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
	return datagrams && BIO_meth_set_write(datagrams, bio_write) &&
	       BIO_meth_set_read(datagrams, bio_read) && BIO_meth_set_ctrl(datagrams, bio_ctrl) &&
	       BIO_meth_set_create(datagrams, bio_create);
}

/* --- the certificate ------------------------------------------------------------------------------ */

static void write_fingerprint(const uint8_t *digest, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		snprintf(own_fingerprint + 3 * (size_t)i, 4, "%02X%s", digest[i],
			 i + 1 < len ? ":" : "");
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	if (!cert)
		return NULL;
	name = X509_get_subject_name(cert);
	if (X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), CERT_LIFE * 12) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"ringmain", -1,
				       -1, 0) &&
	    X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) &&
	    X509_sign(cert, key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

/* Who the peer is, its description says: dtls.c compares after the handshake. */
static int accept_any(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

static bool context_init(EVP_PKEY *key, X509 *cert)
{
	static char groups[] = "X25519:P-256"; /* OpenSSL's macro takes no constant */

	context = SSL_CTX_new(DTLS_method());
	if (!context)
		return false;
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
	/* use_srtp's function says 0 for good. */
	return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       SSL_CTX_use_certificate(context, cert) == 1 &&
	       SSL_CTX_use_PrivateKey(context, key) == 1 &&
	       SSL_CTX_set_cipher_list(context, CIPHERS) == 1 &&
	       SSL_CTX_set1_groups_list(context, groups) == 1 &&
	       SSL_CTX_set_tlsext_use_srtp(context, PROFILES) == 0;
}

int dtls_init(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? make_certificate(key) : NULL;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	bool good = cert && bio_init() && context_init(key, cert) &&
		    X509_digest(cert, EVP_sha256(), digest, &len);

	if (good)
		write_fingerprint(digest, len);
	X509_free(cert);
	EVP_PKEY_free(key);
	return good ? 0 : -ENOMEM;
}

const char *dtls_fingerprint(void)
{
	return own_fingerprint;
}

/* --- a peer ------------------------------------------------------------------------------------- */

static const EVP_MD *hash_of(struct bytes name)
{
	static const struct {
		const char *name;
		const EVP_MD *(*hash)(void);
	} known[] = {{"sha-256", EVP_sha256},
		     {"sha-384", EVP_sha384},
		     {"sha-512", EVP_sha512},
		     {"sha-224", EVP_sha224},
		     {"sha-1", EVP_sha1}};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (bytes_equal_nocase(name, bytes_str(known[i].name)))
			return known[i].hash();
	return NULL;
}

static uint8_t half_of(uint8_t c)
{
	c = byte_lower(c);
	return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* "AB:CD:…": sdp.c has looked at the characters. */
static bool read_digest(struct dtls *dtls, struct bytes print)
{
	dtls->digest_len = (size_t)EVP_MD_get_size(dtls->hash);
	if (print.len != dtls->digest_len * 3 - 1)
		return false;
	for (size_t i = 0; i < dtls->digest_len; i++)
		dtls->digest[i] =
			(uint8_t)(half_of(print.at[3 * i]) << 4 | half_of(print.at[3 * i + 1]));
	return true;
}

struct dtls *dtls_create(bool client, struct bytes hash, struct bytes print, dtls_send *send,
			 void *owner)
{
	struct dtls *dtls = calloc(1, sizeof *dtls);
	BIO *bio;

	if (!dtls)
		return NULL;
	dtls->send = send;
	dtls->owner = owner;
	dtls->hash = hash_of(hash);
	if (!dtls->hash || !read_digest(dtls, print)) {
		free(dtls);
		return NULL;
	}
	dtls->ssl = SSL_new(context);
	bio = dtls->ssl ? BIO_new(datagrams) : NULL;
	if (!bio) {
		dtls_destroy(dtls);
		return NULL;
	}
	BIO_set_data(bio, dtls);
	SSL_set_bio(dtls->ssl, bio, bio);
	(void)DTLS_set_link_mtu(dtls->ssl, DTLS_MTU);
	if (client)
		SSL_set_connect_state(dtls->ssl);
	else
		SSL_set_accept_state(dtls->ssl);
	return dtls;
}

static void keep_anew(struct dtls *dtls)
{
	dtls->kept = writer_of(dtls->kept_bytes, sizeof dtls->kept_bytes);
}

void dtls_destroy(struct dtls *dtls)
{
	if (!dtls)
		return;
	if (dtls->state == DTLS_DONE && !dtls->holds)
		(void)SSL_shutdown(dtls->ssl);
	SSL_free(dtls->ssl);
	ERR_clear_error();
	OPENSSL_cleanse(dtls, sizeof *dtls);
	free(dtls);
}

static enum dtls_state fail(struct dtls *dtls, const char *why)
{
	dtls->fault = why;
	return dtls->state = DTLS_FAILED;
}

static bool peer_fits(const struct dtls *dtls)
{
	X509 *cert = SSL_get1_peer_certificate(dtls->ssl);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool fits = cert && X509_digest(cert, dtls->hash, digest, &len) &&
		    len == dtls->digest_len && CRYPTO_memcmp(digest, dtls->digest, len) == 0;

	X509_free(cert);
	return fits;
}

/* After the handshake there is nothing to read but the peer's farewell. */
static enum dtls_state read_on(struct dtls *dtls)
{
	char byte;
	int n = SSL_read(dtls->ssl, &byte, 1);

	if (n <= 0 && SSL_get_error(dtls->ssl, n) == SSL_ERROR_ZERO_RETURN)
		dtls->state = DTLS_CLOSED;
	return dtls->state;
}

static enum dtls_state step(struct dtls *dtls)
{
	int n, error;

	ERR_clear_error();
	if (dtls->state == DTLS_DONE)
		return read_on(dtls);
	if (dtls->state != DTLS_RUNNING)
		return dtls->state;
	keep_anew(dtls);
	n = SSL_do_handshake(dtls->ssl);
	if (n == 1) {
		if (!peer_fits(dtls))
			return fail(dtls, "the certificate is not that of the offer");
		if (!SSL_get_selected_srtp_profile(dtls->ssl))
			return fail(dtls, "no SRTP profile in common");
		return dtls->state = DTLS_DONE;
	}
	error = SSL_get_error(dtls->ssl, n);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return DTLS_RUNNING;
	return fail(dtls, "the handshake failed");
}

enum dtls_state dtls_start(struct dtls *dtls)
{
	return step(dtls);
}

enum dtls_state dtls_input(struct dtls *dtls, struct bytes datagram)
{
	enum dtls_state state;

	dtls->in = datagram;
	state = step(dtls);
	dtls->in = (struct bytes){NULL, 0};
	return state;
}

int dtls_tick(struct dtls *dtls, enum dtls_state *state)
{
	struct timeval left;

	*state = dtls->state;
	if (dtls->state != DTLS_RUNNING)
		return -1;
	ERR_clear_error();
	if (DTLSv1_handle_timeout(dtls->ssl) < 0)
		*state = fail(dtls, "the peer does not answer");
	if (dtls->state != DTLS_RUNNING || DTLSv1_get_timeout(dtls->ssl, &left) != 1)
		return -1;
	return (int)(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
}

int dtls_keys(const struct dtls *dtls, struct srtp *in, struct srtp *out)
{
	enum srtp_profile profile =
		SSL_get_selected_srtp_profile(dtls->ssl)->id == SRTP_AEAD_AES_128_GCM
			? SRTP_GCM_128
			: SRTP_CM_SHA1_80;
	size_t salt = srtp_salt_len(profile), len = 2 * (SRTP_KEY + salt);
	uint8_t material[2 * (SRTP_KEY + SRTP_SALT_MAX)];
	const uint8_t *salts = material + 2 * SRTP_KEY;
	/* RFC 5764 4.2: client key, server key, client salt, server salt. */
	unsigned ours = SSL_is_server(dtls->ssl) ? 1 : 0, theirs = 1 - ours;
	int error = -ENOMEM;

	if (SSL_export_keying_material(dtls->ssl, material, len, EXPORTER, strlen(EXPORTER), NULL,
				       0, 0) == 1)
		error = srtp_open(in, profile, false, material + theirs * SRTP_KEY,
				  salts + theirs * salt);
	if (!error) {
		error = srtp_open(out, profile, true, material + ours * SRTP_KEY,
				  salts + ours * salt);
		if (error)
			srtp_close(in);
	}
	OPENSSL_cleanse(material, sizeof material);
	return error;
}

/* --- what is left ------------------------------------------------------------------------------- */

#define RECORD_CCS       20u
#define RECORD_ALERT     21u
#define RECORD_HANDSHAKE 22u
#define RECORD_HEAD      13u /* type, version, epoch, number, length (RFC 6347 4.1) */
#define GCM_NONCE        8u  /* that a record carries (RFC 5288 3) */
#define GCM_TAG          16u
#define ALERT_CLOSE      0u
#define ALERT_FATAL      2u

/* RFC 5246 6.3, 8.1: OpenSSL hands out no keys of records, but all that they are made of. */
static bool key_block(SSL *ssl, uint8_t *out, size_t len)
{
	static char hash[] = "SHA256", label[] = "key expansion";
	uint8_t master[SSL_MAX_MASTER_KEY_LENGTH], random[2 * SSL3_RANDOM_SIZE];
	size_t size = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool good;

	SSL_get_server_random(ssl, random, SSL3_RANDOM_SIZE);
	SSL_get_client_random(ssl, random + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
	good = ctx && size &&
	       EVP_KDF_derive(
		       ctx, out, len,
		       (OSSL_PARAM[]){OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash,
								       0),
				      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET,
									master, size),
				      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label,
									sizeof label - 1),
				      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, random,
									sizeof random),
				      OSSL_PARAM_construct_end()}) == 1;
	OPENSSL_cleanse(master, sizeof master);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return good;
}

/* Of the suites that we name first, those with AES_128_GCM_SHA256. */
static bool keep_key(SSL *ssl, struct dtls_rest *rest)
{
	unsigned suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
	unsigned theirs = SSL_is_server(ssl) ? 0 : 1; /* the client's comes first */
	uint8_t block[2 * SRTP_KEY + 2 * sizeof rest->salt];

	if ((suite != 0xc02b && suite != 0xc02f) || !key_block(ssl, block, sizeof block))
		return false;
	memcpy(rest->key, block + theirs * SRTP_KEY, SRTP_KEY);
	memcpy(rest->salt, block + 2 * SRTP_KEY + theirs * sizeof rest->salt, sizeof rest->salt);
	OPENSSL_cleanse(block, sizeof block);
	return true;
}

static uint8_t keep(const struct dtls *dtls, uint8_t to[DTLS_KEPT_MAX])
{
	if (!writer_ok(&dtls->kept))
		return 0;
	memcpy(to, dtls->kept_bytes, dtls->kept.len);
	return (uint8_t)dtls->kept.len;
}

void dtls_finish(struct dtls *dtls, struct dtls_rest *rest)
{
	*rest = (struct dtls_rest){0};
	rest->reads = keep_key(dtls->ssl, rest);
	rest->flight_len = keep(dtls, rest->flight);
	keep_anew(dtls);
	dtls->holds = true;
	if (SSL_shutdown(dtls->ssl) >= 0)
		rest->farewell_len = keep(dtls, rest->farewell);
	dtls_destroy(dtls);
}

/* RFC 5288 3, RFC 5246 6.2.3.3. head: the record's, of epoch, number, type, version. */
static bool open_alert(const struct dtls_rest *rest, struct bytes head, struct bytes body,
		       uint8_t alert[2])
{
	uint8_t iv[12], aad[RECORD_HEAD], tag[GCM_TAG];
	struct writer w = writer_of(aad, sizeof aad);
	EVP_CIPHER_CTX *ctx;
	int n;
	bool good;

	if (!rest->reads || body.len != GCM_NONCE + 2 + GCM_TAG)
		return false;
	writer_put(&w, bytes_of(head.at + 3, 8));
	writer_put(&w, bytes_of(head.at, 3));
	writer_be(&w, 2, 2);
	memcpy(iv, rest->salt, sizeof rest->salt);
	memcpy(iv + sizeof rest->salt, body.at, GCM_NONCE);
	memcpy(tag, body.at + GCM_NONCE + 2, GCM_TAG);
	ctx = EVP_CIPHER_CTX_new();
	good = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, rest->key, iv) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &n, aad, sizeof aad) == 1 &&
	       EVP_DecryptUpdate(ctx, alert, &n, body.at + GCM_NONCE, 2) == 1 &&
	       EVP_DecryptFinal_ex(ctx, alert + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

enum dtls_said dtls_rest_read(const struct dtls_rest *rest, struct bytes datagram)
{
	struct reader r = reader_of(datagram);
	enum dtls_said said = DTLS_SAID_NOTHING;

	while (reader_left(&r) > RECORD_HEAD) {
		struct bytes head = reader_take(&r, RECORD_HEAD - 2);
		struct bytes body = reader_take(&r, reader_be16(&r));
		uint8_t alert[2];

		if (!reader_ok(&r))
			break;
		if (head.at[0] == RECORD_HANDSHAKE || head.at[0] == RECORD_CCS)
			said = DTLS_SAID_AGAIN;
		else if (head.at[0] == RECORD_ALERT && open_alert(rest, head, body, alert) &&
			 (alert[1] == ALERT_CLOSE || alert[0] == ALERT_FATAL))
			return DTLS_SAID_FAREWELL;
	}
	return said;
}

const char *dtls_fault(const struct dtls *dtls)
{
	return dtls->fault ? dtls->fault : "";
}
