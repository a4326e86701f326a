/* conf_print: what is written can be read, and says what the tables say. */
#include "conf_table.h"

typedef void writer_fn(FILE *out, const struct conf_room *const *rooms, size_t count);

static char *written_by(writer_fn *writer)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	writer(out, plain_rooms, 1);
	fclose(out);
	return text;
}

static struct conf *load_good(const char *text)
{
	struct conf_errors errors;
	struct conf *conf = load_plain(text, NULL, 0, &errors);
	char *faults = errors_text(&errors);

	assert_string_equal(faults, "");
	free(faults);
	return conf;
}

static const char everything[] =
	"plain: \"a \\\"b\\\" \\\\ é ☃ # x: y\"\n"
	"net: {listen: [\"*:1\"], hosts: [\"a b\", c], password: s3cret,\n"
	"      path: /x, deep: {flag: yes}}\n"
	"size: 1536k\ntime: 1500ms\ncount: 12\nlevel: error\n"
	"thing:\n  \"/q \\\"x\\\"\": {next: /b, key: k3y}\n  /*: {size: 2k}\n";

static void a_dump_is_read_back_as_it_was(void **state)
{
	(void)state;
	struct conf *conf = load_good(everything);
	char *first = dump_text(conf, true);
	struct conf *again = load_good(first);
	char *second = dump_text(again, true);

	assert_string_equal(first, second);
	assert_non_null(strstr(first, "plain: \"a \\\"b\\\" \\\\ é ☃ # x: y\"\n"));
	assert_non_null(strstr(first, "  deep.flag: yes\n"));
	assert_non_null(strstr(first, "  password: \"s3cret\"\n"));
	assert_non_null(strstr(first, "  \"/q \\\"x\\\"\":\n    next: \"/b\"\n"));
	free(first);
	free(second);
	conf_free(&conf);
	conf_free(&again);
}

static void a_dump_hides_secrets(void **state)
{
	(void)state;
	struct conf *conf = load_good(everything);
	char *dump = dump_text(conf, false);

	assert_null(strstr(dump, "s3cret"));
	assert_null(strstr(dump, "k3y"));
	assert_non_null(strstr(dump, "  #password: \"***\"\n"));
	assert_non_null(strstr(dump, "    #key: \"***\"\n"));
	struct conf *again = load_good(dump);
	const struct plain_conf *plain = conf_values(again, &plain_room);

	assert_string_equal(plain->password, ""); /* and not "***" */
	assert_string_equal(plain->path, "/x");
	free(dump);
	conf_free(&conf);
	conf_free(&again);
}

static void help_fits_a_terminal(void **state)
{
	(void)state;
	char *help = written_by(conf_write_help);

	assert_non_null(strstr(help, "  size=SIZE\n        A size.\n        Default: 64k; from 1k "
				     "to 16M.\n"));
	assert_non_null(strstr(help, "  thing.NAME.key=SECRET\n        Its key.\n        Default: "
				     "what net.password says.\n"));
	assert_non_null(strstr(help, "Default: info; one of: debug info error."));
	for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 80 + strlen("…") - 1);
	free(help);
}

static void the_manual_is_mdoc(void **state)
{
	(void)state;
	char *man = written_by(conf_write_man);
	unsigned lists = 0;

	assert_non_null(strstr(man, ".It Cm net.path : Ar PATH\nA path.\nTwo sentences.\nDefault: "
				    "none.\n"));
	for (char *line = strtok(man, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 80);
		if (line[0] == '.')
			assert_true(strncmp(line, ".It ", 4) == 0 ||
				    strncmp(line, ".Ss ", 4) == 0 ||
				    strncmp(line, ".Bl ", 4) == 0 || strcmp(line, ".El") == 0);
		lists += strncmp(line, ".Bl ", 4) == 0;
	}
	assert_int_equal(lists, 2);
	free(man);
}

/* Takes the comment sign off every line that is a setting or an entry: "#name: value". */
static void uncomment(char *text)
{
	char *to = text;

	for (char *from = text; *from; from++) {
		if (from[0] == '#' && from[1] != ' ')
			continue;
		*to++ = *from;
	}
	*to = '\0';
}

static void the_example_says_the_defaults(void **state)
{
	(void)state;
	char *example = written_by(conf_write_example);
	struct conf *none = load_good("");
	struct conf *as_is = load_good(example);

	uncomment(example);
	struct conf *full = load_good(example);

	for (size_t i = 0; i < plain_room.count; i++) {
		assert_false(conf_changed(none, as_is, &plain_room, plain_items[i].name));
		assert_false(conf_changed(none, full, &plain_room, plain_items[i].name));
	}
	assert_int_equal(conf_entry_count(as_is, &thing_section), 1);
	assert_int_equal(conf_entry_count(full, &thing_section), 2);
	assert_false(conf_entry_changed(&thing_section, conf_entry_values(full, &thing_section, 0),
					conf_entry_values(full, &thing_section, 1)));
	free(example);
	conf_free(&none);
	conf_free(&as_is);
	conf_free(&full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_is_read_back_as_it_was),
		cmocka_unit_test(a_dump_hides_secrets),
		cmocka_unit_test(help_fits_a_terminal),
		cmocka_unit_test(the_manual_is_mdoc),
		cmocka_unit_test(the_example_says_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
