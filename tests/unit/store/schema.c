/* schema: each step leads to the next one and keeps what there is; what is not ours is left alone. */
#include "guarded.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/metric.h"
#include "store/store_db.h"
#include "store/store_schema.h"
#include "store/store_write.h"

static char directory[] = "/tmp/ringmain-schema-XXXXXX";
static char path[64];

static int64_t number(struct store_db *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void run(const char *sql)
{
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sqlite);
}

static int start(void **state)
{
	(void)state;
	(void)!unlink(path);
	return 0;
}

static void a_new_file_is_whole_and_private(void **state)
{
	struct store_db db = {0};
	struct stat facts;

	(void)state;
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	assert_int_equal(number(&db, "PRAGMA user_version"), store_schema_version);
	assert_int_equal(number(&db, "SELECT count(*) FROM users"), 0);
	assert_int_equal(stat(path, &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
	db_close(&db);
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	db_close(&db);
}

static void each_older_file_is_brought_up_to_date(void **state)
{
	(void)state;
	for (int version = 1; version < store_schema_version; version++) {
		struct store_db db = {0};
		char set[64];

		(void)!unlink(path);
		for (int i = 0; i < version; i++)
			run(store_schema[i].sql);
		snprintf(set, sizeof set, "PRAGMA user_version = %d", version);
		run(set);
		run("INSERT INTO songs (mount, title, began, listeners, peak) VALUES "
		    "('/live', 'kept', 1, 2, 3)");
		assert_int_equal(db_open(&db, path), STORE_GOOD);
		assert_int_equal(number(&db, "PRAGMA user_version"), store_schema_version);
		assert_int_equal(number(&db, "SELECT count(*) FROM songs WHERE title = 'kept'"), 1);
		db_close(&db);
	}
}

static void what_is_not_ours_is_left_alone(void **state)
{
	static const struct {
		const char *sql;
		enum store_fault fault;
	} cases[] = {
		{"PRAGMA user_version = 1000", STORE_NEWER},
		{"PRAGMA application_id = 7", STORE_FOREIGN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct store_db db = {0};

		(void)!unlink(path);
		assert_int_equal(db_open(&db, path), STORE_GOOD);
		db_close(&db);
		run(cases[i].sql);
		assert_int_equal(db_open(&db, path), cases[i].fault);
		assert_null(db.sqlite);
	}
	(void)!unlink(path);
	run("CREATE TABLE theirs (x)");
	struct store_db db = {0};
	assert_int_equal(db_open(&db, path), STORE_FOREIGN);
}

/* 30 minutes of two listeners are one listener an hour. */
static void minutes_become_hours_and_days(void **state)
{
	struct store_db db = {0};

	(void)state;
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	for (int i = 0; i < 30; i++) {
		char sql[160];

		snprintf(sql, sizeof sql,
			 "INSERT INTO minutes VALUES ('/live', %d, 2.0, %d, 1, 10, 20)", i * 60000,
			 i);
		assert_int_equal(db_run(&db, sql), STORE_GOOD);
	}
	db.oldest_minute = 0;
	assert_int_equal(write_roll_up(&db), STORE_GOOD);
	assert_int_equal(number(&db, "SELECT listeners * 1000 FROM hours"), 1000);
	assert_int_equal(number(&db, "SELECT peak FROM hours"), 29);
	assert_int_equal(number(&db, "SELECT bytes_out FROM days"), 600);
	assert_int_equal(number(&db, "SELECT round(listeners * 24 * 1000) FROM days"), 1000);
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_new_file_is_whole_and_private, start),
		cmocka_unit_test_setup(each_older_file_is_brought_up_to_date, start),
		cmocka_unit_test_setup(what_is_not_ours_is_left_alone, start),
		cmocka_unit_test_setup(minutes_become_hours_and_days, start),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path, "%s/db", directory);
	(void)!metric_thread_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)!unlink(path);
	rmdir(directory);
	return failed;
}
