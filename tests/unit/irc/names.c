#include "irc/proto/irc_names.h"

#include "guarded.h"

static struct irc_isupport is;

static struct irc_names names = {.is = &is,
				 .own = {(const uint8_t *)"ann_", 4},
				 .nick = {(const uint8_t *)"ann", 3},
				 .network = {(const uint8_t *)"net", 3}};

typedef bool translate(const struct irc_names *, struct irc_line *, struct writer *);

/* The line of a server and what a client is told, or the other way round. */
static void check(translate *way, const char *from, const char *want)
{
	char room[600], text[1200];
	struct bytes in = guarded(bytes_str(from));
	struct writer w = writer_of(text, sizeof text - 1);
	struct irc_line line;
	bool trails;

	assert_true(irc_line_parse(in, &line));
	trails = irc_line_trails(&line);
	/* A room that is too small is said, wherever it ends. */
	for (size_t size = 0;; size++) {
		struct irc_line copy = line;
		struct writer r = writer_of(room, size);

		assert_true(size < sizeof room);
		if (!way(&names, &copy, &r))
			continue;
		irc_line_write(&w, copy.source, copy.verb, copy.param, copy.count, trails);
		break;
	}
	text[w.len] = '\0';
	assert_string_equal(text, want);
	guarded_free(in);
}

static void test_to_the_client(void **state)
{
	static const char *const lines[][2] = {
		{":s 352 ann_ #ring e h s eve H :0 Eve",
		 ":s 352 ann #ring/net e h s eve/net H :0 Eve"},
		{":s 352 ann_ * a h s ann_ H :0 Ann", ":s 352 ann * a h s ann H :0 Ann"},
		{":s 315 ann_ #ring :End", ":s 315 ann #ring/net :End"},
		{":s 315 ann_ eve :End", ":s 315 ann eve/net :End"},
		{":s 324 ann_ #ring +nt", ":s 324 ann #ring/net +nt"},
		{":s 329 ann_ #ring 1", ":s 329 ann #ring/net 1"},
		{":s 333 ann_ #ring eve!e@h 1", ":s 333 ann #ring/net eve/net!e@h 1"},
		{":s 333 ann_ #ring ann_ 1", ":s 333 ann #ring/net ann 1"},
		{":s 333 ann_ #ring s.example.org 1", ":s 333 ann #ring/net s.example.org 1"},
		{":s 367 ann_ #ring eve!*@x eve 1", ":s 367 ann #ring/net eve!*@x eve/net 1"},
		{":s 348 ann_ #ring *!*@x s.net 1", ":s 348 ann #ring/net *!*@x s.net 1"},
		{":s 346 ann_ #ring *!*@x", ":s 346 ann #ring/net *!*@x"},
		{":s 728 ann_ #ring q *!*@x ann_!a@h 1", ":s 728 ann #ring/net q *!*@x ann!a@h 1"},
		{":s 368 ann_ #ring :End", ":s 368 ann #ring/net :End"},
		{":s 322 ann_ #ring 2 :#other, and more",
		 ":s 322 ann #ring/net 2 :#other, and more"},
		{":s 311 ann_ eve e h * :#Eve", ":s 311 ann eve/net e h * :#Eve"},
		{":s 311 ann_ ANN_ a h * :Ann", ":s 311 ann ann a h * :Ann"},
		{":s 312 ann_ eve s :info", ":s 312 ann eve/net s :info"},
		{":s 319 ann_ eve :@#a +&b &c", ":s 319 ann eve/net :@#a/net +&b/net &c/net"},
		{":s 353 ann_ = #ring :@eve ann_ @+bob!b@h",
		 ":s 353 ann = #ring/net :@eve/net ann @+bob/net!b@h"},
		{":s 353 ann_ = &ring :+ann_ &eve", ":s 353 ann = &ring/net :+ann &eve/net"},
		{":s 302 ann_ :eve*=+e@h ann_=-a@h", ":s 302 ann :eve/net*=+e@h ann=-a@h"},
		{":s 302 ann_ :", ":s 302 ann :"},
		{":s 303 ann_ :eve bob", ":s 303 ann :eve/net bob/net"},
		{":s 341 ann_ eve #ring", ":s 341 ann eve/net #ring/net"},
		{":s 341 ann_ eve :#ring", ":s 341 ann eve/net :#ring/net"},
		{":s 401 ann_ eve :No", ":s 401 ann eve/net :No"},
		{":s 403 ann_ #x :No", ":s 403 ann #x/net :No"},
		{":s 441 ann_ eve #ring :No", ":s 441 ann eve/net #ring/net :No"},
		{":s 221 ann_ +i", ":s 221 ann +i"},
		{":s 999 ann_ #ring eve :#text", ":s 999 ann #ring/net eve :#text"},
		{":e KICK #ring ann_ :ann_", ":e KICK #ring/net ann :ann_"},
		{":e MODE #ring +vb-o ann_ *!*@h eve", ":e MODE #ring/net +vb-o ann *!*@h eve/net"},
		{":e MODE ann_ +i", ":e MODE ann +i"},
		{":e PRIVMSG ann_ :#ring", ":e PRIVMSG ann :#ring"},
		{":e PRIVMSG #ring :eve", ":e PRIVMSG #ring/net :eve"},
		{":s NOTICE * :hi", ":s NOTICE * :hi"},
		{":s FAIL JOIN NO #ring :#why", ":s FAIL JOIN NO #ring/net :#why"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		check(irc_names_in, lines[i][0], lines[i][1]);
}

static void test_to_the_server(void **state)
{
	static const char *const lines[][2] = {
		{"KICK #ring/net eve/net,bob/net :off/net", "KICK #ring eve,bob :off/net"},
		{"KICK #ring/net ann", "KICK #ring ann_"},
		{"MODE #ring/net +vbl eve/net bob/net!*@* 5", "MODE #ring +vbl eve bob!*@* 5"},
		{"MODE #ring/net +o ann", "MODE #ring +o ann_"},
		{"MODE #ring/net +k ann", "MODE #ring +k ann"},
		{"MODE ann +i", "MODE ann_ +i"},
		{"WHOIS eve/net eve/net", "WHOIS eve eve"},
		{"INVITE eve/net #ring/net", "INVITE eve #ring"},
		{"USERHOST eve/net bob/net", "USERHOST eve bob"},
		{"ISON :eve/net bob/net", "ISON :eve bob"},
		{"KICK #ring/NET eve/Net", "KICK #ring eve"},
		{"SAJOIN eve/NET #a", "SAJOIN eve #a"},
		{"WHO #ring/other", "WHO #ring/other"},
		{"WHO #ring/net %tcuhnfdar,152", "WHO #ring %tcuhnfdar,152"},
		{"WHO eve/net!*@* o%n", "WHO eve!*@* o%n"},
		{"WHO *!*@*.org/net", "WHO *!*@*.org"},
		{"WHO */NET", "WHO *"},
		{"WHO ann %n", "WHO ann_ %n"},
		{"WHO /net", "WHO /net"},
		{"SAJOIN eve/net #a/net :x/net", "SAJOIN eve #a :x/net"},
		{"OPER ann secret", "OPER ann secret"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		check(irc_names_out, lines[i][0], lines[i][1]);
}

/* What stands where says who asked. */
static void test_fields_of_who(void **state)
{
	static const char *const lines[][3] = {
		{"%tcuhnfdar,152", ":s 354 ann_ 152 #ring +e h eve H 0 ann_ :Eve",
		 ":s 354 ann 152 #ring/net +e h eve/net H 0 ann_ :Eve"},
		{"o%na", ":s 354 ann_ ann_ 0", ":s 354 ann ann 0"},
		{"%rn", ":s 354 ann_ eve :#ring", ":s 354 ann eve/net :#ring"},
		{"%c", ":s 354 ann_ *", ":s 354 ann *"},
		{"%tcuihsnfdlaor", ":s 354 ann_ 1 #r u 0 h s n H 0 9 a o :r",
		 ":s 354 ann 1 #r/net u 0 h s n/net H 0 9 a o :r"},
		{"%u", ":s 354 ann_", ":s 354 ann"},
		{"o", ":s 354 ann_ 152 #ring eve", ":s 354 ann 152 #ring/net eve"},
		{"", ":s 315 ann_ *!*@*.org :End", ":s 315 ann *!*@*.org/net :End"},
	};

	(void)state;
	names.mask = BYTES("*!*@*.org/net");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		names.whox = irc_whox_fields(bytes_str(lines[i][0]));
		check(irc_names_in, lines[i][1], lines[i][2]);
	}
	names.mask = BYTES("");
	names.whox = 0;
}

static void test_where_names_are(void **state)
{
	struct irc_line line;

	(void)state;
	assert_true(irc_line_parse(BYTES("KICK #a eve :bob/net"), &line));
	assert_true(irc_names_has(&line, 0) && irc_names_has(&line, 1) && !irc_names_has(&line, 2));
	assert_true(irc_line_parse(BYTES("SAPART eve #a :bob/net"), &line));
	assert_true(irc_names_has(&line, 0) && irc_names_has(&line, 1) && !irc_names_has(&line, 2));
	assert_true(irc_line_parse(BYTES("QUIT"), &line));
	assert_false(irc_line_trails(&line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_the_client),
		cmocka_unit_test(test_to_the_server),
		cmocka_unit_test(test_fields_of_who),
		cmocka_unit_test(test_where_names_are),
	};

	irc_isupport_init(&is);
	irc_isupport_take(&is, BYTES("CHANTYPES=#&+"));
	irc_isupport_take(&is, BYTES("PREFIX=(qov)&@+"));
	irc_isupport_take(&is, BYTES("CHANMODES=beI,k,l,nt"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
