#include "irc/irc_motd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/proto/charset.h"
#include "irc/irc_client.h"
#include "irc/irc_conf.h"

#define LINE_MOST 400u /* of the text: the rest of it is the next line */

struct motd {
	struct baton farewell;
	size_t len;
	uint8_t text[IRC_MOTD_BYTES + 1]; /* one more, to see that there is more */
};

static _Atomic(struct motd *) current;

/* --- the file ------------------------------------------------------------------------------- */

static struct bytes next_line(struct bytes *rest)
{
	size_t end = bytes_find(*rest, '\n');
	struct bytes line = charset_cut(bytes_first(*rest, end), LINE_MOST);

	*rest = bytes_skip(*rest, line.len == end ? end + 1 : line.len);
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static const char *judge(struct bytes text)
{
	unsigned lines = 0;

	if (text.len > IRC_MOTD_BYTES)
		return "it has more than 8 KiB";
	if (!charset_is_utf8(text) || bytes_find(text, '\0') < text.len)
		return "it is no text in UTF-8";
	while (text.len && ++lines)
		(void)next_line(&text);
	return lines > IRC_MOTD_LINES ? "it has more than 200 lines" : NULL;
}

/* A pipe would keep us waiting, a device give us what nobody wrote. */
static const char *read_file(const char *path, struct motd *motd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	struct stat st;
	ssize_t n = 1;

	if (fd == -1)
		return strerror(errno);
	motd->len = 0;
	if (fstat(fd, &st) == -1)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "it is no file";
	while (!why && n > 0 && motd->len < sizeof motd->text) {
		n = read(fd, motd->text + motd->len, sizeof motd->text - motd->len);
		if (n > 0)
			motd->len += (size_t)n;
		else if (n == -1)
			why = strerror(errno);
	}
	close(fd);
	return why ? why : judge(bytes_of(motd->text, motd->len));
}

const char *irc_motd_doubt(const char *path)
{
	struct motd motd;

	return path[0] ? read_file(path, &motd) : NULL;
}

/* --- who has it ----------------------------------------------------------------------------- */

static void motd_home(struct baton *baton)
{
	free(container_of(baton, struct motd, farewell));
}

void irc_motd_take(const char *path)
{
	struct motd *motd = path[0] ? malloc(sizeof *motd) : NULL, *old;

	enter_control();
	if (motd && read_file(path, motd)) {
		free(motd);
		motd = NULL;
	}
	/* Pairs with the acquire in irc_motd_say. */
	old = atomic_exchange_explicit(&current, motd, memory_order_acq_rel);
	if (!old)
		return;
	old->farewell = (struct baton){.visit = baton_pass, .home = motd_home};
	baton_send(&old->farewell);
}

void irc_motd_fini(void)
{
	free(atomic_exchange_explicit(&current, NULL, memory_order_relaxed));
}

void irc_motd_say(struct irc_client *client)
{
	const struct motd *motd = atomic_load_explicit(&current, memory_order_acquire);
	struct bytes rest = motd ? bytes_of(motd->text, motd->len) : (struct bytes){0};

	enter_worker();
	if (!rest.len) {
		irc_client_number(client, 422, ":No message of the day");
		return;
	}
	irc_client_number(client, 375, ":- %s Message of the day -", irc_conf_now()->hostname);
	while (rest.len) {
		struct bytes line = next_line(&rest);

		irc_client_number(client, 372, ":- %.*s", (int)line.len, (const char *)line.at);
	}
	irc_client_number(client, 376, ":End of /MOTD command");
}
