/* How a server lets us in: CAP, SASL, nick. The header is irc_upstream.h. */
#include <sodium.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/auth.h"
#include "edge/proto/base64.h"
#include "irc/irc_account.h"
#include "irc/irc_client.h"
#include "irc/irc_crypto.h"
#include "irc/irc_metadata.h"
#include "irc/irc_multiline.h"
#include "irc/irc_network.h"
#include "irc/irc_notice.h"
#include "irc/irc_upstream.h"

#define NICK_TRIES    30    /* that are longer each time: none of these is free on no server */
#define NICK_AGAIN_MS 15000 /* the wanted one is asked for so often at first */

/* An answer that the pool works at. */
struct irc_sasl_errand {
	uv_work_t work;
	struct irc_upstream *up; /* NULL: nobody waits for it any more, and sasl is its own */
	struct irc_sasl *sasl;
	bool good;
	size_t challenge_len, answer_len;
	uint8_t challenge[IRC_SASL_MESSAGE], answer[IRC_SASL_MESSAGE];
};

/* --- capabilities --------------------------------------------------------------------------- */

static irc_caps wanted_of(const struct irc_upstream *up)
{
	irc_caps wanted = irc_caps_with(IRC_CAP_UP) & up->offered & ~up->on;

	/* Without labels it cannot be told whose words come back. */
	if (!((up->offered | up->on) & IRC_CAP(LABELED_RESPONSE)) ||
	    !((up->offered | up->on) & IRC_CAP(BATCH)))
		wanted &= ~(IRC_CAP(ECHO_MESSAGE) | IRC_CAP(LABELED_RESPONSE));
	return wanted;
}

static void request(struct irc_upstream *up)
{
	irc_caps wanted = wanted_of(up);
	char list[IRC_LINE_MAX];
	struct writer w = writer_of(list, sizeof list - 1);

	for (unsigned i = 0; i < IRC_CAPS; i++) {
		if (!(wanted & irc_cap_bit((enum irc_cap)i)))
			continue;
		if (w.len > 380) {
			list[w.len] = '\0';
			irc_upstream_say(up, "CAP REQ :%s", list);
			w = writer_of(list, sizeof list - 1);
		}
		if (w.len)
			writer_u8(&w, ' ');
		writer_str(&w, irc_cap_name((enum irc_cap)i));
	}
	list[w.len] = '\0';
	if (w.len)
		irc_upstream_say(up, "CAP REQ :%s", list);
	else if (!up->ended) {
		up->ended = true;
		irc_upstream_say(up, "CAP END");
	}
}

static void caps_changed(struct irc_upstream *up)
{
	up->network->caps = up->on;
	if (up->welcomed)
		irc_clients_caps(up->network);
}

/* IRCv3 sts: on a plain connection the port; on a secure one how long. */
static void promise(struct irc_upstream *up, struct bytes value)
{
	struct irc_network *network = up->network;
	uint64_t port = 0, duration = 0;
	bool has_duration = false;

	while (value.len) {
		struct bytes one = bytes_cut(&value, ','), key = bytes_cut(&one, '=');

		if (bytes_equal(key, BYTES("port")))
			(void)bytes_to_u64(one, 65535, &port);
		else if (bytes_equal(key, BYTES("duration")))
			has_duration = bytes_to_u64(one, INT32_MAX, &duration);
	}
	if (up->place.tls) {
		if (!has_duration)
			return;
		network->conf.sts_port = duration ? up->place.port : 0;
		network->conf.sts_until = wall_now_us() / 1000000 + (int64_t)duration;
		irc_network_keep(network);
	} else if (port) {
		/* For as long as it takes to connect again; the secure server says how long. */
		network->conf.sts_port = (int64_t)port;
		network->conf.sts_until = wall_now_us() / 1000000 + 300;
		network->server--; /* the same one */
		irc_upstream_fail(up, true, "the server wants TLS; it gets it");
	}
}

static void take_offer(struct irc_upstream *up, struct bytes list)
{
	struct irc_cap_word word;

	while (up->phase == IRC_PHASE_TALKS && irc_cap_next(&list, &word)) {
		if (word.cap == IRC_CAPS)
			continue;
		up->offered |= irc_cap_bit(word.cap);
		if (word.cap == IRC_CAP_SASL)
			irc_set(&up->sasl_offer, word.value);
		if (word.cap == IRC_CAP_METADATA)
			irc_metadata_take_limits(up->network, word.value);
		if (word.cap == IRC_CAP_MULTILINE)
			irc_multiline_take_limits(up->network, word.value);
		if (word.cap == IRC_CAP_STS)
			promise(up, word.value);
	}
}

static void sasl_begin(struct irc_upstream *up);

static void take_answer(struct irc_upstream *up, struct bytes list, bool granted)
{
	struct irc_cap_word word;
	bool sasl = false;

	while (irc_cap_next(&list, &word)) {
		if (word.cap == IRC_CAPS)
			continue;
		if (granted && !word.minus)
			up->on |= irc_cap_bit(word.cap);
		else
			up->on &= ~irc_cap_bit(word.cap);
		/* One that was refused is not asked for again. */
		up->offered &= ~irc_cap_bit(word.cap);
		sasl |= granted && word.cap == IRC_CAP_SASL;
	}
	caps_changed(up);
	if (up->ended)
		return;
	if (sasl && up->network->conf.sasl_mechanism[0]) {
		sasl_begin(up);
	} else if (!wanted_of(up) && !up->sasl) {
		up->ended = true;
		irc_upstream_say(up, "CAP END");
	}
}

static void hear_cap(struct irc_upstream *up, const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 1);
	bool more = line->count > 3 && bytes_equal(irc_param(line, 2), BYTES("*"));
	struct bytes list = irc_param(line, more ? 3 : 2), all = list;
	struct irc_cap_word word;

	if (bytes_equal_nocase(sub, BYTES("LS"))) {
		take_offer(up, list);
		if (more || up->phase != IRC_PHASE_TALKS)
			return;
		up->listed = true;
		if (up->network->conf.sasl_mechanism[0] && !(up->offered & IRC_CAP(SASL))) {
			irc_upstream_fail(up, true, "the server has no SASL, and a login is set");
			return;
		}
		request(up);
	} else if (bytes_equal_nocase(sub, BYTES("ACK"))) {
		take_answer(up, list, true);
	} else if (bytes_equal_nocase(sub, BYTES("NAK"))) {
		take_answer(up, list, false);
	} else if (bytes_equal_nocase(sub, BYTES("NEW"))) {
		take_offer(up, list);
		if (up->phase == IRC_PHASE_TALKS)
			request(up);
	} else if (bytes_equal_nocase(sub, BYTES("DEL"))) {
		while (irc_cap_next(&all, &word))
			if (word.cap != IRC_CAPS) {
				up->on &= ~irc_cap_bit(word.cap);
				up->offered &= ~irc_cap_bit(word.cap);
			}
		caps_changed(up);
	}
}

/* --- SASL ----------------------------------------------------------------------------------- */

/* What is lent to it may change before the server goes on: it lies behind the struct. */
static bool sasl_open(struct irc_upstream *up, enum irc_mechanism mechanism, struct bytes user,
		      struct bytes password)
{
	char nonce[IRC_SASL_NONCE + 1];
	uint8_t *copies;

	up->sasl = calloc(1, sizeof *up->sasl + user.len + password.len + 1);
	if (!up->sasl)
		return false;
	copies = (uint8_t *)(up->sasl + 1);
	memcpy(copies, user.at, user.len);
	memcpy(copies + user.len, password.at, password.len);
	auth_random_hex(nonce, IRC_SASL_NONCE / 2);
	irc_sasl_start(up->sasl, mechanism, &irc_crypto, bytes_of(copies, user.len),
		       bytes_of(copies + user.len, password.len), nonce);
	return true;
}

static void sasl_begin(struct irc_upstream *up)
{
	const struct irc_network_conf *conf = &up->network->conf;

	if (up->sasl)
		return;
	if (sasl_open(up, irc_mechanism_of(bytes_str(conf->sasl_mechanism)),
		      bytes_str(conf->sasl_username), bytes_str(conf->sasl_password)))
		irc_upstream_say(up, "AUTHENTICATE %s", irc_mechanism_name(up->sasl->mechanism));
	else
		irc_upstream_fail(up, true, "out of memory");
}

/* In pieces of 400 bytes; the last one is shorter, or "+". */
static void sasl_say(struct irc_upstream *up, struct bytes answer)
{
	char text[BASE64_SIZE(IRC_SASL_MESSAGE) + 1];
	struct writer w = writer_of(text, sizeof text);
	struct bytes rest;
	bool full = true;

	base64_encode(answer, &w);
	rest = writer_done(&w);
	while (full && up->phase == IRC_PHASE_TALKS) {
		struct bytes piece = bytes_first(rest, IRC_SASL_CHUNK);

		rest = bytes_skip(rest, piece.len);
		full = piece.len == IRC_SASL_CHUNK;
		irc_upstream_say(up, "AUTHENTICATE %.*s", piece.len ? (int)piece.len : 1,
				 piece.len ? (const char *)piece.at : "+");
	}
	sodium_memzero(text, sizeof text);
}

static void sasl_answered(struct irc_upstream *up, bool good, struct bytes answer)
{
	if (good)
		sasl_say(up, answer);
	else
		irc_upstream_fail(up, true, "the server's SASL makes no sense");
}

static void sasl_free(struct irc_sasl *sasl)
{
	if (sasl)
		sodium_memzero(sasl, sizeof *sasl + sasl->user.len + sasl->password.len);
	free(sasl);
}

static void errand_work(uv_work_t *work)
{
	struct irc_sasl_errand *errand = container_of(work, struct irc_sasl_errand, work);
	struct writer out = writer_of(errand->answer, sizeof errand->answer);

	errand->good = irc_sasl_answer(errand->sasl,
				       bytes_of(errand->challenge, errand->challenge_len), &out);
	errand->answer_len = out.len;
}

static void errand_done(uv_work_t *work, int status)
{
	struct irc_sasl_errand *errand = container_of(work, struct irc_sasl_errand, work);
	struct irc_upstream *up = errand->up;

	enter_worker();
	if (up)
		up->errand = NULL;
	else
		sasl_free(errand->sasl);
	if (up && up->phase == IRC_PHASE_TALKS)
		sasl_answered(up, !status && errand->good,
			      bytes_of(errand->answer, errand->answer_len));
	sodium_memzero(errand, sizeof *errand);
	free(errand);
}

/* SCRAM's proof takes as long as the server wants: on the pool, which has the login until then. */
static bool errand_send(struct irc_upstream *up, struct bytes challenge)
{
	struct irc_sasl_errand *errand = calloc(1, sizeof *errand);

	enter_worker();
	if (!errand)
		return false;
	memcpy(errand->challenge, challenge.at, challenge.len);
	errand->challenge_len = challenge.len;
	errand->sasl = up->sasl;
	errand->up = up;
	if (uv_queue_work(&irc_here.worker->loop, &errand->work, errand_work, errand_done)) {
		free(errand);
		return false;
	}
	up->errand = errand;
	return true;
}

static void hear_challenge(struct irc_upstream *up)
{
	uint8_t challenge[IRC_SASL_MESSAGE], answer[IRC_SASL_MESSAGE];
	struct writer in = writer_of(challenge, sizeof challenge);
	struct writer out = writer_of(answer, sizeof answer);
	bool good = base64_decode(irc_pipe_bytes(&up->challenge), &in);

	irc_pipe_fini(&up->challenge);
	if (good && up->sasl->mechanism == IRC_SASL_SCRAM_SHA_256 && up->sasl->step == 1) {
		if (!errand_send(up, writer_done(&in)))
			irc_upstream_fail(up, true, "out of memory");
		return;
	}
	good = good && irc_sasl_answer(up->sasl, writer_done(&in), &out);
	sasl_answered(up, good, writer_done(&out));
	sodium_memzero(answer, sizeof answer);
}

static void hear_authenticate(struct irc_upstream *up, struct bytes piece)
{
	if (!up->sasl)
		return;
	if (up->errand ||
	    (!bytes_equal(piece, BYTES("+")) &&
	     (irc_pipe_len(&up->challenge) > 2048 || !irc_pipe_put(&up->challenge, piece)))) {
		irc_upstream_fail(up, true, "the server's SASL makes no sense");
		return;
	}
	if (piece.len < IRC_SASL_CHUNK)
		hear_challenge(up);
}

void irc_register_forget(struct irc_upstream *up)
{
	if (up->errand)
		up->errand->up = NULL;
	else
		sasl_free(up->sasl);
	up->sasl = NULL;
	up->errand = NULL;
}

static void sasl_end(struct irc_upstream *up, bool good, struct bytes text)
{
	char why[300];
	bool proved = up->sasl && !up->errand && irc_sasl_is_proved(up->sasl);

	if (!up->sasl)
		return;
	irc_register_forget(up);
	if (up->sasl_client) {
		irc_account_answered(up, good && proved, text);
	} else if (!good || !proved) {
		snprintf(why, sizeof why, "the login was refused: %.*s", good ? 40 : (int)text.len,
			 good ? "the server did not know the password    " : (const char *)text.at);
		irc_upstream_fail(up, true, why);
	} else if (!up->ended) {
		up->ended = true;
		irc_upstream_say(up, "CAP END");
	}
}

bool irc_register_login(struct irc_upstream *up, struct bytes account, struct bytes password)
{
	if (!sasl_open(up, IRC_SASL_PLAIN, account, password))
		return false;
	up->sasl_until = mono_add_ms(mono_now(), (int64_t)irc_conf_now()->answer_timeout);
	irc_upstream_say(up, "AUTHENTICATE PLAIN");
	return true;
}

/* --- nick ----------------------------------------------------------------------------------- */

static void nick_is_taken(struct irc_upstream *up)
{
	const char *wanted = irc_network_nick(up->network);
	size_t most = up->network->is.nicklen < 9 ? 9 : up->network->is.nicklen;
	char nick[128];

	if (up->welcomed)
		return;
	if (++up->nick_tries > NICK_TRIES) {
		irc_upstream_fail(up, true, "no nick is free");
		return;
	}
	/* "_" behind it; and where that is too long, a digit in place of its end. */
	snprintf(nick, sizeof nick, "%s%.*s", wanted,
		 (int)(up->nick_tries < 8 ? up->nick_tries : 8), "________");
	if (strlen(nick) > most)
		snprintf(nick + most - 2, sizeof nick - most + 2, "%02u", up->nick_tries);
	irc_set(&up->network->nick, bytes_str(nick));
	irc_upstream_say(up, "NICK %s", nick);
}

void irc_register_tick(struct irc_upstream *up, mono_t now)
{
	struct irc_network *network = up->network;
	const char *wanted = irc_network_nick(network);

	if (up->sasl_client && up->sasl && !mono_before(now, up->sasl_until))
		sasl_end(up, false, BYTES("The server does not answer"));
	if (up->join_at.us && !mono_before(now, up->join_at)) {
		up->join_at.us = 0;
		irc_network_join_all(network);
	}
	if (irc_same(network->is.casemap, bytes_str(network->nick), bytes_str(wanted)) ||
	    mono_before(now, up->nick_at))
		return;
	up->nick_at = mono_add_ms(now, (int64_t)NICK_AGAIN_MS *
					       (up->nick_tries < 40 ? ++up->nick_tries : 40));
	irc_upstream_later(up, "NICK %s", wanted);
}

/* --- lines ---------------------------------------------------------------------------------- */

void irc_register_begin(struct irc_upstream *up)
{
	struct irc_network *network = up->network;
	enum irc_casemap before = network->is.casemap;
	const char *nick = irc_network_nick(network);
	const char *realname = network->conf.realname[0]    ? network->conf.realname
			       : network->user->realname[0] ? network->user->realname
							    : nick;

	irc_isupport_init(&network->is);
	irc_network_refold(network, before);
	irc_set(&network->isupport, BYTES(""));
	irc_set(&network->nick, bytes_str(nick));
	irc_set(&network->userhost, BYTES(""));
	network->caps = 0;
	network->multiline_bytes = network->multiline_lines = 0;
	network->is_away = false;
	irc_account_forget(network);
	irc_set(&network->away_said, BYTES(""));
	network->away_asked = 0;
	irc_upstream_say(up, "CAP LS 302");
	if (network->conf.pass[0])
		irc_upstream_say(up, "PASS %s", network->conf.pass);
	irc_upstream_say(up, "NICK %s", nick);
	irc_upstream_say(up, "USER %.100s 0 * :%.300s",
			 network->conf.username[0] ? network->conf.username : nick, realname);
}

static void welcomed(struct irc_upstream *up, const struct irc_line *line)
{
	struct irc_network *network = up->network;

	up->welcomed = true;
	up->nick_tries = 0;
	up->nick_at = mono_add_ms(mono_now(), NICK_AGAIN_MS);
	irc_set(&network->nick, irc_param(line, 0));
	network->caps = up->on;
	log_info("irc", "network up", kv_str("user", network->user->name),
		 kv_str("network", network->name), kv_str("host", up->place.host),
		 kv_bool("tls", up->place.tls));
	irc_network_state(network, IRC_STATE_UP);
}

static void hear_error(struct irc_upstream *up, struct bytes text, bool fatal)
{
	irc_set(&up->fault, text);
	up->fatal |= fatal;
}

bool irc_register_hear(struct irc_upstream *up, const struct irc_line *line)
{
	struct bytes text = irc_param(line, line->count ? line->count - 1 : 0);

	if (irc_verb_is(line, "PING")) {
		/* Never in a queue: a server that waits too long ends it. */
		text = bytes_first(text, IRC_LINE_MAX - 8);
		irc_upstream_say(up, "PONG :%.*s", (int)text.len, (const char *)text.at);
		return true;
	}
	if (irc_verb_is(line, "CAP")) {
		hear_cap(up, line);
		return true;
	}
	if (irc_verb_is(line, "AUTHENTICATE")) {
		hear_authenticate(up, irc_param(line, 0));
		return true;
	}
	if (irc_verb_is(line, "ERROR")) {
		hear_error(up, text, false);
		return true;
	}
	/* Trying again would get the same answer. */
	if (irc_verb_is(line, "FAIL") && !up->welcomed &&
	    bytes_equal(irc_param(line, 1), BYTES("ACCOUNT_REQUIRED"))) {
		hear_error(up, text, true);
		return true;
	}
	switch (irc_line_numeric(line)) {
	case 1:
		if (!up->welcomed)
			welcomed(up, line);
		return true;
	case 903: sasl_end(up, true, text); return true;
	case 902:
	case 904:
	case 905:
	case 906:
		if (!up->sasl)
			return false;
		sasl_end(up, false, text);
		return true;
	case 908: return up->sasl != NULL;
	case 433:
	case 436:
	case 437:
		if (up->welcomed)
			return false;
		nick_is_taken(up);
		return true;
	case 432:
	case 464:
		/* Trying again would get the same answer. */
		if (!up->welcomed)
			hear_error(up, text, true);
		return false;
	case 465: hear_error(up, text, false); return false;
	default: return false;
	}
}
