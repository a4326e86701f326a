#include "voiceswarm.h"

#include <stdio.h>

static void print_times(const char *name, const struct spread *spread)
{
	printf(",\"%s\":{\"n\":%llu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name,
	       (unsigned long long)spread->count, (double)spread_at(spread, .5) / 1e3,
	       (double)spread_at(spread, .9) / 1e3, (double)spread_at(spread, .99) / 1e3,
	       (double)spread->max / 1e3);
}

static void print(const char *name, uint64_t value)
{
	printf(",\"%s\":%llu", name, (unsigned long long)value);
}

struct sum {
	struct vswarm_client all;
	struct voice_ear ears;
	uint64_t joined, gone, expected, hurt; /* hurt: pairs of hearer and speaker */
	const char *why;
};

static void add_client(struct sum *sum, const struct vswarm_client *c)
{
	sum->joined += atomic_load(&c->ready) > 0;
	if (atomic_load(&c->gone)) {
		sum->gone++;
		sum->why = c->why;
	}
	sum->all.sent_udp += c->sent_udp;
	sum->all.sent_tunnel += c->sent_tunnel;
	sum->all.heard_udp += c->heard_udp;
	sum->all.heard_tunnel += c->heard_tunnel;
	sum->all.dropped += c->dropped;
	sum->all.stale += c->stale;
	sum->all.repeated += c->repeated;
	sum->all.forged += c->forged;
	sum->all.own_drops += c->own_drops;
	sum->all.torn += c->torn;
	sum->all.own += c->own;
	sum->all.outside += c->outside;
	sum->all.stranger += c->stranger;
	sum->all.muted_heard += c->muted_heard;
	sum->all.deaf_heard += c->deaf_heard;
}

static void add_ear(struct sum *sum, const struct voice_ear *ear)
{
	sum->ears.heard += ear->heard;
	sum->ears.lost += ear->lost;
	sum->ears.twice += ear->twice;
	sum->ears.swapped += ear->swapped;
	sum->ears.lost_excused += ear->lost_excused;
	sum->hurt += ear->lost || ear->twice || ear->swapped;
}

static bool wrong(const struct vswarm *swarm, const struct sum *sum, const struct vswarm_crew *crew)
{
	const struct vswarm_client *all = &sum->all;

	return sum->joined < swarm->options.clients || sum->gone || sum->hurt || all->torn ||
	       all->own || all->outside || all->stranger || all->muted_heard || all->deaf_heard ||
	       all->dropped || crew->healed < crew->rebinds || swarm->junk.answers ||
	       swarm->junk.told > swarm->junk.asked ||
	       (sum->ears.heard == 0 && swarm->options.talkers > 0);
}

static void print_string(const char *name, const char *text)
{
	printf(",\"%s\":\"", name);
	for (; *text; text++)
		if (*text >= ' ' && *text != '"' && *text != '\\' && (unsigned char)*text < 127)
			putchar(*text);
	putchar('"');
}

bool vswarm_report(struct vswarm *swarm)
{
	static struct vswarm_crew crew;
	struct sum sum = {.why = ""};
	bool good;

	for (unsigned p = 0; p < swarm->options.processes; p++) {
		const struct vswarm_crew *one = &swarm->crew[p];

		atomic_fetch_add(&crew.said, atomic_load(&one->said));
		spread_merge(&crew.latency_us, &one->latency_us);
		spread_merge(&crew.heal_us, &one->heal_us);
		crew.rebinds += one->rebinds;
		crew.healed += one->healed;
		crew.cpu_us += one->cpu_us;
		for (unsigned kind = 0; kind < FORGE_KINDS; kind++)
			crew.forged[kind] += one->forged[kind];
	}
	for (unsigned i = 0; i < swarm->options.clients; i++) {
		add_client(&sum, &swarm->clients[i]);
		for (unsigned t = 0; t < vswarm_talkers(swarm); t++)
			add_ear(&sum, vswarm_ear(swarm, i, t));
	}
	good = !wrong(swarm, &sum, &crew);
	printf("{\"event\":\"report\",\"good\":%s", good ? "true" : "false");
	print("clients", swarm->options.clients);
	print("joined", sum.joined);
	print("gone", sum.gone);
	if (sum.gone)
		print_string("why", sum.why);
	print("said", atomic_load(&crew.said));
	print("heard", sum.ears.heard);
	print("lost", sum.ears.lost);
	print("twice", sum.ears.twice);
	print("swapped", sum.ears.swapped);
	print("torn", sum.all.torn);
	print("own", sum.all.own);
	print("outside", sum.all.outside);
	print("stranger", sum.all.stranger);
	print("muted_heard", sum.all.muted_heard);
	print("deaf_heard", sum.all.deaf_heard);
	print("sent_udp", sum.all.sent_udp);
	print("sent_tunnel", sum.all.sent_tunnel);
	print("heard_udp", sum.all.heard_udp);
	print("heard_tunnel", sum.all.heard_tunnel);
	print("dropped", sum.all.dropped);
	print("stale", sum.all.stale);
	print("repeated", sum.all.repeated);
	print("undecrypted", sum.all.forged);
	print("own_drops", sum.all.own_drops);
	print("rebinds", crew.rebinds);
	print("healed", crew.healed);
	print("lost_in_rebinds", sum.ears.lost_excused);
	print_times("heal_ms", &crew.heal_us);
	print_times("latency_ms", &crew.latency_us);
	print("junk", swarm->junk.sent);
	print("junk_answers", swarm->junk.answers);
	print("list_asked", swarm->junk.asked);
	print("list_told", swarm->junk.told);
	print("list_asked_bytes", swarm->junk.asked_bytes);
	print("list_told_bytes", swarm->junk.told_bytes);
	for (unsigned kind = 0; kind < FORGE_KINDS; kind++) {
		char name[32];

		snprintf(name, sizeof name, "forged_%s", forge_names[kind]);
		print(name, crew.forged[kind]);
	}
	printf(",\"cpu_s\":%.2f}\n", (double)crew.cpu_us / 1e6);
	fflush(stdout);
	return good;
}
