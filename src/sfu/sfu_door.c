#include "sfu/sfu_door.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/address.h"
#include "sfu/sfu_dial.h"
#include "sfu/sfu_stream.h"

#define BUCKETS    4096u
#define PUBLIC_MAX 16u

/* To a worker: this path's datagrams are that one's, and here is an answer for it; or not any more.
 * Kept there for as long as the path is one. */
struct notice {
	struct message message;
	struct notice *next; /* in its bucket */
	struct udp_path path;
	unsigned owner;
	bool gone;
	size_t len;
	uint8_t data[];
};

struct door {
	struct worker *worker;
	struct udp udp;
	struct peer_name *named[BUCKETS];
	struct peer_path *paths[BUCKETS];
	struct notice *foreign[BUCKETS]; /* paths of other workers' peers */
};

static struct {
	bool open;
	enum sfu_doors ports;
	unsigned count;
	int fds[WORKERS_MAX];
	uint16_t number[WORKERS_MAX];
	struct tcp_end end, tcp;
	unsigned public_count; /* settings go at a reload, these stay */
	struct address public[PUBLIC_MAX];
} doors;

static _Thread_local struct door *here;

/* --- opening ---------------------------------------------------------------------------------------- */

static int open_each(struct tcp_end end, unsigned workers)
{
	int error = 0;

	for (unsigned i = 0; i < workers && !error; i++) {
		error = udp_open(&end, UDP_STEER_FLOW, 1, &doors.fds[i]);
		doors.count += !error;
		if (end.port)
			end.port++;
	}
	return error;
}

int door_open(const struct sfu_conf *conf, unsigned workers, char *at, size_t size)
{
	struct address address;
	int error;

	if (conf->udp.count == 0)
		return 0;
	CHECK(address_parse_listen(bytes_str(conf->udp.at[0]), &address));
	snprintf(at, size, "%s (UDP)", conf->udp.at[0]);
	memcpy(doors.end.ip, address.ip, sizeof doors.end.ip);
	doors.end.port = address.port;
	doors.ports = conf->ports;
	doors.public_count = 0;
	for (size_t i = 0; i < conf->public.count && doors.public_count < PUBLIC_MAX; i++)
		doors.public_count += address_parse_ip(bytes_str(conf->public.at[i]),
						       &doors.public[doors.public_count]);
	if (doors.ports == SFU_PORTS_EACH) {
		error = open_each(doors.end, workers);
	} else {
		error = udp_open(&doors.end, UDP_STEER_FLOW, workers, doors.fds);
		doors.count = error ? 0 : workers;
	}
	for (unsigned i = 0; i < doors.count; i++)
		doors.number[i] = tcp_port(doors.fds[i]);
	if (!error && conf->tcp.count) {
		snprintf(at, size, "%s (TCP)", conf->tcp.at[0]);
		CHECK(address_parse_listen(bytes_str(conf->tcp.at[0]), &address));
		memcpy(doors.tcp.ip, address.ip, sizeof doors.tcp.ip);
		doors.tcp.port = address.port;
		error = stream_listen(&doors.tcp);
	}
	while (error && doors.count > 0)
		close(doors.fds[--doors.count]);
	doors.open = !error;
	return error;
}

bool door_is_open(void)
{
	return doors.open;
}

uint16_t door_number(unsigned worker)
{
	return doors.number[worker];
}

/* --- candidates ----------------------------------------------------------------------------------------- */

/* The addresses that one candidate each is written for, of UDP and of TCP. */
struct candidates {
	struct writer *w;
	uint16_t port; /* of UDP */
	unsigned place;
};

/* RFC 8445 5.1.2.1: type preference of a host 126; one component. RFC 6544 4.2: of TCP less, and of the
 * local preference's upper three bits, direction, 4 is passive. */
static void write_candidate(struct candidates *all, const struct address *address, bool tcp)
{
	struct writer *w = all->w;
	uint32_t local = tcp ? 4u << 13 | (8191u - all->place) : 65535u - all->place;

	writer_str(w, "a=candidate:");
	writer_dec(w, ++all->place);
	writer_str(w, tcp ? " 1 tcp " : " 1 udp ");
	writer_dec(w, (tcp ? 90u : 126u) << 24 | local << 8 | 255u);
	writer_str(w, " ");
	address_write_ip(w, address);
	writer_str(w, " ");
	writer_dec(w, tcp ? stream_port() : all->port);
	writer_str(w, tcp ? " typ host tcptype passive\r\n" : " typ host\r\n");
}

static bool address_of(const struct sockaddr *from, struct address *out)
{
	*out = (struct address){.ip = {[10] = 0xff, [11] = 0xff}};
	if (from->sa_family == AF_INET) {
		memcpy(out->ip + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr,
		       4);
		return true;
	}
	if (from->sa_family != AF_INET6)
		return false;
	memcpy(out->ip, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	/* Of the link only: it would need a zone to be of use. */
	return out->ip[0] != 0xfe || (out->ip[1] & 0xc0) != 0x80;
}

/* Those of the machine: real ones, or the loopback where there is no other. */
static void write_interfaces(struct candidates *all, bool v4_only, bool tcp)
{
	uv_interface_address_t *list;
	unsigned found = 0;
	int count;

	if (uv_interface_addresses(&list, &count) != 0)
		return;
	for (int internal = 0; internal < 2 && found == 0; internal++) {
		for (int i = 0; i < count && found < 16; i++) {
			struct address address;

			if (!list[i].is_internal != !internal ||
			    !address_of((const struct sockaddr *)&list[i].address, &address) ||
			    (v4_only && !address_is_v4(&address)))
				continue;
			write_candidate(all, &address, tcp);
			found++;
		}
	}
	uv_free_interface_addresses(list, count);
}

static bool is_any(const uint8_t ip[16])
{
	static const uint8_t v6[16], v4[16] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip, v6, 16) == 0 || memcmp(ip, v4, 16) == 0;
}

static void write_at(struct candidates *all, const uint8_t ip[16], bool tcp)
{
	struct address address = {0};

	for (unsigned i = 0; i < doors.public_count; i++)
		write_candidate(all, &doors.public[i], tcp);
	if (doors.public_count)
		return;
	memcpy(address.ip, ip, sizeof address.ip);
	if (is_any(ip))
		write_interfaces(all, address_is_v4(&address), tcp);
	else
		write_candidate(all, &address, tcp);
}

void door_write_candidates(struct writer *w, unsigned worker)
{
	struct candidates all = {.w = w, .port = doors.number[worker]};

	write_at(&all, doors.end.ip, false);
	if (stream_port())
		write_at(&all, doors.tcp.ip, true);
}

void door_write_dialled(struct writer *w, uint16_t port)
{
	struct candidates all = {.w = w, .port = port};

	write_at(&all, doors.end.ip, false);
}

struct tcp_end door_end(void)
{
	return doors.end;
}

/* --- whose --------------------------------------------------------------------------------------------- */

char door_letter(unsigned worker)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return letters[worker % 64];
}

static unsigned worker_of_letter(uint8_t letter)
{
	for (unsigned i = 0; i < workers_count(); i++)
		if (door_letter(i) == (char)letter)
			return i;
	return workers_count();
}

static uint32_t hash_of(struct bytes in)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < in.len; i++)
		hash = (hash ^ in.at[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static uint32_t hash_of_path(const struct udp_path *path)
{
	uint8_t text[18];

	memcpy(text, path->peer.ip, 16);
	memcpy(text + 16, &path->peer.port, 2);
	return hash_of(bytes_of(text, sizeof text));
}

static struct peer_name **bucket_of(struct bytes ufrag)
{
	return &here->named[hash_of(ufrag) % BUCKETS];
}

void door_name_add(struct peer_name *name)
{
	struct peer_name **bucket = bucket_of(bytes_str(name->names.ufrag));

	name->next = *bucket;
	*bucket = name;
}

void door_name_remove(struct peer_name *name)
{
	struct peer_name **at = bucket_of(bytes_str(name->names.ufrag));

	while (*at && *at != name)
		at = &(*at)->next;
	if (*at)
		*at = name->next;
}

static struct peer_name *find_named(struct bytes ufrag)
{
	struct peer_name *name = *bucket_of(ufrag);

	while (name && !bytes_equal(bytes_str(name->names.ufrag), ufrag))
		name = name->next;
	return name;
}

static bool path_is(const struct udp_path *a, const struct udp_path *b)
{
	return a->peer.port == b->peer.port && memcmp(a->peer.ip, b->peer.ip, 16) == 0;
}

static struct peer_path *find_path(const struct udp_path *path)
{
	struct peer_path *at = here->paths[hash_of_path(path) % BUCKETS];

	while (at && !path_is(&at->path, path))
		at = at->next;
	return at;
}

/* Where it hangs; or where the bucket ends. */
static struct notice **find_foreign(const struct udp_path *path)
{
	struct notice **at = &here->foreign[hash_of_path(path) % BUCKETS];

	while (*at && !path_is(&(*at)->path, path))
		at = &(*at)->next;
	return at;
}

/* --- between workers ------------------------------------------------------------------------------------- */

static void deliver_notice(struct message *message)
{
	struct notice *notice = container_of(message, struct notice, message), **at;
	struct peer_path *before;

	enter_worker();
	at = here ? find_foreign(&notice->path) : NULL;
	if (at && *at && (!notice->gone || (*at)->owner == notice->owner)) {
		struct notice *older = *at;

		*at = older->next;
		free(older);
	}
	if (!at || notice->gone) {
		free(notice);
		return;
	}
	while ((before = find_path(&notice->path)))
		peer_path_taken(before);
	notice->next = *at;
	*at = notice;
	memcpy(udp_room(&here->udp, notice->len), notice->data, notice->len);
	udp_put(&here->udp, &notice->path, notice->len);
	udp_flush(&here->udp);
}

RUNS_ON(on_worker)
static void notify(const struct udp_path *path, unsigned landed, struct bytes answer, bool gone)
{
	struct notice *notice = malloc(sizeof *notice + answer.len);

	if (!notice)
		return; /* as if the answer were lost: another will be asked for */
	*notice = (struct notice){
		.path = *path, .owner = here->worker->id, .gone = gone, .len = answer.len};
	if (answer.len)
		memcpy(notice->data, answer.at, answer.len);
	notice->message.deliver = deliver_notice;
	worker_post(worker_of(landed), &notice->message);
}

void door_path_add(struct peer_path *path)
{
	struct peer_path **bucket = &here->paths[hash_of_path(&path->path) % BUCKETS];

	if (path->stream) {
		stream_own(path->stream, path->peer);
		return;
	}
	path->next = *bucket;
	*bucket = path;
}

static void unlink_path(struct peer_path *path)
{
	struct peer_path **at = &here->paths[hash_of_path(&path->path) % BUCKETS];

	while (*at && *at != path)
		at = &(*at)->next;
	if (*at)
		*at = path->next;
}

void door_path_renew(struct peer_path *path)
{
	if (path->stream || path->dial || find_path(&path->path) == path)
		return;
	unlink_path(path);
	door_path_add(path);
}

void door_path_remove(struct peer_path *path)
{
	if (path->stream) {
		stream_close(path->stream);
		return;
	}
	unlink_path(path);
	/* Another peer of ours may have come from there since. */
	if (path->landed != here->worker->id && !find_path(&path->path))
		notify(&path->path, path->landed, (struct bytes){NULL, 0}, true);
}

void door_answer(const struct peer_path *path, struct bytes answer)
{
	if (path->landed != here->worker->id) {
		notify(&path->path, path->landed, answer, false);
		return;
	}
	if (path->stream) {
		stream_put(path->stream, answer);
		return;
	}
	memcpy(udp_room(&here->udp, answer.len), answer.at, answer.len);
	udp_put(&here->udp, &path->path, answer.len);
}

/* A datagram on its way to the worker whose it is. */
struct passed {
	struct message message;
	struct udp_path path;
	unsigned landed;
	size_t len;
	uint8_t data[];
};

RUNS_ON(on_worker)
static void arrived_one(struct bytes data, const struct udp_path *path, unsigned landed,
			bool passed);

static void deliver_passed(struct message *message)
{
	struct passed *passed = container_of(message, struct passed, message);

	enter_worker();
	if (here) {
		arrived_one(bytes_of(passed->data, passed->len), &passed->path, passed->landed,
			    true);
		udp_flush(&here->udp);
	}
	free(passed);
}

RUNS_ON(on_worker)
static void pass(struct bytes data, const struct udp_path *path, unsigned to)
{
	struct passed *passed = malloc(sizeof *passed + data.len);

	if (!passed)
		return; /* lost as on any wire */
	metric_add(METRIC_sfu_passed, to != here->worker->id);
	passed->message.deliver = deliver_passed;
	passed->path = *path;
	passed->landed = here->worker->id;
	passed->len = data.len;
	memcpy(passed->data, data.at, data.len);
	worker_post(worker_of(to), &passed->message);
}

/* --- datagrams ---------------------------------------------------------------------------------------------- */

void door_hmac(struct bytes key, struct bytes in, uint8_t out[20])
{
	unsigned len = 20;

	if (!HMAC(EVP_sha1(), key.at, (int)key.len, in.at, in.len, out, &len))
		memset(out, 0, 20);
}

/* Of whose peer a check is, by the first letter of our ufrag; false: it is none. */
static bool read_check(struct bytes data, struct stun *stun, struct bytes *ufrag, unsigned *owner)
{
	if (stun_parse(data, stun) == STUN_OK && stun->class == STUN_REQUEST) {
		*ufrag = ice_ufrag_of(stun);
		*owner = ufrag->len ? worker_of_letter(ufrag->at[0]) : workers_count();
		if (*owner < workers_count())
			return true;
	}
	metric_add(METRIC_sfu_refused, 1);
	return false;
}

RUNS_ON(on_worker)
static void arrived_stun(struct bytes data, const struct udp_path *path, unsigned landed,
			 bool passed)
{
	struct peer_name *name;
	struct stun stun;
	struct bytes ufrag;
	unsigned owner;

	if (!read_check(data, &stun, &ufrag, &owner))
		return;
	if (owner != here->worker->id && passed)
		return;
	name = owner == here->worker->id ? find_named(ufrag) : NULL;
	if (!name && !passed) {
		/* Of a peer of ours that is not known yet: its answer was quicker than the message
		 * that brings it to us, so this goes behind that one. */
		pass(data, path, owner);
		return;
	}
	peer_stun(name, &stun, path, landed, NULL);
}

RUNS_ON(on_worker) static void arrived_for(struct sfu_peer *peer, struct bytes data)
{
	if (data.at[0] >= 20 && data.at[0] <= 63)
		peer_dtls(peer, data);
	else if (data.at[0] >= 128 && data.at[0] <= 191)
		peer_media(peer, data);
}

bool door_arrived_in(struct sfu_stream *stream, struct bytes packet)
{
	struct peer_name *name;
	struct stun stun;
	struct bytes ufrag;
	unsigned owner;

	if (packet.at[0] >= 4) {
		if (stream->peer)
			arrived_for(stream->peer, packet);
		else
			stream_close(stream); /* it has not shown that it knows a password */
		return true;
	}
	if (!read_check(packet, &stun, &ufrag, &owner))
		return true;
	name = owner == here->worker->id ? find_named(ufrag) : NULL;
	/* As with datagrams, to whom it belongs, or behind the message that brings the peer. */
	if (!name && !stream->passed && !stream->peer) {
		stream_pass(stream, owner);
		return false;
	}
	/* A stream is one peer's. */
	if (name && (!stream->peer || stream->peer == name->peer))
		peer_stun(name, &stun, &stream->path, here->worker->id, stream);
	else
		metric_add(METRIC_sfu_refused, 1);
	return true;
}

/* RFC 7983 7: the first byte says what it is. */
static void arrived_one(struct bytes data, const struct udp_path *path, unsigned landed,
			bool passed)
{
	struct peer_path *known;
	const struct notice *foreign;

	if (data.len == 0)
		return;
	if (data.at[0] < 4) {
		arrived_stun(data, path, landed, passed);
		return;
	}
	known = find_path(path);
	if (known) {
		arrived_for(known->peer, data);
		return;
	}
	foreign = !passed ? *find_foreign(path) : NULL;
	if (foreign)
		pass(data, path, foreign->owner);
	else
		metric_add(METRIC_sfu_refused, 1);
}

static void on_arrived(struct udp *udp, const struct udp_packet *packets, size_t count)
{
	(void)udp;
	enter_worker();
	for (size_t i = 0; i < count; i++)
		if (!packets[i].cut)
			arrived_one(packets[i].data, &packets[i].path, here->worker->id, false);
	stream_flush();
}

/* --- a worker's part ------------------------------------------------------------------------------------------ */

int door_worker_start(struct worker *worker)
{
	static const struct udp_shape shape = {
		.out_count = 1024, .out_size = 256u << 10, .segments = true};
	int error;

	if (!doors.open)
		return 0;
	here = calloc(1, sizeof *here);
	if (!here)
		return -ENOMEM;
	here->worker = worker;
	error = stream_worker_start(worker);
	if (error) {
		free(here);
		here = NULL;
		close(doors.fds[worker->id]);
		return error;
	}
	error = udp_start(&here->udp, &worker->loop, doors.fds[worker->id], &shape, on_arrived);
	if (error) {
		stream_worker_stop();
		free(here);
		here = NULL;
	}
	return error;
}

static void on_stopped(struct udp *udp)
{
	free(container_of(udp, struct door, udp));
}

static void forget_foreign(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct notice *notice; (notice = here->foreign[i]);) {
			here->foreign[i] = notice->next;
			free(notice);
		}
}

void door_worker_stop(struct worker *worker)
{
	(void)worker;
	if (!here)
		return;
	stream_worker_stop();
	forget_foreign();
	udp_stop(&here->udp, on_stopped);
	here = NULL;
}

uint8_t *door_room(size_t len)
{
	return here ? udp_room(&here->udp, len) : NULL;
}

RUNS_ON(on_worker) static void put_dialled(const struct peer_path *to, struct bytes datagram)
{
	if (to->dial->kind == DIAL_RTP_OUT)
		dial_put_to(to->dial, &to->path, datagram);
	else
		dial_put(to->dial, datagram);
}

void door_put(const struct peer_path *to, const uint8_t *room, size_t len)
{
	if (to->stream)
		stream_put(to->stream, bytes_of(room, len));
	else if (to->dial)
		put_dialled(to, bytes_of(room, len));
	else
		udp_put(&here->udp, &to->path, len);
}

void door_flush(void)
{
	if (!here)
		return;
	udp_flush(&here->udp);
	stream_flush();
	dial_flush();
}
