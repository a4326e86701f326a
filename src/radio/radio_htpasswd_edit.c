/* The other half of radio_htpasswd.h: users are listed, added and taken out by an administrator. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "edge/document.h"
#include "radio/proto/htpasswd.h"
#include "radio/radio_htpasswd.h"

enum action { ACTION_LIST, ACTION_ADD, ACTION_DELETE };

/* One call, with all that the pool needs to know. */
struct manage {
	uv_work_t work;
	struct manage *next;
	struct call *call;
	enum action action;
	char mount[FEED_NAME_MAX + 1];
	char path[PATH_MAX];
	char user[HTPASSWD_NAME_MAX + 1];
	char password[AUTH_PASSWORD_MAX];
	char *text; /* of the file, in the end */
	size_t len;
	const char *message; /* Icecast's words, where there are any; a constant */
	int error;
};

static uv_loop_t *loop OWNED_BY(on_control);
static struct manage *first OWNED_BY(on_control), **last OWNED_BY(on_control);

void htpasswd_start(uv_loop_t *control_loop)
{
	loop = control_loop;
	last = &first;
}

/* --- the file, on the pool ------------------------------------------------------------------ */

static bool has_user(const struct manage *manage)
{
	struct bytes rest = bytes_of(manage->text, manage->len);
	struct htpasswd_line line = {0};
	enum htpasswd_found found;

	while ((found = htpasswd_next(&rest, &line)) != HTPASSWD_END)
		if (found == HTPASSWD_USER && bytes_equal(line.name, bytes_str(manage->user)))
			return true;
	return false;
}

static int write_all(int fd, struct bytes text)
{
	while (text.len) {
		ssize_t n = write(fd, text.at, text.len);

		if (n < 0)
			return -errno;
		text = bytes_skip(text, (size_t)n);
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

/* It is whose the old one was, as far as we may say that, and nobody's but ours where there was none. */
static int dress(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return 0;
	if (fchown(fd, st.st_uid, st.st_gid) != 0 && errno != EPERM)
		return -errno;
	return fchmod(fd, st.st_mode & 0777) == 0 ? 0 : -errno;
}

static void sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	bytes_to_str(bytes_str(path), copy, sizeof copy);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	/* The file is whole either way; this says only whether it is the new one after a power cut. */
	(void)fsync(fd);
	close(fd);
}

/* Written beside it and renamed: whoever reads sees all of the old file or all of the new one. */
static int replace_file(const char *named, struct bytes text)
{
	char path[PATH_MAX], beside[PATH_MAX + 8];
	int fd, error;

	/* A link stays one. */
	if (!realpath(named, path))
		bytes_to_str(bytes_str(named), path, sizeof path);
	snprintf(beside, sizeof beside, "%s.XXXXXX", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd == -1)
		return -errno;
	error = dress(fd, path);
	if (!error)
		error = write_all(fd, text);
	close(fd);
	if (!error && rename(beside, path) != 0)
		error = -errno;
	if (error)
		(void)unlink(beside);
	else
		sync_directory(path);
	return error;
}

/* The text without the user; with a line for him when there is a hash. */
static int rewrite(struct manage *manage, const char *stored)
{
	size_t size = manage->len + HTPASSWD_NAME_MAX + AUTH_STORED_MAX + 4;
	char *text = malloc(size);
	struct writer w = writer_of(text, size);
	int error;

	if (!text)
		return -ENOMEM;
	(void)htpasswd_without(bytes_of(manage->text, manage->len), bytes_str(manage->user), &w);
	if (stored) {
		writer_str(&w, manage->user);
		writer_u8(&w, ':');
		writer_str(&w, stored);
		writer_u8(&w, '\n');
	}
	error = writer_ok(&w) && w.len <= HTPASSWD_FILE_MAX
			? replace_file(manage->path, writer_done(&w))
			: -EFBIG;
	if (error) {
		free(text);
		return error;
	}
	free(manage->text);
	manage->text = text;
	manage->len = w.len;
	htpasswd_changed();
	return 0;
}

static int add_user(struct manage *manage)
{
	char stored[AUTH_STORED_MAX];
	int error;

	if (has_user(manage)) {
		manage->message = "User already exists - not added";
		return 0;
	}
	error = auth_make(stored, manage->password) ? rewrite(manage, stored) : -ENOMEM;
	manage->message = error ? "User add failed - check the error log" : "User added";
	return error;
}

static int delete_user(struct manage *manage)
{
	int error;

	if (!has_user(manage)) {
		manage->message = "User delete failed - there is no such user";
		return 0;
	}
	error = rewrite(manage, NULL);
	manage->message = error ? "User delete failed - check the error log" : "User deleted";
	return error;
}

static void on_pool(uv_work_t *work)
{
	struct manage *manage = container_of(work, struct manage, work);
	int error = htpasswd_load(manage->path, &manage->text, &manage->len);

	/* The first user makes the file. */
	if (error && !(error == -ENOENT && manage->action == ACTION_ADD)) {
		manage->message = "The file of users cannot be read - check the error log";
		manage->error = error;
		return;
	}
	switch (manage->action) {
	case ACTION_LIST: break;
	case ACTION_ADD: manage->error = add_user(manage); break;
	case ACTION_DELETE: manage->error = delete_user(manage); break;
	}
}

/* --- the call ------------------------------------------------------------------------------- */

/* As Icecast's: no hashes. */
static json_t *manage_tree(const struct manage *manage)
{
	json_t *tree = json_object(), *source = json_object(), *users = json_array();
	struct bytes rest = bytes_of(manage->text, manage->len);
	struct htpasswd_line line = {0};
	enum htpasswd_found found;
	char name[HTPASSWD_NAME_MAX + 1];

	while ((found = htpasswd_next(&rest, &line)) != HTPASSWD_END) {
		if (found != HTPASSWD_USER)
			continue;
		bytes_to_str(line.name, name, sizeof name);
		json_array_append_new(users, json_pack("{s:o}", "username", document_text(name)));
	}
	json_object_set_new(source, "@mount", document_text(manage->mount));
	json_object_set_new(source, "User", users);
	json_object_set_new(tree, "source", source);
	if (manage->message)
		json_object_set_new(tree, "iceresponse",
				    json_pack("{s:s}", "message", manage->message));
	return tree;
}

RUNS_ON(on_control) static void manage_next(void);

static void on_managed(uv_work_t *work, int status)
{
	struct manage *manage = container_of(work, struct manage, work);
	struct call *call = manage->call;
	bool json = bytes_end_with(call->request.path, BYTES(".json"));

	enter_control();
	if (status != 0)
		manage->error = status;
	if (manage->error)
		log_error("radio", "htpasswd file not read or written",
			  kv_str("file", manage->path), kv_str("error", strerror(-manage->error)));
	document_reply(&call->reply, json ? DOCUMENT_JSON : DOCUMENT_XML, "icestats",
		       manage_tree(manage));
	call_reply(call);
	first = manage->next;
	if (!first)
		last = &first;
	free(manage->text);
	sodium_memzero(manage, sizeof *manage);
	free(manage);
	manage_next();
}

RUNS_ON(on_control) static void manage_next(void)
{
	if (first && uv_queue_work(loop, &first->work, on_pool, on_managed) != 0)
		on_managed(&first->work, -ENOMEM);
}

RUNS_ON(on_control) static void refuse(struct call *call, const char *why)
{
	reply_text(&call->reply, 400, why);
	call_reply(call);
}

/* False, and answered, when something is missing or makes no sense. */
RUNS_ON(on_control) static bool manage_read(struct manage *manage, struct call *call)
{
	char action[16] = "list";
	bool named = call_param(call, "username", manage->user, sizeof manage->user);

	(void)call_param(call, "action", action, sizeof action);
	if (strcmp(action, "add") == 0)
		manage->action = ACTION_ADD;
	else if (strcmp(action, "delete") == 0)
		manage->action = ACTION_DELETE;
	else
		return true;
	if (!named || (manage->action == ACTION_ADD &&
		       !call_param(call, "password", manage->password, sizeof manage->password))) {
		refuse(call, "missing parameter");
		return false;
	}
	if (!htpasswd_name_is_good(bytes_str(manage->user))) {
		refuse(call, "a user name has 1 to 63 bytes, no colon, no control characters, and "
			     "does not begin with #");
		return false;
	}
	if (manage->action == ACTION_ADD && !manage->password[0]) {
		refuse(call, "a password is not empty");
		return false;
	}
	return true;
}

void htpasswd_manage(struct call *call, const char *mount, const char *path)
{
	struct manage *manage = calloc(1, sizeof *manage);
	bool idle = !first;

	if (!manage) {
		reply_text(&call->reply, 503, "out of memory");
		call_reply(call);
		return;
	}
	if (!manage_read(manage, call)) {
		free(manage);
		return;
	}
	manage->call = call;
	bytes_to_str(bytes_str(mount), manage->mount, sizeof manage->mount);
	bytes_to_str(bytes_str(path), manage->path, sizeof manage->path);
	*last = manage;
	last = &manage->next;
	if (idle)
		manage_next();
}
