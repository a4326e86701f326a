/* What a client is offered and takes (IRCv3 capability negotiation). */
#include "irc/irc_login.h"

#include <stdlib.h>

#include "core/metric.h"
#include "edge/edge.h"
#include "edge/web_push.h"
#include "irc/irc_metadata.h"
#include "irc/irc_multiline.h"
#include "irc/irc_network.h"
#include "irc/irc_upload.h"
#include "irc/irc_user.h"

irc_caps irc_client_offer(const struct irc_client *client)
{
	irc_caps all = irc_caps_with(IRC_CAP_DOWN);
	irc_caps needs = irc_caps_with(IRC_CAP_DOWN | IRC_CAP_NEEDS);
	const struct irc_network *network = irc_client_network(client);

	if (!client->registered)
		return all;
	if (!network || network->state != IRC_STATE_UP)
		return all & ~needs;
	return all & ~(needs & ~network->caps);
}

/* The mechanisms that this client may use. */
const char *irc_login_mechanisms(const struct irc_client *client)
{
	bool scram = irc_conf_now()->scram;

	if (irc_auth_takes_tokens())
		return client->fingerprint ? scram ? "PLAIN,OAUTHBEARER,EXTERNAL,SCRAM-SHA-256"
						   : "PLAIN,OAUTHBEARER,EXTERNAL"
		       : scram             ? "PLAIN,OAUTHBEARER,SCRAM-SHA-256"
					   : "PLAIN,OAUTHBEARER";
	if (client->fingerprint)
		return scram ? "PLAIN,EXTERNAL,SCRAM-SHA-256" : "PLAIN,EXTERNAL";
	return scram ? "PLAIN,SCRAM-SHA-256" : "PLAIN";
}

static const char *value_of(const struct irc_client *client, enum irc_cap cap, char text[80])
{
	switch ((int)cap) {
	case IRC_CAP_SASL: return irc_login_mechanisms(client);
	case IRC_CAP_METADATA: return irc_metadata_offer(client, text);
	case IRC_CAP_MULTILINE: return irc_multiline_offer(text);
	default: return "";
	}
}

/* Lines of CAP, each within 512 bytes: with 302 all but the last have a star. */
static void say_caps(struct irc_client *client, const char *sub, irc_caps set, bool values)
{
	const char *nick = client->nick && client->nick[0] ? client->nick : "*";
	char text[512], room[80];
	struct writer w = writer_of(text, sizeof text);

	for (unsigned i = 0; i < IRC_CAPS; i++) {
		const char *value = value_of(client, (enum irc_cap)i, room);

		if (!(set & irc_cap_bit((enum irc_cap)i)))
			continue;
		if (w.len > 340) {
			irc_client_say(client, ":%s CAP %s %s %s:%.*s", irc_conf_now()->hostname,
				       nick, sub, values ? "* " : "", (int)w.len, text);
			w.len = 0;
		}
		if (w.len)
			writer_u8(&w, ' ');
		writer_str(&w, irc_cap_name((enum irc_cap)i));
		if (values && value[0]) {
			writer_u8(&w, '=');
			writer_str(&w, value);
		}
	}
	irc_client_say(client, ":%s CAP %s %s :%.*s", irc_conf_now()->hostname, nick, sub,
		       (int)w.len, text);
}

void irc_client_offer_again(struct irc_client *client)
{
	irc_caps now = irc_client_offer(client), gone = client->offered & ~now,
		 came = now & ~client->offered;

	client->caps &= ~gone;
	client->offered = now;
	if (!(client->caps & IRC_CAP(CAP_NOTIFY)))
		return;
	if (gone)
		say_caps(client, "DEL", gone, false);
	if (came)
		say_caps(client, "NEW", came, false);
}

static void cap_request(struct irc_client *client, struct bytes list)
{
	const char *nick = client->nick && client->nick[0] ? client->nick : "*";
	irc_caps offer = irc_client_offer(client), on = client->caps;
	struct bytes rest = list;
	struct irc_cap_word word;
	bool good = true;

	while (irc_cap_next(&rest, &word)) {
		if (word.cap == IRC_CAPS || !(offer & irc_cap_bit(word.cap)) ||
		    (irc_cap_use(word.cap) & IRC_CAP_INFO))
			good = false;
		else if (word.minus)
			on &= ~irc_cap_bit(word.cap);
		else
			on |= irc_cap_bit(word.cap);
	}
	/* All or nothing (capability negotiation). cap-notify comes with 302 and stays. */
	if (client->cap_version >= 302)
		on |= IRC_CAP(CAP_NOTIFY);
	if (good)
		client->caps = on;
	irc_client_say(client, ":%s CAP %s %s :%.*s", irc_conf_now()->hostname, nick,
		       good ? "ACK" : "NAK", (int)list.len, (const char *)list.at);
}

void irc_client_cap(struct irc_client *client, const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 0);
	uint64_t version = 301;

	if (!client->registered && !irc_login_have(client)) {
		irc_client_end(client, "Out of memory");
		return;
	}
	if (bytes_equal_nocase(sub, BYTES("LS"))) {
		if (client->login)
			client->login->negotiates = true;
		(void)bytes_to_u64(irc_param(line, 1), 1000, &version);
		if ((int)version > client->cap_version)
			client->cap_version = (int)version;
		if (client->cap_version >= 302)
			client->caps |= IRC_CAP(CAP_NOTIFY);
		client->offered = irc_client_offer(client);
		say_caps(client, "LS", client->offered, client->cap_version >= 302);
	} else if (bytes_equal_nocase(sub, BYTES("LIST"))) {
		say_caps(client, "LIST", client->caps, false);
	} else if (bytes_equal_nocase(sub, BYTES("REQ"))) {
		if (client->login)
			client->login->negotiates = true;
		cap_request(client, irc_param(line, 1));
	} else if (bytes_equal_nocase(sub, BYTES("END"))) {
		if (client->login) {
			client->login->negotiates = false;
			irc_login_go_on(client);
		}
	} else {
		irc_client_number(client, 410, "%.*s :Invalid CAP command", (int)sub.len,
				  (const char *)sub.at);
	}
}
