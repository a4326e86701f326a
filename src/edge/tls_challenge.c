#include "edge/tls_challenge.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/writer.h"
#include "edge/tls_self.h"

#define NAMES_MAX 100u
#define PROTOCOL  "\x0a"
#define OURS      PROTOCOL "acme-tls/1"

struct challenge {
	char name[256];
	SSL_CTX *context;
};

struct list {
	struct baton farewell;
	size_t count;
	struct challenge at[NAMES_MAX];
};

static _Atomic(struct list *) in_force;

/* --- the list ------------------------------------------------------------------------------- */

static void list_free(struct list *list)
{
	for (size_t i = 0; list && i < list->count; i++)
		SSL_CTX_free(list->at[i].context);
	free(list);
}

static void list_home(struct baton *baton)
{
	list_free(container_of(baton, struct list, farewell));
}

static void list_use(struct list *list)
{
	list = atomic_exchange_explicit(&in_force, list, memory_order_acq_rel);
	if (!list)
		return;
	list->farewell.visit = baton_pass;
	list->farewell.home = list_home;
	baton_send(&list->farewell);
}

/* Those of the list in force without this name, and one free place. NULL: no memory. */
static struct list *list_without(struct bytes name)
{
	const struct list *now = atomic_load_explicit(&in_force, memory_order_relaxed);
	struct list *list = calloc(1, sizeof *list);

	for (size_t i = 0; list && now && i < now->count; i++) {
		if (bytes_equal_nocase(name, bytes_str(now->at[i].name)) ||
		    !SSL_CTX_up_ref(now->at[i].context))
			continue;
		list->at[list->count++] = now->at[i];
	}
	return list;
}

SSL_CTX *tls_challenge_find(const char *name)
{
	const struct list *now = atomic_load_explicit(&in_force, memory_order_acquire);

	for (size_t i = 0; now && i < now->count; i++)
		if (bytes_equal_nocase(bytes_str(name), bytes_str(now->at[i].name)))
			return now->at[i].context;
	return NULL;
}

bool tls_challenge_asks(struct bytes alpn)
{
	return bytes_equal(alpn, BYTES("\0\x0b" OURS));
}

/* --- the certificate ------------------------------------------------------------------------ */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *argument)
{
	(void)ssl;
	(void)argument;
	if (!bytes_equal(bytes_of(in, in_len), BYTES(OURS)))
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = in + 1;
	*out_len = in[0];
	return SSL_TLSEXT_ERR_OK;
}

/* RFC 8737 section 3: id-pe-acmeIdentifier, critical, an octet string of 32 bytes. */
static X509_EXTENSION *identifier_make(struct bytes digest)
{
	uint8_t padded[64], raw[64];
	char value[160];
	struct writer w = writer_of(padded, sizeof padded);
	int n = snprintf(value, sizeof value, "critical,DER:04:20");

	for (size_t i = 0; i < digest.len; i++)
		writer_u8(&w, digest.at[i] == '-' ? '+' : digest.at[i] == '_' ? '/' : digest.at[i]);
	writer_u8(&w, '='); /* 32 bytes are 43 digits and this */
	if (digest.len != 43 || EVP_DecodeBlock(raw, padded, 44) != 33)
		return NULL;
	for (size_t i = 0; i < 32; i++)
		n += snprintf(value + n, sizeof value - (size_t)n, ":%02x", raw[i]);
	return X509V3_EXT_conf(NULL, NULL, "1.3.6.1.5.5.7.1.31", value);
}

static SSL_CTX *context_make(const char *name, struct bytes digest)
{
	const struct conf_list names = {&name, 1};
	X509_EXTENSION *identifier = identifier_make(digest);
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = NULL;
	bool made;

	if (key && identifier)
		certificate = tls_self_make(key, &names, 1, identifier);
	made = context && certificate && SSL_CTX_use_certificate(context, certificate) == 1 &&
	       SSL_CTX_use_PrivateKey(context, key) == 1;
	X509_free(certificate);
	EVP_PKEY_free(key);
	X509_EXTENSION_free(identifier);
	if (!made) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	return context;
}

/* --- what the authority asks ---------------------------------------------------------------- */

bool tls_challenge_begin(struct bytes name, struct bytes digest)
{
	struct list *list = list_without(name);
	struct challenge *challenge;

	if (!list || list->count == NAMES_MAX || name.len >= sizeof challenge->name) {
		list_free(list);
		return false;
	}
	challenge = &list->at[list->count];
	bytes_to_str(name, challenge->name, sizeof challenge->name);
	challenge->context = context_make(challenge->name, digest);
	if (!challenge->context) {
		list_free(list);
		return false;
	}
	list->count++;
	list_use(list);
	return true;
}

void tls_challenge_end(struct bytes name)
{
	struct list *list = list_without(name);

	if (list)
		list_use(list);
}

void tls_challenge_end_all(void)
{
	list_use(NULL);
}

void tls_challenge_fini(void)
{
	list_free(atomic_exchange_explicit(&in_force, NULL, memory_order_relaxed));
}
