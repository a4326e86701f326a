#include "irc/irc_bouncer.h"

#include <stdio.h>
#include <string.h>

#include "irc/irc_network.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

static void put_attribute(struct writer *w, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	if (w->len)
		writer_u8(w, ';');
	writer_str(w, key);
	writer_u8(w, '=');
	irc_tag_escape(w, bytes_str(value));
}

static void put_network(struct writer *w, const struct irc_network *network)
{
	struct irc_place place;
	char port[16];

	put_attribute(w, "name", network->name);
	put_attribute(w, "state",
		      network->state == IRC_STATE_UP ? "connected"
		      : network->state == IRC_STATE_OFF || network->state == IRC_STATE_WAITS
			      ? "disconnected"
			      : "connecting");
	if (irc_upstream_place(network->conf.addr, 0, &place)) {
		snprintf(port, sizeof port, "%u", place.port);
		put_attribute(w, "host", place.host);
		put_attribute(w, "port", port);
		put_attribute(w, "tls", place.tls ? "1" : "0");
	}
	put_attribute(w, "nickname", irc_network_nick(network));
	put_attribute(w, "username", network->conf.username);
	put_attribute(w, "realname", network->conf.realname);
	if (network->state != IRC_STATE_UP)
		put_attribute(w, "error", network->why);
}

void irc_bouncer_tell(struct irc_network *network, bool gone)
{
	char text[1500];
	struct writer w = writer_of(text, sizeof text - 1);
	struct irc_client *next;

	put_network(&w, network);
	for (struct irc_client *client = network->user->clients; client; client = next) {
		next = client->next;
		if (client->registered && client->caps & IRC_CAP(BOUNCER_NETWORKS_NOTIFY))
			irc_client_say(client, ":%s BOUNCER NETWORK %llu %.*s",
				       irc_conf_now()->hostname, (unsigned long long)network->id,
				       gone ? 1 : (int)w.len, gone ? "*" : text);
	}
}

static void list(struct irc_client *client)
{
	const char *host = irc_conf_now()->hostname;
	struct irc_batched batch;

	irc_client_batch_begin(client, &batch, NULL, "soju.im/bouncer-networks", BYTES(""));
	for (const struct irc_network *network = client->user->networks; network;
	     network = network->next) {
		char text[1500];
		struct writer w = writer_of(text, sizeof text);

		put_network(&w, network);
		irc_client_say(client, "%s:%s BOUNCER NETWORK %llu %.*s", batch.tag, host,
			       (unsigned long long)network->id, (int)w.len, text);
	}
	irc_client_batch_end(client, &batch);
}

/* Takes attributes ("name=…;host=…") into a network. NULL, or the one that is wrong, in fault. */
static const char *take(struct irc_network *network, struct bytes attributes, char fault[64])
{
	struct irc_place place = {.port = 6697, .tls = true};
	struct bytes rest = attributes, key, raw;
	bool has_host = irc_upstream_place(network->conf.addr, 0, &place), has_port = false,
	     moves = !has_host;
	const char *why = NULL;
	char addr[320];

	while (!why && irc_tag_next(&rest, &key, &raw)) {
		char value[1100];
		struct writer w = writer_of(value, sizeof value - 1);
		uint64_t port;

		irc_tag_unescape(&w, raw);
		value[w.len] = '\0';
		bytes_to_str(key, fault, 64);
		moves |= bytes_equal(key, BYTES("host")) || bytes_equal(key, BYTES("port")) ||
			 bytes_equal(key, BYTES("tls"));
		if (bytes_equal(key, BYTES("host"))) {
			bytes_to_str(writer_done(&w), place.host, sizeof place.host);
			has_host = w.len > 0;
		} else if (bytes_equal(key, BYTES("port"))) {
			has_port = bytes_to_u64(writer_done(&w), 65535, &port) && port;
			place.port = has_port ? (uint16_t)port : 0;
			why = has_port ? NULL : "is no port";
		} else if (bytes_equal(key, BYTES("tls"))) {
			place.tls = value[0] == '1';
		} else if (bytes_equal(key, BYTES("name"))) {
			why = irc_network_rename(network, writer_done(&w)) ? NULL
									   : "cannot be a name";
		} else if (bytes_equal(key, BYTES("nickname"))) {
			why = irc_network_set(network, BYTES("nick"), writer_done(&w));
		} else if (bytes_equal(key, BYTES("username")) ||
			   bytes_equal(key, BYTES("realname")) || bytes_equal(key, BYTES("pass"))) {
			why = irc_network_set(network, key, writer_done(&w));
		} else if (!bytes_equal(key, BYTES("state")) && !bytes_equal(key, BYTES("error"))) {
			why = "is not known";
		}
	}
	if (why || !has_host)
		return why ? why : "is missing";
	/* What cannot be said here, such as more than one address, stays. */
	if (!moves)
		return NULL;
	if (!has_port && !place.tls && place.port == 6697)
		place.port = 6667;
	snprintf(addr, sizeof addr, "%s://%s:%u", place.tls ? "ircs" : "irc+insecure", place.host,
		 place.port);
	return irc_network_set(network, BYTES("addr"), bytes_str(addr));
}

static void add(struct irc_client *client, const struct irc_line *line)
{
	struct irc_user *user = client->user;
	struct irc_network *network;
	struct bytes name = BYTES(""), host = BYTES("");
	char fault[64] = "host";
	const char *why;

	(void)irc_tag_get(irc_param(line, 1), "name", &name);
	(void)irc_tag_get(irc_param(line, 1), "host", &host);
	if (user->network_count >= irc_user_networks_most(user)) {
		irc_client_fail(client, "BOUNCER", "UNKNOWN_ERROR", "ADDNETWORK",
				"You have as many networks as may be");
		return;
	}
	network = irc_network_make(user, irc_id_next(IRC_ID_NETWORK), name.len ? name : host);
	why = network ? take(network, irc_param(line, 1), fault) : "cannot be a name";
	if (why) {
		irc_client_fail(client, "BOUNCER", "INVALID_ATTRIBUTE", "ADDNETWORK", "%s %s",
				network ? fault : "name", why);
		if (network)
			irc_network_drop(network, false);
		return;
	}
	irc_network_keep(network);
	irc_client_say(client, ":%s BOUNCER ADDNETWORK %llu", irc_conf_now()->hostname,
		       (unsigned long long)network->id);
	irc_bouncer_tell(network, false);
	irc_clients_new_network(network);
	irc_network_start(network);
}

static void change(struct irc_client *client, struct irc_network *network,
		   const struct irc_line *line)
{
	char fault[64] = "host";
	const char *why = take(network, irc_param(line, 2), fault);

	if (why) {
		irc_client_fail(client, "BOUNCER", "INVALID_ATTRIBUTE", "CHANGENETWORK", "%s %s",
				fault, why);
		return;
	}
	irc_network_keep(network);
	irc_client_say(client, ":%s BOUNCER CHANGENETWORK %llu", irc_conf_now()->hostname,
		       (unsigned long long)network->id);
	irc_network_stop(network, "Settings changed");
	irc_network_start(network);
}

void irc_bouncer(struct irc_client *client, const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 0);
	struct irc_network *network = NULL;
	uint64_t id;

	if (bytes_equal_nocase(sub, BYTES("LISTNETWORKS"))) {
		list(client);
		return;
	}
	if (bytes_equal_nocase(sub, BYTES("ADDNETWORK"))) {
		add(client, line);
		return;
	}
	if (!bytes_equal_nocase(sub, BYTES("CHANGENETWORK")) &&
	    !bytes_equal_nocase(sub, BYTES("DELNETWORK"))) {
		if (bytes_equal_nocase(sub, BYTES("BIND")))
			irc_client_fail(client, "BOUNCER", "REGISTRATION_IS_COMPLETED", "",
					"BIND is said before registration is complete");
		else
			irc_client_fail(client, "BOUNCER", "UNKNOWN_COMMAND", "",
					"There are BIND, LISTNETWORKS, ADDNETWORK, CHANGENETWORK "
					"and DELNETWORK");
		return;
	}
	if (bytes_to_u64(irc_param(line, 1), UINT64_MAX, &id))
		network = irc_network_of_id(client->user, id);
	if (!network) {
		irc_client_fail(client, "BOUNCER", "INVALID_NETID", "", "There is no such network");
		return;
	}
	if (bytes_equal_nocase(sub, BYTES("CHANGENETWORK"))) {
		change(client, network, line);
		return;
	}
	irc_client_say(client, ":%s BOUNCER DELNETWORK %llu", irc_conf_now()->hostname,
		       (unsigned long long)network->id);
	irc_bouncer_tell(network, true);
	irc_network_drop(network, false);
}
