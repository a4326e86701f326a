/* icecast.xml, as Icecast 2.4 and icecast-kh document it. */
#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import.h"

#define DEPTH_MAX 16
#define TEXT_MAX  4096u

enum form { TEXT, COUNT, SIZE, SECONDS, SWITCH, LIST_ONE };

/* Elements that have an equal: where they stand and what they are here. */
static const struct rule {
	const char *path; /* below <icecast>; "mount/…" are those of a mount */
	enum form form;
	const char *section, *name;
} rules[] = {
	{"location", TEXT, "server", "location"},
	{"admin", TEXT, "server", "contact"},
	{"hostname", TEXT, "http", "hostname"},
	{"limits/clients", COUNT, "radio", "max_listeners"},
	{"limits/sources", COUNT, "radio", "max_sources"},
	{"limits/queue-size", SIZE, "radio", "ring"},
	{"limits/burst-size", SIZE, "radio", "burst"},
	{"limits/header-timeout", SECONDS, "http", "header_timeout"},
	{"limits/source-timeout", SECONDS, "radio", "source_timeout"},
	{"authentication/source-password", TEXT, "radio", "source_password"},
	{"authentication/admin-user", TEXT, "admin", "user"},
	{"authentication/admin-password", TEXT, "admin", "password"},
	{"authentication/relay-user", TEXT, "relays", "slave_user"},
	{"authentication/relay-password", TEXT, "relays", "slave_password"},
	{"shoutcast-mount", TEXT, "radio", "shoutcast_mount"},
	{"master-username", TEXT, "relays", "master_user"},
	{"master-password", TEXT, "relays", "master_password"},
	{"relays-on-demand", SWITCH, "relays", "on_demand"},
	{"directory/yp-url", LIST_ONE, "directory", "url"},
	{"yp-directory/url", LIST_ONE, "directory", "url"},
	{"mount/username", TEXT, "mount", "user"},
	{"mount/password", TEXT, "mount", "password"},
	{"mount/max-listeners", COUNT, "mount", "max_listeners"},
	{"mount/max-listener-duration", SECONDS, "mount", "max_duration"},
	{"mount/source-timeout", SECONDS, "mount", "source_timeout"},
	{"mount/fallback-mount", TEXT, "mount", "fallback"},
	{"mount/fallback-override", SWITCH, "mount", "fallback_override"},
	{"mount/fallback-when-full", SWITCH, "mount", "fallback_when_full"},
	{"mount/queue-size", SIZE, "mount", "ring"},
	{"mount/burst-size", SIZE, "mount", "burst"},
	{"mount/mp3-metadata-interval", COUNT, "mount", "icy_interval"},
	{"mount/hidden", SWITCH, "mount", "hidden"},
	{"mount/stream-name", TEXT, "mount", "name"},
	{"mount/stream-description", TEXT, "mount", "description"},
	{"mount/stream-url", TEXT, "mount", "url"},
	{"mount/genre", TEXT, "mount", "genre"},
	{"mount/type", TEXT, "mount", "content_type"},
	{"mount/dump-file", TEXT, "mount", "dump"},
	{"mount/on-connect", TEXT, "mount", "on_connect"},
	{"mount/on-disconnect", TEXT, "mount", "on_disconnect"},
};

/* What stands in many files and means nothing here: the reason. */
static const struct {
	const char *path, *why;
} silent[] = {
	{"limits/threadpool", "workers does that"},
	{"limits/client-timeout", "there is none needed"},
	{"server-id", "the server says its own name"},
	{"paths/basedir", ""},
	{"paths/logdir", ""},
	{"paths/webroot", ""},
	{"paths/adminroot", ""},
	{"paths/pidfile", ""},
	{"paths/alias", ""},
	{"logging/accesslog", ""},
	{"logging/playlistlog", ""},
	{"logging/logsize", ""},
	{"logging/logarchive", ""},
	{"fileserve", ""},
	{"mount/mount-name", ""},
	{"mount/bitrate", ""},
	{"mount/subtype", ""},
};

struct socket {
	char port[16], bind[128];
	bool shoutcast;
	unsigned line;
};

struct relay {
	char server[256], port[16], mount[256], local[256], user[128], password[128];
	bool on_demand;
};

struct state {
	struct import *import;
	XML_Parser parser;
	char path[512]; /* "mount/mount-name" */
	unsigned depth;
	size_t ends[DEPTH_MAX]; /* of each name in path */
	char text[TEXT_MAX];
	size_t len;
	unsigned line; /* of the element's beginning */
	json_t *mount; /* of the <mount> we are in: name → value */
	char mount_name[256];
	bool is_default;
	unsigned mount_line;
	struct socket socket;
	struct relay relay;
	char master[256], master_port[16], certificate[1024], logdir[1024], errorlog[1024];
	bool burst_off, sources, too_deep;
	bool other; /* XML, but no icecast.xml: text is the name of its root */
};

static void put(char *out, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(out, text, len);
	out[len] = '\0';
}

static bool is_on(const char *text)
{
	return strcmp(text, "1") == 0 || strcasecmp(text, "yes") == 0 ||
	       strcasecmp(text, "true") == 0;
}

/* The value as ringmain writes it; NULL, and a note, when it is none. */
static json_t *value_of(struct state *state, enum form form, const char *text)
{
	char room[64], *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (form == TEXT || form == LIST_ONE)
		return json_string(text);
	if (form == SWITCH)
		return json_boolean(is_on(text));
	if (end == text || *end || text[0] == '-') {
		import_note(state->import, state->line, "<%s> is no number: \"%s\"", state->path,
			    text);
		return NULL;
	}
	snprintf(room, sizeof room, "%llu%s", number, form == SECONDS ? "s" : "");
	return form == SECONDS ? json_string(room) : json_integer((json_int_t)number);
}

static void take_value(struct state *state, const struct rule *rule, const char *text)
{
	json_t *value = value_of(state, rule->form, text);

	if (!value)
		return;
	/* What Icecast's example says, and so what strangers try first. */
	if (strcmp(text, "hackme") == 0)
		import_note(state->import, state->line,
			    "<%s> is \"hackme\", which everybody knows: change it", state->path);
	if (rule->form == LIST_ONE) {
		import_add(state->import, rule->section, NULL, rule->name, text);
		json_decref(value);
	} else if (state->mount) {
		json_object_set_new(state->mount, rule->name, value);
	} else {
		import_set(state->import, rule->section, NULL, rule->name, value);
	}
}

static bool take_by_rule(struct state *state, const char *text)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (strcmp(rules[i].path, state->path) == 0) {
			take_value(state, &rules[i], text);
			return true;
		}
	for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
		if (strcmp(silent[i].path, state->path) == 0)
			return true;
	return false;
}

/* --- those that are more than a value ------------------------------------------------------- */

static bool take_socket(struct state *state, const char *text)
{
	const char *name = state->path + strlen("listen-socket/");

	if (strncmp(state->path, "listen-socket/", 14) != 0)
		return false;
	if (strcmp(name, "port") == 0)
		put(state->socket.port, sizeof state->socket.port, text);
	else if (strcmp(name, "bind-address") == 0)
		put(state->socket.bind, sizeof state->socket.bind, text);
	else if (strcmp(name, "shoutcast-compat") == 0)
		state->socket.shoutcast = is_on(text);
	else if (strcmp(name, "shoutcast-mount") == 0)
		import_text(state->import, "radio", NULL, "shoutcast_mount", text);
	else if (strcmp(name, "ssl") == 0 || strcmp(name, "tls") == 0)
		return true; /* TLS is on every port once there is a certificate */
	else
		return false;
	return true;
}

static void end_socket(struct state *state)
{
	const struct socket *socket = &state->socket;
	char text[160];

	if (socket->shoutcast)
		import_note(state->import, state->socket.line,
			    "SHOUTcast encoders: they may use any port of http.listen, and the one "
			    "above each; port %s is not opened for them alone",
			    socket->port);
	else if (!socket->port[0])
		import_note(state->import, state->socket.line, "<listen-socket> without <port>");
	else {
		bool v6 = strchr(socket->bind, ':');

		if (!socket->bind[0] || strcmp(socket->bind, "::") == 0)
			snprintf(text, sizeof text, "[::]:%s", socket->port);
		else
			snprintf(text, sizeof text, v6 ? "[%s]:%s" : "%s:%s", socket->bind,
				 socket->port);
		import_add(state->import, "http", NULL, "listen", text);
	}
	state->socket = (struct socket){0};
}

static bool take_relay(struct state *state, const char *text)
{
	static const struct {
		const char *name;
		size_t at, size;
	} texts[] = {
		{"server", offsetof(struct relay, server), 256},
		{"host", offsetof(struct relay, server), 256},
		{"port", offsetof(struct relay, port), 16},
		{"mount", offsetof(struct relay, mount), 256},
		{"local-mount", offsetof(struct relay, local), 256},
		{"username", offsetof(struct relay, user), 128},
		{"password", offsetof(struct relay, password), 128},
	};
	const char *name = strrchr(state->path, '/');

	if (strncmp(state->path, "relay/", 6) != 0)
		return false;
	name++;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(texts[i].name, name) == 0) {
			put((char *)&state->relay + texts[i].at, texts[i].size, text);
			return true;
		}
	if (strcmp(name, "on-demand") == 0)
		state->relay.on_demand = is_on(text);
	else if (strcmp(name, "relay-shoutcast-metadata") != 0)
		return false;
	return true;
}

static void end_relay(struct state *state)
{
	const struct relay *relay = &state->relay;
	const char *mount = relay->mount[0] ? relay->mount : "/";
	const char *local = relay->local[0] ? relay->local : mount;
	char url[600];

	if (!relay->server[0]) {
		import_note(state->import, state->line, "<relay> without <server>");
	} else {
		snprintf(url, sizeof url, "http://%s:%s%s", relay->server,
			 relay->port[0] ? relay->port : "8000", mount);
		import_add(state->import, "relay", local, "url", url);
		if (relay->on_demand)
			import_set(state->import, "relay", local, "on_demand", json_true());
		if (relay->user[0])
			import_text(state->import, "relay", local, "user", relay->user);
		if (relay->password[0])
			import_text(state->import, "relay", local, "password", relay->password);
	}
	state->relay = (struct relay){0};
}

/* Addresses in a file of their own, one a line. */
static void take_addresses(struct state *state, const char *name, const char *file)
{
	FILE *in = fopen(file, "re");
	char line[256];

	if (!in) {
		import_note(state->import, state->line,
			    "<%s>: %s cannot be read: put its addresses "
			    "into http.%s",
			    state->path, file, name);
		return;
	}
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "#\r\n \t")] = '\0';
		if (line[0])
			import_add(state->import, "http", NULL, name, line);
	}
	fclose(in);
}

static bool take_other(struct state *state, const char *text)
{
	static const char *const levels[] = {NULL, "error", "warning", "info", "debug"};
	const char *path = state->path;

	if (strcmp(path, "mount/mount-name") == 0) {
		put(state->mount_name, sizeof state->mount_name, text);
	} else if (strcmp(path, "mount/public") == 0 && state->mount) {
		json_object_set_new(state->mount, "public",
				    json_string(is_on(text) ? "yes" : "no"));
	} else if (strcmp(path, "mount/charset") == 0 && state->mount) {
		bool latin1 = strcasecmp(text, "ISO8859-1") == 0 ||
			      strcasecmp(text, "ISO-8859-1") == 0 ||
			      strcasecmp(text, "latin1") == 0;

		json_object_set_new(state->mount, "charset",
				    json_string(latin1 ? "latin1" : "auto"));
		if (!latin1 && strcasecmp(text, "UTF-8") != 0 && strcasecmp(text, "UTF8") != 0)
			import_note(state->import, state->line,
				    "<charset> %s: titles are read as "
				    "UTF-8 or ISO-8859-1",
				    text);
	} else if (strcmp(path, "limits/burst-on-connect") == 0) {
		state->burst_off = !is_on(text);
	} else if (strcmp(path, "paths/ssl-certificate") == 0 ||
		   strcmp(path, "paths/tls-certificate") == 0) {
		put(state->certificate, sizeof state->certificate, text);
	} else if (strcmp(path, "paths/allow-ip") == 0) {
		take_addresses(state, "allow", text);
	} else if (strcmp(path, "paths/deny-ip") == 0) {
		take_addresses(state, "deny", text);
	} else if (strcmp(path, "logging/errorlog") == 0) {
		put(state->errorlog, sizeof state->errorlog, text);
	} else if (strcmp(path, "paths/logdir") == 0) {
		put(state->logdir, sizeof state->logdir, text);
	} else if (strcmp(path, "logging/loglevel") == 0 && text[0] >= '1' && text[0] <= '4') {
		import_text(state->import, "log", NULL, "level", levels[text[0] - '0']);
	} else if (strcmp(path, "master-server") == 0) {
		put(state->master, sizeof state->master, text);
	} else if (strcmp(path, "master-server-port") == 0) {
		put(state->master_port, sizeof state->master_port, text);
	} else {
		return false;
	}
	return true;
}

/* --- mounts --------------------------------------------------------------------------------- */

static const char *attribute(const XML_Char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (strcmp(attributes[i], name) == 0)
			return attributes[i + 1];
	return NULL;
}

static void begin_mount(struct state *state, const XML_Char **attributes)
{
	const char *type = attribute(attributes, "type");

	state->mount = json_object();
	state->mount_name[0] = '\0';
	state->mount_line = state->line;
	state->is_default = type && strcmp(type, "default") == 0;
}

static void end_mount(struct state *state)
{
	const char *name = state->is_default ? "default" : state->mount_name;

	if (!name[0])
		import_note(state->import, state->mount_line, "<mount> without <mount-name>");
	else if (name[0] != '/' && !state->is_default)
		import_note(state->import, state->mount_line,
			    "<mount-name> %s: mounts begin with a slash", name);
	else
		import_entry(state->import, "mount", name, state->mount);
	json_decref(state->mount);
	state->mount = NULL;
}

/* <authentication type="url"><option name="listener_add" value="…"/>, or type="htpasswd" with "filename". */
static void take_option(struct state *state, const XML_Char **attributes)
{
	static const char *const same[][2] = {{"listener_add", "auth_listener_add"},
					      {"listener_remove", "auth_listener_remove"},
					      {"mount_add", "auth_mount_add"},
					      {"mount_remove", "auth_mount_remove"},
					      {"stream_auth", "auth_stream"},
					      {"username", "auth_user"},
					      {"password", "auth_password"},
					      {"auth_header", "auth_header"},
					      {"timelimit_header", "auth_timelimit_header"},
					      {"filename", "htpasswd"},
					      {"header_prefix", "auth_header_prefix"}};
	const char *name = attribute(attributes, "name"), *value = attribute(attributes, "value");

	if (!name || !value || !state->mount)
		return;
	if (strcmp(name, "allow_duplicate_users") == 0) {
		json_object_set_new(state->mount, name, json_boolean(is_on(value)));
		return;
	}
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		if (strcmp(same[i][0], name) == 0) {
			json_object_set_new(state->mount, same[i][1], json_string(value));
			return;
		}
	import_note(state->import, state->line, "<option name=\"%s\"> has no equal", name);
}

/* --- expat ---------------------------------------------------------------------------------- */

static void on_begin(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct state *state = user;
	size_t at = state->depth > 1 ? state->ends[state->depth - 1] : 0;

	state->line = (unsigned)XML_GetCurrentLineNumber(state->parser);
	state->len = 0;
	if (state->depth >= DEPTH_MAX - 1 || at + strlen(name) + 2 > sizeof state->path) {
		state->too_deep = true;
		XML_StopParser(state->parser, XML_FALSE);
		return;
	}
	if (state->depth == 0 && strcmp(name, "icecast") != 0) {
		state->other = true;
		snprintf(state->text, sizeof state->text, "%.100s", name);
		XML_StopParser(state->parser, XML_FALSE);
		return;
	}
	if (state->depth > 0)
		at += (size_t)snprintf(state->path + at, sizeof state->path - at, "%s%s",
				       state->depth > 1 ? "/" : "", name);
	state->ends[state->depth++] = at;
	if (strcmp(state->path, "mount") == 0)
		begin_mount(state, attributes);
	else if (strcmp(state->path, "listen-socket") == 0)
		state->socket.line = state->line;
	else if (strcmp(name, "option") == 0)
		take_option(state, attributes);
	else if (strcmp(state->path, "http-headers/header") == 0 ||
		 strcmp(state->path, "mount/http-headers/header") == 0)
		import_note(state->import, state->line, "<header> has no equal");
}

static void trim(struct state *state)
{
	char *text = state->text;

	while (state->len && strchr(" \t\r\n", text[state->len - 1]))
		state->len--;
	text[state->len] = '\0';
	memmove(text, text + strspn(text, " \t\r\n"), strlen(text + strspn(text, " \t\r\n")) + 1);
}

static void on_end(void *user, const XML_Char *name)
{
	struct state *state = user;
	bool has_text;

	(void)name;
	/* Of an empty element the end is told even after XML_StopParser(). */
	if (state->other || state->too_deep)
		return;
	trim(state);
	has_text = state->text[0];
	if (strcmp(state->path, "mount") == 0)
		end_mount(state);
	else if (strcmp(state->path, "listen-socket") == 0)
		end_socket(state);
	else if (strcmp(state->path, "relay") == 0)
		end_relay(state);
	else if (has_text && !take_other(state, state->text) && !take_socket(state, state->text) &&
		 !take_relay(state, state->text) && !take_by_rule(state, state->text))
		import_note(state->import, state->line, "<%s> has no equal", state->path);
	state->len = 0;
	state->depth--;
	state->path[state->depth > 0 ? state->ends[state->depth - 1] : 0] = '\0';
}

static void on_text(void *user, const XML_Char *text, int len)
{
	struct state *state = user;
	size_t room = sizeof state->text - 1 - state->len;
	size_t n = (size_t)len < room ? (size_t)len : room;

	memcpy(state->text + state->len, text, n);
	state->len += n;
}

/* What only the whole file tells. */
static void finish(struct state *state)
{
	char text[2200];

	if (state->burst_off)
		import_set(state->import, "radio", NULL, "burst", json_integer(0));
	if (state->certificate[0]) {
		import_add(state->import, "tls", NULL, "certificate", state->certificate);
		import_add(state->import, "tls", NULL, "key", state->certificate);
	}
	if (state->errorlog[0] && strcmp(state->errorlog, "-") != 0) {
		snprintf(text, sizeof text, "%s%s%s",
			 state->errorlog[0] == '/' ? "" : state->logdir,
			 state->errorlog[0] == '/' ? "" : "/", state->errorlog);
		import_text(state->import, "log", NULL, "file", text);
	}
	if (state->master[0]) {
		snprintf(text, sizeof text, "http://%s:%s", state->master,
			 state->master_port[0] ? state->master_port : "8000");
		import_text(state->import, "relays", NULL, "master", text);
	}
}

/* A ring must hold four bursts here. */
static void fit_ring(json_t *place)
{
	json_int_t ring = json_integer_value(json_object_get(place, "ring"));
	json_int_t burst = json_integer_value(json_object_get(place, "burst"));

	if (ring && ring < 4 * burst)
		json_object_set_new(place, "ring", json_integer(4 * burst));
}

int import_icecast(struct import *import, const char *text, size_t len)
{
	struct state *state = calloc(1, sizeof *state);
	XML_Parser parser = XML_ParserCreate(NULL);
	const char *name;
	json_t *mount;
	int code = 1;

	if (state && parser) {
		state->import = import;
		state->parser = parser;
		XML_SetUserData(parser, state);
		XML_SetElementHandler(parser, on_begin, on_end);
		XML_SetCharacterDataHandler(parser, on_text);
		if (XML_Parse(parser, text, (int)len, XML_TRUE) == XML_STATUS_OK) {
			finish(state);
			fit_ring(json_object_get(import->settings, "radio"));
			json_object_foreach(json_object_get(import->settings, "mount"), name, mount)
				fit_ring(mount);
			code = 0;
		} else if (state->other) {
			import_note(import, state->line, "<%s> is no <icecast>", state->text);
		} else {
			import_note(import, (unsigned)XML_GetCurrentLineNumber(parser), "%s",
				    state->too_deep ? "nested too deep"
						    : XML_ErrorString(XML_GetErrorCode(parser)));
		}
		json_decref(state->mount);
	}
	XML_ParserFree(parser);
	free(state);
	return code;
}
