/* ringmain-voiceswarm: members of voice rooms by the hundred, and what they heard (voiceswarm.h).
 *
 * Prints a JSON line at each change and each second, and a report at the end. Exit status: 0 when
 * every payload reached every other member of its room bit for bit, in order and once, and nobody
 * else; 1 not so; 2 bad usage. SIGTERM ends the talk early, with its report. */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <poll.h>

#include "voiceswarm.h"

static const char usage[] =
	"usage: ringmain-voiceswarm talk|rebind|junk|tcp|hush [options] HOST[:PORT]\n"
	"  talk    members talk; all that follows can be said here too\n"
	"  rebind  and a client changes its UDP port each --rebind seconds (1)\n"
	"  junk    and --junk (10000) datagrams a second come from elsewhere, --forge (100) from "
	"the\n"
	"          clients' own sockets, --list-pings (100) as lists of servers send them\n"
	"  tcp     all through the tunnel: --tunnel is --clients\n"
	"  hush    in a first round one of each room is deaf and one is mute, in a second nobody\n"
	"  --clients N (20)  --rooms M (1)  --talkers K a room (2)  --tunnel N of the clients (0)\n"
	"  --rate PER_S packets of one who talks (50)  --seconds S (5)\n"
	"  --size BYTES --vary BYTES  of a payload (80, and up to 80 more)\n"
	"  --mixed           every second client speaks the form since 1.5\n"
	"  --any-way         do not wait for UDP\n"
	"  --forge-kinds A,B of tag,body,replay,moved,stale,short,long,xex,plain (all)\n"
	"  --processes N (1)  --sources N addresses 127.0.0.2 and on (20; 0: the system's choice)\n"
	"  --tick MS         datagrams are gathered for so long (4)\n"
	"  --join-seconds S (60)  --password P  --superuser P makes the rooms, when there are "
	"several\n";

enum option_code {
	OPT_CLIENTS = 1,
	OPT_ROOMS,
	OPT_TALKERS,
	OPT_TUNNEL,
	OPT_RATE,
	OPT_SECONDS,
	OPT_SIZE,
	OPT_VARY,
	OPT_MIXED,
	OPT_ANY,
	OPT_KINDS,
	OPT_PROCESSES,
	OPT_SOURCES,
	OPT_TICK,
	OPT_JOIN,
	OPT_PASSWORD,
	OPT_SUPERUSER,
	OPT_REBIND,
	OPT_JUNK,
	OPT_FORGE,
	OPT_LIST,
};

static const struct option longs[] = {
	{"clients", 1, NULL, OPT_CLIENTS},     {"rooms", 1, NULL, OPT_ROOMS},
	{"talkers", 1, NULL, OPT_TALKERS},     {"tunnel", 1, NULL, OPT_TUNNEL},
	{"rate", 1, NULL, OPT_RATE},           {"seconds", 1, NULL, OPT_SECONDS},
	{"size", 1, NULL, OPT_SIZE},           {"vary", 1, NULL, OPT_VARY},
	{"mixed", 0, NULL, OPT_MIXED},         {"any-way", 0, NULL, OPT_ANY},
	{"forge-kinds", 1, NULL, OPT_KINDS},   {"processes", 1, NULL, OPT_PROCESSES},
	{"sources", 1, NULL, OPT_SOURCES},     {"tick", 1, NULL, OPT_TICK},
	{"join-seconds", 1, NULL, OPT_JOIN},   {"password", 1, NULL, OPT_PASSWORD},
	{"superuser", 1, NULL, OPT_SUPERUSER}, {"rebind", 1, NULL, OPT_REBIND},
	{"junk", 1, NULL, OPT_JUNK},           {"forge", 1, NULL, OPT_FORGE},
	{"list-pings", 1, NULL, OPT_LIST},     {NULL, 0, NULL, 0}};

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	stopped = signo;
}

_Noreturn static void misused(const char *what)
{
	fprintf(stderr, "ringmain-voiceswarm: %s\n%s", what, usage);
	exit(2);
}

static double number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most))
		misused(text);
	return value;
}

static unsigned kinds(char *text)
{
	unsigned mask = 0;

	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		unsigned kind = 0;

		while (kind < FORGE_KINDS && strcmp(forge_names[kind], word) != 0)
			kind++;
		if (kind == FORGE_KINDS)
			misused(word);
		mask |= 1u << kind;
	}
	return mask;
}

static void take_option(struct vswarm_options *o, int code)
{
	switch (code) {
	case OPT_CLIENTS: o->clients = (unsigned)number(optarg, 1, 20000); break;
	case OPT_ROOMS: o->rooms = (unsigned)number(optarg, 1, VSWARM_ROOMS); break;
	case OPT_TALKERS: o->talkers = (unsigned)number(optarg, 0, 10000); break;
	case OPT_TUNNEL: o->tunnel = (unsigned)number(optarg, 0, 20000); break;
	case OPT_RATE: o->rate = number(optarg, 0.1, 10000); break;
	case OPT_SECONDS: o->seconds = number(optarg, 0.1, 86400); break;
	case OPT_SIZE: o->size = (size_t)number(optarg, ORACLE_LEAST, ORACLE_MOST); break;
	case OPT_VARY: o->vary = (size_t)number(optarg, 0, ORACLE_MOST); break;
	case OPT_MIXED: o->mixed = true; break;
	case OPT_ANY: o->any_way = true; break;
	case OPT_KINDS: o->forge_mask = kinds(optarg); break;
	case OPT_PROCESSES: o->processes = (unsigned)number(optarg, 1, VSWARM_PROCESSES); break;
	case OPT_SOURCES: o->sources = (unsigned)number(optarg, 0, 250); break;
	case OPT_TICK: o->tick_ms = number(optarg, 0, 20); break;
	case OPT_JOIN: o->join_seconds = number(optarg, 1, 600); break;
	case OPT_PASSWORD: o->password = optarg; break;
	case OPT_SUPERUSER: o->superuser = optarg; break;
	case OPT_REBIND: o->rebind_s = number(optarg, 0.001, 3600); break;
	case OPT_JUNK: o->junk = number(optarg, 0, 1e6); break;
	case OPT_FORGE: o->forge = number(optarg, 0, 1e5); break;
	case OPT_LIST: o->list_pings = number(optarg, 0, 1e5); break;
	default: misused("no such option");
	}
}

static void set_mode(struct vswarm_options *o, const char *mode)
{
	if (strcmp(mode, "rebind") == 0)
		o->rebind_s = o->rebind_s > 0 ? o->rebind_s : 1;
	else if (strcmp(mode, "junk") == 0) {
		o->junk = o->junk < 0 ? 10000 : o->junk;
		o->forge = o->forge < 0 ? 100 : o->forge;
		o->list_pings = o->list_pings < 0 ? 100 : o->list_pings;
	} else if (strcmp(mode, "tcp") == 0)
		o->tunnel = o->clients;
	else if (strcmp(mode, "hush") == 0)
		o->hush = true;
	else if (strcmp(mode, "talk") != 0)
		misused(mode);
	o->junk = o->junk < 0 ? 0 : o->junk;
	o->forge = o->forge < 0 ? 0 : o->forge;
	o->list_pings = o->list_pings < 0 ? 0 : o->list_pings;
}

static struct vswarm_options options_of(int argc, char **argv)
{
	struct vswarm_options o = {.port = MUMBLE_PORT,
				   .clients = 20,
				   .rooms = 1,
				   .talkers = 2,
				   .processes = 1,
				   .sources = 20,
				   .rate = 50,
				   .seconds = 5,
				   .join_seconds = 60,
				   .tick_ms = 4,
				   .size = 80,
				   .vary = 80,
				   .junk = -1,
				   .list_pings = -1,
				   .forge = -1,
				   .forge_mask = (1u << FORGE_KINDS) - 1};
	char *colon;
	int code;

	while ((code = getopt_long(argc, argv, "", longs, NULL)) != -1)
		take_option(&o, code);
	if (argc - optind != 2)
		misused("a mode and a server");
	set_mode(&o, argv[optind]);
	o.host = argv[optind + 1];
	colon = strrchr(argv[optind + 1], ':');
	if (colon) {
		*colon = 0;
		o.port = (uint16_t)number(colon + 1, 1, 65535);
	}
	if (o.clients < o.rooms || o.talkers * o.rooms > o.clients || o.tunnel > o.clients ||
	    o.processes > o.clients)
		misused("there are too few clients for that");
	if (o.rooms > 1 && !o.superuser)
		misused("several rooms need --superuser");
	return o;
}

/* --- rooms ------------------------------------------------------------------------------------- */

static struct vswarm *rooms_of; /* hooks know links alone */
static unsigned rooms_there;

static void on_room(struct mumble_link *link, const struct mumble_message *message)
{
	const struct mumble_channel_state *state = &message->channel_state;
	char name[32];

	(void)link;
	for (unsigned i = 0; message->type == MUMBLE_CHANNEL_STATE && i < rooms_of->options.rooms;
	     i++) {
		snprintf(name, sizeof name, "swarm-%08x-%u", rooms_of->run, i);
		if (!bytes_equal(state->name, bytes_str(name)) || rooms_of->room_ids[i])
			continue;
		rooms_of->room_ids[i] = state->channel_id;
		rooms_there++;
	}
}

static void on_nothing(struct mumble_link *link, const struct voice_packet *packet, bool tunnelled)
{
	(void)link, (void)packet, (void)tunnelled;
}

static const struct mumble_hooks maker_hooks = {on_room, on_nothing};

static void turn_maker(struct mumble_link *maker)
{
	struct pollfd fd = {maker->tcp, mumble_link_wants(maker), 0};

	poll(&fd, 1, 20);
	mumble_link_turn(maker, mono_now());
}

static bool make_rooms(struct vswarm *swarm, struct mumble_link *maker)
{
	const struct vswarm_options *o = &swarm->options;
	struct mumble_options options = {.host = o->host,
					 .port = o->port,
					 .user = "SuperUser",
					 .password = o->superuser,
					 .tunnel_only = true,
					 .seconds = (int)o->join_seconds};
	mono_t began = mono_now();

	rooms_of = swarm;
	if (!mumble_link_open(maker, &options, &maker_hooks))
		return false;
	while (maker->state == MUMBLE_CONNECTED)
		turn_maker(maker);
	for (unsigned i = 0; i < o->rooms && maker->state == MUMBLE_JOINED; i++) {
		struct mumble_message make;
		char name[32];

		snprintf(name, sizeof name, "swarm-%08x-%u", swarm->run, i);
		message_init(&make, MUMBLE_CHANNEL_STATE);
		MUMBLE_SET(&make.channel_state, channel_state, parent, 0);
		MUMBLE_SET(&make.channel_state, channel_state, name, bytes_str(name));
		mumble_link_send(maker, &make);
		/* One at a time: servers ration such requests. */
		while (maker->state == MUMBLE_JOINED && rooms_there <= i &&
		       mono_since_us(mono_now(), began) < (int64_t)(o->join_seconds * 1e6))
			turn_maker(maker);
	}
	if (maker->state == MUMBLE_JOINED && rooms_there < o->rooms)
		snprintf(maker->why, sizeof maker->why, "SuperUser may make no rooms");
	return rooms_there == o->rooms;
}

static void remove_rooms(struct vswarm *swarm, struct mumble_link *maker)
{
	for (unsigned i = 0; i < rooms_there && maker->state == MUMBLE_JOINED; i++) {
		struct mumble_message gone;

		message_init(&gone, MUMBLE_CHANNEL_REMOVE);
		MUMBLE_SET(&gone.channel_remove, channel_remove, channel_id, swarm->room_ids[i]);
		mumble_link_send(maker, &gone);
		turn_maker(maker);
	}
	mumble_link_close(maker);
}

/* --- the course of things ---------------------------------------------------------------------- */

static uint64_t heard_now(const struct vswarm *swarm)
{
	uint64_t heard = 0;

	for (unsigned p = 0; p < swarm->options.processes; p++)
		heard += atomic_load_explicit(&swarm->crew[p].heard, memory_order_relaxed);
	return heard;
}

static unsigned ready_now(const struct vswarm *swarm)
{
	unsigned ready = 0, number = atomic_load(&swarm->phase_number);

	for (unsigned i = 0; i < swarm->options.clients; i++)
		ready += atomic_load(&swarm->clients[i].ready) > number;
	return ready;
}

static void tell(const struct vswarm *swarm, const char *event, mono_t start)
{
	printf("{\"event\":\"%s\",\"t\":%.3f,\"ready\":%u,\"heard\":%llu}\n", event,
	       (double)mono_since_us(mono_now(), start) / 1e6, ready_now(swarm),
	       (unsigned long long)heard_now(swarm));
	fflush(stdout);
}

static void begin(struct vswarm *swarm, enum phase phase)
{
	atomic_store(&swarm->phase, phase);
	atomic_fetch_add(&swarm->phase_number, 1);
}

static bool await_ready(struct vswarm *swarm, struct mumble_link *maker, mono_t start,
			const char *event)
{
	mono_t began = mono_now();

	while (!stopped && ready_now(swarm) < swarm->options.clients &&
	       mono_since_us(mono_now(), began) < (int64_t)(swarm->options.join_seconds * 1e6))
		if (maker)
			turn_maker(maker);
		else
			usleep(20000);
	tell(swarm, event, start);
	return ready_now(swarm) == swarm->options.clients;
}

static void talk(struct vswarm *swarm, struct mumble_link *maker, mono_t start, double seconds)
{
	mono_t began, told, quiet;
	uint64_t heard, before;

	begin(swarm, PHASE_TALK);
	began = told = mono_now();
	tell(swarm, "talking", start);
	while (!stopped && mono_since_us(mono_now(), began) < (int64_t)(seconds * 1e6)) {
		if (maker)
			turn_maker(maker);
		else
			usleep(20000);
		if (mono_since_us(mono_now(), told) >= 1000000) {
			told = mono_add_us(told, 1000000);
			tell(swarm, "progress", start);
		}
	}
	/* What is on its way, also on a machine that has other things to do. */
	begin(swarm, PHASE_DRAIN);
	quiet = began = mono_now();
	before = heard_now(swarm);
	while (mono_since_us(mono_now(), quiet) < 700000 &&
	       mono_since_us(mono_now(), began) < 10000000) {
		usleep(20000);
		heard = heard_now(swarm);
		if (heard != before)
			quiet = mono_now();
		before = heard;
	}
	tell(swarm, "drained", start);
}

static struct vswarm *swarm_make(const struct vswarm_options *o)
{
	size_t ears = (size_t)o->clients * o->talkers * o->rooms;
	size_t head = (sizeof(struct vswarm) + o->clients * sizeof(struct vswarm_client) + 63) &
		      ~(size_t)63;
	struct vswarm *swarm = mmap(NULL, head + ears * sizeof(struct voice_ear),
				    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *at;
	char port[8];

	if (swarm == MAP_FAILED)
		return NULL;
	snprintf(port, sizeof port, "%u", o->port);
	if (getaddrinfo(o->host, port, &hints, &at) != 0)
		misused("no such host");
	memcpy(&swarm->to, at->ai_addr, at->ai_addrlen);
	freeaddrinfo(at);
	swarm->options = *o;
	swarm->ears = (void *)((uint8_t *)swarm + head);
	RAND_bytes((uint8_t *)&swarm->run, sizeof swarm->run);
	return swarm;
}

/* Processes beside this one, which end with it. */
static pid_t start(struct vswarm *swarm, unsigned process)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (process == swarm->options.processes)
		vswarm_junk(swarm);
	else
		vswarm_work(swarm, process);
	_exit(0);
}

static void run(struct vswarm *swarm, struct mumble_link *maker)
{
	mono_t began = mono_now();
	bool ready = await_ready(swarm, maker, began, "joined");

	if (ready && swarm->options.hush) {
		begin(swarm, PHASE_HUSH);
		ready = await_ready(swarm, maker, began, "hushed");
		if (ready)
			talk(swarm, maker, began, swarm->options.seconds / 2);
		begin(swarm, PHASE_LIFT);
		ready = ready && await_ready(swarm, maker, began, "lifted");
	}
	/* Who came is measured even where somebody did not: the report says it. */
	if (!stopped)
		talk(swarm, maker, began,
		     swarm->options.hush ? swarm->options.seconds / 2 : swarm->options.seconds);
	begin(swarm, PHASE_END);
}

int main(int argc, char **argv)
{
	struct vswarm_options options = options_of(argc, argv);
	struct vswarm *swarm = swarm_make(&options);
	struct rlimit files;
	struct mumble_link maker = {.tcp = -1, .udp = -1};
	bool good = true;
	int status;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (!swarm || (options.rooms > 1 && !make_rooms(swarm, &maker))) {
		fprintf(stderr, "ringmain-voiceswarm: %s\n", swarm ? maker.why : strerror(errno));
		return 1;
	}
	for (unsigned p = 0; p <= options.processes; p++)
		if ((p < options.processes || options.junk > 0 || options.list_pings > 0) &&
		    start(swarm, p) == -1)
			return 1;
	run(swarm, options.rooms > 1 ? &maker : NULL);
	while (wait(&status) != -1 || errno == EINTR)
		good = good && status == 0;
	if (options.rooms > 1)
		remove_rooms(swarm, &maker);
	return vswarm_report(swarm) && good ? 0 : 1;
}
