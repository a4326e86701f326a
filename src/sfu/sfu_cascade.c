#include "sfu/sfu_cascade.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/auth.h"
#include "edge/proto/url.h"
#include "sfu/dtls.h"
#include "sfu/proto/offer.h"
#include "sfu/sfu.h"
#include "sfu/sfu_dial.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_room.h"

#define LOOK_MS 100u
#define ASK_MS  5000u
#define RETRY_US \
	500000 /* when all origins were asked, for each such round, at most ten times that */
#define ROUNDS_MAX      10u
#define STEADY_US       5000000 /* what was up for so long was good */
#define PATH_MAX_       512u
#define ID              16u
#define CORRECTIONS_MAX 4u

enum cascade_state { CASCADE_IDLE, CASCADE_ASKING, CASCADE_UP };

struct cascade {
	struct cascade *next;
	char room[ROOM_NAME_MAX + 1];
	enum cascade_state state;
	struct fetch ask, farewell;
	struct sfu_dial *dial;
	struct session_names names;
	struct sfu_session *session; /* UP */
	unsigned origin;             /* which is asked next */
	unsigned audios, videos;     /* that are asked for */
	unsigned corrections;        /* of these, since it was asked the first time */
	unsigned failures;           /* since one was good */
	mono_t wanted, again, up;
	mono_t own;             /* when viewers of ours wanted it last */
	char askers[PATH_MAX_]; /* else for whom it is wanted */
	char url[FETCH_URL_MAX], shown[FETCH_URL_MAX];
	char location[FETCH_URL_MAX]; /* to be deleted */
	char path[PATH_MAX_];         /* the servers that its media come through */
	char fault[160];              /* what was said last */
};

static struct cascade *cascades OWNED_BY(on_control);
static uint64_t cascades_now OWNED_BY(on_control);
static uv_timer_t look OWNED_BY(on_control);
static char our_id[ID + 1] OWNED_BY(on_control);
static bool stopped OWNED_BY(on_control);

RUNS_ON(on_control) static struct cascade *cascade_find(struct bytes room)
{
	struct cascade *cascade = cascades;

	while (cascade && !bytes_equal(bytes_str(cascade->room), room))
		cascade = cascade->next;
	return cascade;
}

/* --- an origin fails -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void wait_for_next(struct cascade *cascade)
{
	size_t origins = sfu_conf()->origins.count;
	unsigned rounds = origins ? cascade->failures / (unsigned)origins : 1;

	if (rounds > ROUNDS_MAX)
		rounds = ROUNDS_MAX;
	cascade->state = CASCADE_IDLE;
	cascade->origin++;
	cascade->corrections = 0;
	cascade->again = mono_add_us(mono_now(), (int64_t)rounds * RETRY_US);
}

/* The same fault again and again is said once. */
RUNS_ON(on_control) static void fail(struct cascade *cascade, const char *why)
{
	dial_free(cascade->dial);
	cascade->dial = NULL;
	cascade->audios = cascade->videos = 1;
	cascade->failures++;
	metric_add(METRIC_sfu_cascades_failed, 1);
	if (strcmp(cascade->fault, why) != 0)
		log_warnx("sfu", "an origin does not give a room", kv_str("room", cascade->room),
			  kv_str("origin", cascade->shown), kv_str("why", why));
	snprintf(cascade->fault, sizeof cascade->fault, "%s", why);
	wait_for_next(cascade);
}

/* --- its answer ------------------------------------------------------------------------------------- */

/* A Location may be a path only (RFC 9110 10.2.2). Another server's is not called: it would be shown our
 * token. */
static void note_location(struct cascade *cascade)
{
	struct bytes said = fetch_header(&cascade->ask, "Location");
	struct bytes base = bytes_str(cascade->url), server;
	size_t host = bytes_find_nocase(base, BYTES("://")) + 3;
	struct writer w = writer_of(cascade->location, sizeof cascade->location - 1);

	server = bytes_first(base, host + bytes_find(bytes_skip(base, host), '/') + 1);
	if (bytes_start_with(said, BYTES("/")))
		writer_put(&w, bytes_first(server, server.len - 1));
	else if (!bytes_start_with(said, server))
		said.len = 0;
	writer_put(&w, said);
	cascade->location[writer_ok(&w) && said.len ? w.len : 0] = '\0';
}

static bool next_number(struct bytes *rest, uint8_t end, unsigned *out)
{
	struct bytes word = bytes_cut(rest, end);
	uint64_t value;

	if (!bytes_to_u64(word, OFFER_MEDIA_MAX, &value))
		return false;
	*out = (unsigned)value;
	return true;
}

/* It has other media than were asked for, and says how many. */
RUNS_ON(on_control) static bool corrected(struct cascade *cascade)
{
	struct bytes said = fetch_header(&cascade->ask, CASCADE_TRACKS);
	unsigned audios, videos;

	if (!said.len || !next_number(&said, ' ', &audios) || !next_number(&said, ' ', &videos) ||
	    audios + videos == 0 || audios + videos > OFFER_MEDIA_MAX ||
	    cascade->corrections++ >= CORRECTIONS_MAX)
		return false;
	cascade->audios = audios;
	cascade->videos = videos;
	return true;
}

/* As a publisher may have it; or empty. */
static bool is_rid(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] <= ' ' || in.at[i] > '~')
			return false;
	return in.len <= TRACK_RID_MAX;
}

/* Whose layer each of so many media is. NULL: it does not say, or nothing that can be. */
RUNS_ON(on_control)
static const struct room_layer *read_layers(struct cascade *cascade, unsigned count,
					    struct room_layer *out)
{
	struct bytes rest = fetch_header(&cascade->ask, CASCADE_LAYERS);

	for (unsigned i = 0; i < count; i++) {
		struct bytes one = bytes_cut(&rest, ' ');

		if (!next_number(&one, ':', &out[i].place) ||
		    !next_number(&one, ':', &out[i].layer) || !is_rid(one))
			return NULL;
		bytes_to_str(one, out[i].rid, sizeof out[i].rid);
	}
	return out;
}

/* Where the answer wants to be called. NULL, or why it cannot be. */
static const char *aim(struct cascade *cascade, const struct sdp *sdp)
{
	struct sdp_transport transport = sdp_transport_of(sdp, &sdp->media[0]);
	struct tcp_end to = door_end();
	struct sdp_candidate candidate;
	struct address address;

	memcpy(address.ip, to.ip, sizeof address.ip);
	if (!offer_candidate(fetch_body(&cascade->ask), address_is_v4(&address), &candidate) ||
	    !address_parse_ip(candidate.address, &address))
		return "its answer names no address that can be called over UDP";
	memcpy(to.ip, address.ip, sizeof to.ip);
	to.port = candidate.port;
	/* RFC 8842 5.3: who is not active is called by us. */
	dial_aim(cascade->dial, &to, transport.setup != SDP_ACTIVE);
	return NULL;
}

RUNS_ON(on_control)
static const char *begin(struct cascade *cascade, const struct sdp *sdp, struct answer *answer)
{
	struct session_order order = {
		.role = PEER_PUBLISHER,
		.room = bytes_str(cascade->room),
		.offer = sdp,
		.agent = bytes_str(cascade->shown),
		.names = &cascade->names,
		.dial = cascade->dial,
		.cascade = cascade,
	};
	struct room_layer layers[OFFER_MEDIA_MAX];
	enum session_status status;

	order.layers = read_layers(cascade, sdp->media_count, layers);
	(void)fetch_peer(&cascade->ask, &order.from);
	status = session_begin(&order, answer, &cascade->session);
	if (status == SESSION_BUSY)
		return "somebody publishes here by now";
	if (status != SESSION_OK)
		return "this server cannot take more at the moment";
	cascade->dial = NULL; /* the peer's from now on */
	cascade->state = CASCADE_UP;
	cascade->up = mono_now();
	return NULL;
}

RUNS_ON(on_control) static const char *take(struct cascade *cascade)
{
	const struct answer_limits limits = {.audio = cascade->audios, .video = cascade->videos};
	struct sdp *sdp = malloc(sizeof *sdp);
	struct answer *answer = malloc(sizeof *answer);
	const char *why = NULL;

	if (!sdp || !answer)
		why = "out of memory";
	else if (sdp_parse(fetch_body(&cascade->ask), sdp) != SDP_OK)
		why = "its answer cannot be read";
	else if (answer_choose(sdp, ANSWER_CALLER, &limits, answer) != ANSWER_OK)
		why = answer->fault;
	else
		why = aim(cascade, sdp);
	if (!why)
		why = begin(cascade, sdp, answer);
	free(sdp);
	free(answer);
	return why;
}

/* Whether we are among those that the media come through. */
RUNS_ON(on_control) static bool take_path(struct cascade *cascade)
{
	struct bytes said = fetch_header(&cascade->ask, CASCADE_PATH);

	bytes_to_str(said, cascade->path, sizeof cascade->path);
	return said.len < sizeof cascade->path &&
	       bytes_find_nocase(said, bytes_str(our_id)) == said.len;
}

RUNS_ON(on_control) static void farewell(struct cascade *cascade);

static void on_answer(struct fetch *fetch)
{
	struct cascade *cascade = container_of(fetch, struct cascade, ask);
	const char *why = NULL;
	char text[64];

	enter_control();
	if (stopped)
		return;
	if (fetch->result == FETCH_OK && fetch->status == 409 && corrected(cascade)) {
		dial_free(cascade->dial);
		cascade->dial = NULL;
		cascade->state = CASCADE_IDLE; /* the next look asks again */
		return;
	}
	snprintf(text, sizeof text, "status %u", fetch->status);
	if (fetch->result != FETCH_OK)
		why = fetch->error[0] ? fetch->error : "no answer";
	else if (fetch->status == 409)
		why = "nobody publishes there";
	else if (fetch->status != 201)
		why = text;
	if (!why) {
		note_location(cascade);
		why = take_path(cascade) ? take(cascade) : "its media came through this server";
		if (why)
			farewell(cascade);
	}
	if (why)
		fail(cascade, why);
	else
		log_info("sfu", "an origin gives a room", kv_str("room", cascade->room),
			 kv_str("origin", cascade->shown));
}

/* --- asking ----------------------------------------------------------------------------------------- */

/* The header that shows that we may watch; NULL: none is needed. */
static const char *bearer(char *room, size_t size)
{
	if (!sfu_conf()->origin_token[0])
		return NULL;
	snprintf(room, size, "Authorization: Bearer %s", sfu_conf()->origin_token);
	return room;
}

static bool write_url(struct cascade *cascade)
{
	const struct conf_list *origins = &sfu_conf()->origins;
	struct bytes base = bytes_str(origins->at[cascade->origin % origins->count]);
	struct writer w = writer_of(cascade->url, sizeof cascade->url - 1);

	while (base.len && base.at[base.len - 1] == '/')
		base.len--;
	writer_put(&w, base);
	writer_str(&w, "/whep/");
	url_encode_path(&w, bytes_str(cascade->room));
	cascade->url[writer_ok(&w) ? w.len : 0] = '\0';
	fetch_url_show(cascade->url, cascade->shown, sizeof cascade->shown);
	return writer_ok(&w);
}

RUNS_ON(on_control) static size_t write_offer(struct cascade *cascade, char *offer)
{
	char lines[4096];
	struct writer candidates = writer_of(lines, sizeof lines);
	struct writer w = writer_of(offer, OFFER_MAX);
	struct answer_local local = {
		.id = (uint64_t)wall_now_us(),
		.version = 1,
		.ufrag = cascade->names.ufrag,
		.pwd = cascade->names.pwd,
		.fingerprint = dtls_fingerprint(),
	};

	door_write_dialled(&candidates, dial_port(cascade->dial));
	local.candidates =
		writer_ok(&candidates) ? writer_done(&candidates) : (struct bytes){NULL, 0};
	offer_write(&local, cascade->audios, cascade->videos, &w);
	return writer_ok(&w) ? w.len : 0;
}

RUNS_ON(on_control) static void ask(struct cascade *cascade)
{
	static char offer[OFFER_MAX]; /* the control thread's */
	char token[1100], edge[PATH_MAX_ + 64], tracks[64];
	struct tcp_end here = door_end();
	struct fetch_request request = {
		.method = "POST",
		.url = cascade->url,
		.headers = {"Content-Type: application/sdp", edge, tracks,
			    bearer(token, sizeof token)},
		.timeout_ms = ASK_MS,
		.connect_ms = ASK_MS / 2,
		.body_max = 65536,
		.reach = FETCH_ANYWHERE,
		.done = on_answer,
	};

	here.port = 0;
	cascade->state = CASCADE_ASKING;
	if (!write_url(cascade) || dial_create(&here, DIAL_CALL, &cascade->dial) != 0) {
		fail(cascade, cascade->dial ? "its address is too long" : "no socket");
		return;
	}
	session_names_make(&cascade->names);
	snprintf(edge, sizeof edge, CASCADE_HEADER ": %s%s%s", cascade->askers,
		 cascade->askers[0] ? " " : "", our_id);
	snprintf(tracks, sizeof tracks, CASCADE_TRACKS ": %u %u", cascade->audios, cascade->videos);
	request.body = bytes_of(offer, write_offer(cascade, offer));
	if (!request.body.len || fetch_start(&cascade->ask, &request) != 0)
		fail(cascade, "it cannot be asked");
}

static void on_farewell(struct fetch *fetch)
{
	(void)fetch; /* or it finds out by our silence */
}

RUNS_ON(on_control) static void farewell(struct cascade *cascade)
{
	char token[1100];
	struct fetch_request request = {
		.method = "DELETE",
		.url = cascade->location,
		.headers = {bearer(token, sizeof token)},
		.timeout_ms = ASK_MS,
		.body_max = 4096,
		.reach = FETCH_ANYWHERE,
		.done = on_farewell,
	};

	if (cascade->location[0] && !fetch_is_running(&cascade->farewell))
		(void)!fetch_start(&cascade->farewell, &request);
	cascade->location[0] = '\0';
}

/* --- what is wanted --------------------------------------------------------------------------------- */

static int64_t linger_us(void)
{
	return (int64_t)sfu_conf()->origin_linger * 1000;
}

/* As many as there may be rooms: an edge that asks for one makes no room here. */
RUNS_ON(on_control) static struct cascade *cascade_make(struct bytes room)
{
	struct cascade *cascade =
		cascades_now < sfu_conf()->max_rooms ? calloc(1, sizeof *cascade) : NULL;

	if (!cascade)
		return NULL;
	bytes_to_str(room, cascade->room, sizeof cascade->room);
	cascade->audios = cascade->videos = 1;
	cascade->next = cascades;
	cascades = cascade;
	cascades_now++;
	metric_add(METRIC_sfu_cascades, 1);
	return cascade;
}

void cascade_want(struct bytes room, struct bytes edge)
{
	struct cascade *cascade = cascade_find(room);
	mono_t now = mono_now();

	if (stopped || !door_is_open() || sfu_conf()->origins.count == 0 ||
	    bytes_find_nocase(edge, bytes_str(our_id)) < edge.len)
		return;
	if (!cascade)
		cascade = cascade_make(room);
	if (!cascade)
		return;
	cascade->wanted = now;
	if (!edge.len)
		cascade->own = now;
	if (!edge.len || !cascade->own.us || mono_since_us(now, cascade->own) > linger_us())
		bytes_to_str(edge, cascade->askers, sizeof cascade->askers);
}

RUNS_ON(on_control) static void cascade_free(struct cascade *cascade)
{
	struct cascade **at = &cascades;

	while (*at != cascade)
		at = &(*at)->next;
	*at = cascade->next;
	fetch_fini(&cascade->ask);
	fetch_fini(&cascade->farewell);
	dial_free(cascade->dial);
	free(cascade);
	cascades_now--;
	metric_add(METRIC_sfu_cascades, -1);
}

void cascade_gone(struct cascade *cascade)
{
	mono_t now = mono_now();

	cascade->session = NULL;
	if (stopped) {
		cascade->state = CASCADE_IDLE;
		return;
	}
	farewell(cascade);
	if (mono_since_us(now, cascade->up) > STEADY_US)
		cascade->failures = 0;
	else
		cascade->failures++;
	cascade->fault[0] = '\0';
	wait_for_next(cascade);
}

RUNS_ON(on_control) static void look_at(struct cascade *cascade, mono_t now)
{
	const struct sfu_room *room = room_find(bytes_str(cascade->room));
	bool own = room && room->publisher && room->publisher != cascade->session;
	bool wanted = mono_since_us(now, cascade->wanted) < linger_us();

	if (wanted && !own && sfu_conf()->origins.count) {
		if (cascade->state == CASCADE_IDLE && mono_since_us(now, cascade->again) >= 0)
			ask(cascade);
		return;
	}
	switch (cascade->state) {
	case CASCADE_UP:
		session_end(cascade->session, own ? "a publisher came" : "nobody watches");
		break;
	case CASCADE_ASKING: break; /* until it is answered, so that what it began is ended */
	case CASCADE_IDLE:
		if (!fetch_is_running(&cascade->farewell))
			cascade_free(cascade);
		break;
	}
}

static void on_look(uv_timer_t *timer)
{
	mono_t now = mono_now();

	(void)timer;
	enter_control();
	for (const struct sfu_room *room = room_first(); room; room = room->next)
		if (room->viewers + room->ways && (!room->publisher || room->publisher->cascade))
			cascade_want(bytes_str(room->name), (struct bytes){NULL, 0});
	for (struct cascade *cascade = cascades, *next; cascade; cascade = next) {
		next = cascade->next;
		look_at(cascade, now);
	}
}

/* --- who is asked ----------------------------------------------------------------------------------- */

const char *cascade_shown(const struct sfu_session *session)
{
	return session->cascade ? session->cascade->shown : NULL;
}

bool cascade_is_loop(const struct sfu_room *room, struct bytes edge)
{
	const char *path = room && room->publisher && room->publisher->cascade
				   ? room->publisher->cascade->path
				   : "";

	if (bytes_end_with(edge, bytes_str(our_id)) || edge.len >= PATH_MAX_)
		return true;
	while (edge.len) {
		struct bytes one = bytes_cut(&edge, ' ');

		if (one.len && bytes_find_nocase(bytes_str(path), one) < strlen(path))
			return true;
	}
	return false;
}

void cascade_write_tracks(const struct sfu_room *room, struct writer *w)
{
	unsigned audios, videos;

	room_tracks(room, &audios, &videos);
	writer_dec(w, audios);
	writer_str(w, " ");
	writer_dec(w, videos);
}

void cascade_write_layers(const struct sfu_room *room, struct writer *w)
{
	for (unsigned video = 0; video < 2; video++)
		for (unsigned n = 0; n < room->track_count; n++) {
			const struct sfu_track *track = room_track(room, video, n);

			if (!track)
				break;
			if (w->len)
				writer_str(w, " ");
			writer_dec(w, track->place);
			writer_str(w, ":");
			writer_dec(w, track->layer);
			writer_str(w, ":");
			writer_str(w, track->rid);
		}
}

void cascade_write_path(const struct sfu_room *room, struct writer *w)
{
	if (room->publisher && room->publisher->cascade && room->publisher->cascade->path[0]) {
		writer_str(w, room->publisher->cascade->path);
		writer_str(w, " ");
	}
	writer_str(w, our_id);
}

/* --- life ------------------------------------------------------------------------------------------- */

void cascade_start(uv_loop_t *loop)
{
	stopped = false;
	auth_random_hex(our_id, ID / 2);
	uv_timer_init(loop, &look);
	uv_timer_start(&look, on_look, LOOK_MS, LOOK_MS);
	uv_unref((uv_handle_t *)&look);
}

void cascade_stop(void)
{
	stopped = true;
	for (struct cascade *cascade = cascades; cascade; cascade = cascade->next) {
		fetch_cancel(&cascade->ask);
		fetch_cancel(&cascade->farewell);
		if (cascade->state == CASCADE_ASKING)
			cascade->state = CASCADE_IDLE;
	}
	uv_close((uv_handle_t *)&look, NULL);
}

void cascade_fini(void)
{
	while (cascades)
		cascade_free(cascades);
}
