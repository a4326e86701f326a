/* tinyice.json. Its passwords are bcrypt's, which no one can turn back, and ringmain's are argon2id or
 * plain: they are named, and must be set anew. */
#include <stdlib.h>
#include <string.h>

#include "import.h"

/* Values that are the same here. */
static const struct {
	const char *key, *section, *name;
} same[] = {
	{"hostname", "http", "hostname"},
	{"base_url", "http", "public_url"},
	{"location", "server", "location"},
	{"admin_email", "server", "contact"},
	{"page_title", "server", "name"},
	{"admin_user", "admin", "user"},
	{"trusted_proxies", "http", "trusted_proxies"},
	{"low_latency_mode", "radio", "low_latency"},
	{"cert_file", "tls", "certificate"},
	{"key_file", "tls", "key"},
	{"banned_ips", "http", "deny"},
};

/* What is taken elsewhere below, or means nothing here. */
static const char *const known[] = {
	"bind_host",
	"port",
	"https_port",
	"use_https",
	"auto_https",
	"domains",
	"acme_email",
	"acme_directory_url",
	"max_listeners",
	"default_source_password",
	"mounts",
	"advanced_mounts",
	"disabled_mounts",
	"visible_mounts",
	"fallback_mounts",
	"relays",
	"directory_listing",
	"directory_server",
	"admin_password",
	"users",
	"audit_enabled",
	"setup_complete",
	"log_level",
	"json_logs",
};

static bool is_empty(const json_t *value)
{
	return json_is_null(value) || json_is_false(value) ||
	       (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_integer(value) && json_integer_value(value) == 0);
}

static const char *text_of(const json_t *tree, const char *key)
{
	const char *text = json_string_value(json_object_get(tree, key));

	return text ? text : "";
}

static bool is_hash(const char *text)
{
	return text[0] == '$' && strncmp(text, "$argon2id$", 10) != 0;
}

static void take_password(struct import *import, const char *section, const char *entry,
			  const char *name, const char *what, const char *password)
{
	if (is_hash(password))
		import_note(import, 0, "%s: the password is a bcrypt hash: set %s%s%s.%s anew",
			    what, section, entry ? "." : "", entry ? entry : "", name);
	else if (password[0])
		import_text(import, section, entry, name, password);
}

static void take_server(struct import *import, const json_t *tree)
{
	const char *host = text_of(tree, "bind_host");
	json_int_t port = json_integer_value(json_object_get(tree, "port"));
	json_int_t listeners = json_integer_value(json_object_get(tree, "max_listeners"));
	char text[300];
	json_t *value;
	size_t i;

	if (port) {
		bool all = !host[0] || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;

		snprintf(text, sizeof text, "%s%s%s:%lld", strchr(host, ':') && !all ? "[" : "",
			 all ? "[::]" : host, strchr(host, ':') && !all ? "]" : "",
			 (long long)port);
		import_add(import, "http", NULL, "listen", text);
	}
	port = json_integer_value(json_object_get(tree, "https_port"));
	if (port && json_is_true(json_object_get(tree, "use_https"))) {
		snprintf(text, sizeof text, "[::]:%lld", (long long)port);
		import_add(import, "http", NULL, "listen", text);
	}
	if (json_is_true(json_object_get(tree, "auto_https"))) {
		json_array_foreach(json_object_get(tree, "domains"), i, value)
			import_add(import, "tls", "acme", "domains", json_string_value(value));
		if (text_of(tree, "acme_email")[0])
			import_text(import, "tls", "acme", "email", text_of(tree, "acme_email"));
		if (text_of(tree, "acme_directory_url")[0])
			import_text(import, "tls", "acme", "directory",
				    text_of(tree, "acme_directory_url"));
	}
	/* TinyIce holds it for each stream. */
	if (listeners)
		import_set(import, "mount", "default", "max_listeners", json_integer(listeners));
	take_password(import, "radio", NULL, "source_password", "default_source_password",
		      text_of(tree, "default_source_password"));
	take_password(import, "admin", NULL, "password", "admin_password",
		      text_of(tree, "admin_password"));
	if (json_is_true(json_object_get(tree, "directory_listing")) &&
	    text_of(tree, "directory_server")[0])
		import_add(import, "directory", NULL, "url", text_of(tree, "directory_server"));
}

static void take_mounts(struct import *import, const json_t *tree)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(tree, "mounts"), name, value)
		take_password(import, "mount", name, "password", name,
			      json_string_value(value) ? json_string_value(value) : "");
	json_object_foreach(json_object_get(tree, "advanced_mounts"), name, value)
	{
		json_int_t burst = json_integer_value(json_object_get(value, "burst_size"));

		take_password(import, "mount", name, "password", name, text_of(value, "password"));
		if (burst) {
			import_set(import, "mount", name, "burst", json_integer(burst));
			import_set(import, "mount", name, "ring",
				   json_integer(burst * 4 < 524288 ? 524288 : burst * 4));
		}
		if (text_of(value, "name_override")[0])
			import_text(import, "mount", name, "name", text_of(value, "name_override"));
	}
	json_object_foreach(json_object_get(tree, "fallback_mounts"), name,
			    value) if (json_string_length(value))
		import_text(import, "mount", name, "fallback", json_string_value(value));
	json_object_foreach(json_object_get(tree, "visible_mounts"), name,
			    value) if (json_is_false(value))
		import_set(import, "mount", name, "hidden", json_true());
	json_object_foreach(json_object_get(tree, "disabled_mounts"), name,
			    value) if (json_is_true(value))
		import_note(import, 0,
			    "disabled_mounts: %s: a mount cannot be shut here; give it "
			    "a password that nobody has",
			    name);
}

static void take_relays(struct import *import, const json_t *tree)
{
	json_t *relay;
	size_t i;

	json_array_foreach(json_object_get(tree, "relays"), i, relay)
	{
		const char *mount = text_of(relay, "mount"), *url = text_of(relay, "url");

		if (mount[0] != '/' || !url[0]) {
			import_note(import, 0, "relays[%zu] has no mount or no url", i);
			continue;
		}
		import_add(import, "relay", mount, "url", url);
		if (text_of(relay, "password")[0])
			import_text(import, "relay", mount, "password", text_of(relay, "password"));
		if (json_is_false(json_object_get(relay, "enabled")))
			import_set(import, "relay", mount, "enabled", json_false());
	}
}

static bool is_known(const char *key)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i], key) == 0)
			return true;
	return false;
}

static void take_same(struct import *import, const json_t *tree)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)tree, key, value)
	{
		bool found = is_empty(value) || is_known(key);

		for (size_t i = 0; i < sizeof same / sizeof *same && !found; i++)
			if (strcmp(same[i].key, key) == 0) {
				import_set(import, same[i].section, NULL, same[i].name,
					   json_incref(value));
				found = true;
			}
		if (!found)
			import_note(import, 0, "%s has no equal", key);
	}
	json_object_foreach(json_object_get(tree, "users"), key, value)
		import_note(import, 0,
			    "users: %s: make the user in the dashboard; the password is a "
			    "bcrypt hash",
			    key);
}

int import_tinyice(struct import *import, const char *text, size_t len)
{
	json_error_t fault;
	json_t *tree = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);

	if (!json_is_object(tree)) {
		import_note(import, tree ? 1 : (unsigned)fault.line, "%s",
			    tree ? "not an object" : fault.text);
		json_decref(tree);
		return 1;
	}
	take_same(import, tree);
	take_server(import, tree);
	take_mounts(import, tree);
	take_relays(import, tree);
	json_decref(tree);
	return 0;
}
