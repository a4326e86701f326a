/* znc.conf: users, networks, channels. ZNC's own hashes of passwords are no one else's; what its modules know
 * is znc_moddata.c's. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import.h"

#define DEPTH_MAX 8
#define TEXT_MAX  1024

/* Values that are said before what they belong to is over. */
enum value {
	NICK,
	IDENT,
	REALNAME,
	BIND,
	BURST,
	RATE,
	FINGERPRINTS,
	SERVERS,
	PASS,
	ENABLED,
	ADMIN,
	METHOD,
	HASH,
	KEY,
	DETACHED,
	BUFFER,
	MODULES,
	VALUES
};

static const struct {
	const char *name;
	enum value value;
} known[] = {
	{"Nick", NICK},
	{"Ident", IDENT},
	{"RealName", REALNAME},
	{"BindHost", BIND},
	{"VHost", BIND},
	{"FloodBurst", BURST},
	{"FloodRate", RATE},
	{"TrustedServerFingerprint", FINGERPRINTS},
	{"Server", SERVERS},
	{"IRCConnectEnabled", ENABLED},
	{"Admin", ADMIN},
	{"Method", METHOD},
	{"Hash", HASH},
	{"Key", KEY},
	{"Detached", DETACHED},
	{"Buffer", BUFFER},
	{"ChanBufferSize", BUFFER},
};

/* What is the same here without being said, or means nothing here. */
static const char *const passed_over[] = {
	"Version",
	"AltNick",
	"QueryBufferSize",
	"Name",
	"InConfig",
	"Disabled",
	"Salt",
	"AutoClearChanBuffer",
	"JoinTries",
	"TimestampFormat",
	"AppendTimestamp",
	"PrependTimestamp",
	"DenyLoadMod",
	"DenySetBindHost",
	"KeepBuffer",
	"MultiClients",
	"StatusPrefix",
	"MaxQueryBuffers",
	"MaxNetworks",
	"NoTrafficTimeout",
	"AutoClearQueryBuffer",
	"DenySetIdent",
	"DenySetNetwork",
	"DenySetRealName",
	"DenySetQuitMsg",
	"DenySetCTCPReplies",
	"AuthOnlyViaModule",
	"MaxJoins",
	"Skin",
	"AnonIPLimit",
	"ServerThrottle",
	"SSLCertFile",
	"SSLKeyFile",
	"SSLDHParamFile",
	"ConnectDelay",
	"ProtectWebSessions",
	"HideVersion",
	"ConfigWriteDelay",
	"Encoding",
	"LoadModule",
};

struct znc {
	struct import *import;
	char *section[DEPTH_MAX], *name[DEPTH_MAX];
	int depth;
	unsigned line;
	char user[VALUES][TEXT_MAX], network[VALUES][TEXT_MAX], channel[VALUES][TEXT_MAX],
		pass[VALUES][TEXT_MAX];
	char modules[TEXT_MAX]; /* of all users */
	bool user_said, network_said, network_made;
	bool external; /* of the network: sasl by the certificate */
};

static bool in(const struct znc *znc, const char *section)
{
	return znc->depth && strcasecmp(znc->section[znc->depth - 1], section) == 0;
}

static const char *name_at(const struct znc *znc, const char *section)
{
	for (int i = 0; i < znc->depth; i++)
		if (strcasecmp(znc->section[i], section) == 0)
			return znc->name[i];
	return "";
}

static const char *either(const struct znc *znc, enum value value)
{
	return znc->network[value][0] ? znc->network[value] : znc->user[value];
}

/* Names here are letters, digits and a few signs. */
static bool user_good(const char *name)
{
	return name[0] && strlen(name) < 64 && name[0] != '.' &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+") ==
		       strlen(name);
}

/* --- orders --------------------------------------------------------------------------------- */

/* How many lines are told again. */
static void note_buffer(struct znc *znc, const char *of, const char *lines)
{
	if (lines[0])
		import_note(
			znc->import, znc->line,
			"%s: Buffer = %s: here each client is told what it has not had, at most "
			"irc.backlog lines; all is kept",
			of, lines);
}

static struct znc_modules modules_of(struct znc *znc)
{
	const char *user = name_at(znc, "User");

	return (struct znc_modules){
		.import = znc->import,
		.user = user,
		.network = name_at(znc, "Network"),
		.nick = either(znc, NICK)[0] ? either(znc, NICK) : user,
		.of_user = znc->user[MODULES],
		.of_network = znc->network[MODULES],
		.of_all = znc->modules,
		.line = znc->line,
		.external = znc->external,
	};
}

/* All of the user that counts stands before his networks, but for his password, which ZNC writes behind
 * them: so he is made without, and gets it at the end. */
static void say_user(struct znc *znc)
{
	const char *user = name_at(znc, "User");

	if (znc->user_said || !user_good(user))
		return;
	znc->user_said = true;
	import_order(znc->import, "admin", "user create");
	import_option(znc->import, "username", user);
	import_option(znc->import, "disable-password", "true");
	if (strcmp(znc->user[ADMIN], "true") == 0)
		import_option(znc->import, "admin", "true");
	import_option(znc->import, "nick", znc->user[NICK]);
	import_option(znc->import, "realname", znc->user[REALNAME]);
	import_order_end(znc->import);
	note_buffer(znc, user, znc->user[BUFFER]);
}

/* "host [[+]port] [password]", each line one; those behind the first are tried in turn. */
static void addresses(struct znc *znc, char *out, size_t size, char *pass, size_t pass_size)
{
	char *save = NULL;

	out[0] = pass[0] = '\0';
	for (char *one = strtok_r(znc->network[SERVERS], "\n", &save); one;
	     one = strtok_r(NULL, "\n", &save)) {
		char host[256] = "", port[16] = "6667", secret[256] = "";
		size_t len = strlen(out);
		bool v6;

		if (sscanf(one, "%255s %15s %255[^\n]", host, port, secret) < 1)
			continue;
		v6 = strchr(host, ':') && host[0] != '[';
		snprintf(out + len, size - len, "%s%s://%s%s%s:%s", len ? " " : "",
			 port[0] == '+' ? "ircs" : "irc+insecure", v6 ? "[" : "", host,
			 v6 ? "]" : "", port[0] == '+' ? port + 1 : port);
		if (secret[0])
			snprintf(pass, pass_size, "%s", secret);
	}
}

static void say_network(struct znc *znc)
{
	const char *user = name_at(znc, "User"), *network = name_at(znc, "Network");
	char addr[TEXT_MAX], pass[TEXT_MAX], interval[32];
	double rate = strtod(either(znc, RATE), NULL);
	struct znc_modules modules;

	say_user(znc);
	if (znc->network_said || !user_good(user))
		return;
	znc->network_said = true;
	addresses(znc, addr, sizeof addr, pass, sizeof pass);
	if (!addr[0]) {
		import_note(znc->import, znc->line, "%s: network %s has no server", user, network);
		return;
	}
	snprintf(interval, sizeof interval, "%.0f", rate > 0 && rate < 60 ? rate * 1000 : 0);
	znc->network_made = true;
	import_order(znc->import, user, "network create");
	import_option(znc->import, "name", network);
	import_option(znc->import, "addr", addr);
	import_option(znc->import, "pass", pass);
	import_option(znc->import, "nick", either(znc, NICK));
	import_option(znc->import, "username", either(znc, IDENT));
	import_option(znc->import, "realname", either(znc, REALNAME));
	import_option(znc->import, "bind", either(znc, BIND));
	import_option(znc->import, "burst", either(znc, BURST));
	if (rate > 0)
		import_option(znc->import, "interval-ms", interval);
	import_option(znc->import, "certfp", znc->network[FINGERPRINTS]);
	/* Until all is there: end_network(). */
	import_option(znc->import, "enabled", "false");
	modules = modules_of(znc);
	znc_modules_attributes(&modules);
	znc->external = modules.external;
	import_order_end(znc->import);
}

static void end_network(struct znc *znc)
{
	const char *user = name_at(znc, "User");
	struct znc_modules modules;

	say_network(znc);
	if (!user_good(user) || !znc->network_made)
		return;
	modules = modules_of(znc);
	znc_modules_orders(&modules);
	if (strcmp(znc->network[ENABLED], "false") == 0)
		return;
	import_order(znc->import, user, "network update");
	import_word(znc->import, name_at(znc, "Network"));
	import_option(znc->import, "enabled", "true");
	import_order_end(znc->import);
}

static void say_channel(struct znc *znc)
{
	const char *user = name_at(znc, "User"), *channel = name_at(znc, "Chan");

	say_network(znc);
	if (!user_good(user) || !channel[0])
		return;
	import_order(znc->import, user, "channel create");
	import_word(znc->import, channel);
	import_option(znc->import, "network", name_at(znc, "Network"));
	import_option(znc->import, "key", znc->channel[KEY]);
	if (strcmp(znc->channel[DETACHED], "true") == 0)
		import_option(znc->import, "detached", "true");
	import_order_end(znc->import);
	note_buffer(znc, channel, znc->channel[BUFFER]);
}

static void say_password(struct znc *znc)
{
	const char *user = name_at(znc, "User");

	say_user(znc);
	if (!user_good(user))
		return;
	if (strcasecmp(znc->pass[METHOD], "plain") == 0 && strlen(znc->pass[HASH]) >= 10) {
		import_order(znc->import, "admin", "user update");
		import_word(znc->import, user);
		import_option(znc->import, "password", znc->pass[HASH]);
		import_order_end(znc->import);
		return;
	}
	import_note(znc->import, znc->line,
		    "%s: a password by %s cannot be taken over: user update %s -password …", user,
		    znc->pass[METHOD][0] ? znc->pass[METHOD] : "none", user);
}

/* --- lines ---------------------------------------------------------------------------------- */

static void section_begin(struct znc *znc, char *text)
{
	size_t len = strcspn(text, " \t");

	if (znc->depth == DEPTH_MAX) {
		import_note(znc->import, znc->line, "sections lie too deep");
		return;
	}
	znc->section[znc->depth] = strndup(text, len);
	text += len + strspn(text + len, " \t");
	znc->name[znc->depth] = strdup(text);
	znc->depth++;
	if (in(znc, "User")) {
		memset(znc->user, 0, sizeof znc->user);
		znc->user_said = false;
		if (!user_good(name_at(znc, "User")))
			import_note(znc->import, znc->line, "%s cannot be a name here",
				    name_at(znc, "User"));
	} else if (in(znc, "Network")) {
		memset(znc->network, 0, sizeof znc->network);
		znc->network_said = znc->network_made = znc->external = false;
	} else if (in(znc, "Chan")) {
		memset(znc->channel, 0, sizeof znc->channel);
	} else if (in(znc, "Pass")) {
		memset(znc->pass, 0, sizeof znc->pass);
	} else if (in(znc, "Listener")) {
		import_note(znc->import, znc->line, "<Listener>: say its port with irc.listen");
	} else {
		import_note(znc->import, znc->line, "<%s> is not known here",
			    znc->section[znc->depth - 1]);
	}
}

static void section_end(struct znc *znc)
{
	if (!znc->depth)
		return;
	if (in(znc, "User"))
		say_user(znc);
	else if (in(znc, "Network"))
		end_network(znc);
	else if (in(znc, "Chan"))
		say_channel(znc);
	else if (in(znc, "Pass"))
		say_password(znc);
	znc->depth--;
	free(znc->section[znc->depth]);
	free(znc->name[znc->depth]);
}

/* Several become one text, apart by sep. */
static void add(char *to, const char *value, const char *sep)
{
	size_t len = strlen(to);

	snprintf(to + len, TEXT_MAX - len, "%s%s", len ? sep : "", value);
}

/* The first word, whatever follows. */
static bool is_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(text, word, len) == 0 && (!text[len] || text[len] == ' ');
}

static void take_value(struct znc *znc, const char *name, const char *value)
{
	/* Those that are as here, and those whose files znc_moddata.c reads. */
	static const char *const quiet[] = {"chansaver", "controlpanel",  "webadmin",
					    "adminlog",  "route_replies", "partyline",
					    "keepnick",  "buffextras"};
	static const char *const read[] = {"sasl",    "simple_away", "log",  "savebuff",
					   "perform", "nickserv",    "cert", "stickychan"};
	char(*values)[TEXT_MAX] = in(znc, "Network") ? znc->network
				  : in(znc, "Chan")  ? znc->channel
				  : in(znc, "Pass")  ? znc->pass
				  : in(znc, "User")  ? znc->user
						     : NULL;
	bool is_module = strcasecmp(name, "LoadModule") == 0;

	for (size_t i = 0; values && i < sizeof known / sizeof *known; i++)
		if (strcasecmp(known[i].name, name) == 0) {
			enum value at = known[i].value;

			if (at == SERVERS || at == FINGERPRINTS)
				add(values[at], value, at == SERVERS ? "\n" : " ");
			else
				snprintf(values[at], TEXT_MAX, "%s", value);
			return;
		}
	for (size_t i = 0; is_module && i < sizeof quiet / sizeof *quiet; i++)
		if (is_word(value, quiet[i]))
			return;
	for (size_t i = 0; is_module && (values || !znc->depth) && i < sizeof read / sizeof *read;
	     i++)
		if (is_word(value, read[i])) {
			add(values ? values[MODULES] : znc->modules, value, "\n");
			return;
		}
	if (is_module)
		import_note(znc->import, znc->line, "LoadModule = %s has no equal here", value);
	for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++)
		if (strcasecmp(passed_over[i], name) == 0)
			return;
	if (!in(znc, "Listener"))
		import_note(znc->import, znc->line, "%s has no equal here", name);
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static void take_line(struct znc *znc, char *text)
{
	char *equals;

	text = trim(text);
	if (!text[0] || text[0] == '#' || strncmp(text, "//", 2) == 0)
		return;
	if (strncmp(text, "</", 2) == 0) {
		section_end(znc);
	} else if (text[0] == '<') {
		text[strcspn(text, ">")] = '\0';
		section_begin(znc, text + 1);
	} else if ((equals = strchr(text, '='))) {
		*equals = '\0';
		take_value(znc, trim(text), trim(equals + 1));
	} else {
		import_note(znc->import, znc->line, "this line makes no sense");
	}
}

int import_znc(struct import *import, const char *text, size_t len)
{
	struct znc *znc = calloc(1, sizeof *znc);
	int code = 0;

	if (!znc) {
		import_note(import, 0, "out of memory");
		return 1;
	}
	znc->import = import;
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t length = end ? (size_t)(end - text) : len;
		char *line = malloc(length + 1); /* the text does not end with NUL */

		znc->line++;
		if (line) {
			memcpy(line, text, length);
			line[length] = '\0';
			take_line(znc, line);
		}
		free(line);
		text += length + (end != NULL);
		len -= length + (end != NULL);
	}
	/* Half of somebody's networks is not what he had. */
	if (znc->depth) {
		import_note(
			import, znc->line,
			"a section has no end: the file was cut off, and nothing is made of it");
		code = 1;
	}
	while (znc->depth)
		section_end(znc);
	free(znc);
	return code;
}
