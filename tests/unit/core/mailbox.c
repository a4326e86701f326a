#include "core/mailbox.h"
#include "guarded.h"

#include <errno.h>
#include <stdatomic.h>

#include "core/bytes.h"
#include "oom.h"

#define SENDERS  4u
#define MESSAGES 5000u

struct letter {
	struct message message;
	unsigned sender, number;
};

static uv_loop_t loop;
static struct mailbox mailbox;
static unsigned delivered, next_of[SENDERS];
static pthread_t owner;

static int start(void **state)
{
	(void)state;
	memset(next_of, 0, sizeof next_of);
	delivered = 0;
	owner = pthread_self();
	return uv_loop_init(&loop) || mailbox_init(&mailbox, &loop);
}

static int stop(void **state)
{
	(void)state;
	mailbox_fini(&mailbox);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void deliver_letter(struct message *message)
{
	struct letter *letter = container_of(message, struct letter, message);

	assert_true(pthread_equal(pthread_self(), owner));
	assert_int_equal(letter->number, next_of[letter->sender]);
	next_of[letter->sender]++;
	delivered++;
	free(letter);
}

static void post(unsigned sender, unsigned number)
{
	struct letter *letter = malloc(sizeof *letter);

	CHECK(letter);
	*letter = (struct letter){{NULL, deliver_letter}, sender, number};
	mailbox_post(&mailbox, &letter->message);
}

static void *send_all(void *arg)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		post((unsigned)(uintptr_t)arg, i);
	return NULL;
}

static void each_senders_order_is_kept(void **state)
{
	pthread_t sender[SENDERS];

	(void)state;
	for (uintptr_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&sender[i], NULL, send_all, (void *)i), 0);
	while (delivered < SENDERS * MESSAGES)
		uv_run(&loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < SENDERS; i++) {
		pthread_join(sender[i], NULL);
		assert_int_equal(next_of[i], MESSAGES);
	}
}

/* The owner is woken once for all that came meanwhile: after one turn there is nothing to do. */
static void many_messages_are_one_wake(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		post(0, i);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(delivered, 1000);
	mailbox_deliver(&mailbox);
	assert_int_equal(delivered, 1000);
	/* What the owner fetched itself needs no bell; the next message rings again. */
	post(0, 1000);
	mailbox_deliver(&mailbox);
	assert_int_equal(delivered, 1001);
	post(0, 1001);
	uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(delivered, 1002);
}

static unsigned turns;

static void deliver_again(struct message *message)
{
	if (++turns < 5)
		mailbox_post(&mailbox, message);
	else
		free(message);
}

/* A message that posts itself does not keep the loop from its other work. */
static void what_is_posted_meanwhile_waits_a_turn(void **state)
{
	struct message *message = malloc(sizeof *message);

	(void)state;
	assert_non_null(message);
	message->deliver = deliver_again;
	turns = 0;
	mailbox_post(&mailbox, message);
	mailbox_deliver(&mailbox);
	assert_int_equal(turns, 1);
	while (turns < 5)
		uv_run(&loop, UV_RUN_ONCE);
}

static void deliver_fetch(struct message *message)
{
	free(message);
	post(0, 2);
	mailbox_deliver(&mailbox);
	assert_int_equal(delivered, 3);
}

/* As a worker does that is told to stop: what came later overtook what was in its hand. */
static void order_is_kept_by_who_fetches_within_a_message(void **state)
{
	struct message *message = malloc(sizeof *message);

	(void)state;
	assert_non_null(message);
	message->deliver = deliver_fetch;
	mailbox_post(&mailbox, message);
	post(0, 0);
	post(0, 1);
	mailbox_deliver(&mailbox);
	assert_int_equal(delivered, 3);
}

/* mailbox_fini (in stop) delivers all, and what these bring; ASan finds what is left behind. */
static void what_waits_at_the_end_is_delivered(void **state)
{
	struct message *message = malloc(sizeof *message);

	(void)state;
	assert_non_null(message);
	turns = 0;
	message->deliver = deliver_again;
	post(0, 0);
	mailbox_post(&mailbox, message);
	mailbox_fini(&mailbox);
	assert_int_equal(delivered, 1);
	assert_int_equal(turns, 5);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(mailbox_init(&mailbox, &loop), 0);
}

static void refused_memory_is_an_error(void **state)
{
	bool hit = true;

	(void)state;
	for (unsigned n = 0; hit; n++) {
		uv_loop_t other;
		struct mailbox box;
		int error;

		assert_int_equal(uv_loop_init(&other), 0);
		oom_arm(n);
		error = mailbox_init(&box, &other);
		hit = oom_disarm();
		assert_int_equal(error, hit ? -ENOMEM : 0);
		if (!error)
			mailbox_fini(&box);
		uv_run(&other, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&other), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_senders_order_is_kept, start, stop),
		cmocka_unit_test_setup_teardown(many_messages_are_one_wake, start, stop),
		cmocka_unit_test_setup_teardown(what_is_posted_meanwhile_waits_a_turn, start, stop),
		cmocka_unit_test_setup_teardown(order_is_kept_by_who_fetches_within_a_message,
						start, stop),
		cmocka_unit_test_setup_teardown(what_waits_at_the_end_is_delivered, start, stop),
		cmocka_unit_test(refused_memory_is_an_error),
	};

	oom_with_uv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
