#include "radio/radio_network_api.h"

#include <errno.h>

#include "edge/api_server.h"
#include "radio/radio_directory.h"
#include "radio/radio_login.h"
#include "radio/radio_push.h"
#include "radio/radio_relay.h"
#include "radio/radio_relay_own.h"

/* {name: list}; 503 when there is no memory for the list. */
RUNS_ON(on_control) static void answer_list(struct call *call, const char *name, json_t *list)
{
	json_t *tree = json_object();

	if (json_object_set_new(tree, name, list) != 0) {
		json_decref(tree);
		tree = NULL;
	}
	api_answer(call, tree);
}

RUNS_ON(on_control)
static void answer_relays(struct call *call, const struct api_input *input)
{
	(void)input;
	answer_list(call, "relays", relays_tree());
}

RUNS_ON(on_control)
static void answer_pushes(struct call *call, const struct api_input *input)
{
	(void)input;
	answer_list(call, "pushes", pushes_tree());
}

RUNS_ON(on_control)
static void answer_directory(struct call *call, const struct api_input *input)
{
	(void)input;
	answer_list(call, "listings", directory_tree());
}

RUNS_ON(on_control) static void refuse_relay(struct call *call, const char *mount, int error)
{
	switch (error) {
	case -EEXIST: api_fault(call, 409, "relay_exists", "%s is relayed already", mount); return;
	case -ENOENT: api_fault(call, 404, "no_such_relay", "%s is not relayed", mount); return;
	case -EPERM: api_fault(call, 409, "in_file", "this relay stands in the settings"); return;
	case -EINVAL: api_fault(call, 400, "bad_url", "the url is none of a stream"); return;
	case -EDQUOT:
		api_fault(call, 507, "list_full", "there are as many relays as can be");
		return;
	case -EIO: api_fault(call, 507, "not_kept", "nothing was changed: see the log"); return;
	default: api_fault(call, 503, "no_memory", "out of memory"); return;
	}
}

RUNS_ON(on_control) static void on_added(struct call *call, const char *mount, int error)
{
	if (error) {
		refuse_relay(call, mount, error);
		return;
	}
	api_log_order(call, mount);
	api_answer_as(call, 201, relay_tree(relay_find(bytes_str(mount))));
}

RUNS_ON(on_control)
static void answer_add_relay(struct call *call, const struct api_input *input)
{
	const char *mount = api_text(input, "mount"), *url = api_text(input, "url");
	bool on_demand = json_is_true(json_object_get(input->body, "on_demand"));

	if (!mount || !url || !login_is_mount(bytes_str(mount)))
		api_fault(call, 400, "bad_relay",
			  "expected mount, a name that one can have, and url");
	else
		relay_own_add(call, mount, url, on_demand, on_added);
}

/* NULL after an answer. */
RUNS_ON(on_control)
static struct relay *relay_wanted(struct call *call, const struct api_input *input)
{
	struct relay *relay = relay_find(bytes_str(input->mount));

	if (!relay)
		api_fault(call, 404, "no_such_relay", "%s is not relayed", input->mount);
	return relay;
}

RUNS_ON(on_control) static void on_removed(struct call *call, const char *mount, int error)
{
	if (error) {
		refuse_relay(call, mount, error);
		return;
	}
	api_log_order(call, mount);
	api_done(call);
}

RUNS_ON(on_control)
static void answer_remove_relay(struct call *call, const struct api_input *input)
{
	relay_own_remove(call, input->mount, on_removed);
}

static bool order_named(const char *word, enum relay_order *order)
{
	static const char *const words[] = {"start", "stop", "restart"};

	for (unsigned i = 0; word && i < COUNT_OF(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*order = (enum relay_order)i;
			return true;
		}
	return false;
}

RUNS_ON(on_control)
static void answer_order_relay(struct call *call, const struct api_input *input)
{
	struct relay *relay = relay_wanted(call, input);
	enum relay_order order;

	if (!relay)
		return;
	if (!order_named(api_text(input, "order"), &order)) {
		api_fault(call, 400, "bad_order", "order is start, stop or restart");
		return;
	}
	api_log_order(call, input->mount);
	relay_do(relay, order);
	api_done(call);
}

RUNS_ON(on_control)
static void answer_order_push(struct call *call, const struct api_input *input)
{
	enum relay_order order;

	if (!order_named(api_text(input, "order"), &order) || order == RELAY_RESTART) {
		api_fault(call, 400, "bad_order", "order is start or stop");
		return;
	}
	if (!push_do(bytes_str(input->arg), order == RELAY_START)) {
		api_fault(call, 404, "no_such_push", "there is no push %s", input->arg);
		return;
	}
	api_log_order(call, input->arg);
	api_done(call);
}

/* How many of them say why they do not work. */
static unsigned failing(json_t *list, size_t *all)
{
	unsigned count = 0;
	json_t *one;
	size_t i;

	*all = json_array_size(list);
	json_array_foreach(list, i, one) count += json_is_string(json_object_get(one, "error"));
	json_decref(list);
	return count;
}

void network_health(json_t *list)
{
	size_t relays, listings;
	unsigned bad_relays, bad_listings;

	enter_control();
	bad_relays = failing(relays_tree(), &relays);
	bad_listings = failing(directory_tree(), &listings);
	if (relays)
		health_say(list, "relays", bad_relays ? HEALTH_WARNING : HEALTH_GOOD,
			   "%u of %zu relays fail.", bad_relays, relays);
	if (listings)
		health_say(list, "directories", bad_listings ? HEALTH_WARNING : HEALTH_GOOD,
			   "%u of %zu listings fail.", bad_listings, listings);
}

const struct api_operation network_operations[] = {
	{"GET", API_ROOT "/relays", RANK_OPERATOR, answer_relays,
	 "Streams that are pulled from other servers.", NULL, "Relays", NULL},
	{"POST", API_ROOT "/relays", RANK_ADMIN, answer_add_relay,
	 "Relays a stream until it is removed; only from addresses outside.", "NewRelay", "Relay",
	 NULL},
	{"POST", API_ROOT "/relays/{mount}/order", RANK_OPERATOR, answer_order_relay,
	 "Starts, stops or restarts a relay.", "Order", NULL, NULL},
	{"DELETE", API_ROOT "/relays/{mount}", RANK_ADMIN, answer_remove_relay,
	 "Ends a relay that does not stand in the settings.", NULL, NULL, NULL},
	{"GET", API_ROOT "/pushes", RANK_OPERATOR, answer_pushes,
	 "Streams that are sent on to other servers.", NULL, "Pushes", NULL},
	{"POST", API_ROOT "/pushes/{name}/order", RANK_OPERATOR, answer_order_push,
	 "Starts or stops a push.", "Order", NULL, NULL},
	{"GET", API_ROOT "/directory", RANK_OPERATOR, answer_directory,
	 "Where the mounts are listed.", NULL, "Directory", NULL},
	{0},
};
