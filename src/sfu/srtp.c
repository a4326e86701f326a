/* HMAC with the key worked in once is a third of the price of what OpenSSL 3 offers instead. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "sfu/srtp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "core/reader.h"
#include "core/writer.h"
#include "sfu/proto/rtp.h"
#include "sfu/srtp_fast.h"

#define GCM_TAG   16u
#define SHA1_TAG  10u
#define SHA1_KEY  20u
#define RTCP_HEAD 8u /* in the clear */
#define RTCP_AAD  (RTCP_HEAD + 4u)
#define E_BIT     0x80000000u

struct srtp_mac {
	SHA_CTX inner, outer;
};

enum { MAC_RTP, MAC_RTCP };

/* --- keys (RFC 3711 4.3) -------------------------------------------------------------------------- */

enum { LABEL_KEY, LABEL_AUTH, LABEL_SALT, LABEL_RTCP_KEY, LABEL_RTCP_AUTH, LABEL_RTCP_SALT };

static bool derive(const uint8_t *key, const uint8_t master_salt[SRTP_SALT_MAX], uint8_t label,
		   uint8_t *out, size_t len)
{
	static const uint8_t zeroes[32];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = {0}, stream[32];
	int n;
	bool good;

	memcpy(iv, master_salt, SRTP_SALT_MAX);
	iv[7] ^= label;
	good = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, key, iv) == 1 &&
	       EVP_EncryptUpdate(ctx, stream, &n, zeroes, sizeof zeroes) == 1;
	if (good)
		memcpy(out, stream, len);
	OPENSSL_cleanse(stream, sizeof stream);
	EVP_CIPHER_CTX_free(ctx);
	return good;
}

static void mac_set(struct srtp_mac *mac, const uint8_t key[SHA1_KEY])
{
	uint8_t pad[SHA_CBLOCK];

	memset(pad, 0x36, sizeof pad);
	for (size_t i = 0; i < SHA1_KEY; i++)
		pad[i] ^= key[i];
	SHA1_Init(&mac->inner);
	SHA1_Update(&mac->inner, pad, sizeof pad);
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA1_Init(&mac->outer);
	SHA1_Update(&mac->outer, pad, sizeof pad);
	OPENSSL_cleanse(pad, sizeof pad);
}

static void mac_of(const struct srtp_mac *mac, struct bytes in, struct bytes more,
		   uint8_t out[SHA_DIGEST_LENGTH])
{
	SHA_CTX ctx = mac->inner;

	SHA1_Update(&ctx, in.at, in.len);
	SHA1_Update(&ctx, more.at, more.len);
	SHA1_Final(out, &ctx);
	ctx = mac->outer;
	SHA1_Update(&ctx, out, SHA_DIGEST_LENGTH);
	SHA1_Final(out, &ctx);
}

static bool derive_macs(struct srtp *srtp, const uint8_t *key, const uint8_t *salt)
{
	uint8_t auth[SHA1_KEY];
	bool good;

	srtp->mac = calloc(2, sizeof *srtp->mac);
	good = srtp->mac && derive(key, salt, LABEL_AUTH, auth, sizeof auth);
	if (good)
		mac_set(&srtp->mac[MAC_RTP], auth);
	good = good && derive(key, salt, LABEL_RTCP_AUTH, auth, sizeof auth);
	if (good)
		mac_set(&srtp->mac[MAC_RTCP], auth);
	OPENSSL_cleanse(auth, sizeof auth);
	return good;
}

size_t srtp_salt_len(enum srtp_profile profile)
{
	return profile == SRTP_GCM_128 ? 12 : 14;
}

size_t srtp_tag_len(enum srtp_profile profile)
{
	return profile == SRTP_GCM_128 ? GCM_TAG : SHA1_TAG;
}

static const EVP_CIPHER *cipher_of(enum srtp_profile profile)
{
	return profile == SRTP_GCM_128 ? EVP_aes_128_gcm() : EVP_aes_128_ctr();
}

/* The cipher, and for what comes a place for each source; at the first packet. */
static bool cipher_begin(struct srtp *srtp)
{
	EVP_CIPHER_CTX *ctx;

	if (srtp->seals && srtp->profile == SRTP_GCM_128)
		srtp->fast = fast_key_create(srtp->key);
	if (srtp->fast)
		return true;
	ctx = EVP_CIPHER_CTX_new();
	if (!srtp->seals && !srtp->source)
		srtp->source = calloc(SRTP_SOURCES, sizeof *srtp->source);
	if (!ctx || (!srtp->seals && !srtp->source) ||
	    EVP_CipherInit_ex(ctx, cipher_of(srtp->profile), NULL, srtp->key, NULL, srtp->seals) !=
		    1) {
		EVP_CIPHER_CTX_free(ctx);
		return false;
	}
	srtp->cipher = ctx;
	return true;
}

int srtp_open(struct srtp *srtp, enum srtp_profile profile, bool seals, const uint8_t *key,
	      const uint8_t *salt)
{
	/* RFC 7714 11: the shorter salt is filled up with zeroes on the right. */
	uint8_t master_salt[SRTP_SALT_MAX] = {0};
	bool good;

	*srtp = (struct srtp){.profile = profile, .seals = seals};
	memcpy(master_salt, salt, srtp_salt_len(profile));
	good = derive(key, master_salt, LABEL_KEY, srtp->key, SRTP_KEY) &&
	       derive(key, master_salt, LABEL_SALT, srtp->salt, srtp_salt_len(profile)) &&
	       derive(key, master_salt, LABEL_RTCP_KEY, srtp->rtcp_key, SRTP_KEY) &&
	       derive(key, master_salt, LABEL_RTCP_SALT, srtp->rtcp_salt, srtp_salt_len(profile)) &&
	       (profile == SRTP_GCM_128 || derive_macs(srtp, key, master_salt));
	if (good)
		return 0;
	srtp_close(srtp);
	return -ENOMEM;
}

void srtp_close(struct srtp *srtp)
{
	EVP_CIPHER_CTX_free(srtp->cipher);
	fast_key_destroy(srtp->fast);
	if (srtp->mac)
		OPENSSL_cleanse(srtp->mac, 2 * sizeof *srtp->mac);
	free(srtp->mac);
	free(srtp->source);
	free(srtp->rtcp_source);
	OPENSSL_cleanse(srtp, sizeof *srtp);
	memset(srtp, 0, sizeof *srtp);
}

/* --- ciphers ------------------------------------------------------------------------------------- */

/* RFC 7714 8.1: 0 0 SSRC ROC SEQ; 9.1: 0 0 SSRC 0 0 index. Both end in 48 bits of index. */
static void gcm_iv(const uint8_t *salt, uint32_t ssrc, uint64_t index, uint8_t iv[12])
{
	struct writer w = writer_of(iv, 12);

	/* In words, as what was written in smaller pieces is waited for before it is read in larger ones. */
	writer_be(&w, (uint64_t)ssrc << 16 | (index >> 32 & 0xffff), 8);
	writer_be(&w, index, 4);
	for (unsigned i = 0; i < 12; i++)
		iv[i] ^= salt[i];
}

/* RFC 3711 4.1.1 */
static void cm_iv(const uint8_t *salt, uint32_t ssrc, uint64_t index, uint8_t iv[16])
{
	struct writer w = writer_of(iv, 16);

	writer_be(&w, ssrc, 8);
	writer_be(&w, index << 16, 8);
	for (unsigned i = 0; i < 14; i++)
		iv[i] ^= salt[i];
}

static bool gcm_seal(EVP_CIPHER_CTX *ctx, const uint8_t iv[12], struct bytes aad, struct bytes in,
		     uint8_t *out)
{
	int n, end;

	return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &n, aad.at, (int)aad.len) == 1 &&
	       EVP_EncryptUpdate(ctx, out, &n, in.at, (int)in.len) == 1 &&
	       EVP_EncryptFinal_ex(ctx, out + n, &end) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, out + in.len) == 1;
}

/* in: with the tag behind it. */
static bool gcm_unseal(EVP_CIPHER_CTX *ctx, const uint8_t iv[12], struct bytes aad, struct bytes in,
		       uint8_t *out)
{
	int n, end, len = (int)(in.len - GCM_TAG);

	return EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, iv) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG,
				   (void *)(uintptr_t)(in.at + len)) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &n, aad.at, (int)aad.len) == 1 &&
	       EVP_DecryptUpdate(ctx, out, &n, in.at, len) == 1 &&
	       EVP_DecryptFinal_ex(ctx, out + n, &end) == 1;
}

/* Counter mode is its own inverse; the direction that the context has does not matter. */
static bool cm_crypt(EVP_CIPHER_CTX *ctx, const uint8_t iv[16], struct bytes in, uint8_t *out)
{
	int n;

	return EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, -1) == 1 &&
	       EVP_CipherUpdate(ctx, out, &n, in.at, (int)in.len) == 1;
}

static void cm_tag(const struct srtp *srtp, struct bytes in, uint64_t index,
		   uint8_t out[SHA_DIGEST_LENGTH])
{
	uint8_t roc[4];
	struct writer w = writer_of(roc, sizeof roc);

	writer_be(&w, index >> 16, 4);
	mac_of(&srtp->mac[MAC_RTP], in, bytes_of(roc, sizeof roc), out);
}

/* --- RTP ---------------------------------------------------------------------------------------- */

size_t srtp_seal(struct srtp *srtp, struct bytes header, struct bytes payload, uint32_t ssrc,
		 uint64_t index, uint8_t *out)
{
	uint8_t iv[16], tag[SHA_DIGEST_LENGTH];
	uint8_t *at = out + header.len;
	size_t len = header.len + payload.len;

	if (!srtp->fast && !srtp->cipher && !cipher_begin(srtp))
		return 0;
	if (header.at != out)
		memcpy(out, header.at, header.len);
	if (srtp->profile == SRTP_GCM_128) {
		struct bytes aad = bytes_of(out, header.len);

		gcm_iv(srtp->salt, ssrc, index, iv);
		if (srtp->fast) {
			fast_seal(srtp->fast, iv, aad, payload, at);
			return len + GCM_TAG;
		}
		return gcm_seal(srtp->cipher, iv, aad, payload, at) ? len + GCM_TAG : 0;
	}
	cm_iv(srtp->salt, ssrc, index, iv);
	if (!cm_crypt(srtp->cipher, iv, payload, at))
		return 0;
	cm_tag(srtp, bytes_of(out, len), index, tag);
	memcpy(out + len, tag, SHA1_TAG);
	return len + SHA1_TAG;
}

void srtp_fetch(const struct srtp *srtp)
{
	if (srtp->fast)
		fast_fetch(srtp->fast);
}

/* Where that source is noted; a free place for one that is new. NULL: there is none. */
static struct srtp_source *source_of(struct srtp_source *source, unsigned count, uint32_t ssrc)
{
	for (unsigned i = 0; i < count; i++)
		if (!source[i].begun || source[i].ssrc == ssrc)
			return &source[i];
	return NULL;
}

/* RFC 3711 3.3.1: the rollover counter with which the number lies nearest to the highest. */
static uint64_t guess_index(const struct srtp_source *source, uint16_t seq)
{
	int64_t at =
		(int64_t)source->highest + (int16_t)(uint16_t)(seq - (uint16_t)source->highest);

	if (!source->begun)
		return seq;
	return at < 0 ? seq : (uint64_t)at;
}

static bool is_replay(const struct srtp_source *source, uint64_t index)
{
	uint64_t back = source->highest - index;

	return source->begun && index <= source->highest &&
	       (back >= 64 || source->window & (uint64_t)1 << back);
}

static void note_index(struct srtp_source *source, uint32_t ssrc, uint64_t index)
{
	if (!source->begun) {
		*source = (struct srtp_source){ssrc, true, index, 1};
		return;
	}
	if (index > source->highest) {
		uint64_t on = index - source->highest;

		source->window = on < 64 ? source->window << on | 1 : 1;
		source->highest = index;
	} else {
		source->window |= (uint64_t)1 << (source->highest - index);
	}
}

static bool open_gcm(struct srtp *srtp, const struct rtp *rtp, uint64_t index, uint8_t *out)
{
	uint8_t iv[12];

	gcm_iv(srtp->salt, rtp->ssrc, index, iv);
	return rtp->payload.len >= GCM_TAG &&
	       gcm_unseal(srtp->cipher, iv, rtp->header, rtp->payload, out + rtp->header.len);
}

static bool open_cm(struct srtp *srtp, struct bytes in, const struct rtp *rtp, uint64_t index,
		    uint8_t *out)
{
	uint8_t iv[16], tag[SHA_DIGEST_LENGTH];
	struct bytes body = rtp->payload;

	if (body.len < SHA1_TAG)
		return false;
	body.len -= SHA1_TAG;
	cm_tag(srtp, bytes_first(in, in.len - SHA1_TAG), index, tag);
	if (CRYPTO_memcmp(tag, body.at + body.len, SHA1_TAG) != 0)
		return false;
	cm_iv(srtp->salt, rtp->ssrc, index, iv);
	return cm_crypt(srtp->cipher, iv, body, out + rtp->header.len);
}

enum srtp_status srtp_unseal(struct srtp *srtp, struct bytes in, uint8_t *out, size_t *len)
{
	struct srtp_source *source;
	struct rtp rtp;
	uint64_t index;

	if (!rtp_parse_header(in, &rtp) || (!srtp->cipher && !cipher_begin(srtp)))
		return SRTP_BAD;
	source = source_of(srtp->source, SRTP_SOURCES, rtp.ssrc);
	if (!source)
		return SRTP_FULL;
	index = guess_index(source, rtp.seq);
	if (is_replay(source, index))
		return SRTP_REPLAY;
	if (srtp->profile == SRTP_GCM_128 ? !open_gcm(srtp, &rtp, index, out)
					  : !open_cm(srtp, in, &rtp, index, out))
		return SRTP_BAD;
	memcpy(out, in.at, rtp.header.len);
	note_index(source, rtp.ssrc, index);
	*len = in.len - srtp_tag_len(srtp->profile);
	return SRTP_OK;
}

/* --- RTCP --------------------------------------------------------------------------------------- */

/* One context a thread: a key is worked in at each use. */
static _Thread_local EVP_CIPHER_CTX *rtcp_ctx;

void srtp_thread_end(void)
{
	EVP_CIPHER_CTX_free(rtcp_ctx);
	rtcp_ctx = NULL;
}

static EVP_CIPHER_CTX *rtcp_context(const struct srtp *srtp)
{
	if (!rtcp_ctx)
		rtcp_ctx = EVP_CIPHER_CTX_new();
	if (!rtcp_ctx || EVP_CipherInit_ex(rtcp_ctx, cipher_of(srtp->profile), NULL, srtp->rtcp_key,
					   NULL, srtp->seals) != 1)
		return NULL;
	return rtcp_ctx;
}

/* RFC 7714 9.2: the header and the word of E bit and index are authenticated. */
static struct bytes rtcp_aad(const uint8_t *header, const uint8_t word[4], uint8_t aad[RTCP_AAD])
{
	memcpy(aad, header, RTCP_HEAD);
	memcpy(aad + RTCP_HEAD, word, 4);
	return bytes_of(aad, RTCP_AAD);
}

static bool seal_rtcp_gcm(const struct srtp *srtp, const uint8_t iv[12], struct bytes aad,
			  struct bytes body, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;

	if (fast_is_open()) {
		fast_seal_once(srtp->rtcp_key, iv, aad, body, out);
		return true;
	}
	ctx = rtcp_context(srtp);
	return ctx && gcm_seal(ctx, iv, aad, body, out);
}

static bool seal_rtcp_cm(const struct srtp *srtp, const uint8_t iv[16], struct bytes body,
			 uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = rtcp_context(srtp);

	return ctx && cm_crypt(ctx, iv, body, out);
}

size_t srtcp_seal(struct srtp *srtp, struct bytes in, uint8_t *out)
{
	struct reader r = reader_of(bytes_skip(in, 4));
	uint32_t ssrc = reader_be32(&r), index = srtp->rtcp_index++ & ~E_BIT;
	uint8_t iv[16], word[4], aad[RTCP_AAD], tag[SHA_DIGEST_LENGTH];
	struct writer w = writer_of(word, sizeof word);
	struct bytes body = bytes_skip(in, RTCP_HEAD);

	if (!reader_ok(&r))
		return 0;
	writer_be(&w, index | E_BIT, 4);
	memcpy(out, in.at, RTCP_HEAD);
	if (srtp->profile == SRTP_GCM_128) {
		gcm_iv(srtp->rtcp_salt, ssrc, index, iv);
		if (!seal_rtcp_gcm(srtp, iv, rtcp_aad(out, word, aad), body, out + RTCP_HEAD))
			return 0;
		memcpy(out + in.len + GCM_TAG, word, 4);
		return in.len + GCM_TAG + 4;
	}
	cm_iv(srtp->rtcp_salt, ssrc, index, iv);
	if (!seal_rtcp_cm(srtp, iv, body, out + RTCP_HEAD))
		return 0;
	memcpy(out + in.len, word, 4);
	mac_of(&srtp->mac[MAC_RTCP], bytes_of(out, in.len + 4), (struct bytes){NULL, 0}, tag);
	memcpy(out + in.len + 4, tag, SHA1_TAG);
	return in.len + 4 + SHA1_TAG;
}

static bool open_rtcp_gcm(const struct srtp *srtp, struct bytes in, uint32_t ssrc, uint32_t word,
			  uint8_t *out)
{
	struct bytes body = bytes_of(in.at + RTCP_HEAD, in.len - RTCP_HEAD - 4), aad;
	uint8_t iv[12], room[RTCP_AAD];
	EVP_CIPHER_CTX *ctx;

	if (!(word & E_BIT))
		return false;
	gcm_iv(srtp->rtcp_salt, ssrc, word & ~E_BIT, iv);
	aad = rtcp_aad(in.at, in.at + in.len - 4, room);
	if (fast_is_open())
		return fast_unseal_once(srtp->rtcp_key, iv, aad, body, out + RTCP_HEAD);
	ctx = rtcp_context(srtp);
	return ctx && gcm_unseal(ctx, iv, aad, body, out + RTCP_HEAD);
}

static bool open_rtcp_cm(const struct srtp *srtp, struct bytes in, uint32_t ssrc, uint32_t word,
			 uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	struct bytes signed_part = bytes_first(in, in.len - SHA1_TAG);
	struct bytes body = bytes_of(in.at + RTCP_HEAD, signed_part.len - RTCP_HEAD - 4);
	uint8_t iv[16], tag[SHA_DIGEST_LENGTH];

	mac_of(&srtp->mac[MAC_RTCP], signed_part, (struct bytes){NULL, 0}, tag);
	if (CRYPTO_memcmp(tag, in.at + signed_part.len, SHA1_TAG) != 0)
		return false;
	if (!(word & E_BIT)) {
		memcpy(out + RTCP_HEAD, body.at, body.len);
		return true;
	}
	cm_iv(srtp->rtcp_salt, ssrc, word & ~E_BIT, iv);
	ctx = rtcp_context(srtp);
	return ctx && cm_crypt(ctx, iv, body, out + RTCP_HEAD);
}

enum srtp_status srtcp_unseal(struct srtp *srtp, struct bytes in, uint8_t *out, size_t *len)
{
	bool gcm = srtp->profile == SRTP_GCM_128;
	size_t behind = srtp_tag_len(srtp->profile) + 4;
	struct srtp_source *source;
	uint32_t ssrc, word;
	struct reader r;

	if (!srtp->rtcp_source)
		srtp->rtcp_source = calloc(SRTCP_SOURCES, sizeof *srtp->rtcp_source);
	if (in.len < RTCP_HEAD + behind || !srtp->rtcp_source)
		return SRTP_BAD;
	r = reader_of(bytes_skip(in, 4));
	ssrc = reader_be32(&r);
	r = reader_of(bytes_skip(in, gcm ? in.len - 4 : in.len - behind));
	word = reader_be32(&r);
	/* RFC 3711 3.2.1: each source numbers by itself. */
	source = source_of(srtp->rtcp_source, SRTCP_SOURCES, ssrc);
	if (!source)
		return SRTP_FULL;
	if (is_replay(source, word & ~E_BIT))
		return SRTP_REPLAY;
	if (gcm ? !open_rtcp_gcm(srtp, in, ssrc, word, out)
		: !open_rtcp_cm(srtp, in, ssrc, word, out))
		return SRTP_BAD;
	memcpy(out, in.at, RTCP_HEAD);
	note_index(source, ssrc, word & ~E_BIT);
	*len = in.len - behind;
	return SRTP_OK;
}
