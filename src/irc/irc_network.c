#include "irc/irc_network.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/address.h"
#include "irc/irc_account.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_monitor.h"
#include "irc/irc_notice.h"
#include "irc/irc_proxy.h"
#include "irc/irc_route.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"
#include "store/store_irc.h"

static const char *const state_names[] = {"off", "waits", "connects", "registers", "up"};

const char *irc_state_name(enum irc_state state)
{
	return state_names[state];
}

/* --- settings ------------------------------------------------------------------------------- */

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG };

struct field {
	const char *name;
	enum field_kind kind;
	size_t at;
	int64_t low, high;
	const char *help;
};

#define AT(field) offsetof(struct irc_network_conf, field)
static const struct field fields[] = {
#define TEXT(field, preset, help)              {#field, FIELD_TEXT, AT(field), 0, 0, help},
#define NUMBER(field, preset, low, high, help) {#field, FIELD_NUMBER, AT(field), low, high, help},
#define FLAG(field, preset, help)              {#field, FIELD_FLAG, AT(field), 0, 0, help},
#include "irc/irc_network.def"
};

/* NOLINTBEGIN(bugprone-macro-parentheses): names of members take none */
static const struct irc_network_conf presets = {
#define TEXT(field, preset, help)              .field = preset,
#define NUMBER(field, preset, low, high, help) .field = preset,
#define FLAG(field, preset, help)              .field = preset,
#include "irc/irc_network.def"
};
/* NOLINTEND(bugprone-macro-parentheses) */

const char *irc_network_field(unsigned i)
{
	return i < COUNT_OF(fields) ? fields[i].name : NULL;
}

const char *irc_network_help(unsigned i)
{
	return fields[i].help;
}

bool irc_network_is_secret(const char *name)
{
	return strcmp(name, "pass") == 0 || strcmp(name, "sasl_password") == 0 ||
	       strcmp(name, "connect_command") == 0 || strcmp(name, "proxy") == 0;
}

static const struct field *field_of(struct bytes name)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		struct bytes known = bytes_str(fields[i].name);
		size_t k = 0;

		if (known.len != name.len)
			continue;
		while (k < name.len &&
		       (name.at[k] == known.at[k] || (name.at[k] == '-' && known.at[k] == '_')))
			k++;
		if (k == name.len)
			return &fields[i];
	}
	return NULL;
}

static const char **text_of(const struct irc_network_conf *conf, const struct field *field)
{
	return (const char **)(void *)((char *)(uintptr_t)conf + field->at);
}

static int64_t *number_of(const struct irc_network_conf *conf, const struct field *field)
{
	return (int64_t *)(void *)((char *)(uintptr_t)conf + field->at);
}

static bool *flag_of(const struct irc_network_conf *conf, const struct field *field)
{
	return (bool *)(void *)((char *)(uintptr_t)conf + field->at);
}

/* Texts that are not set are the constant "" of the presets, and take no memory. */
static void text_free(const struct irc_network_conf *conf, const struct field *field)
{
	const char **text = text_of(conf, field);

	if (*text != *text_of(&presets, field))
		irc_forget((char *)(uintptr_t)*text);
	*text = *text_of(&presets, field);
}

static bool flag_parse(struct bytes value, bool *flag)
{
	*flag = bytes_equal_nocase(value, BYTES("true")) ||
		bytes_equal_nocase(value, BYTES("yes")) || bytes_equal(value, BYTES("1"));
	return *flag || bytes_equal_nocase(value, BYTES("false")) ||
	       bytes_equal_nocase(value, BYTES("no")) || bytes_equal(value, BYTES("0"));
}

/* SHA-256 or SHA-512 in hexadecimal digits, with or without colons, apart by blanks. */
static bool are_fingerprints(struct bytes rest)
{
	while (rest.len) {
		struct bytes pin = bytes_cut(&rest, ' ');
		unsigned digits = 0;

		for (size_t i = 0; i < pin.len; i++) {
			uint8_t c = byte_lower(pin.at[i]);

			if (c != ':' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
				return false;
			digits += c != ':';
		}
		if (pin.len && digits != 64 && digits != 128)
			return false;
	}
	return true;
}

static bool is_proxy(struct bytes value)
{
	struct irc_place place;
	char *text = irc_copy(value);
	bool good = text && irc_proxy_place(text, &place);

	irc_forget(text);
	return good;
}

/* What a field's text must be beyond being one. */
static const char *text_fault(const struct field *field, struct bytes value)
{
	bool lines = strcmp(field->name, "connect_command") == 0;
	struct address address;

	/* They are kept as JSON, which has no other. */
	if (!irc_is_utf8(value))
		return "is no UTF-8";

	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] == '\0' || value.at[i] == '\r' || (value.at[i] == '\n' && !lines))
			return "holds a line break";
	if (value.len > (lines ? 3000u : 1000u))
		return "is too long";
	if (strcmp(field->name, "nick") == 0 && value.len && !irc_is_nick(value))
		return "is no nick";
	if (strcmp(field->name, "sasl_mechanism") == 0 && value.len && !irc_mechanism_of(value))
		return "is none of PLAIN, EXTERNAL, SCRAM-SHA-256";
	if (strcmp(field->name, "addr") == 0 && !irc_upstream_addr_valid(value))
		return "is no address of a server: ircs://host:port, irc+insecure://host:port, "
		       "irc+unix:///path, host";
	if (strcmp(field->name, "certfp") == 0 && !are_fingerprints(value))
		return "is no fingerprint: 64 hexadecimal digits (SHA-256), or 128 (SHA-512)";
	if (strcmp(field->name, "proxy") == 0 && value.len && !is_proxy(value))
		return "is no proxy: socks5://[user:password@]host:port";
	if (strcmp(field->name, "bind") == 0 && value.len && !address_parse_ip(value, &address))
		return "is no address of this machine, such as 192.0.2.1 or 2001:db8::1";
	if (strcmp(field->name, "username") == 0 && bytes_find(value, ' ') < value.len)
		return "has a blank";
	return NULL;
}

/* As they are kept; free() it. */
static char *settings_text(const struct irc_network *network)
{
	json_t *tree = json_object();
	char *text;

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		const struct field *field = &fields[i];

		if (field->kind == FIELD_TEXT && **text_of(&network->conf, field))
			json_object_set_new(tree, field->name,
					    json_string(*text_of(&network->conf, field)));
		else if (field->kind == FIELD_NUMBER && *number_of(&network->conf, field))
			json_object_set_new(tree, field->name,
					    json_integer(*number_of(&network->conf, field)));
		else if (field->kind == FIELD_FLAG)
			json_object_set_new(tree, field->name,
					    json_boolean(*flag_of(&network->conf, field)));
	}
	text = json_dumps(tree, JSON_COMPACT);
	json_decref(tree);
	return text;
}

/* Whether the store takes them whole. A byte is at most six of JSON. */
static bool settings_fit(const struct irc_network *network)
{
	size_t len = 2000;
	char *text;
	bool fits;

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (fields[i].kind == FIELD_TEXT)
			len += 6 * strlen(*text_of(&network->conf, &fields[i]));
	if (len <= STORE_IRC_TEXT_MAX)
		return true;
	text = settings_text(network);
	fits = text && strlen(text) <= STORE_IRC_TEXT_MAX;
	irc_forget(text);
	return fits;
}

const char *irc_network_set(struct irc_network *network, struct bytes name, struct bytes value)
{
	const struct field *field = field_of(name);
	uint64_t number;
	const char *fault, *before;
	char *copy;

	if (!field)
		return "is none of the attributes";
	switch (field->kind) {
	case FIELD_FLAG:
		return flag_parse(value, flag_of(&network->conf, field)) ? NULL
									 : "is true or false";
	case FIELD_NUMBER:
		if (!bytes_to_u64(value, (uint64_t)field->high, &number))
			return "is no number, or too large";
		*number_of(&network->conf, field) = (int64_t)number;
		return NULL;
	case FIELD_TEXT: break;
	}
	fault = text_fault(field, value);
	copy = fault || !value.len ? NULL : irc_copy(value);
	if (fault || (value.len && !copy))
		return fault ? fault : "does not fit into memory";
	before = *text_of(&network->conf, field);
	*text_of(&network->conf, field) = copy ? copy : *text_of(&presets, field);
	if (!settings_fit(network)) {
		text_free(&network->conf, field);
		*text_of(&network->conf, field) = before;
		return "makes the network's settings too long: 9,999 bytes are the most";
	}
	/* What another server made us promise (IRCv3 sts) is not for this one. */
	if (strcmp(field->name, "addr") == 0 && before[0] &&
	    strcmp(before, *text_of(&network->conf, field)) != 0)
		network->conf.sts_port = network->conf.sts_until = 0;
	if (before != *text_of(&presets, field))
		irc_forget((char *)(uintptr_t)before);
	return NULL;
}

bool irc_network_get(const struct irc_network *network, const char *name, char *buf, size_t size)
{
	const struct field *field = field_of(bytes_str(name));

	if (!field)
		return false;
	switch (field->kind) {
	case FIELD_TEXT: snprintf(buf, size, "%s", *text_of(&network->conf, field)); break;
	case FIELD_NUMBER:
		snprintf(buf, size, "%lld", (long long)*number_of(&network->conf, field));
		break;
	case FIELD_FLAG:
		snprintf(buf, size, "%s", *flag_of(&network->conf, field) ? "true" : "false");
		break;
	}
	return true;
}

void irc_network_keep(const struct irc_network *network)
{
	char *text = settings_text(network);

	if (text)
		store_irc_network(&(struct store_irc_network){
			.id = network->id,
			.user = network->user->name,
			.name = network->name,
			.settings = text,
			.certificate = network->certificate,
			.key = network->key,
		});
	irc_forget(text);
}

void irc_network_take(struct irc_network *network, struct bytes settings)
{
	json_t *tree = json_loadb((const char *)settings.at, settings.len, 0, NULL), *value;
	const char *name;

	json_object_foreach(tree, name, value)
	{
		char number[32];
		struct bytes text = bytes_str(json_string_value(value));

		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
		if (json_is_integer(value))
			text = bytes_str(number);
		if (json_is_boolean(value))
			text = json_is_true(value) ? BYTES("true") : BYTES("false");
		if (irc_network_set(network, bytes_str(name), text))
			log_warnx("irc", "setting of a network passed over",
				  kv_str("user", network->user->name),
				  kv_str("network", network->name), kv_str("setting", name));
	}
	json_decref(tree);
}

/* --- life ----------------------------------------------------------------------------------- */

bool irc_network_name_valid(struct bytes name)
{
	if (!name.len || name.len > 64 || name.at[0] == '-' || bytes_equal(name, BYTES("*")))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] == '/' || name.at[i] == '@' ||
		    name.at[i] == ',' || name.at[i] == 0x7f)
			return false;
	return true;
}

struct irc_network *irc_network_find(const struct irc_user *user, struct bytes name)
{
	for (struct irc_network *network = user->networks; network; network = network->next)
		if (bytes_equal_nocase(bytes_str(network->name), name))
			return network;
	return NULL;
}

struct irc_network *irc_network_of_id(const struct irc_user *user, uint64_t id)
{
	for (struct irc_network *network = user->networks; network; network = network->next)
		if (network->id == id)
			return network;
	return NULL;
}

static void on_timer(uv_timer_t *timer)
{
	struct irc_network *network = container_of(timer, struct irc_network, timer);

	enter_worker();
	irc_network_start(network);
}

static void network_free(struct irc_network *network)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (fields[i].kind == FIELD_TEXT)
			text_free(&network->conf, &fields[i]);
	free(network->name);
	free(network->certificate);
	irc_forget(network->key);
	free(network->why);
	free(network->nick);
	free(network->userhost);
	free(network->account);
	irc_account_forget(network);
	free(network->away_said);
	free(network->isupport);
	free(network->sasl_offer);
	irc_journal_fini(&network->journal);
	free(network);
}

struct irc_network *irc_network_make(struct irc_user *user, uint64_t id, struct bytes name)
{
	struct irc_network *network, **last = &user->networks;

	if (!irc_network_name_valid(name) || irc_network_find(user, name))
		return NULL;
	network = calloc(1, sizeof *network);
	if (!network)
		return NULL;
	network->user = user;
	network->id = id;
	network->conf = presets;
	irc_isupport_init(&network->is);
	/* Until its server says how: what two names were to it are two. */
	network->is.casemap = IRC_ASCII;
	network->name = irc_copy(name);
	network->certificate = irc_copy(BYTES(""));
	network->key = irc_copy(BYTES(""));
	network->why = irc_copy(BYTES(""));
	network->nick = irc_copy(BYTES(""));
	network->userhost = irc_copy(BYTES(""));
	network->status = irc_buffer_status(network);
	network->since_ms = wall_now_us() / 1000;
	if (!network->name || !network->certificate || !network->key || !network->why ||
	    !network->nick || !network->userhost || !network->status) {
		if (network->status)
			irc_buffer_drop(network->status, true);
		network_free(network);
		return NULL;
	}
	uv_timer_init(&irc_here.worker->loop, &network->timer);
	while (*last)
		last = &(*last)->next;
	*last = network;
	user->network_count++;
	metric_add(METRIC_irc_networks, 1);
	return network;
}

static void on_closed(uv_handle_t *handle)
{
	network_free(container_of((uv_timer_t *)handle, struct irc_network, timer));
}

void irc_network_drop(struct irc_network *network, bool keep)
{
	struct irc_network **link = &network->user->networks;
	struct irc_named *named;
	uint32_t at = 0;

	irc_clients_part(network);
	irc_network_stop(network, NULL);
	irc_monitor_free(network);
	while ((named = irc_index_next(&network->buffers, &at))) {
		irc_buffer_drop(container_of(named, struct irc_buffer, named), keep);
		at = 0;
	}
	irc_index_fini(&network->buffers);
	irc_buffer_drop(network->status, true);
	if (!keep)
		store_irc_network_drop(network->id);
	while (*link != network)
		link = &(*link)->next;
	*link = network->next;
	network->user->network_count--;
	metric_add(METRIC_irc_networks, -1);
	uv_close((uv_handle_t *)&network->timer, on_closed);
}

bool irc_network_rename(struct irc_network *network, struct bytes name)
{
	struct irc_network *other = irc_network_find(network->user, name);
	char *before, *copy;

	if (!irc_network_name_valid(name) || (other && other != network))
		return false;
	copy = irc_copy(name);
	if (!copy)
		return false;
	before = network->name;
	network->name = copy;
	irc_clients_renamed(network, before);
	free(before);
	return true;
}

/* --- states --------------------------------------------------------------------------------- */

const char *irc_network_nick(const struct irc_network *network)
{
	if (network->conf.nick[0])
		return network->conf.nick;
	if (network->user->nick[0])
		return network->user->nick;
	return irc_is_nick(bytes_str(network->user->name)) ? network->user->name : "user";
}

void irc_network_state(struct irc_network *network, enum irc_state state)
{
	enum irc_state before = network->state;

	if (before == state)
		return;
	metric_add(METRIC_irc_networks_up, (state == IRC_STATE_UP) - (before == IRC_STATE_UP));
	network->state = state;
	network->since_ms = wall_now_us() / 1000;
	if (state == IRC_STATE_UP && network->is_trial) {
		network->is_trial = false;
		irc_network_keep(network);
	}
	if (state == IRC_STATE_UP) {
		network->failures = 0;
		irc_set(&network->why, BYTES(""));
	}
	irc_notice_state(network);
}

/* Not all at the same moment: up to so many in a second, the others a little later. */
static bool may_connect(void)
{
	int64_t second = (int64_t)(uv_now(&irc_here.worker->loop) / 1000);

	if (second != irc_here.connects_at) {
		irc_here.connects_at = second;
		irc_here.connects = 0;
	}
	return irc_here.connects++ < irc_conf_now()->connects;
}

void irc_network_start(struct irc_network *network)
{
	if (!network->conf.enabled || !network->conf.addr[0] || network->up ||
	    network->user->rests || irc_here.stopping)
		return;
	if (!may_connect()) {
		uint64_t spread = network->id * 7919 % 1000;

		network->state = IRC_STATE_WAITS;
		uv_timer_start(&network->timer, on_timer, 500 + spread, 0);
		return;
	}
	uv_timer_stop(&network->timer);
	irc_network_state(network, IRC_STATE_CONNECTS);
	irc_upstream_open(network);
}

void irc_network_stop(struct irc_network *network, const char *text)
{
	uv_timer_stop(&network->timer);
	if (network->up)
		irc_upstream_close(network->up, text ? text : irc_conf_now()->quit_message);
	/* The next connection counts its labels anew. */
	irc_routes_drop(network);
	irc_network_forget(network);
	network->failures = 0;
	irc_network_state(network, IRC_STATE_OFF);
}

void irc_network_lost(struct irc_network *network, bool again, const char *why)
{
	const struct irc_conf *conf = irc_conf_now();
	uint64_t wait = conf->reconnect_first;

	again &= !network->is_trial;
	log_info("irc", "network lost", kv_str("user", network->user->name),
		 kv_str("network", network->name), kv_str("why", why), kv_bool("again", again));
	metric_add(METRIC_irc_networks_lost, 1);
	for (unsigned i = 0; i < network->failures && wait < conf->reconnect_most; i++)
		wait *= 2;
	if (wait > conf->reconnect_most)
		wait = conf->reconnect_most;
	if (network->state == IRC_STATE_UP)
		network->lost_ms = wall_now_us() / 1000;
	network->failures++;
	network->server++;
	irc_set(&network->why, bytes_str(why));
	irc_network_forget(network);
	irc_routes_drop(network);
	irc_network_state(network, again ? IRC_STATE_WAITS : IRC_STATE_OFF);
	irc_notice_lost(network, again, wait);
	irc_clients_lost(network);
	irc_network_turn(network);
	/* Some more, so that those who fell together do not come back together. */
	if (again && !irc_here.stopping)
		uv_timer_start(&network->timer, on_timer,
			       wait + wait * (network->id * 2654435761u % 256) / 1024, 0);
}

uint64_t irc_network_wait_ms(const struct irc_network *network)
{
	return network->state == IRC_STATE_WAITS ? uv_timer_get_due_in(&network->timer) : 0;
}

const char *irc_network_next(const struct irc_network *network, char *out, size_t size)
{
	switch (network->state) {
	case IRC_STATE_OFF:
		if (network->conf.enabled && network->user->rests) {
			snprintf(out, size, "%s",
				 network->user->is_disabled ? "It is connected to when it is not"
							    : "It is connected to when one comes");
			break;
		}
		snprintf(out, size, "%s (network update %s%s)",
			 network->conf.enabled ? "Not trying again until you change something"
					       : "It is turned off",
			 network->name, network->conf.enabled ? " ..." : " -enabled true");
		break;
	case IRC_STATE_WAITS:
		snprintf(out, size, "Trying again in %llu s",
			 (unsigned long long)(irc_network_wait_ms(network) + 999) / 1000);
		break;
	case IRC_STATE_CONNECTS:
	case IRC_STATE_REGISTERS: snprintf(out, size, "Connecting"); break;
	case IRC_STATE_UP: out[0] = '\0'; break;
	}
	return out;
}

/* --- lines ---------------------------------------------------------------------------------- */

void irc_network_tell(struct irc_network *network, enum irc_kind kind, uint32_t origin,
		      int64_t at_ms, struct bytes tags, struct bytes line)
{
	struct irc_record record = {
		.at_ms = at_ms,
		.kind = (uint32_t)kind | IRC_KIND_EVENT | IRC_KIND_LIVE,
		.origin = origin,
		.tags = tags,
		.line = line,
	};

	if (network->attached)
		irc_buffer_put(network->status, &record);
}

void irc_network_refold(struct irc_network *network, enum irc_casemap before)
{
	if (before == network->is.casemap)
		return;
	irc_index_rehash(&network->buffers, network->is.casemap);
	irc_index_rehash(&network->nicks, network->is.casemap);
	irc_index_rehash(&network->watches, network->is.casemap);
}

void irc_network_turn(struct irc_network *network)
{
	struct irc_client *next;

	network->fresh = 0;
	if (!network->attached)
		return;
	for (struct irc_client *client = network->user->clients; client; client = next) {
		next = client->next;
		irc_client_feed(client);
	}
}

void irc_network_self(const struct irc_network *network, struct writer *w)
{
	writer_str(w, network->nick);
	if (network->userhost[0]) {
		writer_u8(w, '!');
		writer_str(w, network->userhost);
	}
}
