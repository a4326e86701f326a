#include "edge/hook_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"

#define TEXT_MAX 8192u

static char directory[4000] OWNED_BY(on_control);
static char file_name[4096] OWNED_BY(on_control);

/* --- what is said of one -------------------------------------------------------------------- */

struct reading {
	struct hook_own *own;
	char *fault;
	size_t size;
};

static bool refuse(struct reading *reading, const char *name, const char *why)
{
	snprintf(reading->fault, reading->size, "%s: %s", name, why);
	return false;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool read_text(struct reading *reading, const char *name, const char *preset,
		      const char **out)
{
	const json_t *value = json_object_get(reading->own->tree, name);

	*out = value ? json_string_value(value) : preset;
	if (!*out || strlen(*out) > TEXT_MAX)
		return refuse(reading, name, "expected a text");
	if (strcmp(name, "template") != 0 && !is_plain(*out))
		return refuse(reading, name, "expected no control characters");
	return true;
}

static bool read_choice(struct reading *reading, const char *name, const char *const *words,
			unsigned *out)
{
	const char *word;

	if (!read_text(reading, name, words[0], &word))
		return false;
	for (*out = 0; words[*out]; ++*out)
		if (strcmp(words[*out], word) == 0)
			return true;
	return refuse(reading, name, "no such word");
}

static bool read_list(struct reading *reading, const char *name, unsigned which,
		      struct conf_list *out)
{
	const json_t *list = json_object_get(reading->own->tree, name), *item;
	const char **words = reading->own->words[which];
	size_t i;

	if (list && !json_is_array(list))
		return refuse(reading, name, "expected an array of texts");
	json_array_foreach(list, i, item)
	{
		if (i == HOOK_WORDS_MAX)
			return refuse(reading, name, "too many");
		words[i] = json_string_value(item);
		if (!words[i] || strlen(words[i]) > TEXT_MAX || !is_plain(words[i]))
			return refuse(reading, name, "expected an array of texts");
	}
	*out = (struct conf_list){words, json_array_size(list)};
	return true;
}

static bool is_known(const char *name)
{
	static const char *const names[] = {"name",   "url",     "events", "mounts",
					    "method", "preset",  "type",   "template",
					    "secret", "headers", "enabled"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool name_is_good(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = name ? strlen(name) : 0;

	return len >= 1 && len <= 63 && name[0] != '.' && strspn(name, letters) == len;
}

static bool read_all(struct reading *reading)
{
	static const char *const methods[] = {"post", "put", "get", NULL};
	static const char *const presets[] = {"json", "discord", "slack", "template", NULL};
	struct hook_conf *conf = &reading->own->conf;
	json_t *tree = reading->own->tree, *value;
	const json_t *enabled = json_object_get(tree, "enabled");
	const char *key;

	json_object_foreach(tree, key, value) if (!is_known(key)) return refuse(
		reading, "member", "one of them is not known");
	if (!name_is_good(json_string_value(json_object_get(tree, "name"))))
		return refuse(reading, "name", "expected 1 to 63 letters, digits and any of . _ -");
	if (!read_text(reading, "url", "", &conf->url) ||
	    !read_list(reading, "events", 0, &conf->events) ||
	    !read_list(reading, "mounts", 1, &conf->mounts) ||
	    !read_choice(reading, "method", methods, &conf->method) ||
	    !read_choice(reading, "preset", presets, &conf->preset) ||
	    !read_text(reading, "type", "application/json", &conf->type) ||
	    !read_text(reading, "template", "", &conf->template) ||
	    !read_text(reading, "secret", "", &conf->secret) ||
	    !read_list(reading, "headers", 2, &conf->headers))
		return false;
	if (enabled && !json_is_boolean(enabled))
		return refuse(reading, "enabled", "expected true or false");
	conf->enabled = !enabled || json_is_true(enabled);
	if (!hook_url_is_good(conf->url))
		return refuse(reading, "url", "expected a URL such as https://example.org/hook");
	for (size_t i = 0; i < conf->headers.count; i++)
		if (!hook_header_is_good(conf->headers.at[i]))
			return refuse(reading, "headers",
				      "expected lines such as \"Authorization: Bearer x\"");
	return true;
}

struct hook_own *hook_own_make(const char *name, const json_t *said, char *fault, size_t size)
{
	struct hook_own *own = calloc(1, sizeof *own);
	struct reading reading = {own, fault, size};

	snprintf(fault, size, "out of memory");
	if (!own)
		return NULL;
	own->tree = json_deep_copy(said);
	if (own->tree && name)
		json_object_set_new(own->tree, "name", json_string(name));
	if (!own->tree || !read_all(&reading))
		hook_own_free(&own);
	return own;
}

void hook_own_free(struct hook_own **own)
{
	if (!*own)
		return;
	json_decref((*own)->tree);
	free(*own);
	*own = NULL;
}

/* --- the file ------------------------------------------------------------------------------- */

/* Beside the old one first, so that there always is a whole list. It holds secrets. */
RUNS_ON(on_control) static bool save(const json_t *list)
{
	char beside[sizeof file_name + 8];
	bool saved;
	int fd;

	if (!file_name[0])
		return false;
	snprintf(beside, sizeof beside, "%s.new", file_name);
	(void)!mkdir(directory, 0700);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return false;
	saved = json_dumpfd(list, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
	close(fd);
	return saved && rename(beside, file_name) == 0;
}

bool hook_own_keep(const char *name, const struct hook_own *own)
{
	json_t *all = hooks_own_trees(), *list = json_array(), *tree;
	bool saved;
	size_t i;

	json_array_foreach(all, i,
			   tree) if (strcmp(json_string_value(json_object_get(tree, "name")),
					    name) != 0) json_array_append(list, tree);
	if (own)
		json_array_append(list, own->tree);
	saved = save(list);
	if (!saved)
		log_warn("edge", "webhooks not kept", kv_str("file", file_name));
	json_decref(list);
	json_decref(all);
	return saved;
}

RUNS_ON(on_control) static bool load(const json_t *list)
{
	bool whole = json_is_array(list);
	char fault[160];
	json_t *tree;
	size_t i;

	json_array_foreach(list, i, tree)
	{
		struct hook_own *own = hook_own_make(NULL, tree, fault, sizeof fault);

		if (!own || hooks_own_count() == HOOK_OWN_MAX || !hook_own_put(own)) {
			hook_own_free(&own);
			whole = false;
		}
	}
	return whole;
}

void hook_own_start(const char *data)
{
	char aside[sizeof file_name + 8];
	json_error_t error;
	json_t *list;

	snprintf(directory, sizeof directory, "%s", data);
	snprintf(file_name, sizeof file_name, "%s/hooks.json", directory);
	if (access(file_name, F_OK) == -1 && errno == ENOENT)
		return;
	list = json_load_file(file_name, 0, &error);
	if (!list && (json_error_code(&error) == json_error_cannot_open_file ||
		      json_error_code(&error) == json_error_out_of_memory)) {
		log_error("edge", "webhooks not read, and none is kept until the next start",
			  kv_str("file", file_name), kv_str("why", error.text));
		/* Nothing is written over a list that may be whole. */
		file_name[0] = '\0';
		return;
	}
	if (!load(list)) {
		snprintf(aside, sizeof aside, "%s.bad", file_name);
		if (rename(file_name, aside) == -1)
			aside[0] = '\0';
		log_error("edge", "webhooks not all read", kv_str("file", file_name),
			  kv_str("kept_as", aside), kv_str("why", list ? "" : error.text));
		json_decref(list);
		list = hooks_own_trees();
		(void)save(list);
	}
	json_decref(list);
}
