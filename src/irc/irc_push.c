#include "irc/irc_push.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/edge.h"
#include "edge/fetch.h"
#include "edge/web_push.h"
#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_user.h"
#include "irc/proto/irc_lines.h"
#include "store/store_irc.h"

#define ENDPOINT_MAX 600u  /* of an address: those of the services of today have 200 to 400 */
#define SIGNED_S     43200 /* RFC 8292 section 2: a day at most */

/* --- subscriptions -------------------------------------------------------------------------- */

static void push_free(struct irc_push *push)
{
	free(push->endpoint);
	free(push->p256dh);
	free(push->auth);
	free(push);
}

bool irc_push_add(struct irc_user *user, uint64_t id, uint64_t network, struct bytes endpoint,
		  struct bytes p256dh, struct bytes auth, int64_t created_ms)
{
	struct irc_push *push = calloc(1, sizeof *push);

	if (!push)
		return false;
	*push = (struct irc_push){
		.id = id,
		.network = network,
		.endpoint = irc_copy(endpoint),
		.p256dh = irc_copy(p256dh),
		.auth = irc_copy(auth),
		.created_ms = created_ms,
	};
	if (!push->endpoint || !push->p256dh || !push->auth) {
		push_free(push);
		return false;
	}
	push->next = user->pushes;
	user->pushes = push;
	return true;
}

void irc_push_drop(struct irc_user *user, uint64_t id, bool keep)
{
	for (struct irc_push **link = &user->pushes; *link; link = &(*link)->next) {
		struct irc_push *push = *link;

		if (push->id != id)
			continue;
		*link = push->next;
		if (!keep)
			store_irc_push_drop(id);
		push_free(push);
		return;
	}
}

static struct irc_push *push_find(const struct irc_user *user, uint64_t network,
				  struct bytes endpoint)
{
	for (struct irc_push *push = user->pushes; push; push = push->next)
		if (push->network == network && bytes_equal(bytes_str(push->endpoint), endpoint))
			return push;
	return NULL;
}

/* --- sending -------------------------------------------------------------------------------- */

/* One message on its way; and the first, that tries a subscription. */
struct sending {
	struct fetch fetch;
	char user[IRC_USER_SIZE];
	uint64_t push; /* 0: it is tried */
	uint64_t network;
	uint32_t client;
	char *endpoint, *p256dh, *auth;
};

static void sending_free(struct sending *sending)
{
	fetch_fini(&sending->fetch);
	free(sending->endpoint);
	free(sending->p256dh);
	free(sending->auth);
	free(sending);
}

/* Whom the service may write to about us. */
static void contact(char out[160])
{
	const char *text = edge_settings()->conf.server_contact;
	bool is_url = strncmp(text, "https://", 8) == 0 || strncmp(text, "mailto:", 7) == 0;

	snprintf(out, 160, "%s%s", is_url || !strchr(text, '@') ? "" : "mailto:",
		 is_url || strchr(text, '@') ? text : "");
}

/* Seals and starts; takes sending, also where it cannot. */
static bool send_to(struct sending *sending, struct bytes text, void (*done)(struct fetch *fetch))
{
	struct web_push_receiver receiver;
	uint8_t room[WEB_PUSH_SEALED_MAX];
	char signature[WEB_PUSH_SIGNED_MAX], who[160];
	struct writer w = writer_of(room, sizeof room);

	contact(who);
	if (irc_here.pushes < irc_conf_now()->push_sending && sending->endpoint &&
	    sending->p256dh && sending->auth &&
	    web_push_receiver_of(&receiver, bytes_str(sending->p256dh), bytes_str(sending->auth)) &&
	    web_push_seal(&receiver, text, &w) &&
	    web_push_sign(sending->endpoint, who, wall_now_us() / 1000000 + SIGNED_S, signature) &&
	    fetch_start(&sending->fetch,
			&(struct fetch_request){
				.method = "POST",
				.url = sending->endpoint,
				.headers = {signature, "TTL: 604800", "Urgency: high",
					    "Content-Encoding: aes128gcm",
					    "Content-Type: application/octet-stream"},
				.body = writer_done(&w),
				.timeout_ms = irc_conf_now()->push_timeout,
				.body_max = 4096,
				.reach = FETCH_OUTSIDE,
				.done = done,
			}) == 0) {
		irc_here.pushes++;
		return true;
	}
	metric_add(METRIC_irc_pushes_lost, 1);
	sending_free(sending);
	return false;
}

static struct sending *sending_new(const struct irc_user *user, struct bytes endpoint,
				   struct bytes p256dh, struct bytes auth)
{
	struct sending *sending = calloc(1, sizeof *sending);

	if (!sending)
		return NULL;
	memcpy(sending->user, user->name, sizeof sending->user);
	sending->endpoint = irc_copy(endpoint);
	sending->p256dh = irc_copy(p256dh);
	sending->auth = irc_copy(auth);
	return sending;
}

static bool is_taken(const struct fetch *fetch)
{
	return fetch->result == FETCH_OK && fetch->status >= 200 && fetch->status < 300;
}

static void on_sent(struct fetch *fetch)
{
	struct sending *sending = container_of(fetch, struct sending, fetch);
	struct irc_user *user = irc_user_find(bytes_str(sending->user));
	char where[200];

	enter_worker();
	irc_here.pushes--;
	metric_add(is_taken(fetch) ? METRIC_irc_pushes : METRIC_irc_pushes_lost, 1);
	/* RFC 8030 section 7.3: the subscription is over. */
	if (user && fetch->result == FETCH_OK && (fetch->status == 404 || fetch->status == 410)) {
		irc_push_drop(user, sending->push, false);
	} else if (!is_taken(fetch) && fetch->result != FETCH_STOPPED) {
		fetch_url_show(sending->endpoint, where, sizeof where);
		log_warnx("irc", "push not taken", kv_str("user", sending->user),
			  kv_str("endpoint", where), kv_u64("status", fetch->status),
			  kv_str("error", fetch->error));
	}
	sending_free(sending);
}

/* Whom nobody has registered anew for so long: a service that takes everything never says that it is gone. */
static bool is_stale(const struct irc_push *push)
{
	int64_t keep_ms = (int64_t)irc_conf_now()->push_keep;

	return keep_ms && wall_now_us() / 1000 - push->created_ms > keep_ms;
}

/* To all of the user's that want to hear of this network. */
static void send_all(struct irc_user *user, uint64_t network, struct bytes text)
{
	struct irc_push *next;

	for (struct irc_push *push = user->pushes; push; push = next) {
		struct sending *sending;

		next = push->next;
		if (push->network && push->network != network)
			continue;
		if (is_stale(push)) {
			irc_push_drop(user, push->id, false);
			continue;
		}
		sending = sending_new(user, bytes_str(push->endpoint), bytes_str(push->p256dh),
				      bytes_str(push->auth));
		if (!sending)
			return;
		sending->push = push->id;
		(void)send_to(sending, text, on_sent);
	}
}

/* --- lines that wait ------------------------------------------------------------------------ */

struct irc_push_wait {
	struct irc_push_wait *next;
	mono_t due;
	char user[IRC_USER_SIZE];
	uint64_t network, buffer; /* buffer 0: of none, which cannot be read meanwhile */
	int64_t at_ms;
	char *name, *text;
};

static void wait_free(struct irc_push_wait *wait)
{
	free(wait->name);
	free(wait->text);
	free(wait);
}

/* Where it is: who is told of all networks cannot know it from a line. */
static void where_write(struct writer *w, const struct irc_network *network, struct bytes name)
{
	writer_str(w, "ringmain/network=");
	irc_tag_escape(w, bytes_str(network->name));
	writer_str(w, ";ringmain/buffer=");
	irc_tag_escape(w, name);
	writer_u8(w, ' ');
}

static void wait_begin(const struct irc_network *network, uint64_t buffer, struct bytes name,
		       int64_t at_ms, const struct irc_line *line)
{
	const struct irc_user *user = network->user;
	struct irc_push_wait *wait, **link = &irc_here.push_waits;
	char text[WEB_PUSH_TEXT_MAX];
	struct writer w = writer_of(text, sizeof text);

	if (!user->pushes || !irc_conf_now()->push)
		return;
	if (irc_here.push_count >= irc_conf_now()->push_waiting) {
		metric_add(METRIC_irc_pushes_lost, 1);
		return;
	}
	writer_str(&w, "@time=");
	irc_time_write(&w, at_ms);
	writer_u8(&w, ';');
	where_write(&w, network, name);
	if (!writer_ok(&w))
		return;
	/* What is longer is cut: the client reads all of it when it comes. */
	writer_put(&w, bytes_first(line->rest, sizeof text - w.len));
	wait = calloc(1, sizeof *wait);
	if (!wait)
		return;
	memcpy(wait->user, user->name, sizeof wait->user);
	wait->network = network->id;
	wait->buffer = buffer;
	wait->at_ms = at_ms;
	wait->due = mono_add_ms(mono_now(), (int64_t)irc_conf_now()->push_delay);
	wait->name = irc_copy(name);
	wait->text = irc_copy(writer_done(&w));
	if (wait->text)
		irc_lines_flatten(wait->text);
	if (!wait->name || !wait->text) {
		wait_free(wait);
		return;
	}
	while (*link)
		link = &(*link)->next;
	*link = wait;
	irc_here.push_count++;
}

void irc_push_line(struct irc_buffer *buffer, int64_t at_ms, const struct irc_line *line)
{
	wait_begin(buffer->network, buffer->id, irc_named_bytes(&buffer->named), at_ms, line);
}

void irc_push_invite(struct irc_network *network, const struct irc_line *line)
{
	wait_begin(network, 0, irc_param(line, 1), wall_now_us() / 1000, line);
}

static void wait_end(const struct irc_push_wait *wait)
{
	struct irc_user *user = irc_user_find(bytes_str(wait->user));
	struct irc_network *network = user ? irc_network_of_id(user, wait->network) : NULL;
	struct irc_buffer *buffer =
		network ? irc_buffer_find(network, bytes_str(wait->name)) : NULL;

	if (network && !wait->buffer) {
		send_all(user, network->id, bytes_str(wait->text));
		return;
	}
	/* Read meanwhile, somewhere else. */
	if (!buffer || buffer->id != wait->buffer || buffer->marker_ms >= wait->at_ms)
		return;
	buffer->pushed = true;
	send_all(user, network->id, bytes_str(wait->text));
}

void irc_push_tick(mono_t now)
{
	while (irc_here.push_waits && !mono_before(now, irc_here.push_waits->due)) {
		struct irc_push_wait *wait = irc_here.push_waits;

		irc_here.push_waits = wait->next;
		irc_here.push_count--;
		wait_end(wait);
		wait_free(wait);
	}
}

void irc_push_stop(void)
{
	while (irc_here.push_waits) {
		struct irc_push_wait *wait = irc_here.push_waits;

		irc_here.push_waits = wait->next;
		wait_free(wait);
	}
	irc_here.push_count = 0;
}

void irc_push_read(struct irc_buffer *buffer)
{
	struct irc_network *network = buffer->network;
	char text[WEB_PUSH_TEXT_MAX];
	struct writer w = writer_of(text, sizeof text);

	if (!buffer->pushed)
		return;
	buffer->pushed = false;
	writer_u8(&w, '@');
	where_write(&w, network, irc_named_bytes(&buffer->named));
	writer_u8(&w, ':');
	writer_str(&w, irc_conf_now()->hostname);
	writer_str(&w, " MARKREAD ");
	writer_put(&w, irc_named_bytes(&buffer->named));
	writer_str(&w, " timestamp=");
	irc_time_write(&w, buffer->marker_ms);
	if (writer_ok(&w))
		send_all(network->user, network->id, writer_done(&w));
}

/* --- WEBPUSH -------------------------------------------------------------------------------- */

static void on_tried(struct fetch *fetch)
{
	struct sending *sending = container_of(fetch, struct sending, fetch);
	struct irc_user *user = irc_user_find(bytes_str(sending->user));
	struct irc_client *client = user ? irc_client_of(user, sending->client) : NULL;
	struct bytes endpoint = bytes_str(sending->endpoint);
	struct irc_push *old = user ? push_find(user, sending->network, endpoint) : NULL;
	uint64_t id = irc_id_next(IRC_ID_PUSH);
	int64_t now = wall_now_us() / 1000;

	enter_worker();
	irc_here.pushes--;
	if (!is_taken(fetch)) {
		if (client)
			irc_client_fail(client, "WEBPUSH", "INTERNAL_ERROR", "REGISTER",
					"The push service did not take a first message: %s %u",
					fetch->error, fetch->status);
	} else if (user) {
		if (old)
			irc_push_drop(user, old->id, false);
		if (irc_push_add(user, id, sending->network, endpoint, bytes_str(sending->p256dh),
				 bytes_str(sending->auth), now))
			store_irc_push(&(struct store_irc_push){
				.id = id,
				.network = sending->network,
				.user = user->name,
				.endpoint = sending->endpoint,
				.p256dh = sending->p256dh,
				.auth = sending->auth,
				.created_ms = now,
			});
		if (client)
			irc_client_say(client, ":%s WEBPUSH REGISTER %s", irc_conf_now()->hostname,
				       sending->endpoint);
	}
	sending_free(sending);
}

static void do_register(struct irc_client *client, uint64_t network, struct bytes endpoint,
			struct bytes keys)
{
	const struct irc_user *user = client->user;
	struct bytes p256dh = {0}, auth = {0};
	struct web_push_receiver receiver;
	struct sending *sending;
	unsigned count = 0;
	char url[ENDPOINT_MAX], first[200];

	for (const struct irc_push *push = user->pushes; push; push = push->next)
		count++;
	bytes_to_str(endpoint, url, sizeof url);
	if (endpoint.len >= sizeof url || strncmp(url, "https://", 8) != 0 ||
	    !fetch_url_is_good(url) || !irc_tag_get(keys, "p256dh", &p256dh) ||
	    !irc_tag_get(keys, "auth", &auth) || !web_push_receiver_of(&receiver, p256dh, auth)) {
		irc_client_fail(client, "WEBPUSH", "INVALID_PARAMS", "REGISTER",
				"An endpoint is an https address, its keys are p256dh and auth");
		return;
	}
	if (count >= irc_conf_now()->push_places && !push_find(user, network, endpoint)) {
		irc_client_fail(client, "WEBPUSH", "MAX_REGISTRATIONS", "REGISTER",
				"There are %u, and no more may be", count);
		return;
	}
	sending = sending_new(user, endpoint, p256dh, auth);
	if (!sending)
		return;
	sending->network = network;
	sending->client = client->number;
	snprintf(first, sizeof first, ":%s NOTE WEBPUSH REGISTERED :You are told here",
		 irc_conf_now()->hostname);
	if (!send_to(sending, bytes_str(first), on_tried))
		irc_client_fail(client, "WEBPUSH", "INTERNAL_ERROR", "REGISTER",
				"It cannot be tried now");
}

void irc_push_command(struct irc_client *client, struct irc_network *network,
		      const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 0), endpoint = irc_param(line, 1);
	uint64_t id = network ? network->id : 0;
	struct irc_push *push;

	if (!irc_conf_now()->push || !web_push_public()[0]) {
		irc_client_fail(client, "WEBPUSH", "FORBIDDEN", "", "Nobody is told that way here");
	} else if (bytes_equal_nocase(sub, BYTES("REGISTER")) && line->count >= 3) {
		do_register(client, id, endpoint, irc_param(line, 2));
	} else if (bytes_equal_nocase(sub, BYTES("UNREGISTER")) && line->count >= 2) {
		push = push_find(client->user, id, endpoint);
		if (push)
			irc_push_drop(client->user, push->id, false);
		irc_client_say(client, ":%s WEBPUSH UNREGISTER %.*s", irc_conf_now()->hostname,
			       (int)endpoint.len, (const char *)endpoint.at);
	} else {
		irc_client_fail(client, "WEBPUSH", "INVALID_PARAMS", "",
				"WEBPUSH REGISTER endpoint keys, or UNREGISTER endpoint");
	}
}
