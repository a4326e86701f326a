#include "core/table.h"
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../random.h"
#include "oom.h"

#define ROW 128

struct row {
	struct table_row table;
	uint64_t value;
	uint8_t rest[ROW - 16];
};

static uint64_t pages_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks / 8;
}

static void rows_are_zeroed_and_apart(void **state)
{
	enum { CAPACITY = 50 };
	struct random random = random_start("table");
	struct row *mine[CAPACITY] = {NULL};
	struct table table;
	uint32_t used = 0;

	(void)state;
	assert_int_equal(table_create(&table, 1, ROW, CAPACITY), 0);
	for (int round = 0; round < 20000; round++) {
		uint32_t row = (uint32_t)random_below(&random, CAPACITY);

		if (mine[row] && random_percent(&random, 50)) {
			assert_int_equal(mine[row]->value, row + 1);
			table_give(&table, row);
			mine[row] = NULL;
			used--;
		} else {
			struct row *taken = table_take(&table, &row);

			assert_int_equal(taken != NULL, used < CAPACITY);
			if (!taken)
				continue;
			assert_in_range(row, 0, CAPACITY - 1);
			assert_null(mine[row]);
			assert_ptr_equal(taken, table_row(&table, row));
			assert_int_equal(taken->table.in_use, 1);
			for (size_t i = 0; i < sizeof taken->rest; i++)
				assert_int_equal(taken->rest[i], 0);
			memset(taken->rest, 0xee, sizeof taken->rest);
			taken->value = row + 1;
			mine[row] = taken;
			used++;
		}
		assert_int_equal(table.used, used);
	}
	table_close(&table);
}

/* What the next process finds: the rows that were settled, with what was in them. What was half
 * made or half cleared away is free. */
static void rows_outlive_their_owner(void **state)
{
	struct table table, next;
	uint32_t row;

	(void)state;
	assert_int_equal(table_create(&table, 7, ROW, 1000), 0);
	for (uint32_t i = 0; i < 300; i++) {
		struct row *taken = table_take(&table, &row);

		assert_int_equal(row, i);
		taken->value = i * 3;
		if (i % 6)
			table_settle(&table, i);
	}
	for (uint32_t i = 0; i < 300; i += 3) {
		assert_int_equal(table_settled(&table, i) != NULL, i % 6 != 0);
		if (i % 2)
			table_give(&table, i);
	}
	table_doubt(&table, 299);
	assert_null(table_settled(&table, 299));
	assert_int_equal(table_open(&next, dup(table.fd), 7, ROW), 0);
	table_close(&table);
	assert_int_equal(next.used, 199);
	assert_int_equal(next.capacity, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		struct row *found = table_row(&next, i);
		bool used = i < 299 && i % 3;

		assert_int_equal(found->table.in_use == TABLE_SETTLED, used);
		assert_ptr_equal(table_settled(&next, i), used ? found : NULL);
		if (used)
			assert_int_equal(found->value, i * 3);
	}
	for (uint32_t i = 0; i < 299; i += 3) {
		assert_non_null(table_take(&next, &row));
		assert_int_equal(row, i);
	}
	for (uint32_t left = 1000 - 299; left; left--)
		assert_non_null(table_take(&next, &row));
	assert_null(table_take(&next, &row));
	assert_int_equal(next.used, 1000);
	table_close(&next);
}

static void pages_follow_the_rows(void **state)
{
	struct table table;
	uint32_t row;

	(void)state;
	assert_int_equal(table_create(&table, 1, ROW, 1 << 20), 0);
	assert_int_equal(pages_of(table.fd), 1);
	for (int i = 0; i < 100; i++)
		assert_non_null(table_take(&table, &row));
	assert_in_range(pages_of(table.fd), 1 + 100 * ROW / 4096, 2 + 100 * ROW / 4096);
	for (uint32_t i = 0; i < 100; i++)
		table_give(&table, i);
	for (int i = 0; i < 100; i++)
		assert_non_null(table_take(&table, &row));
	assert_in_range(pages_of(table.fd), 1, 2 + 100 * ROW / 4096);
	table_close(&table);
}

/* Looking for the rows in use made every page of the table: 128 MiB for 100 rows. */
static void a_table_opened_again_stays_small(void **state)
{
	struct table table, next;
	uint64_t before;
	uint32_t row;

	(void)state;
	assert_int_equal(table_create(&table, 1, ROW, 1 << 20), 0);
	for (int i = 0; i < 100; i++) {
		assert_non_null(table_take(&table, &row));
		table_settle(&table, row);
	}
	before = pages_of(table.fd);
	assert_int_equal(table_open(&next, dup(table.fd), 1, ROW), 0);
	assert_int_equal(next.used, 100);
	assert_int_equal(pages_of(next.fd), before);
	table_close(&table);
	table_close(&next);
}

static void what_is_no_table_of_this_kind_is_refused(void **state)
{
	struct table table, next;
	uint32_t page[8];
	int fd;

	(void)state;
	assert_int_equal(table_create(&table, 3, ROW, 100), 0);
	fd = table.fd;
	assert_int_equal(table_open(&next, fd, 4, ROW), -EPROTO);
	assert_int_equal(table_open(&next, fd, 3, ROW * 2), -EPROTO);
	assert_int_equal(pread(fd, page, sizeof page, 0), sizeof page);
	for (unsigned bit = 0; bit < 5 * 32; bit++) {
		bool smaller = bit / 32 == 4 && (page[4] & 1u << bit % 32);

		page[bit / 32] ^= 1u << bit % 32;
		assert_int_equal(pwrite(fd, page, sizeof page, 0), sizeof page);
		if (!smaller)
			assert_int_equal(table_open(&next, fd, 3, ROW), -EPROTO);
		page[bit / 32] ^= 1u << bit % 32;
	}
	page[4] = 0; /* capacity */
	assert_int_equal(pwrite(fd, page, sizeof page, 0), sizeof page);
	assert_int_equal(table_open(&next, fd, 3, ROW), -EPROTO);
	page[4] = 100;
	page[5] = 101; /* the rows that were ever used */
	assert_int_equal(pwrite(fd, page, sizeof page, 0), sizeof page);
	assert_int_equal(table_open(&next, fd, 3, ROW), -EPROTO);
	page[5] = 0;
	assert_int_equal(pwrite(fd, page, sizeof page, 0), sizeof page);
	assert_int_equal(ftruncate(fd, 4096 + 100 * ROW - 1), 0);
	assert_int_equal(table_open(&next, fd, 3, ROW), -EPROTO);
	assert_int_equal(table_open(&next, -1, 3, ROW), -EBADF);
	table_close(&next);
	table_close(&table);
}

static void shapes_are_checked(void **state)
{
	struct table table;

	(void)state;
	assert_int_equal(table_create(&table, 1, 0, 10), -EINVAL);
	assert_int_equal(table_create(&table, 1, 65, 10), -EINVAL);
	assert_int_equal(table_create(&table, 1, 64, 0), -EINVAL);
	assert_int_equal(table_create(&table, 1, 0xffffffc0, 0xffffffff), -EINVAL);
	table_close(&table);
	table = (struct table){0};
	table_close(&table);
}

static void refused_memory_is_an_error_and_leaks_nothing(void **state)
{
	int lowest = open("/dev/null", O_RDONLY);
	bool hit = true;

	(void)state;
	close(lowest);
	for (unsigned n = 0; hit; n++) {
		struct table table, next = {.fd = -1};
		int error, fd = -1;

		oom_arm(n);
		error = table_create(&table, 1, ROW, 100);
		if (!error) {
			fd = dup(table.fd);
			error = table_open(&next, fd, 1, ROW);
		}
		hit = oom_disarm();
		assert_int_equal(error, hit ? -ENOMEM : 0);
		if (error && fd != -1)
			close(fd);
		table_close(&next);
		table_close(&table);
		fd = open("/dev/null", O_RDONLY);
		assert_int_equal(fd, lowest);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_zeroed_and_apart),
		cmocka_unit_test(rows_outlive_their_owner),
		cmocka_unit_test(pages_follow_the_rows),
		cmocka_unit_test(a_table_opened_again_stays_small),
		cmocka_unit_test(what_is_no_table_of_this_kind_is_refused),
		cmocka_unit_test(shapes_are_checked),
		cmocka_unit_test(refused_memory_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
