/* ringmain-acme-hook: what uacme asks ringmain while it obtains a certificate.
 *
 *     ringmain ─▶ uacme ─▶ ringmain-acme-hook begin|done|failed TYPE IDENT TOKEN AUTH
 *         ▲└──────────────────────┘ descriptor 3, which all three inherit: a line there, a byte back
 *
 * Ends with 0 when ringmain has done it, with 1 when it declines, or is not there. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIRE       3
#define PATIENCE_S 30

int main(int argc, char **argv)
{
	struct pollfd answer = {.fd = WIRE, .events = POLLIN};
	char line[1024], byte;
	int len;

	if (argc != 6) {
		fprintf(stderr, "ringmain-acme-hook: for uacme, which ringmain starts\n");
		return 2;
	}
	len = snprintf(line, sizeof line, "%s %s %s %s %s\n", argv[1], argv[2], argv[3], argv[4],
		       argv[5]);
	if (len <= 0 || (size_t)len >= sizeof line || strchr(line, '\n') != line + len - 1)
		return 1;
	if (write(WIRE, line, (size_t)len) != len || poll(&answer, 1, PATIENCE_S * 1000) != 1 ||
	    read(WIRE, &byte, 1) != 1)
		return 1;
	return byte == '0' ? 0 : 1;
}
