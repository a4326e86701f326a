/* irc_client: OUT: one connection of a user: from its first line to its last.
 *
 *   stranger (irc_login.c) ── moves to the worker of its user ──▶ logged in ──▶ seats
 *   seat: a place in one network: first what it missed (irc_feed.c), then by the journal, line by line
 *
 * A client has one seat, or with `multi` one in each of the user's networks, whose names then stand
 * behind those of channels and people ("#chan/libera"). What is said in rings waits there for it; only
 * answers wait in its own buffer, which has a limit. Runs on the worker of its user. */
#pragma once

#include "irc/irc_part.h"
#include "irc/irc_pipe.h"
#include "irc/proto/irc_names.h"

/* Lines of a buffer from one seq to before another. */
struct irc_missed {
	struct irc_buffer *buffer; /* NULL: it is gone */
	uint64_t seq, to;
	uint64_t lost;  /* neither ring nor store has them */
	uint64_t older; /* more than is repeated */
	bool is_late; /* it was there and too slow: as if they were said now; else they are repeated */
};

struct irc_seat {
	struct irc_network *network;
	struct irc_reader reader;
	bool waits;                /* for a page of the store */
	struct irc_missed *missed; /* what it has to be told first; the journal goes on behind it */
	uint32_t missed_count, missed_at;
};

enum irc_client_state {
	IRC_CLIENT_STRANGER, /* says who it is */
	IRC_CLIENT_MOVES,    /* between two workers */
	IRC_CLIENT_CHECKS,   /* a password is being looked at */
	IRC_CLIENT_HERE,
	IRC_CLIENT_GONE,
};

/* A line of a ring on its way out: where it ends in what this connection was ever sent. */
struct irc_mark {
	uint64_t end;
	struct irc_buffer *buffer; /* NULL: it is gone */
	uint64_t seq;
};

/* A line of a ring that answers a label of the client's. */
struct irc_echo {
	struct irc_echo *next;
	const struct irc_buffer *buffer; /* compared only */
	uint64_t seq;
	char *label;
};

struct irc_login; /* irc_login.h */

struct irc_client {
	struct irc_client *next; /* of the user, or of the worker's strangers */
	uv_poll_t poll;
	int poll_events;
	struct worker *worker;
	struct link link;
	struct address peer;
	struct websocket *web; /* irc_web.h; NULL: it came otherwise */
	bool web_text, web_over, secure;
	char *fingerprint; /* of its certificate, in hexadecimal digits; NULL */
	enum irc_client_state state;
	uint32_t number; /* of the process; what it says is known by it */
	struct irc_user *user;
	struct irc_tour *tour; /* what it is told before it reads rings; NULL: it was */
	struct irc_seat *seats;
	uint32_t seat_count;
	int device;
	bool multi, registered;
	bool bound;   /* to a network by its number (BOUNCER BIND) */
	bool in_turn; /* what is said goes out at its end */
	bool away, pinged, login_new_device;
	bool delivers; /* what the kernel has taken arrives: it is us who end it */
	bool orphan;   /* its handle is closed, and a check of its password is still under way */
	irc_caps caps, offered;
	int cap_version;
	struct irc_login *login; /* until it is logged in */
	char *nick;              /* what it is called now */
	struct irc_pipe in, out;
	bool skips;
	bool lost;     /* for sending; what it said last is read yet */
	bool unheard;  /* its turn was over before all of in was heard */
	uint32_t asks; /* questions of its own that are under way: not more than irc.questions */
	char *label;   /* of the command at hand */
	struct irc_pipe answer; /* to it */
	unsigned answer_lines;
	struct irc_echo *echoes;
	uint64_t queued; /* bytes that were ever put into out */
	struct irc_mark *marks;
	uint32_t mark_from, mark_sent, mark_to, mark_size; /* not acknowledged, not sent, the end */
	uint64_t batches;
	mono_t heard, deadline;
	int64_t since_ms;
	uint64_t lines_in, lines_out;
	char **subs; /* irc_metadata.h: keys */
	uint32_t sub_count;
	struct irc_pipe sasl; /* irc_account.c: to its network */
	uint8_t sasl_says;
	void *multiline; /* irc_multiline.c */
	char **monitors;
	uint32_t monitor_count;
};

/* How somebody came. */
struct irc_arrival {
	struct address peer;
	bool secure;                /* over TLS, to us or to a proxy that we trust */
	bool web, web_text;         /* irc_web.h; what its messages are */
	const uint8_t *certificate; /* SHA-512 of the one that it showed; NULL: none */
};

/* A connection at one of our doors. */
RUNS_ON(on_worker)
void irc_client_arrive(struct worker *worker, struct link link, const struct irc_arrival *arrival,
		       struct bytes early);

/* For irc_login.c: when nothing holds it any more. */
void irc_client_free(struct irc_client *client);

/* The last word (NULL: none), and it is gone. */
void irc_client_end(struct irc_client *client, const char *why);

/* Goes on: with bytes that came otherwise, or with lines that had to wait. */
void irc_client_wake(struct irc_client *client, struct bytes early);

/* Nobody was heard for a while (irc_here.hushed): what it said meanwhile is, in the next turn. */
void irc_client_unhush(struct irc_client *client);

/* A question of its own is under way to the database, or BouncerServ; and that is over: it may be heard
 * again, and may be gone by then. */
void irc_client_asks(struct irc_client *client);
void irc_client_answered(struct irc_client *client);

/* --- saying --------------------------------------------------------------------------------- */

/* A line without CR LF, in answer to what it said. */
__attribute__((format(printf, 2, 3))) void irc_client_say(struct irc_client *client,
							  const char *format, ...);
void irc_client_line(struct irc_client *client, struct bytes line);
/* The same, whatever it is that is being answered. */
void irc_client_put_line(struct irc_client *client, struct bytes line);

/* ":server NUMBER nick …" */
__attribute__((format(printf, 3, 4))) void
irc_client_number(struct irc_client *client, unsigned number, const char *format, ...);

/* FAIL, or where it does not know that, a NOTICE. */
__attribute__((format(printf, 5, 6))) void irc_client_fail(struct irc_client *client,
							   const char *command, const char *code,
							   const char *context, const char *format,
							   ...);

/* The same as the answer to a label that was taken; NULL: none. */
void irc_client_fail_labelled(struct irc_client *client, const char *label, const char *command,
			      const char *code, const char *context, const char *text);

/* A batch that a client without batches gets the lines of alone: then ref and tag are empty. */
struct irc_batched {
	char ref[24], tag[40]; /* tag: "@batch=ref ", before each line */
};

/* The batch of that type begins, as the answer to the label (NULL: none; who has labels has batches); what it
 * is of may be empty. */
void irc_client_batch_begin(struct irc_client *client, struct irc_batched *batch, const char *label,
			    const char *type, struct bytes target);
void irc_client_batch_end(struct irc_client *client, const struct irc_batched *batch);

/* A word of the client's as the context of a FAIL, on its way back: "*" where it can be none. */
struct bytes irc_client_context(struct bytes word);

/* The label of the command at hand, which is somebody else's to answer now; NULL: it has none. */
char *irc_client_take_label(struct irc_client *client);
/* The line of that seq answers the label (taken); where the client does not hear its own words, an ACK
 * does. */
void irc_client_echo(struct irc_client *client, const struct irc_buffer *buffer, uint64_t seq,
		     char *label);
/* Lines (with CR LF) as the answer to a label. */
void irc_client_answer(struct irc_client *client, const char *label, struct bytes lines,
		       unsigned count);

/* The line of that seq is told, or passed over: the client's place moves when it is sent. What its
 * machine has not acknowledged when the connection ends is told again. */
void irc_client_mark(struct irc_client *client, struct irc_buffer *buffer, uint64_t seq);

/* So many bytes were put into the room. */
static inline void irc_client_add(struct irc_client *client, uint32_t len)
{
	irc_pipe_add(&client->out, len);
	client->queued += len;
}

/* Room at the end of what goes out; NULL: it has too much already, and is dropped. */
uint8_t *irc_client_room(struct irc_client *client, uint32_t len);
/* There is more to send than one turn should: it goes on in the next. */
void irc_client_more(struct irc_client *client);
/* Sends what there is. False: it is gone. */
bool irc_client_flush(struct irc_client *client);

/* --- whom ----------------------------------------------------------------------------------- */

struct irc_client *irc_client_of(const struct irc_user *user, uint32_t number);
struct irc_seat *irc_client_seat(const struct irc_client *client,
				 const struct irc_network *network);
/* The one network that it is on; NULL: none, or all. */
struct irc_network *irc_client_network(const struct irc_client *client);

/* --- irc_feed.c: lines of rings ------------------------------------------------------------- */

/* Takes its seats; it is registered. */
void irc_client_attach(struct irc_client *client);
bool irc_client_sit(struct irc_client *client, struct irc_network *network);
void irc_client_rise(struct irc_client *client, struct irc_network *network);
/* Whether enough waits to go out: a client is dropped beyond irc.client_buffer, and all that can wait
 * elsewhere stays well below. */
bool irc_client_is_full(const struct irc_client *client);
/* Reads on, and sends once. */
void irc_client_feed(struct irc_client *client);
/* A buffer that was put aside is shown again: what was missed first. */
void irc_client_show(struct irc_client *client, struct irc_buffer *buffer);

/* Formats a record for the client; batch: of what is repeated, or "". */
void irc_client_record(struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch);
/* Bytes that a record takes at most, with all lines that it becomes. */
size_t irc_client_size(const struct irc_client *client, const struct irc_record *record);
/* How many of the records fit into what may wait for it, one at least; newest: counted from the end. */
size_t irc_client_fits(const struct irc_client *client, const struct irc_record *records,
		       size_t count, bool newest);

/* JOIN, topic, names of a channel that we are in. */
void irc_client_show_channel(struct irc_client *client, struct irc_buffer *buffer);
void irc_client_names(struct irc_client *client, struct irc_buffer *buffer);
void irc_client_topic(struct irc_client *client, struct irc_buffer *buffer);
void irc_client_marker(struct irc_client *client, const struct irc_buffer *buffer);

/* The name of a channel or person of a network, as this client has it. */
struct bytes irc_client_name(const struct irc_client *client, const struct irc_network *network,
			     struct bytes name, char *buf, size_t size);
/* What tells names apart, and writes them, on a connection to all networks. */
struct irc_names irc_client_names_of(const struct irc_client *client,
				     const struct irc_network *network);
/* A network's line on its way to one: names get their network behind them, and he is called what he is here.
 * self: the line is his, under whatever name. */
void irc_client_put_multi(struct writer *w, const struct irc_names *names, struct bytes text,
			  bool self);

/* --- irc_clients.c: all of a network -------------------------------------------------------- */

void irc_clients_new_buffer(struct irc_buffer *buffer);
void irc_clients_forget_buffer(struct irc_buffer *buffer);
void irc_clients_move_slot(struct irc_network *network, uint32_t from, uint32_t to);
/* For who has all networks: one is new; one was called otherwise before. */
void irc_clients_new_network(struct irc_network *network);
void irc_clients_renamed(struct irc_network *network, const char *before);
void irc_clients_part(struct irc_network *network);    /* the network is dropped */
void irc_clients_lost(struct irc_network *network);    /* its server is gone */
void irc_clients_welcome(struct irc_network *network); /* and is there (again) */
void irc_clients_joined(struct irc_buffer *buffer);
void irc_clients_caps(struct irc_network *network);
void irc_clients_isupport(struct irc_network *network, struct bytes tokens); /* these are new */
void irc_clients_marker(struct irc_buffer *buffer, const struct irc_client *but);

/* --- irc_login.c ---------------------------------------------------------------------------- */

/* A line of one who is not registered. */
void irc_login_line(struct irc_client *client, const struct irc_line *line);
void irc_login_free(struct irc_client *client);
void irc_login_arrived(struct irc_client *client);
/* CLIENTCERT (irc_clientcert.c). */
void irc_clientcert(struct irc_client *client, const struct irc_line *line);
/* CAP, also later. */
void irc_client_cap(struct irc_client *client, const struct irc_line *line);
void irc_client_authenticate(struct irc_client *client, const struct irc_line *line);
/* CAP NEW and DEL, where what it may ask for has changed. */
void irc_client_offer_again(struct irc_client *client);
/* What it may ask for now. */
irc_caps irc_client_offer(const struct irc_client *client);
/* 001 to 005 and the message of the day. */
void irc_client_welcome(struct irc_client *client);
void irc_client_isupport(struct irc_client *client);
/* Tokens as lines of 005, in a batch where the client knows it. */
void irc_client_tokens(struct irc_client *client, const struct bytes *lists, unsigned count);

/* --- irc_command.c -------------------------------------------------------------------------- */

void irc_command(struct irc_client *client, const struct irc_line *line);
void irc_command_free(struct irc_client *client);

/* The network of a name, whose server is there; NULL, and the client was told. Takes "/network" off the name. */
struct irc_network *irc_client_network_up(struct irc_client *client, struct bytes *name,
					  const struct irc_line *line);
/* The same, wherever its server is; NULL: none. */
struct irc_network *irc_client_network_of(struct irc_client *client, struct bytes *name);
/* Says it to one target, cut where it is too long. */
void irc_client_message(struct irc_client *client, const struct irc_line *line, struct bytes target,
			struct bytes text);
/* Bytes of text that a line to this target may have. */
size_t irc_client_most(const struct irc_network *network, const struct irc_line *line,
		       struct bytes target);
/* "@tags " of the client's own, as far as the server takes them. */
void irc_client_put_tags(struct writer *w, const struct irc_network *network,
			 const struct irc_line *line);
/* What the server will not tell us of ourselves, told by us. */
void irc_client_said(struct irc_client *client, struct irc_network *network,
		     const struct irc_line *line, struct bytes target, struct bytes text);
