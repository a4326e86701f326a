/* index: each line is found by any part of its words, in the index or not, and is not when it is gone. */
#include "guarded.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/store_db.h"
#include "store/store_index.h"
#include "store/store_irc.h"
#include "store/store_schema.h"
#include "store/store_search.h"
#include "store/store_write.h"

#define LINES 4500 /* more than two steps */

/* However long the machine stops between two turns. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){1000000, 0};
	return 0;
}

static char directory[] = "/tmp/ringmain-index-XXXXXX";
static char path[64];

static unsigned turns;
static int64_t behind, newest;

static void run(struct store_db *db, const char *sql)
{
	if (db_run(db, sql) != STORE_GOOD)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db->sqlite));
}

static size_t found_in(struct store_db *db, const char *user, const char *words, const char *from,
		       int64_t limit)
{
	struct store_irc_ask ask = {.query = STORE_IRC_SEARCH,
				    .number = {0, 0, INT64_MAX, 0, limit}};
	int64_t last = INT64_MAX;
	size_t count;

	snprintf(ask.text[0], sizeof ask.text[0], "%s", user);
	snprintf(ask.text[1], sizeof ask.text[1], "%s", words);
	snprintf(ask.text[3], sizeof ask.text[3], "%s", from);
	turns = 0;
	/* As the store does, turn for turn. */
	do {
		ask.ask.again = false;
		assert_int_equal(store_irc_run(db, &ask.ask), STORE_GOOD);
		turns++;
	} while (ask.ask.again);
	behind = ask.behind;
	count = ask.rows.count;
	newest = count ? store_cell(&ask.rows, 0, 3)->number : 0;
	for (size_t i = 0; i < count; i++) {
		assert_true(store_cell(&ask.rows, i, 3)->number <= last);
		last = store_cell(&ask.rows, i, 3)->number;
	}
	store_irc_fini(&ask);
	return count;
}

static size_t found(struct store_db *db, const char *user, const char *words)
{
	return found_in(db, user, words, "", 10000);
}

static void index_all(struct store_db *db)
{
	bool more = true;

	for (unsigned steps = 0; more; steps++) {
		assert_true(steps < 1000);
		assert_int_equal(index_some(db, &more), STORE_GOOD);
	}
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

static int64_t number(struct store_db *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t count;

	assert_int_equal(sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return count;
}

/* How many rows of a buffer are in the index. */
static int64_t indexed(struct store_db *db, int64_t buffer)
{
	char sql[200];

	snprintf(sql, sizeof sql,
		 "SELECT count(*) FROM irc_pieces WHERE irc_pieces MATCH 'ric OR oth OR pha' AND "
		 "rowid >> 40 = %lld",
		 (long long)buffer);
	return number(db, sql);
}

static void look_around(struct store_db *db)
{
	assert_int_equal(found(db, "ann", "zurich"), LINES / 2);
	assert_int_equal(found(db, "ann", "ÜRIC"), LINES / 2);
	assert_int_equal(found(db, "ann", "no4499"), 1);
	assert_int_equal(newest, 4499);
	assert_int_equal(found(db, "ann", "o449"), 6);
	assert_int_equal(found(db, "ann", "no4498"), 0);
	/* An event, whatever stands in it, is nothing that was said. */
	assert_int_equal(found(db, "bob", "no4490"), 0);
	assert_int_equal(found(db, "bob", "hir no66"), 2);
	assert_int_equal(found(db, "bob", "no66 hir nothere"), 0);
	/* Names and commands are not said either. */
	assert_int_equal(found(db, "ann", "privmsg"), 0);
	assert_int_equal(found(db, "ann", ""), LINES / 2);
	assert_int_equal(found(db, "ann", " \002 "), 0);
	assert_int_equal(found_in(db, "ann", "zurich", ":x!%", 10), 10);
	assert_int_equal(newest, 4499);
	assert_int_equal(found_in(db, "ann", "zurich", ":y!%", 10), 0);
	/* Too short for the index. */
	assert_int_equal(found(db, "ann", "9"), 774);
	assert_int_equal(found(db, "ann", "r"), LINES / 2);
	assert_int_equal(behind, 0);
}

static void a_search_finds_what_is_in_the_index_and_what_is_not_yet(void **state)
{
	struct store_db db = {0};
	bool more;

	(void)state;
	open_with_lines(&db);
	look_around(&db);
	assert_int_equal(index_some(&db, &more), STORE_GOOD);
	assert_true(more);
	look_around(&db);
	index_all(&db);
	assert_int_equal(number(&db, "SELECT min(indexed) FROM irc_buffers"), LINES - 1);
	look_around(&db);
	db_close(&db);
}

static void say(struct store_db *db, int seq, const char *text)
{
	char *sql = sqlite3_mprintf("INSERT INTO irc_lines VALUES (7, %d, %d, 1, '', %Q || %Q)",
				    seq, seq, ":x!y@z PRIVMSG #a :", text);

	run(db, sql);
	sqlite3_free(sql);
}

static void any_part_of_what_was_said_is_found(void **state)
{
	static const char *const cases[][2] = {
		{"see https://www.example.org/a_long/Path.html?q=1&x",
		 "ample.org/a_lo path.HTML?q=1&"},
		{"elephant", "phan"},
		{"the train is late", "rai ate"},
		{"今日はとても良い天気ですね", "天気"},
		{"今日はとても良い天気ですね", "良"},
		{"我们明天去北京大学", "北京"},
		{"我们明天去北京大学", "明天去 学"},
		{"오늘 서울에서 만나요", "서울"},
		{"วันนี้อากาศดีมาก", "อากาศ"},
		{"привет, Москва", "ВЕТ оскв"},
		{"C++ is \"quoted\" and it's \"here\"", "C++ \"quo it's"},
		{"a party \360\237\216\211!", "\360\237\216\211"},
		{"x手机y", "x手 机y"},
		{"\002bo\002ld and \00304,01red", "red"},
		{"naïve Ελλάδα", "naive λλ"},
		{"ok", "k"},
	};
	struct store_db db = {0};

	(void)state;
	(void)!unlink(path);
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	run(&db, "INSERT INTO irc_networks VALUES (1, 'ann', 'net', '', '', '')");
	run(&db, "INSERT INTO irc_buffers (id, network, name, settings, marker) VALUES (7, 1, "
		 "'#a', '', 0)");
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		say(&db, (int)i + 1, cases[i][0]);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT_OF(cases); i++) {
			if (found(&db, "ann", cases[i][1]) == 0)
				fail_msg("round %d: %s", round, cases[i][1]);
			assert_false(found(&db, "ann", "天京") ||
				     found(&db, "ann", "rain train rein"));
		}
		index_all(&db);
	}
	/* By the index alone: the lines behind it are as many as can be. */
	assert_int_equal(number(&db, "SELECT count(*) FROM irc_pieces('\"天气\" OR \"天気\"')"), 2);
	db_close(&db);
}

static unsigned next_number(unsigned *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 16;
}

/* Bytes of any kind, most of which are no UTF-8, in no order that anybody would write. */
static void random_text(unsigned *state, char *out, size_t len)
{
	static const char *const bits[] = {
		"a",        "b",    "\"", "\303\244", "\303",         "\244",
		"\360",     "\200", "天", "気",       "\367",         "\377",
		"\314\210", "*",    " ",  "\001",     "\355\240\200", "\360\237\216\211"};

	*out = '\0';
	while (strlen(out) + 5 < len)
		strcat(out, bits[next_number(state) % COUNT_OF(bits)]);
}

/* Whatever bytes were said and are asked for, the index finds what reading the lines does. */
static void the_index_finds_what_the_lines_hold(void **state)
{
	enum { SAID = 200, ASKED = 200 };
	static size_t counts[ASKED];
	struct store_db db = {0};
	size_t sum = 0;

	(void)state;
	(void)!unlink(path);
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	run(&db, "INSERT INTO irc_networks VALUES (1, 'ann', 'net', '', '', '')");
	run(&db, "INSERT INTO irc_buffers (id, network, name, settings, marker) VALUES (7, 1, "
		 "'#a', '', 0)");
	for (int round = 0; round < 2; round++) {
		unsigned random = 1;
		char text[80];

		for (int i = 0; i < SAID; i++) {
			random_text(&random, text, sizeof text);
			if (round == 0)
				say(&db, i + 1, text);
		}
		for (int i = 0; i < ASKED; i++) {
			size_t count;

			random_text(&random, text, 6 + (size_t)i % 9);
			count = found(&db, "ann", text);
			if (round == 0)
				counts[i] = count;
			else if (counts[i] != count)
				fail_msg("question %d: %zu, by the index %zu", i, counts[i], count);
			sum += count;
		}
		index_all(&db);
	}
	assert_true(sum > 0);
	db_close(&db);
}

/* All pieces of a part are pieces of the whole, so that nothing is passed over. */
static void pieces_of_a_part_are_pieces_of_the_whole(void **state)
{
	static const char whole[] = "ab\303\251c天気x良\360\237\216\211y서z!Я";
	struct bytes all = bytes_str(whole);

	(void)state;
	for (size_t from = 0; from < all.len; from++)
		for (size_t to = from + 1; to <= all.len; to++) {
			struct piece_walk walk = {.rest = bytes_of(all.at + from, to - from)};
			struct bytes piece, other;

			if ((all.at[from] & 0xc0) == 0x80 ||
			    (to < all.len && (all.at[to] & 0xc0) == 0x80))
				continue;
			while (piece_next(&walk, &piece)) {
				struct piece_walk outer = {.rest = all};
				bool is_there = false;

				assert_true(piece.at >= all.at + from && piece.len &&
					    piece.at + piece.len <= all.at + to);
				while (!is_there && piece_next(&outer, &other))
					is_there = bytes_equal(piece, other);
				assert_true(is_there);
			}
		}
}

/* Many lines that are in no index: a search takes turns between which others are written for, looks at the newest,
 * and says of how many it did not. */
static void a_search_does_not_keep_who_writes(void **state)
{
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	run(&db,
	    "INSERT INTO irc_lines WITH RECURSIVE n(i) AS (SELECT 10004 UNION ALL SELECT i + 4 "
	    "FROM n WHERE i < 1200000) SELECT 7, i, i, 257, '', ':x JOIN #a' FROM n");
	assert_int_equal(found(&db, "ann", "no4499"), 0);
	assert_in_range(turns, 20, 30);
	assert_int_equal(behind, 1200000 - 1000000);
	/* What is frequent is found at once. */
	say(&db, 1200001, "zurich again");
	say(&db, 1200002, "and Zurich");
	assert_int_equal(found_in(&db, "ann", "zurich", "", 2), 2);
	assert_true(turns == 1 && behind == 0 && newest == 1200002);
	run(&db, "UPDATE irc_buffers SET indexed = 1100000 WHERE id = 7");
	assert_int_equal(found(&db, "ann", "no4499"), 0);
	assert_true(turns < 5 && behind == 0);
	db_close(&db);
}

/* A piece that is everywhere names all lines: no more of them are fetched than a question may cost. */
static void a_search_by_the_index_has_an_end(void **state)
{
	enum { SAID = 300000 };
	struct store_db db = {0};

	(void)state;
	(void)!unlink(path);
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	run(&db, "INSERT INTO irc_networks VALUES (1, 'ann', 'net', '', '', '')");
	run(&db, "INSERT INTO irc_buffers (id, network, name, settings, marker, indexed) VALUES "
		 "(7, 1, '#a', '', 0, 300000)");
	run(&db, "INSERT INTO irc_lines WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		 "FROM n WHERE i < 300000) SELECT 7, i, i, 1, '', ':x!y@z PRIVMSG #a :the' FROM n");
	run(&db, "INSERT INTO irc_pieces (rowid, text) SELECT (7 << 40) + seq, 'the' FROM "
		 "irc_lines");
	assert_int_equal(found_in(&db, "ann", "the", ":y!%", 10), 0);
	assert_int_equal(behind, SAID - SEARCH_MOST / 4);
	assert_int_equal(found_in(&db, "ann", "the", ":x!%", 10), 10);
	assert_true(behind == 0 && turns == 1);
	db_close(&db);
}

/* Long lines cost more than short ones. */
static void a_search_of_long_lines_takes_more_turns(void **state)
{
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	run(&db,
	    "INSERT INTO irc_lines WITH RECURSIVE n(i) AS (SELECT 5000 UNION ALL SELECT i + 1 FROM "
	    "n WHERE i < 6999) SELECT 7, i, i, 1, '', ':x!y@z PRIVMSG #a :' || replace(hex("
	    "zeroblob(2000)), '00', '00 ') FROM n");
	assert_int_equal(found(&db, "ann", "zurich"), LINES / 2);
	assert_in_range(turns, 4, 8);
	db_close(&db);
}

static bool take_turn(struct store_db *db, struct store_irc_ask *ask, const char *user)
{
	ask->query = STORE_IRC_SEARCH;
	ask->number[2] = INT64_MAX;
	snprintf(ask->text[0], sizeof ask->text[0], "%s", user);
	strcpy(ask->text[1], "zurich");
	ask->ask.again = false;
	assert_int_equal(store_irc_run(db, &ask->ask), STORE_GOOD);
	return ask->ask.again;
}

static void one_search_of_a_user_has_turns_at_a_time(void **state)
{
	static struct store_irc_ask first, second, other;
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	run(&db, "INSERT INTO irc_lines WITH RECURSIVE n(i) AS (SELECT 5000 UNION ALL SELECT i + 1 "
		 "FROM n WHERE i < 30000) SELECT 7, i, i, 257, '', ':x JOIN #a' FROM n");
	assert_true(take_turn(&db, &first, "ann"));
	assert_true(take_turn(&db, &second, "ann"));
	assert_null(second.search);
	/* Another's does not wait. */
	assert_false(take_turn(&db, &other, "bob"));
	assert_true(other.rows.count > 0);
	while (take_turn(&db, &first, "ann"))
		assert_true(take_turn(&db, &second, "ann"));
	assert_true(first.rows.count > 0);
	while (take_turn(&db, &second, "ann"))
		assert_non_null(second.search);
	assert_int_equal(second.rows.count, first.rows.count);
	store_irc_fini(&first);
	store_irc_fini(&second);
	store_irc_fini(&other);
	db_close(&db);
}

static void a_line_that_goes_on_is_one_word(void **state)
{
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	run(&db,
	    "INSERT INTO irc_lines VALUES (7, 5001, 1, 16385, '', ':x!y@z PRIVMSG #a :an ele' || "
	    "char(13) || 'phant' || char(10) || 'second')");
	assert_int_equal(found(&db, "ann", "elephant second"), 1);
	index_all(&db);
	assert_int_equal(found(&db, "ann", "lephan econ"), 1);
	assert_int_equal(number(&db, "SELECT count(*) FROM irc_pieces('eph')"), 1);
	report(&db, STORE_IRC_PRUNE, 7, INT64_MAX);
	index_all(&db);
	assert_int_equal(indexed(&db, 7), 0);
	db_close(&db);
}

static void what_is_gone_is_not_found(void **state)
{
	struct store_db db = {0};

	(void)state;
	open_with_lines(&db);
	index_all(&db);
	assert_int_equal(found(&db, "bob", "zurich"), LINES / 2 - LINES / 10);
	assert_int_equal(found(&db, "ann", "no1"), 556);
	report(&db, STORE_IRC_PRUNE, 7, 1000);
	assert_int_equal(found(&db, "ann", "no1"), 500);
	index_all(&db);
	assert_int_equal(found(&db, "ann", "no1"), 500);
	assert_int_equal(indexed(&db, 7), LINES / 2 - 500);
	report(&db, STORE_IRC_PRUNE, 7, INT64_MAX);
	/* Numbers begin anew, and what they named is not found by them; what they name stays in the index. */
	say(&db, 1, "zurich other");
	assert_int_equal(found(&db, "ann", "no1"), 0);
	assert_int_equal(found(&db, "ann", "other"), 1);
	index_all(&db);
	assert_int_equal(number(&db, "SELECT count(*) FROM irc_gone"), 0);
	assert_int_equal(indexed(&db, 7), 1);
	assert_int_equal(found(&db, "ann", "zurich other"), 1);
	report(&db, STORE_IRC_BUFFER_DROP, 7, 0);
	index_all(&db);
	assert_int_equal(indexed(&db, 7), 0);
	assert_int_equal(indexed(&db, 8), LINES / 2 - LINES / 10);
	report(&db, STORE_IRC_BUFFERS_DROP, 2, 0);
	index_all(&db);
	assert_int_equal(indexed(&db, 8), 0);
	db_close(&db);
}

/* A database with the index by words, as earlier versions kept it, is searched from the first moment on. */
static void an_older_database_is_indexed_anew(void **state)
{
	static const char old_tables[] =
		"SELECT count(*) FROM sqlite_schema WHERE name LIKE 'irc_words%'";
	struct store_db db = {0};
	sqlite3 *old;
	bool more;

	(void)state;
	(void)!unlink(path);
	assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
	for (int i = 0; i < 7; i++)
		assert_int_equal(sqlite3_exec(old, store_schema[i].sql, NULL, NULL, NULL),
				 SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(old,
			     "PRAGMA user_version = 7;"
			     "INSERT INTO irc_networks VALUES (1, 'ann', 'net', '', '', '');"
			     "INSERT INTO irc_buffers VALUES (7, 1, '#a', '', 0, 30000);"
			     "INSERT INTO irc_lines WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
			     "SELECT i + 1 FROM "
			     "n WHERE i < 30000) SELECT 7, i, i, 1, '', ':x!y@z PRIVMSG #a :an "
			     "elephant no' || i "
			     "FROM n;"
			     "INSERT INTO irc_words (rowid, text) SELECT buffer << 40 | seq, 'an "
			     "elephant no' || "
			     "seq FROM irc_lines",
			     NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(old);
	assert_int_equal(db_open(&db, path), STORE_GOOD);
	assert_int_equal(number(&db, "SELECT indexed FROM irc_buffers"), 0);
	assert_int_equal(found(&db, "ann", "lephan no29999"), 1);
	/* The disk need not have room for both: the old one goes first. */
	while (number(&db, old_tables)) {
		assert_int_equal(index_some(&db, &more), STORE_GOOD);
		assert_true(more && number(&db, "SELECT indexed FROM irc_buffers") == 0);
	}
	index_all(&db);
	assert_int_equal(number(&db, "SELECT indexed FROM irc_buffers"), 30000);
	assert_int_equal(found(&db, "ann", "lephan no29999"), 1);
	assert_int_equal(indexed(&db, 7), 30000);
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_finds_what_is_in_the_index_and_what_is_not_yet),
		cmocka_unit_test(any_part_of_what_was_said_is_found),
		cmocka_unit_test(the_index_finds_what_the_lines_hold),
		cmocka_unit_test(pieces_of_a_part_are_pieces_of_the_whole),
		cmocka_unit_test(a_search_does_not_keep_who_writes),
		cmocka_unit_test(a_search_by_the_index_has_an_end),
		cmocka_unit_test(a_search_of_long_lines_takes_more_turns),
		cmocka_unit_test(one_search_of_a_user_has_turns_at_a_time),
		cmocka_unit_test(a_line_that_goes_on_is_one_word),
		cmocka_unit_test(what_is_gone_is_not_found),
		cmocka_unit_test(an_older_database_is_indexed_anew),
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
