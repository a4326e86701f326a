/* ringmainctl: tells a running ringmain what to do, through the socket in its data directory; and makes
 * other servers' settings into a file for it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "import.h"

static int usage(int code)
{
	fprintf(code ? stderr : stdout,
		"Usage: ringmainctl [--data DIR] upgrade|reload\n"
		"       ringmainctl [--data DIR] irc USER COMMAND...\n"
		"       ringmainctl [--data DIR] irc -\n"
		"       ringmainctl import FILE [LOGS]\n\n"
		"  upgrade   starts the program anew, which takes over all connections\n"
		"  reload    reads the settings anew\n"
		"  irc       gives BouncerServ an order of that user's: network status, help, "
		"...;\n"
		"            with - those on standard input, a line each: USER COMMAND...\n"
		"  import    prints what icecast.xml or tinyice.json says as a file for --config,\n"
		"            soju's database or znc.conf as orders for irc -, and names on\n"
		"            standard error what has no equal; LOGS is the directory of soju's\n"
		"            message-store fs\n\n"
		"  --data DIR  the server's data directory (default: $STATE_DIRECTORY or "
		"ringmain-data)\n");
	return code;
}

/* The directory's path may be longer than a socket's address. */
static int reach(const char *data)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int directory = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (directory == -1 || fd == -1)
		return -1;
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", directory);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == -1)
		return -1;
	close(directory);
	return fd;
}

/* The words as one line; those behind the second are quoted where a shell had to be told so too. */
static bool words_join(char *line, size_t size, char **words, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		bool quotes = i > 1 && (!words[i][0] || strpbrk(words[i], " '\"\\"));

		if (strpbrk(words[i], "\r\n") || len + 2 * strlen(words[i]) + 4 > size)
			return false;
		if (i)
			line[len++] = ' ';
		if (quotes)
			line[len++] = '"';
		for (const char *at = words[i]; *at; at++) {
			if (quotes && (*at == '"' || *at == '\\'))
				line[len++] = '\\';
			line[len++] = *at;
		}
		if (quotes)
			line[len++] = '"';
	}
	line[len] = '\0';
	return true;
}

/* Gives it, and prints the answer: which may be there, a refusal, before the order could be written. */
static int order(const char *data, const char *words)
{
	static char answer[1 << 18];
	size_t have = 0;
	ssize_t n;
	int fd = reach(data);

	if (fd == -1) {
		fprintf(stderr,
			"ringmainctl: no server answers in %s: %s\n"
			"--data DIR names the data directory of one that runs.\n",
			data, strerror(errno));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	(void)!dprintf(fd, "%s\n", words);
	while (have < sizeof answer - 1 &&
	       (n = read(fd, answer + have, sizeof answer - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	answer[have] = '\0';
	fputs(have ? answer : "error the server ended without an answer\n", stdout);
	return strncmp(answer, "ok", 2) == 0 ? 0 : 1;
}

/* Those on standard input; one that is refused does not keep the next from being given. */
static int orders(const char *data)
{
	char line[4094 - 4], words[4094];
	unsigned number = 0;
	int code = 0;

	while (fgets(line, sizeof line, stdin)) {
		size_t len = strcspn(line, "\r\n"), start = strspn(line, " \t");
		size_t name = strcspn(line + start, " \t\r\n");

		number++;
		if (!line[len] && !feof(stdin)) {
			fprintf(stderr, "ringmainctl: line %u is too long: %.40s...\n", number,
				line);
			return 1;
		}
		line[len] = '\0';
		if (start >= len || line[start] == '#')
			continue;
		printf("%u: %.*s: ", number, (int)strcspn(line + start, "\""), line + start);
		if (!line[start + name + strspn(line + start + name, " \t")]) {
			printf("error an order is wanted: USER COMMAND...\n");
			code = 1;
			continue;
		}
		snprintf(words, sizeof words, "irc %s", line + start);
		code |= order(data, words);
	}
	return code;
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{"data", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *data = getenv("STATE_DIRECTORY");
	char words[4094];
	bool is_order;
	int which;

	if (!data || !data[0])
		data = "ringmain-data";
	while ((which = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		if (which == 'h')
			return usage(0);
		if (which != 'd')
			return usage(2);
		data = optarg;
	}
	if ((argc - optind == 2 || argc - optind == 3) && strcmp(argv[optind], "import") == 0)
		return import_run(argv[optind + 1], argv[optind + 2], stdout, stderr);
	if (argc - optind >= 2 && strcmp(argv[optind], "irc") == 0 &&
	    strcmp(argv[optind + 1], "-") == 0)
		return argc - optind == 2 ? orders(data) : usage(2);
	is_order = argc - optind > 2 && strcmp(argv[optind], "irc") == 0;
	if (!is_order && (argc - optind != 1 || (strcmp(argv[optind], "upgrade") != 0 &&
						 strcmp(argv[optind], "reload") != 0)))
		return usage(2);
	if (!words_join(words, sizeof words, argv + optind, argc - optind)) {
		fprintf(stderr, "ringmainctl: that is too long, or holds a line break\n");
		return 2;
	}
	return order(data, words);
}
