#include "sfu/srtp_fast.h"

#if HAVE_IPSEC_MB

#	include <dlfcn.h>
#	include <intel-ipsec-mb.h>
#	include <openssl/crypto.h>
#	include <stdlib.h>

#	define LINE 64u /* bytes that its key tables are laid out for */

struct fast_key {
	struct gcm_key_data data;
};

static IMB_MGR *manager;
static bool is_open;

/* What a function's address is as a pointer to data (POSIX, dlsym). */
static bool find(void *library, const char *name, void *function, size_t size)
{
	void *at = dlsym(library, name);

	if (at)
		memcpy(function, &at, size);
	return at;
}

bool fast_open(void)
{
	IMB_MGR *(*alloc)(uint64_t flags);
	void (*init)(IMB_MGR * state, IMB_ARCH * arch);
	void *library;

	if (!manager) {
		library = dlopen("libIPSec_MB.so.1", RTLD_NOW | RTLD_LOCAL);
		if (!library)
			return false;
		if (!find(library, "alloc_mb_mgr", &alloc, sizeof alloc) ||
		    !find(library, "init_mb_mgr_auto", &init, sizeof init) ||
		    !(manager = alloc(0))) {
			dlclose(library);
			return false;
		}
		init(manager, NULL);
	}
	is_open =
		manager->features & IMB_FEATURE_AESNI && manager->gcm128_enc && manager->gcm128_pre;
	return is_open;
}

void fast_close(void)
{
	is_open = false;
}

bool fast_is_open(void)
{
	return is_open;
}

struct fast_key *fast_key_create(const uint8_t key[16])
{
	struct fast_key *made = NULL;

	if (!is_open || posix_memalign((void **)&made, LINE, sizeof *made))
		return NULL;
	IMB_AES128_GCM_PRE(manager, key, &made->data);
	return made;
}

void fast_key_destroy(struct fast_key *key)
{
	if (!key)
		return;
	OPENSSL_cleanse(key, sizeof *key);
	free(key);
}

void fast_seal(const struct fast_key *key, const uint8_t iv[12], struct bytes aad, struct bytes in,
	       uint8_t *out)
{
	struct gcm_context_data context;

	IMB_AES128_GCM_ENC(manager, &key->data, &context, out, in.at, in.len, iv, aad.at, aad.len,
			   out + in.len, 16);
}

#else

bool fast_open(void)
{
	return false;
}

void fast_close(void)
{
}

bool fast_is_open(void)
{
	return false;
}

struct fast_key *fast_key_create(const uint8_t key[16])
{
	(void)key;
	return NULL;
}

void fast_key_destroy(struct fast_key *key)
{
	(void)key;
}

void fast_seal(const struct fast_key *key, const uint8_t iv[12], struct bytes aad, struct bytes in,
	       uint8_t *out)
{
	(void)key;
	(void)iv;
	(void)aad;
	(void)in;
	(void)out;
}

#endif
