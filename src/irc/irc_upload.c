#include "irc/irc_upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "edge/access.h"
#include "edge/edge.h"
#include "edge/files.h"
#include "edge/linger.h"
#include "irc/irc_part.h"
#include "store/store.h"

#define PREFIX      "/irc/uploads"
#define PIECE_SIZE  (256u << 10)
#define UPLOAD_NAME 80u

/* One that comes. Its handles are the loop's until they are closed. */
struct upload {
	struct upload *next;
	struct worker *worker;
	struct link link;
	uv_poll_t poll;
	uv_timer_t timer; /* for who stops sending */
	uv_work_t work;
	uv_fs_t write;
	unsigned handles;
	bool busy, over; /* the pool has it; it is to end then */
	bool expects, answered;
	int fd, error;
	uint64_t left, size, most_of_user;
	unsigned days;
	uint8_t *piece;
	size_t have, written;
	uint64_t at;
	char user[17], token[33], name[UPLOAD_NAME + 1];
	char directory[4096], part[4200], file[4300];
};

static _Thread_local struct upload *uploads;
static _Thread_local unsigned upload_count;

static void user_hash(char out[17], const char *user)
{
	uint8_t hash[AUTH_DIGEST_SIZE];

	auth_hash(hash, "irc uploads", bytes_str(user));
	for (unsigned i = 0; i < 8; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", hash[i]);
}

bool irc_upload_address(char *out, size_t size)
{
	const char *url = edge_settings()->conf.http_public_url;
	size_t len = strlen(url);

	while (len && url[len - 1] == '/')
		len--;
	return irc_conf_now()->upload_max && len &&
	       (size_t)snprintf(out, size, "%.*s" PREFIX, (int)len, url) < size;
}

void irc_upload_place(const char *user, char *directory, size_t size, char place[IRC_UPLOAD_PLACE])
{
	char hash[17], address[IRC_UPLOAD_PLACE - 20];

	user_hash(hash, user);
	snprintf(directory, size, "%s/irc-uploads/%s", store_directory(), hash);
	if (!irc_upload_address(address, sizeof address))
		snprintf(address, sizeof address, PREFIX);
	snprintf(place, IRC_UPLOAD_PLACE, "%s/%s/", address, hash);
}

/* --- the disk: on the pool ------------------------------------------------------------------ */

/* What a user has; what is older than so many days goes. */
static uint64_t survey(const char *directory, unsigned days)
{
	DIR *listed = opendir(directory);
	const struct dirent *entry;
	uint64_t size = 0;
	struct stat about;

	while (listed && (entry = readdir(listed))) {
		if (fstatat(dirfd(listed), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(about.st_mode))
			continue;
		if (days && about.st_mtime < time(NULL) - (time_t)days * 86400)
			(void)unlinkat(dirfd(listed), entry->d_name, 0);
		else
			size += (uint64_t)about.st_size;
	}
	if (listed)
		closedir(listed);
	return size;
}

static void work_open(uv_work_t *work)
{
	struct upload *upload = container_of(work, struct upload, work);
	char root[4096];

	snprintf(root, sizeof root, "%s/irc-uploads", store_directory());
	if ((mkdir(root, 0700) != 0 && errno != EEXIST) ||
	    (mkdir(upload->directory, 0700) != 0 && errno != EEXIST)) {
		upload->error = errno;
		return;
	}
	if (survey(upload->directory, upload->days) + upload->size > upload->most_of_user) {
		upload->error = EDQUOT;
		return;
	}
	upload->fd = open(upload->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (upload->fd == -1)
		upload->error = errno;
}

static void work_finish(uv_work_t *work)
{
	struct upload *upload = container_of(work, struct upload, work);

	if (rename(upload->part, upload->file) != 0)
		upload->error = errno;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct upload *upload = handle->data;

	if (--upload->handles)
		return;
	free(upload->piece);
	free(upload);
}

/* Also of one that the pool has: that goes on to its end. */
RUNS_ON(on_worker) static void upload_end(struct upload *upload)
{
	struct upload **link = &uploads;

	if (upload->busy) {
		upload->over = true;
		uv_poll_stop(&upload->poll);
		return;
	}
	while (*link != upload)
		link = &(*link)->next;
	*link = upload->next;
	upload_count--;
	if (upload->fd != -1) {
		close(upload->fd);
		/* Not there any more when it was renamed. */
		(void)unlink(upload->part);
	}
	uv_close((uv_handle_t *)&upload->poll, on_closed);
	uv_close((uv_handle_t *)&upload->timer, on_closed);
	if (upload->answered && upload->left) {
		linger(upload->worker, upload->link);
	} else {
		link_close_gently(upload->link);
		edge_left(upload->worker);
	}
}

bool irc_upload_busy(void)
{
	enter_worker();
	return upload_count;
}

void irc_upload_stop(void)
{
	struct upload *next;

	for (struct upload *upload = uploads; upload; upload = next) {
		next = upload->next;
		upload_end(upload);
	}
}

/* A short answer, which any socket that is not read from takes; and the end. */
RUNS_ON(on_worker)
static void answer(struct upload *upload, const char *status, const char *header, const char *value)
{
	char text[700];
	struct writer w = writer_of(text, sizeof text);

	writer_str(&w, "HTTP/1.1 ");
	writer_str(&w, status);
	writer_str(&w,
		   "\r\nContent-Length: 0\r\nConnection: close\r\nCache-Control: no-store\r\n"
		   "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Location\r\n");
	if (header) {
		writer_str(&w, header);
		writer_str(&w, ": ");
		writer_str(&w, value);
		writer_str(&w, "\r\n");
	}
	writer_str(&w, "\r\n");
	(void)!link_send(upload->link, writer_done(&w));
	(void)!link_flush(upload->link);
	upload->answered = true;
	upload_end(upload);
}

/* --- the body ------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void upload_read(struct upload *upload);

static void on_finished(uv_work_t *work, int status)
{
	struct upload *upload = container_of(work, struct upload, work);
	char where[300];

	enter_worker();
	upload->busy = false;
	if (upload->over || status) {
		upload_end(upload);
		return;
	}
	if (upload->error) {
		answer(upload, "507 Insufficient Storage", NULL, NULL);
		return;
	}
	log_info("irc", "file taken", kv_str("user", upload->user), kv_u64("bytes", upload->size));
	metric_add(METRIC_irc_uploads, 1);
	snprintf(where, sizeof where, PREFIX "/%s/%s-%s", upload->user, upload->token,
		 upload->name);
	answer(upload, "201 Created", "Location", where);
}

RUNS_ON(on_worker) static void upload_write(struct upload *upload);

static void on_written(uv_fs_t *write)
{
	struct upload *upload = container_of(write, struct upload, write);
	ssize_t n = write->result;

	enter_worker();
	uv_fs_req_cleanup(write);
	upload->busy = false;
	if (upload->over) {
		upload_end(upload);
		return;
	}
	if (n <= 0) {
		log_warn_code((int)-n, "irc", "file not kept");
		answer(upload, "507 Insufficient Storage", NULL, NULL);
		return;
	}
	upload->written += (size_t)n;
	upload->at += (uint64_t)n;
	if (upload->written < upload->have) {
		upload_write(upload);
		return;
	}
	upload->have = upload->written = 0;
	if (upload->left) {
		upload_read(upload);
		return;
	}
	upload->busy = true;
	if (uv_queue_work(&upload->worker->loop, &upload->work, work_finish, on_finished)) {
		upload->busy = false;
		upload_end(upload);
	}
}

static void upload_write(struct upload *upload)
{
	uv_buf_t piece = uv_buf_init((char *)upload->piece + upload->written,
				     (unsigned)(upload->have - upload->written));

	uv_poll_stop(&upload->poll);
	upload->busy = true;
	if (uv_fs_write(&upload->worker->loop, &upload->write, upload->fd, &piece, 1,
			(int64_t)upload->at, on_written)) {
		upload->busy = false;
		upload_end(upload);
	}
}

static void on_stalled(uv_timer_t *timer)
{
	enter_worker();
	upload_end(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	enter_worker();
	upload_read(poll->data);
}

/* As much as there is room for; the piece goes to the disk when it is full, or the last. */
static void upload_read(struct upload *upload)
{
	while (upload->left && upload->have < PIECE_SIZE) {
		size_t room = PIECE_SIZE - upload->have;
		ssize_t n = link_recv(upload->link, upload->piece + upload->have,
				      upload->left < room ? upload->left : room);

		if (n == -EAGAIN) {
			uv_timer_start(&upload->timer, on_stalled, irc_conf_now()->upload_stall, 0);
			uv_poll_start(&upload->poll, UV_READABLE, on_readable);
			return;
		}
		if (n <= 0) {
			upload_end(upload);
			return;
		}
		upload->have += (size_t)n;
		upload->left -= (uint64_t)n;
	}
	uv_timer_stop(&upload->timer);
	upload_write(upload);
}

static void on_opened(uv_work_t *work, int status)
{
	struct upload *upload = container_of(work, struct upload, work);

	enter_worker();
	upload->busy = false;
	if (upload->over || status) {
		upload_end(upload);
	} else if (upload->error == EDQUOT) {
		answer(upload, "413 Content Too Large", NULL, NULL);
	} else if (upload->error) {
		log_warn_code(upload->error, "irc", "no file can be taken");
		answer(upload, "507 Insufficient Storage", NULL, NULL);
	} else {
		if (upload->expects)
			(void)!link_send(upload->link, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
		upload_read(upload);
	}
}

/* --- the head ------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void refuse(struct conn *conn, unsigned status, const char *why)
{
	struct reply reply = {.close = true};

	reply_text(&reply, status, why);
	conn_reply(conn, &reply);
}

/* The filename of Content-Disposition (RFC 6266), as one that any file system takes. */
static void name_of(char out[UPLOAD_NAME + 1], struct bytes disposition)
{
	size_t at = bytes_find_nocase(disposition, BYTES("filename="));
	struct bytes name = {0};
	size_t len = 0;

	if (at < disposition.len) {
		name = bytes_skip(disposition, at + 9);
		if (name.len && name.at[0] == '"') {
			name = bytes_skip(name, 1);
			name = bytes_first(name, bytes_find(name, '"'));
		} else {
			name = bytes_first(name, bytes_find(name, ';'));
		}
	}
	/* The end says what it is, so that is what is kept of a long one. */
	if (name.len > UPLOAD_NAME)
		name = bytes_skip(name, name.len - UPLOAD_NAME);
	for (size_t i = 0; i < name.len; i++) {
		char c = (char)name.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

		out[len++] = plain ? c : '_';
	}
	out[len] = '\0';
	if (!len)
		snprintf(out, UPLOAD_NAME + 1, "file");
}

RUNS_ON(on_worker)
static struct upload *upload_new(struct conn *conn, uint64_t size)
{
	const struct request *request = conn_request(conn);
	struct upload *upload = calloc(1, sizeof *upload);

	if (!upload)
		return NULL;
	upload->piece = malloc(PIECE_SIZE);
	if (!upload->piece) {
		free(upload);
		return NULL;
	}
	upload->fd = -1;
	upload->worker = conn_worker(conn);
	upload->left = upload->size = size;
	upload->days = (unsigned)irc_conf_now()->upload_days;
	upload->most_of_user = irc_conf_now()->upload_user_max;
	upload->expects =
		http1_header_has_token(&request->head, BYTES("Expect"), BYTES("100-continue"));
	user_hash(upload->user, access_of(conn)->name);
	auth_random_hex(upload->token, 16);
	name_of(upload->name, http1_header_get(&request->head, BYTES("Content-Disposition")));
	snprintf(upload->directory, sizeof upload->directory, "%s/irc-uploads/%s",
		 store_directory(), upload->user);
	snprintf(upload->part, sizeof upload->part, "%s/.part-%s", upload->directory,
		 upload->token);
	snprintf(upload->file, sizeof upload->file, "%s/%s-%s", upload->directory, upload->token,
		 upload->name);
	return upload;
}

/* The connection is the upload's, with what came behind its head. */
RUNS_ON(on_worker) static void upload_begin(struct upload *upload, struct conn *conn)
{
	struct bytes rest;

	upload->link = conn_take(conn, &rest);
	upload->have = rest.len < upload->left ? rest.len : (size_t)upload->left;
	if (upload->have)
		memcpy(upload->piece, rest.at, upload->have);
	upload->left -= upload->have;
	upload->next = uploads;
	uploads = upload;
	upload_count++;
	uv_timer_init(&upload->worker->loop, &upload->timer);
	uv_poll_init(&upload->worker->loop, &upload->poll, upload->link.fd);
	upload->poll.data = upload->timer.data = upload;
	upload->handles = 2;
	upload->busy = true;
	if (uv_queue_work(&upload->worker->loop, &upload->work, work_open, on_opened)) {
		upload->busy = false;
		upload_end(upload);
	}
}

RUNS_ON(on_worker) static void on_let_in(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	uint64_t most = irc_conf_now()->upload_max;
	struct http1_body body;
	struct upload *upload;

	/* What was refused has not been read: the connection ends with the answer. */
	(void)http1_body_of(&request->head, &body);
	if (body.framing != HTTP1_LENGTH || !body.length)
		refuse(conn, 411, "how long is it?");
	else if (body.length > most)
		refuse(conn, 413, "that is too large");
	else if (upload_count >= irc_conf_now()->uploads ||
		 !(upload = upload_new(conn, body.length)))
		refuse(conn, 503, "too many files come at once");
	else
		upload_begin(upload, conn);
}

RUNS_ON(on_worker) static void on_judged(struct conn *conn, enum verdict verdict)
{
	if (verdict == VERDICT_YES)
		on_let_in(conn);
	else
		access_refuse(conn, verdict);
}

/* What a page of another site may do here with a password of its own (Fetch standard, CORS protocol):
 * never with one that the browser adds. */
RUNS_ON(on_worker) static void serve_options(struct conn *conn)
{
	struct reply reply = {.status = 204};

	reply_header(&reply, "Allow", BYTES("POST, OPTIONS"));
	reply_header(&reply, "Accept-Post", BYTES("*/*"));
	reply_header(&reply, "Access-Control-Allow-Origin", BYTES("*"));
	reply_header(&reply, "Access-Control-Allow-Methods", BYTES("POST"));
	reply_header(&reply, "Access-Control-Allow-Headers",
		     BYTES("Authorization, Content-Type, Content-Disposition"));
	reply_header(&reply, "Access-Control-Max-Age", BYTES("86400"));
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker) static void serve_post(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	/* No form has this header, and no script without having asked. */
	struct access_need need = {
		.rank = RANK_DJ,
		.changes = true,
		.preflighted = http1_header_get(&request->head, BYTES("Content-Disposition")).at,
	};

	enter_worker();
	if (!irc_here.runs || !irc_conf_now()->upload_max)
		refuse(conn, 404, "no files are taken here");
	else if (bytes_equal(request->method, BYTES("OPTIONS")))
		serve_options(conn);
	else
		access_judge(conn, &need, on_judged);
}

RUNS_ON(on_worker) static void none(struct conn *conn)
{
	refuse(conn, 404, "there is no such file");
}

RUNS_ON(on_worker) static void serve_get(struct conn *conn)
{
	char root[4096];

	enter_worker();
	snprintf(root, sizeof root, "%s/irc-uploads", store_directory());
	files_serve_strange(conn, root, bytes_skip(conn_request(conn)->path, sizeof PREFIX - 1),
			    none);
}

const struct route irc_upload_routes[] = {
	{"/irc/uploads", METHOD_POST | METHOD_OPTIONS, serve_post, NULL},
	{"/irc/uploads/", METHOD_GET | METHOD_HEAD, serve_get, NULL},
	{0},
};

/* --- housekeeping --------------------------------------------------------------------------- */

struct cleaning {
	uv_work_t work;
	unsigned days;
	char user[17]; /* "": all, by their age */
};

static void erase_directory(const char *directory)
{
	DIR *listed = opendir(directory);
	const struct dirent *entry;

	while (listed && (entry = readdir(listed)))
		if (entry->d_name[0] != '.' || strncmp(entry->d_name, ".part-", 6) == 0)
			(void)unlinkat(dirfd(listed), entry->d_name, 0);
	if (listed)
		closedir(listed);
	(void)rmdir(directory);
}

static void work_clean(uv_work_t *work)
{
	const struct cleaning *cleaning = container_of(work, struct cleaning, work);
	char root[4096], directory[4400];
	const struct dirent *entry;
	DIR *listed;

	snprintf(root, sizeof root, "%s/irc-uploads", store_directory());
	if (cleaning->user[0]) {
		snprintf(directory, sizeof directory, "%s/%s", root, cleaning->user);
		erase_directory(directory);
		return;
	}
	listed = opendir(root);
	while (listed && (entry = readdir(listed))) {
		snprintf(directory, sizeof directory, "%s/%s", root, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)survey(directory, cleaning->days);
	}
	if (listed)
		closedir(listed);
}

static void on_cleaned(uv_work_t *work, int status)
{
	(void)status;
	free(container_of(work, struct cleaning, work));
}

RUNS_ON(on_worker) static void clean(const char *user, unsigned days)
{
	struct cleaning *cleaning = calloc(1, sizeof *cleaning);

	if (!cleaning)
		return;
	cleaning->days = days;
	if (user)
		user_hash(cleaning->user, user);
	if (uv_queue_work(&irc_here.worker->loop, &cleaning->work, work_clean, on_cleaned))
		free(cleaning);
}

void irc_upload_erase(const char *user)
{
	enter_worker();
	clean(user, 0);
}

void irc_upload_expire(void)
{
	enter_worker();
	if (irc_conf_now()->upload_days)
		clean(NULL, (unsigned)irc_conf_now()->upload_days);
}
