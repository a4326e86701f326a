#include "radio/radio_limit.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 4096u

/* How many listeners one address has on one mount. There are as many as addresses, not listeners. */
struct guest {
	struct guest *next;
	struct mount_count *count;
	uint8_t ip[16];
	uint32_t listeners;
};

/* How many listeners were let in by one name on one mount. */
struct named {
	struct named *next;
	struct mount_count *count;
	char user[64];
	uint32_t listeners;
};

static _Atomic uint32_t all_listeners;
static _Atomic uint64_t all_bandwidth;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct guest *buckets[BUCKETS]; /* under lock */
static struct named *names[BUCKETS];   /* under lock */

static struct guest **bucket_of(const struct address *peer)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof peer->ip; i++)
		hash = (hash ^ peer->ip[i]) * 16777619u;
	return &buckets[(hash ^ hash >> 16) % BUCKETS];
}

/* Counts this peer in if fewer than the allowed numbers are there from its address. */
static enum limit guest_take(const struct limit_rules *rules, struct mount_count *count,
			     const struct address *peer)
{
	struct guest **bucket = bucket_of(peer);
	struct guest *mine = NULL;
	uint64_t everywhere = 0;
	enum limit limit = LIMIT_NONE;

	pthread_mutex_lock(&lock);
	for (struct guest *guest = *bucket; guest; guest = guest->next) {
		if (memcmp(guest->ip, peer->ip, sizeof peer->ip) != 0)
			continue;
		everywhere += guest->listeners;
		if (guest->count == count)
			mine = guest;
	}
	if ((rules->max_listeners_per_address && everywhere >= rules->max_listeners_per_address) ||
	    (rules->mount->max_listeners_per_address && mine &&
	     mine->listeners >= rules->mount->max_listeners_per_address)) {
		limit = LIMIT_ADDRESS;
	} else if (!mine) {
		mine = calloc(1, sizeof *mine);
		if (mine) {
			memcpy(mine->ip, peer->ip, sizeof mine->ip);
			mine->count = count;
			mine->next = *bucket;
			*bucket = mine;
		} else {
			limit = LIMIT_MEMORY;
		}
	}
	if (limit == LIMIT_NONE)
		mine->listeners++;
	pthread_mutex_unlock(&lock);
	return limit;
}

static void guest_give(struct mount_count *count, const struct address *peer)
{
	struct guest **link = bucket_of(peer);

	pthread_mutex_lock(&lock);
	while (*link &&
	       ((*link)->count != count || memcmp((*link)->ip, peer->ip, sizeof peer->ip) != 0))
		link = &(*link)->next;
	CHECK(*link && (*link)->listeners > 0);
	if (--(*link)->listeners == 0) {
		struct guest *gone = *link;

		*link = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&lock);
}

/* --- users ---------------------------------------------------------------------------------- */

static struct named **name_of(const struct mount_count *count, const char *user)
{
	uint32_t hash = 2166136261u;
	struct named **link;

	for (const char *c = user; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	link = &names[(hash ^ hash >> 16) % BUCKETS];
	while (*link && ((*link)->count != count || strcmp((*link)->user, user) != 0))
		link = &(*link)->next;
	return link;
}

bool limit_user_take(struct mount_count *count, const char *user, bool alone)
{
	struct named **link;
	bool taken = false;

	if (!user[0])
		return true;
	pthread_mutex_lock(&lock);
	link = name_of(count, user);
	if (!*link) {
		*link = calloc(1, sizeof **link);
		if (*link) {
			(*link)->count = count;
			bytes_to_str(bytes_str(user), (*link)->user, sizeof(*link)->user);
		}
	}
	if (*link && !(alone && (*link)->listeners)) {
		(*link)->listeners++;
		taken = true;
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

void limit_user_give(struct mount_count *count, const char *user)
{
	struct named **link;

	if (!user[0])
		return;
	pthread_mutex_lock(&lock);
	link = name_of(count, user);
	CHECK(*link && (*link)->listeners > 0);
	if (--(*link)->listeners == 0) {
		struct named *gone = *link;

		*link = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&lock);
}

/* --- places --------------------------------------------------------------------------------- */

static bool over(uint64_t value, uint64_t max)
{
	return max && value > max;
}

static void peak_raise(struct mount_count *count, uint32_t listeners)
{
	uint32_t peak = atomic_load_explicit(&count->peak, memory_order_relaxed);

	while (listeners > peak &&
	       !atomic_compare_exchange_weak_explicit(&count->peak, &peak, listeners,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* Taking first and looking afterwards is what makes the limit exact between workers. */
enum limit limit_take(const struct limit_rules *rules, struct mount_count *count,
		      const struct address *peer, uint32_t bytes_per_second)
{
	uint32_t all = atomic_fetch_add_explicit(&all_listeners, 1, memory_order_relaxed) + 1;
	uint32_t here = atomic_fetch_add_explicit(&count->listeners, 1, memory_order_relaxed) + 1;
	uint64_t bandwidth =
		atomic_fetch_add_explicit(&all_bandwidth, bytes_per_second, memory_order_relaxed) +
		bytes_per_second;
	enum limit limit = guest_take(rules, count, peer);

	if (limit != LIMIT_NONE) {
		/* nobody was counted in for this address */
		atomic_fetch_sub_explicit(&all_listeners, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&count->listeners, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&all_bandwidth, bytes_per_second, memory_order_relaxed);
		return limit;
	}
	if (over(all, rules->max_listeners))
		limit = LIMIT_SERVER;
	else if (over(here, rules->mount->max_listeners))
		limit = LIMIT_MOUNT;
	else if (over(bandwidth, rules->max_bandwidth) ||
		 over((uint64_t)here * bytes_per_second, rules->mount->max_bandwidth))
		limit = LIMIT_BANDWIDTH;
	if (limit != LIMIT_NONE)
		limit_give(count, peer, bytes_per_second);
	else
		peak_raise(count, here);
	return limit;
}

void limit_give(struct mount_count *count, const struct address *peer, uint32_t bytes_per_second)
{
	guest_give(count, peer);
	atomic_fetch_sub_explicit(&all_listeners, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&count->listeners, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&all_bandwidth, bytes_per_second, memory_order_relaxed);
}

bool limit_adopt(struct mount_count *count, const struct address *peer, uint32_t bytes_per_second)
{
	static const struct mount_conf anything;
	const struct limit_rules rules = {.mount = &anything};

	return limit_take(&rules, count, peer, bytes_per_second) == LIMIT_NONE;
}

uint32_t limit_listeners(void)
{
	return atomic_load_explicit(&all_listeners, memory_order_relaxed);
}

bool limit_move(struct mount_count *from, struct mount_count *to, const struct address *peer)
{
	static const struct mount_conf anything;
	const struct limit_rules rules = {.mount = &anything};

	if (guest_take(&rules, to, peer) != LIMIT_NONE)
		return false;
	guest_give(from, peer);
	peak_raise(to, atomic_fetch_add_explicit(&to->listeners, 1, memory_order_relaxed) + 1);
	atomic_fetch_sub_explicit(&from->listeners, 1, memory_order_relaxed);
	return true;
}
