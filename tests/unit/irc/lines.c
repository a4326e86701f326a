#include "irc/proto/irc_lines.h"

#include "guarded.h"

static void same(struct bytes got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.at, want, got.len);
}

/* The example of draft/multiline. */
static void the_example_comes_apart_and_is_measured(void **state)
{
	struct bytes in = guarded(BYTES(":n!u@h PRIVMSG #channel :hello\nhow is \reveryone?"));
	struct irc_lines_size size;
	struct irc_pieces pieces;
	struct irc_line line;
	struct bytes piece;

	(void)state;
	assert_true(irc_lines_parse(in, &line));
	same(line.source, "n!u@h");
	same(line.param[0], "#channel");
	same(line.param[1], "hello\nhow is \reveryone?");
	assert_int_equal(line.rest.len, in.len);
	assert_true(irc_is_lines(line.param[1]));
	pieces = (struct irc_pieces){.rest = line.param[1]};
	assert_true(irc_pieces_next(&pieces, &piece) && !pieces.glued);
	same(piece, "hello");
	assert_true(irc_pieces_next(&pieces, &piece) && !pieces.glued);
	same(piece, "how is ");
	assert_true(irc_pieces_next(&pieces, &piece) && pieces.glued);
	same(piece, "everyone?");
	assert_false(irc_pieces_next(&pieces, &piece));
	size = irc_lines_measure(line.param[1]);
	/* "hello\nhow is everyone?" */
	assert_int_equal(size.bytes, 22);
	assert_int_equal(size.lines, 3);
	assert_false(size.blank);
	guarded_free(in);
}

static void blank_lines_are_lines(void **state)
{
	struct irc_lines_size size = irc_lines_measure(BYTES("\na\n"));

	(void)state;
	assert_int_equal(size.lines, 3);
	assert_int_equal(size.bytes, 3);
	assert_false(size.blank);
	assert_true(irc_lines_measure(BYTES("\n\r\n")).blank);
	size = irc_lines_measure(BYTES(""));
	assert_int_equal(size.lines, 1);
	assert_true(size.blank);
}

static void a_line_is_what_it_was(void **state)
{
	static const char *const bad[] = {"", "\nPRIVMSG a :b", ":source \nPRIVMSG a", "PRIVMSG\n",
					  ":a!b@c PRIVMSG \nx"};
	struct irc_line line, again;
	struct bytes in = guarded(BYTES(":a!b@c TOPIC #x :word and word"));

	(void)state;
	assert_true(irc_line_parse(in, &line) && irc_lines_parse(in, &again));
	same(again.param[1], "word and word");
	assert_int_equal(line.rest.len, again.rest.len);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(irc_lines_parse(bytes_str(bad[i]), &line));
	assert_false(irc_lines_parse(bytes_of("PRIVMSG a :b\nc\0d", 16), &line));
	guarded_free(in);
}

static void in_one_line_nothing_ends(void **state)
{
	char text[] = "a\nb\rc";

	(void)state;
	irc_lines_flatten(text);
	assert_string_equal(text, "a b c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_comes_apart_and_is_measured),
		cmocka_unit_test(blank_lines_are_lines),
		cmocka_unit_test(a_line_is_what_it_was),
		cmocka_unit_test(in_one_line_nothing_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
