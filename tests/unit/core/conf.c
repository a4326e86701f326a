/* conf: what is loaded, what is inherited, and every fault with its place. */
#include "conf_table.h"

#include <errno.h>
#include <unistd.h>

static const struct plain_conf *plain_of(const struct conf *conf)
{
	return conf_values(conf, &plain_room);
}

static const struct thing_conf *thing_of(const struct conf *conf, const char *name)
{
	return conf_entry_for(conf, &thing_section, name);
}

static struct conf *load_good(const char *text)
{
	struct conf_errors errors;
	struct conf *conf = load_plain(text, NULL, 0, &errors);
	char *faults = errors_text(&errors);

	assert_string_equal(faults, "");
	assert_non_null(conf);
	free(faults);
	conf_errors_fini(&errors);
	return conf;
}

static void defaults_hold_without_a_file(void **state)
{
	(void)state;
	struct conf *conf = load_good("");
	const struct plain_conf *plain = plain_of(conf);

	assert_string_equal(plain->plain, "hello");
	assert_int_equal(plain->listen.count, 2);
	assert_string_equal(plain->listen.at[1], "[::]:1");
	assert_int_equal(plain->hosts.count, 0);
	assert_string_equal(plain->password, "");
	assert_false(plain->flag);
	assert_int_equal(plain->size, 65536);
	assert_int_equal(plain->time, 3000);
	assert_int_equal(plain->count, 7);
	assert_int_equal(plain->level, 1);
	assert_int_equal(conf_entry_count(conf, &thing_section), 1);
	assert_string_equal(conf_entry_name(conf, &thing_section, 0), "default");
	assert_int_equal(thing_of(conf, "/any")->size, 65536);
	assert_int_equal(thing_of(conf, "/any")->tags.count, 2);
	conf_free(&conf);
	assert_null(conf);
}

static void a_file_sets_every_type(void **state)
{
	(void)state;
	struct conf *conf = load_good("# a comment\n"
				      "plain: \"with # and : \\u00e9\"\n"
				      "net:\n"
				      "  listen: [\"[::1]:80\", 1.2.3.4:5]\n"
				      "  hosts: one, two three\n"
				      "  password: 'it''s'\n"
				      "  deep: {flag: on}\n"
				      "net.path: /tmp/x y\n"
				      "size: 1 MiB\n"
				      "time: 90s\n"
				      "count: 18446744073709551615\n"
				      "level: ERROR\n");
	const struct plain_conf *plain = plain_of(conf);

	assert_string_equal(plain->plain, "with # and : é");
	assert_int_equal(plain->listen.count, 2);
	assert_string_equal(plain->listen.at[0], "[::1]:80");
	assert_int_equal(plain->hosts.count, 3);
	assert_string_equal(plain->hosts.at[2], "three");
	assert_string_equal(plain->password, "it's");
	assert_string_equal(plain->path, "/tmp/x y");
	assert_true(plain->flag);
	assert_int_equal(plain->size, 1 << 20);
	assert_int_equal(plain->time, 90000);
	assert_true(plain->count == UINT64_MAX);
	assert_int_equal(plain->level, 2);
	conf_free(&conf);
}

static void json_is_a_configuration_file(void **state)
{
	(void)state;
	struct conf *conf = load_good("{\"net\": {\"hosts\": [\"a\", \"b c\"]}, \"count\": 9,\n"
				      " \"thing\": {\"/x\": {\"size\": \"2k\"}}}");

	assert_int_equal(plain_of(conf)->hosts.count, 2);
	assert_string_equal(plain_of(conf)->hosts.at[1], "b c");
	assert_int_equal(plain_of(conf)->count, 9);
	assert_int_equal(thing_of(conf, "/x")->size, 2048);
	conf_free(&conf);
}

static void an_empty_group_is_none(void **state)
{
	(void)state;
	struct conf *conf = load_good("net:\n  # listen: x\nthing:\n  /a:\ncount: 2\n");

	assert_int_equal(conf_entry_count(conf, &thing_section), 2);
	assert_int_equal(plain_of(conf)->count, 2);
	conf_free(&conf);
}

static void entries_inherit(void **state)
{
	(void)state;
	struct conf *conf = load_good("size: 2k\n"
				      "level: debug\n"
				      "net: {password: top}\n"
				      "thing:\n"
				      "  /a/b: {next: own}\n"
				      "  /*: {size: 3k, next: star}\n"
				      "  /a/*: {size: 4k}\n"
				      "  default: {level: error, tags: [x]}\n"
				      "  other: {key: mine}\n");
	const struct thing_conf *named = thing_of(conf, "/a/b");

	assert_string_equal(named->next, "own");
	assert_int_equal(named->size, 4096); /* the longest wildcard, wherever it stands */
	assert_int_equal(named->level, 2);   /* default, through the wildcard */
	assert_string_equal(named->key, "top");
	assert_int_equal(named->tags.count, 1);
	assert_string_equal(thing_of(conf, "/a/c")->next, ""); /* wildcards do not add up */
	assert_int_equal(thing_of(conf, "/a/c")->size, 4096);
	assert_string_equal(thing_of(conf, "/b")->next, "star");
	assert_string_equal(thing_of(conf, "other")->key, "mine");
	assert_int_equal(thing_of(conf, "other")->size, 2048); /* the room's */
	assert_int_equal(thing_of(conf, "unknown")->level, 2);
	assert_true(conf_entry_listed(conf, &thing_section, "other"));
	assert_true(conf_entry_listed(conf, &thing_section, "/a/*"));
	assert_false(conf_entry_listed(conf, &thing_section, "/a/c"));
	assert_true(conf_entry_says(conf, &thing_section, "/a/b", "next"));
	assert_false(conf_entry_says(conf, &thing_section, "/a/b", "size"));
	assert_false(conf_entry_says(conf, &thing_section, "/a/c", "size"));
	conf_free(&conf);
}

static void stars_match_any_run(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *name;
		bool match;
	} cases[] = {
		{"*", "", true},
		{"*", "/x", true},
		{"/a*", "/a", true},
		{"/a*", "/b", false},
		{"/*.mp3", "/x.mp3", true},
		{"/*.mp3", "/x.mp3.ogg", false},
		{"/*.mp3", "/.mp3.mp3", true},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "acb", false},
		{"**", "x", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[64];

		snprintf(text, sizeof text, "thing: {\"%s\": {next: hit}}", cases[i].pattern);
		struct conf *conf = load_good(text);

		assert_string_equal(thing_of(conf, cases[i].name)->next,
				    cases[i].match ? "hit" : "");
		conf_free(&conf);
	}
}

static void options_are_stronger_than_the_file(void **state)
{
	(void)state;
	static const char *const sets[] = {
		"count=3",       "count=4",       "thing./a.mp3.next=/b=c",
		"net.hosts=x y", "net.password=", "thing.default.size=1k"};
	struct conf_errors errors;
	struct conf *conf = load_plain("count: 2\nnet: {hosts: [q], password: x}\n"
				       "thing: {/a.mp3: {next: y, level: debug}}",
				       sets, 6, &errors);

	assert_non_null(conf);
	assert_int_equal(plain_of(conf)->count, 4);
	assert_int_equal(plain_of(conf)->hosts.count, 2);
	assert_string_equal(plain_of(conf)->password, "");
	assert_string_equal(thing_of(conf, "/a.mp3")->next, "/b=c");
	assert_int_equal(thing_of(conf, "/a.mp3")->level, 0);
	assert_int_equal(thing_of(conf, "/a.mp3")->size, 1024);
	conf_free(&conf);
}

/* The last one counts, but who says a list twice might mean both. */
static void a_list_is_one_option(void **state)
{
	(void)state;
	static const char *const sets[] = {"net.hosts=x", "count=3", "net.hosts=y"};
	struct conf_errors errors;

	assert_null(load_plain("net: {hosts: [q]}\n", sets, 3, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.at[0].text, "net.hosts: is set twice: a list is one --set"));
	conf_errors_fini(&errors);
}

struct fault_case {
	const char *text;
	const char *faults;
};

static const struct fault_case fault_cases[] = {
	/* Values, at the value. */
	{"size: lots", "t.conf:1:7: size: expected a size such as 64k between 1k and 16M, found "
		       "\"lots\"\n"},
	{"\n\n  size:   17M", "t.conf:3:11: size: expected a size such as 64k between 1k and 16M, "
			      "found \"17M\"\n"},
	{"time: 1", ""},
	{"time: 4ms", "t.conf:1:7: time: expected a duration such as 250ms, 3s, 5m or 1h between "
		      "5ms and 1h, found \"4ms\"\n"},
	{"count: 0", "t.conf:1:8: count: expected a whole number of at least 1, found \"0\"\n"},
	{"count: -1", "t.conf:1:8: count: expected a whole number of at least 1, found \"-1\"\n"},
	{"count:", "t.conf:1:7: count: expected a whole number of at least 1, found nothing\n"},
	{"count: {a: 1}",
	 "t.conf:1:8: count: expected a whole number of at least 1, found a group\n"},
	{"plain: [a]", "t.conf:1:8: plain: expected one line of text (UTF-8, no control "
		       "characters), found a list\n"},
	{"plain: \"a\\nb\"", "t.conf:1:8: plain: expected one line of text (UTF-8, no control "
			     "characters), found \"a\\x0ab\"\n"},
	{"plain: \"a\\0b\"", "t.conf:1:8: expected text, found a NUL character in it\n"},
	{"plain: null", "t.conf:1:8: plain: expected one line of text (UTF-8, no control "
			"characters), found nothing\n"},
	{"plain: \"null\"", ""},
	{"level: loud", "t.conf:1:8: level: expected one of debug, info, error, found \"loud\"\n"},
	{"net: {deep: {flag: maybe}}",
	 "t.conf:1:20: net.deep.flag: expected yes or no, found \"maybe\"\n"},
	{"net: {hosts: [a, [b]]}", "t.conf:1:18: net.hosts: expected a text, found a list\n"},
	{"net: {hosts: [a, \"\"]}",
	 "t.conf:1:14: net.hosts: expected a list of texts, found \"\"\n"},
	/* A secret is never shown. */
	{"net: {password: \"hun\\x01ter\"}",
	 "t.conf:1:17: net.password: expected one line of text (UTF-8, no control characters), "
	 "found something else\n"},
	{"net: {password: bad}", "t.conf:1:17: net.password: expected a good password\n"},
	/* Names, at the name. */
	{"  plian: x", "t.conf:1:3: no such setting: \"plian\"; did you mean plain?\n"},
	{"net:\n    lisen: x",
	 "t.conf:2:5: no such setting: \"net.lisen\"; did you mean net.listen?\n"},
	{"listen: x", "t.conf:1:1: no such setting: \"listen\"; did you mean net.listen?\n"},
	{"nett:\n  listen: x", "t.conf:1:1: no such setting: \"nett\"; did you mean net?\n"},
	{"xyzzy: 1", "t.conf:1:1: no such setting: \"xyzzy\"\n"},
	{"net: 1", "t.conf:1:6: net: expected settings of its own such as net.listen, found a "
		   "text\n"},
	{"count: 1\ncount: 2", "t.conf:2:1: count: is set twice, first in line 1\n"},
	{"net: {path: a}\nnet.path: b", "t.conf:2:1: net.path: is set twice, first in line 1\n"},
	/* Sections. */
	{"thing: {/a: {size: 1}}",
	 "t.conf:1:20: thing \"/a\": size: expected a size such as 64k between 1k and 16M, found "
	 "\"1\"\n"},
	{"thing: {/a: {sise: 1k}}",
	 "t.conf:1:14: thing \"/a\": no such setting: \"sise\"; did you mean size?\n"},
	{"thing: {/a: x}",
	 "t.conf:1:13: thing \"/a\": expected settings such as \"next: …\", found a text\n"},
	{"thing: [a]", "t.conf:1:8: thing: expected names such as \"/one\" with their settings, "
		       "found a list\n"},
	{"thing: {/a: {}, /b: {}, /a: {}}",
	 "t.conf:1:25: thing \"/a\": is there twice, first in line 1\n"},
	{"thing: {\"\": {}}", "t.conf:1:9: thing \"\": expected a name such as \"/one\"\n"},
	{"thing: {bad: {}}", "t.conf:1:9: thing \"bad\": expected a good name\n"},
	{"thing: {/a: {next: bad}}",
	 "t.conf:1:20: thing \"/a\": next: expected a good thing, found \"bad\"\n"},
	/* A rule about an inherited value points to where it was said. */
	{"thing:\n  /*: {next: bad}\n  /a: {}\n",
	 "t.conf:2:14: thing \"/*\": next: expected a good thing, found \"bad\"\n"
	 "t.conf:2:14: thing \"/a\": next: expected a good thing, found \"bad\"\n"},
	{"net:\n  hosts: [a,\n    bad]",
	 "t.conf:3:5: net.hosts: expected a good host, found \"bad\"\n"},
	{"net:\n  hosts: a bad", "t.conf:2:10: net.hosts: expected a good host, found \"bad\"\n"},
	/* Grammar. */
	{"[a]", "t.conf:1:1: expected settings, found a list\n"},
	{"hello", "t.conf:1:1: expected settings such as \"http:\" or \"workers: 2\", found a "
		  "text\n"},
	{"plain: *x", "t.conf:1:8: a text that begins with * must be in quotes\n"},
	{"plain: &x y", "t.conf:1:8: a text that begins with & must be in quotes\n"},
	{"plain: !x y", "t.conf:1:8: a text that begins with ! must be in quotes\n"},
	{"count: 2\n---\ncount: 3", "t.conf:2:1: expected the end of the file, found a second "
				    "document\n"},
	{"net: {[a]: b}", "t.conf:1:7: expected the name of a setting, found a list\n"},
	{"count: 2\n\tsize: 2k",
	 "t.conf:2:1: cannot be read: found a tab character that violates indentation, while "
	 "scanning a plain scalar that begins at line 1\n"},
	{"plain: \"é\xff\"", "t.conf:1:10: expected UTF-8 text, found a byte or character that is "
			     "none (invalid leading UTF-8 octet)\n"},
	/* All of them, in the order of the file, and what stands before a fault of grammar too. */
	{"size: x\ncount: y\nthing: {/a: {level: z}}\nnet: {password: bad, hosts: [bad]}\nplain: [",
	 "t.conf:1:7: size: expected a size such as 64k between 1k and 16M, found \"x\"\n"
	 "t.conf:2:8: count: expected a whole number of at least 1, found \"y\"\n"
	 "t.conf:3:21: thing \"/a\": level: expected one of debug, info, error, found \"z\"\n"
	 "t.conf:4:17: net.password: expected a good password\n"
	 "t.conf:4:30: net.hosts: expected a good host, found \"bad\"\n"
	 "t.conf:5:8: plain: expected one line of text (UTF-8, no control characters), found a "
	 "list\n"
	 "t.conf:5:9: cannot be read: did not find expected node content, while parsing a flow "
	 "node that begins at line 5\n"},
};

static void every_fault_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fault_cases / sizeof *fault_cases; i++) {
		struct conf_errors errors;
		struct conf *conf = load_plain(fault_cases[i].text, NULL, 0, &errors);
		char *faults = errors_text(&errors);

		assert_string_equal(faults, fault_cases[i].faults);
		assert_int_equal(conf == NULL, fault_cases[i].faults[0] != '\0');
		free(faults);
		conf_errors_fini(&errors);
		conf_free(&conf);
	}
}

static void an_option_at_fault_is_named_without_its_value(void **state)
{
	(void)state;
	static const struct fault_case cases[] = {
		{"net.lisen=x", "--set net.lisen=…: no such setting; did you mean net.listen?\n"},
		{"net.password=bad",
		 "--set net.password=…: net.password: expected a good password\n"},
		{"net.password=a\tb",
		 "--set net.password=…: net.password: expected one line of text "
		 "(UTF-8, no control characters), found something else\n"},
		{"plain=\xff", "--set plain=…: plain: expected one line of text (UTF-8, no control "
			       "characters), found \"\xff\"\n"},
		{"plain", "--set plain=…: expected NAME=VALUE\n"},
		{"=x", "--set =…: no such setting; --help lists them all\n"},
		{"thing=x",
		 "--set thing=…: expected thing.NAME.SETTING, such as thing./one.next\n"},
		{"thing./a=x", "--set thing./a=…: expected thing.NAME.SETTING, such as "
			       "thing./one.next\n"},
		{"thing..next=x", "--set thing..next=…: expected thing.NAME.SETTING, such as "
				  "thing./one.next\n"},
		{"thing./a.b.nxt=x",
		 "--set thing./a.b.nxt=…: no such setting; did you mean next?\n"},
		{"thing./a.size=x",
		 "--set thing./a.size=…: thing \"/a\": size: expected a size such "
		 "as 64k between 1k and 16M, found \"x\"\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf_errors errors;
		struct conf *conf = load_plain("", &cases[i].text, 1, &errors);
		char *faults = errors_text(&errors);

		assert_null(conf);
		assert_string_equal(faults, cases[i].faults);
		free(faults);
		conf_errors_fini(&errors);
	}
}

static void many_faults_are_counted(void **state)
{
	(void)state;
	static char text[CONF_ERRORS_MAX * 8];
	struct conf_errors errors;
	size_t n = 0;

	for (int i = 0; i < CONF_ERRORS_MAX + 5; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "q%d: 1\n", i);
	assert_null(load_plain(text, NULL, 0, &errors));
	assert_int_equal(errors.count, CONF_ERRORS_MAX);
	assert_int_equal(errors.dropped, 5);
	conf_errors_fini(&errors);
}

static void many_entries_are_limited(void **state)
{
	(void)state;
	static char text[CONF_ENTRIES_MAX * 16];
	struct conf_errors errors;
	size_t n = (size_t)sprintf(text, "thing:\n");

	for (unsigned i = 0; i < CONF_ENTRIES_MAX; i++)
		n += (size_t)sprintf(text + n, " %u: {}\n", i);
	struct conf *conf = load_plain(text, NULL, 0, &errors);

	assert_non_null(conf);
	assert_int_equal(conf_entry_count(conf, &thing_section), CONF_ENTRIES_MAX + 1);
	conf_free(&conf);
	sprintf(text + n, " x: {}\n y: {}\n");
	assert_null(load_plain(text, NULL, 0, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.at[0].text, "t.conf:10002:2: thing: more than 10000 of them");
	conf_errors_fini(&errors);
}

static void a_file_that_is_not_there_is_a_fault(void **state)
{
	(void)state;
	struct conf_source source = {.path = "/nonexistent/ringmain.conf"};
	struct conf_errors errors = {0};

	assert_null(conf_load(plain_rooms, 1, &source, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.at[0].text,
			    "/nonexistent/ringmain.conf: cannot be opened: No "
			    "such file or directory; --example prints one to start "
			    "from");
	conf_errors_fini(&errors);
}

static void a_file_is_read_and_limited(void **state)
{
	(void)state;
	char path[] = "/tmp/conf_test_XXXXXX";
	int fd = mkstemp(path);
	struct conf_source source = {.path = path};
	struct conf_errors errors = {0};

	assert_int_equal(write(fd, "count: 5\n", 9), 9);
	struct conf *conf = conf_load(plain_rooms, 1, &source, &errors);

	assert_non_null(conf);
	assert_int_equal(plain_of(conf)->count, 5);
	conf_free(&conf);
	assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
	assert_null(conf_load(plain_rooms, 1, &source, &errors));
	assert_non_null(strstr(errors.at[0].text, "is larger than 1048576 bytes"));
	conf_errors_fini(&errors);
	close(fd);
	unlink(path);
}

static void what_changed_is_seen(void **state)
{
	(void)state;
	struct conf *before = load_good("count: 2\nnet: {hosts: [a, b], path: x}\n"
					"thing: {/a: {size: 2k}}");
	struct conf *after = load_good("count: 3\nnet: {hosts: \"a b\", path: x}\n"
				       "thing: {/a: {size: 2 KiB}, /b: {tags: c}}");

	assert_true(conf_changed(before, after, &plain_room, "count"));
	assert_false(conf_changed(before, after, &plain_room, "net.hosts"));
	assert_false(conf_changed(before, after, &plain_room, "net.path"));
	assert_false(
		conf_entry_changed(&thing_section, thing_of(before, "/a"), thing_of(after, "/a")));
	assert_true(
		conf_entry_changed(&thing_section, thing_of(before, "/b"), thing_of(after, "/b")));
	conf_free(&before);
	conf_free(&after);
}

/* ---- memory that runs out: see --wrap in meson.build --------------------------------------- */

static long allocations_left = -1; /* -1: no limit */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool allocation_fails(void)
{
	if (allocations_left == 0)
		return true;
	if (allocations_left > 0)
		allocations_left--;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

static void any_allocation_may_fail(void **state)
{
	(void)state;
	static const char *const sets[] = {"thing./z.size=9k", "count=3"};
	struct conf *conf = NULL;
	long n = 0;

	for (; !conf; n++) {
		struct conf_errors errors;

		allocations_left = n;
		conf = load_plain("net: {hosts: [a, b], path: x}\nthing: {/a: {size: 2k}, /b: {}}",
				  sets, 2, &errors);
		bool ran_out = allocations_left == 0;

		allocations_left = -1;
		if (!conf) {
			assert_true(ran_out);
			assert_true(errors.no_memory);
			assert_int_equal(errors.count, 0);
		}
		conf_errors_fini(&errors);
		assert_true(n < 10000);
	}
	assert_true(n > 50);
	conf_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold_without_a_file),
		cmocka_unit_test(a_file_sets_every_type),
		cmocka_unit_test(json_is_a_configuration_file),
		cmocka_unit_test(an_empty_group_is_none),
		cmocka_unit_test(entries_inherit),
		cmocka_unit_test(stars_match_any_run),
		cmocka_unit_test(options_are_stronger_than_the_file),
		cmocka_unit_test(a_list_is_one_option),
		cmocka_unit_test(every_fault_is_named_with_its_place),
		cmocka_unit_test(an_option_at_fault_is_named_without_its_value),
		cmocka_unit_test(many_faults_are_counted),
		cmocka_unit_test(many_entries_are_limited),
		cmocka_unit_test(a_file_that_is_not_there_is_a_fault),
		cmocka_unit_test(a_file_is_read_and_limited),
		cmocka_unit_test(what_changed_is_seen),
		cmocka_unit_test(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
