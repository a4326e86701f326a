#include "voice/voice_left.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/estate.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/link.h"
#include "store/store.h"
#include "voice/voice_conn.h"
#include "voice/voice_record.h"
#include "voice/voice_rx.h"
#include "voice/voice_tree.h"
#include "voice/voice_tx.h"

#define LAYOUT    1u
#define LEFT_ROWS 65536u
#define NOBODYS   UINT32_MAX  /* worker of the row that names the text */
#define BLOBS_MAX (16u << 20) /* bytes of comments and pictures in the text */

struct left_row {
	uint64_t in_use;
	int32_t fd;
	uint32_t tls;
	uint32_t worker;
	uint8_t pad[44];
};

static_assert(sizeof(struct left_row) % 64 == 0, "rows are whole cache lines");

static const struct estate_kind left_kind = {
	.name = "voice.left",
	.layout = LAYOUT,
	.row_size = sizeof(struct left_row),
	.fds_at = offsetof(struct left_row, fd),
	.fds = 1,
};

/* A connection that was left to us, until its user is known. */
struct heir {
	struct link link;
	unsigned worker;
	bool good, claimed;
};

struct resumption;

static struct {
	struct table rows;
	bool hushing, baton_home;
	int text;       /* the memfd; -1: none */
	uint32_t count; /* of rows that were written */
	json_t *tree;   /* what the last server wrote */
	struct resumption *resumptions;
} left OWNED_BY(on_control) = {.text = -1};

void voice_left_know(void)
{
	estate_know(&left_kind);
}

/* Workers look at it while control waits (workers_run). */
static struct {
	struct heir *at;
	uint32_t count;
} heirs;

/* --- the server that leaves ----------------------------------------------------------------- */

static void hush_worker(struct worker *worker)
{
	(void)worker;
	enter_worker();
	voice_conn_worker_hush(true);
	voice_tx_hold(false);
}

static void unhush_worker(struct worker *worker)
{
	(void)worker;
	enter_worker();
	voice_conn_worker_hush(false);
	voice_tx_hold(true);
}

static void on_baton_home(struct baton *baton)
{
	enter_control();
	left.baton_home = true;
	free(baton);
}

void voice_left_hush(void)
{
	struct baton *baton = voice_hub.admitted ? calloc(1, sizeof *baton) : NULL;

	left.hushing = voice_hub.admitted > 0;
	left.baton_home = !baton;
	if (left.hushing)
		workers_run(hush_worker);
	voice_store_now();
	if (!baton)
		return;
	/* When it is home, all that was read before has been done. */
	baton->visit = baton_pass;
	baton->home = on_baton_home;
	baton_send(baton);
}

bool voice_left_is_hushed(void)
{
	/* This may be the last that control does before workers are halted: no turn ends any more. */
	voice_settle();
	return left.baton_home && voice_store_is_kept();
}

static json_t *aims_tree(const struct voice_user *user)
{
	json_t *aims = json_array();

	for (size_t i = 0; i < VOICE_AIMS; i++) {
		json_t *targets = json_array();

		for (size_t n = 0; n < user->aims[i].count; n++) {
			const struct voice_target *target = &user->aims[i].targets[n];

			json_array_append_new(
				targets,
				json_pack("{s:o, s:b, s:b, s:b, s:I, s:s}", "sessions",
					  voice_tree_hex(bytes_of(target->sessions,
								  target->session_count *
									  sizeof(uint32_t))),
					  "has_channel", target->has_channel, "links",
					  target->links, "children", target->children, "channel",
					  (json_int_t)target->channel, "group", target->group));
		}
		json_array_append_new(aims, targets);
	}
	return aims;
}

static json_t *listens_tree(const struct voice_user *user)
{
	json_t *listens = json_array();

	for (size_t i = 0; i < user->listen_count; i++) {
		const struct voice_channel *channel = user->listens[i];
		double volume = 0;

		for (size_t n = 0; n < channel->listen_count; n++)
			if (channel->listens[n].user == user)
				volume = (double)channel->listens[n].volume;
		json_array_append_new(listens,
				      json_pack("[I, f]", (json_int_t)channel->id, volume));
	}
	return listens;
}

static json_t *tokens_tree(const struct voice_user *user)
{
	json_t *tokens = json_array();

	for (size_t i = 0; i < user->token_count; i++)
		json_array_append_new(tokens, voice_tree_hex(user->tokens[i]));
	return tokens;
}

#define RAW(what)   voice_tree_hex(bytes_of(&(what), sizeof(what)))
#define HELD(field) (json_int_t) atomic_load_explicit(&peer->field, memory_order_relaxed)

static json_t *peer_tree(const struct voice_peer *peer)
{
	json_t *tree = json_pack("{s:I, s:o, s:s, s:o, s:i, s:o, s:o, s:o, s:I, s:b, s:o}",
				 "session", (json_int_t)peer->session, "address",
				 RAW(peer->address), "hash", peer->hash, "certificate",
				 voice_tree_hex(bytes_of(peer->certificate, peer->certificate_len)),
				 "form", (int)peer->form, "key",
				 voice_tree_hex(bytes_of(peer->key.raw, VOICE_KEY_SIZE)),
				 "out_base", RAW(peer->out_base), "in_base", RAW(peer->in_base),
				 "sealed", HELD(sealed), "tunnels", (int)HELD(tunnels), "place",
				 voice_tree_hex(bytes_of(&peer->place, sizeof peer->place)));
	/* No way: it was given up, and the next datagram finds it again. */
	json_t *more =
		json_pack("{s:o, s:b, s:o, s:I, s:I, s:I, s:I}", "in", RAW(peer->rx.in), "bound",
			  peer->rx.bound && HELD(way) != 0, "way", RAW(peer->rx.way), "heard",
			  HELD(counts.heard), "bytes", HELD(counts.bytes), "spoke_us",
			  HELD(counts.spoke_us), "resync", HELD(counts.resync));

	json_object_update(tree, more);
	json_decref(more);
	return tree;
}

static json_t *conn_tree(const struct voice_conn_left *conn)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "in", voice_tree_hex(conn->in), "out",
			 voice_tree_hex(conn->out), "began_us", (json_int_t)conn->began_us,
			 "tunnelled_us", (json_int_t)conn->tunnelled_us, "sealed",
			 (json_int_t)conn->sealed, "far_good", (json_int_t)conn->far_good);
}

static json_t *blob_tree(const struct voice_blob *blob, size_t *room)
{
	struct bytes in = voice_blob_bytes(blob);

	if (in.len > *room)
		in = (struct bytes){0};
	*room -= in.len;
	return voice_tree_hex(in);
}

static json_t *user_tree(const struct voice_user *user, size_t *blobs)
{
	json_t *tree =
		json_pack("{s:s, s:i, s:I, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "name",
			  user->name, "id", (int)user->id, "channel", (json_int_t)user->channel->id,
			  "mute", user->mute, "deaf", user->deaf, "suppress", user->suppress,
			  "self_mute", user->self_mute, "self_deaf", user->self_deaf, "priority",
			  user->priority, "recording", user->recording, "opus", user->opus);
	json_t *more =
		json_pack("{s:I, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			  "version", (json_int_t)user->version, "release", RAW(user->release), "os",
			  RAW(user->os), "os_version", RAW(user->os_version), "came_us",
			  (json_int_t)user->came_us, "active_us", (json_int_t)user->active_us,
			  "comment", blob_tree(&user->comment, blobs), "texture",
			  blob_tree(&user->texture, blobs), "context",
			  blob_tree(&user->context, blobs), "identity",
			  blob_tree(&user->identity, blobs), "tokens", tokens_tree(user), "listens",
			  listens_tree(user), "aims", aims_tree(user));

	json_object_update(tree, more);
	json_decref(more);
	return tree;
}

/* A row for the connection, and what is known of its user; NULL: he cannot be left. */
RUNS_ON(on_control) static json_t *leave_user(const struct voice_user *user, size_t *blobs)
{
	struct voice_conn_left conn;
	struct left_row *row;
	uint32_t number;
	json_t *tree;

	if (!voice_conn_left(user->peer, &conn))
		return NULL;
	row = table_take(&left.rows, &number);
	if (!row)
		return NULL;
	row->fd = conn.link.fd;
	row->tls = conn.link.tls;
	row->worker = user->peer->worker->id;
	table_settle(&left.rows, number);
	tree = user_tree(user, blobs);
	json_object_set_new(tree, "row", json_integer(number));
	json_object_set_new(tree, "peer", peer_tree(user->peer));
	json_object_set_new(tree, "conn", conn_tree(&conn));
	return tree;
}

/* Rooms that the store does not keep: temporary ones; all where it is off. */
RUNS_ON(on_control) static json_t *fleeting_tree(void)
{
	bool all = store_status().fault == STORE_OFF;
	json_t *list = json_array();

	for (size_t i = 0; i < voice_hub.channel_room; i++) {
		const struct voice_channel *channel = voice_hub.channels[i];
		json_t *tree;

		if (!channel || (!all && !channel->temporary))
			continue;
		tree = voice_tree_channel(channel);
		json_object_set_new(tree, "id", json_integer((json_int_t)i));
		json_object_set_new(tree, "temporary", json_boolean(channel->temporary));
		json_array_append_new(list, tree);
	}
	return list;
}

RUNS_ON(on_control) static json_t *all_tree(void)
{
	json_t *users = json_array(), *lost = json_array();
	size_t blobs = BLOBS_MAX;

	for (const struct voice_user *user = voice_hub.users; user; user = user->next) {
		json_t *tree;

		if (!user->channel || user->leaving)
			continue;
		tree = leave_user(user, &blobs);
		if (tree)
			json_array_append_new(users, tree);
		else
			json_array_append_new(lost, json_integer(user->peer->session));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:I}", "users", users, "lost", lost, "channels",
			 fleeting_tree(), "records", voice_record_tree(), "session_next",
			 (json_int_t)voice_hub.session_next);
}

static int write_all(const char *text)
{
	size_t len = strlen(text);
	int fd = memfd_create("ringmain voice", MFD_CLOEXEC);

	for (size_t at = 0; fd >= 0 && at < len;) {
		ssize_t n = write(fd, text + at, len - at);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	return fd;
}

RUNS_ON(on_control) static void take_back(void)
{
	for (uint32_t at = 0; left.rows.map && at < left.rows.high; at++)
		if (table_settled(&left.rows, at)) {
			table_doubt(&left.rows, at);
			table_give(&left.rows, at);
		}
	if (left.text >= 0)
		close(left.text);
	left.text = -1;
}

void voice_left_leave(void)
{
	struct left_row *row;
	uint32_t number;
	json_t *tree;
	char *text;

	if (!left.rows.map || !voice_hub.admitted)
		return;
	tree = all_tree();
	text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
	left.text = text ? write_all(text) : -1;
	if (text)
		explicit_bzero(text, strlen(text)); /* keys are in it */
	free(text);
	json_decref(tree);
	row = left.text >= 0 ? table_take(&left.rows, &number) : NULL;
	if (!row) {
		log_warnx("voice", "nobody is left to the next server: they come again");
		take_back();
		return;
	}
	row->fd = left.text;
	row->worker = NOBODYS;
	table_settle(&left.rows, number);
}

void voice_left_stay(void)
{
	take_back();
	if (left.hushing)
		workers_run(unhush_worker);
	left.hushing = false;
}

/* --- the server that takes over --------------------------------------------------------------- */

static void adopt_links(struct worker *worker)
{
	enter_worker();
	for (uint32_t i = 0; i < heirs.count; i++) {
		struct heir *heir = &heirs.at[i];

		if (heir->good && heir->worker == worker->id)
			heir->good = link_adopt(heir->link, estate_of_crashed());
	}
}

static json_t *read_all(int fd)
{
	struct stat st;
	char *text = fstat(fd, &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
	size_t len = 0;
	json_t *tree;

	while (text && len < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + len, (size_t)st.st_size - len, (off_t)len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	tree = text ? json_loadb(text, len, VOICE_TREE_LOAD, NULL) : NULL;
	if (text)
		explicit_bzero(text, len);
	free(text);
	return tree;
}

/* The rows are read and free again: what was in them is this process's alone. */
int voice_left_start(void)
{
	int error = estate_table(&left.rows, &left_kind, 0, LEFT_ROWS);

	if (error || !left.rows.used)
		return error;
	heirs.at = calloc(left.rows.high, sizeof *heirs.at);
	for (uint32_t at = 0; at < left.rows.high; at++) {
		const struct left_row *row = table_settled(&left.rows, at);

		if (!row)
			continue;
		if (row->worker == NOBODYS) {
			left.tree = read_all(row->fd);
			close(row->fd);
		} else if (heirs.at) {
			heirs.at[at] = (struct heir){.link = {row->fd, row->tls},
						     .worker = row->worker,
						     .good = row->worker < workers_count()};
		} else {
			close(row->fd);
		}
		table_doubt(&left.rows, at);
		table_give(&left.rows, at);
	}
	heirs.count = heirs.at ? left.rows.high : 0;
	workers_run(adopt_links);
	return 0;
}

static json_int_t number(const json_t *tree, const char *name)
{
	return json_integer_value(json_object_get(tree, name));
}

static bool is_true(const json_t *tree, const char *name)
{
	return json_is_true(json_object_get(tree, name));
}

static const char *text_of(const json_t *tree, const char *name)
{
	const char *text = json_string_value(json_object_get(tree, name));

	return text ? text : "";
}

/* False: it is not of that size. */
static bool read_raw(const json_t *tree, const char *name, void *to, size_t size)
{
	size_t len;
	uint8_t *at = voice_tree_bytes(tree, name, &len);
	bool fits = at && len == size;

	if (fits)
		memcpy(to, at, size);
	free(at);
	return fits;
}

#define READ_RAW(tree, name, to) read_raw(tree, name, &(to), sizeof(to))

static bool read_peer(const json_t *tree, struct voice_peer *peer)
{
	uint8_t key[VOICE_KEY_SIZE];
	uint64_t place = 0;
	bool whole = READ_RAW(tree, "address", peer->address) && READ_RAW(tree, "key", key) &&
		     READ_RAW(tree, "out_base", peer->out_base) &&
		     READ_RAW(tree, "in_base", peer->in_base) &&
		     READ_RAW(tree, "in", peer->rx.in) && READ_RAW(tree, "way", peer->rx.way) &&
		     READ_RAW(tree, "place", place);

	if (!whole)
		return false;
	voice_key_init(&peer->key, key);
	explicit_bzero(key, sizeof key);
	peer->session = (uint32_t)number(tree, "session");
	bytes_to_str(bytes_str(text_of(tree, "hash")), peer->hash, sizeof peer->hash);
	peer->certificate = voice_tree_bytes(tree, "certificate", &peer->certificate_len);
	peer->form = number(tree, "form") == VOICE_PROTOBUF ? VOICE_PROTOBUF : VOICE_LEGACY;
	peer->rx.bound = is_true(tree, "bound");
	peer->rx.last_good = mono_now();
	atomic_init(&peer->silent, true);
	atomic_init(&peer->sealed, (uint64_t)number(tree, "sealed"));
	atomic_init(&peer->tunnels, is_true(tree, "tunnels"));
	atomic_init(&peer->place, place);
	atomic_init(&peer->counts.heard, (uint64_t)number(tree, "heard"));
	atomic_init(&peer->counts.bytes, (uint64_t)number(tree, "bytes"));
	atomic_init(&peer->counts.spoke_us, number(tree, "spoke_us"));
	atomic_init(&peer->counts.resync, (uint32_t)number(tree, "resync"));
	atomic_init(&peer->counts.good, peer->rx.in.good);
	atomic_init(&peer->counts.late, peer->rx.in.late);
	atomic_init(&peer->counts.lost, peer->rx.in.lost);
	return true;
}

RUNS_ON(on_control) static void read_aims(const json_t *aims, struct voice_user *user)
{
	for (size_t i = 0; i < VOICE_AIMS; i++) {
		const json_t *targets = json_array_get(aims, i);
		struct voice_aim *aim = &user->aims[i];

		aim->targets = calloc(json_array_size(targets) + 1, sizeof *aim->targets);
		for (size_t n = 0; aim->targets && n < json_array_size(targets); n++) {
			const json_t *from = json_array_get(targets, n);
			struct voice_target *to = &aim->targets[n];
			size_t len;

			to->sessions = (uint32_t *)(void *)voice_tree_bytes(from, "sessions", &len);
			to->session_count = len / sizeof *to->sessions;
			to->has_channel = is_true(from, "has_channel");
			to->links = is_true(from, "links");
			to->children = is_true(from, "children");
			to->channel = (uint32_t)number(from, "channel");
			to->group = strdup(text_of(from, "group"));
			aim->count++;
		}
		if (aim->count)
			(void)voice_aims_room(user->peer);
	}
}

RUNS_ON(on_control) static void read_tokens(const json_t *list, struct voice_user *user)
{
	size_t count = json_array_size(list);
	struct bytes *tokens = calloc(count + 1, sizeof *tokens);

	for (size_t i = 0; tokens && i < count; i++) {
		json_t *holder = json_pack("{s:O}", "token", json_array_get(list, i));
		size_t len;
		uint8_t *at = voice_tree_bytes(holder, "token", &len);

		tokens[i] = bytes_of(at, len);
		json_decref(holder);
	}
	if (tokens)
		(void)voice_tokens_set(user, tokens, count);
	for (size_t i = 0; tokens && i < count; i++)
		free((void *)(uintptr_t)tokens[i].at);
	free(tokens);
}

RUNS_ON(on_control) static void read_listens(const json_t *list, struct voice_user *user)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *pair = json_array_get(list, i);
		struct voice_channel *channel =
			voice_channel_find((uint32_t)json_integer_value(json_array_get(pair, 0)));

		if (channel && voice_listen_add(user, channel))
			channel->listens[channel->listen_count - 1].volume =
				(float)json_real_value(json_array_get(pair, 1));
	}
}

RUNS_ON(on_control) static void read_user(const json_t *tree, struct voice_user *user)
{
	int32_t id = (int32_t)number(tree, "id");

	bytes_to_str(bytes_str(text_of(tree, "name")), user->name, sizeof user->name);
	user->id = id > 0 && !voice_registered(id) ? ACL_NOBODY : id;
	user->version = (uint64_t)number(tree, "version");
	user->opus = is_true(tree, "opus");
	user->came_us = number(tree, "came_us");
	user->active_us = number(tree, "active_us");
	user->mute = is_true(tree, "mute");
	user->deaf = is_true(tree, "deaf");
	user->self_mute = is_true(tree, "self_mute");
	user->self_deaf = is_true(tree, "self_deaf");
	user->priority = is_true(tree, "priority");
	user->recording = is_true(tree, "recording");
	(void)READ_RAW(tree, "release", user->release);
	(void)READ_RAW(tree, "os", user->os);
	(void)READ_RAW(tree, "os_version", user->os_version);
	(void)voice_tree_blob(tree, "comment", &user->comment);
	(void)voice_tree_blob(tree, "texture", &user->texture);
	(void)voice_tree_blob(tree, "context", &user->context);
	(void)voice_tree_blob(tree, "identity", &user->identity);
	read_tokens(json_object_get(tree, "tokens"), user);
	read_aims(json_object_get(tree, "aims"), user);
}

/* On its way to the worker that has the connection. */
struct resumption {
	struct message message;
	struct resumption *next;
	struct voice_peer *peer;
	struct voice_conn_left conn;
	uint8_t *in, *out;
};

static void on_resumption(struct message *message)
{
	struct resumption *resumption = container_of(message, struct resumption, message);

	enter_worker();
	voice_conn_resume(resumption->peer, &resumption->conn);
	free(resumption->in);
	free(resumption->out);
	free(resumption);
}

RUNS_ON(on_control)
static bool resume(struct voice_peer *peer, struct link link, const json_t *tree)
{
	struct resumption *resumption = calloc(1, sizeof *resumption);
	size_t in_len, out_len;

	if (!resumption)
		return false;
	resumption->message.deliver = on_resumption;
	resumption->peer = peer;
	resumption->in = voice_tree_bytes(tree, "in", &in_len);
	resumption->out = voice_tree_bytes(tree, "out", &out_len);
	resumption->conn = (struct voice_conn_left){
		.link = link,
		.in = bytes_of(resumption->in, in_len),
		.out = bytes_of(resumption->out, out_len),
		.began_us = number(tree, "began_us"),
		.tunnelled_us = number(tree, "tunnelled_us"),
		.sealed = (uint64_t)number(tree, "sealed"),
		.far_good = (uint32_t)number(tree, "far_good"),
	};
	if (!resumption->in || !resumption->out) {
		free(resumption->in);
		free(resumption->out);
		free(resumption);
		return false;
	}
	resumption->next = left.resumptions;
	left.resumptions = resumption;
	return true;
}

/* False: he is nowhere, and nothing of him is left. */
RUNS_ON(on_control) static bool restore_user(const json_t *tree, struct heir *heir)
{
	struct voice_channel *channel = voice_channel_find((uint32_t)number(tree, "channel"));
	struct voice_peer *peer = channel ? voice_peer_make(worker_of(heir->worker)) : NULL;
	bool suppress = is_true(tree, "suppress");
	struct voice_user *user;

	if (!peer)
		return false;
	if (!read_peer(json_object_get(tree, "peer"), peer) || !voice_user_back(peer)) {
		voice_peer_free(peer);
		return false;
	}
	user = peer->user;
	read_user(tree, user);
	if (!resume(peer, heir->link, json_object_get(tree, "conn"))) {
		voice_user_free(user);
		return false;
	}
	heir->claimed = true;
	voice_user_admitted(user, channel);
	voice_rx_resume(peer);
	if (user->suppress && !suppress) { /* somebody has lifted it */
		user->suppress = false;
		voice_user_publish(user);
	}
	read_listens(json_object_get(tree, "listens"), user);
	return true;
}

RUNS_ON(on_control) static void tell_gone(uint32_t session)
{
	struct mumble_message message;

	message_init(&message, MUMBLE_USER_REMOVE);
	MUMBLE_SET(&message.user_remove, user_remove, session, session);
	MUMBLE_SET(&message.user_remove, user_remove, reason, BYTES("The server was renewed"));
	voice_send_all(&message, NULL);
}

RUNS_ON(on_control) static void restore_channels(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *tree = json_array_get(list, i);
		struct voice_channel *channel;

		voice_tree_read_channel(number(tree, "id"), tree);
		channel = voice_channel_find((uint32_t)number(tree, "id"));
		if (channel)
			channel->temporary = is_true(tree, "temporary");
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		voice_tree_place_channel(number(json_array_get(list, i), "id"),
					 json_array_get(list, i));
}

static void close_unclaimed(struct worker *worker)
{
	enter_worker();
	for (uint32_t i = 0; i < heirs.count; i++) {
		struct heir *heir = &heirs.at[i];

		if (heir->link.fd > 0 && !heir->claimed && heir->worker == worker->id) {
			if (heir->good)
				link_close(heir->link);
			else
				close(heir->link.fd);
		}
	}
}

void voice_left_restore(void)
{
	const json_t *users = json_object_get(left.tree, "users");
	const json_t *lost = json_object_get(left.tree, "lost");
	size_t count = 0;

	if (!heirs.count)
		return;
	restore_channels(json_object_get(left.tree, "channels"));
	for (size_t i = 0; i < json_array_size(users); i++) {
		const json_t *tree = json_array_get(users, i);
		json_int_t row = number(tree, "row");
		struct heir *heir =
			row >= 0 && row < (json_int_t)heirs.count ? &heirs.at[row] : NULL;

		count += heir && heir->good && !heir->claimed && restore_user(tree, heir);
	}
	voice_hub.session_next = (uint32_t)number(left.tree, "session_next");
	voice_hub.aims_dirty = true;
	/* Who is heard first must find all hearers, and how they are reached. */
	(void)voice_crowds_make();
	workers_run(close_unclaimed);
	log_info("voice", "went on", kv_u64("users", count),
		 kv_u64("lost", json_array_size(users) - count + json_array_size(lost)));
}

RUNS_ON(on_control) static void forget(void)
{
	json_decref(left.tree);
	free(heirs.at);
	left.tree = NULL;
	heirs.at = NULL;
	heirs.count = 0;
}

/* What the clients are told that is other than they know comes behind what was on its way to them. */
void voice_left_go(void)
{
	const json_t *users = json_object_get(left.tree, "users");
	const json_t *lost = json_object_get(left.tree, "lost");

	while (left.resumptions) {
		struct resumption *resumption = left.resumptions;

		left.resumptions = resumption->next;
		worker_post(resumption->peer->worker, &resumption->message);
	}
	for (size_t i = 0; i < json_array_size(users); i++) {
		const json_t *peer = json_object_get(json_array_get(users, i), "peer");
		uint32_t session = (uint32_t)number(peer, "session");

		if (!voice_user_find(session))
			tell_gone(session);
	}
	for (size_t i = 0; i < json_array_size(lost); i++)
		tell_gone((uint32_t)json_integer_value(json_array_get(lost, i)));
	for (size_t i = 0; left.tree && i < voice_hub.channel_room; i++)
		if (voice_hub.channels[i])
			voice_channel_drop_empty(voice_hub.channels[i]);
	voice_record_go_on(json_object_get(left.tree, "records"));
	forget();
}

void voice_left_fini(void)
{
	enter_control();
	estate_close(&left.rows);
	while (left.resumptions) {
		struct resumption *resumption = left.resumptions;

		left.resumptions = resumption->next;
		free(resumption->in);
		free(resumption->out);
		free(resumption);
	}
	forget();
}
