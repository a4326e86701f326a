#include "core/handover.h"
#include "guarded.h"

#include "../../random.h"

static struct bytes written(const struct handover_message *message)
{
	static uint8_t room[HANDOVER_MESSAGE_MAX];

	return handover_write(message, room);
}

static void assert_same(const struct handover_message *a, const struct handover_message *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->estate, b->estate);
	assert_memory_equal(a->numbers, b->numbers, sizeof a->numbers);
}

static void what_is_written_is_read(void **state)
{
	struct handover_message message[] = {
		{.kind = HANDOVER_HELLO, .version = 1},
		{.kind = HANDOVER_FDS, .count = 3, .numbers = {3, 7, 19000}},
		{.kind = HANDOVER_FDS, .count = SCM_MOST},
		{.kind = HANDOVER_END, .count = 70000, .estate = 5},
		{.kind = HANDOVER_ABLE},
		{.kind = HANDOVER_DOORS},
		{.kind = HANDOVER_GO},
		{.kind = HANDOVER_TAKEN},
	};

	(void)state;
	for (uint32_t i = 0; i < SCM_MOST; i++)
		message[2].numbers[i] = 3 + 4 * i;
	for (size_t i = 0; i < COUNT_OF(message); i++) {
		struct bytes out = written(&message[i]);
		struct handover_message got;

		assert_true(handover_parse(out, &got));
		assert_same(&got, &message[i]);
		/* No more and no less. */
		for (size_t len = 0; len < out.len; len++)
			assert_false(handover_parse(bytes_first(out, len), &got));
	}
}

static void numbers_that_cannot_be_are_refused(void **state)
{
	static const struct handover_message bad[] = {
		{.kind = HANDOVER_FDS, .count = 1, .numbers = {2}},
		{.kind = HANDOVER_FDS, .count = 2, .numbers = {9, 9}},
		{.kind = HANDOVER_FDS, .count = 2, .numbers = {9, 8}},
		{.kind = HANDOVER_FDS, .count = 2, .numbers = {9, UINT32_MAX}},
		{.kind = HANDOVER_FDS, .count = 0},
		{.kind = HANDOVER_END, .count = 1, .estate = 2},
		{.kind = HANDOVER_END, .count = 1, .estate = UINT32_MAX},
	};
	struct handover_message got;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(handover_parse(written(&bad[i]), &got));
	assert_false(handover_parse(BYTES("F\xff\xff\xff\xff"), &got));
	assert_false(handover_parse(BYTES("X"), &got));
	assert_false(handover_parse(BYTES("GG"), &got));
}

static void any_bytes_are_read_or_refused(void **state)
{
	struct random random = random_start("handover");
	struct handover_message got;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t room[64];
		struct bytes in;
		size_t len = random_below(&random, sizeof room);

		for (size_t i = 0; i < len; i++)
			room[i] = (uint8_t)random_below(&random, 256);
		if (len)
			room[0] = "HFEADGT?"[random_below(&random, 8)];
		in = guarded(bytes_of(room, len));
		(void)handover_parse(in, &got);
		guarded_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(numbers_that_cannot_be_are_refused),
		cmocka_unit_test(any_bytes_are_read_or_refused),
	};

	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
