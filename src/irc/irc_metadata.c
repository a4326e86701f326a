#include "irc/irc_metadata.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_route.h"
#include "irc/irc_upstream.h"

#define KEY_MAX 100u /* bytes of a key: all that are registered are shorter */

/* --- keys ----------------------------------------------------------------------------------- */

/* Of buffers. */
static const struct {
	const char *name;
	size_t at; /* a bool */
} keys[] = {
	{"soju.im/pinned", offsetof(struct irc_buffer, pinned)},
	{"soju.im/muted", offsetof(struct irc_buffer, muted)},
	{"soju.im/blocked", offsetof(struct irc_buffer, blocked)},
};

static bool *value_of(struct irc_buffer *buffer, size_t key)
{
	return (bool *)(void *)((char *)buffer + keys[key].at);
}

/* COUNT_OF(keys): none of ours. */
static size_t key_of(struct bytes name)
{
	size_t i = 0;

	while (i < COUNT_OF(keys) && !bytes_equal_nocase(name, bytes_str(keys[i].name)))
		i++;
	return i;
}

/* draft/metadata-2: a-z 0-9 _ . / - ; capitals and colons were allowed before. */
static bool key_valid(struct bytes key)
{
	for (size_t i = 0; i < key.len; i++) {
		uint8_t c = key.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr("_./-", c)) || (c == ':' && i)))
			return false;
	}
	return key.len && key.len <= KEY_MAX;
}

/* --- what a client wants -------------------------------------------------------------------- */

static bool has_sub(const struct irc_client *client, struct bytes key)
{
	for (uint32_t i = 0; i < client->sub_count; i++)
		if (bytes_equal_nocase(bytes_str(client->subs[i]), key))
			return true;
	return false;
}

bool irc_metadata_wanted(const struct irc_client *client, struct bytes text)
{
	struct irc_line line;

	return client->sub_count && irc_line_parse(text, &line) &&
	       has_sub(client, irc_param(&line, 1));
}

void irc_metadata_free(struct irc_client *client)
{
	for (uint32_t i = 0; i < client->sub_count; i++)
		free(client->subs[i]);
	free(client->subs);
	client->subs = NULL;
	client->sub_count = 0;
}

/* False: there are too many. */
static bool sub_add(struct irc_client *client, struct bytes key)
{
	char **larger;

	if (has_sub(client, key))
		return true;
	larger = client->sub_count < irc_conf_now()->metadata_keys
			 ? realloc(client->subs, (client->sub_count + 1) * sizeof *larger)
			 : NULL;
	if (!larger)
		return false;
	client->subs = larger;
	larger[client->sub_count] = irc_copy(key);
	client->sub_count += larger[client->sub_count] != NULL;
	return has_sub(client, key);
}

static void sub_drop(struct irc_client *client, struct bytes key)
{
	for (uint32_t i = 0; i < client->sub_count; i++)
		if (bytes_equal_nocase(bytes_str(client->subs[i]), key)) {
			free(client->subs[i]);
			client->subs[i] = client->subs[--client->sub_count];
			return;
		}
}

static bool server_has_metadata(const struct irc_network *network)
{
	return network->state == IRC_STATE_UP && network->up && network->up->ready &&
	       network->caps & IRC_CAP(METADATA);
}

/* Whether another client on the network wants it. */
static bool others_want(const struct irc_client *but, const struct irc_network *network,
			struct bytes key)
{
	for (const struct irc_client *client = but->user->clients; client; client = client->next)
		if (client != but && irc_client_seat(client, network) && has_sub(client, key))
			return true;
	return false;
}

/* Its networks' servers are told, of one key. */
static void tell_servers(const struct irc_client *client, const char *order, struct bytes key)
{
	if (key_of(key) < COUNT_OF(keys) || !client->user)
		return;
	for (uint32_t i = 0; i < client->seat_count; i++) {
		const struct irc_network *network = client->seats[i].network;

		if (server_has_metadata(network) && !others_want(client, network, key))
			irc_upstream_later(network->up, "METADATA * %s %.*s", order, (int)key.len,
					   (const char *)key.at);
	}
}

void irc_metadata_ready(struct irc_network *network)
{
	char list[300];
	struct writer w = writer_of(list, sizeof list);

	if (!server_has_metadata(network))
		return;
	for (const struct irc_client *client = network->user->clients; client;
	     client = client->next) {
		for (uint32_t i = 0; irc_client_seat(client, network) && i < client->sub_count;
		     i++) {
			struct bytes key = bytes_str(client->subs[i]);

			/* A server that hears of one twice has it once. */
			if (key_of(key) < COUNT_OF(keys))
				continue;
			if (w.len + key.len + 1 > sizeof list) {
				irc_upstream_later(network->up, "METADATA * SUB%.*s", (int)w.len,
						   list);
				w.len = 0;
			}
			writer_u8(&w, ' ');
			writer_put(&w, key);
		}
	}
	if (w.len)
		irc_upstream_later(network->up, "METADATA * SUB%.*s", (int)w.len, list);
}

/* "770 nick key key …", in lines that are short enough. */
static void say_keys(struct irc_client *client, unsigned number, const struct bytes *list,
		     unsigned count)
{
	char text[400];
	struct writer w = writer_of(text, sizeof text);

	for (unsigned i = 0; i < count; i++) {
		if (w.len + list[i].len + 1 > sizeof text) {
			irc_client_number(client, number, "%.*s", (int)w.len, text);
			w.len = 0;
		}
		writer_str(&w, w.len ? " " : "");
		writer_put(&w, list[i]);
	}
	if (w.len)
		irc_client_number(client, number, "%.*s", (int)w.len, text);
}

static void order_subs(struct irc_client *client, const struct irc_line *line, bool adds)
{
	struct bytes done[IRC_PARAMS_MAX];
	unsigned count = 0;

	for (unsigned i = 2; i < line->count; i++) {
		struct bytes key = line->param[i];
		bool is_new = !has_sub(client, key);

		if (!key_valid(key)) {
			irc_client_fail(client, "METADATA", "KEY_INVALID", "*",
					"That can be no key");
			continue;
		}
		if (adds && !sub_add(client, key)) {
			char context[KEY_MAX + 1];

			bytes_to_str(key, context, sizeof context);
			irc_client_fail(client, "METADATA", "TOO_MANY_SUBS", context,
					"There are too many");
			break;
		}
		if (!adds)
			sub_drop(client, key);
		if (adds ? is_new : !is_new)
			tell_servers(client, adds ? "SUB" : "UNSUB", key);
		done[count++] = key;
	}
	say_keys(client, adds ? 770 : 771, done, count);
}

static void order_list_subs(struct irc_client *client)
{
	struct irc_batched batch;

	irc_client_batch_begin(client, &batch, NULL, "metadata-subs", BYTES(""));
	for (uint32_t i = 0; i < client->sub_count; i++)
		irc_client_say(client, "%s:%s 772 %s %s", batch.tag, irc_conf_now()->hostname,
			       client->nick ? client->nick : "*", client->subs[i]);
	irc_client_batch_end(client, &batch);
}

/* --- values of buffers ---------------------------------------------------------------------- */

/* One key in a batch: 761, or 766: it is not set. */
static void say_key(struct irc_client *client, const struct irc_batched *batch, struct bytes target,
		    struct bytes key, struct irc_buffer *buffer)
{
	size_t ours = key_of(key);
	bool set = buffer && ours < COUNT_OF(keys) && *value_of(buffer, ours);

	irc_client_say(client, "%s:%s %u %s %.*s %.*s %s", batch->tag, irc_conf_now()->hostname,
		       set ? 761u : 766u, client->nick, (int)target.len, (const char *)target.at,
		       (int)key.len, (const char *)key.at, set ? "* :1" : ":key not set");
}

void irc_metadata_begin(struct irc_client *client, struct irc_batched *batch, struct bytes target)
{
	irc_client_batch_begin(client, batch, NULL, "metadata", target);
}

/* All of the user's clients that want to know, but who said it. */
static void tell_clients(const struct irc_buffer *buffer, size_t key, bool value,
			 const struct irc_client *but)
{
	const struct irc_network *network = buffer->network;
	struct irc_client *next;

	for (struct irc_client *client = network->user->clients; client; client = next) {
		char room[400];
		struct bytes target;

		next = client->next;
		if (client == but || !client->registered || !(client->caps & IRC_CAP(METADATA)) ||
		    !irc_client_seat(client, network) ||
		    !has_sub(client, bytes_str(keys[key].name)))
			continue;
		target = irc_client_name(client, network, irc_named_bytes(&buffer->named), room,
					 sizeof room);
		irc_client_say(client, ":%s METADATA %.*s %s * :%u", irc_conf_now()->hostname,
			       (int)target.len, (const char *)target.at, keys[key].name, value);
	}
}

static void set_key(struct irc_client *client, struct irc_buffer *buffer, size_t key, bool value)
{
	bool *now = value_of(buffer, key);

	if (*now == value)
		return;
	*now = value;
	irc_buffer_keep(buffer);
	tell_clients(buffer, key, value, client);
}

/* --- orders --------------------------------------------------------------------------------- */

/* An order at hand. */
struct order {
	struct irc_client *client;
	const struct irc_line *line;
	struct irc_network *network;
	struct bytes said;   /* the target as the client has it */
	struct bytes target; /* and as its network does */
	struct irc_buffer *buffer;
	bool is_self, has_server;
};

static void refuse(const struct order *order, const char *code, struct bytes key, const char *why)
{
	char context[IRC_NAME_MAX + KEY_MAX + 80];

	snprintf(context, sizeof context, "%.*s%s%.*s", (int)bytes_first(order->said, 300).len,
		 (const char *)order->said.at, key.len ? " " : "",
		 (int)bytes_first(key, KEY_MAX).len, key.len ? (const char *)key.at : "");
	irc_client_fail(order->client, "METADATA", code, context, "%s", why);
}

/* To the server, with these parameters behind the subcommand. */
static void forward(const struct order *order, const struct bytes *list, unsigned count)
{
	struct bytes param[IRC_PARAMS_MAX] = {order->is_self ? BYTES("*") : order->target,
					      order->line->param[1]};
	char text[IRC_LINE_ROOM];
	struct writer w = writer_of(text, sizeof text);

	if (count)
		memcpy(param + 2, list, count * sizeof *list);
	irc_line_write(&w, (struct bytes){0}, BYTES("METADATA"), param, count + 2,
		       bytes_equal_nocase(param[1], BYTES("SET")) && count > 1);
	if (!writer_ok(&w) ||
	    !irc_route_send(order->network, order->client, order->line, writer_done(&w))) {
		metric_add(METRIC_irc_refused, 1);
		refuse(order, "RATE_LIMITED", (struct bytes){0},
		       "too much waits to go out already");
	}
}

static void order_get(const struct order *order)
{
	struct bytes theirs[IRC_PARAMS_MAX];
	struct irc_batched batch;
	unsigned count = 0;
	bool begun = false;

	for (unsigned i = 2; i < order->line->count; i++) {
		struct bytes key = order->line->param[i];

		if (!key_valid(key)) {
			refuse(order, "KEY_INVALID", (struct bytes){0}, "That can be no key");
		} else if (key_of(key) == COUNT_OF(keys) && order->has_server) {
			theirs[count++] = key;
		} else {
			if (!begun)
				irc_metadata_begin(order->client, &batch, order->said);
			begun = true;
			say_key(order->client, &batch, order->said, key, order->buffer);
		}
	}
	if (begun)
		irc_client_batch_end(order->client, &batch);
	if (count)
		forward(order, theirs, count);
}

/* LIST, and SYNC: what is set. CLEAR: what was. */
static void order_all(const struct order *order, bool clears, bool as_change)
{
	struct irc_batched batch;

	irc_metadata_begin(order->client, &batch, order->said);
	for (size_t i = 0; order->buffer && i < COUNT_OF(keys); i++) {
		if (!*value_of(order->buffer, i))
			continue;
		if (as_change)
			irc_client_say(order->client, "%s:%s METADATA %.*s %s * :1", batch.tag,
				       irc_conf_now()->hostname, (int)order->said.len,
				       (const char *)order->said.at, keys[i].name);
		else if (!clears)
			say_key(order->client, &batch, order->said, bytes_str(keys[i].name),
				order->buffer);
		if (clears) {
			set_key(order->client, order->buffer, i, false);
			say_key(order->client, &batch, order->said, bytes_str(keys[i].name),
				order->buffer);
		}
	}
	irc_client_batch_end(order->client, &batch);
	if (order->has_server)
		forward(order, NULL, 0);
}

static void order_set(struct order *order)
{
	struct bytes key = irc_param(order->line, 2), value = irc_param(order->line, 3);
	size_t ours = key_of(key);
	bool on = bytes_equal(value, BYTES("1"));

	if (!key_valid(key)) {
		refuse(order, "KEY_INVALID", (struct bytes){0}, "That can be no key");
	} else if (ours == COUNT_OF(keys) && order->has_server) {
		forward(order, order->line->param + 2, order->line->count - 2);
	} else if (ours == COUNT_OF(keys)) {
		refuse(order, "KEY_NO_PERMISSION", key,
		       "No other keys than the bouncer's are kept");
	} else if (value.len && !on && !bytes_equal(value, BYTES("0"))) {
		refuse(order, "VALUE_INVALID", (struct bytes){0}, "It is 0 or 1");
	} else if (order->is_self) {
		refuse(order, "KEY_NO_PERMISSION", key, "It is of channels and of others");
	} else if (!value.len && !(order->buffer && *value_of(order->buffer, ours))) {
		refuse(order, "KEY_NOT_SET", key, "It is not set");
	} else if (!order->buffer &&
		   !(order->buffer = irc_buffer_make(order->network, order->target))) {
		refuse(order, "INVALID_TARGET", (struct bytes){0}, "There can be no more");
	} else {
		set_key(order->client, order->buffer, ours, on);
		irc_client_number(order->client, 761, "%.*s %s * :%u", (int)order->said.len,
				  (const char *)order->said.at, keys[ours].name, on);
	}
}

static bool target_find(struct order *order)
{
	struct irc_client *client = order->client;

	order->said = order->target = irc_param(order->line, 0);
	order->network = irc_client_network_of(client, &order->target);
	/* One that is on all networks says whose it means. */
	if (!order->network)
		return false;
	order->is_self = bytes_equal(order->target, BYTES("*")) ||
			 irc_same(order->network->is.casemap, order->target,
				  bytes_str(order->network->nick));
	order->has_server = server_has_metadata(order->network);
	if (!order->is_self)
		order->buffer = irc_buffer_find(order->network, order->target);
	return order->is_self || irc_is_channel(&order->network->is, order->target) ||
	       irc_is_nick(order->target);
}

void irc_metadata_order(struct irc_client *client, const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 1);
	struct order order = {.client = client, .line = line};
	char context[40];

	if (bytes_equal_nocase(sub, BYTES("SUB")) || bytes_equal_nocase(sub, BYTES("UNSUB"))) {
		order_subs(client, line, bytes_equal_nocase(sub, BYTES("SUB")));
		return;
	}
	if (bytes_equal_nocase(sub, BYTES("SUBS"))) {
		order_list_subs(client);
		return;
	}
	if (!client->registered || !target_find(&order)) {
		order.said = irc_is_middle(irc_param(line, 0)) ? irc_param(line, 0) : BYTES("*");
		refuse(&order, "INVALID_TARGET", (struct bytes){0},
		       client->registered ? "No such target here" : "Not yet");
		return;
	}
	if (bytes_equal_nocase(sub, BYTES("GET")))
		order_get(&order);
	else if (bytes_equal_nocase(sub, BYTES("LIST")))
		order_all(&order, false, false);
	else if (bytes_equal_nocase(sub, BYTES("SYNC")))
		order_all(&order, false, true);
	else if (bytes_equal_nocase(sub, BYTES("CLEAR")))
		order_all(&order, true, false);
	else if (bytes_equal_nocase(sub, BYTES("SET")))
		order_set(&order);
	else {
		bytes_to_str(irc_is_middle(sub) ? sub : BYTES("*"), context, sizeof context);
		irc_client_fail(client, "METADATA", "SUBCOMMAND_INVALID", context,
				"There is no such order");
	}
}

void irc_metadata_welcome(struct irc_client *client)
{
	for (uint32_t i = 0; client->caps & IRC_CAP(METADATA) && i < client->sub_count; i++)
		tell_servers(client, "SUB", bytes_str(client->subs[i]));
}

bool irc_metadata_has(const struct irc_client *client, struct irc_buffer *buffer)
{
	bool any = false;

	for (size_t i = 0; client->sub_count && i < COUNT_OF(keys); i++)
		any |= *value_of(buffer, i) && has_sub(client, bytes_str(keys[i].name));
	return any;
}

void irc_metadata_tell(struct irc_client *client, const struct irc_batched *batch,
		       struct irc_buffer *buffer)
{
	char room[400];
	struct bytes target = irc_client_name(client, buffer->network,
					      irc_named_bytes(&buffer->named), room, sizeof room);

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (*value_of(buffer, i) && has_sub(client, bytes_str(keys[i].name)))
			irc_client_say(client, "%s:%s METADATA %.*s %s * :1", batch->tag,
				       irc_conf_now()->hostname, (int)target.len,
				       (const char *)target.at, keys[i].name);
}

/* --- limits --------------------------------------------------------------------------------- */

void irc_metadata_take_limits(struct irc_network *network, struct bytes value)
{
	uint64_t number;

	network->metadata_keys = network->metadata_bytes = UINT32_MAX;
	while (value.len) {
		struct bytes one = bytes_cut(&value, ','), key = bytes_cut(&one, '=');

		if (!bytes_to_u64(one, UINT32_MAX, &number))
			continue;
		if (bytes_equal(key, BYTES("max-keys")))
			network->metadata_keys = (uint32_t)number;
		else if (bytes_equal(key, BYTES("max-value-bytes")))
			network->metadata_bytes = (uint32_t)number;
	}
}

const char *irc_metadata_offer(const struct irc_client *client, char text[80])
{
	const struct irc_network *network = client->registered ? irc_client_network(client) : NULL;
	size_t len = (size_t)snprintf(text, 80, "before-connect,max-subs=%llu",
				      (unsigned long long)irc_conf_now()->metadata_keys);

	if (!network || !server_has_metadata(network)) {
		snprintf(text + len, 80 - len, ",max-keys=0,max-value-bytes=1");
		return text;
	}
	if (network->metadata_keys != UINT32_MAX)
		len += (size_t)snprintf(text + len, 80 - len, ",max-keys=%u",
					network->metadata_keys);
	if (network->metadata_bytes != UINT32_MAX)
		snprintf(text + len, 80 - len, ",max-value-bytes=%u", network->metadata_bytes);
	return text;
}
