#include "families.h"

#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "framecache/framecache.h"
#include "irc/irc.h"
#include "radio/radio.h"
#include "sfu/sfu.h"
#include "voice/voice.h"

static const struct family *const families[] = {&radio_family, &framecache_family, &voice_family,
						&irc_family, &sfu_family};

size_t families_rooms(const struct conf_room **rooms, size_t count)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		for (const struct conf_room *const *room = families[i]->rooms; *room; room++) {
			CHECK(count < FAMILIES_ROOMS_MAX);
			rooms[count++] = *room;
		}
	}
	return count;
}

void families_doubt(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->doubt)
			families[i]->doubt(conf, errors);
	}
	conf_errors_sort(errors);
}

size_t families_hooks(const struct worker_hooks **hooks, size_t count)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->hooks) {
			CHECK(count < FAMILIES_ROOMS_MAX);
			hooks[count++] = families[i]->hooks;
		}
	}
	return count;
}

void families_know(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->know)
			families[i]->know();
	}
}

void families_configure(const struct conf *conf)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->configure)
			families[i]->configure(conf);
	}
}

int families_start(uv_loop_t *loop, const struct conf *conf)
{
	int error = 0;

	for (size_t i = 0; i < COUNT_OF(families) && !error; i++) {
		if (families[i]->start)
			error = families[i]->start(loop, conf);
	}
	return error;
}

/* Doors that were open a moment ago: who has taken their place since is not to be helped. */
RUNS_ON(on_control)
static void listen_as_before(uv_loop_t *loop, const struct conf *before, size_t count)
{
	char at[64];

	for (size_t i = 0; i < count; i++) {
		if (families[i]->listen)
			(void)!families[i]->listen(loop, before, at, sizeof at);
	}
}

int families_listen(uv_loop_t *loop, const struct conf *conf, const struct conf *before, char *at,
		    size_t size)
{
	int first = 0;

	for (size_t i = 0; i < COUNT_OF(families); i++) {
		/* One that opens its doors may have written there too. */
		char tried[128] = "";
		int error = families[i]->listen
				    ? families[i]->listen(loop, conf, tried, sizeof tried)
				    : 0;

		if (error && !first)
			snprintf(at, size, "%s", tried);
		if (error && before) {
			listen_as_before(loop, before, i);
			return error;
		}
		/* At the start each has its try: after an upgrade one that fails is no end. */
		if (!first)
			first = error;
	}
	return first;
}

bool families_reload(const struct conf *conf)
{
	bool whole = true;

	for (size_t i = 0; i < COUNT_OF(families) && whole; i++) {
		if (families[i]->reload)
			whole = families[i]->reload(conf);
	}
	return whole;
}

bool families_order(const char *name, struct family_order *order)
{
	for (size_t i = 0; i < COUNT_OF(families); i++)
		if (families[i]->order && strcmp(families[i]->name, name) == 0) {
			families[i]->order(order);
			return true;
		}
	return false;
}

void families_hush(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->hush)
			families[i]->hush();
	}
}

bool families_are_hushed(void)
{
	bool hushed = true;

	for (size_t i = 0; i < COUNT_OF(families); i++)
		hushed &= !families[i]->is_hushed || families[i]->is_hushed();
	return hushed;
}

void families_leave(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->leave)
			families[i]->leave();
	}
}

void families_stay(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->stay)
			families[i]->stay();
	}
}

void families_part(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->part)
			families[i]->part();
	}
}

void families_leave_worker(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->leave_worker)
			families[i]->leave_worker();
	}
}

void families_stay_worker(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->stay_worker)
			families[i]->stay_worker();
	}
}

void families_part_worker(void)
{
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (families[i]->part_worker)
			families[i]->part_worker();
	}
}

bool families_are_idle(void)
{
	bool idle = true;

	for (size_t i = 0; i < COUNT_OF(families); i++)
		idle &= !families[i]->is_idle || families[i]->is_idle();
	return idle;
}

void families_stop(void)
{
	for (size_t i = COUNT_OF(families); i-- > 0;) {
		if (families[i]->stop)
			families[i]->stop();
	}
}

void families_fini(void)
{
	for (size_t i = COUNT_OF(families); i-- > 0;) {
		if (families[i]->fini)
			families[i]->fini();
	}
}
