#include "radio/radio_relay_own.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "radio/radio_login.h"
#include "radio/radio_relay.h"

/* One call; the file is written for one after the other. */
struct change {
	uv_work_t work;
	struct change *next;
	struct call *call;
	void (*done)(struct call *call, const char *mount, int error);
	char mount[FEED_NAME_MAX + 1];
	char *url; /* NULL: it is removed */
	bool on_demand;
	char *text; /* of the file, with this change */
	int error;
};

static const char *directory;
static char file_name[4096], file_beside[sizeof file_name + 8];
static uv_loop_t *loop OWNED_BY(on_control);
static struct change *first OWNED_BY(on_control), **last OWNED_BY(on_control) = &first;

void relay_own_place(const char *data)
{
	directory = data;
	snprintf(file_name, sizeof file_name, "%s/relays.json", data);
	snprintf(file_beside, sizeof file_beside, "%s.new", file_name);
}

/* --- the file ------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0)
			return false;
		text += n;
		left -= (size_t)n;
	}
	return fsync(fd) == 0;
}

static void sync_directory(void)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return;
	/* The list is whole either way; this says only whether it is the new one after a power cut. */
	(void)fsync(fd);
	close(fd);
}

/* Passwords may stand in addresses. 0 or -errno. */
static int save(const char *text)
{
	int error = 0, fd;

	(void)mkdir(directory, 0700);
	fd = open(file_beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -errno;
	if (!write_all(fd, text))
		error = -errno;
	close(fd);
	if (!error && rename(file_beside, file_name) == -1)
		error = -errno;
	if (!error)
		sync_directory();
	return error;
}

static char *text_of(const json_t *list)
{
	return list ? json_dumps(list, JSON_INDENT(1)) : NULL;
}

/* --- changes -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void change_next(void);

RUNS_ON(on_control) static void change_end(struct change *change, int error)
{
	if (loop)
		change->done(change->call, change->mount, error);
	free(change->url);
	free(change->text);
	free(change);
}

RUNS_ON(on_control) static int put_in_force(const struct change *change)
{
	struct relay *relay;

	if (change->url)
		return relay_add(change->mount, change->url, change->on_demand, FETCH_OUTSIDE);
	/* A reload may have been quicker. */
	relay = relay_find(bytes_str(change->mount));
	return relay ? relay_remove(relay) : -ENOENT;
}

static void on_pool(uv_work_t *work)
{
	struct change *change = container_of(work, struct change, work);

	change->error = save(change->text);
}

static void on_written(uv_work_t *work, int status)
{
	struct change *change = container_of(work, struct change, work);
	int error = status ? status : change->error;

	enter_control();
	if (error)
		log_warn_code(error, "radio", "relays not kept", kv_str("file", file_name));
	first = change->next;
	if (!first)
		last = &first;
	change_end(change, error ? -EIO : loop ? put_in_force(change) : 0);
	change_next();
}

/* 0: it may be done. What waited before it has been done meanwhile. */
RUNS_ON(on_control) static int change_judge(const struct change *change)
{
	const struct relay *relay = relay_find(bytes_str(change->mount));

	if (change->url && !fetch_url_is_good(change->url))
		return -EINVAL;
	if (change->url && relay)
		return -EEXIST;
	if (change->url)
		return relays_own_count() < RELAY_OWN_MAX ? 0 : -EDQUOT;
	return !relay ? -ENOENT : relay_is_of_file(relay) ? -EPERM : 0;
}

/* The list as it will be. NULL: no memory. */
RUNS_ON(on_control) static char *text_with(const struct change *change)
{
	json_t *list = relays_own_tree(change->mount);
	char *text;

	if (list && change->url &&
	    json_array_append_new(list, relay_own_tree(change->mount, change->url,
						       change->on_demand)) != 0) {
		json_decref(list);
		return NULL;
	}
	text = text_of(list);
	json_decref(list);
	return text;
}

static void change_next(void)
{
	while (first) {
		struct change *change = first;
		int error = loop ? change_judge(change) : -EIO;

		if (!error) {
			change->text = text_with(change);
			error = change->text ? 0 : -ENOMEM;
		}
		if (!error && uv_queue_work(loop, &change->work, on_pool, on_written) == 0)
			return;
		first = change->next;
		if (!first)
			last = &first;
		change_end(change, error ? error : -ENOMEM);
	}
}

RUNS_ON(on_control)
static void change_queue(struct call *call, const char *mount, const char *url, bool on_demand,
			 void (*done)(struct call *call, const char *mount, int error))
{
	struct change *change = calloc(1, sizeof *change);
	bool idle = !first;

	if (change && url)
		change->url = strdup(url);
	if (!change || (url && !change->url)) {
		free(change);
		done(call, mount, -ENOMEM);
		return;
	}
	change->call = call;
	change->done = done;
	change->on_demand = on_demand;
	bytes_to_str(bytes_str(mount), change->mount, sizeof change->mount);
	*last = change;
	last = &change->next;
	if (idle)
		change_next();
}

void relay_own_add(struct call *call, const char *mount, const char *url, bool on_demand,
		   void (*done)(struct call *call, const char *mount, int error))
{
	change_queue(call, mount, url, on_demand, done);
}

void relay_own_remove(struct call *call, const char *mount,
		      void (*done)(struct call *call, const char *mount, int error))
{
	change_queue(call, mount, NULL, false, done);
}

/* --- at the start --------------------------------------------------------------------------- */

/* False: it makes no sense. One whose mount the settings relay has to stand back, and is none. */
RUNS_ON(on_control) static bool load_one(json_t *tree)
{
	const struct relay *there;
	const char *mount, *url;
	int on_demand = false;

	if (json_unpack_ex(tree, NULL, JSON_STRICT, "{s:s s:s s?b}", "mount", &mount, "url", &url,
			   "on_demand", &on_demand) != 0 ||
	    !login_is_mount(bytes_str(mount)))
		return false;
	there = relay_find(bytes_str(mount));
	if (there && relay_is_of_file(there)) {
		log_warnx("radio", "relay stands in the settings too: those count",
			  kv_str("mount", mount));
		return true;
	}
	return relays_own_count() < RELAY_OWN_MAX &&
	       relay_add(mount, url, on_demand, FETCH_OUTSIDE) == 0;
}

RUNS_ON(on_control) static void put_aside(const char *why)
{
	char aside[sizeof file_name + 8];
	json_t *list = relays_own_tree("");
	char *text = text_of(list);

	snprintf(aside, sizeof aside, "%s.bad", file_name);
	if (rename(file_name, aside) == -1)
		aside[0] = '\0';
	log_error("radio", "relays not all read", kv_str("file", file_name),
		  kv_str("kept_as", aside), kv_str("why", why));
	if (text)
		(void)save(text);
	free(text);
	json_decref(list);
}

void relay_own_start(uv_loop_t *control_loop)
{
	json_error_t error = {.text = ""};
	json_t *list, *tree;
	bool whole;
	size_t i;

	loop = control_loop;
	if (access(file_name, F_OK) == -1)
		return;
	list = json_load_file(file_name, 0, &error);
	whole = json_is_array(list);
	json_array_foreach(list, i, tree) whole &= load_one(tree);
	if (!whole)
		put_aside(error.text);
	json_decref(list);
}

void relay_own_stop(void)
{
	loop = NULL;
}
