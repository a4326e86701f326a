/* What a client is told first: who it is, and what holds here (005). */
#include "irc/irc_login.h"

#include "edge/edge.h"
#include "edge/web_push.h"
#include "irc/irc_motd.h"
#include "irc/irc_network.h"
#include "irc/irc_upload.h"
#include "irc/irc_user.h"

/* Of what is not IRC: keys and addresses. */
static void irc_extras(char *out, size_t size)
{
	char address[200];

	snprintf(out, size, "%s%s", irc_conf_now()->push && web_push_public()[0] ? "VAPID=" : "",
		 irc_conf_now()->push ? web_push_public() : "");
	if (irc_upload_address(address, sizeof address))
		snprintf(out + strlen(out), size - strlen(out), " soju.im/FILEHOST=%s", address);
}

/* A line of 005; batch: of draft/extended-isupport, or 0. */
static void say_tokens(struct irc_client *client, unsigned long long batch, struct bytes tokens)
{
	char tag[40] = "";

	if (batch)
		snprintf(tag, sizeof tag, "@batch=I%llu ", batch);
	irc_client_say(client, "%s:%s 005 %s %.*s :are supported by this server", tag,
		       irc_conf_now()->hostname,
		       client->nick && client->nick[0] ? client->nick : "*", (int)tokens.len,
		       (const char *)tokens.at);
}

void irc_client_tokens(struct irc_client *client, const struct bytes *lists, unsigned count)
{
	const irc_caps knows = IRC_CAP(BATCH) | IRC_CAP(EXTENDED_ISUPPORT);
	bool was = client->in_turn;
	unsigned long long batch = 0;
	unsigned tokens = 0;
	char line[450];
	struct writer w = writer_of(line, sizeof line);

	client->in_turn = true;
	if ((client->caps & knows) == knows) {
		batch = ++client->batches;
		irc_client_say(client, ":%s BATCH +I%llu draft/isupport", irc_conf_now()->hostname,
			       batch);
	}
	for (unsigned i = 0; i < count; i++) {
		struct bytes list = lists[i];

		while (list.len) {
			struct bytes token = bytes_cut(&list, ' ');

			if (!token.len || token.len > sizeof line / 2)
				continue;
			if (tokens == 12 || w.len + token.len + 2 > 380) {
				say_tokens(client, batch, writer_done(&w));
				w.len = tokens = 0;
			}
			if (w.len)
				writer_u8(&w, ' ');
			writer_put(&w, token);
			tokens++;
		}
	}
	if (w.len)
		say_tokens(client, batch, writer_done(&w));
	if (batch)
		irc_client_say(client, ":%s BATCH -I%llu", irc_conf_now()->hostname, batch);
	client->in_turn = was;
	if (!was && client->state == IRC_CLIENT_HERE)
		(void)irc_client_flush(client);
}

/* Of a bouncer connection, and before it is known which it will be. */
static void put_bouncers(struct writer *w, const struct irc_client *client)
{
	const struct irc_conf *conf = irc_conf_now();

	if (conf->title[0]) {
		writer_str(w, " NETWORK=");
		writer_str(w, conf->title);
	}
	if (conf->icon[0]) {
		writer_str(w, " draft/ICON=");
		writer_str(w, conf->icon);
	}
	writer_str(w, " BOT=B CASEMAPPING=ascii NICKLEN=200 CHANNELLEN=200");
	writer_str(w, client->multi ? "" : " CLIENTTAGDENY=*");
	writer_str(w, client->multi ? " CHANTYPES=#&+! PREFIX=(qaohv)~&@%+" : " CHANTYPES=");
}

void irc_client_isupport(struct irc_client *client)
{
	const struct irc_network *network = irc_client_network(client);
	bool no_tags = network && network->state == IRC_STATE_UP &&
		       !(network->caps & IRC_CAP(MESSAGE_TAGS));
	char own[1200], theirs[IRC_ISUPPORT_MAX], more[300];
	struct writer w = writer_of(own, sizeof own), t = writer_of(theirs, sizeof theirs);
	struct bytes lists[3];

	writer_str(&w, "CHATHISTORY=");
	writer_dec(&w, irc_conf_now()->history);
	writer_str(&w, " MSGREFTYPES=timestamp,msgid LINELEN=4096 soju.im/SAFERATE");
	if (!client->registered) {
		writer_str(&w, " draft/ACCOUNTREQUIRED");
		put_bouncers(&w, client);
	} else if (network) {
		writer_str(&w, network->is.whox ? " WHOX" : "");
		/* Without message-tags nothing of a client's own goes through. */
		writer_str(&w, no_tags ? " CLIENTTAGDENY=*" : "");
		if (client->caps & IRC_CAP(BOUNCER_NETWORKS)) {
			writer_str(&w, " BOUNCER_NETID=");
			writer_dec(&w, network->id);
		}
	} else {
		put_bouncers(&w, client);
	}
	lists[0] = writer_ok(&w) ? writer_done(&w) : (struct bytes){0};
	lists[1] = irc_str(network ? network->isupport : "");
	if (no_tags) {
		irc_isupport_merge(&t, lists[1], BYTES("-CLIENTTAGDENY"));
		lists[1] = writer_done(&t);
	}
	irc_extras(more, sizeof more);
	lists[2] = bytes_str(more);
	irc_client_tokens(client, lists, 3);
}

void irc_client_welcome(struct irc_client *client)
{
	const struct irc_network *network = irc_client_network(client);
	const char *title = network && network->is.network[0] ? network->is.network
			    : network                         ? network->name
							      : irc_conf_now()->title;
	bool was = client->in_turn;

	client->in_turn = true;
	if (network && network->nick[0] && strcmp(network->nick, client->nick) != 0) {
		/* The network's nick counts; it is ours before the first number. */
		irc_set(&client->nick, bytes_str(network->nick));
	}
	irc_client_number(client, 1, ":Welcome to %s, %s", title, client->nick);
	irc_client_number(client, 2, ":Your host is %s, running ringmain-" RINGMAIN_VERSION,
			  irc_conf_now()->hostname);
	irc_client_number(client, 3, ":This bouncer forgets nothing");
	irc_client_number(client, 4, "%s ringmain-" RINGMAIN_VERSION " aiwroO OovaimnqpsrtklbeI",
			  irc_conf_now()->hostname);
	irc_client_isupport(client);
	/* A network has its own, for who asks. */
	if (network)
		irc_client_number(client, 422, ":No message of the day");
	else
		irc_motd_say(client);
	/* Who it is there, which is another account than that of the bouncer. */
	if (network && client->caps & IRC_CAP(SASL) && irc_str(network->account).len)
		irc_client_number(client, 900, "%s!%s %s :You are now logged in as %s",
				  network->nick, network->userhost[0] ? network->userhost : "*@*",
				  network->account, network->account);
	client->in_turn = was;
	irc_client_offer_again(client);
}
