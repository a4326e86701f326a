#include "edge/auth.h"

#include <crypt.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/check.h"
#include "core/metric.h"

#define KNOWN_COUNT 64u

struct digest {
	uint8_t at[AUTH_DIGEST_SIZE];
};

static uint8_t secret[AUTH_DIGEST_SIZE];
static_assert(sizeof secret == crypto_generichash_KEYBYTES, "of the length it is made for");

/* Digests of (stored, given) pairs that were found right, per loop. */
static _Thread_local struct digest known[KNOWN_COUNT];
static _Thread_local unsigned known_next;
static _Thread_local unsigned pending;

bool auth_init(void)
{
	if (sodium_init() == -1)
		return false;
	randombytes_buf(secret, sizeof secret);
	return true;
}

void auth_digest(uint8_t out[AUTH_DIGEST_SIZE], const struct bytes *parts, size_t count)
{
	auth_digest_by(secret, out, parts, count);
}

void auth_random(void *out, size_t size)
{
	randombytes_buf(out, size);
}

void auth_digest_by(const uint8_t key[AUTH_DIGEST_SIZE], uint8_t out[AUTH_DIGEST_SIZE],
		    const struct bytes *parts, size_t count)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, AUTH_DIGEST_SIZE, AUTH_DIGEST_SIZE);
	for (size_t i = 0; i < count; i++) {
		uint64_t len = parts[i].len;

		crypto_generichash_update(&state, (const uint8_t *)&len, sizeof len);
		crypto_generichash_update(&state, parts[i].at, parts[i].len);
	}
	crypto_generichash_final(&state, out, AUTH_DIGEST_SIZE);
}

void auth_hash(uint8_t out[AUTH_DIGEST_SIZE], const char *purpose, struct bytes given)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, AUTH_DIGEST_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
	crypto_generichash_update(&state, given.at, given.len);
	crypto_generichash_final(&state, out, AUTH_DIGEST_SIZE);
}

bool auth_same(const uint8_t a[AUTH_DIGEST_SIZE], const uint8_t b[AUTH_DIGEST_SIZE])
{
	return sodium_memcmp(a, b, AUTH_DIGEST_SIZE) == 0;
}

void auth_random_hex(char *out, size_t count)
{
	uint8_t random[64];

	CHECK(count <= sizeof random);
	randombytes_buf(random, count);
	sodium_bin2hex(out, 2 * count + 1, random, count);
	sodium_memzero(random, sizeof random);
}

static struct digest digest_of(struct bytes a, struct bytes b)
{
	struct bytes parts[] = {a, b};
	struct digest digest = {{0}};

	auth_digest(digest.at, parts, COUNT_OF(parts));
	return digest;
}

/* Hashing both first makes the time independent of where, and of what length, they differ. */
static bool same_text(struct bytes a, struct bytes b)
{
	struct digest x = digest_of(a, BYTES(""));
	struct digest y = digest_of(b, BYTES(""));

	return sodium_memcmp(x.at, y.at, sizeof x.at) == 0;
}

static bool is_known(const struct digest *digest)
{
	bool found = false;

	for (unsigned i = 0; i < KNOWN_COUNT; i++)
		found |= sodium_memcmp(known[i].at, digest->at, sizeof digest->at) == 0;
	return found;
}

bool auth_is_hash(struct bytes stored)
{
	static const char *const marks[] = {"$argon2", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$"};

	for (size_t i = 0; i < COUNT_OF(marks); i++)
		if (bytes_start_with(stored, bytes_str(marks[i])))
			return true;
	return false;
}

static_assert(crypto_pwhash_STRBYTES <= AUTH_STORED_MAX, "a hash fits");

bool auth_make(char stored[AUTH_STORED_MAX], const char *password)
{
	return crypto_pwhash_str_alg(stored, password, strlen(password), AUTH_ARGON_OPS,
				     AUTH_ARGON_MEMORY, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* crypt(3) ends a password at its first NUL. */
static bool crypt_fits(const char *stored, const char *given, size_t len)
{
	struct crypt_data *data = strlen(given) == len ? calloc(1, sizeof *data) : NULL;
	const char *made = data ? crypt_rn(given, stored, data, sizeof *data) : NULL;
	bool fits = made && strlen(made) == strlen(stored) &&
		    sodium_memcmp(made, stored, strlen(stored)) == 0;

	if (data)
		sodium_memzero(data, sizeof *data);
	free(data);
	return fits;
}

static void on_pool(uv_work_t *work)
{
	struct auth_check *check = container_of(work, struct auth_check, work);

	if (bytes_start_with(bytes_str(check->stored), BYTES("$argon2")))
		check->right = crypto_pwhash_str_verify(check->stored, check->given,
							check->given_len) == 0;
	else
		check->right = crypt_fits(check->stored, check->given, check->given_len);
}

static void on_done(uv_work_t *work, int status)
{
	struct auth_check *check = container_of(work, struct auth_check, work);
	bool right = status == 0 && check->right;

	pending--;
	if (right)
		known[known_next++ % KNOWN_COUNT] =
			digest_of(bytes_str(check->stored),
				  bytes_of(check->given, check->given_len));
	sodium_memzero(check->given, sizeof check->given);
	check->done(check, right ? AUTH_YES : AUTH_NO);
}

void auth_start(struct auth_check *check, uv_loop_t *loop, const char *stored, struct bytes given,
		void (*done)(struct auth_check *check, enum auth_result result))
{
	struct bytes wanted = bytes_str(stored);
	struct digest digest = {{0}};

	check->done = done;
	if (wanted.len == 0 || given.len >= AUTH_PASSWORD_MAX || wanted.len >= AUTH_STORED_MAX) {
		done(check, AUTH_NO);
		return;
	}
	if (!auth_is_hash(wanted)) {
		done(check, same_text(wanted, given) ? AUTH_YES : AUTH_NO);
		return;
	}
	digest = digest_of(wanted, given);
	if (is_known(&digest)) {
		done(check, AUTH_YES);
		return;
	}
	metric_add(METRIC_edge_password_hashes, 1);
	check->given_len = bytes_to_str(given, check->given, sizeof check->given);
	bytes_to_str(wanted, check->stored, sizeof check->stored);
	if (pending >= AUTH_PENDING_MAX ||
	    uv_queue_work(loop, &check->work, on_pool, on_done) != 0) {
		sodium_memzero(check->given, sizeof check->given);
		done(check, AUTH_BUSY);
		return;
	}
	pending++;
}
