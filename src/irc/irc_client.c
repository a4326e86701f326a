#include "irc/irc_client.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/websocket.h"
#include "irc/irc_buffer.h"
#include "irc/irc_login.h"
#include "irc/irc_metadata.h"
#include "irc/irc_monitor.h"
#include "irc/irc_network.h"
#include "irc/irc_route.h"
#include "irc/irc_tour.h"
#include "irc/irc_user.h"
#include "irc/irc_web.h"

#define READS_A_TURN 2
#define SEND_BUFFER  131072u

static void on_ready(uv_poll_t *poll, int status, int events);

/* --- places ---------------------------------------------------------------------------------- */

/* What the client's machine has acknowledged. Over TLS a little less: what is around the lines counts
 * too. */
static uint64_t acknowledged(const struct irc_client *client)
{
	uint64_t sent = client->queued - irc_pipe_len(&client->out);
	int waiting = 0;

	if (ioctl(client->link.fd, SIOCOUTQ, &waiting) == -1 || waiting < 0)
		return sent;
	return sent > (uint64_t)waiting ? sent - (uint64_t)waiting : 0;
}

/* Places move with what the kernel has taken: it delivers that also when we are no more. */
static void marks_settle(struct irc_client *client)
{
	uint64_t sent = client->queued - irc_pipe_len(&client->out);

	for (; client->mark_sent < client->mark_to; client->mark_sent++) {
		const struct irc_mark *mark = &client->marks[client->mark_sent];

		if (mark->end > sent)
			break;
		if (mark->buffer)
			irc_buffer_set_place(mark->buffer, (unsigned)client->device, mark->seq + 1);
	}
}

static void marks_forget(struct irc_client *client)
{
	uint64_t until = acknowledged(client);

	while (client->mark_from < client->mark_sent &&
	       client->marks[client->mark_from].end <= until)
		client->mark_from++;
	if (client->mark_from < client->mark_to)
		return;
	free(client->marks);
	client->marks = NULL;
	client->mark_from = client->mark_sent = client->mark_to = client->mark_size = 0;
}

static bool marks_reach(struct irc_client *client)
{
	uint32_t have, size = client->mark_size ? client->mark_size * 2 : 32;
	struct irc_mark *larger;

	if (client->mark_to < client->mark_size)
		return true;
	marks_settle(client);
	marks_forget(client);
	have = client->mark_to - client->mark_from;
	if (client->mark_from && have <= client->mark_size / 2) {
		memmove(client->marks, client->marks + client->mark_from,
			have * sizeof *client->marks);
	} else {
		larger = realloc(client->marks, size * sizeof *larger);
		if (!larger)
			return false;
		client->marks = larger;
		client->mark_size = size;
		memmove(larger, larger + client->mark_from, have * sizeof *larger);
	}
	client->mark_sent -= client->mark_from;
	client->mark_to = have;
	client->mark_from = 0;
	return true;
}

void irc_client_mark(struct irc_client *client, struct irc_buffer *buffer, uint64_t seq)
{
	if (!buffer->id || client->state == IRC_CLIENT_GONE)
		return;
	if (marks_reach(client))
		client->marks[client->mark_to++] = (struct irc_mark){client->queued, buffer, seq};
	else
		irc_buffer_set_place(buffer, (unsigned)client->device, seq + 1);
}

static bool device_is_shared(const struct irc_client *client)
{
	for (const struct irc_client *other = client->user->clients; other; other = other->next)
		if (other != client && other->device == client->device)
			return true;
	return false;
}

/* The connection is over: what did not arrive is told to the next one of this name. */
static void marks_end(struct irc_client *client)
{
	uint64_t until = client->delivers ? client->queued - irc_pipe_len(&client->out)
					  : acknowledged(client);

	marks_settle(client);
	for (uint32_t i = client->mark_to;
	     client->user && !device_is_shared(client) && i-- > client->mark_from;)
		if (client->marks[i].end > until && client->marks[i].buffer)
			irc_buffer_rewind(client->marks[i].buffer, (unsigned)client->device,
					  client->marks[i].seq);
	free(client->marks);
	client->marks = NULL;
	client->mark_from = client->mark_sent = client->mark_to = client->mark_size = 0;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct irc_client *client = container_of((uv_poll_t *)handle, struct irc_client, poll);

	irc_login_free(client);
	client->orphan = client->login != NULL;
	if (!client->orphan)
		irc_client_free(client);
}

void irc_client_free(struct irc_client *client)
{
	while (client->echoes) {
		struct irc_echo *next = client->echoes->next;

		free(client->echoes->label);
		free(client->echoes);
		client->echoes = next;
	}
	irc_login_free(client);
	irc_command_free(client);
	irc_metadata_free(client);
	irc_tour_free(client);
	irc_pipe_fini(&client->in);
	irc_pipe_fini(&client->out);
	irc_pipe_fini(&client->answer);
	irc_pipe_fini(&client->sasl);
	free(client->label);
	free(client->nick);
	free(client->seats);
	websocket_destroy(&client->web);
	free(client->fingerprint);
	free(client);
}

static void unlink_client(struct irc_client *client)
{
	struct irc_client **link = client->user ? &client->user->clients : &irc_here.strangers;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	if (client->user)
		client->user->client_count--;
}

void irc_client_end(struct irc_client *client, const char *why)
{
	struct irc_user *user = client->user;
	char text[ADDRESS_TEXT_MAX + 1];

	enter_worker();
	if (client->state == IRC_CLIENT_GONE)
		return;
	/* The last word is not kept for the answer to a label, which does not come. */
	free(client->label);
	client->label = NULL;
	if (why) {
		irc_client_say(client, "ERROR :%s", why);
		if (client->web)
			irc_web_close(client);
		if (client->state == IRC_CLIENT_GONE)
			return;
		while (irc_pipe_len(&client->out)) {
			ssize_t n = link_send(client->link, irc_pipe_bytes(&client->out));

			if (n <= 0)
				break;
			irc_pipe_take(&client->out, (uint32_t)n);
		}
		(void)!link_flush(client->link);
	}
	if (client->device >= 0)
		marks_end(client);
	/* Until now, and not only when it came. */
	if (user && !irc_here.stopping)
		irc_device_seen(user, client->device);
	client->state = IRC_CLIENT_GONE;
	unlink_client(client);
	metric_add(METRIC_irc_clients, -1);
	log_info("irc", "client gone", kv_str("user", user ? user->name : ""),
		 kv_str("address", address_text(&client->peer, text)),
		 kv_str("why", why ? why : "closed"), kv_u64("lines", client->lines_out));
	while (client->seat_count) {
		struct irc_network *network = client->seats[0].network;

		irc_routes_forget(network, client->number);
		irc_client_rise(client, network);
		irc_network_away(network);
		irc_monitor_leave(client, network);
	}
	uv_close((uv_handle_t *)&client->poll, on_closed);
	link_close_gently(client->link);
	edge_left(client->worker);
}

void irc_client_arrive(struct worker *worker, struct link link, const struct irc_arrival *arrival,
		       struct bytes early)
{
	static _Atomic uint32_t numbers;
	struct irc_client *client = irc_here.stopping ? NULL : calloc(1, sizeof *client);

	if (!client || (arrival->web && !irc_web_begin(client, arrival->web_text)) ||
	    uv_poll_init(&worker->loop, &client->poll, link.fd) != 0) {
		if (client)
			websocket_destroy(&client->web);
		free(client);
		link_close(link);
		edge_left(worker);
		return;
	}
	/* What waits in the kernel is bounded: the rest waits in rings. */
	tcp_tune_stream(link.fd, SEND_BUFFER);
	client->worker = worker;
	client->link = link;
	client->peer = arrival->peer;
	client->secure = arrival->secure;
	if (arrival->certificate && (client->fingerprint = malloc(2 * CONN_CERTIFICATE_LEN + 1)))
		sodium_bin2hex(client->fingerprint, 2 * CONN_CERTIFICATE_LEN + 1,
			       arrival->certificate, CONN_CERTIFICATE_LEN);
	client->number =
		1 + (atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) & 0x7fffffff);
	client->device = -1;
	client->heard = mono_now();
	client->since_ms = wall_now_us() / 1000;
	client->deadline = mono_add_ms(client->heard, (int64_t)irc_conf_now()->login_timeout);
	client->next = irc_here.strangers;
	irc_here.strangers = client;
	metric_add(METRIC_irc_clients, 1);
	metric_add(METRIC_irc_clients_come, 1);
	irc_client_wake(client, early);
}

/* --- out ------------------------------------------------------------------------------------ */

static void watch(struct irc_client *client, int events)
{
	if (client->poll_events == events)
		return;
	client->poll_events = events;
	if (events)
		uv_poll_start(&client->poll, events, on_ready);
	else
		uv_poll_stop(&client->poll);
}

static bool may_ask(const struct irc_client *client)
{
	return client->asks < irc_conf_now()->questions && !irc_here.hushed;
}

/* Whether more may come from it now. */
static bool is_heard(const struct irc_client *client)
{
	return !client->unheard && may_ask(client);
}

/* False: nothing more can be sent. */
RUNS_ON(on_worker) static bool send_out(struct irc_client *client, bool *waits)
{
	int flushed;

	*waits = false;
	while (irc_pipe_len(&client->out) && !*waits) {
		ssize_t n = link_send(client->link, irc_pipe_bytes(&client->out));

		if (n < 0)
			return false;
		*waits = n == 0;
		irc_pipe_take(&client->out, (uint32_t)n);
	}
	if (client->mark_sent < client->mark_to)
		marks_settle(client);
	flushed = *waits ? 0 : link_flush(client->link);
	*waits = flushed == 0;
	return flushed >= 0;
}

bool irc_client_flush(struct irc_client *client)
{
	bool waits = false;

	enter_worker();
	if (client->state == IRC_CLIENT_GONE || client->state == IRC_CLIENT_MOVES)
		return false;
	client->lost |= !client->lost && !send_out(client, &waits);
	/* Who reads it ends it, behind what it said last. What is for it stays in out: it did not arrive. */
	if (client->lost) {
		watch(client, client->state != IRC_CLIENT_CHECKS && may_ask(client)
				      ? UV_READABLE | UV_WRITABLE
				      : 0);
		return false;
	}
	/* What it has said and nobody heard yet comes before what it says now. */
	if (client->unheard)
		waits = true;
	watch(client, (is_heard(client) ? UV_READABLE : 0) | (waits ? UV_WRITABLE : 0));
	return true;
}

void irc_client_more(struct irc_client *client)
{
	watch(client, (is_heard(client) ? UV_READABLE : 0) | UV_WRITABLE);
}

uint8_t *irc_client_room(struct irc_client *client, uint32_t len)
{
	uint8_t *room = NULL;

	if (client->state == IRC_CLIENT_GONE)
		return NULL;
	if (irc_pipe_len(&client->out) + len <= irc_conf_now()->client_buffer)
		room = irc_pipe_room(&client->out, len);
	if (!room) {
		metric_add(METRIC_irc_clients_slow, 1);
		irc_client_end(client, NULL);
	}
	return room;
}

void irc_client_put_line(struct irc_client *client, struct bytes line)
{
	uint8_t *room;

	if (client->web) {
		irc_web_line(client, line);
		client->lines_out++;
		return;
	}
	room = irc_client_room(client, (uint32_t)line.len + 2);
	if (!room)
		return;
	memcpy(room, line.at, line.len);
	memcpy(room + line.len, "\r\n", 2);
	irc_client_add(client, (uint32_t)line.len + 2);
	client->lines_out++;
}

void irc_client_line(struct irc_client *client, struct bytes line)
{
	if (client->state == IRC_CLIENT_GONE)
		return;
	/* In answer to a label: until all of it is there. */
	if (client->label && client->in_turn) {
		if (irc_pipe_put(&client->answer, line) &&
		    irc_pipe_put(&client->answer, BYTES("\r\n")))
			client->answer_lines++;
		return;
	}
	irc_client_put_line(client, line);
	if (!client->in_turn)
		(void)irc_client_flush(client);
}

void irc_client_say(struct irc_client *client, const char *format, ...)
{
	char line[2048];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof line)
		len = sizeof line - 1;
	irc_client_line(client, bytes_of(line, (size_t)len));
}

void irc_client_number(struct irc_client *client, unsigned number, const char *format, ...)
{
	char text[1800];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	irc_client_say(client, ":%s %03u %s %s", irc_conf_now()->hostname, number,
		       client->nick && client->nick[0] ? client->nick : "*", text);
}

void irc_client_fail(struct irc_client *client, const char *command, const char *code,
		     const char *context, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* standard-replies: FAIL may be sent to whoever sent a command that defines it. */
	irc_client_say(client, ":%s FAIL %s %s%s%s :%s", irc_conf_now()->hostname, command, code,
		       context[0] ? " " : "", context, text);
}

void irc_client_fail_labelled(struct irc_client *client, const char *label, const char *command,
			      const char *code, const char *context, const char *text)
{
	char line[1600];
	int len = snprintf(line, sizeof line, ":%s FAIL %s %s%s%.900s :%.400s\r\n",
			   irc_conf_now()->hostname, command, code, context[0] ? " " : "", context,
			   text);

	if (label)
		irc_client_answer(client, label, bytes_of(line, (size_t)len), 1);
	else
		irc_client_line(client, bytes_of(line, (size_t)len - 2));
}

struct bytes irc_client_context(struct bytes word)
{
	return irc_is_middle(word) ? bytes_first(word, 200) : BYTES("*");
}

void irc_client_batch_begin(struct irc_client *client, struct irc_batched *batch, const char *label,
			    const char *type, struct bytes target)
{
	*batch = (struct irc_batched){.ref = ""};
	if (!(client->caps & IRC_CAP(BATCH)) && !label)
		return;
	snprintf(batch->ref, sizeof batch->ref, "B%llu", (unsigned long long)++client->batches);
	snprintf(batch->tag, sizeof batch->tag, "@batch=%s ", batch->ref);
	irc_client_say(client, "%s%s%s:%s BATCH +%s %s%s%.*s", label ? "@label=" : "",
		       label ? label : "", label ? " " : "", irc_conf_now()->hostname, batch->ref,
		       type, target.len ? " " : "", (int)target.len,
		       target.len ? (const char *)target.at : "");
}

void irc_client_batch_end(struct irc_client *client, const struct irc_batched *batch)
{
	if (batch->ref[0])
		irc_client_say(client, ":%s BATCH -%s", irc_conf_now()->hostname, batch->ref);
}

/* --- labels --------------------------------------------------------------------------------- */

char *irc_client_take_label(struct irc_client *client)
{
	char *label = client->label;

	client->label = NULL;
	/* What was said until now is an answer of its own. */
	if (label && client->answer_lines) {
		struct irc_pipe answer = client->answer;

		client->answer = (struct irc_pipe){0};
		client->answer_lines = 0;
		irc_client_put_line(client, bytes_first(irc_pipe_bytes(&answer),
							irc_pipe_len(&answer) - 2));
		irc_pipe_fini(&answer);
	}
	return label;
}

void irc_client_echo(struct irc_client *client, const struct irc_buffer *buffer, uint64_t seq,
		     char *label)
{
	struct irc_echo *echo =
		client->caps & IRC_CAP(ECHO_MESSAGE) ? calloc(1, sizeof *echo) : NULL;
	unsigned count = 0;

	if (!echo) {
		irc_client_answer(client, label, (struct bytes){0}, 0);
		free(label);
		return;
	}
	*echo = (struct irc_echo){client->echoes, buffer, seq, label};
	client->echoes = echo;
	/* One whose line was lost would wait for ever. */
	for (struct irc_echo **link = &client->echoes, *last; *link; link = &(*link)->next)
		if (++count > irc_conf_now()->questions && !(*link)->next) {
			last = *link;
			*link = NULL;
			irc_client_answer(client, last->label, (struct bytes){0}, 0);
			free(last->label);
			free(last);
			return;
		}
}

void irc_client_answer(struct irc_client *client, const char *label, struct bytes lines,
		       unsigned count)
{
	const char *host = irc_conf_now()->hostname;
	bool was = client->in_turn;
	char text[IRC_LINE_ROOM + 128];
	uint64_t batch;

	client->in_turn = true;
	if (count == 0) {
		snprintf(text, sizeof text, "@label=%s :%s ACK", label, host);
		irc_client_put_line(client, bytes_str(text));
	} else if (count > 1) {
		batch = ++client->batches;
		snprintf(text, sizeof text, "@label=%s :%s BATCH +L%llu labeled-response", label,
			 host, (unsigned long long)batch);
		irc_client_put_line(client, bytes_str(text));
	}
	for (unsigned i = 0; i < count && client->state != IRC_CLIENT_GONE; i++) {
		struct bytes line = bytes_first(lines, bytes_find(lines, '\n'));
		struct writer w = writer_of(text, sizeof text);
		bool tagged;

		lines = bytes_skip(lines, line.len + 1);
		line.len -= line.len > 0; /* the CR */
		/* One of a batch within it says that of which. */
		if (count > 1 && bytes_start_with(line, BYTES("@batch="))) {
			irc_client_put_line(client, line);
			continue;
		}
		tagged = line.len && line.at[0] == '@';
		writer_str(&w, count > 1 ? "@batch=L" : "@label=");
		if (count > 1)
			writer_dec(&w, batch);
		else
			writer_str(&w, label);
		writer_u8(&w, tagged ? ';' : ' ');
		writer_put(&w, tagged ? bytes_skip(line, 1) : line);
		if (writer_ok(&w))
			irc_client_put_line(client, writer_done(&w));
	}
	if (count > 1) {
		snprintf(text, sizeof text, ":%s BATCH -L%llu", host, (unsigned long long)batch);
		irc_client_put_line(client, bytes_str(text));
	}
	client->in_turn = was;
	if (!was)
		(void)irc_client_flush(client);
}

/* --- in ------------------------------------------------------------------------------------- */

static void begin_label(struct irc_client *client, const struct irc_line *line)
{
	struct bytes label;

	if (!(client->caps & IRC_CAP(LABELED_RESPONSE)) ||
	    !irc_tag_get(line->tags, "label", &label) || !label.len || label.len > 64)
		return;
	client->label = irc_copy(label);
}

static void end_label(struct irc_client *client)
{
	char *label = client->label;
	struct irc_pipe answer = client->answer;
	unsigned lines = client->answer_lines;

	client->label = NULL;
	client->answer = (struct irc_pipe){0};
	client->answer_lines = 0;
	if (label && client->state != IRC_CLIENT_GONE)
		irc_client_answer(client, label, irc_pipe_bytes(&answer), lines);
	irc_pipe_fini(&answer);
	free(label);
}

static void hear_line(struct irc_client *client, struct bytes text)
{
	struct irc_line line;

	while (text.len && text.at[text.len - 1] == '\r')
		text.len--;
	if (!text.len)
		return;
	client->lines_in++;
	if (!irc_line_parse(text, &line)) {
		metric_add(METRIC_irc_lines_bad, 1);
		return;
	}
	if (line.tags.len > IRC_CLIENT_TAGS ||
	    line.rest.len > (client->registered ? 4096u : 2048u)) {
		irc_client_number(client, 417, ":Input line was too long");
		return;
	}
	begin_label(client, &line);
	if (irc_verb_is(&line, "QUIT")) {
		irc_client_end(client, "Quit");
		return;
	}
	if (irc_verb_is(&line, "PING"))
		irc_client_say(client, ":%s PONG %s :%.*s", irc_conf_now()->hostname,
			       irc_conf_now()->hostname, (int)irc_param(&line, 0).len,
			       (const char *)irc_param(&line, 0).at);
	else if (irc_verb_is(&line, "PONG"))
		client->pinged = false;
	else if (irc_verb_is(&line, "CAP"))
		irc_client_cap(client, &line);
	else if (client->registered)
		irc_command(client, &line);
	else
		irc_login_line(client, &line);
	end_label(client);
}

/* Whole lines that have come in. Those of one who waits for something else wait too. */
static void hear_lines(struct irc_client *client)
{
	mono_t turn_ends = mono_add_ms(mono_now(), (int64_t)irc_conf_now()->turn);

	client->in_turn = true;
	client->unheard = false;
	while (may_ask(client) &&
	       (client->state == IRC_CLIENT_STRANGER || client->state == IRC_CLIENT_HERE)) {
		struct bytes in = irc_pipe_bytes(&client->in);
		size_t end = bytes_find(in, '\n');
		struct irc_pipe line = {0};

		if (end == in.len) {
			if (in.len > IRC_LINE_ROOM) {
				metric_add(METRIC_irc_lines_bad, 1);
				irc_pipe_fini(&client->in);
				client->skips = true;
			}
			break;
		}
		if (!mono_before(mono_now(), turn_ends)) {
			client->unheard = true;
			break;
		}
		/* What is heard may bring more in, or let go of all. */
		if (!irc_pipe_put(&line, bytes_first(in, end))) {
			irc_client_end(client, NULL);
			break;
		}
		irc_pipe_take(&client->in, (uint32_t)end + 1);
		if (client->skips)
			client->skips = false;
		else
			hear_line(client, irc_pipe_bytes(&line));
		irc_pipe_fini(&line);
	}
	client->in_turn = false;
}

/* Over a WebSocket it is known when nothing more will come; what came before is heard all the same. */
static bool take_in(struct irc_client *client, struct bytes in)
{
	if (!client->web)
		return irc_pipe_put(&client->in, in);
	client->web_over |= !irc_web_take(client, in);
	return client->state != IRC_CLIENT_GONE;
}

void irc_client_wake(struct irc_client *client, struct bytes early)
{
	if (early.len && !take_in(client, early)) {
		irc_client_end(client, NULL);
		return;
	}
	hear_lines(client);
	if (client->web_over && client->state != IRC_CLIENT_MOVES && irc_client_flush(client)) {
		irc_client_end(client, NULL);
		return;
	}
	if (client->state == IRC_CLIENT_HERE && client->registered)
		irc_client_feed(client);
	else if (client->state == IRC_CLIENT_STRANGER || client->state == IRC_CLIENT_CHECKS)
		(void)irc_client_flush(client);
}

void irc_client_unhush(struct irc_client *client)
{
	if (client->state == IRC_CLIENT_GONE || client->state == IRC_CLIENT_MOVES)
		return;
	client->unheard |= irc_pipe_len(&client->in) > 0;
	irc_client_more(client);
	if (client->state == IRC_CLIENT_STRANGER)
		irc_login_go_on(client);
}

void irc_client_asks(struct irc_client *client)
{
	client->asks++;
}

void irc_client_answered(struct irc_client *client)
{
	bool waited = !may_ask(client);

	client->asks--;
	/* What it said behind them; whoever hears it just now goes on himself. */
	if (waited && !client->in_turn && client->state == IRC_CLIENT_HERE)
		irc_client_wake(client, (struct bytes){0});
}

static void read_some(struct irc_client *client)
{
	ssize_t n = 1;

	enter_worker();
	if (irc_here.hushed) {
		watch(client, client->poll_events & ~UV_READABLE);
		return;
	}
	for (int i = 0; i < READS_A_TURN && client->state != IRC_CLIENT_GONE &&
			client->state != IRC_CLIENT_MOVES;
	     i++) {
		/* Nobody listens until the password is looked at: what it says waits in the kernel. */
		if (client->state == IRC_CLIENT_CHECKS) {
			watch(client, 0);
			return;
		}
		n = link_recv(client->link, irc_here.scratch, sizeof irc_here.scratch);
		if (n <= 0)
			break;
		client->heard = mono_now();
		client->pinged = false;
		irc_client_wake(client, bytes_of(irc_here.scratch, (size_t)n));
		if (client->state == IRC_CLIENT_GONE || client->state == IRC_CLIENT_MOVES ||
		    !is_heard(client) || !link_ready(client->link))
			return;
	}
	if (n <= 0 && (n != -EAGAIN || client->lost))
		irc_client_end(client, NULL);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct irc_client *client = container_of(poll, struct irc_client, poll);

	enter_worker();
	if (client->state == IRC_CLIENT_GONE || client->state == IRC_CLIENT_MOVES)
		return;
	if (status < 0) {
		/* libuv has stopped to look. What it said last is there to be read. */
		client->lost = true;
		client->poll_events = 0;
	}
	if (client->lost) {
		if (client->unheard)
			irc_client_wake(client, (struct bytes){0});
		else if (may_ask(client))
			read_some(client);
		(void)irc_client_flush(client);
		return;
	}
	if (events & UV_READABLE)
		read_some(client);
	if ((events & UV_WRITABLE) && client->state != IRC_CLIENT_GONE &&
	    client->state != IRC_CLIENT_MOVES) {
		if (client->unheard)
			irc_client_wake(client, (struct bytes){0});
		else if (client->registered)
			irc_client_feed(client);
		else
			(void)irc_client_flush(client);
	}
}

/* --- whom ----------------------------------------------------------------------------------- */

struct irc_client *irc_client_of(const struct irc_user *user, uint32_t number)
{
	for (struct irc_client *client = user->clients; client && number; client = client->next)
		if (client->number == number)
			return client;
	return NULL;
}

struct irc_seat *irc_client_seat(const struct irc_client *client, const struct irc_network *network)
{
	for (uint32_t i = 0; i < client->seat_count; i++)
		if (client->seats[i].network == network)
			return &client->seats[i];
	return NULL;
}

struct irc_network *irc_client_network(const struct irc_client *client)
{
	return client->multi || !client->seat_count ? NULL : client->seats[0].network;
}
