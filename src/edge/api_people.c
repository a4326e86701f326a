#include "edge/api_people.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include "core/clock.h"
#include "edge/edge.h"
#include "edge/people.h"
#include "edge/tree.h"
#include "store/store_people.h"

#define PASSWORD_MIN 10u
#define HASHES_MAX   4u /* under way at once */

/* An order that waits for its turn, or for the disk. */
struct change {
	struct store_change store;
	struct change *next;
	struct call *call;
	/* Whether it may go on to the disk, with store filled in; else it has answered. */
	bool (*begin)(struct change *change);
	void (*end)(struct change *change); /* it is on disk */
	uv_work_t work;
	char password[AUTH_PASSWORD_MAX]; /* wiped when it is hashed */
	bool hashed;
	char stored[AUTH_STORED_MAX];
	/* What was said; the rest stays as it is. */
	bool has_rank, has_mounts, has_disabled;
	char name[ACCOUNT_NAME_SIZE];
	struct rights rights;
	bool disabled;
	struct account account; /* as it will be */
	struct token token;
	char secret[64]; /* of a new token */
	/* of the first administrator */
	bool (*may)(struct call *call);
	void (*made)(const struct call *call, const char *name);
};

static struct change *first OWNED_BY(on_control), **last OWNED_BY(on_control);
static unsigned hashing OWNED_BY(on_control);

/* --- one after the other -------------------------------------------------------------------- */

RUNS_ON(on_control) static void next_change(void);

RUNS_ON(on_control) static void change_free(struct change *change)
{
	sodium_memzero(change, sizeof *change);
	free(change);
}

RUNS_ON(on_control) static void change_over(struct change *change)
{
	first = change->next;
	change_free(change);
	next_change();
}

static void on_disk(struct store_ask *ask)
{
	struct store_change *store = container_of(ask, struct store_change, ask);
	struct change *change = container_of(store, struct change, store);

	enter_control();
	if (ask->fault)
		api_fault(change->call, 503, "not_kept", "nothing was changed: %s",
			  store_fault_text(ask->fault));
	else
		change->end(change);
	change_over(change);
}

static void next_change(void)
{
	struct change *change;

	while ((change = first)) {
		if (change->begin(change)) {
			change->store.ask.run = store_change_run;
			change->store.ask.done = on_disk;
			store_ask(&change->store.ask);
			return;
		}
		first = change->next;
		change_free(change);
	}
}

RUNS_ON(on_control) static void change_queue(struct change *change)
{
	bool idle = !first;

	if (idle)
		last = &first;
	change->next = NULL;
	*last = change;
	last = &change->next;
	if (idle)
		next_change();
}

/* NULL, and answered, when nobody can be changed now. */
RUNS_ON(on_control)
static struct change *change_new(struct call *call, bool (*begin)(struct change *change),
				 void (*end)(struct change *change))
{
	struct change *change;

	if (!people_loaded()) {
		enum store_fault fault = store_status().fault;

		api_fault(call, 503, "not_kept", "users cannot be read: %s",
			  store_fault_text(fault ? fault : STORE_LOCKED));
		return NULL;
	}
	change = calloc(1, sizeof *change);
	if (!change) {
		api_fault(call, 503, "no_memory", "out of memory");
		return NULL;
	}
	change->call = call;
	change->begin = begin;
	change->end = end;
	return change;
}

/* --- passwords ------------------------------------------------------------------------------ */

static void on_pool(uv_work_t *work)
{
	struct change *change = container_of(work, struct change, work);

	change->hashed = auth_make(change->stored, change->password);
	sodium_memzero(change->password, sizeof change->password);
}

static void on_hashed(uv_work_t *work, int status)
{
	struct change *change = container_of(work, struct change, work);

	enter_control();
	hashing--;
	if (status == 0 && change->hashed) {
		change_queue(change);
		return;
	}
	api_fault(change->call, 503, "no_memory", "out of memory");
	change_free(change);
}

RUNS_ON(on_control) static void change_hash(struct change *change)
{
	if (hashing >= HASHES_MAX ||
	    uv_queue_work(people_loop(), &change->work, on_pool, on_hashed) != 0) {
		api_fault(change->call, 503, "busy", "too many passwords at once; try again");
		change_free(change);
		return;
	}
	hashing++;
}

/* --- what was said -------------------------------------------------------------------------- */

static void text_copy(char *out, size_t size, const char *text)
{
	bytes_to_str(bytes_str(text), out, size);
}

/* Names are parts of paths, of Basic's "user:password" and of lines in logs. */
static bool name_good(const char *name)
{
	static const char more[] = "._-@+";
	size_t len = strlen(name);

	if (!len || len >= ACCOUNT_NAME_SIZE || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !strchr(more, c))
			return false;
	}
	return true;
}

/* A member that is misspelt or of another type must not pass for one that was left out: a token
 * without a rank has that of who makes it. */
RUNS_ON(on_control)
static bool read_members(struct call *call, const struct api_input *input, const char *format, ...)
{
	json_error_t error;
	va_list names;
	int refused;

	va_start(names, format);
	refused = json_vunpack_ex(input->body, &error, JSON_VALIDATE_ONLY | JSON_STRICT, format,
				  names);
	va_end(names);
	if (refused)
		api_fault(call, 400, "bad_body", "%s", error.text);
	return !refused;
}

/* Rank, mounts; false, and answered, when they make no sense. */
RUNS_ON(on_control)
static bool read_rights(struct change *change, const struct api_input *input)
{
	const char *rank = api_text(input, "rank"), *mounts = api_text(input, "mounts");

	change->has_rank = rank;
	change->has_mounts = mounts;
	if (rank && (!rank_of_name(bytes_str(rank), &change->rights.rank) ||
		     change->rights.rank == RANK_NONE)) {
		api_fault(change->call, 400, "bad_rank", "a rank is dj, operator or admin");
		return false;
	}
	if (mounts && !rights_mounts_valid(bytes_str(mounts))) {
		api_fault(change->call, 400, "bad_mounts",
			  "mounts are names and patterns such as /live /events/*, apart by blanks");
		return false;
	}
	if (mounts)
		bytes_to_str(bytes_str(mounts), change->rights.mounts,
			     sizeof change->rights.mounts);
	return true;
}

RUNS_ON(on_control) static bool read_password(struct change *change, const char *password)
{
	if (strlen(password) < PASSWORD_MIN || strlen(password) >= AUTH_PASSWORD_MAX) {
		api_fault(change->call, 400, "bad_password",
			  "a password has from %u to %u characters", PASSWORD_MIN,
			  AUTH_PASSWORD_MAX - 1);
		return false;
	}
	bytes_to_str(bytes_str(password), change->password, sizeof change->password);
	return true;
}

RUNS_ON(on_control)
static bool read_user(struct change *change, const struct api_input *input)
{
	const char *password = api_text(input, "password"),
		   *hash = api_text(input, "password_hash");
	const json_t *disabled = json_object_get(input->body, "disabled");

	change->has_disabled = json_is_boolean(disabled);
	change->disabled = json_is_true(disabled);
	if (!read_members(change->call, input, "{s?s, s?s, s?s, s?s, s?s, s?b}", "name", "password",
			  "password_hash", "rank", "mounts", "disabled") ||
	    !read_rights(change, input))
		return false;
	if (hash && !password) {
		/* Of another server that its owner leaves: checked as it stands. */
		if (!auth_is_hash(bytes_str(hash)) || strlen(hash) >= sizeof change->stored) {
			api_fault(change->call, 400, "bad_password",
				  "password_hash is of argon2id, bcrypt, SHA-2 or yescrypt");
			return false;
		}
		text_copy(change->stored, sizeof change->stored, hash);
		change->hashed = true;
	}
	return !password || read_password(change, password);
}

/* --- users ---------------------------------------------------------------------------------- */

static json_t *user_tree(const struct account *account)
{
	json_t *tree = json_object();

	tree_text(tree, "name", account->name);
	json_object_set_new(tree, "rank", json_string(rank_name(account->rights.rank)));
	tree_text(tree, "mounts", account->rights.mounts);
	tree_bool(tree, "disabled", account->disabled);
	tree_time(tree, "created", account->created_us);
	tree_time(tree, "seen",
		  atomic_load_explicit(account_seen(ACCOUNT_USERS, account->place),
				       memory_order_relaxed));
	return tree;
}

RUNS_ON(on_control)
static void answer_users(struct call *call, const struct api_input *input)
{
	const struct account_book *book = account_book();
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	for (uint32_t i = 0; i < book->account_count; i++)
		json_array_append_new(list, user_tree(&book->accounts[i]));
	json_object_set_new(tree, "users", list);
	api_answer(call, tree);
}

/* change->account as the store is to have it. */
static void store_account(struct change *change)
{
	const struct account *account = &change->account;
	struct store_change *store = &change->store;

	store->kind = STORE_PUT_USER;
	text_copy(store->name, sizeof store->name, account->name);
	text_copy(store->stored, sizeof store->stored, account->stored);
	text_copy(store->rank, sizeof store->rank, rank_name(account->rights.rank));
	text_copy(store->mounts, sizeof store->mounts, account->rights.mounts);
	store->disabled = account->disabled;
	store->created_ms = account->created_us / 1000;
}

static void merge_user(struct change *change)
{
	struct account *account = &change->account;

	if (change->has_rank)
		account->rights.rank = change->rights.rank;
	if (change->has_mounts)
		memcpy(account->rights.mounts, change->rights.mounts,
		       sizeof account->rights.mounts);
	if (change->has_disabled)
		account->disabled = change->disabled;
	if (change->hashed)
		memcpy(account->stored, change->stored, sizeof account->stored);
	store_account(change);
}

static bool user_add_begin(struct change *change)
{
	const struct account_book *book = account_book();

	enter_control();
	/* Who sets the server up takes the place of an administrator whom nobody wanted. */
	if (account_find(book, bytes_str(change->name)) ||
	    (!change->may && strcmp(change->name, edge_settings()->conf.admin_user) == 0) ||
	    strcmp(change->name, "source") == 0) {
		api_fault(change->call, 409, "name_taken", "there is a user %s already",
			  change->name);
		return false;
	}
	if (book->account_count >= edge_settings()->conf.auth_users) {
		api_fault(change->call, 507, "list_full", "there are as many users as can be");
		return false;
	}
	memcpy(change->account.name, change->name, sizeof change->account.name);
	change->account.created_us = wall_now_us();
	merge_user(change);
	return true;
}

/* Into the book; false, and answered, when there is no memory: the disk has it all the same. */
RUNS_ON(on_control)
static bool book_put(struct change *change, enum account_part part, const void *row, int64_t seen)
{
	if (account_put(part, row, seen) == 0)
		return true;
	api_fault(change->call, 503, "no_memory", "kept, but in force only after the next start");
	return false;
}

static void user_add_end(struct change *change)
{
	enter_control();
	if (!book_put(change, ACCOUNT_USERS, &change->account, 0))
		return;
	api_log_order(change->call, change->name);
	api_answer_as(change->call, 201,
		      user_tree(account_find(account_book(), bytes_str(change->name))));
}

/* False, and answered, when it will not do. */
RUNS_ON(on_control)
static bool read_name(struct change *change, const char *name)
{
	if (!name || !name_good(name)) {
		api_fault(change->call, 400, "bad_name",
			  "a name is 1 to %u letters, digits and any of . _ - @ +",
			  ACCOUNT_NAME_SIZE - 1);
		return false;
	}
	text_copy(change->name, sizeof change->name, name);
	return true;
}

static bool first_add_begin(struct change *change)
{
	return change->may(change->call) && user_add_begin(change);
}

static void first_add_end(struct change *change)
{
	enter_control();
	if (!book_put(change, ACCOUNT_USERS, &change->account, 0))
		return;
	change->made(change->call, change->name);
	api_log_order(change->call, change->name);
	api_done(change->call);
}

void people_make_administrator(struct call *call, const char *name, const char *password,
			       bool (*may)(struct call *call),
			       void (*made)(const struct call *call, const char *name))
{
	struct change *change = change_new(call, first_add_begin, first_add_end);

	if (!change)
		return;
	change->may = may;
	change->made = made;
	change->has_rank = true;
	change->rights.rank = RANK_ADMIN;
	if (!read_name(change, name) || !read_password(change, password))
		change_free(change);
	else
		change_hash(change);
}

RUNS_ON(on_control)
static void answer_user_add(struct call *call, const struct api_input *input)
{
	const char *name = api_text(input, "name");
	struct change *change = change_new(call, user_add_begin, user_add_end);

	if (!change)
		return;
	if (!read_name(change, name) || !read_user(change, input)) {
		change_free(change);
		return;
	}
	if ((!change->password[0] && !change->hashed) || !change->has_rank) {
		api_fault(call, 400, "incomplete", "a user has a password and a rank");
		change_free(change);
		return;
	}
	if (change->hashed)
		change_queue(change);
	else
		change_hash(change);
}

static const struct account *user_there(struct change *change)
{
	const struct account *account = account_find(account_book(), bytes_str(change->name));

	enter_control();
	if (!account)
		api_fault(change->call, 404, "no_such_user", "there is no user %s", change->name);
	return account;
}

static bool user_change_begin(struct change *change)
{
	const struct account *account = user_there(change);

	if (!account)
		return false;
	change->account = *account;
	merge_user(change);
	return true;
}

/* Sessions end by themselves: they are bound to the password that they began with. */
static void user_change_end(struct change *change)
{
	int64_t seen = atomic_load_explicit(account_seen(ACCOUNT_USERS, change->account.place),
					    memory_order_relaxed);

	enter_control();
	if (!book_put(change, ACCOUNT_USERS, &change->account, seen))
		return;
	api_log_order(change->call, change->name);
	api_answer(change->call, user_tree(&change->account));
}

RUNS_ON(on_control)
static void answer_user_change(struct call *call, const struct api_input *input)
{
	struct change *change = change_new(call, user_change_begin, user_change_end);

	if (!change)
		return;
	text_copy(change->name, sizeof change->name, input->arg);
	if (!read_user(change, input))
		change_free(change);
	else if (change->password[0])
		change_hash(change);
	else
		change_queue(change);
}

static bool user_drop_begin(struct change *change)
{
	change->store.kind = STORE_DROP_USER;
	text_copy(change->store.name, sizeof change->store.name, change->name);
	return user_there(change) != NULL;
}

static void user_drop_end(struct change *change)
{
	enter_control();
	if (!account_drop_sessions(change->name, true) ||
	    !account_drop(ACCOUNT_USERS, change->name)) {
		api_fault(change->call, 503, "no_memory",
			  "kept, but in force only after the next start");
		return;
	}
	api_log_order(change->call, change->name);
	api_done(change->call);
}

RUNS_ON(on_control)
static void answer_user_drop(struct call *call, const struct api_input *input)
{
	struct change *change = change_new(call, user_drop_begin, user_drop_end);

	if (!change)
		return;
	text_copy(change->name, sizeof change->name, input->arg);
	change_queue(change);
}

/* --- tokens --------------------------------------------------------------------------------- */

static json_t *token_tree(const struct token *token)
{
	json_t *tree = json_object();

	tree_number(tree, "id", token->number);
	tree_text(tree, "name", token->name);
	tree_text(tree, "prefix", token->prefix);
	tree_text(tree, "owner", token->owner);
	json_object_set_new(tree, "rank", json_string(rank_name(token->rights.rank)));
	tree_text(tree, "mounts", token->rights.mounts);
	tree_time(tree, "created", token->created_us);
	tree_time(tree, "expires", token->expires_us);
	tree_time(tree, "used",
		  atomic_load_explicit(account_seen(ACCOUNT_TOKENS, token->place),
				       memory_order_relaxed));
	return tree;
}

/* An administrator sees all, others their own. */
static bool may_touch(const struct call *call, const struct token *token)
{
	const struct access *access = &call->access;

	return rights_allow(&access->rights, RANK_ADMIN, BYTES("")) ||
	       (token->of_settings == access->of_settings &&
		strcmp(token->owner, access->name) == 0);
}

RUNS_ON(on_control)
static void answer_tokens(struct call *call, const struct api_input *input)
{
	const struct account_book *book = account_book();
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	for (uint32_t i = 0; i < book->token_count; i++)
		if (may_touch(call, &book->tokens[i]))
			json_array_append_new(list, token_tree(&book->tokens[i]));
	json_object_set_new(tree, "tokens", list);
	api_answer(call, tree);
}

static bool token_add_begin(struct change *change)
{
	struct token *token = &change->token;
	struct store_change *store = &change->store;

	enter_control();
	if (account_book()->token_count == ACCOUNT_ROWS_MAX) {
		api_fault(change->call, 507, "list_full", "there are as many tokens as can be");
		return false;
	}
	store->kind = STORE_PUT_TOKEN;
	text_copy(store->name, sizeof store->name, token->name);
	text_copy(store->rank, sizeof store->rank, rank_name(token->rights.rank));
	text_copy(store->mounts, sizeof store->mounts, token->rights.mounts);
	text_copy(store->owner, sizeof store->owner, token->owner);
	text_copy(store->prefix, sizeof store->prefix, token->prefix);
	memcpy(store->hash, token->id, sizeof store->hash);
	store->of_settings = token->of_settings;
	store->created_ms = token->created_us / 1000;
	store->expires_ms = token->expires_us / 1000;
	return true;
}

static void token_add_end(struct change *change)
{
	const struct token *made;
	char number[24];
	json_t *tree;

	enter_control();
	change->token.number = change->store.number;
	if (!book_put(change, ACCOUNT_TOKENS, &change->token, 0))
		return;
	made = account_token(account_book(), change->token.id);
	tree = token_tree(made);
	tree_text(tree, "token", change->secret);
	snprintf(number, sizeof number, "token %lld", (long long)made->number);
	api_log_order(change->call, number);
	api_answer_as(change->call, 201, tree);
}

/* Random enough that a plain hash of it gives nothing away; the front tells what it is to who finds
 * one somewhere. */
static void token_invent(struct change *change)
{
	struct token *token = &change->token;

	memcpy(change->secret, "rm_", 3);
	auth_random_hex(change->secret + 3, 24);
	auth_hash(token->id, "token", bytes_str(change->secret));
	bytes_to_str(bytes_of(change->secret, 9), token->prefix, sizeof token->prefix);
}

RUNS_ON(on_control)
static bool read_token(struct change *change, const struct api_input *input)
{
	const struct access *access = &change->call->access;
	const char *name = api_text(input, "name");
	const json_t *expires_there = json_object_get(input->body, "expires");
	json_int_t expires = json_integer_value(expires_there);
	struct token *token = &change->token;

	/* It would outlive the end of the first one, whenever that was to be. */
	if (access->how == ACCESS_TOKEN) {
		api_fault(change->call, 403, "denied", "a token makes no tokens");
		return false;
	}
	if (!read_members(change->call, input, "{s?s, s?s, s?s, s?o}", "name", "rank", "mounts",
			  "expires"))
		return false;
	if (expires_there && !json_is_null(expires_there) && !json_is_integer(expires_there)) {
		api_fault(change->call, 400, "bad_body", "expires is a number of seconds");
		return false;
	}
	if (!name || !name[0] || strlen(name) >= sizeof token->name) {
		api_fault(change->call, 400, "bad_name", "a token has a name of 1 to %zu bytes",
			  sizeof token->name - 1);
		return false;
	}
	if (!read_rights(change, input))
		return false;
	token->created_us = wall_now_us();
	if (expires && (expires <= token->created_us / 1000000 || expires > 1LL << 40)) {
		api_fault(change->call, 400, "bad_expires", "that time is over");
		return false;
	}
	token->expires_us = expires * 1000000;
	if (!change->has_rank)
		change->rights.rank = access->rights.rank;
	if (change->rights.rank > access->rights.rank) {
		api_fault(change->call, 403, "denied", "a token may do no more than you may");
		return false;
	}
	/* No mounts named: those of who makes it. */
	if (!change->rights.mounts[0])
		memcpy(change->rights.mounts, "*", 2);
	token->rights = rights_within(&change->rights, &access->rights);
	if (token->rights.rank == RANK_NONE) {
		api_fault(change->call, 403, "denied", "none of these mounts is yours");
		return false;
	}
	text_copy(token->name, sizeof token->name, name);
	memcpy(token->owner, access->name, sizeof token->owner);
	token->of_settings = access->of_settings;
	return true;
}

RUNS_ON(on_control)
static void answer_token_add(struct call *call, const struct api_input *input)
{
	struct change *change = change_new(call, token_add_begin, token_add_end);

	if (!change)
		return;
	if (!read_token(change, input)) {
		change_free(change);
		return;
	}
	token_invent(change);
	change_queue(change);
}

static const struct token *token_numbered(const struct call *call, int64_t number)
{
	const struct account_book *book = account_book();

	for (uint32_t i = 0; i < book->token_count; i++)
		if (book->tokens[i].number == number && may_touch(call, &book->tokens[i]))
			return &book->tokens[i];
	return NULL;
}

static bool token_drop_begin(struct change *change)
{
	const struct token *token = token_numbered(change->call, change->store.number);

	enter_control();
	change->store.kind = STORE_DROP_TOKEN;
	if (token)
		change->token = *token;
	else
		api_fault(change->call, 404, "no_such_token", "there is no such token");
	return token != NULL;
}

static void token_drop_end(struct change *change)
{
	char target[96];

	enter_control();
	if (!account_drop(ACCOUNT_TOKENS, change->token.id)) {
		api_fault(change->call, 503, "no_memory",
			  "kept, but in force only after the next start");
		return;
	}
	snprintf(target, sizeof target, "token %lld", (long long)change->token.number);
	api_log_order(change->call, target);
	api_done(change->call);
}

RUNS_ON(on_control)
static void answer_token_drop(struct call *call, const struct api_input *input)
{
	struct change *change = change_new(call, token_drop_begin, token_drop_end);
	uint64_t number;

	if (!change)
		return;
	if (bytes_to_u64(bytes_str(input->arg), INT64_MAX, &number))
		change->store.number = (int64_t)number;
	change_queue(change);
}

/* --- browsers ------------------------------------------------------------------------------- */

static json_t *session_tree(const struct session *session)
{
	struct address address = {0};
	char id[2 * ACCOUNT_ID_SIZE + 1];
	uint8_t room[ADDRESS_TEXT_MAX + 1];
	struct writer w = writer_of(room, sizeof room - 1);
	json_t *tree = json_object();

	sodium_bin2hex(id, sizeof id, session->id, sizeof session->id);
	memcpy(address.ip, session->ip, sizeof address.ip);
	address_write_ip(&w, &address);
	room[writer_done(&w).len] = '\0';
	tree_text(tree, "id", id);
	tree_text(tree, "user", session->name);
	tree_text(tree, "address", (const char *)room);
	tree_text(tree, "agent", session->agent);
	tree_time(tree, "created", session->created_us);
	tree_time(tree, "seen",
		  atomic_load_explicit(account_seen(ACCOUNT_SESSIONS, session->place),
				       memory_order_relaxed));
	return tree;
}

RUNS_ON(on_control)
static void answer_sessions(struct call *call, const struct api_input *input)
{
	const struct account_book *book = account_book();
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	for (uint32_t i = 0; i < book->session_count; i++)
		json_array_append_new(list, session_tree(&book->sessions[i]));
	json_object_set_new(tree, "sessions", list);
	api_answer(call, tree);
}

RUNS_ON(on_control)
static void answer_session_drop(struct call *call, const struct api_input *input)
{
	uint8_t id[ACCOUNT_ID_SIZE];
	size_t len = 0;

	if (sodium_hex2bin(id, sizeof id, input->arg, strlen(input->arg), NULL, &len, NULL) != 0 ||
	    len != sizeof id || !account_session(account_book(), id)) {
		api_fault(call, 404, "no_such_session", "there is no such session");
		return;
	}
	if (!account_drop(ACCOUNT_SESSIONS, id)) {
		api_fault(call, 503, "no_memory", "out of memory");
		return;
	}
	people_forget_session(id);
	api_log_order(call, "a browser's session");
	api_done(call);
}

const struct api_operation people_operations[] = {
	{"GET", API_ROOT "/users", RANK_ADMIN, answer_users,
	 "The users; the administrator of the settings is not among them.", NULL, "Users", NULL},
	{"POST", API_ROOT "/users", RANK_ADMIN, answer_user_add, "Makes a user.", "NewUser", "User",
	 NULL},
	{"PUT", API_ROOT "/users/{name}", RANK_ADMIN, answer_user_change,
	 "Changes what is said of a user; another password ends his sessions.", "UserChange",
	 "User", NULL},
	{"DELETE", API_ROOT "/users/{name}", RANK_ADMIN, answer_user_drop,
	 "Removes a user, his tokens and his sessions.", NULL, NULL, NULL},
	{"GET", API_ROOT "/tokens", RANK_DJ, answer_tokens,
	 "One's own tokens; an administrator sees all.", NULL, "Tokens", NULL},
	{"POST", API_ROOT "/tokens", RANK_DJ, answer_token_add,
	 "Makes a token that may do no more than who makes it; it is shown only now.", "NewToken",
	 "MadeToken", NULL},
	{"DELETE", API_ROOT "/tokens/{id}", RANK_DJ, answer_token_drop, "Ends a token.", NULL, NULL,
	 NULL},
	{"GET", API_ROOT "/sessions", RANK_ADMIN, answer_sessions,
	 "The browsers that are logged in.", NULL, "Sessions", NULL},
	{"DELETE", API_ROOT "/sessions/{id}", RANK_ADMIN, answer_session_drop,
	 "Logs a browser out.", NULL, NULL, NULL},
	{0},
};
