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
#define ROUNDS_MAX 10u
#define STEADY_US  5000000 /* what was up for so long was good */
#define PATH_MAX_  512u
#define ID         16u

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
	unsigned failures;           /* since one was good */
	mono_t wanted, again, up;
	char url[FETCH_URL_MAX], shown[FETCH_URL_MAX];
	char location[FETCH_URL_MAX]; /* to be deleted */
	char path[PATH_MAX_];         /* the servers that its media come through */
	char fault[160];              /* what was said last */
};

static struct cascade *cascades OWNED_BY(on_control);
static uv_timer_t look OWNED_BY(on_control);
static char our_id[ID + 1] OWNED_BY(on_control);
static bool stopped OWNED_BY(on_control);

RUNS_ON(on_control) static struct cascade *cascade_find(struct bytes room)
{
	struct cascade *pull = cascades;

	while (pull && !bytes_equal(bytes_str(pull->room), room))
		pull = pull->next;
	return pull;
}

/* --- an origin fails -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void wait_for_next(struct cascade *pull)
{
	size_t origins = sfu_conf()->origins.count;
	unsigned rounds = origins ? pull->failures / (unsigned)origins : 1;

	if (rounds > ROUNDS_MAX)
		rounds = ROUNDS_MAX;
	pull->state = CASCADE_IDLE;
	pull->origin++;
	pull->again = mono_add_us(mono_now(), (int64_t)rounds * RETRY_US);
}

/* The same fault again and again is said once. */
RUNS_ON(on_control) static void fail(struct cascade *pull, const char *why)
{
	dial_free(pull->dial);
	pull->dial = NULL;
	pull->failures++;
	metric_add(METRIC_sfu_cascades_failed, 1);
	if (strcmp(pull->fault, why) != 0)
		log_warnx("sfu", "an origin does not give a room", kv_str("room", pull->room),
			  kv_str("origin", pull->shown), kv_str("why", why));
	snprintf(pull->fault, sizeof pull->fault, "%s", why);
	wait_for_next(pull);
}

/* --- its answer ------------------------------------------------------------------------------------- */

/* A Location may be a path only (RFC 9110 10.2.2). */
static void note_location(struct cascade *pull)
{
	struct bytes said = fetch_header(&pull->ask, "Location");
	struct bytes base = bytes_str(pull->url);
	size_t host = bytes_find_nocase(base, BYTES("://"));
	struct writer w = writer_of(pull->location, sizeof pull->location - 1);

	if (bytes_start_with(said, BYTES("/")) && host < base.len) {
		struct bytes rest = bytes_skip(base, host + 3);

		writer_put(&w, bytes_first(base, host + 3 + bytes_find(rest, '/')));
	}
	writer_put(&w, said);
	pull->location[writer_ok(&w) ? w.len : 0] = '\0';
}

/* Where the answer wants to be called. NULL, or why it cannot be. */
static const char *aim(struct cascade *pull, const struct sdp *sdp)
{
	struct sdp_transport transport = sdp_transport_of(sdp, &sdp->media[0]);
	struct tcp_end to = door_end();
	struct sdp_candidate candidate;
	struct address address;

	memcpy(address.ip, to.ip, sizeof address.ip);
	if (!offer_candidate(fetch_body(&pull->ask), address_is_v4(&address), &candidate) ||
	    !address_parse_ip(candidate.address, &address))
		return "its answer names no address that can be called over UDP";
	memcpy(to.ip, address.ip, sizeof to.ip);
	to.port = candidate.port;
	/* RFC 8842 5.3: who is not active is called by us. */
	dial_aim(pull->dial, &to, transport.setup != SDP_ACTIVE);
	return NULL;
}

RUNS_ON(on_control)
static const char *begin(struct cascade *pull, const struct sdp *sdp, struct answer *answer)
{
	struct session_order order = {
		.role = PEER_PUBLISHER,
		.room = bytes_str(pull->room),
		.offer = sdp,
		.agent = bytes_str(pull->shown),
		.names = &pull->names,
		.dial = pull->dial,
		.pull = pull,
	};
	enum session_status status;

	(void)fetch_peer(&pull->ask, &order.from);
	status = session_begin(&order, answer, &pull->session);
	if (status == SESSION_BUSY)
		return "somebody publishes here by now";
	if (status != SESSION_OK)
		return "this server cannot take more at the moment";
	pull->dial = NULL; /* the peer's from now on */
	pull->state = CASCADE_UP;
	pull->up = mono_now();
	return NULL;
}

RUNS_ON(on_control) static const char *take(struct cascade *pull)
{
	static const struct answer_limits limits = {.audio = 1, .video = 1};
	struct sdp *sdp = malloc(sizeof *sdp);
	struct answer *answer = malloc(sizeof *answer);
	const char *why = NULL;

	if (!sdp || !answer)
		why = "out of memory";
	else if (sdp_parse(fetch_body(&pull->ask), sdp) != SDP_OK)
		why = "its answer cannot be read";
	else if (answer_choose(sdp, ANSWER_CALLER, &limits, answer) != ANSWER_OK)
		why = answer->fault;
	else
		why = aim(pull, sdp);
	if (!why)
		why = begin(pull, sdp, answer);
	free(sdp);
	free(answer);
	return why;
}

/* Whether we are among those that the media come through. */
RUNS_ON(on_control) static bool take_path(struct cascade *pull)
{
	struct bytes said = fetch_header(&pull->ask, CASCADE_PATH);

	bytes_to_str(said, pull->path, sizeof pull->path);
	return said.len < sizeof pull->path &&
	       bytes_find_nocase(said, bytes_str(our_id)) == said.len;
}

RUNS_ON(on_control) static void farewell(struct cascade *pull);

static void on_answer(struct fetch *fetch)
{
	struct cascade *pull = container_of(fetch, struct cascade, ask);
	const char *why = NULL;
	char text[64];

	enter_control();
	if (stopped)
		return;
	snprintf(text, sizeof text, "status %u", fetch->status);
	if (fetch->result != FETCH_OK)
		why = fetch->error[0] ? fetch->error : "no answer";
	else if (fetch->status == 409)
		why = "nobody publishes there";
	else if (fetch->status != 201)
		why = text;
	if (!why) {
		note_location(pull);
		why = take_path(pull) ? take(pull) : "its media came through this server";
		if (why)
			farewell(pull);
	}
	if (why)
		fail(pull, why);
	else
		log_info("sfu", "an origin gives a room", kv_str("room", pull->room),
			 kv_str("origin", pull->shown));
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

static bool write_url(struct cascade *pull)
{
	const struct conf_list *origins = &sfu_conf()->origins;
	struct bytes base = bytes_str(origins->at[pull->origin % origins->count]);
	struct writer w = writer_of(pull->url, sizeof pull->url - 1);

	while (base.len && base.at[base.len - 1] == '/')
		base.len--;
	writer_put(&w, base);
	writer_str(&w, "/whep/");
	url_encode_path(&w, bytes_str(pull->room));
	pull->url[writer_ok(&w) ? w.len : 0] = '\0';
	fetch_url_show(pull->url, pull->shown, sizeof pull->shown);
	return writer_ok(&w);
}

RUNS_ON(on_control) static size_t write_offer(struct cascade *pull, char *offer)
{
	char lines[4096];
	struct writer candidates = writer_of(lines, sizeof lines);
	struct writer w = writer_of(offer, OFFER_MAX);
	struct answer_local local = {
		.id = (uint64_t)wall_now_us(),
		.version = 1,
		.ufrag = pull->names.ufrag,
		.pwd = pull->names.pwd,
		.fingerprint = dtls_fingerprint(),
	};

	door_write_dialled(&candidates, dial_port(pull->dial));
	local.candidates =
		writer_ok(&candidates) ? writer_done(&candidates) : (struct bytes){NULL, 0};
	offer_write(&local, &w);
	return writer_ok(&w) ? w.len : 0;
}

RUNS_ON(on_control) static void ask(struct cascade *pull)
{
	char token[1100], edge[64], offer[OFFER_MAX];
	struct tcp_end here = door_end();
	struct fetch_request request = {
		.method = "POST",
		.url = pull->url,
		.headers = {"Content-Type: application/sdp", edge, bearer(token, sizeof token)},
		.timeout_ms = ASK_MS,
		.connect_ms = ASK_MS / 2,
		.body_max = 65536,
		.reach = FETCH_ANYWHERE,
		.done = on_answer,
	};

	here.port = 0;
	pull->state = CASCADE_ASKING;
	if (!write_url(pull) || dial_create(&here, false, &pull->dial) != 0) {
		fail(pull, pull->dial ? "its address is too long" : "no socket");
		return;
	}
	session_names_make(&pull->names);
	snprintf(edge, sizeof edge, CASCADE_HEADER ": %s", our_id);
	request.body = bytes_of(offer, write_offer(pull, offer));
	if (!request.body.len || fetch_start(&pull->ask, &request) != 0)
		fail(pull, "it cannot be asked");
}

static void on_farewell(struct fetch *fetch)
{
	(void)fetch; /* or it finds out by our silence */
}

RUNS_ON(on_control) static void farewell(struct cascade *pull)
{
	char token[1100];
	struct fetch_request request = {
		.method = "DELETE",
		.url = pull->location,
		.headers = {bearer(token, sizeof token)},
		.timeout_ms = ASK_MS,
		.body_max = 4096,
		.reach = FETCH_ANYWHERE,
		.done = on_farewell,
	};

	if (pull->location[0] && !fetch_is_running(&pull->farewell))
		(void)!fetch_start(&pull->farewell, &request);
	pull->location[0] = '\0';
}

/* --- what is wanted --------------------------------------------------------------------------------- */

void cascade_want(struct bytes room)
{
	struct cascade *pull = cascade_find(room);

	if (stopped || !door_is_open() || sfu_conf()->origins.count == 0)
		return;
	if (!pull) {
		pull = calloc(1, sizeof *pull);
		if (!pull)
			return;
		bytes_to_str(room, pull->room, sizeof pull->room);
		pull->next = cascades;
		cascades = pull;
		metric_add(METRIC_sfu_cascades, 1);
	}
	pull->wanted = mono_now();
}

RUNS_ON(on_control) static void cascade_free(struct cascade *pull)
{
	struct cascade **at = &cascades;

	while (*at != pull)
		at = &(*at)->next;
	*at = pull->next;
	fetch_fini(&pull->ask);
	fetch_fini(&pull->farewell);
	dial_free(pull->dial);
	free(pull);
	metric_add(METRIC_sfu_cascades, -1);
}

void cascade_gone(struct cascade *pull)
{
	mono_t now = mono_now();

	pull->session = NULL;
	if (stopped) {
		pull->state = CASCADE_IDLE;
		return;
	}
	farewell(pull);
	if (mono_since_us(now, pull->up) > STEADY_US)
		pull->failures = 0;
	else
		pull->failures++;
	pull->fault[0] = '\0';
	wait_for_next(pull);
}

RUNS_ON(on_control) static void look_at(struct cascade *pull, mono_t now)
{
	const struct sfu_room *room = room_find(bytes_str(pull->room));
	bool own = room && room->publisher && room->publisher != pull->session;
	bool wanted = mono_since_us(now, pull->wanted) < (int64_t)sfu_conf()->origin_linger * 1000;

	if (wanted && !own && sfu_conf()->origins.count) {
		if (pull->state == CASCADE_IDLE && mono_since_us(now, pull->again) >= 0)
			ask(pull);
		return;
	}
	switch (pull->state) {
	case CASCADE_UP:
		session_end(pull->session, own ? "a publisher came" : "nobody watches");
		break;
	case CASCADE_ASKING: break; /* until it is answered, so that what it began is ended */
	case CASCADE_IDLE:
		if (!fetch_is_running(&pull->farewell))
			cascade_free(pull);
		break;
	}
}

static void on_look(uv_timer_t *timer)
{
	mono_t now = mono_now();

	(void)timer;
	enter_control();
	for (const struct sfu_room *room = room_first(); room; room = room->next)
		if (room->viewers && (!room->publisher || room->publisher->pull))
			cascade_want(bytes_str(room->name));
	for (struct cascade *pull = cascades, *next; pull; pull = next) {
		next = pull->next;
		look_at(pull, now);
	}
}

/* --- who is asked ----------------------------------------------------------------------------------- */

const char *cascade_shown(const struct sfu_session *session)
{
	return session->pull ? session->pull->shown : NULL;
}

bool cascade_is_loop(const struct sfu_room *room, struct bytes edge)
{
	const char *path =
		room && room->publisher && room->publisher->pull ? room->publisher->pull->path : "";

	return edge.len && (bytes_equal(edge, bytes_str(our_id)) ||
			    bytes_find_nocase(bytes_str(path), edge) < strlen(path));
}

void cascade_write_path(const struct sfu_room *room, struct writer *w)
{
	if (room->publisher && room->publisher->pull && room->publisher->pull->path[0]) {
		writer_str(w, room->publisher->pull->path);
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
	for (struct cascade *pull = cascades; pull; pull = pull->next) {
		fetch_cancel(&pull->ask);
		fetch_cancel(&pull->farewell);
		if (pull->state == CASCADE_ASKING)
			pull->state = CASCADE_IDLE;
	}
	uv_close((uv_handle_t *)&look, NULL);
}

void cascade_fini(void)
{
	while (cascades)
		cascade_free(cascades);
}
