/* ident: questions and answers as RFC 1413 has them. */
#include "guarded.h"

#include "core/check.h"
#include "irc/proto/irc_ident.h"

static void questions(void **state)
{
	static const struct {
		const char *line;
		bool good;
		uint16_t ours, theirs;
	} cases[] = {
		{"6193, 23", true, 6193, 23},
		{"6193,23", true, 6193, 23},
		{"  6193 \t,  23  \r", true, 6193, 23},
		{"65535,1", true, 65535, 1},
		{"", false, 0, 0},
		{"6193", false, 0, 0},
		{"6193,", false, 0, 0},
		{",23", false, 0, 0},
		{"0,23", false, 0, 0},
		{"65536,23", false, 0, 0},
		{"6193,23,5", false, 0, 0},
		{"61 93,23", false, 0, 0},
		{"-1,23", false, 0, 0},
		{"000000023,23", false, 0, 0},
		{"GET / HTTP/1.1", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes in = guarded(bytes_str(cases[i].line));
		uint16_t ours = 0, theirs = 0;
		bool good;

		good = irc_ident_parse(in, &ours, &theirs);
		if (good != cases[i].good)
			fail_msg("%s", cases[i].line);
		if (good) {
			assert_int_equal(ours, cases[i].ours);
			assert_int_equal(theirs, cases[i].theirs);
		}
		guarded_free(in);
	}
}

static void answers(void **state)
{
	char room[IRC_IDENT_MAX + 40];
	struct writer w = writer_of(room, sizeof room);

	(void)state;
	irc_ident_write(&w, 6193, 23, "stjohns");
	assert_true(
		bytes_equal(writer_done(&w), bytes_str("6193 , 23 : USERID : UNIX : stjohns\r\n")));
	w = writer_of(room, sizeof room);
	irc_ident_write(&w, 6195, 23, NULL);
	assert_true(bytes_equal(writer_done(&w), bytes_str("6195 , 23 : ERROR : NO-USER\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
