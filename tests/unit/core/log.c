/* log: the form of a line, where it goes, and what happens when it cannot go there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"

#define TIME_LEN 25 /* "2026-11-20T12:00:00.123Z " */

static char path[] = "/tmp/log_test_XXXXXX";

static int start(void **state)
{
	(void)state;
	int fd = mkstemp(path);

	close(fd);
	return fd == -1 ? -1 : log_open(path, LOG_LEVEL_DEBUG);
}

static int stop(void **state)
{
	(void)state;
	log_close();
	return unlink(path);
}

static size_t read_file(const char *name, char *buf, size_t size)
{
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	size_t len = fread(buf, 1, size - 1, file);

	buf[len] = '\0';
	fclose(file);
	return len;
}

/* The last line behind its time. */
static const char *last_line(void)
{
	static char buf[1 << 20];
	size_t len = read_file(path, buf, sizeof buf);

	assert_true(len > 0 && buf[len - 1] == '\n');
	buf[len - 1] = '\0';
	char *line = strrchr(buf, '\n');

	line = line ? line + 1 : buf;
	assert_true(strlen(line) > TIME_LEN);
	assert_int_equal(line[10], 'T');
	assert_int_equal(line[23], 'Z');
	return line + TIME_LEN;
}

static void a_line_is_logfmt(void **state)
{
	(void)state;
	log_info("radio", "listener gone", kv_str("mount", "/live"), kv_u64("id", 42),
		 kv_str("why", "slow"), kv_ms("lost", 1250));
	assert_string_equal(last_line(),
			    "info radio listener gone mount=/live id=42 why=slow lost=1.250s");
	log_debug("core", "started");
	assert_string_equal(last_line(), "debug core started");
	log_error("core", "numbers", kv_i64("least", INT64_MIN), kv_i64("n", -1), kv_i64("p", 1),
		  kv_u64("most", UINT64_MAX), kv_bool("yes", true), kv_bool("no", false));
	assert_string_equal(last_line(), "error core numbers least=-9223372036854775808 n=-1 p=1 "
					 "most=18446744073709551615 yes=yes no=no");
}

static void no_value_can_forge_a_line_or_a_field(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		size_t len;
		const char *written;
	} cases[] = {
		{"", 0, "\"\""},
		{"plain/1.0+x", 11, "plain/1.0+x"},
		{"two words", 9, "\"two words\""},
		{"a=b", 3, "\"a=b\""},
		{"say \"x\"", 7, "\"say \\\"x\\\"\""},
		{"back\\slash", 10, "\"back\\\\slash\""},
		{"a\nb", 3, "\"a\\nb\""},
		{"a\r\n2026 info", 12, "\"a\\x0d\\n2026 info\""},
		{"\x1b[31m", 5, "\"\\x1b[31m\""},
		{"a\0b", 3, "\"a\\x00b\""},
		{"Zürich", 7, "\"Zürich\""},
		{"\xff\xfe", 2, "\"\\xff\\xfe\""},
		{"\xc3", 1, "\"\\xc3\""},
		{"\xc0\x80", 2, "\"\\xc0\\x80\""},
		{"\xed\xa0\x80", 3, "\"\\xed\\xa0\\x80\""},
		{"\xc2\x9b", 2, "\"\\xc2\\x9b\""}, /* U+009B begins a terminal's commands */
		{"\x7f", 1, "\"\\x7f\""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char wanted[64];

		log_info("core", "test", kv_bytes("v", cases[i].value, cases[i].len));
		snprintf(wanted, sizeof wanted, "info core test v=%s", cases[i].written);
		assert_string_equal(last_line(), wanted);
	}
	log_info("core", "test", kv_str("v", NULL));
	assert_string_equal(last_line(), "info core test v=\"\"");
}

static void a_long_line_is_cut_at_a_field(void **state)
{
	(void)state;
	char value[LOG_LINE_MAX];

	for (size_t len = LOG_LINE_MAX - 80; len < LOG_LINE_MAX; len++) {
		memset(value, 'x', len);
		log_info("core", "test", kv_u64("a", 1), kv_bytes("v", value, len), kv_u64("b", 2));
		const char *line = last_line();
		size_t written = TIME_LEN + strlen(line) + 1;

		assert_true(written <= LOG_LINE_MAX);
		assert_non_null(strstr(line, "info core test a=1"));
		if (!strstr(line, "b=2"))
			assert_string_equal(line + strlen(line) - strlen(" …"), " …");
		if (strstr(line, " v="))
			assert_int_equal(strspn(strstr(line, " v=") + 3, "x"), len);
	}
	assert_string_equal(last_line(), "info core test a=1 …");
}

static void levels_are_filtered(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, LOG_LEVEL_WARNING), 0);
	log_warnx("core", "seen");
	log_info("core", "not seen");
	assert_string_equal(last_line(), "warning core seen");
	assert_false(log_wants(LOG_LEVEL_INFO));
	assert_true(log_wants(LOG_LEVEL_WARNING));
	assert_int_equal(log_open(path, LOG_LEVEL_DEBUG), 0);
}

static void a_warning_says_what_errno_says(void **state)
{
	(void)state;
	errno = ENOENT;
	log_warn("core", "file not read", kv_str("path", "/x"));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(last_line(), "warning core file not read path=/x "
					 "error=\"No such file or directory\"");
	log_warn_code(-EPIPE, "core", "no fields");
	assert_string_equal(last_line(), "warning core no fields error=\"Broken pipe\"");
	log_warn_code(99999, "core", "strange");
	assert_string_equal(last_line(), "warning core strange error=\"unknown error\"");
}

static void a_moved_file_is_opened_anew(void **state)
{
	(void)state;
	char moved[sizeof path + 2];
	char buf[4096];
	struct stat status;

	snprintf(moved, sizeof moved, "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	log_info("core", "into the old one");
	assert_int_equal(stat(path, &status), -1);
	assert_int_equal(log_reopen(), 0);
	log_info("core", "into the new one");
	assert_string_equal(last_line(), "info core into the new one");
	assert_true(read_file(path, buf, sizeof buf) < 60);
	unlink(moved);
}

static void a_path_that_cannot_be_opened_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(log_open("/nonexistent/x", LOG_LEVEL_ERROR), -ENOENT);
	log_info("core", "still here");
	assert_string_equal(last_line(), "info core still here");
}

static void a_full_disk_loses_lines_and_goes_on(void **state)
{
	(void)state;
	uint64_t before = log_lost();

	assert_int_equal(log_open("/dev/full", LOG_LEVEL_DEBUG), 0);
	log_info("core", "lost");
	log_info("core", "lost too");
	assert_int_equal(log_lost() - before, 2);
	assert_int_equal(log_open(path, LOG_LEVEL_DEBUG), 0);
	log_info("core", "back");
	assert_string_equal(last_line(), "info core back");
	assert_int_equal(log_lost() - before, 2);
}

static void a_pipe_that_nobody_reads_does_not_block(void **state)
{
	(void)state;
	char fifo[sizeof path + 5];
	char value[1000];
	uint64_t before = log_lost();

	snprintf(fifo, sizeof fifo, "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_int_equal(log_open(fifo, LOG_LEVEL_DEBUG), 0);
	memset(value, 'x', sizeof value);
	for (int i = 0; i < 200; i++) /* more than a pipe holds */
		log_info("core", "test", kv_bytes("v", value, 900));
	assert_true(log_lost() > before);
	assert_int_equal(log_open(path, LOG_LEVEL_DEBUG), 0);
	close(reader);
	unlink(fifo);
}

struct seen {
	uint64_t first, count;
	char last[300];
};

static void see(void *user, uint64_t number, const char *line, size_t len)
{
	struct seen *seen = user;

	if (seen->count++ == 0)
		seen->first = number;
	assert_int_equal(strlen(line), len);
	snprintf(seen->last, sizeof seen->last, "%s", line);
}

static void the_last_lines_are_kept(void **state)
{
	(void)state;
	struct seen seen = {0}, newer = {0}, none = {0};
	char value[600];

	for (unsigned i = 0; i < LOG_KEPT + 7; i++)
		log_info("core", "kept", kv_u64("n", i));
	uint64_t next = log_recent(0, see, &seen);

	assert_int_equal(seen.count, LOG_KEPT);
	assert_int_equal(seen.first, next - LOG_KEPT);
	assert_string_equal(seen.last + TIME_LEN, "info core kept n=506");
	log_info("core", "newer");
	assert_int_equal(log_recent(next, see, &newer), next + 1);
	assert_int_equal(newer.count, 1);
	assert_string_equal(newer.last + TIME_LEN, "info core newer");
	log_recent(next + 1, see, &none);
	assert_int_equal(none.count, 0);
	/* A long line is kept by its beginning, cut between characters. */
	for (size_t i = 0; i < sizeof value - 2; i += 3)
		memcpy(value + i, "☃", 3);
	log_info("core", "long", kv_bytes("v", value, 597));
	log_recent(next + 1, see, &none);
	assert_int_equal(none.count, 1);
	assert_memory_equal(none.last + strlen(none.last) - 3, "☃", 3);
}

static void a_secret_is_written_and_not_kept(void **state)
{
	(void)state;
	struct seen seen = {0};
	uint64_t next = log_recent(UINT64_MAX, see, &seen);
	char named[] = "/tmp/ringmain-log-XXXXXX", text[200] = "";
	int fd = mkstemp(named);

	assert_true(fd >= 0);
	assert_int_equal(log_open(named, LOG_LEVEL_DEBUG), 0);
	log_warnx("core", "code", kv_secret("code", "abc"), kv_u64("n", 1));
	log_recent(next, see, &seen);
	assert_string_equal(seen.last + TIME_LEN, "warning core code code=*** n=1");
	assert_true(read(fd, text, sizeof text - 1) > 0);
	assert_non_null(strstr(text, "warning core code code=abc n=1\n"));
	close(fd);
	unlink(named);
	assert_int_equal(log_open(path, LOG_LEVEL_DEBUG), 0);
}

#define THREADS 4
#define LINES   500

static void *write_lines(void *arg)
{
	for (unsigned i = 0; i < LINES; i++)
		log_info("core", "thread", kv_u64("t", (uint64_t)(uintptr_t)arg), kv_u64("n", i),
			 kv_str("pad", "some words to make the line longer than a few bytes"));
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	static char buf[1 << 20];
	unsigned next[THREADS] = {0}, count = 0;
	struct seen seen = {0};

	assert_int_equal(truncate(path, 0), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(log_reopen(), 0); /* while they write */
		log_recent(0, see, &seen);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	read_file(path, buf, sizeof buf);
	for (char *line = strtok(buf, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned t, n;

		assert_int_equal(sscanf(line + TIME_LEN, "info core thread t=%u n=%u pad=\"some ",
					&t, &n),
				 2);
		assert_true(t < THREADS);
		assert_int_equal(n, next[t]++);
		count++;
	}
	assert_int_equal(count, THREADS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_logfmt),
		cmocka_unit_test(no_value_can_forge_a_line_or_a_field),
		cmocka_unit_test(a_long_line_is_cut_at_a_field),
		cmocka_unit_test(levels_are_filtered),
		cmocka_unit_test(a_warning_says_what_errno_says),
		cmocka_unit_test(a_moved_file_is_opened_anew),
		cmocka_unit_test(a_path_that_cannot_be_opened_changes_nothing),
		cmocka_unit_test(a_full_disk_loses_lines_and_goes_on),
		cmocka_unit_test(a_pipe_that_nobody_reads_does_not_block),
		cmocka_unit_test(the_last_lines_are_kept),
		cmocka_unit_test(a_secret_is_written_and_not_kept),
		cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
