#include "irc/irc_identd.h"

#include <stdlib.h>

#include "edge/edge.h"
#include "edge/route.h"
#include "irc/irc_part.h"
#include "irc/irc_upstream.h"
#include "irc/proto/irc_ident.h"

#define NAME_BYTES 5u

static unsigned site;

/* A question on its way around. The connection waits for it. */
struct question {
	struct baton baton;
	struct message message;
	struct conn *conn;
	struct worker *worker;
	struct address peer;
	struct tcp_end asked; /* where the question came to */
	uint16_t ours, theirs;
	unsigned count;                /* of those whose ports these are */
	bool exact;                    /* name is of one who comes from there, too */
	char name[2 * NAME_BYTES + 1]; /* "": nobody yet */
};

static void name_of(char *out, const char *user)
{
	uint8_t hash[AUTH_DIGEST_SIZE];

	auth_hash(hash, "irc ident", bytes_str(user));
	for (unsigned i = 0; i < NAME_BYTES; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", hash[i]);
}

static bool has_ports(const struct question *question, const struct irc_upstream *up)
{
	/* address_at is that of the next one to be tried. */
	const struct address *to = &up->addresses[up->address_at ? up->address_at - 1 : 0];

	return up->address_at && up->local.port == question->ours && to->port == question->theirs &&
	       address_same_ip(to, &question->peer);
}

/* Users who come from addresses of their own (irc.addresses) may have the same port. Behind a translation of
 * addresses the one that was asked is not the one that he comes from: then the ports must be enough. */
static void look_at(struct question *question, const struct irc_user *user,
		    const struct irc_upstream *up)
{
	if (question->exact || !has_ports(question, up))
		return;
	question->count++;
	question->exact = memcmp(up->local.ip, question->asked.ip, sizeof up->local.ip) == 0;
	name_of(question->name, user->name);
}

static void visit(struct baton *baton, struct worker *worker)
{
	struct question *question = container_of(baton, struct question, baton);
	struct irc_named *named;
	uint32_t at = 0;

	(void)worker;
	enter_worker();
	while (irc_here.runs && !question->exact &&
	       (named = irc_index_next(&irc_here.users, &at))) {
		const struct irc_user *user = container_of(named, struct irc_user, named);

		for (const struct irc_network *n = user->networks; n; n = n->next)
			if (n->up)
				look_at(question, user, n->up);
	}
}

static void deliver_answer(struct message *message)
{
	struct question *question = container_of(message, struct question, message);
	struct conn *conn = question->conn;
	char text[IRC_IDENT_MAX + 40];
	struct writer w = writer_of(text, sizeof text);

	enter_worker();
	irc_ident_write(&w, question->ours, question->theirs,
			question->exact || question->count == 1 ? question->name : NULL);
	free(question);
	conn_send(conn, writer_done(&w), conn_drop);
}

static void home(struct baton *baton)
{
	struct question *question = container_of(baton, struct question, baton);

	enter_control();
	question->message.deliver = deliver_answer;
	worker_post(question->worker, &question->message);
}

static enum route_first look(struct bytes first)
{
	if (bytes_find(first, '\n') < first.len)
		return ROUTE_FIRST_OURS;
	return first.len < IRC_IDENT_MAX ? ROUTE_FIRST_MORE : ROUTE_FIRST_OURS;
}

static void serve(struct conn *conn)
{
	struct question *question = calloc(1, sizeof *question);
	struct bytes line;

	enter_worker();
	line = conn_bytes(conn);
	line = bytes_first(line, bytes_find(line, '\n'));
	if (!question || !irc_ident_parse(line, &question->ours, &question->theirs)) {
		free(question);
		conn_drop(conn);
		return;
	}
	question->conn = conn;
	question->worker = conn_worker(conn);
	question->peer = conn_request(conn)->peer;
	question->asked = tcp_local(conn_link(conn).fd);
	question->baton.visit = visit;
	question->baton.home = home;
	conn_wait(conn);
	baton_send(&question->baton);
}

static const struct protocol ident_protocol = {look, serve};

void irc_identd_configure(void)
{
	site = route_site();
	protocol_add_at(site, &ident_protocol);
}

int irc_identd_listen(uv_loop_t *loop, const struct conf_list *listen, char *at, size_t size)
{
	uint16_t port;

	enter_control();
	return edge_listen_at(loop, site, listen, &port, at, size);
}
