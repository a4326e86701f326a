/* htpasswd: which lines are users, which are faults, and a file without one of them. */
#include "radio/proto/htpasswd.h"

#include "../guarded.h"

#define MD5 "7c4f29407893c334a6cb7a87bf045c0d"

static void lines_are_users_or_faults(void **state)
{
	static const struct {
		const char *text;
		enum htpasswd_found found;
		enum htpasswd_hash kind;
		const char *name;
		unsigned number;
	} rows[] = {
		{"ann:" MD5 "\n", HTPASSWD_USER, HTPASSWD_MD5, "ann", 1},
		{"ann:" MD5, HTPASSWD_USER, HTPASSWD_MD5, "ann", 1},
		{"\n# x\r\n\r\nann:" MD5 "\r\n", HTPASSWD_USER, HTPASSWD_MD5, "ann", 4},
		{"ann:7C4F29407893C334A6CB7A87BF045C0D", HTPASSWD_USER, HTPASSWD_MD5, "ann", 1},
		{"ann:7c4f29407893c334a6cb7a87bf045c0", HTPASSWD_USER, HTPASSWD_OTHER, "ann", 1},
		{"ann:7c4f29407893c334a6cb7a87bf045c0g", HTPASSWD_USER, HTPASSWD_OTHER, "ann", 1},
		{"b b:$argon2id$v=19$m=8,t=1,p=1$a$b", HTPASSWD_USER, HTPASSWD_SLOW, "b b", 1},
		{"eve:$2y$05$abc", HTPASSWD_USER, HTPASSWD_SLOW, "eve", 1},
		{"old:$apr1$abc", HTPASSWD_USER, HTPASSWD_OTHER, "old", 1},
		{"plain:secret", HTPASSWD_USER, HTPASSWD_OTHER, "plain", 1},
		{"", HTPASSWD_END, 0, "", 0},
		{"\n#ann:" MD5 "\n", HTPASSWD_END, 0, "", 2},
		{"ann", HTPASSWD_FAULT, 0, "", 1},
		{"ann:", HTPASSWD_FAULT, 0, "", 1},
		{":" MD5, HTPASSWD_FAULT, 0, "", 1},
		{"b:c:" MD5, HTPASSWD_FAULT, 0, "", 1},
		{"a\tb:" MD5, HTPASSWD_FAULT, 0, "", 1},
		{"a:b\rc", HTPASSWD_FAULT, 0, "", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes text = guarded(bytes_str(rows[i].text)), rest = text;
		struct htpasswd_line line = {0};

		assert_int_equal(htpasswd_next(&rest, &line), rows[i].found);
		assert_int_equal(line.number, rows[i].number);
		if (rows[i].found == HTPASSWD_USER) {
			assert_true(bytes_equal(line.name, bytes_str(rows[i].name)));
			assert_int_equal(line.kind, rows[i].kind);
		}
		guarded_free(text);
	}
}

static void names_and_hashes_have_a_longest(void **state)
{
	char text[HTPASSWD_NAME_MAX + HTPASSWD_HASH_MAX + 3];
	struct bytes rest = bytes_of(text, sizeof text - 1);
	struct htpasswd_line line = {0};

	(void)state;
	memset(text, 'x', sizeof text);
	text[HTPASSWD_NAME_MAX] = ':';
	assert_int_equal(htpasswd_next(&rest, &line), HTPASSWD_FAULT);
	rest = bytes_of(text, sizeof text - 2);
	assert_int_equal(htpasswd_next(&rest, &line), HTPASSWD_USER);
	text[HTPASSWD_NAME_MAX] = 'x';
	text[HTPASSWD_NAME_MAX + 1] = ':';
	rest = bytes_of(text, sizeof text - 10);
	assert_int_equal(htpasswd_next(&rest, &line), HTPASSWD_FAULT);
}

static void a_user_is_taken_out_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *name, *left;
		bool found;
	} rows[] = {
		{"# all\r\nann:1\n\nbob:2\n", "ann", "# all\r\n\nbob:2\n", true},
		{"ann:1\nbob:2", "ann", "bob:2\n", true},
		{"ann:1\nbob:2\nann:3", "ann", "bob:2\n", true},
		{"ann:1", "an", "ann:1\n", false},
		{"ann:1\nrubbish", "ann:1", "ann:1\nrubbish\n", false},
		{"", "ann", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes text = guarded(bytes_str(rows[i].text));
		char room[64];
		struct writer w = writer_of(room, sizeof room);

		assert_int_equal(htpasswd_without(text, bytes_str(rows[i].name), &w),
				 rows[i].found);
		assert_true(writer_ok(&w));
		assert_true(bytes_equal(writer_done(&w), bytes_str(rows[i].left)));
		guarded_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_users_or_faults),
		cmocka_unit_test(names_and_hashes_have_a_longest),
		cmocka_unit_test(a_user_is_taken_out_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
