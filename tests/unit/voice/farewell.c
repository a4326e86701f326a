/* How long what nobody can find any more is kept: a worker's words go to a second one as a slice, and from
 * there to a third for its tunnels, and each of these steps may wait until the baton comes by. */
#include "voice.h"
#include "voice/voice_part.h"

static struct baton *out;
static unsigned freed;

void __wrap_baton_send(struct baton *baton);

void __wrap_baton_send(struct baton *baton)
{
	assert_null(out);
	out = baton;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_two_ways_has_arrived_before_it_is_freed)};

	role_here = ROLE_CONTROL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
