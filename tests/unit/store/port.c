/* port: what is reported is bounded: a store that takes nothing costs events, which are counted, and
 * never memory or time. */
#include "guarded.h"

#include "core/metric.h"
#include "store/store.h"
#include "store/store_port.h"

#define FLOOD 300000u

static uv_loop_t loop;
static struct mailbox mailbox;
static uint64_t came, batches;
static char last_title[64];
static size_t last_len;

/* The store's part: reads and gives back. */
static void deliver(struct message *message)
{
	struct store_batch *batch = container_of(message, struct store_batch, message);

	for (uint32_t at = 0; at < batch->len;) {
		const struct store_event *event =
			(const struct store_event *)(const void *)(batch->bytes + at);

		assert_true(event->size >= sizeof *event && event->size % 8 == 0);
		assert_true(event->size <= batch->len - at);
		assert_int_equal(event->kind, STORE_SONG);
		snprintf(last_title, sizeof last_title, "%s", store_event_text(event, 1));
		last_len = event->text_len[1];
		at += event->size;
		came++;
	}
	batches++;
	batch->len = batch->events = 0;
	atomic_store_explicit(&batch->busy, false, memory_order_release);
}

static uint64_t lost(void)
{
	return (uint64_t)metric_sum(METRIC_store_events_lost);
}

static int start(void **state)
{
	(void)state;
	came = batches = 0;
	return uv_loop_init(&loop) || mailbox_init(&mailbox, &loop) ||
	       port_open(&loop, &mailbox, deliver);
}

static int stop(void **state)
{
	(void)state;
	port_close();
	mailbox_fini(&mailbox);
	uv_run(&loop, UV_RUN_DEFAULT);
	port_free_all();
	return uv_loop_close(&loop);
}

static void turn(void)
{
	port_flush();
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void what_is_reported_arrives_in_order(void **state)
{
	char title[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(title, sizeof title, "song %d", i);
		store_song("/live", title, 1, 2);
	}
	turn();
	assert_int_equal(came, 1000);
	assert_string_equal(last_title, "song 999");
}

static void a_store_that_takes_nothing_costs_what_is_counted(void **state)
{
	uint64_t before = lost(), dropped;

	(void)state;
	for (unsigned i = 0; i < FLOOD; i++)
		store_song("/live", "flood", 1, 2);
	dropped = lost() - before;
	assert_true(dropped > 0 && dropped < FLOOD);
	assert_int_equal(came, 0);
	turn();
	/* All that was not counted as lost is there, and no batch more than there are. */
	assert_int_equal(came, FLOOD - dropped);
	assert_true(batches <= PORT_BATCHES);
	/* And it takes again. */
	came = 0;
	store_song("/live", "after", 1, 2);
	turn();
	assert_int_equal(came, 1);
	assert_int_equal(lost() - before, dropped);
}

static void a_text_without_end_is_cut_between_characters(void **state)
{
	static char title[3 * STORE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof title; i += 2)
		memcpy(title + i, "\xc3\xa4", 2);
	store_song("/live", title, 1, 2);
	turn();
	assert_int_equal(came, 1);
	assert_int_equal(last_len, STORE_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_reported_arrives_in_order, start, stop),
		cmocka_unit_test_setup_teardown(a_store_that_takes_nothing_costs_what_is_counted,
						start, stop),
		cmocka_unit_test_setup_teardown(a_text_without_end_is_cut_between_characters, start,
						stop),
	};

	(void)!metric_thread_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
