#include "sfu/srtp_fast.h"

#if HAVE_IPSEC_MB

#	include <dlfcn.h>
#	include <intel-ipsec-mb.h>
#	include <openssl/crypto.h>
#	include <stdatomic.h>
#	include <stdlib.h>

#	include "core/cache.h"

#	define LINE       64u
#	define COPIES_MAX 8u /* the dynamic linker has room for eleven, with what else is there */

/* Aligned stores go to it, which its header does not say. */
struct fast_key {
	_Alignas(LINE) struct gcm_key_data data;
};

/* Each call of the library clears an error number that is one for the whole process: with all workers on
 * one copy of it they write one line of memory in turns, a third of the price with two of them and
 * more with each. So each has a copy, of which all but 260 kB is the same memory. */
static IMB_MGR *managers[COPIES_MAX];
static unsigned copies;
static atomic_uint threads;
static _Thread_local IMB_MGR *mine;
static bool is_open;

/* What a function's address is as a pointer to data (POSIX, dlsym). */
static bool find(void *library, const char *name, void *function, size_t size)
{
	void *at = dlsym(library, name);

	if (at)
		memcpy(function, &at, size);
	return at;
}

static IMB_MGR *load(Lmid_t where)
{
	IMB_MGR *(*alloc)(uint64_t flags);
	void (*init)(IMB_MGR * state, IMB_ARCH * arch);
	void *library = dlmopen(where, "libIPSec_MB.so.1", RTLD_NOW | RTLD_LOCAL);
	IMB_MGR *made;

	if (!library)
		return NULL;
	if (!find(library, "alloc_mb_mgr", &alloc, sizeof alloc) ||
	    !find(library, "init_mb_mgr_auto", &init, sizeof init) || !(made = alloc(0))) {
		dlclose(library);
		return NULL;
	}
	init(made, NULL);
	return made;
}

bool fast_open(unsigned workers)
{
	while (copies < workers && copies < COPIES_MAX) {
		IMB_MGR *made = load(copies ? LM_ID_NEWLM : LM_ID_BASE);

		if (!made)
			break;
		managers[copies++] = made;
	}
	is_open = copies && managers[0]->features & IMB_FEATURE_AESNI && managers[0]->gcm128_enc &&
		  managers[0]->gcm128_dec && managers[0]->gcm128_pre;
	return is_open;
}

static IMB_MGR *manager(void)
{
	if (!mine)
		mine = managers[atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) %
				copies];
	return mine;
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
	IMB_AES128_GCM_PRE(manager(), key, &made->data);
	return made;
}

void fast_key_destroy(struct fast_key *key)
{
	if (!key)
		return;
	OPENSSL_cleanse(key, sizeof *key);
	free(key);
}

void fast_fetch(const struct fast_key *key)
{
	cache_fetch(key, sizeof *key);
}

void fast_seal(const struct fast_key *key, const uint8_t iv[12], struct bytes aad, struct bytes in,
	       uint8_t *out)
{
	_Alignas(LINE) struct gcm_context_data context;

	IMB_AES128_GCM_ENC(manager(), &key->data, &context, out, in.at, in.len, iv, aad.at, aad.len,
			   out + in.len, FAST_TAG);
}

void fast_seal_once(const uint8_t key[16], const uint8_t iv[12], struct bytes aad, struct bytes in,
		    uint8_t *out)
{
	struct fast_key once;

	IMB_AES128_GCM_PRE(manager(), key, &once.data);
	fast_seal(&once, iv, aad, in, out);
	OPENSSL_cleanse(&once, sizeof once);
}

bool fast_unseal_once(const uint8_t key[16], const uint8_t iv[12], struct bytes aad,
		      struct bytes in, uint8_t *out)
{
	size_t len = in.len - FAST_TAG;
	_Alignas(LINE) struct gcm_context_data context;
	struct fast_key once;
	uint8_t tag[FAST_TAG];

	if (in.len < FAST_TAG)
		return false;
	IMB_AES128_GCM_PRE(manager(), key, &once.data);
	IMB_AES128_GCM_DEC(manager(), &once.data, &context, out, in.at, len, iv, aad.at, aad.len,
			   tag, FAST_TAG);
	OPENSSL_cleanse(&once, sizeof once);
	return CRYPTO_memcmp(tag, in.at + len, FAST_TAG) == 0;
}

#else

bool fast_open(unsigned workers)
{
	(void)workers;
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

void fast_fetch(const struct fast_key *key)
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

void fast_seal_once(const uint8_t key[16], const uint8_t iv[12], struct bytes aad, struct bytes in,
		    uint8_t *out)
{
	(void)key;
	(void)iv;
	(void)aad;
	(void)in;
	(void)out;
}

bool fast_unseal_once(const uint8_t key[16], const uint8_t iv[12], struct bytes aad,
		      struct bytes in, uint8_t *out)
{
	(void)key;
	(void)iv;
	(void)aad;
	(void)in;
	(void)out;
	return false;
}

#endif
