/* What was said: lines made into orders, many in each; and daily files as ZNC's module log and soju's store
 * "fs" write them:
 *
 *   DIR/#ring/2026-01-31.log   [12:00:01] <ann> hello   [12:00:02] * ann waves   [12:00:03] -bob- psst
 *                              [12:00:04] *** Joins: eve (e@host)   [12:00:05] *** ann is now known as anna
 *   DIR/bob/…
 *
 * Their time is that of the machine they were written on: it is read as of this one (TZ). */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "import.h"

#define ORDER_MAX 3600u /* an order is shorter than 4094 bytes */
#define LINES_MAX 40u

/* --- orders ----------------------------------------------------------------------------------- */

static size_t quoted_len(const char *text)
{
	size_t len = 3;

	for (; *text; text++)
		len += 1 + (*text == '"' || *text == '\\');
	return len;
}

void import_line(struct import_lines *lines, const char *line)
{
	size_t len = quoted_len(line);

	if (len > ORDER_MAX - 300) {
		lines->too_long++;
		return;
	}
	if (lines->count && (lines->len + len > ORDER_MAX || lines->count == LINES_MAX))
		import_lines_end(lines);
	if (!lines->count) {
		import_order(lines->import, lines->user, "data import");
		import_option(lines->import, "in", lines->target);
		import_option(lines->import, "network", lines->network);
		lines->len = quoted_len(lines->target) + quoted_len(lines->network) + 40;
	}
	import_word(lines->import, line);
	lines->len += len;
	lines->count++;
	lines->taken++;
}

void import_lines_end(struct import_lines *lines)
{
	if (lines->count)
		import_order_end(lines->import);
	lines->count = 0;
}

/* --- files of a day --------------------------------------------------------------------------- */

struct logs {
	struct import_lines lines;
	const char *nick;
	unsigned events, strange;
	time_t last; /* of the channel or person at hand */
};

/* "<nick> text", "* nick text", "-nick- text"; false: neither. */
static bool said(const char *text, char *nick, size_t nick_size, const char **words,
		 const char **verb)
{
	const char *from = text + 1, *end;

	*verb = "PRIVMSG";
	if (text[0] == '<') {
		end = strstr(from, "> ");
	} else if (text[0] == '-') {
		end = strstr(from, "- ");
		*verb = "NOTICE";
	} else if (text[0] == '*' && text[1] == ' ') {
		from++;
		end = strchr(from, ' ');
	} else {
		return false;
	}
	if (!end || end == from || (size_t)(end - from) >= nick_size)
		return false;
	memcpy(nick, from, (size_t)(end - from));
	nick[end - from] = '\0';
	*words = end + (text[0] == '*' ? 1 : 2);
	return !strpbrk(nick, " \r\n!");
}

/* A nick, or "ident@host", that ends there. */
static bool word_until(const char **at, const char *end, char *out, size_t size)
{
	const char *to = strstr(*at, end);

	if (!to || to == *at || (size_t)(to - *at) >= size)
		return false;
	memcpy(out, *at, (size_t)(to - *at));
	out[to - *at] = '\0';
	*at = to + strlen(end);
	return !strpbrk(out, " \r\n!:") || (strchr(out, '@') && !strpbrk(out, " \r\n!"));
}

/* The rest without its last letter, which is this one. */
static bool rest_until(char *at, char end)
{
	size_t len = strlen(at);

	if (!len || at[len - 1] != end)
		return false;
	at[len - 1] = '\0';
	return true;
}

/* Who came and went, as it was on the wire. False: it is nothing known. */
static bool happened(char *text, const char *to, char *line, size_t size)
{
	static const struct {
		const char *begin, *verb;
		bool has_target, has_words;
	} kinds[] = {{"Joins: ", "JOIN", true, false},
		     {"Parts: ", "PART", true, true},
		     {"Quits: ", "QUIT", false, true}};
	char nick[128], other[256];
	const char *at = text;

	for (size_t i = 0; i < 3; i++) {
		if (strncmp(text, kinds[i].begin, strlen(kinds[i].begin)) != 0)
			continue;
		at = text + strlen(kinds[i].begin);
		if (!word_until(&at, " (", nick, sizeof nick) ||
		    !word_until(&at, ")", other, sizeof other))
			return false;
		if (kinds[i].has_words && *at == ' ' &&
		    (at[1] != '(' || !rest_until(text + (at + 2 - text), ')')))
			return false;
		snprintf(line, size, ":%s!%s %s%s%s%s%s", nick, other, kinds[i].verb,
			 kinds[i].has_target ? " " : "", kinds[i].has_target ? to : "",
			 kinds[i].has_words ? " :" : "", kinds[i].has_words && *at ? at + 2 : "");
		return true;
	}
	if (!word_until(&at, " ", nick, sizeof nick))
		return false;
	if (strncmp(at, "is now known as ", 16) == 0 && !strchr(at + 16, ' '))
		snprintf(line, size, ":%s NICK :%s", nick, at + 16);
	else if (strncmp(at, "sets mode: ", 11) == 0)
		snprintf(line, size, ":%s MODE %s %s", nick, to, at + 11);
	else if (strncmp(at, "changes topic to '", 18) == 0 &&
		 rest_until(text + (at + 18 - text), '\''))
		snprintf(line, size, ":%s TOPIC %s :%s", nick, to, at + 18);
	else if (strncmp(at, "was kicked by ", 14) == 0 && (at += 14) &&
		 word_until(&at, " (", other, sizeof other) && rest_until(text + (at - text), ')'))
		snprintf(line, size, ":%s KICK %s %s :%s", other, to, nick, at);
	else
		return false;
	return true;
}

/* So many digits and what ends them. */
static bool number(const char **at, unsigned digits, char end, int *out)
{
	for (*out = 0; digits; digits--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*out = *out * 10 + (**at - '0');
	}
	return *(*at)++ == end;
}

static void take_line(struct logs *logs, const struct tm *day, char *text)
{
	struct tm at = *day;
	char nick[128], when[32], event[3500], line[4096];
	const char *words = "", *verb = "", *clock = text + 1, *to = logs->lines.target;
	bool action, is_event;
	time_t seconds;

	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] != '[' || !number(&clock, 2, ':', &at.tm_hour) ||
	    !number(&clock, 2, ':', &at.tm_min) || !number(&clock, 2, ']', &at.tm_sec) ||
	    *clock != ' ') {
		logs->strange += text[0] != '\0';
		return;
	}
	text += clock + 1 - text;
	is_event = strncmp(text, "*** ", 4) == 0;
	if (is_event && (!strchr("#&+!", *to) || !happened(text + 4, to, event, sizeof event))) {
		logs->events++;
		return;
	}
	if (!is_event && !said(text, nick, sizeof nick, &words, &verb)) {
		logs->strange++;
		return;
	}
	action = text[0] == '*';
	/* To us it was said under our nick, which is not written there. */
	if (!is_event && strcasecmp(nick, to) == 0)
		to = logs->nick;
	at.tm_isdst = -1;
	/* In autumn an hour comes twice; what was written later is later. */
	seconds = mktime(&at);
	seconds = seconds < logs->last ? logs->last : seconds;
	logs->last = seconds;
	if (!gmtime_r(&seconds, &at) ||
	    !strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S.000Z", &at)) {
		logs->strange++;
		return;
	}
	if (is_event)
		snprintf(line, sizeof line, "@time=%s %s", when, event);
	else
		snprintf(line, sizeof line, "@time=%s :%s %s %s :%s%s%s", when, nick, verb, to,
			 action ? "\001ACTION " : "", words, action ? "\001" : "");
	import_line(&logs->lines, line);
}

static void take_file(struct logs *logs, int directory, const char *name)
{
	struct tm day = {0};
	char *text = NULL;
	size_t size = 0;
	const char *at = name;
	FILE *in;
	int fd;

	if (!number(&at, 4, '-', &day.tm_year) || !number(&at, 2, '-', &day.tm_mon) ||
	    !number(&at, 2, '.', &day.tm_mday) || strcmp(at, "log") != 0)
		return;
	day.tm_year -= 1900;
	day.tm_mon--;
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	in = fd == -1 ? NULL : fdopen(fd, "r");
	if (!in) {
		import_note(logs->lines.import, 0, "%s/%s cannot be read", logs->lines.target,
			    name);
		if (fd != -1)
			close(fd);
		return;
	}
	while (getline(&text, &size, in) != -1)
		take_line(logs, &day, text);
	free(text);
	fclose(in);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void take_target(struct logs *logs, const char *path)
{
	struct dirent **files = NULL;
	int count = scandir(path, &files, visible, alphasort);
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < count; i++) {
		if (directory != -1)
			take_file(logs, directory, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	if (directory != -1)
		close(directory);
}

bool import_logs(struct import *import, const char *user, const char *network, const char *nick,
		 const char *directory)
{
	struct dirent **targets = NULL;
	int count = scandir(directory, &targets, visible, alphasort);
	struct logs logs = {.nick = nick};
	unsigned taken = 0;

	if (count < 0)
		return false;
	for (int i = 0; i < count; i++) {
		char path[4096];
		struct stat status;

		snprintf(path, sizeof path, "%s/%s", directory, targets[i]->d_name);
		logs.last = 0;
		logs.lines = (struct import_lines){.import = import,
						   .user = user,
						   .network = network,
						   .target = targets[i]->d_name};
		if (strpbrk(targets[i]->d_name, " \r\n"))
			import_note(import, 0, "%s: %s: %s is no name of a channel or person", user,
				    network, targets[i]->d_name);
		else if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
			take_target(&logs, path);
		import_lines_end(&logs.lines);
		taken += logs.lines.taken;
		if (logs.lines.too_long)
			import_note(import, 0, "%s: %s: %s: %u lines are too long", user, network,
				    targets[i]->d_name, logs.lines.too_long);
		free(targets[i]);
	}
	free(targets);
	if (logs.events)
		import_note(
			import, 0,
			"%s: %s: logs: %u lines of what happened are in no form that is known here",
			user, network, logs.events);
	if (logs.strange)
		import_note(import, 0, "%s: %s: logs: %u lines are in no form that is known here",
			    user, network, logs.strange);
	return taken > 0;
}
