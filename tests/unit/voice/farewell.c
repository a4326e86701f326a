/* How long what nobody can find any more is kept: a worker's words go to a second one as a slice, and from
 * there to a third for its tunnels, and each of these steps may wait until the baton comes by. */
#include "voice.h"
#include "voice/voice_left.h"

static struct worker other = {.id = 0};
static struct message *posted;
static struct baton *out;
static unsigned freed;

void __wrap_baton_send(struct baton *baton);

void __wrap_baton_send(struct baton *baton)
{
	assert_null(out);
	out = baton;
}

struct worker *__wrap_worker_of(unsigned id);
void __wrap_worker_post(struct worker *worker, struct message *message);

struct worker *__wrap_worker_of(unsigned id)
{
	assert_int_equal(id, 0);
	return &other;
}

void __wrap_worker_post(struct worker *worker, struct message *message)
{
	assert_ptr_equal(worker, &other);
	assert_null(posted);
	posted = message;
}

static void on_freed(struct voice_retired *retired)
{
	(void)retired;
	freed++;
}

static void come_home(void)
{
	struct baton *baton = out;

	assert_non_null(baton);
	out = NULL;
	baton->home(baton);
}

static void what_went_two_ways_has_arrived_before_it_is_freed(void **state)
{
	struct voice_retired first = {.free = on_freed}, later = {.free = on_freed};

	(void)state;
	enter_control();
	voice_hub = (struct voice_hub){.running = true};
	voice_retire(&first);
	voice_settle();
	voice_retire(&later);
	for (unsigned round = 1; round <= 3; round++) {
		voice_settle(); /* no second baton meanwhile */
		assert_int_equal(freed, 0);
		come_home();
	}
	assert_int_equal(freed, 1);
	assert_null(out);
	voice_settle();
	for (unsigned round = 1; round <= 3; round++) {
		assert_int_equal(freed, 1);
		come_home();
	}
	assert_int_equal(freed, 2);
	assert_null(out);
}

static void deliver(void)
{
	assert_non_null(posted);
	role_here = ROLE_WORKER;
	posted->deliver(posted);
	role_here = ROLE_CONTROL;
	posted = NULL;
}

/* Who asks then halts the workers at once, and control has no turn any more. */
static void what_was_said_is_on_its_way_before_another_server_takes_over(void **state)
{
	struct voice_peer *peer = voice_peer_make(&other);
	struct mumble_message message;

	(void)state;
	enter_control();
	assert_non_null(peer);
	voice_hub = (struct voice_hub){.running = true, .session_next = 1};
	peer->session = 5;
	assert_true(voice_user_back(peer));
	message_init(&message, MUMBLE_PING);
	voice_send(peer->user, &message);
	assert_null(posted);
	(void)voice_left_is_hushed();
	deliver();
	voice_hub_fini();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_two_ways_has_arrived_before_it_is_freed),
		cmocka_unit_test(what_was_said_is_on_its_way_before_another_server_takes_over),
	};

	role_here = ROLE_CONTROL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
