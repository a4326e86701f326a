#include "edge/tls_identity.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "core/writer.h"
#include "edge/tls_challenge.h"
#include "edge/tls_handshake.h"
#include "edge/tls_ticket.h"

/* RFC 8446's three, and of 1.2 only those that our record layer has and that keep secrets when a key
 * is lost later. */
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_identity {
	struct baton farewell;
	size_t count;
	int64_t ends;
	SSL_CTX *contexts[];
};

static _Atomic(struct tls_identity *) in_force;

/* Where a handshake says that its client is an authority. */
static int asks_index = -1;

/* --- choosing ------------------------------------------------------------------------------- */

/* RFC 8737 section 4: told before a certificate is chosen. */
static int on_hello(SSL *ssl, int *alert, void *argument)
{
	const unsigned char *alpn;
	size_t len;

	(void)alert;
	(void)argument;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
				      &alpn, &len) == 1 &&
	    tls_challenge_asks(bytes_of(alpn, len)))
		SSL_set_ex_data(ssl, asks_index, ssl);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 6066 section 3: the name that the client asks for. Nobody is turned away for asking. */
static int on_server_name(SSL *ssl, int *alert, void *argument)
{
	/* Not the one that the handshake began with: that may be gone by now. */
	const struct tls_identity *identity = atomic_load_explicit(&in_force, memory_order_acquire);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)argument;
	if (!name || !identity)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_get_ex_data(ssl, asks_index)) {
		SSL_CTX *challenge = tls_challenge_find(name);

		if (challenge)
			SSL_set_SSL_CTX(ssl, challenge);
		return challenge ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	for (size_t i = 0; i < identity->count; i++)
		if (X509_check_host(SSL_CTX_get0_certificate(identity->contexts[i]), name, 0, 0,
				    NULL) == 1) {
			SSL_set_SSL_CTX(ssl, identity->contexts[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301. Whoever offers others only is served HTTP/1.1 all the same: encoders of odd kinds. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *argument)
{
	static const unsigned char ours[] = "\x08http/1.1";

	(void)ssl;
	(void)argument;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, ours,
				     sizeof ours - 1, in, in_len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

/* --- loading -------------------------------------------------------------------------------- */

static bool say(char *fault, size_t size, const char *what, const char *file)
{
	unsigned long code = ERR_peek_error();
	const char *why = ERR_reason_error_string(code);

	if (code && ERR_SYSTEM_ERROR(code))
		why = strerror(ERR_GET_REASON(code));
	else if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
		why = "there is no certificate in PEM in it";
	else if (ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER &&
		 ERR_GET_REASON(code) == ERR_R_UNSUPPORTED)
		why = "there is no private key in it: tls.key names the file that has it";
	else if (ERR_GET_REASON(code) == ERR_R_INTERRUPTED_OR_CANCELLED)
		why = "it has a passphrase, and nobody is there to type it: openssl pkey takes it "
		      "off";
	snprintf(fault, size, "%s %s: %s", what, file, why ? why : "unusable");
	ERR_clear_error();
	return false;
}

static SSL_CTX *context_make(const struct tls_conf *conf)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context)
		return NULL;
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, (long)(conf->ticket_lifetime / 1000));
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, tls_ticket_key);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	SSL_CTX_set_client_hello_cb(context, on_hello, NULL);
	SSL_CTX_set_keylog_callback(context, tls_handshake_secret);
	if (SSL_CTX_set_session_id_context(context, (const unsigned char *)"ringmain", 8) != 1 ||
	    SSL_CTX_set_min_proto_version(context, conf->min_version == TLS_MIN_1_3
							   ? TLS1_3_VERSION
							   : TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(context, SUITES_1_3) != 1 ||
	    SSL_CTX_set_cipher_list(context, SUITES_1_2) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

int tls_no_passphrase(char *buf, int size, int writing, void *argument)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)argument;
	return -1;
}

static bool context_load(SSL_CTX *context, const struct tls_pair *pair, char *fault, size_t size)
{
	X509 *certificate;

	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(context, tls_no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(context, pair->certificate) != 1)
		return say(fault, size, "the certificate", pair->certificate);
	certificate = SSL_CTX_get0_certificate(context);
	if (SSL_CTX_use_PrivateKey_file(context, pair->key, SSL_FILETYPE_PEM) != 1)
		return say(fault, size, "the key", pair->key);
	/* One of another kind is taken and would be used for nothing. */
	if (X509_check_private_key(certificate, SSL_CTX_get0_privatekey(context)) != 1) {
		snprintf(fault, size, "the key %s: key values mismatch those of %s", pair->key,
			 pair->certificate);
		ERR_clear_error();
		return false;
	}
	return true;
}

static int64_t time_of(const ASN1_TIME *time)
{
	int days, seconds;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int64_t result = 0;

	if (epoch && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1)
		result = (int64_t)days * 86400 + seconds;
	ASN1_TIME_free(epoch);
	return result;
}

void tls_identity_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct tls_conf *tls = tls_conf_of(conf);
	char fault[512];

	for (size_t i = 0; i < tls->certificate.count; i++) {
		bool own_key = i < tls->key.count;
		struct tls_pair pair = {tls->certificate.at[i],
					own_key ? tls->key.at[i] : tls->certificate.at[i]};
		SSL_CTX *context = SSL_CTX_new(TLS_server_method());

		if (context && !context_load(context, &pair, fault, sizeof fault))
			conf_fault_member(errors, conf, tls,
					  own_key && strncmp(fault, "the key", 7) == 0
						  ? "tls.key"
						  : "tls.certificate",
					  i, "%s", fault);
		SSL_CTX_free(context);
	}
}

struct tls_identity *tls_identity_load(const struct tls_conf *conf, const struct tls_pair *pairs,
				       size_t count, char *fault, size_t size)
{
	struct tls_identity *made = calloc(1, sizeof *made + count * sizeof(SSL_CTX *));

	snprintf(fault, size, "out of memory");
	if (asks_index == -1)
		asks_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	for (; made && made->count < count; made->count++) {
		SSL_CTX *context = context_make(conf);
		int64_t ends;

		if (!context || !context_load(context, &pairs[made->count], fault, size)) {
			SSL_CTX_free(context);
			tls_identity_free(made);
			return NULL;
		}
		made->contexts[made->count] = context;
		SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
		ends = time_of(X509_get0_notAfter(SSL_CTX_get0_certificate(context)));
		if (made->ends == 0 || ends < made->ends)
			made->ends = ends;
	}
	return made;
}

void tls_identity_free(struct tls_identity *identity)
{
	if (!identity)
		return;
	for (size_t i = 0; i < identity->count; i++)
		SSL_CTX_free(identity->contexts[i]);
	free(identity);
}

/* --- in force ------------------------------------------------------------------------------- */

static void identity_home(struct baton *baton)
{
	tls_identity_free(container_of(baton, struct tls_identity, farewell));
}

void tls_identity_use(struct tls_identity *identity)
{
	identity = atomic_exchange_explicit(&in_force, identity, memory_order_acq_rel);
	if (!identity)
		return;
	identity->farewell.visit = baton_pass;
	identity->farewell.home = identity_home;
	baton_send(&identity->farewell);
}

void tls_identity_fini(void)
{
	tls_identity_free(atomic_exchange_explicit(&in_force, NULL, memory_order_relaxed));
}

bool tls_identity_in_force(void)
{
	return atomic_load_explicit(&in_force, memory_order_relaxed) != NULL;
}

static bool signed_itself(const X509 *certificate)
{
	return X509_NAME_cmp(X509_get_issuer_name(certificate),
			     X509_get_subject_name(certificate)) == 0;
}

bool tls_identity_has(const char *name, bool signed_)
{
	const struct tls_identity *identity = atomic_load_explicit(&in_force, memory_order_acquire);

	for (size_t i = 0; identity && i < identity->count; i++) {
		X509 *certificate = SSL_CTX_get0_certificate(identity->contexts[i]);

		if (signed_ && signed_itself(certificate))
			continue;
		if (X509_check_host(certificate, name, 0, 0, NULL) == 1 ||
		    X509_check_ip_asc(certificate, name, 0) == 1)
			return true;
	}
	return false;
}

SSL *tls_identity_handshake(void)
{
	const struct tls_identity *identity = atomic_load_explicit(&in_force, memory_order_acquire);

	return identity ? SSL_new(identity->contexts[0]) : NULL;
}

SSL *tls_identity_handshake_of(const struct tls_identity *identity)
{
	return SSL_new(identity->contexts[0]);
}

int64_t tls_identity_ends(void)
{
	const struct tls_identity *identity = atomic_load_explicit(&in_force, memory_order_acquire);

	return identity ? identity->ends : 0;
}

void tls_identity_names(char *buf, size_t size)
{
	const struct tls_identity *identity = atomic_load_explicit(&in_force, memory_order_acquire);
	struct writer w = writer_of(buf, size - 1);
	GENERAL_NAMES *names = NULL;

	if (identity)
		names = X509_get_ext_d2i(SSL_CTX_get0_certificate(identity->contexts[0]),
					 NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		if (w.len)
			writer_str(&w, ", ");
		writer_put(&w, bytes_of(ASN1_STRING_get0_data(name->d.dNSName),
					(size_t)ASN1_STRING_length(name->d.dNSName)));
	}
	buf[w.len] = '\0';
	GENERAL_NAMES_free(names);
}

/* By its common name, or what there is instead. */
void tls_identity_issuer(char *buf, size_t size)
{
	const struct tls_identity *identity = atomic_load_explicit(&in_force, memory_order_acquire);
	X509 *certificate = identity ? SSL_CTX_get0_certificate(identity->contexts[0]) : NULL;
	X509_NAME *issuer;

	buf[0] = '\0';
	if (!certificate || signed_itself(certificate))
		return;
	issuer = X509_get_issuer_name(certificate);
	if (X509_NAME_get_text_by_NID(issuer, NID_commonName, buf, (int)size) <= 0 &&
	    X509_NAME_get_text_by_NID(issuer, NID_organizationName, buf, (int)size) <= 0)
		snprintf(buf, size, "somebody without a name");
}
