#include "edge/ban.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/worker.h"
#include "edge/document.h"
#include "edge/proto/charset.h"

#define LISTENERS_MAX 8

struct ban {
	struct cidr network;
	int64_t since_s;
	int64_t until_s; /* INT64_MAX: for ever */
	char reason[BAN_REASON_MAX + 1];
	char by[64];
};

/* What other threads look into; never changed, only replaced. */
struct ban_list {
	struct baton farewell;
	size_t count;
	struct {
		struct cidr network;
		int64_t until_s;
	} at[];
};

static struct ban *bans OWNED_BY(on_control);
static size_t ban_count OWNED_BY(on_control);
static char directory_name[4000] OWNED_BY(on_control);
static char file_name[4096] OWNED_BY(on_control);
static _Atomic(struct ban_list *) in_force;
static void (*listeners[LISTENERS_MAX])(const struct cidr *network);
static unsigned listener_count;

static int64_t now_s(void)
{
	return wall_now_us() / 1000000;
}

void ban_on_new(void (*send_away)(const struct cidr *network))
{
	CHECK(listener_count < LISTENERS_MAX);
	listeners[listener_count++] = send_away;
}

/* Acquire: pairs with the release in publish(). */
bool ban_holds(const struct address *peer)
{
	const struct ban_list *list = atomic_load_explicit(&in_force, memory_order_acquire);

	for (size_t i = 0; list && i < list->count; i++)
		if (cidr_holds(&list->at[i].network, peer) && list->at[i].until_s > now_s())
			return true;
	return false;
}

static void list_home(struct baton *baton)
{
	free(container_of(baton, struct ban_list, farewell));
}

/* False: no memory, and all is as it was. */
RUNS_ON(on_control) static bool publish(void)
{
	struct ban_list *list = calloc(1, sizeof *list + ban_count * sizeof list->at[0]);

	if (!list)
		return false;
	for (size_t i = 0; i < ban_count; i++) {
		list->at[i].network = bans[i].network;
		list->at[i].until_s = bans[i].until_s;
	}
	list->count = ban_count;
	list = atomic_exchange_explicit(&in_force, list, memory_order_acq_rel);
	if (list && workers_count()) {
		list->farewell.visit = baton_pass;
		list->farewell.home = list_home;
		baton_send(&list->farewell);
	} else {
		free(list);
	}
	return true;
}

RUNS_ON(on_control) static void drop_expired(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < ban_count; i++)
		if (bans[i].until_s > now_s())
			bans[kept++] = bans[i];
	ban_count = kept;
}

/* --- the file ------------------------------------------------------------------------------- */

static const char *network_text(const struct cidr *network, char out[64])
{
	struct writer w = writer_of(out, 63);
	struct address address = {0};

	/* One address reads better as one. */
	memcpy(address.ip, network->ip, sizeof address.ip);
	if (network->bits == 128)
		address_write_ip(&w, &address);
	else
		cidr_write(&w, network);
	out[w.len] = '\0';
	return out;
}

static json_t *ban_tree(const struct ban *ban)
{
	json_t *tree = json_object();
	char text[64];

	json_object_set_new(tree, "network", json_string(network_text(&ban->network, text)));
	json_object_set_new(tree, "reason", document_text(ban->reason));
	json_object_set_new(tree, "by", document_text(ban->by));
	json_object_set_new(tree, "since", json_integer(ban->since_s));
	json_object_set_new(tree, "until",
			    ban->until_s == INT64_MAX ? json_null() : json_integer(ban->until_s));
	return tree;
}

RUNS_ON(on_control) static json_t *all_bans(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ban_count; i++)
		json_array_append_new(list, ban_tree(&bans[i]));
	return list;
}

/* Beside the old one first, so that there always is a whole list. */
RUNS_ON(on_control) static bool save(void)
{
	char beside[sizeof file_name + 8];
	json_t *list = all_bans();
	bool saved;

	snprintf(beside, sizeof beside, "%s.new", file_name);
	/* Who sets all passwords himself has had no need of a data directory so far. */
	(void)!mkdir(directory_name, 0700);
	saved = json_dump_file(list, beside, JSON_INDENT(1)) == 0 && rename(beside, file_name) == 0;
	if (!saved)
		log_warn("edge", "bans not kept", kv_str("file", file_name));
	json_decref(list);
	return saved;
}

static bool ban_read(const json_t *tree, struct ban *ban)
{
	const char *network = json_string_value(json_object_get(tree, "network"));
	const char *reason = json_string_value(json_object_get(tree, "reason"));
	const char *by = json_string_value(json_object_get(tree, "by"));
	const json_t *until = json_object_get(tree, "until");

	*ban = (struct ban){.until_s = INT64_MAX};
	if (!network || !cidr_parse(bytes_str(network), &ban->network))
		return false;
	if (json_is_integer(until))
		ban->until_s = json_integer_value(until);
	ban->since_s = json_integer_value(json_object_get(tree, "since"));
	bytes_to_str(bytes_str(reason), ban->reason, sizeof ban->reason);
	bytes_to_str(bytes_str(by), ban->by, sizeof ban->by);
	return true;
}

RUNS_ON(on_control) static bool load(const json_t *list)
{
	bool whole = json_is_array(list);
	size_t i;
	json_t *tree;

	json_array_foreach(list, i, tree)
	{
		if (ban_count < BAN_MAX && ban_read(tree, &bans[ban_count]))
			ban_count++;
		else
			whole = false;
	}
	return whole;
}

void ban_start(const char *directory)
{
	char aside[sizeof file_name + 8];
	json_error_t error;
	json_t *list;

	bans = calloc(BAN_MAX, sizeof *bans);
	snprintf(directory_name, sizeof directory_name, "%s", directory);
	snprintf(file_name, sizeof file_name, "%s/bans.json", directory_name);
	if (!bans || access(file_name, F_OK) == -1)
		return;
	list = json_load_file(file_name, 0, &error);
	if (!load(list)) {
		snprintf(aside, sizeof aside, "%s.bad", file_name);
		if (rename(file_name, aside) == -1)
			aside[0] = '\0';
		log_error("edge", "bans not all read", kv_str("file", file_name),
			  kv_str("kept_as", aside), kv_str("why", list ? "" : error.text));
	}
	json_decref(list);
	drop_expired();
	if (!publish())
		log_error("edge", "bans not in force: out of memory");
}

void ban_fini(void)
{
	free(bans);
	bans = NULL;
	ban_count = 0;
	free(atomic_exchange_explicit(&in_force, NULL, memory_order_relaxed));
}

/* --- /api/v1/bans --------------------------------------------------------------------------- */

RUNS_ON(on_control) static struct ban *ban_find(const struct cidr *network)
{
	for (size_t i = 0; i < ban_count; i++)
		if (bans[i].network.bits == network->bits &&
		    memcmp(bans[i].network.ip, network->ip, sizeof network->ip) == 0)
			return &bans[i];
	return NULL;
}

RUNS_ON(on_control)
static void answer_list(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object();

	(void)input;
	drop_expired();
	json_object_set_new(tree, "bans", all_bans());
	api_answer(call, tree);
}

/* Who would ban himself, and with him perhaps everybody behind his proxy, has mistyped. */
static bool hits_itself(const struct call *call, const struct cidr *network)
{
	return cidr_holds(network, &call->request.peer);
}

RUNS_ON(on_control)
static void answer_add(struct call *call, const struct api_input *input)
{
	const char *text = api_text(input, "network"), *reason = api_text(input, "reason");
	json_int_t seconds = json_integer_value(json_object_get(input->body, "seconds"));
	struct ban *ban, fresh = {.since_s = now_s(), .until_s = INT64_MAX};

	if (!text || !cidr_parse(bytes_str(text), &fresh.network)) {
		api_fault(call, 400, "bad_network",
			  "expected an address or a network such as 192.0.2.0/24");
		return;
	}
	if (seconds < 0 || seconds > 100 * 366 * 86400LL) {
		api_fault(call, 400, "bad_seconds", "seconds is to be from 0 (for ever) on");
		return;
	}
	if (hits_itself(call, &fresh.network)) {
		api_fault(call, 409, "own_address", "your own address is in this network");
		return;
	}
	if (seconds)
		fresh.until_s = fresh.since_s + seconds;
	if (reason)
		bytes_to_str(charset_cut(bytes_str(reason), BAN_REASON_MAX), fresh.reason,
			     sizeof fresh.reason);
	bytes_to_str(bytes_str(call->user), fresh.by, sizeof fresh.by);
	drop_expired();
	ban = ban_find(&fresh.network);
	if (!bans || (!ban && ban_count == BAN_MAX)) {
		api_fault(call, 507, "list_full", "the list of bans is full");
		return;
	}
	if (!ban)
		ban = &bans[ban_count++];
	*ban = fresh;
	if (!publish() || !save()) {
		api_fault(call, 507, "not_kept", "the ban could not be kept: see the log");
		return;
	}
	api_log_order(call, text);
	for (unsigned i = 0; i < listener_count; i++)
		listeners[i](&fresh.network);
	api_answer_as(call, 201, ban_tree(ban));
}

RUNS_ON(on_control)
static void answer_remove(struct call *call, const struct api_input *input)
{
	struct cidr network;
	struct ban *ban = cidr_parse(bytes_str(input->arg), &network) ? ban_find(&network) : NULL;

	if (!ban) {
		api_fault(call, 404, "no_such_ban", "%s is not banned", input->arg);
		return;
	}
	*ban = bans[--ban_count];
	if (!publish() || !save()) {
		api_fault(call, 507, "not_kept", "the list could not be kept: see the log");
		return;
	}
	api_log_order(call, input->arg);
	api_done(call);
}

const struct api_operation ban_operations[] = {
	{"GET", API_ROOT "/bans", RANK_OPERATOR, answer_list,
	 "The addresses and networks that may not connect.", NULL, "Bans", NULL},
	{"POST", API_ROOT "/bans", RANK_OPERATOR, answer_add,
	 "Bans an address or a network, at once; who is connected from there is sent away.",
	 "NewBan", "Ban", NULL},
	{"DELETE", API_ROOT "/bans/{network}", RANK_OPERATOR, answer_remove, "Lifts a ban.", NULL,
	 NULL, NULL},
	{0},
};
