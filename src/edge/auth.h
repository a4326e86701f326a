/* auth: is this the password? Constant-time, and never slow on a loop.
 *
 * A stored password is plain text (from a 0600 file, the command line), an argon2id string
 * ("$argon2id$…", RFC 9106), which is what is written here, or one that crypt(3) made in the last
 * twenty years (bcrypt, SHA-2, yescrypt). Plain ones are compared by keyed hash at once. Hashes are
 * checked on the thread pool, as they cost tens of milliseconds by design; what was found right is
 * remembered by keyed hash, so an encoder that sets a title every minute pays once.
 *
 * Thread: a loop's owner. The check is the caller's, at rest until done() is called. */
#pragma once

#include <uv.h>

#include "core/bytes.h"

#define AUTH_PASSWORD_MAX 256u
#define AUTH_STORED_MAX   256u
#define AUTH_PENDING_MAX  16u /* argon2 checks under way on one loop; memory-hard is memory-hungry */

enum auth_result { AUTH_YES, AUTH_NO, AUTH_BUSY };

struct auth_check {
	uv_work_t work;
	char stored[AUTH_STORED_MAX];
	char given[AUTH_PASSWORD_MAX];
	size_t given_len;
	bool right;
	void (*done)(struct auth_check *check, enum auth_result result);
};

#define AUTH_DIGEST_SIZE 32u

/* What auth_make() costs: RFC 9106 section 4 and OWASP's second choice. */
#define AUTH_ARGON_OPS    2u
#define AUTH_ARGON_MEMORY (19456u * 1024u)

/* Fits no password that anybody knows, at the same cost. Who has no account takes as long as who has. */
#define AUTH_STORED_NOBODY                                       \
	"$argon2id$v=19$m=19456,t=2,p=1$WtAmR/Byo36V04FvbicOgA$" \
	"HQd+3wwyVbOFpwMhelmhrkioAgDdSOFOfhbkVUjNJDQ"

/* Prepares libsodium and this process's key. Once, before threads. False: no entropy. */
bool auth_init(void);

/* Whether a stored password is a hash and no plain text. */
bool auth_is_hash(struct bytes stored);

/* An argon2id string of a password. Slow: on the thread pool. False: no memory. */
bool auth_make(char stored[AUTH_STORED_MAX], const char *password);

/* Calls done() now or later, on this thread. An empty stored password fits nobody. */
void auth_start(struct auth_check *check, uv_loop_t *loop, const char *stored, struct bytes given,
		void (*done)(struct auth_check *check, enum auth_result result));

/* A hash of these parts, each with its length, under a key of this process: for comparing secrets
 * and for tables that nobody outside can aim at. Any thread. */
void auth_digest(uint8_t out[AUTH_DIGEST_SIZE], const struct bytes *parts, size_t count);

/* The same under another key, which must be random. */
void auth_digest_by(const uint8_t key[AUTH_DIGEST_SIZE], uint8_t out[AUTH_DIGEST_SIZE],
		    const struct bytes *parts, size_t count);
void auth_random(void *out, size_t size);

/* The same without a key, for what must be found again after a restart: tokens and cookies, which
 * are random enough not to be guessed from it. purpose keeps two uses of one secret apart. */
void auth_hash(uint8_t out[AUTH_DIGEST_SIZE], const char *purpose, struct bytes secret);

/* Whether two digests are the same, in a time that does not tell where they differ. */
bool auth_same(const uint8_t a[AUTH_DIGEST_SIZE], const uint8_t b[AUTH_DIGEST_SIZE]);

/* 2 * count hexadecimal digits of random bytes and a NUL. */
void auth_random_hex(char *out, size_t count);
