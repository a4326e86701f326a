#include "edge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/edge.h"
#include "edge/proto/http_date.h"

#define PIECE_SIZE (64u << 10)
/* A client that plays while it loads takes little at a time: what the kernel queues for it is short, so
 * that it is seen to take something. */
#define SEND_BUFFER (256u << 10)

enum files_of { FILES_OF_STATION, FILES_OF_STRANGERS, FILES_KEPT };

struct download {
	union {
		uv_work_t work;
		uv_fs_t read;
	} request;
	struct conn *conn;
	void (*none)(struct conn *conn);
	int fd;       /* -1: none */
	int error;    /* of opening it, -errno */
	bool counted; /* in running */
	bool whole;   /* all of it was sent */
	enum files_of of;
	struct stat about;
	uint64_t at, end; /* still to be sent */
	uint8_t *piece;   /* PIECE_SIZE; NULL before the first */
	char *path;       /* below the directory, without its first slash */
	char directory[];
};

static _Atomic uint64_t running;

/* --- types ---------------------------------------------------------------------------------- */

static const struct {
	const char *ending, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".htm", "text/html; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".mjs", "text/javascript; charset=utf-8"},
	{".json", "application/json"},
	{".txt", "text/plain; charset=utf-8"},
	{".xml", "application/xml"},
	{".rss", "application/rss+xml"},
	{".pdf", "application/pdf"},
	{".png", "image/png"},
	{".jpg", "image/jpeg"},
	{".jpeg", "image/jpeg"},
	{".gif", "image/gif"},
	{".svg", "image/svg+xml"},
	{".webp", "image/webp"},
	{".avif", "image/avif"},
	{".ico", "image/vnd.microsoft.icon"},
	{".woff", "font/woff"},
	{".woff2", "font/woff2"},
	{".mp3", "audio/mpeg"},
	{".mp2", "audio/mpeg"},
	{".aac", "audio/aac"},
	{".m4a", "audio/mp4"},
	{".mp4", "video/mp4"},
	{".ogg", "audio/ogg"},
	{".oga", "audio/ogg"},
	{".opus", "audio/ogg"},
	{".ogv", "video/ogg"},
	{".flac", "audio/flac"},
	{".wav", "audio/wav"},
	{".weba", "audio/webm"},
	{".webm", "video/webm"},
	{".mka", "audio/x-matroska"},
	{".mkv", "video/x-matroska"},
	{".ts", "video/mp2t"},
	{".m3u", "audio/x-mpegurl"},
	{".m3u8", "application/vnd.apple.mpegurl"},
	{".pls", "audio/x-scpls"},
	{".xspf", "application/xspf+xml"},
	{".zip", "application/zip"},
};

static const char *type_of(struct bytes path)
{
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct bytes ending = bytes_str(types[i].ending);

		if (path.len > ending.len &&
		    bytes_equal_nocase(bytes_skip(path, path.len - ending.len), ending))
			return types[i].type;
	}
	return "application/octet-stream";
}

/* --- life ----------------------------------------------------------------------------------- */

static void download_free(struct download *download)
{
	if (download->fd >= 0)
		close(download->fd);
	if (download->counted) {
		atomic_fetch_sub_explicit(&running, 1, memory_order_relaxed);
		metric_add(METRIC_edge_downloads_running, -1);
		if (!download->whole)
			metric_add(METRIC_edge_downloads_cut, 1);
	}
	free(download->piece);
	free(download);
}

static void on_gone(void *holder)
{
	download_free(holder);
}

/* The connection was closed by us; on_gone has the rest. */
RUNS_ON(on_worker) static void download_cut(struct download *download)
{
	conn_drop(download->conn);
}

/* --- the body ------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void download_next(struct download *download);

static void on_sent(struct conn *conn)
{
	enter_worker();
	download_next(conn_holder(conn));
}

static void on_read(uv_fs_t *request)
{
	struct download *download = container_of(request, struct download, request.read);
	ssize_t n = request->result;

	enter_worker();
	uv_fs_req_cleanup(request);
	if (n <= 0) {
		/* It cannot be read, or has become shorter than was said. */
		log_warnx("edge", "file ended early", kv_str("path", download->path),
			  kv_str("why", n ? uv_strerror((int)n) : "it is shorter now"));
		download_cut(download);
		return;
	}
	download->at += (uint64_t)n;
	metric_add(METRIC_edge_download_bytes, n);
	conn_lend(download->conn, bytes_of(download->piece, (size_t)n),
		  edge_settings()->conf.files_timeout, on_sent);
}

static void download_next(struct download *download)
{
	struct conn *conn = download->conn;
	uint64_t left = download->end - download->at;
	uv_buf_t piece = uv_buf_init((char *)download->piece,
				     (unsigned)(left < PIECE_SIZE ? left : PIECE_SIZE));

	if (left == 0) {
		download->whole = true;
		conn_hold(conn, NULL, NULL);
		download_free(download);
		conn_done(conn);
	} else if (uv_fs_read(&conn_worker(conn)->loop, &download->request.read, download->fd,
			      &piece, 1, (int64_t)download->at, on_read) != 0) {
		download_cut(download);
	}
}

/* --- the head ------------------------------------------------------------------------------- */

/* Changes with the file, in length or in time: a strong validator, RFC 9110 section 8.8.1. */
static struct bytes etag_of(const struct stat *about, struct writer *w)
{
	writer_u8(w, '"');
	writer_dec(w, (uint64_t)about->st_mtim.tv_sec);
	writer_u8(w, '-');
	writer_dec(w, (uint64_t)about->st_mtim.tv_nsec);
	writer_u8(w, '-');
	writer_dec(w, (uint64_t)about->st_size);
	writer_u8(w, '"');
	return writer_done(w);
}

/* RFC 9110 section 13.1.2: a list, or a star; weak or not does not matter here. */
static bool names_etag(struct bytes list, struct bytes etag)
{
	while (list.len) {
		struct bytes one = bytes_trim(bytes_cut(&list, ','));

		if (bytes_start_with(one, BYTES("W/")))
			one = bytes_skip(one, 2);
		if (bytes_equal(one, etag) || bytes_equal(one, BYTES("*")))
			return true;
	}
	return false;
}

/* RFC 9110 sections 13.1.2 and 13.1.3. A client gives the date back as it got it. */
static bool is_known(const struct http1_head *head, struct bytes etag, struct bytes date)
{
	struct bytes match = http1_header_get(head, BYTES("If-None-Match"));

	if (match.at)
		return names_etag(match, etag);
	return bytes_equal(http1_header_get(head, BYTES("If-Modified-Since")), date);
}

enum part { PART_ALL, PART_SOME, PART_NONE };

/* What of size bytes is asked for. RFC 9110 sections 13.1.5 and 14.2: a range of another version of the
 * file is none, nor is one that cannot be read. */
static enum part part_of(const struct http1_head *head, struct bytes etag, struct bytes date,
			 uint64_t size, uint64_t *first, uint64_t *end)
{
	struct bytes only_if = http1_header_get(head, BYTES("If-Range"));
	struct http1_range range;

	*first = 0;
	*end = size;
	if (!http1_parse_range(http1_header_get(head, BYTES("Range")), &range) ||
	    (only_if.at && !bytes_equal(only_if, etag) && !bytes_equal(only_if, date)))
		return PART_ALL;
	if (range.from_end) {
		*first = range.count < size ? size - range.count : 0;
		return range.count && size ? PART_SOME : PART_NONE;
	}
	*first = range.first;
	if (range.last < size)
		*end = range.last + 1;
	return range.first < size ? PART_SOME : PART_NONE;
}

/* "bytes 0-99/1000", "bytes *" "/1000": RFC 9110 section 14.4. */
static void reply_part(struct reply *reply, enum part part, const struct download *download)
{
	char room[96];
	struct writer w = writer_of(room, sizeof room);

	writer_str(&w, "bytes ");
	if (part == PART_SOME) {
		writer_dec(&w, download->at);
		writer_u8(&w, '-');
		writer_dec(&w, download->end - 1);
	} else {
		writer_u8(&w, '*');
	}
	writer_u8(&w, '/');
	writer_dec(&w, (uint64_t)download->about.st_size);
	reply_header(reply, "Content-Range", writer_done(&w));
}

/* What a page of somebody's could do in our name: nothing. */
static void reply_guard(struct reply *reply)
{
	static const char *const shown[] = {"image/png",  "image/jpeg", "image/gif", "image/webp",
					    "image/avif", "audio/",     "video/",    "text/plain"};
	bool inline_ = false;

	for (size_t i = 0; i < COUNT_OF(shown); i++)
		inline_ |= strncmp(reply->type, shown[i], strlen(shown[i])) == 0;
	reply_header(reply, "Content-Security-Policy", BYTES("sandbox; default-src 'none'"));
	if (!inline_) {
		reply->type = "application/octet-stream";
		reply_header(reply, "Content-Disposition", BYTES("attachment"));
	}
}

/* The reply's head; true when the bytes from at to end belong to it. */
static bool make_reply(struct download *download, const struct http1_head *head, bool to_head,
		       struct reply *reply)
{
	char etag_room[80], date_room[40];
	struct writer etag_w = writer_of(etag_room, sizeof etag_room);
	struct writer date_w = writer_of(date_room, sizeof date_room);
	struct bytes etag = etag_of(&download->about, &etag_w), date;
	enum part part = PART_ALL;

	http_date_write(&date_w, download->about.st_mtim.tv_sec);
	date = writer_done(&date_w);
	*reply = (struct reply){.status = 200,
				.type = type_of(bytes_str(download->path)),
				.cache = download->of != FILES_KEPT};
	reply_header(reply, "ETag", etag);
	reply_header(reply, "Last-Modified", date);
	reply_header(reply, "Accept-Ranges", BYTES("bytes"));
	if (download->of != FILES_OF_STATION)
		reply_guard(reply);
	else
		reply_header(reply, "Access-Control-Allow-Origin", BYTES("*"));
	reply_header(reply, "X-Content-Type-Options", BYTES("nosniff"));
	download->end = (uint64_t)download->about.st_size;
	if (is_known(head, etag, date)) {
		reply->status = 304;
		return false;
	}
	/* RFC 9110 section 14.2: a range is for GET alone. */
	if (!to_head)
		part = part_of(head, etag, date, download->end, &download->at, &download->end);
	if (part != PART_ALL)
		reply_part(reply, part, download);
	if (part == PART_NONE) {
		reply_text(reply, 416, "the file has no such part");
		return false;
	}
	reply->status = part == PART_SOME ? 206 : 200;
	reply->later = download->end - download->at;
	return !to_head && reply->later;
}

/* A place among the downloads, and its buffer. */
static bool take_place(struct download *download)
{
	uint64_t most = edge_settings()->conf.files_downloads;

	if (atomic_fetch_add_explicit(&running, 1, memory_order_relaxed) >= most) {
		atomic_fetch_sub_explicit(&running, 1, memory_order_relaxed);
		metric_add(METRIC_edge_downloads_refused, 1);
		return false;
	}
	download->counted = true;
	metric_add(METRIC_edge_downloads, 1);
	metric_add(METRIC_edge_downloads_running, 1);
	download->piece = malloc(PIECE_SIZE);
	return download->piece;
}

RUNS_ON(on_worker) static void refuse(struct conn *conn, unsigned status, const char *why)
{
	struct reply reply = {.close = status == 503};

	reply_text(&reply, status, why);
	if (status == 503)
		reply_header(&reply, "Retry-After", BYTES("10"));
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker) static void download_answer(struct download *download)
{
	struct conn *conn = download->conn;
	const struct request *request = conn_request(conn);
	bool to_head = bytes_equal(request->method, BYTES("HEAD"));
	struct reply reply;

	if (!make_reply(download, &request->head, to_head, &reply)) {
		download_free(download);
		conn_reply(conn, &reply);
	} else if (!take_place(download)) {
		download_free(download);
		reply_fini(&reply);
		refuse(conn, 503, "too many files are being sent");
	} else {
		tcp_tune_stream(conn_link(conn).fd, SEND_BUFFER);
		conn_hold(conn, download, on_gone);
		conn_stream(conn, &reply, on_sent);
	}
}

/* --- opening -------------------------------------------------------------------------------- */

/* On the thread pool. No link leads out of the directory, not even while somebody changes it; what is
 * not a plain file is not waited for. */
static int open_below(const char *directory, const char *path, bool links, struct stat *about)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | (links ? RESOLVE_NO_MAGICLINKS : RESOLVE_NO_SYMLINKS),
	};
	int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, error = 0;

	if (at == -1)
		return -errno;
	fd = (int)syscall(SYS_openat2, at, path, &how, sizeof how);
	if (fd == -1)
		error = -errno;
	close(at);
	if (fd == -1)
		return error;
	if (fstat(fd, about) == -1)
		error = -errno;
	else if (!S_ISREG(about->st_mode))
		error = -EISDIR;
	if (error)
		close(fd);
	return error ? error : fd;
}

static void work(uv_work_t *request)
{
	struct download *download = container_of(request, struct download, request.work);
	int fd = open_below(download->directory, download->path, download->of != FILES_KEPT,
			    &download->about);

	if (fd >= 0)
		download->fd = fd;
	else
		download->error = fd;
}

static bool is_nothing(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EISDIR || error == -ELOOP ||
	       error == -EXDEV || error == -ENAMETOOLONG || error == -ENXIO;
}

static void on_worked(uv_work_t *request, int status)
{
	struct download *download = container_of(request, struct download, request.work);
	void (*none)(struct conn * conn) = download->none;
	struct conn *conn = download->conn;
	int error = status ? status : download->error;

	enter_worker();
	if (!error) {
		download_answer(download);
		return;
	}
	if (!is_nothing(error))
		log_warn_code(-error, "edge", "file not opened", kv_str("path", download->path));
	download_free(download);
	if (is_nothing(error))
		none(conn);
	else if (error == -EACCES)
		refuse(conn, 403, "this file may not be read");
	else
		refuse(conn, 503, "this file cannot be read at the moment");
}

/* The path is normalized; a name that begins with a dot is nobody's business. */
static bool may_ask_for(struct bytes path)
{
	if (path.len < 1 || path.at[0] != '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '\0' ||
		    (path.at[i] == '/' && i + 1 < path.len && path.at[i + 1] == '.'))
			return false;
	return true;
}

/* NULL when there is no memory. */
static struct download *download_make(const char *directory, struct bytes path)
{
	size_t size = strlen(directory) + 1;
	struct download *download =
		calloc(1, sizeof *download + size + path.len + sizeof "index.html");

	if (!download)
		return NULL;
	download->fd = -1;
	memcpy(download->directory, directory, size);
	download->path = download->directory + size;
	memcpy(download->path, path.at + 1, path.len - 1);
	if (bytes_end_with(path, BYTES("/")))
		memcpy(download->path + path.len - 1, "index.html", sizeof "index.html");
	return download;
}

RUNS_ON(on_worker)
static void serve(struct conn *conn, const char *directory, struct bytes path, enum files_of of,
		  void (*none)(struct conn *conn))
{
	struct download *download;

	if (!directory[0] || !may_ask_for(path)) {
		none(conn);
		return;
	}
	download = download_make(directory, path);
	if (!download) {
		metric_add(METRIC_edge_out_of_memory, 1);
		refuse(conn, 503, "out of memory");
		return;
	}
	download->conn = conn;
	download->none = none;
	download->of = of;
	conn_wait(conn);
	CHECK(uv_queue_work(&conn_worker(conn)->loop, &download->request.work, work, on_worked) ==
	      0);
}

void files_serve(struct conn *conn, void (*none)(struct conn *conn))
{
	serve(conn, edge_settings()->conf.files_directory, conn_request(conn)->path,
	      FILES_OF_STATION, none);
}

void files_serve_strange(struct conn *conn, const char *directory, struct bytes path,
			 void (*none)(struct conn *conn))
{
	serve(conn, directory, path, FILES_OF_STRANGERS, none);
}

void files_serve_kept(struct conn *conn, const char *directory, struct bytes path,
		      void (*none)(struct conn *conn))
{
	serve(conn, directory, path, FILES_KEPT, none);
}
