/* index: each line is found by its words once it is indexed, wherever the steps end, and is not when it is
 * gone. */
#include "guarded.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/store_db.h"
#include "store/store_index.h"
#include "store/store_irc.h"
#include "store/store_write.h"

#define LINES 4500 /* more than two steps */

static char directory[] = "/tmp/ringmain-index-XXXXXX";
static char path[64];

static void run(struct store_db *db, const char *sql)
{
	if (db_run(db, sql) != STORE_GOOD)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db->sqlite));
}

static size_t found(struct store_db *db, enum store_irc_query query, const char *user,
		    const char *words)
{
	struct store_irc_ask ask = {.query = query, .number = {0, 0, INT64_MAX, 0, 10000}};
	size_t count;

	snprintf(ask.text[0], sizeof ask.text[0], "%s", user);
	snprintf(ask.text[1], sizeof ask.text[1], "%s", words);
	assert_int_equal(store_irc_run(db, &ask.ask), STORE_GOOD);
	count = ask.rows.count;
	store_rows_fini(&ask.rows);
	return count;
}

static void open_with_lines(struct store_db *db)
{
	char sql[300];

	(void)!unlink(path);
	assert_int_equal(db_open(db, path), STORE_GOOD);
	run(db, "INSERT INTO irc_networks VALUES (1, 'ann', 'net', '', '', ''), "
		"(2, 'bob', 'net', '', '', '')");
	run(db, "INSERT INTO irc_buffers (id, network, name, settings, marker) VALUES "
		"(7, 1, '#a', '', 0), (8, 2, '#a', '', 0)");
	run(db, "BEGIN");
	for (int i = 1; i <= LINES; i++) {
		snprintf(sql, sizeof sql,
			 "INSERT INTO irc_lines VALUES (%d, %d, %d, %d, '', ':x!y@z PRIVMSG #a "
			 ":Zürich no%d %s')",
			 i % 2 ? 7 : 8, i, i, i % 10 ? 0x201 : 0x101, i, i % 3 ? "odd" : "third");
		run(db, sql);
	}
	run(db, "COMMIT");
}

/* As it is reported. */
static void report(struct store_db *db, enum store_kind kind, int64_t id, int64_t value)
{
	static struct store_batch batch;
	struct store_event event = {
		.size = sizeof event, .kind = (uint8_t)kind, .number = {id, value}};

	memcpy(batch.bytes, &event, sizeof event);
	batch.len = sizeof event;
	batch.events = 1;
	assert_int_equal(write_batch(db, &batch), STORE_GOOD);
}

/* How many rows of a buffer are in the index. */
static int64_t indexed(struct store_db *db, int64_t buffer)
{
	sqlite3_stmt *statement;
	int64_t count;

	assert_int_equal(sqlite3_prepare_v2(db->sqlite,
					    "SELECT count(*) FROM irc_words WHERE irc_words MATCH "
					    "'no* OR other OR zurich' AND rowid >> 40 = ?1",
					    -1, &statement, NULL),
			 SQLITE_OK);
	sqlite3_bind_int64(statement, 1, buffer);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return count;
}

static void a_search_finds_what_was_not_indexed_yet(void **state)
{
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"zurich\"*"), LINES / 2);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"no4499\"*"), 1);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"no4498\"*"), 0);
	/* An event, whatever stands in it, is nothing that was said. */
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "bob", "\"no4490\"*"), 0);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "bob", "\"thi\"* \"no66\"*"), 2);
	/* Names and commands are not said either. */
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"privmsg\"*"), 0);
	assert_int_equal(found(&db, STORE_IRC_LOOK, "ann", ""), LINES / 2);
	db_close(&db);
}

static void small_steps_come_to_the_same(void **state)
{
	struct store_db db = {0};
	unsigned steps = 0;
	bool more = true;

	(void)state;
	open_with_lines(&db);
	for (; more && steps < 100; steps++)
		assert_int_equal(index_some(&db, &more), STORE_GOOD);
	assert_in_range(steps, 3, 8);
	assert_int_equal(index_some(&db, &more), STORE_GOOD);
	assert_false(more);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"zurich\"*"), LINES / 2);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "bob", "\"zurich\"*"),
			 LINES / 2 - LINES / 10);
	db_close(&db);
}

static void what_is_gone_is_not_found(void **state)
{
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "bob", "\"zurich\"*"),
			 LINES / 2 - LINES / 10);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"no1\"*"), 556);
	report(&db, STORE_IRC_PRUNE, 7, 1000);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"no1\"*"), 500);
	report(&db, STORE_IRC_PRUNE, 7, INT64_MAX);
	assert_int_equal(indexed(&db, 7), 0);
	/* Numbers begin anew, and what they named is not found by them. */
	run(&db, "INSERT INTO irc_lines VALUES (7, 1, 1, 1, '', ':x!y@z PRIVMSG #a :other')");
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"no1\"*"), 0);
	assert_int_equal(found(&db, STORE_IRC_SEARCH, "ann", "\"other\"*"), 1);
	report(&db, STORE_IRC_BUFFER_DROP, 7, 0);
	assert_int_equal(indexed(&db, 7), 0);
	assert_int_equal(indexed(&db, 8), LINES / 2 - LINES / 10);
	report(&db, STORE_IRC_BUFFERS_DROP, 2, 0);
	assert_int_equal(indexed(&db, 8), 0);
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_finds_what_was_not_indexed_yet),
		cmocka_unit_test(small_steps_come_to_the_same),
		cmocka_unit_test(what_is_gone_is_not_found),
	};
	char command[80];
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path, "%s/db", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	(void)!system(command); /* NOLINT(cert-env33-c) */
	return failed;
}
