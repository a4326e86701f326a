/* voice_crowd: who hears whom, made into arrays for those who send. */
#include <stdlib.h>

#include "core/metric.h"
#include "voice/voice_part.h"

/* Channels that all targets of a user lead to, twice named twice counted, and groups that are looked into for them:
 * all that is done anew whenever anybody moves. */
#define VISITS_MAX 8192u

static void crowd_free(struct voice_retired *retired)
{
	free(container_of(retired, struct voice_crowd, retired));
}

static void stage_free(struct voice_retired *retired)
{
	struct voice_stage *stage = container_of(retired, struct voice_stage, retired);

	free(atomic_load_explicit(&stage->crowd, memory_order_relaxed));
	free(stage);
}

/* --- collecting -------------------------------------------------------------------------------- */

/* Grows while it is collected; NULL when there was no memory. */
struct collection {
	struct voice_crowd *crowd;
	size_t room;
	size_t visits; /* see VISITS_MAX */
	bool failed;
};

RUNS_ON(on_control)
static void collect(struct collection *to, struct voice_user *user, enum voice_context why,
		    float volume)
{
	if (user->mark == voice_hub.mark || to->failed || !user->channel)
		return;
	user->mark = voice_hub.mark;
	if (!to->crowd || to->crowd->count == to->room) {
		size_t room = to->room ? to->room * 2 : 8;
		struct voice_crowd *larger =
			realloc(to->crowd, sizeof *larger + room * sizeof larger->hearers[0]);

		if (!larger) {
			to->failed = true;
			return;
		}
		if (!to->crowd)
			*larger = (struct voice_crowd){.retired.free = crowd_free};
		to->crowd = larger;
		to->room = room;
	}
	to->crowd->hearers[to->crowd->count++] =
		(struct voice_hearer){user->peer, volume, (uint8_t)why};
}

RUNS_ON(on_control) static struct voice_crowd *collected(struct collection *from)
{
	if (!from->crowd && !from->failed)
		from->crowd = calloc(1, sizeof *from->crowd);
	if (from->crowd)
		from->crowd->retired.free = crowd_free;
	if (!from->crowd || from->failed) {
		metric_add(METRIC_voice_out_of_memory, 1);
		free(from->crowd);
		return NULL;
	}
	return from->crowd;
}

/* --- stages ------------------------------------------------------------------------------------ */

RUNS_ON(on_control) static struct voice_crowd *crowd_of(const struct voice_stage *stage)
{
	struct collection all = {0};

	voice_hub.mark++;
	for (size_t i = 0; i < stage->count; i++) {
		struct voice_channel *channel = voice_channel_find(stage->ids[i]);

		for (struct voice_user *user = channel ? channel->users : NULL; user;
		     user = user->next_here)
			collect(&all, user, VOICE_SPOKEN, 0);
	}
	for (size_t i = 0; i < stage->count; i++) {
		struct voice_channel *channel = voice_channel_find(stage->ids[i]);

		for (size_t n = 0; channel && n < channel->listen_count; n++)
			collect(&all, channel->listens[n].user, VOICE_LISTENED,
				channel->listens[n].volume);
	}
	return collected(&all);
}

/* In an old one's place. Who is sending just now goes on with that. */
RUNS_ON(on_control)
static void put_crowd(_Atomic(struct voice_crowd *) *at, struct voice_crowd *crowd)
{
	crowd = atomic_exchange_explicit(at, crowd, memory_order_acq_rel);
	if (crowd)
		voice_retire(&crowd->retired);
}

RUNS_ON(on_control)
static struct voice_stage *stage_find(const uint32_t *ids, size_t count)
{
	struct voice_stage *stage = voice_hub.stages;

	while (stage &&
	       (stage->count != count || memcmp(stage->ids, ids, count * sizeof *ids) != 0))
		stage = stage->next;
	if (stage)
		return stage;
	stage = calloc(1, sizeof *stage + count * sizeof *ids);
	if (!stage)
		return NULL;
	stage->retired.free = stage_free;
	stage->count = count;
	memcpy(stage->ids, ids, count * sizeof *ids);
	atomic_init(&stage->crowd, crowd_of(stage));
	if (!atomic_load_explicit(&stage->crowd, memory_order_relaxed)) {
		free(stage);
		return NULL;
	}
	stage->dirty = true;
	stage->next = voice_hub.stages;
	voice_hub.stages = stage;
	return stage;
}

RUNS_ON(on_control) static void stage_leave(struct voice_stage *stage)
{
	struct voice_stage **link = &voice_hub.stages;

	if (!stage || --stage->users > 0)
		return;
	while (*link != stage)
		link = &(*link)->next;
	*link = stage->next;
	voice_retire(&stage->retired);
}

size_t voice_linked(struct voice_channel *channel, struct voice_channel **list)
{
	uint32_t mark = ++voice_hub.channel_mark;
	size_t count = 0;

	channel->mark = mark;
	list[count++] = channel;
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < list[i]->link_count; n++)
			if (list[i]->links[n]->mark != mark) {
				list[i]->links[n]->mark = mark;
				list[count++] = list[i]->links[n];
			}
	return count;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The numbers of the channels that hear him; 0: no memory. */
RUNS_ON(on_control) static size_t stage_ids(const struct voice_user *user, uint32_t *ids)
{
	struct voice_channel *one[1], **list = one;
	size_t all = 1, count = 0;

	if (user->channel->link_count) {
		list = malloc(voice_hub.channel_count * sizeof *list);
		if (!list)
			return 0;
		all = voice_linked(user->channel, list);
	} else {
		one[0] = user->channel;
	}
	for (size_t i = 0; i < all; i++)
		if (list[i] == user->channel || voice_may(user, list[i]) & MAY_SPEAK)
			ids[count++] = list[i]->id;
	if (list != one)
		free(list);
	qsort(ids, count, sizeof *ids, compare_ids);
	return count;
}

void voice_stage_of(struct voice_user *user)
{
	uint32_t few[16], *ids = few;
	struct voice_stage *stage = NULL;

	size_t count = 0;

	if (user->channel && !user->leaving) {
		if (user->channel->link_count && voice_hub.channel_count > COUNT_OF(few))
			ids = malloc(voice_hub.channel_count * sizeof *ids);
		if (ids)
			count = stage_ids(user, ids);
		if (count)
			stage = stage_find(ids, count);
		voice_hub.stage_wanted |= !stage;
		if (ids != few)
			free(ids);
	}
	if (stage)
		stage->users++;
	stage = atomic_exchange_explicit(&user->peer->stage, stage, memory_order_acq_rel);
	stage_leave(stage);
}

void voice_stage_touch(const struct voice_channel *channel)
{
	for (struct voice_stage *stage = voice_hub.stages; stage; stage = stage->next)
		for (size_t i = 0; i < stage->count && !stage->dirty; i++)
			stage->dirty = stage->ids[i] == channel->id;
	voice_hub.aims_dirty = true;
}

/* --- whispering -------------------------------------------------------------------------------- */

RUNS_ON(on_control)
static bool is_of_group(const struct voice_channel *channel, struct voice_user *user,
			const char *group)
{
	struct acl_who who = {.user = user->id,
			      .home = user->channel ? &user->channel->acl : NULL,
			      .hash = bytes_str(user->peer->hash),
			      .tokens = user->tokens,
			      .token_count = user->token_count};

	return acl_is_member(&channel->acl, &channel->acl, bytes_str(group), &who);
}

/* Somebody may name full rooms and groups many times over: who is there already is not looked at. */
RUNS_ON(on_control)
static bool is_meant(struct collection *to, const struct voice_channel *channel,
		     struct voice_user *user, const char *group)
{
	if (user->mark == voice_hub.mark)
		return false;
	return !group || !group[0] ||
	       (to->visits++ < VISITS_MAX && is_of_group(channel, user, group));
}

RUNS_ON(on_control)
static void shout_into(struct collection *to, const struct voice_user *from,
		       struct voice_channel *channel, const char *group)
{
	/* Somebody may name the whole tree many times over; it is walked whenever anybody moves. */
	if (to->visits++ >= VISITS_MAX || !(voice_may(from, channel) & MAY_WHISPER))
		return;
	for (struct voice_user *user = channel->users; user; user = user->next_here)
		if (is_meant(to, channel, user, group))
			collect(to, user, VOICE_SHOUTED, 0);
	for (size_t i = 0; i < channel->listen_count; i++)
		if (is_meant(to, channel, channel->listens[i].user, group))
			collect(to, channel->listens[i].user, VOICE_LISTENED,
				channel->listens[i].volume);
}

RUNS_ON(on_control)
static void shout_below(struct collection *to, const struct voice_user *from,
			struct voice_channel *channel, const char *group)
{
	for (struct voice_channel *child = channel->first; child && to->visits < VISITS_MAX;
	     child = child->next) {
		shout_into(to, from, child, group);
		shout_below(to, from, child, group);
	}
}

RUNS_ON(on_control)
static void collect_target(struct collection *to, const struct voice_user *from,
			   const struct voice_target *target)
{
	struct voice_channel *channel = voice_channel_find(target->channel), **list;
	size_t count = 1;

	if (!target->has_channel || !channel)
		return;
	list = malloc((voice_hub.channel_count + 1) * sizeof *list);
	if (!list)
		return;
	list[0] = channel;
	if (target->links)
		count = voice_linked(channel, list);
	for (size_t i = 0; i < count; i++) {
		shout_into(to, from, list[i], target->group);
		if (target->children)
			shout_below(to, from, list[i], target->group);
	}
	free(list);
}

/* Those who are named first, so that what they are told is that it is for them. */
RUNS_ON(on_control)
static struct voice_crowd *aim_collect(const struct voice_user *from, const struct voice_aim *aim,
				       size_t *visits)
{
	struct collection all = {.visits = *visits};

	voice_hub.mark++;
	for (size_t i = 0; i < aim->count; i++)
		for (size_t n = 0; n < aim->targets[i].session_count; n++) {
			struct voice_user *user = voice_user_find(aim->targets[i].sessions[n]);

			if (user && voice_may(from, user->channel) & MAY_WHISPER)
				collect(&all, user, VOICE_WHISPERED, 0);
		}
	for (size_t i = 0; i < aim->count; i++)
		collect_target(&all, from, &aim->targets[i]);
	*visits = all.visits;
	return collected(&all);
}

/* False: no memory. */
RUNS_ON(on_control) static bool aims_make(struct voice_user *user)
{
	struct voice_aims *aims = atomic_load_explicit(&user->peer->aims, memory_order_relaxed);
	size_t visits = 0;

	for (size_t i = 0; aims && i < VOICE_AIMS; i++) {
		struct voice_crowd *crowd = NULL;

		if (user->aims[i].count) {
			crowd = aim_collect(user, &user->aims[i], &visits);
			if (!crowd)
				return false;
		}
		put_crowd(&aims->crowd[i], crowd);
	}
	return true;
}

/* --- at the end of a turn ---------------------------------------------------------------------- */

bool voice_crowds_make(void)
{
	bool whole = true;

	/* Those for whom there was no memory when they came to where they are. */
	if (voice_hub.stage_wanted) {
		voice_hub.stage_wanted = false;
		for (struct voice_user *user = voice_hub.users; user; user = user->next)
			if (!atomic_load_explicit(&user->peer->stage, memory_order_relaxed))
				voice_stage_of(user);
		whole = !voice_hub.stage_wanted;
	}
	for (struct voice_stage *stage = voice_hub.stages; stage; stage = stage->next) {
		struct voice_crowd *crowd = stage->dirty ? crowd_of(stage) : NULL;

		whole &= crowd || !stage->dirty;
		if (!crowd)
			continue;
		stage->dirty = false;
		put_crowd(&stage->crowd, crowd);
	}
	if (!voice_hub.aims_dirty)
		return whole;
	for (struct voice_user *user = voice_hub.users; user; user = user->next)
		whole &= aims_make(user);
	voice_hub.aims_dirty = !whole;
	return whole;
}

void voice_stages_fini(void)
{
	while (voice_hub.stages) {
		struct voice_stage *stage = voice_hub.stages;

		voice_hub.stages = stage->next;
		stage_free(&stage->retired);
	}
}
