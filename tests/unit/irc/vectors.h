/* The vectors of ircdocs/parser-tests as tables. Written by Daniel Oaks and others, who have dedicated
 * them to the public domain (CC0 1.0). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct vector_tag {
	const char *key, *value; /* value NULL: none */
};

struct vector_atoms {
	struct vector_tag tags[10];
	const char *source, *verb, *params[16];
};

static const struct {
	const char *input;
	struct vector_atoms atoms;
} split_vectors[] = {
	{"foo bar baz asdf", {.verb = "foo", .params = {"bar", "baz", "asdf"}}},
	{":coolguy foo bar baz asdf",
	 {.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "asdf"}}},
	{"foo bar baz :asdf quux", {.verb = "foo", .params = {"bar", "baz", "asdf quux"}}},
	{"foo bar baz :", {.verb = "foo", .params = {"bar", "baz", ""}}},
	{"foo bar baz ::asdf", {.verb = "foo", .params = {"bar", "baz", ":asdf"}}},
	{":coolguy foo bar baz :asdf quux",
	 {.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "asdf quux"}}},
	{":coolguy foo bar baz :  asdf quux ",
	 {.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "  asdf quux "}}},
	{":coolguy PRIVMSG bar :lol :) ",
	 {.source = "coolguy", .verb = "PRIVMSG", .params = {"bar", "lol :) "}}},
	{":coolguy foo bar baz :",
	 {.source = "coolguy", .verb = "foo", .params = {"bar", "baz", ""}}},
	{":coolguy foo bar baz :  ",
	 {.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "  "}}},
	{"@a=b;c=32;k;rt=ql7 foo",
	 {.tags = {{"a", "b"}, {"c", "32"}, {"k", ""}, {"rt", "ql7"}}, .verb = "foo"}},
	{"@a=b\\\\and\\nk;c=72\\s45;d=gh\\:764 foo",
	 {.tags = {{"a", "b\\and\012k"}, {"c", "72 45"}, {"d", "gh;764"}}, .verb = "foo"}},
	{"@c;h=;a=b :quux ab cd",
	 {.tags = {{"c", ""}, {"h", ""}, {"a", "b"}},
	  .source = "quux",
	  .verb = "ab",
	  .params = {"cd"}}},
	{":src JOIN #chan", {.source = "src", .verb = "JOIN", .params = {"#chan"}}},
	{":src JOIN :#chan", {.source = "src", .verb = "JOIN", .params = {"#chan"}}},
	{":src AWAY", {.source = "src", .verb = "AWAY"}},
	{":src AWAY ", {.source = "src", .verb = "AWAY"}},
	{":cool\011guy foo bar baz",
	 {.source = "cool\011guy", .verb = "foo", .params = {"bar", "baz"}}},
	{":coolguy!ag@net\0035w\003ork.admin PRIVMSG foo :bar baz",
	 {.source = "coolguy!ag@net\0035w\003ork.admin",
	  .verb = "PRIVMSG",
	  .params = {"foo", "bar baz"}}},
	{":coolguy!~ag@n\002et\00305w\017ork.admin PRIVMSG foo :bar baz",
	 {.source = "coolguy!~ag@n\002et\00305w\017ork.admin",
	  .verb = "PRIVMSG",
	  .params = {"foo", "bar baz"}}},
	{"@tag1=value1;tag2;vendor1/tag3=value2;vendor2/tag4= :irc.example.com COMMAND param1 "
	 "param2 :param3 param3",
	 {.tags = {{"tag1", "value1"},
		   {"tag2", ""},
		   {"vendor1/tag3", "value2"},
		   {"vendor2/tag4", ""}},
	  .source = "irc.example.com",
	  .verb = "COMMAND",
	  .params = {"param1", "param2", "param3 param3"}}},
	{":irc.example.com COMMAND param1 param2 :param3 param3",
	 {.source = "irc.example.com",
	  .verb = "COMMAND",
	  .params = {"param1", "param2", "param3 param3"}}},
	{"@tag1=value1;tag2;vendor1/tag3=value2;vendor2/tag4 COMMAND param1 param2 :param3 param3",
	 {.tags = {{"tag1", "value1"},
		   {"tag2", ""},
		   {"vendor1/tag3", "value2"},
		   {"vendor2/tag4", ""}},
	  .verb = "COMMAND",
	  .params = {"param1", "param2", "param3 param3"}}},
	{"COMMAND", {.verb = "COMMAND"}},
	{"@foo=\\\\\\\\\\:\\\\s\\s\\r\\n COMMAND",
	 {.tags = {{"foo", "\\\\;\\s \015\012"}}, .verb = "COMMAND"}},
	{":gravel.mozilla.org 432  #momo :Erroneous Nickname: Illegal characters",
	 {.source = "gravel.mozilla.org",
	  .verb = "432",
	  .params = {"#momo", "Erroneous Nickname: Illegal characters"}}},
	{":gravel.mozilla.org MODE #tckk +n ",
	 {.source = "gravel.mozilla.org", .verb = "MODE", .params = {"#tckk", "+n"}}},
	{":services.esper.net MODE #foo-bar +o foobar  ",
	 {.source = "services.esper.net", .verb = "MODE", .params = {"#foo-bar", "+o", "foobar"}}},
	{"@tag1=value\\\\ntest COMMAND", {.tags = {{"tag1", "value\\ntest"}}, .verb = "COMMAND"}},
	{"@tag1=value\\1 COMMAND", {.tags = {{"tag1", "value1"}}, .verb = "COMMAND"}},
	{"@tag1=value1\\ COMMAND", {.tags = {{"tag1", "value1"}}, .verb = "COMMAND"}},
	{"@tag1=1;tag2=3;tag3=4;tag1=5 COMMAND",
	 {.tags = {{"tag1", "5"}, {"tag2", "3"}, {"tag3", "4"}}, .verb = "COMMAND"}},
	{"@tag1=1;tag2=3;tag3=4;tag1=5;vendor/tag2=8 COMMAND",
	 {.tags = {{"tag1", "5"}, {"tag2", "3"}, {"tag3", "4"}, {"vendor/tag2", "8"}},
	  .verb = "COMMAND"}},
	{":SomeOp MODE #channel :+i",
	 {.source = "SomeOp", .verb = "MODE", .params = {"#channel", "+i"}}},
	{":SomeOp MODE #channel +oo SomeUser :AnotherUser",
	 {.source = "SomeOp",
	  .verb = "MODE",
	  .params = {"#channel", "+oo", "SomeUser", "AnotherUser"}}},
};

static const struct {
	struct vector_atoms atoms;
	const char *matches[16];
} join_vectors[] = {
	{{.verb = "foo", .params = {"bar", "baz", "asdf"}},
	 {"foo bar baz asdf", "foo bar baz :asdf"}},
	{{.source = "src", .verb = "AWAY"}, {":src AWAY"}},
	{{.source = "src", .verb = "AWAY", .params = {""}}, {":src AWAY :"}},
	{{.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "asdf"}},
	 {":coolguy foo bar baz asdf", ":coolguy foo bar baz :asdf"}},
	{{.verb = "foo", .params = {"bar", "baz", "asdf quux"}}, {"foo bar baz :asdf quux"}},
	{{.verb = "foo", .params = {"bar", "baz", ""}}, {"foo bar baz :"}},
	{{.verb = "foo", .params = {"bar", "baz", ":asdf"}}, {"foo bar baz ::asdf"}},
	{{.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "asdf quux"}},
	 {":coolguy foo bar baz :asdf quux"}},
	{{.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "  asdf quux "}},
	 {":coolguy foo bar baz :  asdf quux "}},
	{{.source = "coolguy", .verb = "PRIVMSG", .params = {"bar", "lol :) "}},
	 {":coolguy PRIVMSG bar :lol :) "}},
	{{.source = "coolguy", .verb = "foo", .params = {"bar", "baz", ""}},
	 {":coolguy foo bar baz :"}},
	{{.source = "coolguy", .verb = "foo", .params = {"bar", "baz", "  "}},
	 {":coolguy foo bar baz :  "}},
	{{.source = "coolguy", .verb = "foo", .params = {"b\011ar", "baz"}},
	 {":coolguy foo b\011ar baz", ":coolguy foo b\011ar :baz"}},
	{{.tags = {{"asd", ""}},
	  .source = "coolguy",
	  .verb = "foo",
	  .params = {"bar", "baz", "  "}},
	 {"@asd :coolguy foo bar baz :  ", "@asd= :coolguy foo bar baz :  "}},
	{{.tags = {{"asd", ""}},
	  .source = "coolguy",
	  .verb = "foo",
	  .params = {"bar", "baz", "  "}},
	 {"@asd :coolguy foo bar baz :  "}},
	{{.tags = {{"a", "b\\and\012k"}, {"d", "gh;764"}}, .verb = "foo"},
	 {"@a=b\\\\and\\nk;d=gh\\:764 foo", "@d=gh\\:764;a=b\\\\and\\nk foo"}},
	{{.tags = {{"a", "b\\and\012k"}, {"d", "gh;764"}},
	  .verb = "foo",
	  .params = {"par1", "par2"}},
	 {"@a=b\\\\and\\nk;d=gh\\:764 foo par1 par2", "@a=b\\\\and\\nk;d=gh\\:764 foo par1 :par2",
	  "@d=gh\\:764;a=b\\\\and\\nk foo par1 par2", "@d=gh\\:764;a=b\\\\and\\nk foo par1 :par2"}},
	{{.tags = {{"foo", "\\\\;\\s \015\012"}}, .verb = "COMMAND"},
	 {"@foo=\\\\\\\\\\:\\\\s\\s\\r\\n COMMAND"}},
};

static const struct {
	const char *mask, *matches[12], *fails[12];
} mask_vectors[] = {
	{"*@127.0.0.1",
	 {"coolguy!ab@127.0.0.1", "cooldud3!~bc@127.0.0.1"},
	 {"coolguy!ab@127.0.0.5", "cooldud3!~d@124.0.0.1"}},
	{"cool*@*",
	 {"coolguy!ab@127.0.0.1", "cooldud3!~bc@127.0.0.1", "cool132!ab@example.com"},
	 {"koolguy!ab@127.0.0.5", "cooodud3!~d@124.0.0.1"}},
	{"cool!*@*",
	 {"cool!guyab@127.0.0.1", "cool!~dudebc@127.0.0.1", "cool!312ab@example.com"},
	 {"coolguy!ab@127.0.0.1", "cooldud3!~bc@127.0.0.1", "koolguy!ab@127.0.0.5",
	  "cooodud3!~d@124.0.0.1"}},
	{"cool!?username@*",
	 {"cool!ausername@127.0.0.1", "cool!~username@127.0.0.1"},
	 {"cool!username@127.0.0.1"}},
	{"cool!a?*@*", {"cool!ab@127.0.0.1", "cool!abc@127.0.0.1"}, {"cool!a@127.0.0.1"}},
	{"cool[guy]!*@*",
	 {"cool[guy]!guy@127.0.0.1", "cool[guy]!a@example.com"},
	 {"coolg!ab@127.0.0.1", "cool[!ac@127.0.1.1"}},
};

static const struct {
	const char *source, *nick, *user, *host;
} userhost_vectors[] = {
	{"coolguy", "coolguy", NULL, NULL},
	{"coolguy!ag@127.0.0.1", "coolguy", "ag", "127.0.0.1"},
	{"coolguy!~ag@localhost", "coolguy", "~ag", "localhost"},
	{"coolguy@127.0.0.1", "coolguy", NULL, "127.0.0.1"},
	{"coolguy!ag", "coolguy", "ag", NULL},
	{"coolguy!ag@net\0035w\003ork.admin", "coolguy", "ag", "net\0035w\003ork.admin"},
	{"coolguy!~ag@n\002et\00305w\017ork.admin", "coolguy", "~ag",
	 "n\002et\00305w\017ork.admin"},
};

static const struct {
	const char *host;
	bool valid;
} hostname_vectors[] = {
	{"irc.example.com", true},
	{"i.coolguy.net", true},
	{"irc-srv.net.uk", true},
	{"iRC.CooLguY.NeT", true},
	{"gsf.ds342.co.uk", true},
	{"324.net.uk", true},
	{"xn--bcher-kva.ch", true},
	{"services.", true},
	{"-lol-.net.uk", false},
	{"-lol.net.uk", false},
	{"_irc._sctp.lol.net.uk", false},
	{"irc", false},
	{"com", false},
	{"", false},
	{" ", false},
	{"example. net", false},
	{"ex ample.org", false},
	{" example.org", false},
	{"example.org ", false},
};
