#include "sfu/proto/record_name.h"

#include <fnmatch.h>
#include <stdio.h>

#include "guarded.h"

static void there_and_back(const char *room, const char *expected)
{
	char name[RECORD_NAME_MAX + 1], file[RECORD_NAME_MAX + 64], back[RECORD_NAME_MAX + 4];

	record_name_write(room, name);
	if (expected)
		assert_string_equal(name, expected);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(file, sizeof file,
			 i ? "%s-20260102-030405-12.mkv" : "%s-20260102-030405.mkv", name);
		assert_true(record_name_room(guarded(bytes_str(file)), back));
		assert_int_equal(fnmatch("*" RECORD_NAME_GLOB, file, FNM_PATHNAME | FNM_PERIOD), 0);
		assert_true(strlen(file) < 255);
		if (strlen(back) > 3 && strcmp(back + strlen(back) - 3, "...") == 0)
			assert_memory_equal(back, room, strlen(back) - 3);
		else
			assert_string_equal(back, room);
	}
}

static void test_names_say_whose_they_are(void **state)
{
	char room[129];

	(void)state;
	there_and_back("show", "show");
	there_and_back("sh-w", "sh%2Dw");
	there_and_back("sh_w", "sh_w");
	there_and_back("a/b.c%2D", "a%2Fb%2Ec%252D");
	there_and_back("../../etc", "%2E%2E%2F%2E%2E%2Fetc");
	there_and_back("K\xc3\xb6ln", "K\xc3\xb6ln");
	for (unsigned len = 1; len < sizeof room; len++)
		for (unsigned kind = 0; kind < 3; kind++) {
			for (unsigned i = 0; i < len; i++)
				room[i] = kind == 0 ? '-' : kind == 1 ? 'x' : "x.-"[i % 3];
			room[len] = '\0';
			there_and_back(room, NULL);
		}
}

static void test_long_rooms_that_begin_alike_have_names_of_their_own(void **state)
{
	char room[129], one[RECORD_NAME_MAX + 1], other[RECORD_NAME_MAX + 1];

	(void)state;
	memset(room, '-', 128);
	room[128] = '\0';
	record_name_write(room, one);
	room[127] = '1';
	record_name_write(room, other);
	assert_string_not_equal(one, other);
	assert_true(strlen(one) <= RECORD_NAME_MAX);
}

static void test_no_letter_is_cut_in_two(void **state)
{
	char room[129], name[RECORD_NAME_MAX + 1], back[RECORD_NAME_MAX + 4];
	char file[RECORD_NAME_MAX + 64];

	(void)state;
	/* Letters of three bytes each, cut at each of them. */
	for (size_t plain = 0; plain < 3; plain++) {
		size_t begin = plain + 40, len = begin;

		memset(room, 'x', plain);
		memset(room + plain, '-', 40);
		for (; len + 3 < sizeof room; len += 3)
			memcpy(room + len, "\xe2\x82\xac", 3);
		room[len] = '\0';
		there_and_back(room, NULL);
		record_name_write(room, name);
		snprintf(file, sizeof file, "%s-20260102-030405.mkv", name);
		assert_true(record_name_room(bytes_str(file), back));
		assert_true(strlen(back) - 3 < len);
		assert_int_equal((strlen(back) - 3 - begin) % 3, 0);
	}
}

static void test_other_files_are_none(void **state)
{
	static const char *const files[] = {
		"show.mkv",
		"show-20260102-030405.txt",
		"show-20260102-03040.mkv",
		"-20260102-030405.mkv",
		"show-20260102-030405-.mkv",
		"show-20260102-030405-x.mkv",
		"show-best.mkv",
		"sh.w-20260102-030405.mkv",
		"a/b-20260102-030405.mkv",
		"sh%2-20260102-030405.mkv",
		"sh%2d-20260102-030405.mkv",
		"sh%-20260102-030405.mkv",
		".mkv",
		"",
	};
	char room[RECORD_NAME_MAX + 4];

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		assert_false(record_name_room(guarded(bytes_str(files[i])), room));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_say_whose_they_are),
		cmocka_unit_test(test_long_rooms_that_begin_alike_have_names_of_their_own),
		cmocka_unit_test(test_no_letter_is_cut_in_two),
		cmocka_unit_test(test_other_files_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
