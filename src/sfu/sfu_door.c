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
	struct tcp_end end;
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

/* RFC 8445 5.1.2.1: type preference of a host 126; one component. */
static void write_candidate(struct writer *w, const struct address *address, unsigned worker,
			    unsigned place)
{
	uint32_t priority = 126u << 24 | (65535u - place) << 8 | 255u;

	writer_str(w, "a=candidate:");
	writer_dec(w, place + 1);
	writer_str(w, " 1 udp ");
	writer_dec(w, priority);
	writer_str(w, " ");
	address_write_ip(w, address);
	writer_str(w, " ");
	writer_dec(w, doors.number[worker]);
	writer_str(w, " typ host\r\n");
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
static void write_interfaces(struct writer *w, unsigned worker)
{
	uv_interface_address_t *list;
	bool v4_only = address_is_v4(&(struct address){0}) ? false : doors.end.ip[10] == 0xff;
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
			write_candidate(w, &address, worker, found++);
		}
	}
	uv_free_interface_addresses(list, count);
}

static bool is_any(const uint8_t ip[16])
{
	static const uint8_t v6[16], v4[16] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip, v6, 16) == 0 || memcmp(ip, v4, 16) == 0;
}

void door_write_candidates(struct writer *w, unsigned worker)
{
	struct address address = {0};

	for (unsigned i = 0; i < doors.public_count; i++)
		write_candidate(w, &doors.public[i], worker, i);
	if (doors.public_count)
		return;
	memcpy(address.ip, doors.end.ip, sizeof address.ip);
	if (is_any(address.ip))
		write_interfaces(w, worker);
	else
		write_candidate(w, &address, worker, 0);
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

	enter_worker();
	at = here ? find_foreign(&notice->path) : NULL;
	if (at && *at && (!notice->gone || (*at)->owner == notice->owner)) {
		struct notice *before = *at;

		*at = before->next;
		free(before);
	}
	if (!at || notice->gone) {
		free(notice);
		return;
	}
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

	path->next = *bucket;
	*bucket = path;
}

void door_path_remove(struct peer_path *path)
{
	struct peer_path **at = &here->paths[hash_of_path(&path->path) % BUCKETS];

	while (*at && *at != path)
		at = &(*at)->next;
	if (*at)
		*at = path->next;
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

RUNS_ON(on_worker)
static void arrived_stun(struct bytes data, const struct udp_path *path, unsigned landed,
			 bool passed)
{
	struct peer_name *name;
	struct stun stun;
	struct bytes ufrag;
	unsigned owner;

	if (stun_parse(data, &stun) != STUN_OK || stun.class != STUN_REQUEST) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	ufrag = ice_ufrag_of(&stun);
	owner = ufrag.len ? worker_of_letter(ufrag.at[0]) : workers_count();
	if (owner >= workers_count()) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	if (owner != here->worker->id && passed)
		return;
	name = owner == here->worker->id ? find_named(ufrag) : NULL;
	if (!name && !passed) {
		/* Of a peer of ours that is not known yet: its answer was quicker than the message
		 * that brings it to us, so this goes behind that one. */
		pass(data, path, owner);
		return;
	}
	peer_stun(name, &stun, path, landed);
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
		if (data.at[0] >= 20 && data.at[0] <= 63)
			peer_dtls(known->peer, data);
		else if (data.at[0] >= 128 && data.at[0] <= 191)
			peer_media(known->peer, data);
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
}

/* --- a worker's part ------------------------------------------------------------------------------------------ */

int door_worker_start(struct worker *worker)
{
	static const struct udp_shape shape = {
		.out_count = 1024, .out_size = 2u << 20, .segments = true};
	int error;

	if (!doors.open)
		return 0;
	here = calloc(1, sizeof *here);
	if (!here)
		return -ENOMEM;
	here->worker = worker;
	error = udp_start(&here->udp, &worker->loop, doors.fds[worker->id], &shape, on_arrived);
	if (error) {
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
	forget_foreign();
	udp_stop(&here->udp, on_stopped);
	here = NULL;
}

struct udp *door_udp(void)
{
	return here ? &here->udp : NULL;
}
