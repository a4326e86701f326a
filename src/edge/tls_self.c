#include "edge/tls_self.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "core/writer.h"

/* "DNS:radio.example,DNS:live.example", as OpenSSL reads it. */
static bool add_names(X509 *certificate, const struct conf_list *names)
{
	char room[8192];
	struct writer w = writer_of(room, sizeof room - 1);
	X509_EXTENSION *extension;
	bool added;

	for (size_t i = 0; i < names->count; i++) {
		ASN1_OCTET_STRING *ip = a2i_IPADDRESS(names->at[i]);

		writer_str(&w, i ? "," : "");
		writer_str(&w, ip ? "IP:" : "DNS:");
		ASN1_OCTET_STRING_free(ip);
		writer_str(&w, names->at[i]);
	}
	if (!writer_ok(&w))
		return false;
	room[w.len] = '\0';
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, room);
	added = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const struct conf_list *names, int days,
		 X509_EXTENSION *extension)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	uint64_t serial;

	return RAND_bytes((void *)&serial, sizeof serial) == 1 &&
	       X509_set_version(certificate, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * 86400) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					  (const unsigned char *)"ringmain, self-signed", -1, -1,
					  0) == 1 &&
	       X509_set_issuer_name(certificate, subject) == 1 &&
	       X509_set_pubkey(certificate, key) == 1 && add_names(certificate, names) &&
	       (!extension || X509_add_ext(certificate, extension, -1) == 1) &&
	       /* Ed25519 hashes by itself (RFC 8032). */
	       X509_sign(certificate, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0;
}

X509 *tls_self_make(EVP_PKEY *key, const struct conf_list *names, int days,
		    X509_EXTENSION *extension)
{
	X509 *certificate = X509_new();

	if (certificate && fill(certificate, key, names, days, extension))
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool write_pem(const char *file, X509 *certificate, EVP_PKEY *key)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *out = fd == -1 ? NULL : fdopen(fd, "w");
	bool written;

	if (!out)
		return false;
	written = PEM_write_X509(out, certificate) == 1 &&
		  PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
	return fclose(out) == 0 && written;
}

bool tls_self_write(const char *file, const struct conf_list *names, int days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = key ? tls_self_make(key, names, days, NULL) : NULL;
	bool written;

	errno = ENOMEM;
	written = certificate && write_pem(file, certificate, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return written;
}
