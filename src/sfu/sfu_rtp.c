#include "sfu/sfu_rtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "edge/proto/address.h"
#include "sfu/proto/answer.h"
#include "sfu/sfu.h"
#include "sfu/sfu_dial.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_room.h"

#define LOOK_MS 1000u

static struct rtp_way *ways OWNED_BY(on_control);
static uv_timer_t look OWNED_BY(on_control);
static bool stopped OWNED_BY(on_control);

struct rtp_way *rtp_first(void)
{
	return ways;
}

struct rtp_way *rtp_find(const char *name)
{
	struct rtp_way *way = ways;

	while (way && strcmp(way->name, name) != 0)
		way = way->next;
	return way;
}

/* --- begin ------------------------------------------------------------------------------------------ */

/* The same reason again and again is said once. */
RUNS_ON(on_control) static void tell(struct rtp_way *way, const char *why)
{
	if (strcmp(way->why, why) != 0 && way->spec.out)
		log_warnx("sfu", "plain RTP waits to be sent", kv_str("name", way->name),
			  kv_str("room", way->spec.room), kv_str("why", why));
	else if (strcmp(way->why, why) != 0)
		log_warnx("sfu", "a source of plain RTP waits", kv_str("name", way->name),
			  kv_str("room", way->spec.room), kv_str("why", why));
	snprintf(way->why, sizeof way->why, "%s", why);
}

RUNS_ON(on_control)
static void begin_at(struct rtp_way *way, struct sfu_dial *dial, const struct sdp *sdp,
		     struct answer *answer)
{
	struct session_names names;
	struct session_order order = {
		.role = way->spec.out ? PEER_VIEWER : PEER_PUBLISHER,
		.room = bytes_str(way->spec.room),
		.offer = sdp,
		.agent = BYTES("plain RTP"),
		.names = &names,
		.dial = dial,
	};
	struct sfu_session *session;
	enum session_status status;

	session_names_make(&names);
	(void)address_parse_listen(bytes_str(way->spec.end), &order.from);
	status = session_begin(&order, answer, &session);
	if (status != SESSION_OK) {
		dial_free(dial);
		tell(way, status == SESSION_BUSY ? "somebody publishes to this room"
						 : "the server cannot take more at the moment");
		return;
	}
	memcpy(way->id, session->id, sizeof way->id);
	way->why[0] = '\0';
}

static struct tcp_end end_of(const char *text)
{
	struct address address;
	struct tcp_end end = {0};

	if (address_parse_listen(bytes_str(text), &address)) {
		memcpy(end.ip, address.ip, sizeof end.ip);
		end.port = address.port;
	}
	return end;
}

/* Any, of the same kind. */
static struct tcp_end any_like(const struct tcp_end *end)
{
	struct tcp_end any = {0};

	if (dial_is_v4(end->ip))
		any.ip[10] = any.ip[11] = 0xff;
	return any;
}

static int open_in(const struct rtp_spec *spec, struct sfu_dial **out)
{
	struct tcp_end at = end_of(spec->end),
		       from = spec->from[0] ? end_of(spec->from) : any_like(&at);
	int error = dial_create(&at, DIAL_RTP_IN, out);

	if (error || !dial_is_group(at.ip))
		return error;
	return dial_join(*out, at.ip, from.ip);
}

static int open_out(const struct rtp_spec *spec, struct sfu_dial **out)
{
	struct tcp_end from = spec->from[0] ? end_of(spec->from) : any_like(&spec->ends[0]);
	int error = dial_create(&from, DIAL_RTP_OUT, out);

	if (error)
		return error;
	memcpy((*out)->out, spec->ends, sizeof spec->ends);
	return dial_is_group(spec->ends[0].ip) ? dial_reach(*out, from.ip, spec->ttl) : 0;
}

RUNS_ON(on_control) static void begin(struct rtp_way *way)
{
	static const struct answer_limits limits = {.audio = 1, .video = 1, .plain = true};
	const struct rtp_spec *spec = &way->spec;
	struct sfu_room *room = room_find(bytes_str(spec->room));
	struct sdp *sdp = malloc(sizeof *sdp);
	struct answer *answer = malloc(sizeof *answer);
	struct sfu_dial *dial = NULL;
	int error;

	if (!spec->out && room && room->publisher)
		tell(way, "somebody publishes to this room");
	else if (!sdp || !answer || sdp_parse(bytes_str(spec->offer), sdp) != SDP_OK ||
		 answer_choose(sdp, spec->out ? ANSWER_VIEWER : ANSWER_PUBLISHER, &limits,
			       answer) != ANSWER_OK)
		tell(way, "what it carries cannot be described");
	else if ((error = spec->out ? open_out(spec, &dial) : open_in(spec, &dial)) != 0) {
		dial_free(dial);
		tell(way, strerror(-error));
	} else
		begin_at(way, dial, sdp, answer);
	free(sdp);
	free(answer);
}

/* It goes on: another publisher may send what it can carry. */
RUNS_ON(on_control)
static void look_at_codecs(struct rtp_way *way, const struct sfu_session *session)
{
	if (session_fits(session))
		way->why[0] = '\0';
	else
		tell(way, "what is published has a codec that it does not carry");
}

RUNS_ON(on_control) static void look_at(struct rtp_way *way)
{
	const struct sfu_session *session = way->id[0] ? session_find(bytes_str(way->id)) : NULL;

	if (!session)
		way->id[0] = '\0';
	else if (way->spec.out)
		look_at_codecs(way, session);
	if (way->on && !way->id[0] && door_is_open())
		begin(way);
}

static void on_look(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	for (struct rtp_way *way = ways; way && !stopped; way = way->next)
		look_at(way);
}

/* --- orders ----------------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void hang_up(struct rtp_way *way, const char *why)
{
	struct sfu_session *session = way->id[0] ? session_find(bytes_str(way->id)) : NULL;

	if (session)
		session_end(session, why);
}

void rtp_order(struct rtp_way *way, bool on)
{
	way->on = on;
	way->why[0] = '\0';
	if (on)
		look_at(way);
	else
		hang_up(way, "stopped");
}

/* --- entries ---------------------------------------------------------------------------------------- */

static void text_put(char *out, size_t size, struct writer *w, bool good)
{
	out[good && w->len < size ? w->len : 0] = '\0';
}

static void spec_read(const char *name, const struct rtp_conf *entry, struct rtp_spec *out)
{
	const struct conf_list *end = entry->send.count ? &entry->send : &entry->listen;
	struct writer offer = writer_of(out->offer, sizeof out->offer - 1);
	struct writer sdp = writer_of(out->sdp, sizeof out->sdp - 1);

	memset(out, 0, sizeof *out);
	out->out = entry->send.count > 0;
	out->order = entry->start == RTP_START_ORDER;
	out->ttl = (uint8_t)entry->ttl;
	snprintf(out->room, sizeof out->room, "%s", entry->room);
	snprintf(out->end, sizeof out->end, "%s", end->at[0]);
	snprintf(out->from, sizeof out->from, "%s", entry->from.count ? entry->from.at[0] : "");
	text_put(out->offer, sizeof out->offer, &offer, rtp_conf_offer(entry, &offer));
	if (!out->out)
		return;
	text_put(out->sdp, sizeof out->sdp, &sdp, rtp_conf_describe(name, entry, &sdp));
	rtp_conf_ends(entry, out->ends);
}

RUNS_ON(on_control) static struct rtp_way *way_make(const char *name)
{
	struct rtp_way *way = calloc(1, sizeof *way);

	if (!way)
		return NULL;
	snprintf(way->name, sizeof way->name, "%s", name);
	way->next = ways;
	ways = way;
	return way;
}

RUNS_ON(on_control) static void entry_take(const char *name, const struct rtp_conf *entry)
{
	struct rtp_way *way = rtp_find(name);
	struct rtp_spec spec;
	bool fresh = !way;

	if (fresh)
		way = way_make(name);
	if (!way)
		return;
	way->seen = true;
	spec_read(name, entry, &spec);
	if (!fresh && memcmp(&spec, &way->spec, sizeof spec) == 0)
		return;
	hang_up(way, "its settings have changed");
	if (fresh || spec.order != way->spec.order)
		way->on = !spec.order;
	way->spec = spec;
	way->why[0] = '\0';
}

void rtp_take(const struct conf *conf)
{
	for (struct rtp_way *way = ways; way; way = way->next)
		way->seen = false;
	for (size_t i = 0; i < conf_entry_count(conf, &rtp_conf_section); i++) {
		const char *name = conf_entry_name(conf, &rtp_conf_section, i);

		if (!conf_entry_is_pattern(name))
			entry_take(name, conf_entry_values(conf, &rtp_conf_section, i));
	}
	for (struct rtp_way **at = &ways; *at;) {
		struct rtp_way *way = *at;

		if (way->seen) {
			at = &way->next;
			continue;
		}
		hang_up(way, "its settings have changed");
		*at = way->next;
		free(way);
	}
}

/* --- life ------------------------------------------------------------------------------------------- */

void rtp_start(uv_loop_t *loop)
{
	stopped = false;
	uv_timer_init(loop, &look);
	uv_timer_start(&look, on_look, LOOK_MS / 10, LOOK_MS);
	uv_unref((uv_handle_t *)&look);
}

void rtp_stop(void)
{
	stopped = true;
	uv_close((uv_handle_t *)&look, NULL);
	while (ways) {
		struct rtp_way *way = ways;

		ways = way->next;
		free(way);
	}
}
