#include "irc_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/estate.h"
#include "core/family.h"
#include "core/log.h"
#include "core/worker.h"
#include "edge/auth.h"
#include "edge/edge.h"
#include "edge/edge_conf.h"
#include "edge/fetch.h"
#include "irc/irc.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_cursors.h"
#include "irc/irc_gap.h"
#include "irc/irc_network.h"
#include "irc/irc_route.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"
#include "property.h"
#include "store/store.h"

#define SECRET      "the-other-one-s-secret"
#define PIECE       32768u
#define CLIENTS     4
#define BEGIN_S     100000
#define ANSWER_MOST (IRC_TAGS_MAX + IRC_LINE_ROOM + 2048u)

/* --- what stands in for threads --------------------------------------------------------------- */

static struct worker worker;

struct envelope {
	struct envelope *next;
	struct message *message;
	enum role_of_thread role;
};

static struct envelope *first, **last = &first;

static void post(struct message *message, enum role_of_thread role)
{
	struct envelope *envelope = malloc(sizeof *envelope);

	PROPERTY(envelope);
	*envelope = (struct envelope){NULL, message, role};
	*last = envelope;
	last = &envelope->next;
}

static bool deliver_one(void)
{
	struct envelope *envelope = first;
	struct message *message;

	if (!envelope)
		return false;
	first = envelope->next;
	if (!first)
		last = &first;
	message = envelope->message;
	role_here = envelope->role;
	free(envelope);
	message->deliver(message);
	role_here = ROLE_WORKER;
	return true;
}

int workers_start(unsigned count, const struct worker_hooks *const *hooks, uv_loop_t *loop)
{
	(void)count;
	(void)hooks;
	(void)loop;
	return -ENOSYS;
}

void workers_stop(void)
{
}

void workers_run(void (*job)(struct worker *worker))
{
	(void)job;
}

void workers_halt(void (*before)(struct worker *worker))
{
	(void)before;
}

void workers_go_on(void (*job)(struct worker *worker))
{
	(void)job;
}

unsigned workers_watch(void)
{
	return 0;
}

unsigned workers_count(void)
{
	return 1;
}

struct worker *worker_of(unsigned id)
{
	PROPERTY(id == 0);
	return &worker;
}

struct worker *worker_here(void)
{
	return &worker;
}

struct worker *worker_place(void)
{
	return &worker;
}

void worker_post(struct worker *to, struct message *message)
{
	PROPERTY(to == &worker);
	post(message, ROLE_WORKER);
}

void control_post(struct message *message)
{
	post(message, ROLE_CONTROL);
}

void baton_pass(struct baton *baton, struct worker *at)
{
	(void)baton;
	(void)at;
}

static void baton_home(struct message *message)
{
	struct baton *baton = container_of(message, struct baton, message);

	baton->home(baton);
}

static void baton_visit(struct message *message)
{
	struct baton *baton = container_of(message, struct baton, message);

	baton->visit(baton, &worker);
	message->deliver = baton_home;
	control_post(message);
}

void baton_send(struct baton *baton)
{
	baton->message.deliver = baton_visit;
	worker_post(&worker, &baton->message);
}

/* --- what is refused (the linker's --wrap) ----------------------------------------------------- */

void __wrap_store_ask(struct store_ask *ask);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb done,
			  const char *node, const char *service, const struct addrinfo *hints);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb work,
			 uv_after_work_cb after);
int __wrap_fetch_start(struct fetch *fetch, const struct fetch_request *request);
void __wrap_auth_start(struct auth_check *check, uv_loop_t *loop, const char *stored,
		       struct bytes given,
		       void (*done)(struct auth_check *check, enum auth_result result));

static void store_answers(struct message *message)
{
	struct store_ask *ask = container_of(message, struct store_ask, message);

	ask->done(ask);
}

/* It has nothing; every fourth time it cannot be asked. */
void __wrap_store_ask(struct store_ask *ask)
{
	static unsigned count;

	ask->fault = ++count % 4 ? STORE_GOOD : STORE_OFF;
	ask->message.deliver = store_answers;
	control_post(&ask->message);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	(void)fd;
	(void)address;
	(void)len;
	errno = ECONNREFUSED;
	return -1;
}

int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb done,
			  const char *node, const char *service, const struct addrinfo *hints)
{
	(void)loop;
	(void)request;
	(void)done;
	(void)node;
	(void)service;
	(void)hints;
	return UV_EAI_FAIL;
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb work,
			 uv_after_work_cb after)
{
	(void)loop;
	(void)request;
	(void)work;
	(void)after;
	return UV_ENOMEM;
}

int __wrap_fetch_start(struct fetch *fetch, const struct fetch_request *request)
{
	(void)fetch;
	(void)request;
	return -EIO;
}

void __wrap_auth_start(struct auth_check *check, uv_loop_t *loop, const char *stored,
		       struct bytes given,
		       void (*done)(struct auth_check *check, enum auth_result result))
{
	(void)loop;
	(void)stored;
	(void)given;
	done(check, AUTH_NO);
}

/* --- the house --------------------------------------------------------------------------------- */

static char secret[IRC_PASSWORD_LEN + 1];

static void house_open(void)
{
	static const struct conf_room *const rooms[] = {&edge_conf_room, &irc_conf_room};
	static const char *const sets[] = {"irc.listen=127.0.0.1:6667",
					   "irc.ring=16k",
					   "irc.client_buffer=64k",
					   "irc.channels=60",
					   "irc.members=200",
					   "irc.networks=4",
					   "irc.clients=8",
					   "irc.devices=6",
					   "irc.interval=0",
					   "irc.queue=200",
					   "irc.scram=yes",
					   "admin.password=the-administrator-s"};
	struct conf_source source = {
		.path = "stage", .text = BYTES(" "), .sets = sets, .set_count = COUNT_OF(sets)};
	struct conf_errors errors = {0};
	static struct conf *conf; /* for good */
	char path[] = "/tmp/irc-stage-XXXXXX", file[64];

	PROPERTY(sodium_init() >= 0 && log_open("/dev/null", LOG_LEVEL_ERROR) == 0);
	conf = conf_load(rooms, COUNT_OF(rooms), &source, &errors);
	PROPERTY(conf && uv_loop_init(&worker.loop) == 0);
	edge_know();
	irc_family.know();
	PROPERTY(estate_create() == 0);
	role_here = ROLE_CONTROL;
	PROPERTY(edge_configure(conf_values(conf, &edge_conf_room)) == 0);
	irc_family.configure(conf);
	PROPERTY(mkdtemp(path) && irc_cursors_open(path) == 0);
	snprintf(file, sizeof file, "%s/irc-cursors", path);
	PROPERTY(unlink(file) == 0 && rmdir(path) == 0);
	role_here = ROLE_WORKER;
	PROPERTY(irc_family.hooks->start(&worker) == 0);
	/* Time goes by when the script says so. */
	uv_timer_stop(&irc_here.tick);
}

/* --- who is there ------------------------------------------------------------------------------ */

struct end {
	int fd; /* -1: closed */
	uint8_t line[ANSWER_MOST];
	size_t len;
};

static struct end server, client[CLIENTS], stranger, other_server, other_client;
static size_t longest;  /* line that the server takes */
static bool is_settled; /* the other one has heard what is his */
static const char letters[CLIENTS + 1] = "cdmx";

static void pair(struct end *end, int *theirs)
{
	int fds[2];

	PROPERTY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	end->fd = fds[0];
	end->len = 0;
	*theirs = fds[1];
}

static void end_close(struct end *end)
{
	if (end->fd != -1)
		close(end->fd);
	end->fd = -1;
}

static void say(struct end *end, struct bytes text)
{
	if (end->fd != -1 && text.len)
		(void)!send(end->fd, text.at, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* RFC 1459 section 2.3: no line is longer than its tags and 512 bytes, or what the server said (LINELEN). */
static void check_line(const struct end *end, struct bytes line)
{
	struct irc_line parsed;

	PROPERTY(line.len && line.at[line.len - 1] == '\r');
	line.len--;
	PROPERTY(bytes_find(line, '\0') == line.len && bytes_find(line, '\r') == line.len);
	if (end == &server && irc_line_parse(line, &parsed))
		PROPERTY(parsed.rest.len + 2 <= longest);
	if (end == &other_client || end == &other_server)
		return;
	PROPERTY(!memmem(line.at, line.len, SECRET, sizeof SECRET - 1));
}

static void drain(struct end *end)
{
	static uint8_t piece[PIECE];
	ssize_t n;

	while (end->fd != -1 && (n = recv(end->fd, piece, sizeof piece, MSG_DONTWAIT)) > 0) {
		struct bytes in = bytes_of(piece, (size_t)n);

		/* The other user and his server have nothing to do with any of this. */
		PROPERTY(!is_settled || (end != &other_client && end != &other_server));
		while (in.len) {
			size_t at = bytes_find(in, '\n'), n2 = at < in.len ? at : in.len;

			PROPERTY(end->len + n2 <= sizeof end->line);
			memcpy(end->line + end->len, in.at, n2);
			end->len += n2;
			if (at < in.len) {
				check_line(end, bytes_of(end->line, end->len));
				end->len = 0;
			}
			in = bytes_skip(in, at + 1);
		}
	}
}

/* --- whether all is as it should be ------------------------------------------------------------ */

static void check_channel(const struct irc_buffer *buffer, uint32_t *seats)
{
	const struct irc_network *network = buffer->network;

	for (uint32_t i = 0; buffer->channel && i < buffer->channel->count; i++) {
		const struct irc_nick *nick = buffer->channel->members[i].nick;

		PROPERTY(nick->refs > 0 && nick->named.len <= IRC_NAME_MAX);
		PROPERTY(strlen(nick->named.name) == nick->named.len);
		PROPERTY(irc_nick_find(network, irc_named_bytes(&nick->named)));
		/* Two that a new casemapping has made one are found as one of them. */
		PROPERTY(irc_nick_find(network, irc_named_bytes(&nick->named)) != nick ||
			 irc_member_find(buffer, irc_named_bytes(&nick->named)) ==
				 &buffer->channel->members[i]);
		++*seats;
		for (uint32_t k = 0; k < i; k++)
			PROPERTY(buffer->channel->members[k].nick != nick);
	}
}

static void check_network(const struct irc_network *network)
{
	const struct irc_conf *conf = irc_conf_now();
	struct irc_named *named;
	uint32_t at = 0, seats = 0, refs = 0, count = 0;

	PROPERTY(network->buffers.used <= conf->channels && network->nicks.used <= conf->members);
	while ((named = irc_index_next(&network->buffers, &at))) {
		const struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		PROPERTY(named->len && named->len <= IRC_NAME_MAX &&
			 irc_buffer_find(network, irc_named_bytes(named)));
		PROPERTY(buffer->network == network && buffer->ring.slot < network->slots);
		PROPERTY(buffer->ring.kept <= buffer->ring.head && buffer->ring.size <= conf->ring);
		for (unsigned i = 0; i < network->user->device_count; i++)
			PROPERTY(irc_buffer_place(buffer, i) <= buffer->ring.head);
		check_channel(buffer, &seats);
		count++;
	}
	PROPERTY(count == network->buffers.used && count + 1 == network->slots);
	for (at = 0, count = 0; (named = irc_index_next(&network->nicks, &at)); count++)
		refs += container_of(named, struct irc_nick, named)->refs;
	PROPERTY(refs == seats && count == network->nicks.used);
}

static void check_user(const struct irc_user *user)
{
	uint32_t clients = 0, networks = 0;

	for (const struct irc_client *c = user->clients; c; c = c->next) {
		clients++;
		PROPERTY(c->user == user && c->state == IRC_CLIENT_HERE);
		PROPERTY(irc_pipe_len(&c->out) <= irc_conf_now()->client_buffer);
		for (uint32_t i = 0; i < c->seat_count; i++) {
			PROPERTY(c->seats[i].network->user == user);
			PROPERTY(c->seats[i].reader.note <= c->seats[i].network->journal.head);
		}
	}
	for (const struct irc_network *n = user->networks; n; n = n->next) {
		networks++;
		check_network(n);
	}
	PROPERTY(clients == user->client_count && networks == user->network_count);
}

/* --- turns ------------------------------------------------------------------------------------- */

static struct irc_network *network_here(void)
{
	const struct irc_user *user = irc_user_find(BYTES("ann"));

	return user ? irc_network_find(user, BYTES("net")) : NULL;
}

/* Time goes by when the script says so: nobody is late as the machine is busy, and no turn is cut short. */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	*now = (struct timespec){BEGIN_S, 0};
	return 0;
}

static void turn(void)
{
	const struct irc_network *network = network_here();

	/* What it has once allowed may still be on its way. */
	if (network && network->is.linelen > longest)
		longest = network->is.linelen;
	for (int i = 0; i < 3; i++) {
		bool more = false;

		uv_run(&worker.loop, UV_RUN_NOWAIT);
		while (deliver_one())
			more = true;
		drain(&server);
		for (int k = 0; k < CLIENTS; k++)
			drain(&client[k]);
		drain(&stranger);
		if (i && !more)
			break;
	}
	drain(&other_server);
	drain(&other_client);
}

/* As often as a second has ticks, and all that is late by then. */
static void tick(unsigned seconds)
{
	mono_t then = mono_add_ms(mono_now(), (int64_t)seconds * 1000);
	struct irc_named *named;
	uint32_t at = 0;

	irc_here.tick.timer_cb(&irc_here.tick);
	while ((named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_network *n = container_of(named, struct irc_user, named)->networks;
		     n; n = n->next) {
			irc_routes_tick(n, then);
			if (n->up)
				irc_gaps_tick(n->up, then);
			if (n->up && n->up->phase == IRC_PHASE_TALKS && n->up->welcomed)
				irc_register_tick(n->up, then);
		}
}

/* --- comings and goings ------------------------------------------------------------------------ */

static void knock(struct end *end)
{
	static const struct irc_arrival arrival = {
		.peer = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1},
			 .port = 7}};
	int fd;

	enter_worker();
	pair(end, &fd);
	edge_joined(&worker);
	irc_client_arrive(&worker, link_plain(fd), &arrival, (struct bytes){0});
}

static void log_in(struct end *end, const char *name, const char *caps)
{
	char text[1200];
	int len = snprintf(text, sizeof text, "%s%s%sPASS %s\r\nNICK ann\r\nUSER %s 0 * :Ann\r\n%s",
			   caps[0] ? "CAP LS 302\r\nCAP REQ :" : "", caps, caps[0] ? "\r\n" : "",
			   secret, name, caps[0] ? "CAP END\r\n" : "");

	knock(end);
	say(end, bytes_of(text, (size_t)len));
	turn();
}

static void client_come(int which)
{
	static const char all[] = "server-time message-tags account-tag batch labeled-response "
				  "echo-message extended-join multi-prefix "
				  "away-notify account-notify chghost cap-notify invite-notify "
				  "setname draft/chathistory draft/read-marker "
				  "draft/multiline draft/event-playback";
	static const char *const names[] = {"ann/net@one", "ann/net@two", "ann/*@three",
					    "ann/net@four"};

	end_close(&client[which]);
	turn();
	log_in(&client[which], names[which], which == 1 ? all : "");
}

/* A connection to its server, which has let it in, or has not. */
static void server_come(struct irc_network *network, struct end *end, bool welcomed)
{
	struct irc_upstream_left left = {.place = {.host = "server", .port = 6667}};
	int fd;

	enter_worker();
	uv_timer_stop(&network->timer);
	if (network->up)
		irc_network_stop(network, "again");
	pair(end, &fd);
	left.link = link_plain(fd);
	PROPERTY(irc_upstream_adopt(network, &left));
	if (welcomed) {
		irc_set(&network->nick, BYTES("ann"));
		network->welcome_done = true;
		return;
	}
	network->up->listed = network->up->ended = network->up->welcomed = network->up->ready =
		false;
	network->welcome_done = false;
	irc_network_state(network, IRC_STATE_REGISTERS);
	irc_register_begin(network->up);
}

static struct irc_network *user_come(const char *name)
{
	struct irc_user *user = irc_user_make(bytes_str(name));
	struct irc_network *network =
		irc_network_make(user, irc_id_next(IRC_ID_NETWORK), BYTES("net"));

	PROPERTY(network && irc_password_make(user, BYTES("x"), secret));
	PROPERTY(!irc_network_set(network, BYTES("addr"), BYTES("irc+insecure://127.0.0.1")));
	PROPERTY(!irc_network_set(network, BYTES("sasl_mechanism"), BYTES("SCRAM-SHA-256")));
	PROPERTY(!irc_network_set(network, BYTES("sasl_username"), BYTES("ann")));
	PROPERTY(!irc_network_set(network, BYTES("sasl_password"), BYTES("pencil")));
	irc_set(&user->nick, bytes_str(name));
	return network;
}

static void other_come(void)
{
	struct irc_network *network = user_come("other");
	static const char *const lines[] = {
		":other!o@h JOIN #ring",           ":s 353 other = #ring :other bob",
		":s 366 other #ring :End",         ":bob!b@h PRIVMSG #ring :" SECRET,
		":bob!b@h PRIVMSG other :" SECRET, ":bob!b@h TOPIC #ring :" SECRET};

	server_come(network, &other_server, true);
	irc_set(&network->nick, BYTES("other"));
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		say(&other_server, bytes_str(lines[i]));
		say(&other_server, BYTES("\n"));
	}
	log_in(&other_client, "other/net@one", "");
	turn();
	is_settled = true;
}

static void all_go(void)
{
	struct irc_named *named;
	uint32_t at;

	is_settled = false;
	for (at = 0; (named = irc_index_next(&irc_here.users, &at)); at = 0)
		irc_user_erase(container_of(named, struct irc_user, named));
	while (irc_here.strangers)
		irc_client_end(irc_here.strangers, "The play is over");
	for (int i = 0; i < 4; i++) {
		uv_run(&worker.loop, UV_RUN_NOWAIT);
		while (deliver_one())
			;
	}
	PROPERTY(!irc_here.dirty && !irc_here.orders && !irc_here.paused);
	end_close(&server);
	for (int k = 0; k < CLIENTS; k++)
		end_close(&client[k]);
	end_close(&stranger);
	end_close(&other_server);
	end_close(&other_client);
	/* All handles are closed, but for the clock's and those of the house. */
	PROPERTY(!uv_loop_alive(&worker.loop));
}

/* --- the script -------------------------------------------------------------------------------- */

static struct end *end_of(uint8_t letter)
{
	const char *at = letter ? strchr(letters, letter) : NULL;

	if (letter == STAGE_UNKNOWN)
		return &stranger;
	return at ? &client[at - letters] : &server;
}

static void order(uint8_t letter, struct bytes rest)
{
	struct irc_network *network = network_here();
	uint64_t seconds;
	const char *at;

	switch (letter) {
	case STAGE_TICK: tick(bytes_to_u64(rest, 100000, &seconds) ? (unsigned)seconds : 1); break;
	case STAGE_RENEW:
		end_close(&server);
		turn();
		network = network_here();
		if (network)
			server_come(network, &server, false);
		break;
	case STAGE_AGAIN:
		at = rest.len && rest.at[0] ? strchr(letters, rest.at[0]) : NULL;
		if (at) {
			client_come((int)(at - letters));
		} else {
			end_close(&stranger);
			turn();
			knock(&stranger);
		}
		break;
	default: break;
	}
	turn();
}

static void play(struct bytes script)
{
	struct end *speaker = NULL;

	while (script.len) {
		struct bytes line = bytes_cut(&script, '\n');
		uint8_t letter = line.len ? line.at[0] : 0;
		struct end *end = end_of(letter);

		if (letter == STAGE_TICK || letter == STAGE_RENEW || letter == STAGE_AGAIN) {
			turn();
			order(letter, bytes_skip(line, 1));
			continue;
		}
		/* What one says in a row comes in one piece. */
		if (speaker && speaker != end)
			turn();
		speaker = end;
		if (end != &server || letter == STAGE_SERVER)
			line = bytes_skip(line, 1);
		say(end, line);
		say(end, BYTES("\r\n"));
	}
	turn();
}

void stage_play(struct bytes script)
{
	static bool is_open;
	struct irc_named *named;
	uint32_t at = 0;

	/* Who knows it already proves nothing. */
	if (script.len && memmem(script.at, script.len, SECRET, sizeof SECRET - 1))
		return;
	if (!is_open)
		house_open();
	is_open = true;
	longest = IRC_LINE_MAX;
	server.fd = stranger.fd = other_server.fd = other_client.fd = -1;
	for (int k = 0; k < CLIENTS; k++)
		client[k].fd = -1;
	other_come();
	server_come(user_come("ann"), &server, true);
	for (int k = 0; k < CLIENTS - 1; k++)
		client_come(k);
	knock(&stranger);
	turn();
	play(script);
	while ((named = irc_index_next(&irc_here.users, &at)))
		check_user(container_of(named, struct irc_user, named));
	all_go();
}
