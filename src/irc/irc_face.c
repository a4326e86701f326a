/* The worker of a user builds what is shown of him; the control thread answers with it. */
#include "irc/irc_face.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/clock.h"
#include "core/family.h"
#include "edge/account.h"
#include "edge/edge.h"
#include "edge/fetch.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_errand.h"
#include "irc/irc_network.h"
#include "irc/irc_notify.h"
#include "irc/irc_push.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"
#include "store/store.h"

const char *irc_face_directory(void)
{
	return store_directory();
}

/* --- a user as JSON ------------------------------------------------------------------------- */

static json_t *time_of(int64_t ms)
{
	char text[IRC_TIME_LEN + 1];
	struct writer w = writer_of(text, sizeof text - 1);

	if (ms <= 0)
		return json_null();
	irc_time_write(&w, ms);
	text[w.len] = '\0';
	return json_string(text);
}

/* What is no UTF-8 (a server may say anything) is not shown. */
static json_t *text_of(const char *text)
{
	json_t *made = json_string(text ? text : "");

	return made ? made : json_string("?");
}

static json_t *network_tree(const struct irc_network *network)
{
	json_t *tree = json_object();
	uint64_t channels = 0, buffers = network->buffers.used, memory = 0;
	uint64_t wait_ms = irc_network_wait_ms(network);
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		const struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		channels += buffer->channel != NULL;
		memory += irc_ring_memory(&buffer->ring);
	}
	json_object_set_new(tree, "id", json_integer((json_int_t)network->id));
	json_object_set_new(tree, "name", text_of(network->name));
	json_object_set_new(tree, "state", json_string(irc_state_name(network->state)));
	json_object_set_new(tree, "why", text_of(network->why));
	json_object_set_new(tree, "since", time_of(network->since_ms));
	json_object_set_new(tree, "next_try",
			    time_of(wait_ms ? wall_now_us() / 1000 + (int64_t)wait_ms : 0));
	json_object_set_new(tree, "addr", text_of(network->conf.addr));
	json_object_set_new(tree, "host", text_of(network->up ? network->up->place.host : ""));
	json_object_set_new(tree, "tls", json_boolean(network->up && network->up->link.tls));
	json_object_set_new(tree, "nick", text_of(network->nick));
	json_object_set_new(tree, "sasl", text_of(network->conf.sasl_mechanism));
	json_object_set_new(tree, "has_certificate", json_boolean(network->certificate[0]));
	json_object_set_new(tree, "account", text_of(network->account));
	json_object_set_new(tree, "lag_ms",
			    json_integer(network->up ? (json_int_t)network->up->lag_ms : 0));
	json_object_set_new(tree, "queued",
			    json_integer(network->up ? (json_int_t)network->up->queued : 0));
	json_object_set_new(tree, "channels", json_integer((json_int_t)channels));
	json_object_set_new(tree, "buffers", json_integer((json_int_t)buffers));
	json_object_set_new(tree, "ring_bytes", json_integer((json_int_t)memory));
	return tree;
}

static json_t *client_tree(const struct irc_client *client)
{
	const struct irc_network *network = irc_client_network(client);
	char address[ADDRESS_TEXT_MAX + 1];
	json_t *tree = json_object();

	json_object_set_new(tree, "id", json_integer(client->number));
	json_object_set_new(tree, "address", json_string(address_text(&client->peer, address)));
	json_object_set_new(tree, "tls", json_boolean(client->secure));
	json_object_set_new(tree, "client",
			    text_of(client->device >= 0 ? client->user->devices[client->device].name
							: ""));
	json_object_set_new(tree, "network",
			    text_of(network         ? network->name
				    : client->multi ? "*"
						    : ""));
	json_object_set_new(tree, "since", time_of(client->since_ms));
	json_object_set_new(tree, "lines_in", json_integer((json_int_t)client->lines_in));
	json_object_set_new(tree, "lines_out", json_integer((json_int_t)client->lines_out));
	json_object_set_new(tree, "waits_bytes", json_integer(irc_pipe_len(&client->out)));
	return tree;
}

/* What a client of that name has still to be told, wherever it is. */
static uint64_t behind(const struct irc_user *user, unsigned device)
{
	uint64_t lines = 0;

	for (const struct irc_network *n = user->networks; n; n = n->next) {
		struct irc_named *named;
		uint32_t at = 0;

		while ((named = irc_index_next(&n->buffers, &at))) {
			const struct irc_buffer *buffer =
				container_of(named, struct irc_buffer, named);

			if (irc_buffer_has_place(buffer, device))
				lines += buffer->ring.head - irc_buffer_place(buffer, device);
		}
	}
	return lines;
}

static json_t *devices_tree(const struct irc_user *user)
{
	json_t *tree = json_array();

	for (unsigned i = 0; i < user->device_count; i++) {
		const struct irc_device *device = &user->devices[i];
		unsigned here = 0;
		json_t *one;

		if (!device->id)
			continue;
		for (const struct irc_client *c = user->clients; c; c = c->next)
			here += c->device == (int)i;
		one = json_object();
		json_object_set_new(one, "name", text_of(device->name));
		json_object_set_new(one, "seen", time_of(device->seen_ms));
		json_object_set_new(one, "connections", json_integer(here));
		json_object_set_new(one, "behind", json_integer((json_int_t)behind(user, i)));
		json_array_append_new(tree, one);
	}
	return tree;
}

static json_t *pushes_tree(const struct irc_user *user)
{
	json_t *tree = json_array();

	for (const struct irc_push *push = user->pushes; push; push = push->next) {
		const struct irc_network *network =
			push->network ? irc_network_of_id(user, push->network) : NULL;
		char where[200];
		json_t *one = json_object();

		/* Whoever has its whole address may call. */
		fetch_url_show(push->endpoint, where, sizeof where);
		json_object_set_new(one, "id", json_integer((json_int_t)push->id));
		json_object_set_new(one, "service", text_of(where));
		json_object_set_new(one, "network", text_of(network ? network->name : ""));
		json_object_set_new(one, "created", time_of(push->created_ms));
		json_array_append_new(tree, one);
	}
	return tree;
}

static json_t *user_tree(const struct irc_user *user)
{
	json_t *networks = json_array(), *clients = json_array(), *passwords = json_array();
	json_t *tree = json_object();

	for (const struct irc_network *n = user->networks; n; n = n->next)
		json_array_append_new(networks, network_tree(n));
	for (const struct irc_client *c = user->clients; c; c = c->next)
		json_array_append_new(clients, client_tree(c));
	for (const struct irc_password *p = user->passwords; p; p = p->next) {
		struct address from = {0};
		char text[ADDRESS_TEXT_MAX + 1];
		json_t *one = json_object();

		json_object_set_new(one, "label", text_of(p->label));
		json_object_set_new(one, "kind",
				    json_string(p->is_certificate ? "certificate" : "password"));
		json_object_set_new(one, "created", time_of(p->created_ms));
		json_object_set_new(one, "used", time_of(p->used_ms));
		memcpy(from.ip, p->ip, sizeof from.ip);
		json_object_set_new(one, "address",
				    json_string(p->used_ms ? address_text(&from, text) : ""));
		json_array_append_new(passwords, one);
	}
	json_object_set_new(tree, "name", text_of(user->name));
	json_object_set_new(tree, "nick", text_of(user->nick));
	json_object_set_new(tree, "networks", networks);
	json_object_set_new(tree, "clients", clients);
	json_object_set_new(tree, "devices", devices_tree(user));
	json_object_set_new(tree, "passwords", passwords);
	json_object_set_new(tree, "rules", irc_rules_tree(user));
	json_object_set_new(tree, "pushes", pushes_tree(user));
	json_object_set_new(tree, "lines_in", json_integer((json_int_t)user->lines_in));
	json_object_set_new(tree, "lines_out", json_integer((json_int_t)user->lines_out));
	return tree;
}

/* --- all of them ---------------------------------------------------------------------------- */

struct survey {
	struct baton baton;
	struct call *call;
	json_t *users;
};

static void survey_visit(struct baton *baton, struct worker *worker)
{
	struct survey *survey = container_of(baton, struct survey, baton);
	struct irc_named *named;
	uint32_t at = 0;

	(void)worker;
	enter_worker();
	while (irc_here.runs && (named = irc_index_next(&irc_here.users, &at)))
		json_array_append_new(survey->users,
				      user_tree(container_of(named, struct irc_user, named)));
}

static void survey_home(struct baton *baton)
{
	struct survey *survey = container_of(baton, struct survey, baton);

	enter_control();
	api_answer(survey->call, json_pack("{s:o}", "users", survey->users));
	free(survey);
}

static void answer_users(struct call *call, const struct api_input *input)
{
	struct survey *survey = calloc(1, sizeof *survey);

	(void)input;
	enter_control();
	if (!survey) {
		api_answer(call, NULL);
		return;
	}
	survey->call = call;
	survey->users = json_array();
	survey->baton.visit = survey_visit;
	survey->baton.home = survey_home;
	baton_send(&survey->baton);
}

/* --- one of them ---------------------------------------------------------------------------- */

/* Who asked: over the API, or by ringmainctl. */
struct asker {
	struct call *call;          /* or */
	struct family_order *order; /* the one or the other */
};

/* ringmainctl has lines. */
static void answer_order(struct irc_errand *errand, struct family_order *order)
{
	struct buffer buffer = {0};
	struct writer w;
	const char *admin = edge_settings()->conf.admin_user;
	bool stranger = strcmp(errand->user, admin) != 0 &&
			!account_find(account_book(), bytes_str(errand->user));

	do {
		w = buffer_writer(&buffer);
		for (size_t i = 0; i < json_array_size(errand->lines); i++) {
			writer_str(&w, i ? "\n" : "");
			writer_str(&w, json_string_value(json_array_get(errand->lines, i)));
		}
		if (!errand->found) {
			writer_str(&w, "no account here has this name: ringmainctl irc ");
			writer_str(&w, admin);
			writer_str(&w, " user create makes one");
		}
		if (errand->found && stranger)
			writer_str(&w, "\n(no account here has this name: user create makes one, "
				       "unless it is known elsewhere)");
		writer_u8(&w, '\0');
	} while (buffer_again(&buffer, &w));
	order->done(order, errand->good, buffer.failed ? "out of memory" : (const char *)buffer.at);
	buffer_fini(&buffer);
}

static void on_back(struct irc_errand *errand)
{
	struct asker *asker = errand->context;

	enter_control();
	if (asker->order)
		answer_order(errand, asker->order);
	else if (!errand->found)
		api_fault(asker->call, 404, "no_such_user", "nobody of this name is known on IRC%s",
			  errand->text ? ", and no account has it" : "");
	else if (errand->text)
		api_answer(asker->call,
			   json_pack("{s:b, s:O}", "good", errand->good, "lines", errand->lines));
	else
		api_answer(asker->call, json_incref(errand->tree));
	free(asker);
	irc_errand_free(errand);
}

static void look(struct irc_errand *errand, struct irc_user *user)
{
	errand->tree = user_tree(user);
}

#define IS_OFF "irc.listen is not set: there is no IRC here, and nothing can be ordered"

RUNS_ON(on_control)
static void errand_send(struct call *call, struct family_order *order, struct bytes user,
			const char *text, bool is_admin)
{
	struct irc_errand *errand;
	struct asker *asker;

	/* Nothing was loaded: what is ordered now would be kept over what is in the store. */
	if (text && !irc_conf_now()->listen.count) {
		if (call)
			api_fault(call, 409, "irc_off", IS_OFF);
		else
			order->done(order, false, IS_OFF);
		return;
	}
	errand = irc_errand_new(user, text);
	asker = malloc(sizeof *asker);
	if (!errand || !asker) {
		if (errand)
			irc_errand_free(errand);
		free(asker);
		if (call)
			api_fault(call, 404, "no_such_user", "nobody of this name is known on IRC");
		if (order)
			order->done(order, false, "there is no user of this name");
		return;
	}
	*asker = (struct asker){call, order};
	errand->context = asker;
	errand->is_admin = is_admin;
	errand->is_own = call && bytes_equal(user, bytes_str(call->access.name));
	errand->look = look;
	errand->back = on_back;
	irc_errand_send(errand);
}

static void answer_user(struct call *call, const struct api_input *input)
{
	enter_control();
	errand_send(call, NULL, bytes_str(input->arg), NULL, true);
}

static void answer_me(struct call *call, const struct api_input *input)
{
	(void)input;
	enter_control();
	errand_send(call, NULL, bytes_str(call->access.name), NULL, false);
}

RUNS_ON(on_control)
static void command(struct call *call, const struct api_input *input, const char *user,
		    bool is_admin)
{
	const char *text = api_text(input, "command");

	if (!text || strlen(text) > 3500) {
		api_fault(call, 400, "bad_command", "command is a text, of at most 3500 bytes");
		return;
	}
	api_log_order(call, user);
	errand_send(call, NULL, bytes_str(user), text, is_admin);
}

static void answer_command(struct call *call, const struct api_input *input)
{
	enter_control();
	command(call, input, input->arg, true);
}

static void answer_my_command(struct call *call, const struct api_input *input)
{
	enter_control();
	command(call, input, call->access.name,
		call->access.of_settings || call->access.rights.rank == RANK_ADMIN);
}

/* --- what was said -------------------------------------------------------------------------- */

/* An order's option, quoted, of the query's parameter of that name. */
RUNS_ON(on_control)
static void put_option(struct writer *w, const struct call *call, const char *name)
{
	char value[600];

	if (!call_param(call, name, value, sizeof value) || !value[0])
		return;
	writer_str(w, " -");
	writer_str(w, name);
	irc_words_quote(w, value);
}

static void on_data(struct irc_errand *errand)
{
	struct call *call = errand->context;
	const char *why = json_string_value(json_array_get(errand->lines, 0));

	enter_control();
	if (!errand->found)
		api_fault(call, 404, "no_such_user", "nobody of this name is known on IRC");
	else if (!errand->good)
		api_fault(call, 400, "refused", "%s", why ? why : "it was refused");
	else
		api_answer(call, json_incref(errand->tree));
	irc_errand_free(errand);
}

/* Orders of BouncerServ whose answer is a tree too. */
RUNS_ON(on_control)
static void answer_data(struct call *call, const char *order, const char *const *options,
			const char *words)
{
	char text[3600], value[600];
	struct writer w = writer_of(text, sizeof text - 1);
	struct irc_errand *errand;

	writer_str(&w, order);
	for (; *options; options++)
		put_option(&w, call, *options);
	if (words && call_param(call, words, value, sizeof value) && value[0]) {
		writer_str(&w, " --");
		irc_words_quote(&w, value);
	}
	if (!writer_ok(&w)) {
		api_fault(call, 400, "too_long", "that is too long");
		return;
	}
	text[w.len] = '\0';
	errand = irc_errand_new(bytes_str(call->access.name), text);
	if (!errand) {
		api_fault(call, 404, "no_such_user", "nobody of this name is known on IRC");
		return;
	}
	errand->wants_data = errand->is_own = true;
	errand->context = call;
	errand->back = on_data;
	irc_errand_send(errand);
}

static void answer_search(struct call *call, const struct api_input *input)
{
	static const char *const options[] = {"network", "in",    "from", "after",
					      "before",  "limit", NULL};

	char text[600];

	(void)input;
	enter_control();
	if (!call_param(call, "text", text, sizeof text) || !text[0]) {
		api_fault(call, 400, "bad_parameter",
			  "expected text, 1 to 599 bytes of what was said");
		return;
	}
	answer_data(call, "search", options, "text");
}

static void answer_export(struct call *call, const struct api_input *input)
{
	static const char *const options[] = {"network", "from", "limit", NULL};

	(void)input;
	enter_control();
	answer_data(call, "data export", options, NULL);
}

const struct api_operation irc_operations[] = {
	{"GET", API_ROOT "/irc/users", RANK_ADMIN, answer_users,
	 "Who is known on IRC, with networks and clients.", NULL, "IrcUsers", NULL},
	{"GET", API_ROOT "/irc/users/{name}", RANK_ADMIN, answer_user, "One who is known on IRC.",
	 NULL, "IrcUser", NULL},
	{"POST", API_ROOT "/irc/users/{name}/command", RANK_ADMIN, answer_command,
	 "Gives BouncerServ an order of that user's.", "IrcCommand", "IrcAnswer", NULL},
	{"GET", API_ROOT "/irc/me", RANK_DJ, answer_me, "Oneself on IRC.", NULL, "IrcUser", NULL},
	{"POST", API_ROOT "/irc/command", RANK_DJ, answer_my_command, "Gives BouncerServ an order.",
	 "IrcCommand", "IrcAnswer", NULL},
	{"GET", API_ROOT "/irc/search", RANK_DJ, answer_search,
	 "What was said to oneself on IRC, by any part of a word.", NULL, "IrcLines", NULL},
	{"GET", API_ROOT "/irc/export", RANK_DJ, answer_export,
	 "All that is kept of oneself on IRC, page by page.", NULL, "IrcExport", NULL},
	{0},
};

/* "USER words …" */
void irc_face_order(struct family_order *order)
{
	struct bytes rest = bytes_str(order->words), user = bytes_cut(&rest, ' ');

	enter_control();
	errand_send(NULL, order, user, rest.len ? (const char *)rest.at : "help", true);
}
