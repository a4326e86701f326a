#include "irc/irc_auth.h"

#include <jansson.h>

#include "core/log.h"
#include "edge/account.h"
#include "edge/edge.h"
#include "irc/irc_service.h"

#define ANSWER_MAX 65536 /* bytes of who was asked: a page of an error at most */

bool irc_auth_takes_tokens(void)
{
	return irc_conf_now()->oauth_url[0];
}

bool irc_auth_is_elsewhere(void)
{
	const struct irc_conf *conf = irc_conf_now();

	return conf->auth_url[0] || conf->auth_pam[0] || conf->oauth_url[0];
}

/* It goes into lines and into the log. */
bool irc_auth_name_valid(const char *name)
{
	bool good = name[0] && strlen(name) < IRC_USER_SIZE && !strpbrk(name, "/@");

	for (const char *at = name; good && *at; at++)
		good = (uint8_t)*at > ' ' && *at != 0x7f;
	return good;
}

/* Whoever may say yes there must not rule here by it. */
bool irc_auth_may_be(const char *user)
{
	const struct account *account = account_find(account_book(), bytes_str(user));

	return user[0] && !irc_is_admin(user) && !(account && account->disabled);
}

bool irc_auth_wanted(const char *user)
{
	const struct irc_conf *conf = irc_conf_now();

	return (conf->auth_url[0] || conf->auth_pam[0]) && irc_auth_may_be(user);
}

bool irc_auth_owner(struct bytes body, char user[IRC_USER_SIZE])
{
	json_t *tree = json_loadb((const char *)body.at, body.len, 0, NULL);
	const char *name = json_string_value(json_object_get(tree, "username"));
	bool good =
		json_is_true(json_object_get(tree, "active")) && name && irc_auth_name_valid(name);

	if (good)
		snprintf(user, IRC_USER_SIZE, "%s", name);
	json_decref(tree);
	return good;
}

static enum auth_result judge_token(struct irc_auth *auth)
{
	return irc_auth_owner(fetch_body(&auth->fetch), auth->user) && irc_auth_may_be(auth->user)
		       ? AUTH_YES
		       : AUTH_NO;
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

static void on_pam(struct pam_login *pam, enum auth_result result)
{
	struct irc_auth *auth = container_of(pam, struct irc_auth, pam);

	enter_worker();
	auth->done(auth, result);
}

static bool ask_pam(struct irc_auth *auth, const char *password, const struct address *peer)
{
	const struct irc_conf *conf = irc_conf_now();
	char address[ADDRESS_TEXT_MAX + 1];

	return pam_login_start(&irc_here.worker->loop, &auth->pam,
			       &(struct pam_question){
				       .service = conf->auth_pam,
				       .user = auth->user,
				       .password = password,
				       .address = address_text(peer, address),
				       .timeout_ms = conf->auth_timeout,
				       .most = (unsigned)conf->auth_pam_most,
			       },
			       on_pam);
}

bool irc_auth_password(struct irc_auth *auth, const char *user, const char *password,
		       const struct address *peer)
{
	const struct irc_conf *conf = irc_conf_now();

	enter_worker();
	auth->by_token = false;
	snprintf(auth->user, sizeof auth->user, "%s", user);
	if (conf->auth_pam[0])
		return ask_pam(auth, password, peer);
	return fetch_start(&auth->fetch, &(struct fetch_request){
						 .method = "POST",
						 .url = conf->auth_url,
						 .user = user,
						 .password = password,
						 .body = BYTES(""),
						 .timeout_ms = conf->auth_timeout,
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
				   .timeout_ms = conf->auth_timeout,
				   .body_max = ANSWER_MAX,
				   .done = on_fetched,
			   }) == 0;
}
