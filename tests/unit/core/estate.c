#include "core/estate.h"
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A server that dies gives nothing back, and so do these tests of what comes after it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

struct row {
	uint64_t in_use;
	int32_t fds[2];
	uint8_t rest[48];
};

static const struct estate_kind held = {"held", 1, sizeof(struct row), offsetof(struct row, fds),
					2};
static const struct estate_kind plain = {"plain", 3, 128, 0, 0};
static const struct estate_kind other = {"held", 2, sizeof(struct row), offsetof(struct row, fds),
					 2};

static int stand_in(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* One table with a settled row, one that is not, and a table without descriptors. */
static struct row *fill(struct table *table)
{
	struct table second;
	struct row *row, *half;
	uint32_t at;

	estate_know(&held);
	estate_know(&plain);
	assert_int_equal(estate_create(), 0);
	assert_int_equal(estate_table(table, &held, 7, 100), 0);
	assert_int_equal(estate_table(&second, &plain, 0, 10), 0);
	row = table_take(table, &at);
	row->fds[0] = stand_in();
	row->fds[1] = -1;
	table_settle(table, at);
	half = table_take(table, &at);
	half->fds[0] = stand_in();
	estate_close(&second);
	return row;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static void the_next_one_finds_what_was_settled(void **state)
{
	struct table table, again;
	struct row *row = fill(&table), *found;
	int fd = row->fds[0], estate = estate_fd();

	(void)state;
	assert_false(estate_is_adopted());
	estate_forget();
	estate_know(&held);
	estate_know(&plain);
	assert_int_equal(estate_adopt(estate), 0);
	assert_true(estate_is_adopted());
	assert_int_equal(estate_table(&again, &held, 7, 5), 0);
	assert_int_equal(again.capacity, 100);
	assert_int_equal(again.used, 1);
	found = table_settled(&again, 0);
	assert_non_null(found);
	assert_int_equal(found->fds[0], fd);
	/* Another number is another table. */
	assert_int_equal(estate_table(&again, &held, 8, 5), 0);
	assert_int_equal(again.capacity, 5);
	estate_forget();
}

static void what_nobody_settled_is_swept_away(void **state)
{
	struct table table;
	struct row *row = fill(&table);
	int stray = stand_in(), wanted = stand_in(), kept = row->fds[0];
	int half = ((struct row *)table_row(&table, 1))->fds[0];

	(void)state;
	assert_int_equal(estate_sweep(&wanted, 1), 0);
	assert_true(is_open(kept));
	assert_true(is_open(wanted));
	assert_true(is_open(estate_fd()));
	assert_true(is_open(table.fd));
	assert_false(is_open(stray));
	assert_false(is_open(half));
	estate_forget();
}

static void descriptors_come_in_rising_order_and_once(void **state)
{
	struct table table;
	struct row *row = fill(&table);
	int *fds, count;

	(void)state;
	row->fds[1] = row->fds[0];
	count = estate_descriptors(&fds);
	assert_int_equal(count, 4); /* the estate, two tables, one in a row */
	for (int i = 1; i < count; i++)
		assert_true(fds[i] > fds[i - 1]);
	free(fds);
	estate_forget();
}

static void what_is_not_known_is_refused_whole(void **state)
{
	struct table table;
	struct row *row = fill(&table);
	int estate = estate_fd();

	(void)state;
	estate_forget();
	estate_know(&plain);
	assert_int_equal(estate_adopt(estate), -EPROTO);
	estate_know(&other);
	assert_int_equal(estate_adopt(estate), -EPROTO);
	estate_know(&held);
	assert_int_equal(estate_adopt(estate), 0);
	estate_forget();
	estate_know(&plain);
	estate_know(&held);
	/* A row names a descriptor that is not there. */
	close(row->fds[0]);
	assert_int_equal(estate_adopt(estate), -EPROTO);
	row->fds[0] = -1;
	assert_int_equal(estate_adopt(estate), 0);
	estate_forget();
	assert_int_equal(estate_adopt(-1), -EBADF);
	assert_int_equal(estate_adopt(stand_in()), -EPROTO);
}

static void any_other_byte_in_its_page_is_refused_or_harmless(void **state)
{
	struct table table;
	int estate;

	(void)state;
	fill(&table);
	estate = estate_fd();
	estate_forget();
	for (off_t at = 0; at < 300; at++) {
		uint8_t was, now;

		assert_int_equal(pread(estate, &was, 1, at), 1);
		for (unsigned bit = 0; bit < 8; bit++) {
			now = was ^ (uint8_t)(1u << bit);
			assert_int_equal(pwrite(estate, &now, 1, at), 1);
			estate_know(&held);
			estate_know(&plain);
			(void)!estate_adopt(estate);
			estate_forget();
		}
		assert_int_equal(pwrite(estate, &was, 1, at), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_one_finds_what_was_settled),
		cmocka_unit_test(what_nobody_settled_is_swept_away),
		cmocka_unit_test(descriptors_come_in_rising_order_and_once),
		cmocka_unit_test(what_is_not_known_is_refused_whole),
		cmocka_unit_test(any_other_byte_in_its_page_is_refused_or_harmless),
	};

	return cmocka_run_group_tests_name("estate", tests, NULL, NULL);
}
