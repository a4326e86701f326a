/* What a client is told first: who it is, and what holds here (005). */
#include "irc/irc_login.h"

#include "edge/edge.h"
#include "edge/web_push.h"
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

void irc_client_isupport(struct irc_client *client)
{
	const struct irc_network *network = irc_client_network(client);
	struct bytes tokens = irc_str(network ? network->isupport : "");
	char line[450], own[300];
	struct writer w = writer_of(line, sizeof line);
	unsigned count = 0;
	struct bytes all[3];
	char more[300];

	snprintf(own, sizeof own,
		 "CHATHISTORY=%llu MSGREFTYPES=timestamp,msgid LINELEN=4096%s%s%s%s",
		 (unsigned long long)irc_conf_now()->history,
		 network && network->is.whox ? " WHOX" : "",
		 network && client->caps & IRC_CAP(BOUNCER_NETWORKS) ? " BOUNCER_NETID=" : "",
		 network || !irc_conf_now()->title[0] ? "" : " NETWORK=",
		 network || !irc_conf_now()->title[0] ? "" : irc_conf_now()->title);
	if (network && client->caps & IRC_CAP(BOUNCER_NETWORKS))
		snprintf(own + strlen(own), sizeof own - strlen(own), "%llu",
			 (unsigned long long)network->id);
	if (!network)
		snprintf(own + strlen(own), sizeof own - strlen(own),
			 " CASEMAPPING=ascii NICKLEN=200 CHANNELLEN=200%s",
			 client->multi ? " CHANTYPES=#&+! PREFIX=(qaohv)~&@%+" : " CHANTYPES=");
	all[0] = bytes_str(own);
	all[1] = tokens;
	irc_extras(more, sizeof more);
	all[2] = bytes_str(more);
	for (unsigned i = 0; i < 3; i++)
		while (all[i].len) {
			struct bytes token = bytes_cut(&all[i], ' ');

			if (!token.len)
				continue;
			if (count == 12 || w.len + token.len + 2 > 380) {
				irc_client_number(client, 5, "%.*s :are supported by this server",
						  (int)w.len, line);
				w.len = count = 0;
			}
			if (w.len)
				writer_u8(&w, ' ');
			writer_put(&w, token);
			count++;
		}
	if (w.len)
		irc_client_number(client, 5, "%.*s :are supported by this server", (int)w.len,
				  line);
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
	irc_client_number(client, 422, ":No message of the day");
	client->in_turn = was;
	irc_client_offer_again(client);
}
