#include "swarm.h"

#include <stdio.h>
#include <string.h>

struct sum {
	uint64_t served, ended, unanswered, refused, failed, chunked, bytes;
	uint64_t by_status[1000];
	uint64_t by_err[256];
	struct spread first_us, gap_max_us;
};

/* What the ears of one group (healthy or slow) heard. */
struct heard {
	uint64_t listeners, whole;
	struct oracle_counts all;
	uint64_t torn_start_listeners, torn_start_longest, icy, blocks, bad, loose;
	uint64_t titles, titles_early, titles_back, titles_foreign, title_late_max;
};

static void print_times(const char *name, const struct spread *spread)
{
	printf(",\"%s\":{\"n\":%llu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name,
	       (unsigned long long)spread->count, (double)spread_at(spread, .5) / 1e3,
	       (double)spread_at(spread, .9) / 1e3, (double)spread_at(spread, .99) / 1e3,
	       (double)spread->max / 1e3);
}

static void print_histogram(const struct spread *gap)
{
	static const int edge_ms[] = {5,   10,  20,  50,  100,  150,  200, 250,
				      300, 400, 500, 750, 1000, 2000, 5000};
	uint64_t before = 0;

	printf(",\"gap_histogram_ms\":{");
	for (unsigned i = 0; i < sizeof(edge_ms) / sizeof(edge_ms[0]); i++) {
		uint64_t upto = spread_upto(gap, edge_ms[i] * 1000);

		printf("%s\"%d\":%llu", i ? "," : "", edge_ms[i],
		       (unsigned long long)(upto - before));
		before = upto;
	}
	printf(",\"more\":%llu}", (unsigned long long)(gap->count - before));
}

static void add_listener(struct sum *sum, const struct swarm_listener *l)
{
	sum->bytes += l->bytes;
	sum->chunked += l->chunked;
	if (l->first.us) {
		sum->served++;
		spread_add(&sum->first_us, mono_since_us(l->first, l->began));
		if (!l->slow)
			spread_add(&sum->gap_max_us, l->gap_max_us);
	}
	switch (l->state) {
	case SWARM_REFUSED:
		sum->refused++;
		sum->by_status[l->status % 1000]++;
		break;
	case SWARM_FAILED:
		sum->failed++;
		sum->by_err[l->err & 255]++;
		break;
	case SWARM_ENDED: sum->ended++; break;
	case SWARM_BODY: sum->unanswered += !l->first.us; break;
	case SWARM_UNBORN:
	case SWARM_CONNECTING:
	case SWARM_SHAKING:
	case SWARM_HEAD: sum->unanswered++; break;
	}
}

static void add_ear(struct heard *heard, const struct swarm_ear *ear)
{
	const struct oracle_counts *c = &ear->oracle.counts;
	struct oracle_counts *all = &heard->all;

	heard->listeners++;
	heard->whole += oracle_is_whole(c);
	all->frames += c->frames;
	all->gaps += c->gaps;
	all->gap_frames += c->gap_frames;
	if (c->gap_longest > all->gap_longest)
		all->gap_longest = c->gap_longest;
	all->repeats += c->repeats;
	all->repeat_frames += c->repeat_frames;
	all->torn += c->torn;
	all->torn_bytes += c->torn_bytes;
	all->torn_start_bytes += c->torn_start_bytes;
	heard->torn_start_listeners += c->torn_start_bytes > 0;
	if (c->torn_start_bytes > heard->torn_start_longest)
		heard->torn_start_longest = c->torn_start_bytes;
	all->switches += c->switches;
	all->switch_repeats += c->switch_repeats;
	all->switch_gap_frames += c->switch_gap_frames;
	heard->icy += ear->icy.interval > 0;
	heard->blocks += ear->icy.blocks;
	heard->bad += ear->icy.bad;
	heard->loose += ear->icy.loose;
	heard->titles += ear->titles;
	heard->titles_early += ear->titles_early;
	heard->titles_back += ear->titles_back;
	heard->titles_foreign += ear->titles_foreign;
	if (ear->title_late_max > heard->title_late_max)
		heard->title_late_max = ear->title_late_max;
}

static void print_number(const char *name, uint64_t value)
{
	printf(",\"%s\":%llu", name, (unsigned long long)value);
}

static void print_heard(const char *group, const struct heard *h)
{
	printf(",\"%s\":{\"listeners\":%llu", group, (unsigned long long)h->listeners);
	print_number("whole", h->whole);
	print_number("frames", h->all.frames);
	print_number("gaps", h->all.gaps);
	print_number("gap_frames", h->all.gap_frames);
	print_number("gap_longest", h->all.gap_longest);
	print_number("repeats", h->all.repeats);
	print_number("repeat_frames", h->all.repeat_frames);
	print_number("torn", h->all.torn);
	print_number("torn_bytes", h->all.torn_bytes);
	print_number("torn_at_start", h->torn_start_listeners);
	print_number("torn_at_start_longest_bytes", h->torn_start_longest);
	print_number("switches", h->all.switches);
	print_number("switch_repeats", h->all.switch_repeats);
	print_number("switch_gap_frames", h->all.switch_gap_frames);
	print_number("icy_listeners", h->icy);
	print_number("icy_blocks", h->blocks);
	print_number("icy_bad", h->bad);
	print_number("icy_loose", h->loose);
	print_number("titles", h->titles);
	print_number("titles_early", h->titles_early);
	print_number("titles_back", h->titles_back);
	print_number("titles_foreign", h->titles_foreign);
	print_number("title_late_max_frames", h->title_late_max);
	putchar('}');
}

/* Until when the last of all listeners had a frame, over the frames that all of them heard. */
static void print_last_listener(const struct swarm *swarm, uint64_t healthy)
{
	static struct spread last;

	for (unsigned i = 0; i < SWARM_FRAMES; i++)
		if (atomic_load(&swarm->frames[i].heard) == healthy && healthy)
			spread_add(&last, atomic_load(&swarm->frames[i].last_us));
	print_times("last_listener_ms", &last);
}

static void print_sum(const struct swarm *swarm, const struct sum *sum)
{
	const char *comma = "";

	printf("{\"event\":\"report\",\"listeners\":%u,\"served\":%llu", swarm->options.listeners,
	       (unsigned long long)sum->served);
	print_number("refused", sum->refused);
	print_number("failed", sum->failed);
	print_number("unanswered", sum->unanswered);
	print_number("disconnected", sum->ended);
	print_number("chunked", sum->chunked);
	print_number("bytes", sum->bytes);
	printf(",\"seconds\":%.3f,\"statuses\":{",
	       (double)mono_since_us(swarm->stopped_at, swarm->start) / 1e6);
	for (unsigned i = 0; i < 1000; i++) {
		if (sum->by_status[i]) {
			printf("%s\"%u\":%llu", comma, i, (unsigned long long)sum->by_status[i]);
			comma = ",";
		}
	}
	printf("},\"errors\":{");
	comma = "";
	for (int i = 0; i < 256; i++) {
		if (sum->by_err[i]) {
			const char *name = strerrorname_np(i);

			printf("%s\"%s\":%llu", comma, name ? name : "?",
			       (unsigned long long)sum->by_err[i]);
			comma = ",";
		}
	}
	putchar('}');
	print_times("first_byte_ms", &sum->first_us);
	print_times("gap_max_ms", &sum->gap_max_us);
}

static bool is_right(const struct heard *h)
{
	return h->whole == h->listeners && !h->bad && !h->titles_early && !h->titles_back;
}

bool swarm_report(const struct swarm *swarm)
{
	static struct sum sum;
	static struct heard healthy, slow;
	static struct spread gap, latency;
	const struct swarm_options *o = &swarm->options;
	int64_t cpu_us = 0;

	for (unsigned i = 0; i < o->processes; i++) {
		spread_merge(&gap, &swarm->crew[i].gap_us);
		spread_merge(&latency, &swarm->crew[i].latency_us);
		cpu_us += swarm->crew[i].cpu_us;
	}
	for (unsigned i = 0; i < o->listeners; i++) {
		const struct swarm_listener *l = &swarm->listeners[i];

		add_listener(&sum, l);
		if (l->ear && l->first.us)
			add_ear(l->slow ? &slow : &healthy, l->ear);
	}
	print_sum(swarm, &sum);
	print_histogram(&gap);
	if (o->check) {
		print_times("latency_ms", &latency);
		if (swarm->frames)
			print_last_listener(swarm, healthy.listeners);
		print_heard("check", &healthy);
		if (slow.listeners)
			print_heard("slow", &slow);
	}
	printf(",\"cpu_s\":%.3f}\n", (double)cpu_us / 1e6);
	fflush(stdout);
	/* The slow are skipped over frames: that is no fault, and torn or doubled audio is one. */
	return sum.served == o->listeners && !sum.ended && !sum.chunked && is_right(&healthy) &&
	       !slow.all.torn && !slow.all.repeats && !slow.bad;
}
