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
#define NAME    64u

/* --- sources ---------------------------------------------------------------------------------------- */

struct rtp_source {
	struct rtp_source *next;
	char name[NAME];
	char room[ROOM_NAME_MAX + 1];
	char listen[64];
	char offer[RTP_OFFER_MAX];
	char id[SESSION_ID + 1]; /* of its session; "": none */
	bool seen, told;
};

static struct rtp_source *sources OWNED_BY(on_control);
static uv_timer_t look OWNED_BY(on_control);
static bool stopped OWNED_BY(on_control);

RUNS_ON(on_control) static void tell(struct rtp_source *source, const char *why)
{
	if (!source->told)
		log_warnx("sfu", "a source of plain RTP waits", kv_str("name", source->name),
			  kv_str("room", source->room), kv_str("why", why));
	source->told = true;
}

RUNS_ON(on_control)
static void begin_at(struct rtp_source *source, struct sfu_dial *dial, const struct sdp *sdp,
		     struct answer *answer)
{
	struct session_names names;
	struct session_order order = {
		.role = PEER_PUBLISHER,
		.room = bytes_str(source->room),
		.offer = sdp,
		.agent = BYTES("plain RTP"),
		.names = &names,
		.dial = dial,
	};
	struct sfu_session *session;
	enum session_status status;

	session_names_make(&names);
	(void)address_parse_listen(bytes_str(source->listen), &order.from);
	status = session_begin(&order, answer, &session);
	if (status != SESSION_OK) {
		dial_free(dial);
		tell(source, status == SESSION_BUSY ? "somebody publishes to this room"
						    : "the server cannot take more at the moment");
		return;
	}
	memcpy(source->id, session->id, sizeof source->id);
	source->told = false;
}

RUNS_ON(on_control) static void begin(struct rtp_source *source)
{
	static const struct answer_limits limits = {.audio = 1, .video = 1, .plain = true};
	struct sfu_room *room = room_find(bytes_str(source->room));
	struct sdp *sdp = malloc(sizeof *sdp);
	struct answer *answer = malloc(sizeof *answer);
	struct sfu_dial *dial = NULL;
	struct address address;
	struct tcp_end end;
	int error;

	CHECK(address_parse_listen(bytes_str(source->listen), &address));
	memcpy(end.ip, address.ip, sizeof end.ip);
	end.port = address.port;
	if (room && room->publisher)
		tell(source, "somebody publishes to this room");
	else if (!sdp || !answer || sdp_parse(bytes_str(source->offer), sdp) != SDP_OK ||
		 answer_choose(sdp, ANSWER_PUBLISHER, &limits, answer) != ANSWER_OK)
		tell(source, "what it sends cannot be described");
	else if ((error = dial_create(&end, true, &dial)) != 0)
		tell(source, strerror(-error));
	else
		begin_at(source, dial, sdp, answer);
	free(sdp);
	free(answer);
}

RUNS_ON(on_control) static void look_at(struct rtp_source *source)
{
	if (source->id[0] && !session_find(bytes_str(source->id)))
		source->id[0] = '\0';
	if (!source->id[0] && door_is_open())
		begin(source);
}

static void on_look(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	for (struct rtp_source *source = sources; source && !stopped; source = source->next)
		look_at(source);
}

/* --- entries ---------------------------------------------------------------------------------------- */

RUNS_ON(on_control) static struct rtp_source *source_find(const char *name)
{
	struct rtp_source *source = sources;

	while (source && strcmp(source->name, name) != 0)
		source = source->next;
	return source;
}

RUNS_ON(on_control) static void hang_up(struct rtp_source *source)
{
	struct sfu_session *session = source->id[0] ? session_find(bytes_str(source->id)) : NULL;

	if (session)
		session_end(session, "its settings have changed");
}

static void entry_read(const char *name, const struct rtp_conf *entry, struct rtp_source *out)
{
	struct writer w = writer_of(out->offer, sizeof out->offer - 1);

	memset(out, 0, sizeof *out);
	snprintf(out->name, sizeof out->name, "%s", name);
	snprintf(out->room, sizeof out->room, "%s", entry->room);
	snprintf(out->listen, sizeof out->listen, "%s", entry->listen.at[0]);
	if (rtp_conf_offer(entry, &w))
		out->offer[w.len] = '\0';
	else
		out->offer[0] = '\0';
}

RUNS_ON(on_control) static void entry_take(const char *name, const struct rtp_conf *entry)
{
	struct rtp_source *source = source_find(name), fresh;

	entry_read(name, entry, &fresh);
	if (source && strcmp(source->room, fresh.room) == 0 &&
	    strcmp(source->listen, fresh.listen) == 0 && strcmp(source->offer, fresh.offer) == 0) {
		source->seen = true;
		return;
	}
	if (!source) {
		source = calloc(1, sizeof *source);
		if (!source)
			return;
		fresh.next = sources;
		sources = source;
	} else {
		hang_up(source);
		fresh.next = source->next;
	}
	*source = fresh;
	source->seen = true;
}

void rtp_take(const struct conf *conf)
{
	for (struct rtp_source *source = sources; source; source = source->next)
		source->seen = false;
	for (size_t i = 0; i < conf_entry_count(conf, &rtp_conf_section); i++) {
		const char *name = conf_entry_name(conf, &rtp_conf_section, i);

		if (!conf_entry_is_pattern(name))
			entry_take(name, conf_entry_values(conf, &rtp_conf_section, i));
	}
	for (struct rtp_source **at = &sources; *at;) {
		struct rtp_source *source = *at;

		if (source->seen) {
			at = &source->next;
			continue;
		}
		hang_up(source);
		*at = source->next;
		free(source);
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
	while (sources) {
		struct rtp_source *source = sources;

		sources = source->next;
		free(source);
	}
}
