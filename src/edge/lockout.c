#include "edge/lockout.h"

#include <pthread.h>

#include "core/check.h"
#include "core/estate.h"
#include "core/log.h"
#include "edge/auth.h"

#define WAYS        8u
#define RECENT      4u
#define LAYOUT      1u
#define DOUBLES_MAX 7u /* the longest wait is 128 times the first */

struct lock {
	uint64_t key; /* 0: free */
	uint64_t failures;
	mono_t last;
	mono_t until;
	uint64_t recent[RECENT]; /* pairs that were wrong, the newest first */
};

struct good {
	uint64_t key; /* of address and pair; 0: free */
	mono_t last;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct lock addresses[LOCKOUT_ADDRESSES]; /* under mutex, as all here */
static struct lock accounts[LOCKOUT_ACCOUNTS];

/* What the next server has too. */
struct book {
	uint64_t in_use;
	uint8_t key[AUTH_DIGEST_SIZE];
	uint8_t pad[24];
	struct good goods[LOCKOUT_GOOD];
};

static_assert(sizeof(struct book) % 64 == 0, "rows are whole cache lines");

static const struct estate_kind kind_of_book = {
	.name = "lockout",
	.layout = LAYOUT,
	.row_size = sizeof(struct book),
};

static struct table books;
static struct book *book; /* NULL: there is none, and goods are our own */
static struct good own_goods[LOCKOUT_GOOD];
static struct good *goods = own_goods;

void lockout_know(void)
{
	estate_know(&kind_of_book);
}

void lockout_start(void)
{
	int error = estate_table(&books, &kind_of_book, 0, 1);
	uint32_t number;

	if (error) {
		log_warn_code(error, "edge",
			      "who was right lately is not kept for the next server");
		return;
	}
	book = table_settled(&books, 0);
	if (!book) {
		book = table_take(&books, &number);
		CHECK(book && number == 0);
		auth_random(book->key, sizeof book->key);
		table_settle(&books, number);
	}
	goods = book->goods;
}

/* --- keys ----------------------------------------------------------------------------------- */

static uint64_t key_of(const struct bytes *parts, size_t count)
{
	uint8_t digest[AUTH_DIGEST_SIZE];
	uint64_t key;

	if (book)
		auth_digest_by(book->key, digest, parts, count);
	else
		auth_digest(digest, parts, count);
	memcpy(&key, digest, sizeof key);
	return key ? key : 1;
}

static uint64_t key_of_kind(enum lockout_kind kind, struct bytes what)
{
	uint8_t number = (uint8_t)kind;
	struct bytes parts[] = {bytes_of(&number, 1), what};

	return key_of(parts, COUNT_OF(parts));
}

static uint64_t address_key(enum lockout_kind kind, const struct address *peer)
{
	return key_of_kind(kind, bytes_of(peer->ip, address_is_v4(peer) ? 16 : 8));
}

struct lockout_try lockout_try_of(enum lockout_kind kind, const struct address *peer,
				  struct bytes account, const struct bytes *credentials,
				  size_t count)
{
	uint64_t whose = key_of_kind(kind, account), what = key_of(credentials, count);
	uint64_t both[] = {whose, what};
	struct bytes pair = bytes_of(both, sizeof both);

	return (struct lockout_try){
		.address = address_key(kind, peer), .account = whose, .pair = key_of(&pair, 1)};
}

static uint64_t good_key(const struct lockout_try *try)
{
	struct bytes part = bytes_of(try, sizeof *try);

	return key_of(&part, 1);
}

/* --- tables --------------------------------------------------------------------------------- */

static struct lock *lock_find(struct lock *table, size_t size, uint64_t key)
{
	struct lock *set = table + key % (size / WAYS) * WAYS;

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* The entry of this key, a fresh one where there is none. */
static struct lock *lock_take(struct lock *table, size_t size, uint64_t key)
{
	struct lock *set = table + key % (size / WAYS) * WAYS;
	struct lock *lock = lock_find(table, size, key);

	if (lock)
		return lock;
	lock = set;
	for (unsigned i = 0; i < WAYS && lock->key; i++)
		if (!set[i].key || mono_before(set[i].last, lock->last))
			lock = &set[i];
	*lock = (struct lock){.key = key};
	return lock;
}

static struct good *good_find(uint64_t key)
{
	struct good *set = goods + key % (LOCKOUT_GOOD / WAYS) * WAYS;

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

static void good_put(uint64_t key, mono_t now)
{
	struct good *set = goods + key % (LOCKOUT_GOOD / WAYS) * WAYS;
	struct good *good = good_find(key);

	if (!good) {
		good = set;
		for (unsigned i = 0; i < WAYS && good->key; i++)
			if (!set[i].key || mono_before(set[i].last, good->last))
				good = &set[i];
	}
	*good = (struct good){key, now};
}

static bool was_wrong(const struct lock *lock, uint64_t pair)
{
	for (unsigned i = 0; lock && i < RECENT; i++)
		if (lock->recent[i] == pair)
			return true;
	return false;
}

/* --- judging -------------------------------------------------------------------------------- */

static bool waits(const struct lock *lock, mono_t now, unsigned *wait_s)
{
	int64_t left_us = lock ? mono_since_us(lock->until, now) : 0;

	if (left_us <= 0)
		return false;
	if (*wait_s < (left_us + 999999) / 1000000)
		*wait_s = (unsigned)((left_us + 999999) / 1000000);
	return true;
}

enum lockout_word lockout_ask(const struct lockout_rules *rules, const struct lockout_try *try,
			      mono_t now, unsigned *wait_s)
{
	enum lockout_word word = LOCKOUT_GO;
	const struct lock *address, *account;
	bool address_waits, account_waits;

	*wait_s = 0;
	if (!rules->attempts)
		return LOCKOUT_GO;
	pthread_mutex_lock(&mutex);
	address = lock_find(addresses, LOCKOUT_ADDRESSES, try->address);
	account = lock_find(accounts, LOCKOUT_ACCOUNTS, try->account);
	address_waits = waits(address, now, wait_s);
	account_waits = waits(account, now, wait_s);
	if (good_find(good_key(try)))
		word = LOCKOUT_GO;
	else if (address_waits || account_waits)
		word = LOCKOUT_WAIT;
	else if (was_wrong(address, try->pair) || was_wrong(account, try->pair))
		word = LOCKOUT_WRONG;
	pthread_mutex_unlock(&mutex);
	return word;
}

void lockout_right(const struct lockout_try *try, mono_t now)
{
	/* Failures of the address stay: one right password must not pay for guesses at another. */
	pthread_mutex_lock(&mutex);
	good_put(good_key(try), now);
	pthread_mutex_unlock(&mutex);
}

/* The wait that this failure brings, in milliseconds. */
static uint64_t lock_count(struct lock *lock, uint64_t attempts, const struct lockout_rules *rules,
			   uint64_t pair, mono_t now)
{
	uint64_t wait, doubles;
	mono_t from = mono_before(lock->last, lock->until) ? lock->until : lock->last;

	if (!mono_before(now, mono_add_ms(from, (int64_t)rules->window_ms)))
		*lock = (struct lock){.key = lock->key};
	lock->last = now;
	lock->failures++;
	memmove(lock->recent + 1, lock->recent, (RECENT - 1) * sizeof *lock->recent);
	lock->recent[0] = pair;
	if (!attempts || lock->failures < attempts)
		return 0;
	doubles = lock->failures - attempts;
	wait = rules->lockout_ms << (doubles < DOUBLES_MAX ? doubles : DOUBLES_MAX);
	lock->until = mono_add_ms(now, (int64_t)wait);
	return wait;
}

uint64_t lockout_wrong(const struct lockout_rules *rules, const struct lockout_try *try, mono_t now)
{
	uint64_t wait, also;
	struct good *good;

	if (!rules->attempts)
		return 0;
	pthread_mutex_lock(&mutex);
	good = good_find(good_key(try));
	if (good)
		*good = (struct good){0};
	wait = lock_count(lock_take(addresses, LOCKOUT_ADDRESSES, try->address), rules->attempts,
			  rules, try->pair, now);
	also = lock_count(lock_take(accounts, LOCKOUT_ACCOUNTS, try->account),
			  rules->account_attempts, rules, try->pair, now);
	pthread_mutex_unlock(&mutex);
	return wait > also ? wait : also;
}

bool lockout_forget(const struct address *peer)
{
	bool found = false;

	pthread_mutex_lock(&mutex);
	for (unsigned kind = 0; kind < LOCKOUT_KINDS; kind++) {
		struct lock *lock = lock_find(addresses, LOCKOUT_ADDRESSES,
					      address_key((enum lockout_kind)kind, peer));

		if (!lock)
			continue;
		*lock = (struct lock){0};
		found = true;
	}
	pthread_mutex_unlock(&mutex);
	return found;
}

unsigned lockout_waiting(mono_t now)
{
	unsigned count = 0;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < LOCKOUT_ADDRESSES; i++)
		count += addresses[i].key && mono_before(now, addresses[i].until);
	pthread_mutex_unlock(&mutex);
	return count;
}

void lockout_reset(void)
{
	pthread_mutex_lock(&mutex);
	memset(addresses, 0, sizeof addresses);
	memset(accounts, 0, sizeof accounts);
	memset(goods, 0, sizeof own_goods);
	pthread_mutex_unlock(&mutex);
}
