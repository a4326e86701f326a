/* ringmain-swarm: listeners of a radio server by the thousand, and what they got (swarm.h).
 *
 * Prints a JSON line each second and a report at the end. Exit status: 0 everyone was served until
 * the end and no checker found a fault, 1 not so, 2 bad usage. SIGTERM ends the run early, with its
 * report. */
#include "swarm.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PER_PROCESS = 9000, SPARE_FDS = 64 };

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	stopped = signo;
}

static const char usage[] =
	"usage: ringmain-swarm --url http[s]://HOST:PORT/MOUNT --listeners N [options]\n"
	"  --paths A,B,C        listeners take turns among these paths\n"
	"  --mounts N           or among /m0 … /mN-1\n"
	"  --ports N            listeners take turns among the URL's port and the next N-1 (1)\n"
	"  --rate PER_S         connections begun each second (1000)\n"
	"  --pending N          at most N begun and not yet served (0: no limit)\n"
	"  --join-seconds S     whoever is not served by then is left out (120)\n"
	"  --seconds S          from the last one served to the end (20)\n"
	"  --processes N        (one for each 9000)\n"
	"  --sources N          source addresses 127.0.0.2 … (20; 0: leave it to the system)\n"
	"  --user-agent TEXT\n"
	"  --icy SHARE          0 … 1 of them ask for Icy-MetaData (0)\n"
	"  --slow-fraction F --slow-rate R   share F reads at R times the bitrate (0, 0.5)\n"
	"  --bitrate KBIT       of the mount, for --slow-rate (128)\n"
	"  --check              every byte against the oracle; without it, bytes are discarded\n"
	"  --tick MS            reads are gathered for so long (4; with --check 0)\n"
	"  --tls-1.2            over https, TLS 1.2 at most\n"
	"  --settle S           gaps count from so long after the first byte (0.25)\n";

enum option_code {
	OPT_URL = 1,
	OPT_PATHS,
	OPT_MOUNTS,
	OPT_LISTENERS,
	OPT_PORTS,
	OPT_RATE,
	OPT_PENDING,
	OPT_JOIN,
	OPT_SECONDS,
	OPT_PROCESSES,
	OPT_SOURCES,
	OPT_AGENT,
	OPT_ICY,
	OPT_SLOW,
	OPT_SLOW_RATE,
	OPT_BITRATE,
	OPT_CHECK,
	OPT_TICK,
	OPT_SETTLE,
	OPT_TLS_1_2,
};

static const struct option options_known[] = {
	{"url", 1, 0, OPT_URL},
	{"paths", 1, 0, OPT_PATHS},
	{"mounts", 1, 0, OPT_MOUNTS},
	{"listeners", 1, 0, OPT_LISTENERS},
	{"ports", 1, 0, OPT_PORTS},
	{"rate", 1, 0, OPT_RATE},
	{"pending", 1, 0, OPT_PENDING},
	{"join-seconds", 1, 0, OPT_JOIN},
	{"seconds", 1, 0, OPT_SECONDS},
	{"processes", 1, 0, OPT_PROCESSES},
	{"sources", 1, 0, OPT_SOURCES},
	{"user-agent", 1, 0, OPT_AGENT},
	{"icy", 1, 0, OPT_ICY},
	{"slow-fraction", 1, 0, OPT_SLOW},
	{"slow-rate", 1, 0, OPT_SLOW_RATE},
	{"bitrate", 1, 0, OPT_BITRATE},
	{"check", 0, 0, OPT_CHECK},
	{"tick", 1, 0, OPT_TICK},
	{"settle", 1, 0, OPT_SETTLE},
	{"tls-1.2", 0, 0, OPT_TLS_1_2},
	{0},
};

static void __attribute__((noreturn)) die_of_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void set_paths(struct swarm_options *o, char *list)
{
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		if (o->n_paths == SWARM_PATHS)
			die_of_usage();
		o->paths[o->n_paths++] = word;
	}
}

static void set_option(struct swarm_options *o, enum option_code code, const char *name)
{
	switch (code) {
	case OPT_URL:
		if (!wire_url_parse(optarg, &o->url))
			die_of_usage();
		break;
	case OPT_PATHS: set_paths(o, optarg); break;
	case OPT_AGENT: o->user_agent = optarg; break;
	case OPT_CHECK: o->check = true; break;
	case OPT_TLS_1_2: o->tls_1_2 = true; break;
	case OPT_MOUNTS: o->mounts = (unsigned)wire_number(name, optarg, 1, 1e6); break;
	case OPT_LISTENERS: o->listeners = (unsigned)wire_number(name, optarg, 1, 1e6); break;
	case OPT_PORTS: o->ports = (unsigned)wire_number(name, optarg, 1, 1000); break;
	case OPT_RATE: o->rate = wire_number(name, optarg, 0.01, 1e6); break;
	case OPT_PENDING: o->pending = (unsigned)wire_number(name, optarg, 0, 1e6); break;
	case OPT_JOIN: o->join_seconds = wire_number(name, optarg, 1, 1e6); break;
	case OPT_SECONDS: o->seconds = wire_number(name, optarg, 0, 1e6); break;
	case OPT_PROCESSES:
		o->processes = (unsigned)wire_number(name, optarg, 1, SWARM_PROCESSES);
		break;
	case OPT_SOURCES: o->sources = (unsigned)wire_number(name, optarg, 0, 250); break;
	case OPT_ICY: o->icy = wire_number(name, optarg, 0, 1); break;
	case OPT_SLOW: o->slow = wire_number(name, optarg, 0, 1); break;
	case OPT_SLOW_RATE: o->slow_rate = wire_number(name, optarg, 0, 100); break;
	case OPT_BITRATE: o->kbps = (unsigned)wire_number(name, optarg, 1, 1e5); break;
	case OPT_TICK: o->tick_ms = wire_number(name, optarg, 0, 500); break;
	case OPT_SETTLE: o->settle_s = wire_number(name, optarg, 0, 1e6); break;
	}
}

static void read_options(int argc, char **argv, struct swarm_options *o)
{
	int code, index = 0;

	*o = (struct swarm_options){.ports = 1,
				    .rate = 1000,
				    .seconds = 20,
				    .join_seconds = 120,
				    .sources = 20,
				    .slow_rate = 0.5,
				    .kbps = 128,
				    .tick_ms = -1,
				    .settle_s = 0.25,
				    .user_agent = "ringmain-swarm"};
	while ((code = getopt_long(argc, argv, "", options_known, &index)) != -1) {
		if (code == '?')
			die_of_usage();
		set_option(o, (enum option_code)code, options_known[index].name);
	}
	if (optind < argc || !o->url.host[0] || !o->listeners)
		die_of_usage();
	if (o->tick_ms < 0)
		o->tick_ms = o->check ? 0 : 4;
	if (!o->processes)
		o->processes = 1 + (o->listeners - 1) / PER_PROCESS;
	if (o->processes > SWARM_PROCESSES || wire_lookup(&o->url, &o->to) != 0) {
		fprintf(stderr, "too many processes, or no address for %s\n", o->url.host);
		exit(2);
	}
}

static void *share(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return at;
}

static struct swarm *make_swarm(const struct swarm_options *o)
{
	struct swarm *swarm = share(sizeof(*swarm) + o->listeners * sizeof(struct swarm_listener));

	swarm->options = *o;
	if (o->check) {
		struct swarm_ear *ears = share(o->listeners * sizeof(*ears));

		for (unsigned i = 0; i < o->listeners; i++)
			swarm->listeners[i].ear = &ears[i];
		/* Numbers of several streams would be mixed up. */
		if (!o->mounts && o->n_paths <= 1)
			swarm->frames = share(SWARM_FRAMES * sizeof(*swarm->frames));
	}
	return swarm;
}

static void raise_descriptor_limit(const struct swarm_options *o)
{
	struct rlimit limit;
	rlim_t wanted = (o->listeners - 1) / o->processes + 1 + SPARE_FDS;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < wanted) {
		fprintf(stderr,
			"%llu descriptors a process are needed, %llu allowed: "
			"use more --processes\n",
			(unsigned long long)wanted, (unsigned long long)limit.rlim_cur);
		exit(2);
	}
}

struct progress {
	uint64_t opened, served, over, ended, bytes;
};

static struct progress look(struct swarm *swarm)
{
	struct progress p = {0};

	for (unsigned i = 0; i < swarm->options.processes; i++) {
		p.opened += atomic_load_explicit(&swarm->crew[i].opened, memory_order_relaxed);
		p.served += atomic_load_explicit(&swarm->crew[i].served, memory_order_relaxed);
		p.over += atomic_load_explicit(&swarm->crew[i].over, memory_order_relaxed);
		p.ended += atomic_load_explicit(&swarm->crew[i].ended, memory_order_relaxed);
		p.bytes += atomic_load_explicit(&swarm->crew[i].bytes, memory_order_relaxed);
	}
	return p;
}

/* Waits for the joins, then for the time, telling the world each second. */
static void watch(struct swarm *swarm)
{
	const struct swarm_options *o = &swarm->options;
	mono_t join_until = mono_add_us(swarm->start, (int64_t)(o->join_seconds * 1e6));
	mono_t tell = swarm->start, until = MONO_NEVER, now = wire_now();
	uint64_t bytes = 0;

	while (!stopped && mono_before(now, until)) {
		struct progress p = look(swarm);

		if (until.us == MONO_NEVER.us &&
		    ((p.opened == o->listeners && p.served + p.over >= o->listeners) ||
		     !mono_before(now, join_until))) {
			until = mono_add_us(now, (int64_t)(o->seconds * 1e6));
			printf("{\"event\":\"joined\",\"t\":%.3f,\"opened\":%llu,\"served\":%llu,"
			       "\"over\":%llu,\"took_s\":%.3f}\n",
			       (double)now.us / 1e6, (unsigned long long)p.opened,
			       (unsigned long long)p.served, (unsigned long long)p.over,
			       (double)mono_since_us(now, swarm->start) / 1e6);
			fflush(stdout);
		}
		if (!mono_before(now, tell)) {
			printf("{\"event\":\"progress\",\"t\":%.3f,\"opened\":%llu,"
			       "\"served\":%llu,\"over\":%llu,\"ended\":%llu,\"bytes\":%llu,"
			       "\"mbit_s\":%.1f}\n",
			       (double)now.us / 1e6, (unsigned long long)p.opened,
			       (unsigned long long)p.served, (unsigned long long)p.over,
			       (unsigned long long)p.ended, (unsigned long long)p.bytes,
			       (double)(p.bytes - bytes) * 8 / 1e6);
			fflush(stdout);
			bytes = p.bytes;
			tell = mono_add_us(tell, 1000000);
		}
		if (p.over + p.ended == o->listeners)
			return;
		wire_sleep_until(mono_min(mono_min(tell, until), mono_add_us(now, 50000)));
		now = wire_now();
	}
}

int main(int argc, char **argv)
{
	struct swarm_options options;
	struct swarm *swarm;
	pid_t parent = getpid();

	read_options(argc, argv, &options);
	raise_descriptor_limit(&options);
	swarm = make_swarm(&options);
	swarm->start = mono_add_us(wire_now(), 100000);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	/* OpenSSL writes to connections that are gone; a worker that it kills is waited for for ever. */
	signal(SIGPIPE, SIG_IGN);
	fflush(stdout);
	for (unsigned i = 0; i < options.processes; i++) {
		pid_t pid = fork();

		if (pid == -1) {
			perror("fork");
			atomic_store(&swarm->stop, true);
			return 2;
		}
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			signal(SIGINT, SIG_IGN);
			signal(SIGTERM, SIG_IGN);
			if (getppid() == parent)
				swarm_work(swarm, i);
			_exit(0);
		}
	}
	watch(swarm);
	swarm->stopped_at = wire_now();
	atomic_store(&swarm->stop, true);
	while (wait(NULL) > 0)
		;
	return swarm_report(swarm) ? 0 : 1;
}
