#include "voice/voice_hub.h"

#include <errno.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/proto/frame.h"
#include "voice/voice.h"
#include "voice/voice_conn.h"
#include "voice/voice_part.h"
#include "voice/voice_relay.h"
#include "voice/voice_rx.h"
#include "voice/voice_tx.h"

struct letter {
	struct message message;
	struct voice_peer *peer;
	enum voice_letter_kind kind;
	uint32_t type;
	size_t len;
	uint8_t body[];
};

/* A frame for one or many; who drops the last reference frees it. */
struct shared_frame {
	_Atomic uint32_t references;
	size_t len;
	uint8_t bytes[];
};

struct item {
	struct voice_peer *peer;
	struct shared_frame *frame; /* NULL: the connection ends */
};

/* What one worker has to do, in order. */
struct parcel {
	struct message message;
	size_t count, room;
	struct item items[];
};

struct farewell {
	struct baton baton;
	struct voice_retired *list;
	unsigned rounds;
};

/* A worker that the baton leaves says what it has, as slices to others; the second time these have said
 * them, into tunnels of others; the third time these are drained as well. */
#define ROUNDS 3u

struct voice_hub voice_hub;
static _Atomic bool is_open;

static struct {
	struct parcel *parcels[WORKERS_MAX];
	struct voice_retired *retired; /* in no baton yet */
	bool baton_out;
	uv_prepare_t turn_ends;
	bool has_turn;
} post OWNED_BY(on_control);

/* --- what is freed later ---------------------------------------------------------------------- */

static void free_all(struct voice_retired *list)
{
	while (list) {
		struct voice_retired *next = list->next;

		list->free(list);
		list = next;
	}
}

static void farewell_visit(struct baton *baton, struct worker *worker)
{
	(void)baton;
	(void)worker;
	enter_worker();
	/* What others have left here may still name them, and what waits here to be said. */
	voice_relay_drain();
	voice_tx_flush_all();
}

static void farewell_home(struct baton *baton)
{
	struct farewell *farewell = container_of(baton, struct farewell, baton);

	enter_control();
	/* On its way it may have been passed by what a worker sent to one that it had left. */
	if (++farewell->rounds < ROUNDS) {
		baton_send(&farewell->baton);
		return;
	}
	free_all(farewell->list);
	free(farewell);
	post.baton_out = false;
}

void voice_retire(struct voice_retired *what)
{
	what->next = post.retired;
	post.retired = what;
}

RUNS_ON(on_control) static void send_farewell(void)
{
	struct farewell *farewell;

	if (!post.retired || post.baton_out || !voice_hub.running)
		return;
	farewell = calloc(1, sizeof *farewell);
	if (!farewell)
		return; /* next time */
	farewell->baton.visit = farewell_visit;
	farewell->baton.home = farewell_home;
	farewell->list = post.retired;
	post.retired = NULL;
	post.baton_out = true;
	baton_send(&farewell->baton);
}

/* --- parcels ---------------------------------------------------------------------------------- */

static void frame_release(struct shared_frame *frame)
{
	if (frame && atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1)
		free(frame);
}

static void on_parcel(struct message *message)
{
	struct parcel *parcel = container_of(message, struct parcel, message);

	enter_worker();
	for (size_t i = 0; i < parcel->count; i++) {
		struct item *item = &parcel->items[i];

		if (item->frame)
			voice_conn_put(item->peer, bytes_of(item->frame->bytes, item->frame->len));
		else
			voice_conn_end(item->peer);
		frame_release(item->frame);
	}
	voice_conn_flush();
	free(parcel);
}

/* frame: a reference of it is taken. */
RUNS_ON(on_control) static void pack(struct voice_peer *peer, struct shared_frame *frame)
{
	unsigned to = peer->worker->id;
	struct parcel *parcel = post.parcels[to];

	if (!voice_hub.running)
		return;
	if (!parcel || parcel->count == parcel->room) {
		size_t room = parcel ? parcel->room * 2 : 16;
		struct parcel *larger =
			realloc(parcel, sizeof *parcel + room * sizeof parcel->items[0]);

		if (!larger) {
			metric_add(METRIC_voice_out_of_memory, 1);
			return;
		}
		if (!parcel)
			larger->count = 0;
		larger->room = room;
		post.parcels[to] = parcel = larger;
	}
	if (frame)
		atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
	parcel->items[parcel->count++] = (struct item){peer, frame};
}

RUNS_ON(on_control) static void send_parcels(void)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		struct parcel *parcel = post.parcels[i];

		if (!parcel)
			continue;
		post.parcels[i] = NULL;
		parcel->message.deliver = on_parcel;
		worker_post(worker_of(i), &parcel->message);
	}
}

static struct shared_frame *frame_make(const struct mumble_message *message)
{
	size_t len = FRAME_HEAD + message_len(message);
	struct shared_frame *frame = malloc(sizeof *frame + len);
	struct writer w;

	if (!frame) {
		metric_add(METRIC_voice_out_of_memory, 1);
		return NULL;
	}
	atomic_init(&frame->references, 1);
	frame->len = len;
	w = writer_of(frame->bytes, len);
	frame_write_message(message, &w);
	CHECK(writer_ok(&w) && w.len == len);
	return frame;
}

void voice_send(struct voice_user *to, const struct mumble_message *message)
{
	struct shared_frame *frame = to->gone || to->leaving ? NULL : frame_make(message);

	if (frame)
		pack(to->peer, frame);
	frame_release(frame);
}

void voice_send_all(const struct mumble_message *message, const struct voice_user *except)
{
	struct shared_frame *frame = frame_make(message);

	for (struct voice_user *user = voice_hub.users; frame && user; user = user->next)
		if (user->channel && user != except && !user->leaving)
			pack(user->peer, frame);
	frame_release(frame);
}

void voice_end(struct voice_user *user)
{
	if (!user->gone)
		pack(user->peer, NULL);
	user->leaving = true;
}

/* --- letters ---------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void ask_nonce(struct voice_user *user)
{
	struct mumble_message message;

	message_init(&message, MUMBLE_CRYPT_SETUP);
	voice_send(user, &message);
}

static void on_letter(struct message *message)
{
	struct letter *letter = container_of(message, struct letter, message);
	struct voice_peer *peer = letter->peer;

	enter_control();
	switch (letter->kind) {
	case VOICE_LETTER_CAME: voice_user_came(peer); break;
	case VOICE_LETTER_FRAME:
		if (peer->user && !peer->user->leaving)
			voice_request(peer->user, letter->type,
				      bytes_of(letter->body, letter->len));
		break;
	case VOICE_LETTER_LOST:
		if (peer->user && peer->user->channel)
			ask_nonce(peer->user);
		break;
	case VOICE_LETTER_GONE: voice_user_gone(peer); break;
	}
	free(letter);
}

void voice_hub_post(struct voice_peer *peer, enum voice_letter_kind kind, uint32_t type,
		    struct bytes body)
{
	struct letter *letter = malloc(sizeof *letter + body.len);

	if (!letter && kind != VOICE_LETTER_CAME && kind != VOICE_LETTER_GONE) {
		metric_add(METRIC_voice_out_of_memory, 1);
		return;
	}
	/* Who came must be known before, and who is gone forgotten. */
	CHECK(letter);
	*letter = (struct letter){{NULL, on_letter}, peer, kind, type, body.len};
	if (body.len)
		memcpy(letter->body, body.at, body.len);
	control_post(&letter->message);
}

/* --- the turn --------------------------------------------------------------------------------- */

void voice_settle(void)
{
	bool whole = voice_crowds_make();

	send_parcels();
	if (whole)
		send_farewell();
}

static void on_turn_ends(uv_prepare_t *handle)
{
	(void)handle;
	enter_control();
	voice_settle();
}

bool voice_hub_is_open(void)
{
	return atomic_load_explicit(&is_open, memory_order_relaxed);
}

void voice_hub_open(void)
{
	atomic_store_explicit(&is_open, true, memory_order_relaxed);
}

int voice_hub_start(uv_loop_t *loop)
{
	struct voice_channel *root;
	const char *name = voice_conf()->name;
	int error;

	voice_hub = (struct voice_hub){.loop = loop, .running = true, .session_next = 1};
	error = uv_prepare_init(loop, &post.turn_ends);
	if (error)
		return error;
	uv_prepare_start(&post.turn_ends, on_turn_ends);
	post.has_turn = true;
	root = voice_channel_make(NULL, VOICE_ROOT, name[0] ? name : "ringmain");
	if (!root || !voice_rules_at_first(root))
		return -ENOMEM;
	error = voice_window_start(loop);
	return error ? error : voice_store_start(loop);
}

void voice_hub_stop(void)
{
	if (!voice_hub.running)
		return;
	voice_settle();
	voice_window_stop();
	voice_store_stop();
	voice_hub.running = false;
	atomic_store_explicit(&is_open, false, memory_order_relaxed);
	if (post.has_turn)
		uv_close((uv_handle_t *)&post.turn_ends, NULL);
	post.has_turn = false;
}

/* Another server has all: nothing is said and nothing kept any more. */
void voice_hub_part(void)
{
	voice_hub.running = false;
	uv_prepare_stop(&post.turn_ends);
	voice_window_stop();
	voice_store_part();
}

static void parcels_free(void)
{
	enter_control();
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		for (size_t n = 0; post.parcels[i] && n < post.parcels[i]->count; n++)
			frame_release(post.parcels[i]->items[n].frame);
		free(post.parcels[i]);
		post.parcels[i] = NULL;
	}
}

void voice_hub_fini(void)
{
	enter_control();
	parcels_free();
	while (voice_hub.users)
		voice_user_free(voice_hub.users);
	voice_stages_fini();
	voice_channels_fini();
	voice_registry_fini();
	voice_store_fini();
	free_all(post.retired);
	post.retired = NULL;
	free(voice_hub.sessions);
	voice_hub = (struct voice_hub){0};
}
