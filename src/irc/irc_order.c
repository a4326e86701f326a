#include "irc/irc_order.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "irc/irc_network.h"
#include "irc/irc_user.h"
#include "irc/proto/irc_lines.h"

/* --- words ---------------------------------------------------------------------------------- */

bool irc_words_split(struct irc_words *words, struct bytes text)
{
	size_t to = 0, i = 0;

	while (i < text.len) {
		char quote = 0;

		while (i < text.len && text.at[i] == ' ')
			i++;
		if (i == text.len)
			break;
		if (words->count == IRC_WORDS_MAX || to + 2 >= sizeof words->room)
			return false;
		words->at[words->count++] = words->room + to;
		for (; i < text.len && (quote || text.at[i] != ' '); i++) {
			char c = (char)text.at[i];

			if (to + 2 >= sizeof words->room)
				return false;
			if (c == '\\' && quote != '\'' && i + 1 < text.len)
				words->room[to++] = (char)text.at[++i];
			else if (!quote && (c == '"' || c == '\''))
				quote = c;
			else if (quote && c == quote)
				quote = 0;
			else
				words->room[to++] = c;
		}
		words->room[to++] = '\0';
		if (quote)
			return false;
	}
	return true;
}

void irc_words_quote(struct writer *w, const char *word)
{
	writer_str(w, " \"");
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			writer_u8(w, '\\');
		writer_u8(w, (uint8_t)*word);
	}
	writer_u8(w, '"');
}

static int place_of(const struct irc_words *words, unsigned from, const char *name)
{
	for (unsigned i = from; i + 1 < words->count; i++)
		if (words->at[i][0] == '-' && strcmp(words->at[i] + 1, name) == 0)
			return (int)i;
	return -1;
}

const char *irc_words_peek(const struct irc_words *words, unsigned from, const char *name)
{
	int i = place_of(words, from, name);

	return i < 0 ? NULL : words->at[i + 1];
}

const char *irc_words_take(struct irc_words *words, unsigned from, const char *name)
{
	int i = place_of(words, from, name);
	const char *value;

	if (i < 0)
		return NULL;
	value = words->at[i + 1];
	memmove(&words->at[i], &words->at[i + 2],
		(words->count - (unsigned)i - 2) * sizeof words->at[0]);
	words->count -= 2;
	return value;
}

bool irc_words_flag(struct irc_words *words, unsigned from, const char *name, bool *flag,
		    bool *given)
{
	const char *value = irc_words_take(words, from, name);

	*given = value;
	if (!value)
		return true;
	*flag = strcmp(value, "true") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "1") == 0;
	if (*flag || strcmp(value, "false") == 0 || strcmp(value, "no") == 0 ||
	    strcmp(value, "0") == 0)
		return true;
	return irc_refuse(words, "-%s is true or false", name);
}

bool irc_words_time(struct irc_words *words, unsigned from, const char *name, uint64_t *seconds,
		    bool *given)
{
	const char *value = irc_words_take(words, from, name);
	char *end;
	unsigned long long number, unit;

	*given = value;
	if (!value)
		return true;
	number = strtoull(value, &end, 10);
	unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 1;
	if (end == value || value[0] == '-' || (*end && end[1]) ||
	    (*end && !strchr("smhd", *end)) || number > UINT32_MAX)
		return irc_refuse(words, "-%s is a time such as 10m", name);
	*seconds = number * unit;
	return true;
}

bool irc_words_end(struct irc_words *words, unsigned from)
{
	return from >= words->count || irc_refuse(words, "%s is not known here", words->at[from]);
}

/* --- answers -------------------------------------------------------------------------------- */

bool irc_order_say(struct irc_order *order, const char *format, ...)
{
	char line[400];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	irc_lines_flatten(line);
	order->say(order, line);
	return true;
}

void irc_order_wait(struct irc_order *order)
{
	order->waits = true;
	memcpy(order->name, order->user->name, sizeof order->name);
	order->network_id = order->network ? order->network->id : 0;
	order->user = NULL;
	order->network = NULL;
	irc_here.orders++;
}

bool irc_order_back(struct irc_order *order)
{
	order->user = irc_user_find(bytes_str(order->name));
	if (order->user && order->network_id)
		order->network = irc_network_of_id(order->user, order->network_id);
	return order->user != NULL;
}

void irc_order_end(struct irc_order *order, bool good)
{
	irc_here.orders--;
	order->done(order, good);
}

struct irc_network *irc_order_network(struct irc_words *words, unsigned from)
{
	const char *name = irc_words_take(words, from, "network");
	struct irc_network *network = words->order->network;

	if (name)
		network = irc_network_find(words->order->user, bytes_str(name));
	else if (!network && words->order->user->network_count == 1)
		network = words->order->user->networks;
	if (!network)
		irc_say(words, name ? "there is no network %s" : "which network? -network NAME%s",
			name ? name : "");
	return network;
}
