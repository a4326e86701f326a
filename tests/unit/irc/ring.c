#include "irc/irc_ring.h"

#include <stdio.h>

#include "guarded.h"
#include "random.h"

static void put(struct irc_ring *ring, uint64_t number, size_t size, uint32_t limit)
{
	static char text[4096];
	struct irc_record record = {.at_ms = (int64_t)number, .kind = 7, .origin = 9};

	memset(text, (int)('a' + number % 26), size);
	record.tags = bytes_of(text, size / 3);
	record.line = bytes_of(text, size - size / 3);
	assert_true(irc_ring_put(ring, &record, limit));
	assert_int_equal(record.seq, number);
}

static void whole(const struct irc_ring *ring, uint64_t seq, size_t size)
{
	struct irc_record record;

	assert_true(irc_ring_get(ring, seq, &record));
	assert_int_equal(record.seq, seq);
	assert_int_equal(record.at_ms, seq);
	assert_int_equal(record.tags.len, size / 3);
	assert_int_equal(record.line.len, size - size / 3);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(record.tags.at[i], 'a' + seq % 26);
}

static void test_grows_and_keeps_all(void **state)
{
	struct irc_ring ring;

	(void)state;
	irc_ring_init(&ring, 1);
	assert_int_equal(irc_ring_memory(&ring), 0);
	for (uint64_t i = 1; i <= 500; i++)
		put(&ring, i, i % 100, 1 << 20);
	assert_int_equal(ring.kept, 1);
	for (uint64_t i = 500, bytes = 0; i > 0; i--) {
		whole(&ring, i, i % 100);
		bytes += i % 100;
		assert_int_equal(irc_ring_bytes_from(&ring, i), bytes);
	}
	irc_ring_fini(&ring);
	assert_int_equal(ring.kept, ring.head);
	/* However much longer a line is than what there was. */
	for (size_t size = 1; size < 300; size++) {
		irc_ring_init(&ring, 1);
		for (uint64_t i = 1; i <= 20; i++)
			put(&ring, i, size + i % 3 * 50, 1 << 20);
		assert_int_equal(ring.kept, 1);
		for (uint64_t i = 1; i <= 20; i++)
			whole(&ring, i, size + i % 3 * 50);
		irc_ring_fini(&ring);
	}
}

static void test_laps_at_its_limit(void **state)
{
	struct random random = random_start("ring");
	static size_t sizes[20001];
	struct irc_ring ring;
	struct irc_record record;

	(void)state;
	irc_ring_init(&ring, 1);
	for (uint64_t i = 1; i <= 20000; i++) {
		sizes[i] = random_next(&random) % 900;
		put(&ring, i, sizes[i], 16384);
		assert_true(ring.size <= 16384);
		/* The newest is always there, and all from the oldest kept on. */
		whole(&ring, i, sizes[i]);
		if (i % 97 == 0)
			for (uint64_t k = ring.kept; k <= i; k++) {
				whole(&ring, k, sizes[k]);
				assert_in_range(irc_ring_bytes_from(&ring, k), sizes[k], 16384);
			}
	}
	assert_true(ring.head - ring.kept > 10);
	assert_false(irc_ring_get(&ring, ring.kept - 1, &record));
	assert_false(irc_ring_get(&ring, ring.head, &record));
	assert_false(irc_ring_get(&ring, 0, &record));
	irc_ring_fini(&ring);
}

static void test_refuses_what_is_too_long(void **state)
{
	static char text[20000];
	struct irc_record record = {.line = bytes_of(text, 8193)};
	struct irc_ring ring;

	(void)state;
	irc_ring_init(&ring, 77);
	assert_false(irc_ring_put(&ring, &record, 16384));
	record.line.len = 8192;
	assert_true(irc_ring_put(&ring, &record, 16384));
	assert_int_equal(record.seq, 77);
	for (int i = 0; i < 10; i++)
		assert_true(irc_ring_put(&ring, &record, 16384));
	irc_ring_fini(&ring);
}

/* Lines of a few bytes are many: their index has a limit too. */
static void test_short_lines(void **state)
{
	enum { LIMIT = 16384 };
	struct irc_ring ring;
	struct irc_record record = {.line = BYTES("999")};

	(void)state;
	irc_ring_init(&ring, 1);
	for (int i = 0; i < 100000; i++)
		assert_true(irc_ring_put(&ring, &record, LIMIT));
	assert_true(irc_ring_memory(&ring) <= 2 * LIMIT);
	assert_true(ring.head - ring.kept > LIMIT / 64);
	assert_true(irc_ring_get(&ring, ring.head - 1, &record) && record.line.len == 3);
	irc_ring_fini(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_lines),
		cmocka_unit_test(test_grows_and_keeps_all),
		cmocka_unit_test(test_laps_at_its_limit),
		cmocka_unit_test(test_refuses_what_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
