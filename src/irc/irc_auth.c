#include "irc/irc_auth.h"

#include <jansson.h>

#include "core/log.h"
#include "edge/account.h"
#include "edge/edge.h"
#include "irc/irc_service.h"

#define TIMEOUT_MS 10000
#define ANSWER_MAX 65536

bool irc_auth_takes_tokens(void)
{
	return irc_conf_now()->oauth_url[0];
}

/* Whoever may say yes there must not rule here by it. */
static bool may_be(const char *user)
{
	const struct account *account = account_find(account_book(), bytes_str(user));

	return user[0] && !irc_is_admin(user) && !(account && account->disabled);
}

bool irc_auth_wanted(const char *user)
{
	return irc_conf_now()->auth_url[0] && may_be(user);
}

static enum auth_result judge_token(struct irc_auth *auth)
{
	struct bytes body = fetch_body(&auth->fetch);
	json_t *tree = json_loadb((const char *)body.at, body.len, 0, NULL);
	const char *name = json_string_value(json_object_get(tree, "username"));
	bool good = json_is_true(json_object_get(tree, "active")) && name &&
		    strlen(name) < sizeof auth->user && !strpbrk(name, "/@ \r\n");

	if (good)
		snprintf(auth->user, sizeof auth->user, "%s", name);
	json_decref(tree);
	return good && may_be(auth->user) ? AUTH_YES : AUTH_NO;
}

static void on_fetched(struct fetch *fetch)
{
	struct irc_auth *auth = container_of(fetch, struct irc_auth, fetch);
	enum auth_result result = AUTH_BUSY;

	enter_worker();
	if (fetch->result == FETCH_OK && fetch->status >= 200 && fetch->status < 300)
		result = auth->by_token ? judge_token(auth) : AUTH_YES;
	else if (fetch->result == FETCH_OK && !auth->by_token &&
		 (fetch->status == 401 || fetch->status == 403))
		result = AUTH_NO;
	else
		log_warnx("irc", "nobody says who it is", kv_u64("status", fetch->status),
			  kv_str("error", fetch->error));
	fetch_fini(fetch);
	auth->done(auth, result);
}

bool irc_auth_password(struct irc_auth *auth, const char *user, const char *password)
{
	auth->by_token = false;
	snprintf(auth->user, sizeof auth->user, "%s", user);
	return fetch_start(&auth->fetch, &(struct fetch_request){
						 .method = "POST",
						 .url = irc_conf_now()->auth_url,
						 .user = user,
						 .password = password,
						 .body = BYTES(""),
						 .timeout_ms = TIMEOUT_MS,
						 .body_max = ANSWER_MAX,
						 .done = on_fetched,
					 }) == 0;
}

/* application/x-www-form-urlencoded. */
static void put_escaped(struct writer *w, struct bytes text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '-' || c == '_' || c == '.') {
			writer_u8(w, c);
		} else {
			writer_u8(w, '%');
			writer_u8(w, (uint8_t)digits[c >> 4]);
			writer_u8(w, (uint8_t)digits[c & 15]);
		}
	}
}

bool irc_auth_token(struct irc_auth *auth, struct bytes token)
{
	const struct irc_conf *conf = irc_conf_now();
	char body[24576];
	struct writer w = writer_of(body, sizeof body);

	auth->by_token = true;
	auth->user[0] = '\0';
	writer_str(&w, "token_type_hint=access_token&token=");
	put_escaped(&w, token);
	return writer_ok(&w) &&
	       fetch_start(&auth->fetch,
			   &(struct fetch_request){
				   .method = "POST",
				   .url = conf->oauth_url,
				   .user = conf->oauth_client[0] ? conf->oauth_client : NULL,
				   .password = conf->oauth_client[0] ? conf->oauth_secret : NULL,
				   .headers = {"Content-Type: application/x-www-form-urlencoded",
					       "Accept: application/json"},
				   .body = writer_done(&w),
				   .timeout_ms = TIMEOUT_MS,
				   .body_max = ANSWER_MAX,
				   .done = on_fetched,
			   }) == 0;
}
