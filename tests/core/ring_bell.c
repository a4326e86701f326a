/* One goes to sleep in the same moment as the other publishes, hundreds of thousands of times, on
 * two cores: it is woken, or sees the record and stays awake. This is the one promise of the ring
 * for which a processor needs a full fence (both sides store, then load what the other stored), so
 * only two cores can show that the fences are where they must be. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "../ring_box.h"

#define RUN_MS 400 /* for each of the two ways to sleep */
#define BIT    17
#define PATIENCE \
	40000 /* ms in ring_wait; who is woken needs microseconds, and a busy machine seconds */
#define STAGGER 64 /* turns of an empty loop, so that now one is first and now the other */

static struct ring view;
static _Atomic uint64_t round_of_writer, round_of_sleeper;
static _Atomic bool over;
static _Atomic bool waits; /* this half is about ring_wait */
static bool slept;
static bool sleeper_met; /* what meet() said there */
static uint64_t wake;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void loop(uint64_t turns)
{
	while (turns-- > 0)
		__asm__ volatile("");
}

/* Comes back when both have reached this round, as nearly at once as can be. False: the other one had
 * no core, or not for long enough to be there at once. */
static bool meet(_Atomic uint64_t *mine, _Atomic uint64_t *other, uint64_t round)
{
	unsigned spins = 0;

	atomic_store(mine, round);
	while (atomic_load(other) < round)
		if (++spins % 4096 == 0)
			sched_yield();
	return spins < 4096;
}

static void *sleep_each_round(void *arg)
{
	struct random random = {random_mix((uintptr_t)arg)};

	for (uint64_t round = 1;; round += 2) {
		sleeper_met = meet(&round_of_sleeper, &round_of_writer, round);
		if (atomic_load(&over))
			return NULL;
		loop(random_below(&random, STAGGER));
		if (atomic_load(&waits)) {
			int64_t before = now_ms();

			CHECK(ring_wait(&view, round / 2 + 1, PATIENCE) == 0);
			CHECK(now_ms() - before < PATIENCE);
		} else {
			slept = ring_sleep(&view, BIT, round / 2 + 1);
		}
		meet(&round_of_sleeper, &round_of_writer, round + 1);
	}
}

int main(void)
{
	struct random random = random_start("ring_bell");
	int fd = ring_box(4096, 64);
	int64_t begin = now_ms();
	uint64_t round = 1, asleep = 0, at_once = 0;
	pthread_t sleeper;
	bool met;
	uint8_t buf[8];

	view = ring_view(fd, true);
	CHECK(ring_claim(&view, 1, false) == 0);
	CHECK(pthread_create(&sleeper, NULL, sleep_each_round, &random) == 0);
	for (; now_ms() - begin < 2 * RUN_MS; round += 2) {
		atomic_store(&waits, now_ms() - begin >= RUN_MS);
		slept = false;
		met = meet(&round_of_writer, &round_of_sleeper, round);
		loop(random_below(&random, STAGGER));
		wake = ring_put(&view, buf, sizeof buf, 1);
		meet(&round_of_writer, &round_of_sleeper, round + 1);
		CHECK(!slept || wake == 1ull << BIT);
		asleep += slept;
		at_once += met && sleeper_met;
	}
	atomic_store(&over, true);
	meet(&round_of_writer, &round_of_sleeper, round);
	CHECK(pthread_join(sleeper, NULL) == 0);
	printf("%llu rounds, %llu at once, asleep in %llu\n", (unsigned long long)round / 2,
	       (unsigned long long)at_once, (unsigned long long)asleep);
	ring_close(&view);
	close(fd);
	return 0;
}
