/* metric: sums over threads, and the text that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/metric.h"

#define THREADS 4
#define ROUNDS  20000

static void *count_much(void *arg)
{
	bool registered = (uintptr_t)arg < THREADS - 1; /* one counts in the shared block */

	if (registered)
		assert_int_equal(metric_thread_start(), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		metric_add(METRIC_radio_bytes_in, 3);
		metric_add(METRIC_edge_connections, i % 2 ? -1 : 1);
		metric_observe(METRIC_radio_gap_milliseconds, i % 3 ? 50 : 51);
	}
	if (registered)
		metric_thread_stop();
	return NULL;
}

static char *exposition(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	metric_write(out);
	fclose(out);
	return text;
}

static void threads_are_summed_while_they_count(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	int64_t before = metric_sum(METRIC_radio_bytes_in), last = before;

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_much, (void *)i), 0);
	for (unsigned i = 0; i < 50; i++) {
		int64_t now = metric_sum(METRIC_radio_bytes_in);

		assert_true(now >= last);
		assert_int_equal((now - before) % 3, 0);
		last = now;
		free(exposition());
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_sum(METRIC_radio_bytes_in) - before, 3 * THREADS * ROUNDS);
	assert_int_equal(metric_sum(METRIC_edge_connections), 0);
	assert_int_equal(metric_sum(METRIC_radio_gap_milliseconds), THREADS * ROUNDS);
}

static void *add_one(void *arg)
{
	(void)arg;
	assert_int_equal(metric_thread_start(), 0);
	metric_add(METRIC_radio_bytes_out, 1);
	metric_thread_stop();
	return NULL;
}

static void what_ended_threads_counted_stays(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, add_one, NULL), 0);
		pthread_join(thread, NULL);
		assert_int_equal(metric_sum(METRIC_radio_bytes_out), i + 1);
	}
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not written: %s", part);
}

static void the_exposition_has_help_type_and_value(void **state)
{
	(void)state;
	metric_add(METRIC_radio_listeners, 5);
	metric_add(METRIC_radio_listeners, -2);
	metric_add(METRIC_edge_answers_2xx, 7);
	char *text = exposition();

	assert_has(text, "# HELP ringmain_radio_listeners Listeners that are connected.\n"
			 "# TYPE ringmain_radio_listeners gauge\n"
			 "ringmain_radio_listeners 3\n");
	assert_has(text, "# TYPE ringmain_edge_answers_2xx_total counter\n"
			 "ringmain_edge_answers_2xx_total 7\n");
	assert_has(text, "\nringmain_core_log_lines_lost_total 0\n");
	free(text);
}

static void buckets_add_up(void **state)
{
	(void)state;
	static const uint64_t values[] = {0, 100, 101, 250, 30000, 30001, 1000000};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		metric_observe(METRIC_radio_lag_milliseconds, values[i]);
	char *text = exposition();

	assert_has(text, "# TYPE ringmain_radio_lag_milliseconds histogram\n"
			 "ringmain_radio_lag_milliseconds_bucket{le=\"100\"} 2\n"
			 "ringmain_radio_lag_milliseconds_bucket{le=\"250\"} 4\n"
			 "ringmain_radio_lag_milliseconds_bucket{le=\"500\"} 4\n");
	assert_has(text, "ringmain_radio_lag_milliseconds_bucket{le=\"30000\"} 5\n"
			 "ringmain_radio_lag_milliseconds_bucket{le=\"+Inf\"} 7\n"
			 "ringmain_radio_lag_milliseconds_sum 1060452\n"
			 "ringmain_radio_lag_milliseconds_count 7\n");
	free(text);
}

static void rooms_write_samples_with_labels(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	metric_write_head(out, "mount_listeners", "gauge", "Listeners\\of\na mount.");
	metric_write_sample(out, "mount_listeners", -4, "mount", "/a\"b\\c\nd", "family", "radio",
			    NULL);
	metric_write_sample(out, "mount_listeners", 1, NULL);
	fclose(out);
	assert_string_equal(text, "# HELP ringmain_mount_listeners Listeners\\\\of\\na mount.\n"
				  "# TYPE ringmain_mount_listeners gauge\n"
				  "ringmain_mount_listeners{mount=\"/a\\\"b\\\\c\\nd\","
				  "family=\"radio\"} -4\n"
				  "ringmain_mount_listeners 1\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_are_summed_while_they_count),
		cmocka_unit_test(what_ended_threads_counted_stays),
		cmocka_unit_test(the_exposition_has_help_type_and_value),
		cmocka_unit_test(buckets_add_up),
		cmocka_unit_test(rooms_write_samples_with_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
