/* What ZNC's modules keep in files of their own, beside znc.conf:
 *
 *   ROOT/configs/znc.conf
 *   ROOT/users/USER/networks/NETWORK/moddata/MODULE/.registry    of a network's module
 *   ROOT/users/USER/moddata/MODULE/.registry                     of a user's
 *   ROOT/moddata/MODULE/                                         of all
 *
 * A registry is lines "KEY VALUE", where %2f; stands for a byte. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import.h"

#define PATH_MAX_HERE 4096
#define VALUE_MAX     3000

/* --- files ------------------------------------------------------------------------------------ */

static bool name_is_safe(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/');
}

/* A file of a module's: of the network's own, or else of the user's. False: it is nowhere. */
static FILE *module_open(const struct znc_modules *modules, const char *module, const char *file,
			 char path[PATH_MAX_HERE])
{
	const char *end = strstr(modules->import->file, "configs/znc.conf");
	int len = end ? (int)(end - modules->import->file) : 0;
	FILE *in = NULL;

	if (!end || end[strlen("configs/znc.conf")] || !name_is_safe(modules->user) ||
	    !name_is_safe(modules->network))
		return NULL;
	snprintf(path, PATH_MAX_HERE, "%.*susers/%s/networks/%s/moddata/%s/%s", len,
		 modules->import->file, modules->user, modules->network, module, file);
	in = fopen(path, "rbe");
	if (in)
		return in;
	snprintf(path, PATH_MAX_HERE, "%.*susers/%s/moddata/%s/%s", len, modules->import->file,
		 modules->user, module, file);
	return fopen(path, "rbe");
}

static void decode(char *text)
{
	char *to = text, *end;

	while (*text) {
		long byte = *text == '%' ? strtol(text + 1, &end, 16) : -1;

		if (byte > 0 && byte < 256 && *end == ';' && end > text + 1) {
			*to++ = (char)byte;
			text = end + 1;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

static void registry_each(const struct znc_modules *modules, const char *module,
			  void (*take)(void *context, const char *key, const char *value),
			  void *context)
{
	char path[PATH_MAX_HERE], *line = NULL;
	size_t size = 0;
	FILE *in = module_open(modules, module, ".registry", path);

	while (in && getline(&line, &size, in) != -1) {
		char *value = line + strcspn(line, " \r\n");

		if (*value)
			*value++ = '\0';
		value[strcspn(value, " \r\n")] = '\0';
		decode(line);
		decode(value);
		if (line[0])
			take(context, line, value);
	}
	free(line);
	if (in)
		fclose(in);
}

struct wanted {
	const char *key;
	char value[VALUE_MAX];
};

static void take_wanted(void *context, const char *key, const char *value)
{
	struct wanted *wanted = context;

	if (strcasecmp(key, wanted->key) == 0)
		snprintf(wanted->value, sizeof wanted->value, "%s", value);
}

static const char *registry_get(const struct znc_modules *modules, const char *module,
				const char *key, struct wanted *wanted)
{
	*wanted = (struct wanted){.key = key};
	registry_each(modules, module, take_wanted, wanted);
	return wanted->value;
}

/* --- modules ---------------------------------------------------------------------------------- */

/* Its arguments ("" for none) when it is loaded for the network or its user; NULL: it is not. */
static const char *loaded(const struct znc_modules *modules, const char *name, char args[VALUE_MAX])
{
	const char *lists[] = {modules->of_network, modules->of_user, modules->of_all};
	size_t len = strlen(name);

	for (size_t i = 0; i < 3; i++)
		for (const char *at = lists[i]; at && *at;) {
			size_t line = strcspn(at, "\n");

			if (strncasecmp(at, name, len) == 0 && (line == len || at[len] == ' ')) {
				snprintf(args, VALUE_MAX, "%.*s", (int)(line - len), at + len);
				return args + strspn(args, " ");
			}
			at += line + (at[line] == '\n');
		}
	return NULL;
}

/* What stands between % and % is ZNC's to fill in, and so is a command of ZNC's own. */
static void command(struct znc_modules *modules, const char *text, const char *of)
{
	const char *percent = strchr(text, '%');

	if (percent && strchr(percent + 1, '%'))
		import_note(modules->import, modules->line,
			    "%s: %s: %s: \"%s\" holds what only ZNC fills in", modules->user,
			    modules->network, of, text);
	else
		import_option(modules->import, "connect-command", text);
}

static void take_perform(struct znc_modules *modules)
{
	struct wanted wanted;
	char *save = NULL, args[VALUE_MAX];
	const char *value;

	if (!loaded(modules, "perform", args))
		return;
	value = registry_get(modules, "perform", "Perform", &wanted);
	if (!value[0])
		import_note(modules->import, modules->line,
			    "%s: %s: perform: its commands are not found", modules->user,
			    modules->network);
	for (char *one = strtok_r(wanted.value, "\r\n", &save); one;
	     one = strtok_r(NULL, "\r\n", &save))
		command(modules, one, "perform");
}

static void take_nickserv(struct znc_modules *modules)
{
	struct wanted wanted;
	char text[VALUE_MAX + 64], args[VALUE_MAX], name[128] = "NickServ";
	const char *given = loaded(modules, "nickserv", args), *password;

	if (!given)
		return;
	if (registry_get(modules, "nickserv", "NickServName", &wanted)[0])
		snprintf(name, sizeof name, "%.120s", wanted.value);
	if (registry_get(modules, "nickserv", "IdentifyCmd", &wanted)[0] &&
	    strcmp(wanted.value, "NICKSERV IDENTIFY {password}") != 0) {
		import_note(modules->import, modules->line,
			    "%s: %s: nickserv: its own command is not taken over: network update "
			    "-connect-command",
			    modules->user, modules->network);
		return;
	}
	password = registry_get(modules, "nickserv", "Password", &wanted);
	password = password[0] ? password : given;
	if (!password[0]) {
		import_note(modules->import, modules->line,
			    "%s: %s: nickserv: its password is not found", modules->user,
			    modules->network);
		return;
	}
	snprintf(text, sizeof text, "PRIVMSG %s :IDENTIFY %s", name, password);
	import_option(modules->import, "connect-command", text);
}

static void take_sasl(struct znc_modules *modules)
{
	struct wanted mechanisms, name, password;
	char args[VALUE_MAX];
	const char *user;

	if (!loaded(modules, "sasl", args))
		return;
	user = registry_get(modules, "sasl", "username", &name);
	registry_get(modules, "sasl", "password", &password);
	registry_get(modules, "sasl", "mechanisms", &mechanisms);
	modules->external = strncasecmp(mechanisms.value, "EXTERNAL", 8) == 0;
	if (modules->external)
		return;
	if (!user[0] || !password.value[0]) {
		import_note(modules->import, modules->line,
			    "%s: %s: LoadModule = sasl: its login is not found in moddata: sasl "
			    "set-plain",
			    modules->user, modules->network);
		return;
	}
	import_option(modules->import, "sasl-mechanism", "PLAIN");
	import_option(modules->import, "sasl-username", user);
	import_option(modules->import, "sasl-password", password.value);
}

static void take_away(struct znc_modules *modules)
{
	struct wanted wanted;
	char args[VALUE_MAX];
	const char *given = loaded(modules, "simple_away", args);

	if (!given)
		return;
	registry_get(modules, "simple_away", "Reason", &wanted);
	if (wanted.value[0] || given[0])
		import_note(modules->import, modules->line,
			    "%s: %s: simple_away: one is away here while no client is attached "
			    "(-auto-away), "
			    "without a text or a wait of one's own: \"%s\"",
			    modules->user, modules->network,
			    wanted.value[0] ? wanted.value : given);
}

void znc_modules_attributes(struct znc_modules *modules)
{
	take_sasl(modules);
	take_perform(modules);
	take_nickserv(modules);
	take_away(modules);
}

static void take_sticky(void *context, const char *key, const char *value)
{
	struct znc_modules *modules = context;

	import_order(modules->import, modules->user, "channel create");
	import_word(modules->import, key);
	import_option(modules->import, "network", modules->network);
	import_option(modules->import, "key", value);
	import_order_end(modules->import);
}

/* What stands between BEGIN … KIND and END, without line breaks. */
static bool pem_take(const char *pem, const char *kind, char *out, size_t size)
{
	size_t len = 0;
	const char *at = pem, *end;

	while ((at = strstr(at, "-----BEGIN "))) {
		const char *name = at + strlen("-----BEGIN ");

		at = strchr(name, '\n');
		end = at ? strstr(at, "-----END ") : NULL;
		if (!end)
			return false;
		if (!memmem(name, (size_t)(at - name), kind, strlen(kind))) {
			at = end;
			continue;
		}
		for (; at < end && len + 1 < size; at++)
			if (!strchr(" \r\n\t", *at))
				out[len++] = *at;
		out[len] = '\0';
		/* "Proc-Type: 4,ENCRYPTED" stands in the middle of it. */
		return at == end && !strchr(out, ':');
	}
	return false;
}

static void certificate_order(struct znc_modules *modules, const char *option, const char *value)
{
	import_order(modules->import, modules->user, "certfp import");
	import_option(modules->import, "network", modules->network);
	import_option(modules->import, option, value);
	import_order_end(modules->import);
}

static void take_certificate(struct znc_modules *modules)
{
	static char pem[32768], key[8192], certificate[8192];
	char path[PATH_MAX_HERE], args[VALUE_MAX];
	FILE *in = loaded(modules, "cert", args) ? module_open(modules, "cert", "user.pem", path)
						 : NULL;
	bool good = false;

	if (in) {
		pem[fread(pem, 1, sizeof pem - 1, in)] = '\0';
		fclose(in);
		good = pem_take(pem, "PRIVATE KEY", key, sizeof key) &&
		       pem_take(pem, "CERTIFICATE", certificate, sizeof certificate);
	}
	if (good) {
		certificate_order(modules, "key", key);
		certificate_order(modules, "certificate", certificate);
	} else if (loaded(modules, "cert", args)) {
		import_note(modules->import, modules->line,
			    "%s: %s: cert: no certificate is in user.pem", modules->user,
			    modules->network);
	}
	if (good && modules->external) {
		import_order(modules->import, modules->user, "sasl set-external");
		import_option(modules->import, "network", modules->network);
		import_order_end(modules->import);
	} else if (modules->external) {
		import_note(modules->import, modules->line,
			    "%s: %s: sasl: EXTERNAL without the module cert: certfp generate",
			    modules->user, modules->network);
	}
	memset(pem, 0, sizeof pem);
	memset(key, 0, sizeof key);
}

/* False: there are none. */
static bool take_logs(struct znc_modules *modules)
{
	static const char *const places[] = {"users/%s/networks/%s/moddata/log",
					     "users/%s/moddata/log/%s", "moddata/log/%s/%s"};
	const char *end = strstr(modules->import->file, "configs/znc.conf");
	char path[PATH_MAX_HERE], within[1024], args[VALUE_MAX];
	const char *given = loaded(modules, "log", args);
	bool found = false;

	for (size_t i = 0; i < 3 && end && !found && name_is_safe(modules->user) &&
			   name_is_safe(modules->network);
	     i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(within, sizeof within, places[i], modules->user, modules->network);
#pragma GCC diagnostic pop
		snprintf(path, sizeof path, "%.*s%s", (int)(end - modules->import->file),
			 modules->import->file, within);
		found = import_logs(modules->import, modules->user, modules->network, modules->nick,
				    path);
	}
	if (given && !found)
		import_note(modules->import, modules->line,
			    "%s: %s: log: no lines are where it writes them unless told otherwise",
			    modules->user, modules->network);
	return found;
}

static void take_buffers(struct znc_modules *modules)
{
	const char *end = strstr(modules->import->file, "configs/znc.conf");
	char path[PATH_MAX_HERE], args[VALUE_MAX];
	const char *password = loaded(modules, "savebuff", args);

	if (!password || !end || !name_is_safe(modules->user) || !name_is_safe(modules->network))
		return;
	snprintf(path, sizeof path, "%.*susers/%s/networks/%s/moddata/savebuff",
		 (int)(end - modules->import->file), modules->import->file, modules->user,
		 modules->network);
	import_savebuff(modules, path, strcmp(password, "--ask-pass") ? password : "");
}

void znc_modules_orders(struct znc_modules *modules)
{
	char args[VALUE_MAX];

	if (loaded(modules, "stickychan", args))
		registry_each(modules, "stickychan", take_sticky, modules);
	take_certificate(modules);
	/* What both have would come twice. */
	if (!take_logs(modules))
		take_buffers(modules);
	else if (loaded(modules, "savebuff", args))
		import_note(modules->import, modules->line,
			    "%s: %s: savebuff: not read, as what it holds is in the logs too",
			    modules->user, modules->network);
}
