#include "radio/radio_conf.h"

#include <stdio.h>
#include <string.h>

#include "core/conf_net.h"
#include "core/conf_path.h"
#include "edge/proto/url.h"
#include "radio/proto/playlist.h"

static const struct conf_item radio_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct radio_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "radio/radio.def"
};

static const struct conf_item mount_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct mount_conf, #name, CONF_##type, field, __VA_ARGS__)
#define INHERIT(name, type, field, from, help) \
	CONF_INHERIT(struct mount_conf, #name, CONF_##type, field, #from, help)
#include "radio/mount.def"
};

const struct conf_section mount_conf_section = {
	.name = "mount",
	.title = "/live",
	.help = "Settings of single mounts by their names. A name with a star, such as /events/*, "
		"holds for all mounts that match and are not named; default holds for all others. "
		"What a mount leaves out comes from the longest such name that matches it, or else "
		"from default.",
	.items = mount_items,
	.count = sizeof mount_items / sizeof *mount_items,
	.size = sizeof(struct mount_conf),
};

static const struct mount_conf *values_at(const struct conf *conf, size_t i)
{
	return conf_entry_values(conf, &mount_conf_section, i);
}

static const char *name_at(const struct conf *conf, size_t i)
{
	return conf_entry_name(conf, &mount_conf_section, i);
}

/* The next mount in a chain of fallbacks, or "". A mount that names itself has none: with
 * "default: {fallback: /auto}" the mount /auto does. */
static const char *next_fallback(const struct conf *conf, const char *name)
{
	const char *next = mount_conf_for(conf, name)->fallback;

	return strcmp(next, name) == 0 ? "" : next;
}

/* Whether the chain of fallbacks comes back to where it began. */
static bool fallback_loops(const struct conf *conf, const char *name)
{
	const char *at = name;
	/* Each step of a chain without a loop leads to another entry's fallback. */
	size_t steps = conf_entry_count(conf, &mount_conf_section) + 1;

	while (steps--) {
		at = next_fallback(conf, at);
		if (!at[0])
			return false;
		if (strcmp(at, name) == 0)
			return true;
	}
	return false; /* runs into a loop of others, reported there */
}

/* Each loop is reported at every mount in it, for any of them may be the one to change; and one of
 * mounts that are not listed, at the patterns that make it. */
static bool in_loop(const struct conf *conf, size_t i)
{
	const char *fallback = values_at(conf, i)->fallback;

	if (!conf_entry_is_pattern(name_at(conf, i)))
		return fallback_loops(conf, name_at(conf, i));
	return fallback[0] && !conf_entry_listed(conf, &mount_conf_section, fallback) &&
	       fallback_loops(conf, fallback);
}

/* Reported once, where it was said, and not at every mount that inherits it. */
static bool says_size(const struct conf *conf, size_t i)
{
	const struct conf_section *mounts = &mount_conf_section;
	const char *name = name_at(conf, i);

	return i == 0 || conf_entry_says(conf, mounts, name, "ring") ||
	       conf_entry_says(conf, mounts, name, "burst");
}

/* The mount is added to it. */
static bool is_base_url(const char *text)
{
	struct bytes url = bytes_str(text);

	return (bytes_start_with(url, BYTES("http://")) ||
		bytes_start_with(url, BYTES("https://"))) &&
	       !bytes_end_with(url, BYTES("/"));
}

static void check_mount(const struct conf *conf, size_t i, struct conf_errors *errors)
{
	const struct mount_conf *mount = values_at(conf, i);

	const struct {
		const char *item, *url;
	} urls[] = {
		{"auth_listener_add", mount->auth_listener_add},
		{"auth_listener_remove", mount->auth_listener_remove},
		{"auth_mount_add", mount->auth_mount_add},
		{"auth_mount_remove", mount->auth_mount_remove},
		{"auth_stream", mount->auth_stream},
		{"auth_hook", mount->auth_hook},
	};
	struct url parts;

	for (size_t n = 0; n < sizeof urls / sizeof *urls; n++)
		if (urls[n].url[0] && !url_parse_http(bytes_str(urls[n].url), &parts))
			conf_fault(errors, conf, mount, urls[n].item,
				   "expected a URL such as https://radio.example.org/auth");
	if (mount->htpasswd[0] && (mount->auth_listener_add[0] || mount->auth_hook[0]))
		conf_fault(errors, conf, mount, "htpasswd",
			   "expected no auth_listener_add or auth_hook beside it: one of them "
			   "decides");
	conf_net_check_ranges(errors, conf, mount, "allow", &mount->allow);
	conf_net_check_ranges(errors, conf, mount, "deny", &mount->deny);
	if (mount->fallback[0] && mount->fallback[0] != '/')
		conf_fault(errors, conf, mount, "fallback", "expected a mount such as /auto");
	else if (in_loop(conf, i))
		conf_fault(errors, conf, mount, "fallback",
			   "expected a mount that does not fall back to this one");
	if (mount->redirect[0] && !is_base_url(mount->redirect))
		conf_fault(errors, conf, mount, "redirect",
			   "expected a URL such as https://other.example.org, without a slash at "
			   "its end");
	/* A listener starts one burst behind live and must not be overtaken while it catches up. */
	if (mount->ring / 4 < mount->burst && says_size(conf, i))
		conf_fault(errors, conf, mount, "burst", "expected at most a quarter of the ring");
}

static void check_names(const struct conf *conf, struct conf_errors *errors)
{
	enum playlist_kind kind;
	struct bytes mount;

	for (size_t i = 1; i < conf_entry_count(conf, &mount_conf_section); i++) {
		if (name_at(conf, i)[0] != '/' && name_at(conf, i)[0] != '*')
			conf_fault_entry(errors, conf, values_at(conf, i),
					 "expected a mount such as /live");
		else if (playlist_of_path(bytes_str(name_at(conf, i)), &kind, &mount))
			conf_fault_entry(
				errors, conf, values_at(conf, i),
				"expected a mount whose name does not end like a playlist's");
	}
}

static void check(const struct conf *conf, struct conf_errors *errors)
{
	const struct radio_conf *radio = radio_conf_of(conf);

	if (radio->shoutcast_mount[0] != '/')
		conf_fault(errors, conf, radio, "radio.shoutcast_mount",
			   "expected a mount such as /stream");
	check_names(conf, errors);
	for (size_t i = 0; i < conf_entry_count(conf, &mount_conf_section); i++)
		check_mount(conf, i, errors);
}

static void doubt_place(const struct conf *conf, size_t i, const char *item, const char *path,
			struct conf_errors *errors)
{
	const char *end = strrchr(path, '/');

	/* A directory whose name is only known when the file is made is not looked for. */
	if (end && strcspn(path, "{%") >= (size_t)(end - path) &&
	    conf_entry_says(conf, &mount_conf_section, name_at(conf, i), item))
		conf_path_doubt_place(errors, conf, values_at(conf, i), item, path);
}

static void doubt_file(const struct conf *conf, size_t i, const char *item, const char *path,
		       struct conf_errors *errors)
{
	if (conf_entry_says(conf, &mount_conf_section, name_at(conf, i), item))
		conf_path_doubt_readable(errors, conf, values_at(conf, i), item, path, false);
}

void radio_conf_doubt(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf_entry_count(conf, &mount_conf_section); i++) {
		const struct mount_conf *mount = values_at(conf, i);

		doubt_place(conf, i, "dump", mount->dump, errors);
		doubt_place(conf, i, "htpasswd", mount->htpasswd, errors);
		doubt_file(conf, i, "intro", mount->intro, errors);
		doubt_file(conf, i, "fallback_file", mount->fallback_file, errors);
	}
}

const struct conf_room radio_conf_room = {
	.name = "radio",
	.title = "Radio",
	.items = radio_items,
	.count = sizeof radio_items / sizeof *radio_items,
	.size = sizeof(struct radio_conf),
	.section = &mount_conf_section,
	.check = check,
};
