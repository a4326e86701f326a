#include "irc/proto/irc_names.h"

/* A letter for each parameter:
 *   t  whom a number is for: the client
 *   n  people, commas between     c  channels, commas between    x  the one or the other
 *   b  people, blanks between     p, q  channels, people, blanks between and prefixes before them (319, 353)
 *   s  who set something: one of the people, or a server
 *   u  "nick*=+user@host", blanks between (302)
 *   m  letters of modes and their words, to the end
 *   w  one of the people, a channel or a mask of either
 *   .  no name; so is what is not there */
static const struct {
	const char *verb, *shape;
} shapes[] = {
	{"PRIVMSG", "x"},
	{"NOTICE", "x"},
	{"TAGMSG", "x"},
	{"JOIN", "c"},
	{"PART", "c"},
	{"KICK", "cn"},
	{"MODE", "xm"},
	{"TOPIC", "c"},
	{"INVITE", "nc"},
	{"NICK", "n"},
	{"NAMES", "c"},
	{"LIST", "c"},
	{"WHO", "w"},
	{"WHOIS", "nn"},
	{"WHOWAS", "n"},
	{"USERHOST", "bbbbb"},
	{"ISON", "bbbbbbbbbbbbbbb"},
	{"KNOCK", "c"},
	{"KILL", "n"},
	{"RENAME", "cc"},
	{"REDACT", "x"},
	{"METADATA", "x"},
	/* "+i" is no channel, where their names may begin so. */
	{"008", "t"},
	{"221", "t"},
	/* Away, and who somebody is. */
	{"301", "tn"},
	{"302", "tu"},
	{"303", "tb"},
	{"276", "tn"},
	{"307", "tn"},
	{"310", "tn"},
	{"311", "tn"},
	{"312", "tn"},
	{"313", "tn"},
	{"314", "tn"},
	{"315", "tx"},
	{"317", "tn"},
	{"318", "tn"},
	{"319", "tnp"},
	{"320", "tn"},
	{"330", "tn"},
	{"335", "tn"},
	{"338", "tn"},
	{"352", "tc...n"},
	{"354", "tccccccccc"}, /* where it is not known what was asked for */
	{"369", "tn"},
	{"378", "tn"},
	{"379", "tn"},
	{"671", "tn"},
	/* Channels. */
	{"322", "tc"},
	{"324", "tc"},
	{"325", "tcn"},
	{"328", "tc"},
	{"329", "tc"},
	{"331", "tc"},
	{"332", "tc"},
	{"333", "tcs"},
	{"341", "tnc"},
	{"346", "tc.s"},
	{"347", "tc"},
	{"348", "tc.s"},
	{"349", "tc"},
	{"353", "t.cq"},
	{"366", "tc"},
	{"367", "tc.s"},
	{"368", "tc"},
	{"710", "tc"},
	{"711", "tc"},
	{"712", "tc"},
	{"713", "tc"},
	{"714", "tc"},
	{"728", "tc..s"},
	{"729", "tc"},
	/* What is refused. */
	{"401", "tx"},
	{"402", "tx"},
	{"403", "tx"},
	{"404", "tx"},
	{"405", "tc"},
	{"406", "tn"},
	{"407", "tx"},
	{"433", "tn"},
	{"436", "tn"},
	{"437", "tx"},
	{"438", "tn"},
	{"441", "tnc"},
	{"442", "tc"},
	{"443", "tnc"},
	{"444", "tn"},
	{"467", "tc"},
	{"471", "tc"},
	{"473", "tc"},
	{"474", "tc"},
	{"475", "tc"},
	{"476", "tc"},
	{"477", "tc"},
	{"478", "tc"},
	{"480", "tc"},
	{"482", "tc"},
	{"484", "tc"},
	{"485", "tc"},
	{"489", "tc"},
	{"520", "tc"},
	{"525", "tc"},
	{"531", "tn"},
	{"696", "tx"},
	{"697", "tc"},
	{"716", "tn"},
	{"717", "tn"},
	{"718", "tn"},
	{"742", "tc"},
	{"760", "tx"},
	{"761", "tx"},
	{"766", "tx"},
};

static const char *shape_of(const struct irc_line *line)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (irc_verb_is(line, shapes[i].verb))
			return shapes[i].shape;
	return NULL;
}

/* --- WHOX ----------------------------------------------------------------------------------- */

static const char whox_order[] = "tcuihsnfdlaor";

unsigned irc_whox_fields(struct bytes options)
{
	struct bytes list = bytes_skip(options, bytes_find(options, '%') + 1);
	unsigned fields = 0;

	list = bytes_first(list, bytes_find(list, ','));
	for (unsigned i = 0; whox_order[i]; i++)
		if (bytes_find(list, (uint8_t)whox_order[i]) < list.len)
			fields |= 1u << i;
	return fields;
}

static const char *whox_shape(unsigned fields, char shape[sizeof whox_order + 1])
{
	size_t len = 0;

	shape[len++] = 't';
	for (unsigned i = 0; whox_order[i]; i++)
		if (fields & 1u << i)
			shape[len++] = strchr("cn", whox_order[i]) ? whox_order[i] : '.';
	shape[len] = '\0';
	return shape;
}

bool irc_line_trails(const struct irc_line *line)
{
	struct bytes last = irc_param(line, line->count - 1);

	return line->count && last.at > line->rest.at && last.at[-1] == ':';
}

/* What a parameter is; of verbs that are not known, what is no text may be a name. */
static char letter_of(const struct irc_line *line, const char *shape, unsigned i, char unknown)
{
	if (shape)
		return memchr(shape, '\0', i + 1) ? '.' : shape[i];
	if (i == 0 && irc_line_numeric(line))
		return 't';
	return i && i + 1 == line->count && irc_line_trails(line) ? '.' : unknown;
}

bool irc_names_has(const struct irc_line *line, unsigned i)
{
	return letter_of(line, shape_of(line), i, 'x') != '.';
}

/* A name and what stands behind it: "nick!user@host". */
static struct bytes name_part(const struct irc_names *names, struct bytes word)
{
	return irc_is_channel(names->is, word) ? word : bytes_first(word, bytes_find(word, '!'));
}

static bool has_network(const struct irc_names *names, struct bytes name)
{
	size_t len = names->network.len;

	/* In any case, as networks are found. */
	return len && name.len > len + 1 && name.at[name.len - len - 1] == '/' &&
	       bytes_equal_nocase(bytes_skip(name, name.len - len), names->network);
}

/* --- one name ------------------------------------------------------------------------------- */

typedef void one_name(const struct irc_names *names, struct writer *w, struct bytes word,
		      char letter);

static void one_in(const struct irc_names *names, struct writer *w, struct bytes word, char letter)
{
	bool is_channel = irc_is_channel(names->is, word);
	struct bytes name = name_part(names, word);

	/* "*" is nobody, and "$*.net" everybody of a server. */
	if (!name.len || name.at[0] == '*' || name.at[0] == '$' || (letter == 'c' && !is_channel) ||
	    (letter == 's' && bytes_find(name, '.') < name.len)) {
		writer_put(w, word);
		return;
	}
	if (!is_channel && names->own.len && irc_same(names->is->casemap, name, names->own)) {
		writer_put(w, names->nick);
	} else {
		writer_put(w, name);
		writer_u8(w, '/');
		writer_put(w, names->network);
	}
	writer_put(w, bytes_skip(word, name.len));
}

static void one_out(const struct irc_names *names, struct writer *w, struct bytes word, char letter)
{
	/* A mask of hosts has it behind them: "*!*@*.org/net". */
	struct bytes name =
		letter == 'w' && has_network(names, word) ? word : name_part(names, word);

	if (has_network(names, name))
		writer_put(w, bytes_first(name, name.len - names->network.len - 1));
	else if (letter != 'c' && names->own.len && irc_same(IRC_ASCII, name, names->nick))
		writer_put(w, names->own);
	else
		writer_put(w, name);
	writer_put(w, bytes_skip(word, name.len));
}

/* Of a verb that is not known, what says so itself. */
static void one_said(const struct irc_names *names, struct writer *w, struct bytes word,
		     char letter)
{
	if (has_network(names, name_part(names, word)))
		one_out(names, w, word, letter);
	else
		writer_put(w, word);
}

/* --- lists ---------------------------------------------------------------------------------- */

/* "@+nick", "@#ring": where the name begins. */
static size_t signs_len(const struct irc_names *names, struct bytes item, char letter)
{
	size_t len = 0;

	/* '&' and '+' are signs here and there, and the beginning of a channel's name as well. */
	while (len + 1 < item.len && irc_prefix_of_sign(names->is, item.at[len]) &&
	       !(letter == 'p' && irc_is_channel(names->is, bytes_skip(item, len)) &&
		 !irc_is_channel(names->is, bytes_skip(item, len + 1)) &&
		 !irc_prefix_of_sign(names->is, item.at[len + 1])))
		len++;
	return len;
}

static void put_item(const struct irc_names *names, one_name *one, struct writer *w,
		     struct bytes item, char letter)
{
	size_t name = 0;

	if (letter == 'p' || letter == 'q') {
		name = signs_len(names, item, letter);
		writer_put(w, bytes_first(item, name));
		one(names, w, bytes_skip(item, name), 'x');
	} else if (letter == 'u') {
		while (name < item.len && item.at[name] != '=' && item.at[name] != '*')
			name++;
		one(names, w, bytes_first(item, name), 'n');
		writer_put(w, bytes_skip(item, name));
	} else {
		one(names, w, item, letter);
	}
}

static void put_list(const struct irc_names *names, one_name *one, struct writer *w,
		     struct bytes list, char letter)
{
	uint8_t between = strchr("bpqu", letter) ? ' ' : ',';

	for (;;) {
		size_t len = bytes_find(list, between);

		put_item(names, one, w, bytes_first(list, len), letter);
		if (len >= list.len)
			return;
		writer_u8(w, between);
		list = bytes_skip(list, len + 1);
	}
}

static void change(const struct irc_names *names, one_name *one, struct bytes *param, char letter,
		   struct writer *room)
{
	size_t from = room->len;

	put_list(names, one, room, *param, letter);
	*param = bytes_of(room->at + from, room->len - from);
}

/* Of modes the people, and on the way out "nick/net!*@*" too: on the way in a mask is what was set. */
static void change_modes(const struct irc_names *names, one_name *one, struct irc_line *line,
			 unsigned from, bool out, struct writer *room)
{
	struct irc_modes modes = {
		.is = names->is, .param = line->param + from, .count = line->count - from};
	struct irc_change mode;

	while (irc_modes_next(&modes, &mode)) {
		struct bytes *word = &line->param[from + modes.next];

		if (mode.word.len &&
		    (mode.prefix || (out && has_network(names, name_part(names, mode.word)))))
			change(names, one, word, 'n', room);
	}
}

/* --- lines ---------------------------------------------------------------------------------- */

bool irc_names_in(const struct irc_names *names, struct irc_line *line, struct writer *room)
{
	const char *shape = shape_of(line);
	bool of_channel = irc_is_channel(names->is, irc_param(line, 0));
	char letters[IRC_PARAMS_MAX], whox[sizeof whox_order + 1];
	unsigned number = irc_line_numeric(line);

	if (number == 354 && names->whox)
		shape = whox_shape(names->whox, whox);
	for (unsigned i = 0; i < line->count; i++)
		letters[i] = letter_of(line, shape, i, 'c');
	if (number == 315 && names->mask.len && line->count > 1) {
		line->param[1] = names->mask;
		letters[1] = '.';
	}
	for (unsigned i = 0; i < line->count; i++) {
		if (letters[i] == 't')
			line->param[i] = names->nick;
		else if (letters[i] == 'm' && of_channel)
			change_modes(names, one_in, line, i, false, room);
		else if (letters[i] != '.' && letters[i] != 'm')
			change(names, one_in, &line->param[i], letters[i], room);
	}
	return writer_ok(room);
}

bool irc_names_out(const struct irc_names *names, struct irc_line *line, struct writer *room)
{
	const char *shape = shape_of(line);
	one_name *one = shape ? one_out : one_said;
	bool of_channel = irc_is_channel(names->is, irc_param(line, 0));
	char letters[IRC_PARAMS_MAX];

	for (unsigned i = 0; i < line->count; i++)
		letters[i] = letter_of(line, shape, i, 'x');
	for (unsigned i = 0; i < line->count; i++) {
		if (letters[i] == 'm' && of_channel)
			change_modes(names, one, line, i, true, room);
		else if (letters[i] != '.' && letters[i] != 'm')
			change(names, one, &line->param[i], letters[i], room);
	}
	return writer_ok(room);
}
