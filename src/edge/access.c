#include "edge/access.h"

#include <sodium.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/api.h"
#include "edge/audit.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/hook.h"
#include "edge/proto/basic_auth.h"
#include "edge/proto/cookie.h"

/* What a Basic password is held against, in this order. */
enum stage { STAGE_SETTINGS, STAGE_ENCODER, STAGE_USER, STAGE_NOBODY, STAGE_END };

struct lockout_rules access_lockout_rules(void)
{
	const struct edge_conf *conf = &edge_settings()->conf;

	return (struct lockout_rules){conf->auth_attempts, conf->auth_account_attempts,
				      conf->auth_window, conf->auth_lockout};
}

/* --- other sites ---------------------------------------------------------------------------- */

/* "https://radio.example:8000/x" → "radio.example:8000" */
static struct bytes authority_of(struct bytes url)
{
	for (size_t i = 0; i + 2 < url.len; i++)
		if (memcmp(url.at + i, "://", 3) == 0) {
			url = bytes_skip(url, i + 3);
			return bytes_cut(&url, '/');
		}
	return (struct bytes){0};
}

static bool is_ours(const struct request *request, struct bytes url)
{
	struct bytes there = authority_of(url);
	struct bytes public_url = bytes_str(edge_settings()->conf.http_public_url);

	return there.len && (bytes_equal_nocase(there, request->host) ||
			     bytes_equal_nocase(there, authority_of(public_url)));
}

/* Old browsers send no Sec-Fetch-Site, and no browser does to a plain-HTTP server that is not its
 * own machine; Origin comes with most that is not a GET, Referer with most of the rest. */
bool access_is_foreign(const struct request *request)
{
	struct bytes site = http1_header_get(&request->head, BYTES("Sec-Fetch-Site"));
	struct bytes origin = http1_header_get(&request->head, BYTES("Origin"));
	struct bytes referer = http1_header_get(&request->head, BYTES("Referer"));

	if (site.len)
		return !bytes_equal(site, BYTES("same-origin")) &&
		       !bytes_equal(site, BYTES("none"));
	if (origin.len)
		return !is_ours(request, origin);
	return referer.len && !is_ours(request, referer);
}

static bool is_forwarded(const struct request *request)
{
	static const char *const forwarding[] = {"X-Forwarded-For",  "Forwarded",
						 "X-Real-IP",        "Via",
						 "X-Forwarded-Host", "X-Forwarded-Proto"};

	for (size_t i = 0; i < COUNT_OF(forwarding); i++)
		if (http1_header_get(&request->head, bytes_str(forwarding[i])).at)
			return true;
	return false;
}

static bool is_loopback(const struct address *peer)
{
	struct cidr loopback[2];

	CHECK(cidr_parse(BYTES("127.0.0.0/8"), &loopback[0]));
	CHECK(cidr_parse(BYTES("::1"), &loopback[1]));
	return cidr_list_holds((struct cidr_list){loopback, 2}, peer);
}

static bool is_called_here(struct bytes host)
{
	struct address address;

	return host.len == 0 || address_parse(host, &address) ||
	       bytes_equal(host, BYTES("localhost")) || bytes_start_with(host, BYTES("localhost:"));
}

bool access_is_brought(const struct request *request)
{
	return is_forwarded(request) || access_is_foreign(request);
}

bool access_is_local(const struct request *request)
{
	return is_loopback(&request->peer) && is_called_here(request->host) &&
	       !access_is_brought(request);
}

void access_csrf_word(struct bytes cookie, char word[ACCESS_WORD_SIZE])
{
	uint8_t digest[AUTH_DIGEST_SIZE];

	auth_hash(digest, "csrf", cookie);
	sodium_bin2hex(word, ACCESS_WORD_SIZE, digest, sizeof digest);
}

static bool has_csrf_word(const struct request *request, struct bytes cookie)
{
	struct bytes said = http1_header_get(&request->head, BYTES("X-CSRF-Token"));
	char word[ACCESS_WORD_SIZE];

	access_csrf_word(cookie, word);
	return said.len == sizeof word - 1 && sodium_memcmp(said.at, word, said.len) == 0;
}

static bool method_changes(const struct request *request)
{
	return !bytes_equal(request->method, BYTES("GET")) &&
	       !bytes_equal(request->method, BYTES("HEAD"));
}

/* --- the verdict ---------------------------------------------------------------------------- */

static struct bytes cookie_of(const struct request *request)
{
	struct bytes cookie;

	cookie_find(http1_header_get(&request->head, BYTES("Cookie")), BYTES(ACCESS_COOKIE),
		    &cookie);
	return cookie;
}

RUNS_ON(on_worker)
static bool is_sent_by_another_site(const struct conn *conn, const struct access_work *work)
{
	const struct request *request = conn_request(conn);

	switch (work->access.how) {
	case ACCESS_SESSION: return !has_csrf_word(request, cookie_of(request));
	case ACCESS_BASIC:
	case ACCESS_ENCODER: return !work->preflighted && access_is_foreign(request);
	case ACCESS_NOBODY:
	case ACCESS_TOKEN: break;
	}
	return false;
}

RUNS_ON(on_worker) static void judged(struct conn *conn, enum verdict verdict)
{
	struct access_work *work = conn_access(conn);

	sodium_memzero(work->given, sizeof work->given);
	sodium_memzero(work->encoder, sizeof work->encoder);
	if (verdict == VERDICT_YES && work->changes && is_sent_by_another_site(conn, work))
		verdict = VERDICT_FOREIGN;
	else if (verdict == VERDICT_YES && work->access.how != ACCESS_ENCODER &&
		 !rights_allow(&work->access.rights, work->need, bytes_str(work->mount)))
		verdict = VERDICT_DENIED;
	work->judged(conn, verdict);
}

static void tell_lockout(const char *address, const char *user, uint64_t wait_ms)
{
	char text[192];

	snprintf(text, sizeof text, "%s is locked out for %u s: too many wrong passwords.", address,
		 (unsigned)(wait_ms / 1000));
	hook_event_post("lockout", "", text,
			json_pack("{s:s s:s s:I}", "address", address, "user", user, "seconds",
				  (json_int_t)(wait_ms / 1000)));
}

void access_count_wrong(const struct request *request, const char *user,
			const struct lockout_try *attempt)
{
	struct lockout_rules rules = access_lockout_rules();
	char address[ADDRESS_TEXT_MAX + 1];
	uint64_t wait_ms = lockout_wrong(&rules, attempt, mono_now());

	metric_add(METRIC_edge_auth_failures, 1);
	if (!wait_ms)
		return;
	address_text(&request->peer, address);
	metric_add(METRIC_edge_lockouts, 1);
	log_warnx("edge", "locked out", kv_str("address", address), kv_str("user", user),
		  kv_ms("wait", wait_ms));
	tell_lockout(address, user, wait_ms);
}

RUNS_ON(on_worker) static void judged_wrong(struct conn *conn)
{
	struct access_work *work = conn_access(conn);

	access_count_wrong(conn_request(conn), work->access.name, &work->attempt);
	judged(conn, VERDICT_NO);
}

/* --- others ----------------------------------------------------------------------------------- */

static const struct access_others *the_others;

void access_others_are(const struct access_others *others)
{
	the_others = others;
}

static bool is_for_others(const struct request *request)
{
	for (const char *const *path = the_others ? the_others->paths : NULL; path && *path; path++)
		if (bytes_start_with(request->path, bytes_str(*path)))
			return true;
	return false;
}

RUNS_ON(on_worker)
static bool others_asked(struct conn *conn, const char *user, struct bytes given)
{
	return is_for_others(conn_request(conn)) && the_others->ask(conn, user, given);
}

void access_answer(struct conn *conn, enum auth_result result, const char *name)
{
	struct access_work *work = conn_access(conn);

	switch (result) {
	case AUTH_YES:
		lockout_right(&work->attempt, mono_now());
		work->access.how = work->access.name[0] ? ACCESS_BASIC : ACCESS_TOKEN;
		work->access.rights = (struct rights){.rank = RANK_DJ};
		bytes_to_str(bytes_str(name), work->access.name, sizeof work->access.name);
		judged(conn, VERDICT_YES);
		return;
	case AUTH_BUSY: judged(conn, VERDICT_BUSY); return;
	case AUTH_NO: judged_wrong(conn); return;
	}
}

/* Whether the try may go on to be checked; when not it is judged. */
RUNS_ON(on_worker) static bool may_try(struct conn *conn)
{
	struct access_work *work = conn_access(conn);
	struct lockout_rules rules = access_lockout_rules();

	switch (lockout_ask(&rules, &work->attempt, mono_now(), &work->wait_s)) {
	case LOCKOUT_GO: return true;
	case LOCKOUT_WRONG:
		/* Others may have changed their mind. */
		if (is_for_others(conn_request(conn)))
			return true;
		metric_add(METRIC_edge_auth_failures, 1);
		judged(conn, VERDICT_NO);
		return false;
	case LOCKOUT_WAIT: break;
	}
	metric_add(METRIC_edge_lockout_refusals, 1);
	judged(conn, VERDICT_WAIT);
	return false;
}

/* --- passwords ------------------------------------------------------------------------------ */

static bool is_settings_admin(struct bytes user)
{
	return bytes_equal(user, bytes_str(edge_settings()->conf.admin_user));
}

static const struct account *user_of(struct bytes user)
{
	const struct account *account = account_find(account_book(), user);

	return account && !account->disabled ? account : NULL;
}

/* Whether a password is hashed for him though there is no such user, so that how long it takes does
 * not say who there is. Encoders say "source": those are not worth the time. */
static bool costs_as_user(struct bytes user)
{
	bool hashed = auth_is_hash(bytes_str(edge_settings()->conf.admin_password));

	if (!user.len || bytes_equal(user, BYTES("source")) || (hashed && is_settings_admin(user)))
		return false;
	return hashed || account_book()->account_count;
}

static const char *stored_at(const struct access_work *work, enum stage stage)
{
	struct bytes user = bytes_str(work->access.name);
	const struct account *account = user_of(user);

	switch (stage) {
	case STAGE_SETTINGS:
		return is_settings_admin(user) ? edge_settings()->conf.admin_password : "";
	case STAGE_ENCODER: return work->encoder_fits ? work->encoder : "";
	case STAGE_USER: return account ? account->stored : "";
	case STAGE_NOBODY: return !account && costs_as_user(user) ? AUTH_STORED_NOBODY : "";
	case STAGE_END: break;
	}
	return "";
}

static void access_by(struct access_work *work)
{
	struct access *access = &work->access;
	const struct account *account = user_of(bytes_str(access->name));

	access->how = ACCESS_BASIC;
	if (work->stage == STAGE_SETTINGS) {
		access->rights = (struct rights){.rank = RANK_ADMIN};
		access->of_settings = true;
	} else if (work->stage == STAGE_ENCODER) {
		access->how = ACCESS_ENCODER;
	} else if (account) {
		access->rights = account->rights;
		atomic_store_explicit(account_seen(ACCOUNT_USERS, account->place), wall_now_us(),
				      memory_order_relaxed);
	}
}

RUNS_ON(on_worker) static void next_stage(struct conn *conn);

RUNS_ON(on_worker) static void on_checked(struct conn *conn, enum auth_result result)
{
	struct access_work *work = conn_access(conn);

	switch (result) {
	case AUTH_YES:
		lockout_right(&work->attempt, mono_now());
		access_by(work);
		judged(conn, VERDICT_YES);
		return;
	case AUTH_BUSY: judged(conn, VERDICT_BUSY); return;
	case AUTH_NO: break;
	}
	work->stage++;
	next_stage(conn);
}

static void next_stage(struct conn *conn)
{
	struct access_work *work = conn_access(conn);

	while (work->stage < STAGE_END && !stored_at(work, work->stage)[0])
		work->stage++;
	if (work->stage == STAGE_END && work->access.name[0] &&
	    others_asked(conn, work->access.name, bytes_of(work->given, work->given_len)))
		return;
	if (work->stage == STAGE_END)
		judged_wrong(conn);
	else
		conn_verify(conn, stored_at(work, work->stage),
			    bytes_of(work->given, work->given_len), on_checked);
}

/* Encoders without a name, or with one that nobody has, are known by their mount. */
RUNS_ON(on_worker)
static void judge_password(struct conn *conn, struct bytes user, struct bytes given)
{
	struct access_work *work = conn_access(conn);
	struct bytes account = user;
	enum lockout_kind kind = LOCKOUT_PEOPLE;

	if (is_for_others(conn_request(conn))) {
		account = user = bytes_first(user, bytes_find(user, '/'));
		account = user = bytes_first(user, bytes_find(user, '@'));
	}
	/* Nobody has a longer name, and no password is longer: those are wrong, but counted. */
	if (user.len < sizeof work->access.name)
		bytes_to_str(user, work->access.name, sizeof work->access.name);
	work->given_len = bytes_to_str(given, work->given, sizeof work->given);
	if (work->encoder_fits && !stored_at(work, STAGE_SETTINGS)[0] &&
	    !stored_at(work, STAGE_USER)[0]) {
		account = bytes_str(work->mount);
		kind = LOCKOUT_ENCODER;
	}
	struct bytes parts[] = {given, bytes_str(stored_at(work, STAGE_SETTINGS)),
				bytes_str(stored_at(work, STAGE_ENCODER)),
				bytes_str(stored_at(work, STAGE_USER))};
	work->attempt =
		lockout_try_of(kind, &conn_request(conn)->peer, account, parts, COUNT_OF(parts));
	if (given.len >= sizeof work->given)
		work->stage = STAGE_END;
	if (may_try(conn))
		next_stage(conn);
}

/* --- tokens and sessions -------------------------------------------------------------------- */

/* What the owner may do now: nothing when he is gone or disabled. */
static struct rights rights_of_owner(const char *name, bool of_settings)
{
	const struct account *account = of_settings ? NULL : user_of(bytes_str(name));

	if (of_settings && is_settings_admin(bytes_str(name)))
		return (struct rights){.rank = RANK_ADMIN};
	return account ? account->rights : (struct rights){0};
}

static const char *stored_of_owner(const char *name, bool of_settings)
{
	const struct account *account = of_settings ? NULL : user_of(bytes_str(name));

	if (of_settings && is_settings_admin(bytes_str(name)))
		return edge_settings()->conf.admin_password;
	return account ? account->stored : NULL;
}

static bool token_ran_out(const struct token *token)
{
	return token->expires_us && token->expires_us <= wall_now_us();
}

RUNS_ON(on_worker) static void judge_token(struct conn *conn, struct bytes given)
{
	struct access_work *work = conn_access(conn);
	struct bytes parts[] = {BYTES("token"), given};
	const struct token *token;
	uint8_t id[AUTH_DIGEST_SIZE];
	struct rights owner;

	work->attempt = lockout_try_of(LOCKOUT_TOKEN, &conn_request(conn)->peer, given, parts,
				       COUNT_OF(parts));
	if (!may_try(conn))
		return;
	auth_hash(id, "token", given);
	token = account_token(account_book(), id);
	if (!token && others_asked(conn, "", given))
		return;
	if (!token || token_ran_out(token)) {
		judged_wrong(conn);
		return;
	}
	owner = rights_of_owner(token->owner, token->of_settings);
	work->access.rights = rights_within(&token->rights, &owner);
	work->access.how = ACCESS_TOKEN;
	work->access.of_settings = token->of_settings;
	memcpy(work->access.id, id, sizeof work->access.id);
	memcpy(work->access.name, token->owner, sizeof work->access.name);
	atomic_store_explicit(account_seen(ACCOUNT_TOKENS, token->place), wall_now_us(),
			      memory_order_relaxed);
	lockout_right(&work->attempt, mono_now());
	judged(conn, VERDICT_YES);
}

void access_bind(struct bytes cookie, const char *stored, uint8_t bound[AUTH_DIGEST_SIZE])
{
	crypto_generichash(bound, AUTH_DIGEST_SIZE, (const uint8_t *)stored, strlen(stored),
			   cookie.at, cookie.len);
}

static bool session_ran_out(const struct session *session, int64_t now)
{
	const struct edge_conf *conf = &edge_settings()->conf;
	int64_t idle_since = atomic_load_explicit(account_seen(ACCOUNT_SESSIONS, session->place),
						  memory_order_relaxed);

	return now - session->created_us > (int64_t)conf->auth_session_max * 1000 ||
	       now - idle_since > (int64_t)conf->auth_session_idle * 1000;
}

/* Whether it has not run out, and the password is still the one it began with. */
static bool session_holds(const struct session *session, struct bytes cookie, int64_t now)
{
	const char *stored = stored_of_owner(session->name, session->of_settings);
	uint8_t bound[AUTH_DIGEST_SIZE];

	if (!stored || session_ran_out(session, now))
		return false;
	access_bind(cookie, stored, bound);
	return auth_same(bound, session->bound);
}

RUNS_ON(on_worker) static void judge_session(struct conn *conn)
{
	struct access_work *work = conn_access(conn);
	struct bytes cookie = cookie_of(conn_request(conn));
	const struct session *session;
	int64_t now = wall_now_us();

	if (cookie.len < crypto_generichash_KEYBYTES_MIN || cookie.len > 2 * AUTH_DIGEST_SIZE) {
		judged(conn, VERDICT_NONE);
		return;
	}
	auth_hash(work->access.id, "session", cookie);
	session = account_session(account_book(), work->access.id);
	/* A cookie of yesterday is no attempt to guess one. */
	if (!session || !session_holds(session, cookie, now)) {
		judged(conn, VERDICT_NONE);
		return;
	}
	work->access.how = ACCESS_SESSION;
	work->access.of_settings = session->of_settings;
	work->access.rights = rights_of_owner(session->name, session->of_settings);
	memcpy(work->access.name, session->name, sizeof work->access.name);
	atomic_store_explicit(account_seen(ACCOUNT_SESSIONS, session->place), now,
			      memory_order_relaxed);
	judged(conn, VERDICT_YES);
}

/* --- staying -------------------------------------------------------------------------------- */

/* False: he is not there. */
static bool digest_of_owner(const struct access *access, uint8_t digest[AUTH_DIGEST_SIZE])
{
	const char *stored = stored_of_owner(access->name, access->of_settings);

	if (stored)
		auth_hash(digest, "stay", bytes_str(stored));
	return stored;
}

struct access_stay access_stay_of(struct conn *conn, enum rank need)
{
	struct access_stay stay = {.access = *access_of(conn), .need = need};

	(void)digest_of_owner(&stay.access, stay.stored);
	return stay;
}

/* A token outlives its owner's password. */
bool access_stays(const struct access_stay *stay)
{
	const struct access *access = &stay->access;
	struct rights rights = rights_of_owner(access->name, access->of_settings);
	const struct session *session;
	const struct token *token;
	uint8_t digest[AUTH_DIGEST_SIZE];

	if (!digest_of_owner(access, digest))
		return false;
	switch (access->how) {
	case ACCESS_TOKEN:
		token = account_token(account_book(), access->id);
		if (!token || token_ran_out(token))
			return false;
		rights = rights_within(&token->rights, &rights);
		break;
	case ACCESS_SESSION:
		session = account_session(account_book(), access->id);
		if (!session || session_ran_out(session, wall_now_us()) ||
		    !auth_same(digest, stay->stored))
			return false;
		break;
	case ACCESS_BASIC:
		if (!auth_same(digest, stay->stored))
			return false;
		break;
	case ACCESS_NOBODY:
	case ACCESS_ENCODER: return false;
	}
	return rights_allow(&rights, stay->need, (struct bytes){0});
}

/* --- asking --------------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void work_begin(struct conn *conn, const struct access_need *need,
		       void (*then)(struct conn *conn, enum verdict verdict))
{
	struct access_work *work = conn_access(conn);
	void (*let_in)(struct conn * conn) = work->then;

	*work = (struct access_work){
		.need = need->rank,
		.changes = need->changes || method_changes(conn_request(conn)),
		.preflighted = need->preflighted,
		.judged = then,
		.then = let_in,
	};
	bytes_to_str(need->mount, work->mount, sizeof work->mount);
	if (need->encoder)
		bytes_to_str(bytes_str(need->encoder), work->encoder, sizeof work->encoder);
}

void access_judge(struct conn *conn, const struct access_need *need,
		  void (*then)(struct conn *conn, enum verdict verdict))
{
	struct bytes value = http1_header_get(&conn_request(conn)->head, BYTES("Authorization"));
	uint8_t room[512];
	struct writer w = writer_of(room, sizeof room);
	struct basic_auth basic;
	struct bytes token;

	work_begin(conn, need, then);
	if (need->given.at) {
		conn_access(conn)->encoder_fits = need->encoder;
		judge_password(conn, BYTES(""), need->given);
	} else if (basic_auth_parse_bearer(value, &token)) {
		judge_token(conn, token);
	} else if (basic_auth_parse(value, &w, &basic) == BASIC_AUTH_OK) {
		conn_access(conn)->encoder_fits =
			need->encoder &&
			(!need->encoder_user.len || bytes_equal(need->encoder_user, basic.user));
		judge_password(conn, basic.user, basic.password);
	} else if (value.at) {
		judged(conn, VERDICT_NONE);
	} else {
		judge_session(conn);
	}
	sodium_memzero(room, sizeof room);
}

void access_judge_login(struct conn *conn, struct bytes user, struct bytes given,
			void (*then)(struct conn *conn, enum verdict verdict))
{
	struct access_need need = {.changes = true};

	work_begin(conn, &need, then);
	judge_password(conn, user, given);
}

RUNS_ON(on_worker) static void on_required(struct conn *conn, enum verdict verdict)
{
	if (verdict == VERDICT_YES)
		conn_access(conn)->then(conn);
	else
		access_refuse(conn, verdict);
}

void access_require(struct conn *conn, enum rank rank, struct bytes mount,
		    void (*then)(struct conn *conn))
{
	struct access_need need = {.rank = rank, .mount = mount};

	conn_access(conn)->then = then;
	access_judge(conn, &need, on_required);
}

void access_require_change(struct conn *conn, enum rank rank, struct bytes mount,
			   void (*then)(struct conn *conn))
{
	struct access_need need = {.rank = rank, .mount = mount, .changes = true};

	conn_access(conn)->then = then;
	access_judge(conn, &need, on_required);
}

const struct access *access_of(struct conn *conn)
{
	return &conn_access(conn)->access;
}

/* --- refusing ------------------------------------------------------------------------------- */

/* Whether it is a script of ours that asks, or of somebody who reads JSON. */
static bool wants_json(const struct request *request)
{
	return http1_header_get(&request->head, BYTES("X-Requested-With")).at ||
	       bytes_start_with(request->path, BYTES("/api/"));
}

static unsigned status_of(enum verdict verdict, const char **why)
{
	switch (verdict) {
	case VERDICT_YES: break;
	case VERDICT_NO:
	case VERDICT_NONE: *why = "You need to authenticate"; return 401;
	case VERDICT_BUSY: *why = "too many logins at once"; return 503;
	case VERDICT_WAIT: *why = "too many wrong passwords"; return 429;
	case VERDICT_DENIED: *why = "you may not do this"; return 403;
	case VERDICT_FOREIGN: *why = "this request came from another site"; return 403;
	}
	CHECK(false);
	return 500;
}

/* The word for programs. */
static const char *code_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_YES: break;
	case VERDICT_NO:
	case VERDICT_NONE: return "no_login";
	case VERDICT_BUSY: return "busy";
	case VERDICT_WAIT: return "wait";
	case VERDICT_DENIED: return "denied";
	case VERDICT_FOREIGN: return "foreign";
	}
	return "";
}

RUNS_ON(on_worker) static void log_refusal(struct conn *conn, enum verdict verdict, const char *why)
{
	const struct request *request = conn_request(conn);
	char address[ADDRESS_TEXT_MAX + 1];
	struct kv fields[] = {
		kv_str("address", address_text(&request->peer, address)),
		kv_bytes("path", request->path.at, request->path.len),
		kv_str("user", access_of(conn)->name),
		kv_str("why", why),
	};

	if (verdict == VERDICT_NO) {
		log_write(LOG_LEVEL_WARNING, "edge", "admin login failed", fields, 3);
		audit_say(access_of(conn)->name, "", &request->peer, "login", "refused");
	} else if (verdict != VERDICT_NONE && verdict != VERDICT_BUSY)
		log_write(LOG_LEVEL_WARNING, "edge", "refused", fields, 4);
}

void access_refuse(struct conn *conn, enum verdict verdict)
{
	const struct request *request = conn_request(conn);
	struct reply reply = {0};
	char number[16];
	const char *why;
	unsigned status = status_of(verdict, &why);

	log_refusal(conn, verdict, why);
	if (wants_json(request)) {
		api_reply_fault(&reply, status, code_of(verdict), why);
	} else {
		reply_text(&reply, status, why);
	}
	if (status == 401 && !http1_header_get(&request->head, BYTES("X-Requested-With")).at)
		reply_header(&reply, "WWW-Authenticate", BYTES("Basic realm=\"ringmain\""));
	if (status == 429) {
		snprintf(number, sizeof number, "%u", conn_access(conn)->wait_s);
		reply_header(&reply, "Retry-After", bytes_str(number));
	}
	if (status == 503)
		reply.close = true;
	conn_reply(conn, &reply);
}
