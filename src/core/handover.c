#include "core/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/estate.h"
#include "core/keeper.h"
#include "core/reader.h"
#include "core/writer.h"

#define ANSWER_MS    1000
#define FIRST_NUMBER 3u
#define NUMBERS_MAX  (1u << 20)

/* --- messages ------------------------------------------------------------------------------- */

static bool parse_numbers(struct reader *r, struct handover_message *message)
{
	message->count = reader_le32(r);
	if (message->count == 0 || message->count > SCM_MOST)
		return false;
	for (uint32_t i = 0; i < message->count; i++) {
		message->numbers[i] = reader_le32(r);
		if (message->numbers[i] < (i ? message->numbers[i - 1] + 1 : FIRST_NUMBER) ||
		    message->numbers[i] >= NUMBERS_MAX)
			return false;
	}
	return true;
}

bool handover_parse(struct bytes in, struct handover_message *message)
{
	struct reader r = reader_of(in);
	uint8_t kind = reader_u8(&r);
	bool fine = true;

	*message = (struct handover_message){.kind = (enum handover_kind)kind};
	switch (kind) {
	case HANDOVER_HELLO: message->version = reader_le32(&r); break;
	case HANDOVER_FDS: fine = parse_numbers(&r, message); break;
	case HANDOVER_END:
		message->count = reader_le32(&r);
		message->estate = reader_le32(&r);
		fine = message->estate >= FIRST_NUMBER && message->estate < NUMBERS_MAX;
		break;
	case HANDOVER_ABLE:
	case HANDOVER_DOORS:
	case HANDOVER_GO:
	case HANDOVER_TAKEN: break;
	default: return false;
	}
	return fine && reader_ok(&r) && reader_left(&r) == 0;
}

struct bytes handover_write(const struct handover_message *message, void *room)
{
	struct writer w = writer_of(room, HANDOVER_MESSAGE_MAX);

	writer_u8(&w, (uint8_t)message->kind);
	switch (message->kind) {
	case HANDOVER_HELLO: writer_le(&w, message->version, 4); break;
	case HANDOVER_FDS:
		writer_le(&w, message->count, 4);
		for (uint32_t i = 0; i < message->count; i++)
			writer_le(&w, message->numbers[i], 4);
		break;
	case HANDOVER_END:
		writer_le(&w, message->count, 4);
		writer_le(&w, message->estate, 4);
		break;
	case HANDOVER_ABLE:
	case HANDOVER_DOORS:
	case HANDOVER_GO:
	case HANDOVER_TAKEN: break;
	}
	return writer_done(&w);
}

/* Waits for the socket; false when it does not get ready in time. limit_ms < 0: for ever. */
static bool await(int peer, short events, int limit_ms)
{
	struct pollfd look = {.fd = peer, .events = events};
	int n;

	do
		n = poll(&look, 1, limit_ms);
	while (n == -1 && errno == EINTR);
	return n == 1;
}

static bool send_message(int peer, const struct handover_message *message, const int *fds,
			 size_t count)
{
	uint8_t room[HANDOVER_MESSAGE_MAX];
	struct bytes out = handover_write(message, room);

	return await(peer, POLLOUT, ANSWER_MS) &&
	       scm_send(peer, out.at, out.len, fds, count) == (ssize_t)out.len;
}

static bool send_kind(int peer, enum handover_kind kind)
{
	return send_message(peer, &(struct handover_message){.kind = kind}, NULL, 0);
}

/* False: none came in time, the other end is closed, or it was nothing that makes sense. Descriptors
 * that came with it are the caller's, and only FDS has any. */
static bool receive(int peer, int limit_ms, struct handover_message *message, int *fds)
{
	uint8_t room[HANDOVER_MESSAGE_MAX];
	size_t count = SCM_MOST;
	ssize_t n;

	if (!await(peer, POLLIN, limit_ms))
		return false;
	n = scm_recv(peer, room, sizeof room, fds, &count);
	if (n > 0 && handover_parse(bytes_of(room, (size_t)n), message) &&
	    count == (message->kind == HANDOVER_FDS ? message->count : 0))
		return true;
	while (n > 0 && count)
		close(fds[--count]);
	return false;
}

static bool receive_kind(int peer, int limit_ms, enum handover_kind kind)
{
	struct handover_message message;
	int fds[SCM_MOST];
	bool got = receive(peer, limit_ms, &message, fds);

	if (got && message.kind == HANDOVER_FDS)
		while (message.count)
			close(fds[--message.count]);
	return got && message.kind == kind;
}

/* --- the new server ------------------------------------------------------------------------- */

/* Puts what came under its numbers. The kernel gave the lowest free numbers in the same rising order,
 * so each is at most the number it is to have, and from the last one on that one is free. */
static bool place(const struct handover_message *message, const int *fds)
{
	uint32_t zone = (uint32_t)keeper_zone();

	for (uint32_t i = message->count; i-- > 0;) {
		int number = (int)message->numbers[i];

		if (message->numbers[i] >= zone || fds[i] > number)
			return false;
		if (fds[i] == number)
			continue;
		if (fcntl(number, F_GETFD) != -1 || dup3(fds[i], number, O_CLOEXEC) == -1)
			return false;
		close(fds[i]);
	}
	return true;
}

static void close_all(void)
{
	(void)!close_range(FIRST_NUMBER, (unsigned)keeper_zone() - 1, 0);
}

/* All descriptors until END. NULL, or what is wrong. */
static const char *take_all(int peer, struct handover_message *end)
{
	struct handover_message message;
	uint32_t before = 0, count = 0;
	int fds[SCM_MOST];

	for (;;) {
		if (!receive(peer, 10 * ANSWER_MS, &message, fds))
			return "the old server stopped sending";
		if (message.kind == HANDOVER_END)
			break;
		if (message.kind != HANDOVER_FDS || message.numbers[0] <= before)
			return "descriptors out of order";
		if (!place(&message, fds))
			return "a descriptor cannot have its number";
		before = message.numbers[message.count - 1];
		count += message.count;
	}
	*end = message;
	return count == message.count ? NULL : "descriptors are missing";
}

static bool is_door(int fd)
{
	int listening = 0, family = 0;
	socklen_t len = sizeof listening;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == -1 || !listening)
		return false;
	len = sizeof family;
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family != AF_UNIX;
}

static void close_all_but_doors(void)
{
	for (int fd = (int)FIRST_NUMBER; fd < keeper_zone(); fd++)
		if (!is_door(fd))
			close(fd);
}

/* From GO on. The store in keeper_owns() is what decides. */
static enum handover_taken own(int peer, bool all)
{
	int error;

	if (!all) {
		close_all_but_doors();
		error = estate_create();
		if (error)
			return HANDOVER_NOTHING;
	}
	keeper_owns(estate_fd());
	handover_say_taken(peer);
	return all ? HANDOVER_ALL : HANDOVER_PLACES;
}

static enum handover_taken take(int peer, const char **why)
{
	struct handover_message hello = {.kind = HANDOVER_HELLO, .version = HANDOVER_VERSION};
	struct handover_message end;
	bool all;

	close_all();
	*why = "the old server does not answer";
	if (!send_message(peer, &hello, NULL, 0))
		return HANDOVER_NOTHING;
	*why = take_all(peer, &end);
	if (*why)
		return HANDOVER_NOTHING;
	all = estate_adopt((int)end.estate) == 0;
	*why = "the old server did not let go";
	if (!send_kind(peer, all ? HANDOVER_ABLE : HANDOVER_DOORS) ||
	    !receive_kind(peer, 10 * ANSWER_MS, HANDOVER_GO))
		return HANDOVER_NOTHING;
	return own(peer, all);
}

enum handover_taken handover_take(int peer, const char **why)
{
	enum handover_taken taken = take(peer, why);

	if (taken != HANDOVER_NOTHING)
		return taken;
	estate_forget();
	close_all();
	close(peer);
	return taken;
}

void handover_say_taken(int peer)
{
	(void)send_kind(peer, HANDOVER_TAKEN);
	(void)keeper_say(KEEPER_TAKEN);
	close(peer);
}

/* --- the old server ------------------------------------------------------------------------- */

bool handover_greeted(int peer)
{
	struct handover_message message;
	int fds[SCM_MOST];

	return receive(peer, 0, &message, fds) && message.kind == HANDOVER_HELLO &&
	       message.version == HANDOVER_VERSION;
}

static bool given;

bool handover_is_given(void)
{
	return given;
}

void handover_say_given(void)
{
	given = true;
}

static bool send_all(int peer, const int *fds, size_t count)
{
	struct handover_message message = {.kind = HANDOVER_FDS};

	for (size_t at = 0; at < count; at += message.count) {
		message.count = (uint32_t)(count - at < SCM_MOST ? count - at : SCM_MOST);
		for (uint32_t i = 0; i < message.count; i++)
			message.numbers[i] = (uint32_t)fds[at + i];
		if (!send_message(peer, &message, fds + at, message.count))
			return false;
	}
	message.kind = HANDOVER_END;
	message.count = (uint32_t)count;
	message.estate = (uint32_t)estate_fd();
	return send_message(peer, &message, NULL, 0);
}

enum handover_given handover_give(int peer, const char **why)
{
	struct handover_message answer;
	int *fds, none[SCM_MOST];
	int count = estate_descriptors(&fds);
	bool sent;

	*why = "out of memory";
	if (count < 0)
		return HANDOVER_KEPT;
	sent = send_all(peer, fds, (size_t)count);
	free(fds);
	*why = "the new server ended or does not take what it is sent";
	if (!sent || !receive(peer, 2 * ANSWER_MS, &answer, none) ||
	    (answer.kind != HANDOVER_ABLE && answer.kind != HANDOVER_DOORS) ||
	    !send_kind(peer, HANDOVER_GO))
		return HANDOVER_KEPT;
	*why = "the new server ended before it owned anything";
	given = receive_kind(peer, -1, HANDOVER_TAKEN);
	if (!given)
		return HANDOVER_KEPT;
	return answer.kind == HANDOVER_ABLE ? HANDOVER_GIVEN : HANDOVER_SPLIT;
}
