/* log: one event, one line, one write(2).
 *
 *     log_event(LOG_LEVEL_INFO, "radio", "listener gone", kv_str("mount", "/live"), kv_u64("id", 42));
 *     2026-11-20T12:00:00.123Z info radio listener gone mount=/live id=42
 *
 * The line is logfmt behind time, level, room and event. Values are typed, and quoted when they
 * hold anything but plain characters, so that what a peer sent cannot end a line or add a field;
 * room, event and keys are literals of ours. A longer line than LOG_LINE_MAX is cut.
 *
 * Thread: any. Lines of several threads never mix, for each is a single write to a descriptor that
 * appends. A line that cannot be written (disk full, pipe that nobody reads) is counted as lost and
 * nobody waits for it; the descriptor of a pipe should be non-blocking. The last lines are kept in
 * memory for the dashboard, behind a mutex that is held for one memcpy: with mailbox, worker and
 * metric this is the one place that has one. Packet paths do not log, they count (metric.h).
 *
 * State is the process's: one log. Does not rotate files: it opens anew when asked. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
};

#define LOG_LINE_MAX   1024
#define LOG_FIELDS_MAX 16
#define LOG_KEPT       500

enum kv_kind {
	KV_STR,
	KV_SECRET,
	KV_BYTES,
	KV_U64,
	KV_I64,
	KV_MS,
	KV_BOOL,
};

/* A field of a line. */
struct kv {
	const char *key;
	enum kv_kind kind;
	union {
		const char *str;
		struct {
			const void *at;
			size_t len;
		} bytes;
		uint64_t u64;
		int64_t i64;
	} value;
};

/* NULL is written as nothing: key="". */
static inline struct kv kv_str(const char *key, const char *value)
{
	return (struct kv){.key = key, .kind = KV_STR, .value = {.str = value}};
}

/* What only who runs the server may know: it is written, and kept in memory as ***. */
static inline struct kv kv_secret(const char *key, const char *value)
{
	return (struct kv){.key = key, .kind = KV_SECRET, .value = {.str = value}};
}

static inline struct kv kv_bytes(const char *key, const void *at, size_t len)
{
	return (struct kv){.key = key, .kind = KV_BYTES, .value = {.bytes = {at, len}}};
}

static inline struct kv kv_u64(const char *key, uint64_t value)
{
	return (struct kv){.key = key, .kind = KV_U64, .value = {.u64 = value}};
}

static inline struct kv kv_i64(const char *key, int64_t value)
{
	return (struct kv){.key = key, .kind = KV_I64, .value = {.i64 = value}};
}

/* Milliseconds, written as seconds: lost=1.250s. */
static inline struct kv kv_ms(const char *key, uint64_t ms)
{
	return (struct kv){.key = key, .kind = KV_MS, .value = {.u64 = ms}};
}

static inline struct kv kv_bool(const char *key, bool value)
{
	return (struct kv){.key = key, .kind = KV_BOOL, .value = {.u64 = value}};
}

/* Where lines go: a path that is appended to, or NULL for standard error; and the least level. 0 or
 * -errno: then nothing has changed. Called again it changes both; by the control thread only. */
int log_open(const char *path, enum log_level least);

/* Opens the file by its path again, after logrotate has moved it away. 0 or -errno: then the old
 * one goes on. The control thread only. */
int log_reopen(void);

/* Closes the file; what is logged later goes to standard error. The control thread only, when no
 * other thread runs any more. */
void log_close(void);

/* Whether a line of that level is written: for callers whose fields cost something to find. */
bool log_wants(enum log_level level);

/* Lines that could not be written since the start. */
uint64_t log_lost(void);

/* The newest lines, oldest first, without newlines; each is lent during the call. seen is given the
 * number of the line, which counts up for ever: pass the last one plus 1 as from to get what is new,
 * or 0 for all that are kept. Returns the number that the next line will have. */
typedef void log_seen_fn(void *user, uint64_t number, const char *line, size_t len);
uint64_t log_recent(uint64_t from, log_seen_fn *seen, void *user);

void log_write(enum log_level level, const char *room, const char *event, const struct kv *fields,
	       size_t count);

/* As log_write(), with error="No such file or directory" as last field. */
void log_write_errno(enum log_level level, int error, const char *room, const char *event,
		     const struct kv *fields, size_t count);

/* The fields follow the event as kv_…() values, or there are none. */
#define LOG_FIELDS(...)                                          \
	((const struct kv[]){{.key = NULL}, ##__VA_ARGS__}) + 1, \
		sizeof((const struct kv[]){{.key = NULL}, ##__VA_ARGS__}) / sizeof(struct kv) - 1

#define log_event(level, room, event, ...)                                            \
	do {                                                                          \
		if (log_wants(level))                                                 \
			log_write(level, "" room, "" event, LOG_FIELDS(__VA_ARGS__)); \
	} while (0)

#define log_debug(room, event, ...) log_event(LOG_LEVEL_DEBUG, room, event, ##__VA_ARGS__)
#define log_info(room, event, ...)  log_event(LOG_LEVEL_INFO, room, event, ##__VA_ARGS__)
#define log_warnx(room, event, ...) log_event(LOG_LEVEL_WARNING, room, event, ##__VA_ARGS__)
#define log_error(room, event, ...) log_event(LOG_LEVEL_ERROR, room, event, ##__VA_ARGS__)

/* With what errno says; log_warn_code() with a code, positive or negative. */
#define log_warn(room, event, ...) log_warn_code(errno, room, event, ##__VA_ARGS__)
#define log_warn_code(code, room, event, ...)                                            \
	do {                                                                             \
		int log_code_ = (code);                                                  \
		if (log_wants(LOG_LEVEL_WARNING))                                        \
			log_write_errno(LOG_LEVEL_WARNING, log_code_, "" room, "" event, \
					LOG_FIELDS(__VA_ARGS__));                        \
	} while (0)
