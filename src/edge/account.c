#include "edge/account.h"

#include <errno.h>
#include <stdlib.h>

static const struct account_book none;
static _Atomic(struct account_book *) current; /* release by control, acquire by readers */
static _Atomic int64_t seen[3][ACCOUNT_USERS_MAX];

/* A part of a book without its type. */
struct part {
	uint8_t *rows;
	uint32_t count;
	size_t size, key, place;
};

const struct account_book *account_book(void)
{
	const struct account_book *book = atomic_load_explicit(&current, memory_order_acquire);

	return book ? book : &none;
}

_Atomic int64_t *account_seen(enum account_part part, uint32_t place)
{
	return &seen[part][place];
}

/* --- looking up ----------------------------------------------------------------------------- */

const struct account *account_find(const struct account_book *book, struct bytes name)
{
	for (uint32_t i = 0; i < book->account_count; i++)
		if (bytes_equal(bytes_str(book->accounts[i].name), name))
			return &book->accounts[i];
	return NULL;
}

/* Keys are hashes of secrets: how long a comparison takes tells nothing about the secret. */
const struct token *account_token(const struct account_book *book, const uint8_t *id)
{
	for (uint32_t i = 0; i < book->token_count; i++)
		if (memcmp(book->tokens[i].id, id, ACCOUNT_ID_SIZE) == 0)
			return &book->tokens[i];
	return NULL;
}

const struct session *account_session(const struct account_book *book, const uint8_t *id)
{
	for (uint32_t i = 0; i < book->session_count; i++)
		if (memcmp(book->sessions[i].id, id, ACCOUNT_ID_SIZE) == 0)
			return &book->sessions[i];
	return NULL;
}

/* --- changing ------------------------------------------------------------------------------- */

static struct part part_of(const struct account_book *book, enum account_part part)
{
	switch (part) {
	case ACCOUNT_USERS:
		return (struct part){(uint8_t *)book->accounts, book->account_count,
				     sizeof(struct account), ACCOUNT_NAME_SIZE,
				     offsetof(struct account, place)};
	case ACCOUNT_TOKENS:
		return (struct part){(uint8_t *)book->tokens, book->token_count,
				     sizeof(struct token), ACCOUNT_ID_SIZE,
				     offsetof(struct token, place)};
	case ACCOUNT_SESSIONS: break;
	}
	return (struct part){(uint8_t *)book->sessions, book->session_count, sizeof(struct session),
			     ACCOUNT_ID_SIZE, offsetof(struct session, place)};
}

/* A copy with room for so many more users and one more row in each other part; one block. */
static struct account_book *book_copy(const struct account_book *from, uint32_t more)
{
	size_t users = (from->account_count + more) * sizeof(struct account);
	size_t tokens = (from->token_count + 1) * sizeof(struct token);
	size_t sessions = (from->session_count + 1) * sizeof(struct session);
	struct account_book *book = malloc(sizeof *book + users + tokens + sessions);

	if (!book)
		return NULL;
	*book = *from;
	book->accounts = (struct account *)(book + 1);
	book->tokens = (struct token *)(book->accounts + from->account_count + more);
	book->sessions = (struct session *)(book->tokens + from->token_count + 1);
	if (from->account_count)
		memcpy(book->accounts, from->accounts,
		       from->account_count * sizeof(struct account));
	if (from->token_count)
		memcpy(book->tokens, from->tokens, tokens - sizeof(struct token));
	if (from->session_count)
		memcpy(book->sessions, from->sessions, sessions - sizeof(struct session));
	return book;
}

static void book_home(struct baton *baton)
{
	free(container_of(baton, struct account_book, farewell));
}

static void book_publish(struct account_book *book)
{
	struct account_book *old = atomic_exchange_explicit(&current, book, memory_order_acq_rel);

	if (!old)
		return;
	old->farewell.visit = baton_pass;
	old->farewell.home = book_home;
	baton_send(&old->farewell);
}

static uint32_t place_at(const struct part *part, uint32_t i)
{
	uint32_t place;

	memcpy(&place, part->rows + i * part->size + part->place, sizeof place);
	return place;
}

static uint32_t row_of(const struct part *part, const void *key)
{
	uint32_t i = 0;

	while (i < part->count && memcmp(part->rows + i * part->size, key, part->key) != 0)
		i++;
	return i;
}

static uint32_t least_lately(enum account_part which, const struct part *part)
{
	uint32_t least = 0;
	int64_t when = INT64_MAX;

	for (uint32_t i = 0; i < part->count; i++) {
		int64_t at = atomic_load_explicit(account_seen(which, place_at(part, i)),
						  memory_order_relaxed);
		if (at < when) {
			when = at;
			least = i;
		}
	}
	return least;
}

static uint32_t free_place(const struct part *part)
{
	uint8_t taken[(ACCOUNT_USERS_MAX + 7) / 8] = {0};
	uint32_t place = 0;

	for (uint32_t i = 0; i < part->count; i++)
		taken[place_at(part, i) / 8] |= (uint8_t)(1u << place_at(part, i) % 8);
	while (taken[place / 8] >> place % 8 & 1)
		place++;
	return place;
}

static uint32_t *count_of(struct account_book *book, enum account_part part)
{
	switch (part) {
	case ACCOUNT_USERS: return &book->account_count;
	case ACCOUNT_TOKENS: return &book->token_count;
	case ACCOUNT_SESSIONS: break;
	}
	return &book->session_count;
}

static uint32_t most_of(enum account_part part)
{
	return part == ACCOUNT_USERS ? ACCOUNT_USERS_MAX : ACCOUNT_ROWS_MAX;
}

int account_put_users(const struct account *rows, const int64_t *seen_us, uint32_t count)
{
	struct account_book *book;

	if (account_book()->account_count || count > ACCOUNT_USERS_MAX)
		return -ENOSPC;
	book = book_copy(account_book(), count);
	if (!book)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		book->accounts[i] = rows[i];
		book->accounts[i].place = i;
		atomic_store_explicit(account_seen(ACCOUNT_USERS, i), seen_us[i],
				      memory_order_relaxed);
	}
	book->account_count = count;
	book_publish(book);
	return 0;
}

int account_put(enum account_part which, const void *row, int64_t seen_us)
{
	struct part part = part_of(account_book(), which);
	uint32_t at = row_of(&part, row);
	struct account_book *book;
	uint32_t place;

	if (at == most_of(which) && which != ACCOUNT_SESSIONS)
		return -ENOSPC;
	book = book_copy(account_book(), 1);
	if (!book)
		return -ENOMEM;
	if (at == most_of(which))
		at = least_lately(which, &part);
	place = at < part.count ? place_at(&part, at) : free_place(&part);
	if (at == part.count)
		++*count_of(book, which);
	part = part_of(book, which);
	memcpy(part.rows + at * part.size, row, part.size);
	memcpy(part.rows + at * part.size + part.place, &place, sizeof place);
	atomic_store_explicit(account_seen(which, place), seen_us, memory_order_relaxed);
	book_publish(book);
	return 0;
}

static void part_remove(struct account_book *book, enum account_part which, uint32_t at)
{
	struct part part = part_of(book, which);

	memmove(part.rows + at * part.size, part.rows + (at + 1) * part.size,
		(part.count - at - 1) * part.size);
	--*count_of(book, which);
}

static void (*on_gone)(const char *name);

void account_watch(void (*gone)(const char *name))
{
	on_gone = gone;
}

bool account_drop(enum account_part which, const void *key)
{
	struct part part = part_of(account_book(), which);
	uint32_t at = row_of(&part, key);
	struct account_book *book = at < part.count ? book_copy(account_book(), 1) : NULL;

	if (!book)
		return false;
	part_remove(book, which, at);
	book_publish(book);
	if (which == ACCOUNT_USERS && on_gone)
		on_gone(key);
	return true;
}

bool account_drop_sessions(const char *name, bool tokens_too)
{
	struct account_book *book = book_copy(account_book(), 1);

	if (!book)
		return false;
	for (uint32_t i = book->session_count; i-- > 0;)
		if (!book->sessions[i].of_settings && strcmp(book->sessions[i].name, name) == 0)
			part_remove(book, ACCOUNT_SESSIONS, i);
	for (uint32_t i = tokens_too ? book->token_count : 0; i-- > 0;)
		if (!book->tokens[i].of_settings && strcmp(book->tokens[i].owner, name) == 0)
			part_remove(book, ACCOUNT_TOKENS, i);
	book_publish(book);
	return true;
}

void account_fini(void)
{
	free(atomic_exchange_explicit(&current, NULL, memory_order_relaxed));
}
