#include "sfu/sfu_dial.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/proto/ice.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_peer.h"

#define ASK_US      100000  /* until there is an answer */
#define KEEP_US     1000000 /* RFC 7675 5.1 says 5 s, for a clip that fails: another server waits */
#define PATH_US     3000000
#define SILENCE_US  4000000
#define PRIORITY    0x6e0001ffu /* RFC 8445 5.1.2: peer-reflexive, component 1 */
#define TIE_BREAKER 0x7269696e676d6169ull

int dial_create(const struct tcp_end *at, bool plain, struct sfu_dial **out)
{
	struct sfu_dial *dial = calloc(1, sizeof *dial);
	int error;

	*out = NULL;
	if (!dial)
		return -ENOMEM;
	dial->plain = plain;
	error = udp_open(at, UDP_STEER_FLOW, 1, &dial->fd);
	if (error)
		free(dial);
	else
		*out = dial;
	return error;
}

uint16_t dial_port(const struct sfu_dial *dial)
{
	return tcp_port(dial->fd);
}

void dial_aim(struct sfu_dial *dial, const struct tcp_end *to, bool client)
{
	dial->to = (struct udp_path){.peer = *to};
	dial->client = client;
}

void dial_free(struct sfu_dial *dial)
{
	if (!dial)
		return;
	if (dial->fd != -1)
		close(dial->fd);
	free(dial);
}

/* --- datagrams -------------------------------------------------------------------------------------- */

void dial_put(struct sfu_dial *dial, struct bytes datagram)
{
	memcpy(udp_room(&dial->udp, datagram.len), datagram.at, datagram.len);
	udp_put(&dial->udp, &dial->to, datagram.len);
	udp_flush(&dial->udp);
}

RUNS_ON(on_worker) static void ask(struct sfu_dial *dial, mono_t now)
{
	uint8_t room[STUN_MAX];
	struct writer w = writer_of(room, sizeof room);

	if (RAND_bytes(dial->id, sizeof dial->id) != 1)
		return;
	ice_write_check(&dial->peer->name->names, bytes_of(dial->id, sizeof dial->id), PRIORITY,
			TIE_BREAKER, true, door_hmac, &w);
	dial->asked = now;
	if (writer_ok(&w))
		dial_put(dial, writer_done(&w));
}

/* A server that is not lite asks back (RFC 8445 7.3). */
RUNS_ON(on_worker) static void answer(struct sfu_dial *dial, struct stun *asked)
{
	struct address from = {.port = dial->to.peer.port};
	struct ice_check check;
	uint8_t room[STUN_MAX];
	struct writer w = writer_of(room, sizeof room);

	memcpy(from.ip, dial->to.peer.ip, sizeof from.ip);
	asked->controlled = false; /* as it must be: we control */
	ice_answer(&dial->peer->name->names, asked, &from, door_hmac, &w, &check);
	if (writer_ok(&w) && w.len)
		dial_put(dial, writer_done(&w));
}

RUNS_ON(on_worker) static void arrived_stun(struct sfu_dial *dial, struct bytes datagram)
{
	const struct ice_names *names = &dial->peer->name->names;
	struct stun stun;

	if (stun_parse(datagram, &stun) != STUN_OK) {
		metric_add(METRIC_sfu_refused, 1);
	} else if (stun.class == STUN_REQUEST) {
		answer(dial, &stun);
	} else if (ice_is_answer(names, &stun, bytes_of(dial->id, sizeof dial->id), door_hmac)) {
		dial->answered = mono_now();
		peer_answered(dial->peer);
	}
}

RUNS_ON(on_worker) static void arrived_one(struct sfu_dial *dial, struct bytes datagram)
{
	if (datagram.len == 0)
		return;
	if (datagram.at[0] < 4)
		arrived_stun(dial, datagram);
	else if (datagram.at[0] >= 20 && datagram.at[0] <= 63)
		peer_dtls(dial->peer, datagram);
	else if (datagram.at[0] >= 128 && datagram.at[0] <= 191)
		peer_media(dial->peer, datagram);
}

RUNS_ON(on_worker)
static void arrived_plain(struct sfu_dial *dial, const struct udp_packet *packet)
{
	if (packet->cut) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	dial->to = packet->path;
	peer_plain(dial->peer, packet->data);
}

static void on_arrived(struct udp *udp, const struct udp_packet *packets, size_t count)
{
	struct sfu_dial *dial = container_of(udp, struct sfu_dial, udp);

	enter_worker();
	for (size_t i = 0; i < count && dial->peer; i++) {
		const struct tcp_end *from = &packets[i].path.peer;

		if (dial->plain) {
			arrived_plain(dial, &packets[i]);
			continue;
		}
		/* RFC 8445 7.2.5.2.1: from where we asked, and from nowhere else. */
		if (from->port == dial->to.peer.port &&
		    memcmp(from->ip, dial->to.peer.ip, sizeof from->ip) == 0 && !packets[i].cut)
			arrived_one(dial, packets[i].data);
		else
			metric_add(METRIC_sfu_refused, 1);
	}
}

/* --- life ------------------------------------------------------------------------------------------- */

int dial_begin(struct sfu_dial *dial, struct sfu_peer *peer)
{
	static const struct udp_shape shape = {.out_count = 16, .out_size = 32768};
	int fd = dial->fd, error;

	dial->fd = -1;
	error = udp_start(&dial->udp, &peer->worker->loop, fd, &shape, on_arrived);
	if (error) {
		free(dial);
		return error;
	}
	dial->peer = peer;
	dial->answered = mono_now();
	if (!dial->plain)
		ask(dial, dial->answered);
	return 0;
}

bool dial_tick(struct sfu_dial *dial, mono_t now)
{
	bool known = dial->peer->state != PEER_NEW;

	if (dial->plain)
		return true;
	if (mono_since_us(now, dial->asked) >= (known ? KEEP_US : ASK_US))
		ask(dial, now);
	return mono_since_us(now, dial->answered) < (known ? SILENCE_US : PATH_US);
}

static void on_stopped(struct udp *udp)
{
	free(container_of(udp, struct sfu_dial, udp));
}

void dial_end(struct sfu_dial *dial)
{
	dial->peer = NULL;
	udp_stop(&dial->udp, on_stopped);
}
