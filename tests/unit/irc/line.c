#include "irc/proto/irc_line.h"

#include "guarded.h"
#include "irc/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void same(struct bytes got, const char *want)
{
	assert_int_equal(got.len, strlen(want ? want : ""));
	if (want)
		assert_memory_equal(got.at, want, got.len);
}

static void same_tag(struct bytes tags, const struct vector_tag *want)
{
	struct bytes raw = {0};
	char buf[256];
	struct writer w = writer_of(buf, sizeof buf);

	assert_true(irc_tag_get(tags, want->key, &raw));
	irc_tag_unescape(&w, raw);
	same(writer_done(&w), want->value);
}

static void test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(split_vectors); i++) {
		const struct vector_atoms *atoms = &split_vectors[i].atoms;
		struct bytes in = guarded(bytes_str(split_vectors[i].input));
		struct irc_line line;
		unsigned count = 0;

		assert_true(irc_line_parse(in, &line));
		same(line.source, atoms->source);
		same(line.verb, atoms->verb);
		while (atoms->params[count])
			count++;
		assert_int_equal(line.count, count);
		for (unsigned p = 0; p < count; p++)
			same(line.param[p], atoms->params[p]);
		for (size_t t = 0; atoms->tags[t].key; t++)
			same_tag(line.tags, &atoms->tags[t]);
		guarded_free(in);
	}
}

/* Tags in the order of the table, as some of the matches have them. */
static void write_atoms(struct writer *w, const struct vector_atoms *atoms, bool trailing)
{
	struct bytes param[16];
	unsigned count = 0;

	for (size_t t = 0; atoms->tags[t].key; t++) {
		writer_str(w, t ? ";" : "@");
		writer_str(w, atoms->tags[t].key);
		if (atoms->tags[t].value[0])
			writer_str(w, "=");
		irc_tag_escape(w, bytes_str(atoms->tags[t].value));
	}
	if (atoms->tags[0].key)
		writer_u8(w, ' ');
	for (; atoms->params[count]; count++)
		param[count] = bytes_str(atoms->params[count]);
	irc_line_write(w, bytes_str(atoms->source), bytes_str(atoms->verb), param, count, trailing);
}

static bool is_a_match(const char *const *matches, struct bytes got)
{
	for (; *matches; matches++)
		if (bytes_equal(bytes_str(*matches), got))
			return true;
	return false;
}

static void test_join(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(join_vectors); i++)
		for (int trailing = 0; trailing < 2; trailing++) {
			char buf[512];
			struct writer w = writer_of(buf, sizeof buf);

			if (trailing && !join_vectors[i].matches[1] &&
			    join_vectors[i].atoms.params[0])
				continue;
			write_atoms(&w, &join_vectors[i].atoms, trailing);
			assert_true(writer_ok(&w));
			if (!is_a_match(join_vectors[i].matches, writer_done(&w)))
				fail_msg("vector %zu: %.*s", i, (int)w.len, buf);
		}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"", " ", "@a=b", "@a=b ", ":src", ":src ", "@a :s "};
	struct irc_line line;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(irc_line_parse(bytes_str(bad[i]), &line));
	assert_false(irc_line_parse(BYTES("PING a\0b"), &line));
	assert_false(irc_line_parse(BYTES("PING a\rQUIT"), &line));
}

static void test_many_params(void **state)
{
	struct irc_line line;

	(void)state;
	assert_true(irc_line_parse(BYTES("X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 :17"), &line));
	assert_int_equal(line.count, 15);
	same(line.param[13], "14");
	same(line.param[14], "15 16 :17");
	assert_int_equal(irc_line_numeric(&line), 0);
	assert_true(irc_line_parse(BYTES(":s 005 n"), &line));
	assert_int_equal(irc_line_numeric(&line), 5);
	same(irc_param(&line, 3), "");
}

static void test_nothing_ends_the_line(void **state)
{
	char buf[64];
	struct writer w = writer_of(buf, sizeof buf);
	struct bytes param[] = {BYTES("x\r\nQUIT"), BYTES("b\0c")};

	(void)state;
	irc_line_write(&w, BYTES("s\n"), BYTES("NOTICE"), param, 2, false);
	same(writer_done(&w), ":s NOTICE xQUIT bc");
}

static void test_tags_are_put_together(void **state)
{
	char buf[64];
	struct writer w = writer_of(buf, sizeof buf);
	struct bytes tags = BYTES("time=1;+draft/x=a\\sb;;typing=;bot"), key, value;

	(void)state;
	writer_str(&w, "@");
	while (irc_tag_next(&tags, &key, &value))
		irc_tag_put(&w, 1, key, value);
	same(writer_done(&w), "@time=1;+draft/x=a\\sb;typing;bot");
	w = writer_of(buf, 8);
	irc_tag_put(&w, 0, BYTES("key"), BYTES("longer"));
	assert_false(writer_ok(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many_params),
		cmocka_unit_test(test_nothing_ends_the_line),
		cmocka_unit_test(test_tags_are_put_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
