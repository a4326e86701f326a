#include "core/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/writer.h"

/* A line in memory keeps its beginning: the dashboard shows no more. */
#define KEPT_LINE_MAX 256

static const char *const level_words[] = {"debug", "info", "warning", "error"};

/* A file is opened anew in the place of the old descriptor (dup3), so that writers need not know:
 * the number they use stays valid, and is STDERR_FILENO until a file is given. */
static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_least = LOG_LEVEL_INFO;
static atomic_uint_fast64_t lost;
static char *log_path;

static struct {
	pthread_mutex_t lock;
	uint64_t next; /* number of the next line; it goes to next % LOG_KEPT */
	struct {
		uint16_t len;
		char text[KEPT_LINE_MAX];
	} lines[LOG_KEPT];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int open_file(const char *path)
{
	/* Non-blocking, for a path can be a FIFO whose reader sleeps. */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);

	return fd == -1 ? -errno : fd;
}

static int put_in_place(int fd)
{
	int old = atomic_load_explicit(&log_fd, memory_order_relaxed);

	if (old == STDERR_FILENO) {
		/* Relaxed: a writer that still has the old number uses standard error. */
		atomic_store_explicit(&log_fd, fd, memory_order_relaxed);
		return 0;
	}
	int error = dup3(fd, old, O_CLOEXEC) == -1 ? -errno : 0;

	close(fd);
	return error;
}

int log_reopen(void)
{
	int fd = log_path ? open_file(log_path) : 0;

	if (!log_path)
		return 0;
	return fd < 0 ? fd : put_in_place(fd);
}

int log_open(const char *path, enum log_level least)
{
	char *copy = path ? strdup(path) : NULL;
	int error = path && !copy ? -ENOMEM : 0;

	if (!error && path) {
		int fd = open_file(path);

		error = fd < 0 ? fd : put_in_place(fd);
	} else if (!error && log_path) {
		/* The number stays: a writer may have it in hand, and it must not become a client's. */
		int old = atomic_load_explicit(&log_fd, memory_order_relaxed);

		error = dup3(STDERR_FILENO, old, O_CLOEXEC) == -1 ? -errno : 0;
	}
	if (error) {
		free(copy);
		return error;
	}
	free(log_path);
	log_path = copy;
	atomic_store_explicit(&log_least, (int)least, memory_order_relaxed);
	return 0;
}

void log_close(void)
{
	int old = atomic_exchange_explicit(&log_fd, STDERR_FILENO, memory_order_relaxed);

	if (old != STDERR_FILENO)
		close(old);
	free(log_path);
	log_path = NULL;
}

bool log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_least, memory_order_relaxed);
}

uint64_t log_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
}

/* Plain means: needs no quotes, and reads the same to every logfmt parser. */
static bool is_plain(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.at[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return false;
	}
	return value.len > 0;
}

/* What is not ASCII is copied when the bytes are UTF-8, and else written as an escape. */
static size_t utf8_length(struct bytes in)
{
	uint8_t c = in.at[0];
	size_t len = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (len == 0 || len > in.len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((in.at[i] & 0xc0) != 0x80)
			return 0;
	/* RFC 3629 section 4: no longer form than needed, no surrogates, nothing past U+10FFFF. */
	if ((c == 0xe0 && in.at[1] < 0xa0) || (c == 0xed && in.at[1] > 0x9f) ||
	    (c == 0xf0 && in.at[1] < 0x90) || (c == 0xf4 && in.at[1] > 0x8f))
		return 0;
	/* U+0080 to U+009F are control characters to a terminal. */
	return c == 0xc2 && in.at[1] < 0xa0 ? 0 : len;
}

static void put_escape(struct writer *w, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";

	writer_str(w, "\\x");
	writer_u8(w, (uint8_t)hex[c >> 4]);
	writer_u8(w, (uint8_t)hex[c & 15]);
}

static void put_quoted(struct writer *w, struct bytes value)
{
	writer_u8(w, '"');
	while (value.len) {
		uint8_t c = value.at[0];
		size_t len = 1;

		if (c == '"' || c == '\\') {
			writer_u8(w, '\\');
			writer_u8(w, c);
		} else if (c == '\n') {
			writer_str(w, "\\n");
		} else if (c >= 0x20 && c < 0x7f) {
			writer_u8(w, c);
		} else if ((len = utf8_length(value)) > 0) {
			writer_put(w, bytes_first(value, len));
		} else {
			len = 1;
			put_escape(w, c);
		}
		value = bytes_skip(value, len);
	}
	writer_u8(w, '"');
}

static void put_value(struct writer *w, struct bytes value)
{
	if (is_plain(value))
		writer_put(w, value);
	else
		put_quoted(w, value);
}

static void put_ms(struct writer *w, uint64_t ms)
{
	writer_dec(w, ms / 1000);
	writer_u8(w, '.');
	writer_u8(w, (uint8_t)('0' + ms / 100 % 10));
	writer_u8(w, (uint8_t)('0' + ms / 10 % 10));
	writer_u8(w, (uint8_t)('0' + ms % 10));
	writer_u8(w, 's');
}

static void put_field(struct writer *w, const struct kv *field)
{
	writer_u8(w, ' ');
	writer_str(w, field->key);
	writer_u8(w, '=');
	switch (field->kind) {
	case KV_STR:
	case KV_SECRET: put_value(w, bytes_str(field->value.str)); return;
	case KV_BYTES:
		put_value(w, bytes_of(field->value.bytes.at, field->value.bytes.len));
		return;
	case KV_U64: writer_dec(w, field->value.u64); return;
	case KV_I64:
		if (field->value.i64 < 0)
			writer_u8(w, '-');
		writer_dec(w, field->value.i64 < 0 ? 0 - (uint64_t)field->value.i64
						   : (uint64_t)field->value.i64);
		return;
	case KV_MS: put_ms(w, field->value.u64); return;
	case KV_BOOL: writer_str(w, field->value.u64 ? "yes" : "no"); return;
	}
}

static void put_time(struct writer *w)
{
	struct timespec now;
	struct tm utc;
	char text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);

	snprintf(text + len, sizeof text - len, ".%03dZ ", (int)(now.tv_nsec / 1000000));
	writer_str(w, text);
}

/* A field that does not fit whole is left out with all behind it, and an ellipsis says so. */
static size_t make_line(char *line, size_t size, enum log_level level, const char *room,
			const char *event, const struct kv *fields, size_t count)
{
	static const char cut[] = " …";
	struct writer w = writer_of(line, size - sizeof cut);

	put_time(&w);
	writer_str(&w, level_words[level]);
	writer_u8(&w, ' ');
	writer_str(&w, room);
	writer_u8(&w, ' ');
	writer_str(&w, event);
	for (size_t i = 0; i < count && writer_ok(&w); i++) {
		struct writer before = w;

		put_field(&w, &fields[i]);
		if (!writer_ok(&w)) {
			w = before;
			w.size = size - 1;
			writer_str(&w, cut);
			break;
		}
	}
	line[w.len] = '\n';
	return w.len + 1;
}

static void keep_line(const char *line, size_t len)
{
	pthread_mutex_lock(&kept.lock);
	size_t slot = kept.next++ % LOG_KEPT;
	size_t n = bytes_to_str(bytes_of(line, len), kept.lines[slot].text, KEPT_LINE_MAX);

	/* Not in the middle of a UTF-8 character. */
	while (n < len && n > 0 && ((uint8_t)line[n] & 0xc0) == 0x80)
		n--;
	kept.lines[slot].len = (uint16_t)n;
	pthread_mutex_unlock(&kept.lock);
}

/* The fields without what is secret. False: they are all as they were. */
static bool mask(const struct kv *fields, size_t count, struct kv *masked)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		bool secret = fields[i].kind == KV_SECRET;

		masked[i] = secret ? kv_str(fields[i].key, "***") : fields[i];
		any |= secret;
	}
	return any;
}

void log_write(enum log_level level, const char *room, const char *event, const struct kv *fields,
	       size_t count)
{
	struct kv masked[LOG_FIELDS_MAX + 1];
	char line[LOG_LINE_MAX];
	int saved = errno;
	size_t len;
	ssize_t sent;
	bool secret;

	assert(count <= LOG_FIELDS_MAX + 1);
	secret = mask(fields, count, masked);
	len = make_line(line, sizeof line, level, room, event, masked, count);
	keep_line(line, len - 1);
	if (secret)
		len = make_line(line, sizeof line, level, room, event, fields, count);
	do
		sent = write(atomic_load_explicit(&log_fd, memory_order_relaxed), line, len);
	while (sent == -1 && errno == EINTR);
	/* A part of a line is a lost line too; the next one begins behind it. */
	if (sent != (ssize_t)len)
		atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
	errno = saved;
}

void log_write_errno(enum log_level level, int error, const char *room, const char *event,
		     const struct kv *fields, size_t count)
{
	struct kv all[LOG_FIELDS_MAX + 1];
	const char *text = strerrordesc_np(error < 0 ? -error : error);

	assert(count <= LOG_FIELDS_MAX);
	for (size_t i = 0; i < count; i++)
		all[i] = fields[i];
	all[count] = kv_str("error", text ? text : "unknown error");
	log_write(level, room, event, all, count + 1);
}

uint64_t log_recent(uint64_t from, log_seen_fn *seen, void *user)
{
	uint64_t number = from;

	for (;;) {
		char text[KEPT_LINE_MAX];
		size_t len = 0;

		/* One line at a time, so that who logs never waits for who reads. */
		pthread_mutex_lock(&kept.lock);
		uint64_t next = kept.next;
		uint64_t oldest = next < LOG_KEPT ? 0 : next - LOG_KEPT;

		if (number < oldest)
			number = oldest;
		if (number < next) {
			len = kept.lines[number % LOG_KEPT].len;
			memcpy(text, kept.lines[number % LOG_KEPT].text, len);
		}
		pthread_mutex_unlock(&kept.lock);
		if (number >= next)
			return next;
		text[len] = '\0';
		seen(user, number++, text, len);
	}
}
