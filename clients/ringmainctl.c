/* ringmainctl: tells a running ringmain what to do, through the socket in its data directory; and makes
 * other servers' settings into a file for it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
		"       ringmainctl import FILE\n\n"
		"  upgrade   starts the program anew, which takes over all connections\n"
		"  reload    reads the settings anew\n"
		"  import    prints what icecast.xml or tinyice.json says as a file for --config,\n"
		"            and names on standard error what has no equal\n\n"
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

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{"data", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *data = getenv("STATE_DIRECTORY");
	char answer[512];
	size_t have = 0;
	ssize_t n;
	int which, fd;

	if (!data || !data[0])
		data = "ringmain-data";
	while ((which = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (which == 'h')
			return usage(0);
		if (which != 'd')
			return usage(2);
		data = optarg;
	}
	if (argc - optind == 2 && strcmp(argv[optind], "import") == 0)
		return import_run(argv[optind + 1], stdout, stderr);
	if (argc - optind != 1 ||
	    (strcmp(argv[optind], "upgrade") != 0 && strcmp(argv[optind], "reload") != 0))
		return usage(2);
	fd = reach(data);
	if (fd == -1) {
		fprintf(stderr, "ringmainctl: no server answers in %s: %s\n", data,
			strerror(errno));
		return 1;
	}
	if (dprintf(fd, "%s\n", argv[optind]) < 0) {
		perror("ringmainctl");
		return 1;
	}
	while (have < sizeof answer - 1 &&
	       (n = read(fd, answer + have, sizeof answer - 1 - have)) > 0)
		have += (size_t)n;
	answer[have] = '\0';
	fputs(have ? answer : "error the server ended without an answer\n", stdout);
	return strncmp(answer, "ok", 2) == 0 ? 0 : 1;
}
