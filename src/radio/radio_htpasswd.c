#include "radio/radio_htpasswd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/basic_auth.h"
#include "radio/proto/htpasswd.h"
#include "radio/radio.h"
#include "radio/radio_listener.h"

#define SETTLED_US 2000000

struct user {
	struct bytes name;
	const char *stored;
	enum htpasswd_hash kind;
};

/* One state of a file; in one piece with its text. */
struct users {
	struct user *at; /* in the order of their names */
	size_t count;
	bool slow;               /* some hash is */
	unsigned faults, others; /* lines that are none; users of a kind that cannot be checked */
	unsigned first_fault;    /* its number */
	uint8_t digest[AUTH_DIGEST_SIZE]; /* of the text as it came */
	char *text;
};

/* A listener who waits to be judged. */
struct ask {
	struct ask *next;
	struct conn *conn;
	char mount[FEED_NAME_MAX + 1];
	char user[HTPASSWD_NAME_MAX + 1];
	char given[AUTH_PASSWORD_MAX];
	struct lockout_try attempt;
	void (*then)(struct conn *conn, enum auth_answer answer, const struct admission *admission,
		     const char *message);
};

struct file {
	struct file *next;
	char *path;
	struct users *users; /* NULL: it has none, or was not read yet */
	bool known;          /* stamp is that of users, and will be another after the next change */
	struct htpasswd_stamp stamp;
	mono_t looked;
	unsigned generation; /* of when it was looked at */
	int error;           /* of the last look: it is said once */
	struct load *load;   /* under way */
	struct ask *first, **last;
};

/* A look at a file, on the pool. */
struct load {
	uv_work_t work;
	struct file *file; /* at rest meanwhile */
	bool known;
	struct htpasswd_stamp stamp;
	unsigned generation;
	struct users *users; /* of a state that is not known */
	int error;
};

static _Thread_local struct file *files;
static _Thread_local unsigned asked;
static _Thread_local bool stopped;
static _Atomic unsigned generation;

void htpasswd_changed(void)
{
	atomic_fetch_add_explicit(&generation, 1, memory_order_release);
}

/* --- the file, on the pool ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	size_t less = x->name.len < y->name.len ? x->name.len : y->name.len;
	int order = memcmp(x->name.at, y->name.at, less);

	if (order)
		return order;
	return (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* Of the same name the first in the file counts: it lies first in its text. */
static int by_name_and_place(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	int order = by_name(a, b);

	return order ? order : (x->name.at > y->name.at) - (x->name.at < y->name.at);
}

static void users_free(struct users **users)
{
	if (!*users)
		return;
	free((*users)->text);
	free((*users)->at);
	free(*users);
	*users = NULL;
}

static bool users_add(struct users *users, const struct htpasswd_line *line, size_t *size)
{
	struct user *more;

	if (users->count == *size) {
		*size = *size ? *size * 2 : 64;
		more = realloc(users->at, *size * sizeof *more);
		if (!more)
			return false;
		users->at = more;
	}
	users->at[users->count++] =
		(struct user){line->name, (const char *)line->hash.at, line->kind};
	users->slow |= line->kind == HTPASSWD_SLOW;
	users->others += line->kind == HTPASSWD_OTHER;
	return true;
}

/* Takes the text, which has room for a NUL behind it. NULL: no memory, and the text is freed. */
static struct users *users_read(char *text, size_t len)
{
	struct users *users = calloc(1, sizeof *users);
	struct bytes rest = bytes_of(text, len);
	struct htpasswd_line line = {0};
	enum htpasswd_found found;
	size_t size = 0;

	if (!users) {
		free(text);
		return NULL;
	}
	users->text = text;
	auth_digest(users->digest, &rest, 1);
	while ((found = htpasswd_next(&rest, &line)) != HTPASSWD_END) {
		if (found == HTPASSWD_FAULT) {
			users->first_fault = users->faults++ ? users->first_fault : line.number;
			continue;
		}
		/* The line break behind the hash, or the end of the text, ends a string. */
		text[line.hash.at - (const uint8_t *)text + line.hash.len] = '\0';
		if (!users_add(users, &line, &size)) {
			users_free(&users);
			return NULL;
		}
	}
	if (users->count)
		qsort(users->at, users->count, sizeof *users->at, by_name_and_place);
	return users;
}

static int open_file(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error;

	if (fd == -1)
		return -errno;
	error = fstat(fd, st) == -1                      ? -errno
		: !S_ISREG(st->st_mode)                  ? -EINVAL
		: st->st_size > (off_t)HTPASSWD_FILE_MAX ? -EFBIG
							 : 0;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static int read_all(int fd, char **text, size_t *len)
{
	char *room = malloc(HTPASSWD_FILE_MAX + 1), *fit;
	ssize_t n;

	*len = 0;
	if (!room)
		return -ENOMEM;
	while ((n = read(fd, room + *len, HTPASSWD_FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	if (n == -1) {
		n = -errno;
		free(room);
		return (int)n;
	}
	fit = realloc(room, *len + 1);
	*text = fit ? fit : room;
	return 0;
}

int htpasswd_load(const char *path, char **text, size_t *len)
{
	struct stat st;
	int fd = open_file(path, &st), error;

	if (fd < 0)
		return fd;
	error = read_all(fd, text, len);
	close(fd);
	return error;
}

static struct htpasswd_stamp stamp_of(const struct stat *st)
{
	return (struct htpasswd_stamp){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.changed_ns = st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

/* A file that was changed just now may be changed once more within the same tick of its clock. */
static bool is_settled(const struct htpasswd_stamp *stamp)
{
	return stamp->changed_ns / 1000 + SETTLED_US < wall_now_us();
}

static bool same_stamp(const struct htpasswd_stamp *a, const struct htpasswd_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed_ns == b->changed_ns;
}

static void on_pool(uv_work_t *work)
{
	struct load *load = container_of(work, struct load, work);
	struct htpasswd_stamp stamp;
	struct stat st;
	char *text;
	size_t len;
	int fd = open_file(load->file->path, &st);

	if (fd < 0) {
		load->error = fd;
		return;
	}
	stamp = stamp_of(&st);
	if (!load->known || !same_stamp(&stamp, &load->stamp)) {
		load->error = read_all(fd, &text, &len);
		load->users = load->error ? NULL : users_read(text, len);
		if (!load->error && !load->users)
			load->error = -ENOMEM;
		load->stamp = stamp;
	}
	close(fd);
}

/* --- judging -------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void ask_end(struct ask *ask, enum auth_answer answer)
{
	struct admission admission = {.id = listener_next_id()};
	struct conn *conn = ask->conn;
	void (*then)(struct conn * conn, enum auth_answer answer, const struct admission *admission,
		     const char *message) = ask->then;

	memcpy(admission.user, ask->user, sizeof ask->user);
	if (answer == AUTH_URL_NO)
		metric_add(METRIC_radio_auth_denied, 1);
	else if (answer == AUTH_URL_BUSY)
		metric_add(METRIC_radio_auth_busy, 1);
	conn_hold(conn, NULL, NULL);
	sodium_memzero(ask, sizeof *ask);
	free(ask);
	asked--;
	then(conn, answer, &admission, "");
}

RUNS_ON(on_worker) static void ask_judged(struct conn *conn, bool right)
{
	struct ask *ask = conn_holder(conn);

	if (right)
		lockout_right(&ask->attempt, mono_now());
	else
		access_count_wrong(conn_request(conn), ask->user, &ask->attempt);
	ask_end(ask, right ? AUTH_URL_YES : AUTH_URL_NO);
}

RUNS_ON(on_worker) static void on_verified(struct conn *conn, enum auth_result result)
{
	if (result == AUTH_BUSY)
		ask_end(conn_holder(conn), AUTH_URL_BUSY);
	else
		ask_judged(conn, result == AUTH_YES);
}

/* As Icecast 2.4 makes them: weak, and only ever compared here. */
static bool md5_fits(const char *stored, const char *given)
{
	uint8_t digest[EVP_MAX_MD_SIZE], wanted[16];
	unsigned len = 0;
	size_t wanted_len = 0;
	bool fits;

	fits = EVP_Digest(given, strlen(given), digest, &len, EVP_md5(), NULL) == 1 &&
	       len == sizeof wanted &&
	       sodium_hex2bin(wanted, sizeof wanted, stored, 32, NULL, &wanted_len, NULL) == 0 &&
	       wanted_len == sizeof wanted && sodium_memcmp(digest, wanted, sizeof wanted) == 0;
	sodium_memzero(digest, sizeof digest);
	return fits;
}

static const struct user *user_find(const struct file *file, const char *name)
{
	struct user key = {.name = bytes_str(name)};
	const struct users *users = file->users;
	const struct user *user = users && users->count ? bsearch(&key, users->at, users->count,
								  sizeof *users->at, by_name)
							: NULL;

	while (user && user > users->at && by_name(user - 1, &key) == 0)
		user--;
	return user;
}

RUNS_ON(on_worker) static void refuse_guess(struct ask *ask, unsigned wait_s)
{
	struct conn *conn = ask->conn;
	struct reply reply = {0};
	char number[16];

	metric_add(METRIC_edge_lockout_refusals, 1);
	conn_hold(conn, NULL, NULL);
	sodium_memzero(ask, sizeof *ask);
	free(ask);
	asked--;
	snprintf(number, sizeof number, "%u", wait_s);
	reply_text(&reply, 429, "too many wrong passwords");
	reply_header(&reply, "Retry-After", bytes_str(number));
	conn_reply(conn, &reply);
}

/* Who there is and who there is not take as long as each other. */
RUNS_ON(on_worker) static void ask_judge(struct file *file, struct ask *ask)
{
	const struct user *user = user_find(file, ask->user);
	const char *nobody = file->users && file->users->slow ? AUTH_STORED_NOBODY : "";
	const char *stored = user && user->kind != HTPASSWD_OTHER ? user->stored : nobody;
	struct bytes account[] = {bytes_str(ask->mount), bytes_str(ask->user)};
	struct bytes parts[] = {account[0], account[1], bytes_str(ask->given), bytes_str(stored)};
	struct lockout_rules rules = access_lockout_rules();
	uint8_t whose[AUTH_DIGEST_SIZE];
	unsigned wait_s;

	auth_digest(whose, account, COUNT_OF(account));
	ask->attempt = lockout_try_of(LOCKOUT_LISTENER, &conn_request(ask->conn)->peer,
				      bytes_of(whose, sizeof whose), parts, COUNT_OF(parts));
	switch (lockout_ask(&rules, &ask->attempt, mono_now(), &wait_s)) {
	case LOCKOUT_GO: break;
	case LOCKOUT_WRONG: ask_end(ask, AUTH_URL_NO); return;
	case LOCKOUT_WAIT: refuse_guess(ask, wait_s); return;
	}
	if (user && user->kind == HTPASSWD_MD5)
		ask_judged(ask->conn, md5_fits(stored, ask->given));
	else
		conn_verify(ask->conn, stored, bytes_str(ask->given), on_verified);
}

/* --- looking at the file -------------------------------------------------------------------- */

RUNS_ON(on_worker) static void file_free(struct file *file)
{
	users_free(&file->users);
	free(file->path);
	free(file);
}

/* NULL: no memory. */
RUNS_ON(on_worker) static struct file *file_of(const char *path)
{
	struct file *file = files;

	while (file && strcmp(file->path, path) != 0)
		file = file->next;
	if (file)
		return file;
	file = calloc(1, sizeof *file);
	if (file)
		file->path = strdup(path);
	if (!file || !file->path) {
		free(file);
		return NULL;
	}
	file->last = &file->first;
	file->next = files;
	files = file;
	return file;
}

/* What is wrong is said when it begins to be so. Each worker looks by itself, so the first says it. */
static void say(const struct file *file, const struct load *load)
{
	const struct users *users = load->users, *old = file->users;

	if (load->error && load->error != file->error)
		log_error("radio", "no listener is let in: htpasswd file not read",
			  kv_str("file", file->path), kv_str("error", strerror(-load->error)));
	if (!users || (old && auth_same(users->digest, old->digest)))
		return;
	if (users->faults)
		log_error("radio", "htpasswd lines not understood", kv_str("file", file->path),
			  kv_u64("lines", users->faults), kv_u64("first", users->first_fault));
	if (users->others)
		log_warnx("radio", "htpasswd users with hashes of an unknown kind",
			  kv_str("file", file->path), kv_u64("users", users->others));
	log_info("radio", "htpasswd file read", kv_str("file", file->path),
		 kv_u64("users", users->count));
}

RUNS_ON(on_worker) static void file_judge(struct file *file)
{
	while (file->first) {
		struct ask *ask = file->first;

		file->first = ask->next;
		if (!file->first)
			file->last = &file->first;
		ask_judge(file, ask);
	}
}

static void on_loaded(uv_work_t *work, int status)
{
	struct load *load = container_of(work, struct load, work);
	struct file *file = load->file;

	enter_worker();
	if (status != 0)
		load->error = status;
	say(file, load);
	if (load->error || load->users) {
		users_free(&file->users);
		file->users = load->users;
		file->stamp = load->stamp;
		file->known = !load->error && is_settled(&load->stamp);
	}
	file->error = load->error;
	file->looked = mono_now();
	file->generation = load->generation;
	file->load = NULL;
	free(load);
	file_judge(file);
	if (stopped)
		file_free(file);
}

static bool is_fresh(const struct file *file)
{
	return file->looked.us &&
	       file->generation == atomic_load_explicit(&generation, memory_order_acquire) &&
	       mono_before(mono_now(), mono_add_ms(file->looked, HTPASSWD_FRESH_MS));
}

/* False: it could not be begun. */
RUNS_ON(on_worker) static bool file_look(struct file *file)
{
	struct load *load = calloc(1, sizeof *load);

	if (!load)
		return false;
	load->file = file;
	load->known = file->known;
	load->stamp = file->stamp;
	load->generation = atomic_load_explicit(&generation, memory_order_acquire);
	if (uv_queue_work(&worker_here()->loop, &load->work, on_pool, on_loaded) != 0) {
		free(load);
		return false;
	}
	file->load = load;
	return true;
}

/* False: there are none, and nobody need be asked. */
static bool credentials_read(struct ask *ask, const struct request *request)
{
	struct bytes value = http1_header_get(&request->head, BYTES("Authorization"));
	uint8_t room[512];
	struct writer w = writer_of(room, sizeof room);
	struct basic_auth basic;
	bool good = basic_auth_parse(value, &w, &basic) == BASIC_AUTH_OK &&
		    htpasswd_name_is_good(basic.user) && basic.password.len < sizeof ask->given;

	if (good) {
		bytes_to_str(basic.user, ask->user, sizeof ask->user);
		bytes_to_str(basic.password, ask->given, sizeof ask->given);
	}
	sodium_memzero(room, sizeof room);
	return good;
}

void htpasswd_ask(struct conn *conn, const char *mount, const char *path,
		  void (*then)(struct conn *conn, enum auth_answer answer,
			       const struct admission *admission, const char *message))
{
	struct file *file = stopped ? NULL : file_of(path);
	struct ask *ask =
		file && asked < radio_conf()->auth_requests ? calloc(1, sizeof *ask) : NULL;

	if (!ask) {
		const struct admission none = {0};

		metric_add(METRIC_radio_auth_busy, 1);
		then(conn, AUTH_URL_BUSY, &none, "");
		return;
	}
	asked++;
	ask->conn = conn;
	ask->then = then;
	bytes_to_str(bytes_str(mount), ask->mount, sizeof ask->mount);
	conn_hold(conn, ask, NULL);
	conn_wait(conn);
	if (!credentials_read(ask, conn_request(conn))) {
		ask_end(ask, AUTH_URL_NO);
		return;
	}
	if (!file->load && is_fresh(file)) {
		ask_judge(file, ask);
		return;
	}
	if (!file->load && !file_look(file)) {
		ask_end(ask, AUTH_URL_BUSY);
		return;
	}
	*file->last = ask;
	file->last = &ask->next;
}

/* Who waits for a look at a file keeps the worker until it is over. */
void htpasswd_worker_stop(struct worker *worker)
{
	(void)worker;
	stopped = true;
	while (files) {
		struct file *file = files;

		files = file->next;
		if (!file->load)
			file_free(file);
	}
}
