#include "edge/tls_outgoing.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "edge/proto/address.h"
#include "edge/tls_identity.h"

#define SUITES_1_3       "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_1_2       "ECDHE+AESGCM:ECDHE+CHACHA20"
#define FINGERPRINT_SIZE 129u /* of SHA-512, with its NUL */
#define FILE_SIZE        4096u

/* Reading a system's authorities takes longer than a handshake: one context a worker, until another
 * file is wanted. */
static _Thread_local SSL_CTX *context;
static _Thread_local char context_file[FILE_SIZE];

static bool authorities_load(SSL_CTX *made, const char *ca_file)
{
	return ca_file[0] ? SSL_CTX_load_verify_file(made, ca_file) == 1
			  : SSL_CTX_set_default_verify_paths(made) == 1;
}

static SSL_CTX *context_for(const char *ca_file)
{
	SSL_CTX *made;

	if (context && strcmp(context_file, ca_file) == 0)
		return context;
	made = SSL_CTX_new(TLS_client_method());
	if (!made)
		return NULL;
	SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_keylog_callback(made, tls_handshake_secret);
	if (SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(made, SUITES_1_3) != 1 ||
	    SSL_CTX_set_cipher_list(made, SUITES_1_2) != 1 || !authorities_load(made, ca_file)) {
		SSL_CTX_free(made);
		return NULL;
	}
	SSL_CTX_free(context);
	context = made;
	snprintf(context_file, sizeof context_file, "%s", ca_file);
	return context;
}

void tls_outgoing_fini(void)
{
	SSL_CTX_free(context);
	context = NULL;
}

/* What we show who asks for it. */
static bool show(SSL *ssl, const struct tls_wish *wish)
{
	BIO *certificate = BIO_new_mem_buf(wish->certificate, -1),
	    *key = BIO_new_mem_buf(wish->key, -1);
	X509 *x509 =
		certificate ? PEM_read_bio_X509(certificate, NULL, tls_no_passphrase, NULL) : NULL;
	EVP_PKEY *private =
		key ? PEM_read_bio_PrivateKey(key, NULL, tls_no_passphrase, NULL) : NULL;
	bool good = x509 && private && SSL_use_certificate(ssl, x509) == 1 &&
		    SSL_use_PrivateKey(ssl, private) == 1;

	X509_free(x509);
	EVP_PKEY_free(private);
	BIO_free(certificate);
	BIO_free(key);
	return good;
}

static bool believe(SSL *ssl, const struct tls_wish *wish)
{
	struct address address;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (wish->pins[0]) {
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return true;
	}
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return address_parse_ip(bytes_str(wish->host), &address)
		       ? X509_VERIFY_PARAM_set1_ip_asc(param, wish->host) == 1
		       : X509_VERIFY_PARAM_set1_host(param, wish->host, 0) == 1;
}

/* As OpenSSL's macro does, which casts a const away. */
static bool name_peer(SSL *ssl, const char *host)
{
	return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			(void *)(uintptr_t)host) == 1;
}

struct handshake *tls_outgoing(const struct tls_wish *wish, char *fault, size_t size)
{
	static const unsigned char alpn[] = "\3irc";
	SSL_CTX *from = context_for(wish->ca_file);
	SSL *ssl = from ? SSL_new(from) : NULL;
	struct address address;
	struct handshake *made = NULL;

	snprintf(fault, size, "out of memory");
	if (!from)
		snprintf(fault, size, "the file of authorities cannot be read");
	else if (ssl && !believe(ssl, wish))
		snprintf(fault, size, "%s is no name that a certificate could have", wish->host);
	else if (ssl && wish->certificate[0] && !show(ssl, wish))
		snprintf(fault, size, "our own certificate cannot be used");
	else if (ssl && (address_parse_ip(bytes_str(wish->host), &address) ||
			 name_peer(ssl, wish->host))) {
		(void)SSL_set_alpn_protos(ssl, alpn, sizeof alpn - 1);
		made = handshake_create_client(ssl);
		ssl = NULL;
	}
	SSL_free(ssl);
	ERR_clear_error();
	return made;
}

static void print_digest(const X509 *x509, const EVP_MD *md, char out[FINGERPRINT_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	out[0] = '\0';
	if (X509_digest(x509, md, digest, &len) != 1 || 2 * len >= FINGERPRINT_SIZE)
		return;
	for (unsigned i = 0; i < len; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
}

/* Colons are as people copy it. */
static bool same_pin(struct bytes pin, const char *hex)
{
	size_t at = 0;

	for (size_t i = 0; i < pin.len; i++) {
		if (pin.at[i] == ':')
			continue;
		if (!hex[at] || byte_lower(pin.at[i]) != (uint8_t)hex[at])
			return false;
		at++;
	}
	return at && hex[at] == '\0';
}

static bool is_pinned(const X509 *x509, const char *pins)
{
	struct bytes rest = bytes_str(pins);
	char sha256[FINGERPRINT_SIZE], sha512[FINGERPRINT_SIZE];

	print_digest(x509, EVP_sha256(), sha256);
	print_digest(x509, EVP_sha512(), sha512);
	while (rest.len) {
		struct bytes pin = bytes_cut(&rest, ' ');

		if (pin.len && (same_pin(pin, sha256) || same_pin(pin, sha512)))
			return true;
	}
	return false;
}

bool tls_outgoing_believed(const struct handshake *handshake, const struct tls_wish *wish,
			   char *fault, size_t size)
{
	SSL *ssl = handshake_ssl(handshake);
	X509 *x509 = SSL_get1_peer_certificate(ssl);
	long verified = SSL_get_verify_result(ssl);
	bool good = false;

	if (wish->pins[0]) {
		good = x509 && is_pinned(x509, wish->pins);
		snprintf(fault, size, "its certificate is not the one that is pinned");
	} else if (verified != X509_V_OK) {
		snprintf(fault, size, "its certificate is not believed: %s",
			 X509_verify_cert_error_string(verified));
	} else {
		good = x509 != NULL;
		snprintf(fault, size, "the TLS handshake failed");
	}
	X509_free(x509);
	return good;
}
