#include "irc/irc_about.h"

#include "core/clock.h"
#include "irc/irc_motd.h"
#include "irc/irc_service.h"

/* Who can be asked about. */
struct person {
	const char *nick, *user, *realname;
	bool away, is_admin;
};

static bool is_service(struct bytes name)
{
	return bytes_equal_nocase(name, BYTES(IRC_SERVICE));
}

static bool is_self(const struct irc_client *client, struct bytes name)
{
	return irc_same(IRC_ASCII, name, irc_str(client->nick));
}

/* False: nobody else is here. */
static bool person_of(const struct irc_client *client, struct bytes name, struct person *who)
{
	const struct irc_user *user = client->user;

	if (is_service(name))
		*who = (struct person){IRC_SERVICE, IRC_SERVICE, "The bouncer's service", false,
				       false};
	else if (is_self(client, name))
		*who = (struct person){client->nick, user->name,
				       user->realname[0] ? user->realname : user->name,
				       user->away != NULL, irc_is_admin(user->name)};
	else
		return false;
	return true;
}

/* Whom a question is about; "": nobody. Of "WHOIS server nick" it is the latter. */
static struct bytes whom(const struct irc_line *line)
{
	return irc_param(line, irc_verb_is(line, "WHOIS") && line->count > 1 ? 1 : 0);
}

/* A name on its way back, or what stands for none. */
static struct bytes shown(struct bytes name)
{
	return name.len ? bytes_first(name, 200) : BYTES("*");
}

/* --- people --------------------------------------------------------------------------------- */

static void about_who(struct irc_client *client, const struct irc_line *line)
{
	const char *host = irc_conf_now()->hostname;
	struct bytes name = shown(whom(line));
	struct person who;

	if (person_of(client, name, &who))
		irc_client_number(client, 352, "* %s %s %s %s %c%s :0 %s", who.user, host, host,
				  who.nick, who.away ? 'G' : 'H', who.is_admin ? "*" : "",
				  who.realname);
	irc_client_number(client, 315, "%.*s :End of /WHO list", (int)name.len,
			  (const char *)name.at);
}

static void about_whois(struct irc_client *client, const struct irc_line *line)
{
	const char *host = irc_conf_now()->hostname;
	struct bytes name = shown(whom(line));
	struct person who;

	if (!person_of(client, name, &who)) {
		irc_client_number(client, 401, "%.*s :Nobody of that name is here", (int)name.len,
				  (const char *)name.at);
	} else {
		irc_client_number(client, 311, "%s %s %s * :%s", who.nick, who.user, host,
				  who.realname);
		irc_client_number(client, 312, "%s %s :The bouncer", who.nick, host);
		if (who.is_admin)
			irc_client_number(client, 313, "%s :is an administrator", who.nick);
		if (who.away)
			irc_client_number(client, 301, "%s :%s", who.nick, client->user->away);
	}
	irc_client_number(client, 318, "%.*s :End of /WHOIS list", (int)name.len,
			  (const char *)name.at);
}

/* USERHOST and ISON: of several at once. */
static void about_several(struct irc_client *client, const struct irc_line *line)
{
	bool hosts = irc_verb_is(line, "USERHOST");
	char text[512];
	struct writer w = writer_of(text, sizeof text);

	for (unsigned i = 0; i < line->count; i++) {
		struct bytes names = line->param[i];

		while (names.len) {
			struct person who;

			if (!person_of(client, bytes_cut(&names, ' '), &who))
				continue;
			writer_str(&w, w.len ? " " : "");
			writer_str(&w, who.nick);
			if (!hosts)
				continue;
			writer_str(&w, who.is_admin ? "*=" : "=");
			writer_str(&w, who.away ? "-" : "+");
			writer_str(&w, who.user);
			writer_u8(&w, '@');
			writer_str(&w, irc_conf_now()->hostname);
		}
	}
	irc_client_number(client, hosts ? 302 : 303, ":%.*s", writer_ok(&w) ? (int)w.len : 0, text);
}

/* --- the bouncer ---------------------------------------------------------------------------- */

static void about_motd(struct irc_client *client, const struct irc_line *line)
{
	(void)line;
	irc_motd_say(client);
}

static void about_version(struct irc_client *client, const struct irc_line *line)
{
	(void)line;
	irc_client_number(client, 351, "ringmain-" RINGMAIN_VERSION " %s :IRC bouncer",
			  irc_conf_now()->hostname);
	irc_client_isupport(client);
}

static void about_info(struct irc_client *client, const struct irc_line *line)
{
	(void)line;
	irc_client_number(client, 371, ":ringmain-" RINGMAIN_VERSION ", the IRC bouncer %s",
			  irc_conf_now()->hostname);
	irc_client_number(client, 371, ":What can be ordered here: /msg " IRC_SERVICE " help");
	irc_client_number(client, 374, ":End of /INFO list");
}

/* Of what is his own: how many others there are is nobody's business. */
static void about_lusers(struct irc_client *client, const struct irc_line *line)
{
	const struct irc_user *user = client->user;

	(void)line;
	irc_client_number(client, 251, ":You have %u clients here, and %u networks",
			  user->client_count, user->network_count);
	irc_client_number(client, 255, ":I have %u clients and 0 servers", user->client_count);
	irc_client_number(client, 265, "%u %u :Current local users %u, max %u", user->client_count,
			  user->client_count, user->client_count, user->client_count);
	irc_client_number(client, 266, "%u %u :Current global users %u, max %u", user->client_count,
			  user->client_count, user->client_count, user->client_count);
}

static void about_list(struct irc_client *client, const struct irc_line *line)
{
	(void)line;
	irc_client_number(client, 321, "Channel :Users  Name");
	irc_client_number(client, 323, ":End of /LIST: channels are on networks, not here");
}

static void about_time(struct irc_client *client, const struct irc_line *line)
{
	char time[IRC_TIME_LEN + 1];
	struct writer w = writer_of(time, IRC_TIME_LEN);

	(void)line;
	irc_time_write(&w, wall_now_us() / 1000);
	irc_client_number(client, 391, "%s :%.*s", irc_conf_now()->hostname, (int)w.len, time);
}

bool irc_about(struct irc_client *client, const struct irc_line *line,
	       const struct irc_network *network)
{
	static const struct {
		const char *verb;
		void (*run)(struct irc_client *client, const struct irc_line *line);
	} questions[] = {
		{"WHO", about_who},      {"WHOIS", about_whois}, {"USERHOST", about_several},
		{"ISON", about_several}, {"MOTD", about_motd},   {"VERSION", about_version},
		{"INFO", about_info},    {"TIME", about_time},   {"LUSERS", about_lusers},
		{"LIST", about_list},
	};

	if (network &&
	    !(is_service(whom(line)) && (irc_verb_is(line, "WHO") || irc_verb_is(line, "WHOIS"))))
		return false;
	for (size_t i = 0; i < COUNT_OF(questions); i++)
		if (irc_verb_is(line, questions[i].verb)) {
			questions[i].run(client, line);
			return true;
		}
	return false;
}
