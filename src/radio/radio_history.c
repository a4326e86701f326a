#include "radio/radio_history.h"

#include "core/clock.h"
#include "store/store.h"

#define MINUTE_US 60000000

static uint32_t listeners_of(const struct mount *mount)
{
	return atomic_load_explicit(&mount->count.listeners, memory_order_relaxed);
}

void history_title(const struct mount *mount)
{
	store_song(mount->name, mount->title, wall_now_us(), listeners_of(mount));
}

void history_source_came(struct mount *mount)
{
	const struct mount_source *source = &mount->source;

	mount->past.source_bytes =
		atomic_load_explicit(&mount->count.bytes_in, memory_order_relaxed);
	store_source_came(&(struct store_source){
		.number = source->id,
		.mount = mount->name,
		.agent = source->agent,
		.user = source->user,
		.protocol = source->protocol,
		.type = source->content_type,
		.ip = source->address.ip,
		.began_us = source->since_wall_us,
	});
}

void history_source_gone(const struct mount *mount, const char *why)
{
	uint64_t bytes = atomic_load_explicit(&mount->count.bytes_in, memory_order_relaxed);

	store_source_gone(mount->source.id, wall_now_us(), bytes - mount->past.source_bytes, why);
}

/* What grew since the last time. */
static uint64_t growth(const _Atomic uint64_t *count, uint64_t *before)
{
	uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
	uint64_t grown = now - *before;

	*before = now;
	return grown;
}

static void put_minute(const struct store_minute *minute)
{
	if (minute->listener_ms || minute->joins || minute->bytes_in || minute->bytes_out)
		store_minute(minute);
}

void history_tick(void)
{
	static mono_t last OWNED_BY(on_control);
	mono_t now = mono_now();
	uint64_t elapsed_ms = last.us ? (uint64_t)mono_since_us(now, last) / 1000 : 0;
	int64_t minute_us = wall_now_us() / MINUTE_US * MINUTE_US;
	struct store_minute all = {.mount = "", .at_us = minute_us};

	last = now;
	for (struct mount *mount = mount_first(); mount; mount = mount->next) {
		struct store_minute one = {
			.mount = mount->name,
			.at_us = minute_us,
			.peak = listeners_of(mount),
			.joins = growth(&mount->count.joins, &mount->past.joins),
			.bytes_in = growth(&mount->count.bytes_in, &mount->past.bytes_in),
			.bytes_out = growth(&mount->count.bytes_out, &mount->past.bytes_out),
		};

		one.listener_ms = one.peak * elapsed_ms;
		put_minute(&one);
		all.peak += one.peak;
		all.listener_ms += one.listener_ms;
		all.joins += one.joins;
		all.bytes_in += one.bytes_in;
		all.bytes_out += one.bytes_out;
	}
	put_minute(&all);
}

void history_listener_gone(const char *mount, const struct listener *listener, const char *why)
{
	store_listener_gone(&(struct store_listener){
		.mount = mount,
		.agent = listener->agent,
		.why = why,
		.ip = listener->ip,
		.began_us = listener->since_wall_us,
		.ended_us = wall_now_us(),
		.bytes = listener->sent,
	});
}
