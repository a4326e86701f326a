/* ringmain-encoder: sources for a radio server, whose every frame is numbered (oracle.h).
 *
 * One process, one epoll, any number of mounts (encoder_mount.h). Prints one JSON line for each
 * thing that happens and one at the end. Exit status: 0 all went as told, 1 a mount was refused,
 * 2 bad usage, 3 a connection was lost that nobody told to end. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "encoder_mount.h"
#include "oracle.h"

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	stopped = signo;
}

static const char usage[] =
	"usage: ringmain-encoder --url http://source:PASSWORD@HOST:PORT/MOUNT [options]\n"
	"  --protocol source|put|put-chunked|shoutcast   (source)\n"
	"  --shoutcast-port P     port of the SHOUTcast protocol (that of the URL plus one)\n"
	"  --mounts N             N mounts /m0 … in place of the URL's (1)\n"
	"  --bitrate KBIT         of MPEG-1 layer III: 32 … 320 (128)\n"
	"  --stream-id N          number in every frame; mount i has N + i (1)\n"
	"  --start-number N       number of the first frame (0)\n"
	"  --frames-per-write N   (1)\n"
	"  --chop BYTES           writes of this size, whatever the frames (0: off)\n"
	"  --speed X              1.0 is real time, 0 as fast as the server reads (1)\n"
	"  --burst-seconds S      sent at once at the start (0)\n"
	"  --title-every S        \"title <number of a frame just sent>\" (0: off)\n"
	"  --drop-after S --reconnect-after S --times N   flaps, numbers go on (times 1)\n"
	"  --stall-after S        stops sending and keeps the connection\n"
	"  --rubbish              random bytes in place of frames\n"
	"  --seconds S            ends then (60)\n";

static enum encoder_protocol protocol_of(const char *word)
{
	static const char *const names[] = {"source", "put", "put-chunked", "shoutcast"};

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(word, names[i]) == 0)
			return (enum encoder_protocol)i;
	fputs(usage, stderr);
	exit(2);
}

enum option_code {
	OPT_URL = 1,
	OPT_PROTOCOL,
	OPT_SHOUTCAST_PORT,
	OPT_MOUNTS,
	OPT_BITRATE,
	OPT_STREAM_ID,
	OPT_START_NUMBER,
	OPT_FRAMES,
	OPT_CHOP,
	OPT_SPEED,
	OPT_BURST,
	OPT_TITLE,
	OPT_DROP,
	OPT_RECONNECT,
	OPT_TIMES,
	OPT_STALL,
	OPT_RUBBISH,
	OPT_SECONDS,
};

static const struct option options_known[] = {
	{"url", 1, 0, OPT_URL},
	{"protocol", 1, 0, OPT_PROTOCOL},
	{"shoutcast-port", 1, 0, OPT_SHOUTCAST_PORT},
	{"mounts", 1, 0, OPT_MOUNTS},
	{"bitrate", 1, 0, OPT_BITRATE},
	{"stream-id", 1, 0, OPT_STREAM_ID},
	{"start-number", 1, 0, OPT_START_NUMBER},
	{"frames-per-write", 1, 0, OPT_FRAMES},
	{"chop", 1, 0, OPT_CHOP},
	{"speed", 1, 0, OPT_SPEED},
	{"burst-seconds", 1, 0, OPT_BURST},
	{"title-every", 1, 0, OPT_TITLE},
	{"drop-after", 1, 0, OPT_DROP},
	{"reconnect-after", 1, 0, OPT_RECONNECT},
	{"times", 1, 0, OPT_TIMES},
	{"stall-after", 1, 0, OPT_STALL},
	{"rubbish", 0, 0, OPT_RUBBISH},
	{"seconds", 1, 0, OPT_SECONDS},
	{0},
};

static void set_number(struct encoder_options *o, enum option_code code, const char *name,
		       uint16_t *shoutcast_port)
{
	double big = code == OPT_START_NUMBER ? 9e15 : 1e9;
	double v = wire_number(name, optarg, 0, big);

	switch (code) {
	case OPT_SHOUTCAST_PORT: *shoutcast_port = (uint16_t)v; break;
	case OPT_MOUNTS: o->mounts = (unsigned)wire_number(name, optarg, 1, 15000); break;
	case OPT_BITRATE: o->kbps = (unsigned)v; break;
	case OPT_STREAM_ID: o->stream = (uint32_t)v; break;
	case OPT_START_NUMBER: o->start_number = (uint64_t)v; break;
	case OPT_FRAMES: o->frames_per_write = (unsigned)wire_number(name, optarg, 1, 10000); break;
	case OPT_CHOP: o->chop = (unsigned)wire_number(name, optarg, 0, 1 << 20); break;
	case OPT_SPEED: o->speed = v; break;
	case OPT_BURST: o->burst_s = v; break;
	case OPT_TITLE: o->title_every_s = v; break;
	case OPT_DROP: o->drop_after_s = v; break;
	case OPT_RECONNECT: o->reconnect_after_s = v; break;
	case OPT_TIMES: o->times = (unsigned)v; break;
	case OPT_STALL: o->stall_after_s = v; break;
	case OPT_SECONDS: o->seconds = v; break;
	case OPT_URL:
	case OPT_PROTOCOL:
	case OPT_RUBBISH: break;
	}
}

static void read_options(int argc, char **argv, struct encoder_options *o)
{
	uint16_t shoutcast_port = 0;
	int code, index = 0;

	*o = (struct encoder_options){.kbps = 128,
				      .frames_per_write = 1,
				      .mounts = 1,
				      .stream = 1,
				      .speed = 1,
				      .seconds = 60,
				      .times = 1};
	while ((code = getopt_long(argc, argv, "", options_known, &index)) != -1) {
		if (code == '?' ||
		    (code == OPT_URL && (!wire_url_parse(optarg, &o->url) || o->url.tls))) {
			fputs(usage, stderr);
			exit(2);
		} else if (code == OPT_PROTOCOL) {
			o->protocol = protocol_of(optarg);
		} else if (code == OPT_RUBBISH) {
			o->rubbish = true;
		} else if (code != OPT_URL) {
			set_number(o, (enum option_code)code, options_known[index].name,
				   &shoutcast_port);
		}
	}
	if (optind < argc || !o->url.host[0] || !oracle_kbps_valid(o->kbps)) {
		fputs(usage, stderr);
		exit(2);
	}
	if (wire_lookup(&o->url, &o->to) != 0) {
		fprintf(stderr, "no address for %s\n", o->url.host);
		exit(2);
	}
	o->admin = o->to;
	if (o->protocol == ENCODER_SHOUTCAST)
		wire_set_port(&o->to,
			      shoutcast_port ? shoutcast_port : (uint16_t)(o->url.port + 1));
}

static void wait_until(int epoll, struct encoder_mount *mounts, mono_t then)
{
	struct epoll_event events[256];
	int64_t left = mono_since_us(then, wire_now());
	struct timespec ts = {0};
	int n;

	if (left > 0) {
		ts.tv_sec = left / 1000000;
		ts.tv_nsec = left % 1000000 * 1000;
	}
	n = epoll_pwait2(epoll, events, 256, &ts, NULL);
	for (int i = 0; i < n; i++)
		encoder_mount_ready(&mounts[events[i].data.u64 / 2], events[i].data.u64 & 1,
				    wire_now());
}

static void run(const struct encoder_options *o, struct encoder_mount *mounts, int epoll,
		mono_t end)
{
	/* With many mounts, looking at each of them is what costs: then not more often than this. */
	int64_t pause_us = o->mounts > 16 ? 5000 : 0;
	mono_t now = wire_now();

	while (!stopped && mono_before(now, end)) {
		mono_t next = end;
		bool going = false;

		for (unsigned i = 0; i < o->mounts; i++) {
			encoder_mount_tick(&mounts[i], now);
			next = mono_min(next, encoder_mount_deadline(&mounts[i]));
			going |= mounts[i].state != ENCODER_FINISHED;
		}
		if (!going)
			return;
		if (mono_before(next, mono_add_us(now, pause_us)))
			next = mono_add_us(now, pause_us);
		wait_until(epoll, mounts, next);
		now = wire_now();
	}
}

static void report(const struct encoder_totals *t)
{
	printf("{\"event\":\"done\",\"connects\":%llu,\"refused\":%llu,\"drops\":%llu,"
	       "\"lost\":%llu,\"frames\":%llu,\"bytes\":%llu,\"titles\":%llu,"
	       "\"titles_refused\":%llu,\"late_max_ms\":%.3f,\"cpu_s\":%.3f}\n",
	       (unsigned long long)t->connects, (unsigned long long)t->refused,
	       (unsigned long long)t->drops, (unsigned long long)t->lost,
	       (unsigned long long)t->frames, (unsigned long long)t->bytes,
	       (unsigned long long)t->titles, (unsigned long long)t->titles_refused,
	       (double)t->late_max_us / 1e3, (double)wire_cpu_us() / 1e6);
}

int main(int argc, char **argv)
{
	struct encoder_options options;
	struct encoder_totals totals = {0};
	struct encoder_mount *mounts;
	mono_t now;
	int epoll;

	read_options(argc, argv, &options);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	mounts = calloc(options.mounts, sizeof(*mounts));
	if (epoll == -1 || !mounts) {
		perror("ringmain-encoder");
		return 2;
	}
	now = wire_now();
	for (unsigned i = 0; i < options.mounts; i++) {
		if (encoder_mount_init(&mounts[i], &options, &totals, epoll, i, now) != 0) {
			perror("ringmain-encoder");
			return 2;
		}
		/* Mounts come one after the other and then keep out of each other's step. */
		mounts[i].at = mono_add_us(now, i * 2000);
	}
	run(&options, mounts, epoll, mono_add_us(now, (int64_t)(options.seconds * 1e6)));
	for (unsigned i = 0; i < options.mounts; i++) {
		encoder_mount_end(&mounts[i]);
		encoder_mount_fini(&mounts[i]);
	}
	free(mounts);
	close(epoll);
	report(&totals);
	return totals.refused ? 1 : totals.lost ? 3 : 0;
}
