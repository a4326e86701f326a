#include "framecache/slot_readers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/local_socket.h"
#include "framecache/slot_board.h"
#include "report.h"

static_assert(sizeof((struct slot_reader *)0)->slot_id == sizeof((struct fc_report *)0)->slot_id,
	      "a report's names fit");

#define READERS_MAX 4096u
#define SILENT_NS   3000000000ull /* after which a process is asked whether it lives */
#define STRANGER_NS \
	60000000000ull /* or, in another container, where nobody can be asked, is forgotten */
#define FORGOTTEN_NS  600000000000ull /* even when it does */
#define REPORTS_BATCH 256

static struct {
	struct slot_reader *first;
	unsigned count;
	int fd;
	uv_poll_t poll;
	bool open;
} readers OWNED_BY(on_control);

RUNS_ON(on_control) static void forget(struct slot_reader **link)
{
	struct slot_reader *reader = *link;

	*link = reader->next;
	readers.count--;
	free(reader);
}

RUNS_ON(on_control)
static struct slot_reader **place_of(const struct fc_report *report, uint32_t pid)
{
	struct slot_reader **link = &readers.first;

	while (*link && ((*link)->pid != pid || (*link)->handle != report->handle ||
			 strcmp((*link)->slot_id, report->slot_id) != 0))
		link = &(*link)->next;
	return link;
}

/* A word that is shown to people as it stands. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* A report is a moment old when it is shown: what counts is how far the writer was when it came. */
RUNS_ON(on_control) static uint64_t cursor_now(const struct fc_report *report)
{
	const struct board_slot *slot = board_find(report->slot_id);
	fc_info_t info;

	if (!slot || slot->info.generation != report->generation)
		return report->position;
	fc_info(slot->handle, &info);
	return info.write_cursor;
}

RUNS_ON(on_control) static void take_report(struct fc_report *report, uint32_t pid)
{
	struct slot_reader **link, *reader;

	report->slot_id[sizeof report->slot_id - 1] = '\0';
	report->name[sizeof report->name - 1] = '\0';
	make_plain(report->name);
	link = place_of(report, pid);
	if (report->gone) {
		if (*link)
			forget(link);
		return;
	}
	if (!*link) {
		reader = readers.count < READERS_MAX ? calloc(1, sizeof *reader) : NULL;
		if (!reader)
			return;
		*link = reader;
		reader->pid = pid;
		readers.count++;
	}
	reader = *link;
	memcpy(reader->slot_id, report->slot_id, sizeof reader->slot_id);
	memcpy(reader->name, report->name, sizeof reader->name);
	reader->generation = report->generation;
	reader->handle = report->handle;
	reader->position = report->position;
	reader->lost = report->lost;
	reader->seen_ns = uv_hrtime();
	reader->cursor = cursor_now(report);
}

static uint32_t sender_of(struct msghdr *message)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(message);
	struct ucred sender;

	if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&sender, CMSG_DATA(part), sizeof sender);
	return (uint32_t)sender.pid;
}

static void on_report(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	(void)status;
	(void)events;
	enter_control();
	for (int i = 0; i < REPORTS_BATCH; i++) {
		struct fc_report report;
		union {
			struct cmsghdr head;
			char bytes[CMSG_SPACE(sizeof(struct ucred))];
		} control;
		struct iovec iov = {&report, sizeof report};
		struct msghdr message = {.msg_iov = &iov,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof control};
		ssize_t got = recvmsg(readers.fd, &message, MSG_DONTWAIT);

		if (got == -1)
			return;
		if (got == sizeof report && !(message.msg_flags & MSG_TRUNC) &&
		    report.magic == FC_REPORT_MAGIC)
			take_report(&report, sender_of(&message));
	}
}

static bool is_gone(const struct slot_reader *reader, uint64_t now)
{
	uint64_t silent = now > reader->seen_ns ? now - reader->seen_ns : 0;

	if (silent < SILENT_NS)
		return false;
	if (silent > FORGOTTEN_NS)
		return true;
	if (reader->pid == 0)
		return silent > STRANGER_NS;
	return kill((pid_t)reader->pid, 0) == -1 && errno == ESRCH;
}

void readers_look(uint64_t now)
{
	struct slot_reader **link = &readers.first;

	while (*link)
		if (is_gone(*link, now))
			forget(link);
		else
			link = &(*link)->next;
}

const struct slot_reader *readers_next(const struct slot_reader *after, const char *slot_id,
				       uint64_t generation)
{
	const struct slot_reader *reader = after ? after->next : readers.first;

	while (reader &&
	       (reader->generation != generation || strcmp(reader->slot_id, slot_id) != 0))
		reader = reader->next;
	return reader;
}

int readers_start(uv_loop_t *loop, const char *directory)
{
	char path[LOCAL_PATH_SIZE];
	int on = 1, error;

	if (snprintf(path, sizeof path, "%s/%s", directory, FC_REPORT_NAME) >= (int)sizeof path)
		return -ENAMETOOLONG;
	/* Whoever may look into the directory may say that he reads. */
	readers.fd = local_bind(path, 0666);
	if (readers.fd < 0)
		return readers.fd;
	setsockopt(readers.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	error = uv_poll_init(loop, &readers.poll, readers.fd);
	if (error) {
		close(readers.fd);
		return error;
	}
	readers.open = true;
	return uv_poll_start(&readers.poll, UV_READABLE, on_report);
}

/* The name stays: it may be another server's by now. */
void readers_stop(void)
{
	while (readers.first)
		forget(&readers.first);
	if (!readers.open)
		return;
	readers.open = false;
	uv_poll_stop(&readers.poll);
	uv_close((uv_handle_t *)&readers.poll, NULL);
	close(readers.fd);
}
