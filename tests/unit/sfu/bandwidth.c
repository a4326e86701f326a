/* What the estimate makes of links whose capacity is known: a simulated sender, queue and receiver, in steps of a
 * millisecond, with a clock of its own at each end. */
#include "sfu/proto/bandwidth.h"

#include "hex.h"
#include "sfu/proto/twcc.h"

#define PACKETS   65536u
#define THEIRS_US 777777777 /* their clock is ahead by so much */
#define LAYERS    3u

struct flying {
	int64_t at_us; /* when it comes; 0: nothing */
	uint16_t number;
};

struct feedback {
	int64_t at_us;
	size_t len;
	uint8_t data[1200];
};

struct link {
	uint64_t random;
	/* what it is like */
	uint64_t capacity, cross; /* bits a second; the others send in bursts of 200 ms */
	int64_t delay_us, jitter_us, queue_us, theirs_us;
	unsigned loss, overtaken, unheard; /* in thousandths: packets, packets, reports */
	/* how it goes */
	int64_t now_us, free_us;
	double owed; /* octets that may be sent */
	struct flying flying[PACKETS];
	unsigned first, last;
	struct feedback feedback[8];
	unsigned feedback_first, feedback_last;
	struct twcc twcc;
	struct bandwidth bandwidth;
	uint64_t arrived; /* octets, since the caller last made it 0 */
};

static struct link sim;

static unsigned dice(struct link *link, unsigned sides)
{
	link->random = link->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((link->random >> 33) % sides);
}

static void begin(struct link *link, uint64_t capacity)
{
	memset(link, 0, sizeof *link);
	link->random = 7;
	link->capacity = capacity;
	link->delay_us = 25000;
	link->queue_us = 300000;
	link->now_us = 5000000;
	link->theirs_us = THEIRS_US;
	bandwidth_init(&link->bandwidth);
}

/* Into the queue, which others use too. */
static void send_one(struct link *link, unsigned octets)
{
	uint16_t number = bandwidth_sent(&link->bandwidth, octets, (mono_t){link->now_us});
	int64_t start = link->free_us > link->now_us ? link->free_us : link->now_us;
	struct flying *flying;

	if (start - link->now_us > link->queue_us || dice(link, 1000) < link->loss)
		return;
	link->free_us = start + (int64_t)((uint64_t)octets * 8000000 / link->capacity);
	flying = &link->flying[link->last++ % PACKETS];
	flying->number = number;
	flying->at_us = link->free_us + link->delay_us +
			(link->jitter_us ? dice(link, (unsigned)link->jitter_us) : 0) +
			(dice(link, 1000) < link->overtaken ? 20000 : 0);
}

static void receive(struct link *link)
{
	for (unsigned i = link->first; i != link->last; i++) {
		struct flying *flying = &link->flying[i % PACKETS];

		if (flying->at_us && flying->at_us <= link->now_us) {
			twcc_came(&link->twcc, flying->number,
				  (mono_t){flying->at_us + link->theirs_us});
			link->arrived += 1200;
			flying->at_us = 0;
		}
	}
	while (link->first != link->last && !link->flying[link->first % PACKETS].at_us)
		link->first++;
}

static void report(struct link *link)
{
	struct feedback *feedback = &link->feedback[link->feedback_last % 8];
	struct writer w = writer_of(feedback->data, sizeof feedback->data);

	if (!twcc_write(&link->twcc, 1, 2, &w) || dice(link, 1000) < link->unheard)
		return;
	feedback->at_us = link->now_us + link->delay_us;
	feedback->len = w.len;
	link->feedback_last++;
}

static void hear(struct link *link)
{
	struct feedback *feedback = &link->feedback[link->feedback_first % 8];
	struct bytes rest = bytes_of(feedback->data, feedback->len), entries = {0};
	struct rtcp rtcp;
	uint32_t media;
	bool broken;

	if (link->feedback_first == link->feedback_last || feedback->at_us > link->now_us)
		return;
	link->feedback_first++;
	assert_true(rtcp_next(&rest, &rtcp, &broken) &&
		    rtcp_read_feedback(&rtcp, &media, &entries));
	bandwidth_heard(&link->bandwidth, entries, (mono_t){link->now_us});
}

/* A millisecond of a sender of so many bits a second. */
static void step(struct link *link, uint64_t rate)
{
	link->now_us += 1000;
	if (link->cross && link->now_us / 200000 % 2) {
		int64_t start = link->free_us > link->now_us ? link->free_us : link->now_us;

		if (start - link->now_us <= link->queue_us)
			link->free_us = start + (int64_t)(link->cross * 2 * 1000 / link->capacity);
	}
	link->owed += (double)rate / 8000;
	/* As the server does: what has gathered in a turn of 2 ms. */
	while (link->now_us / 1000 % 2 == 0 && link->owed >= 1200) {
		send_one(link, 1200);
		link->owed -= 1200;
	}
	receive(link);
	if (link->now_us / 1000 % 100 == 0)
		report(link);
	hear(link);
}

static uint64_t estimate_of(const struct link *link)
{
	return bandwidth_bits(&link->bandwidth);
}

/* Sends what the estimate says. */
static void run_elastic(struct link *link, unsigned ms)
{
	while (ms--) {
		uint64_t bits = estimate_of(link);

		step(link, bits == 0 ? 300000 : bits > 2500000 ? 2500000 : bits);
	}
}

static void run_fixed(struct link *link, uint64_t rate, unsigned ms)
{
	while (ms--)
		step(link, rate);
}

/* How long until the estimate is on that side of so much, in ms. */
static unsigned elastic_until(struct link *link, bool below, uint64_t bits, unsigned most)
{
	unsigned ms = 0;

	while (ms < most && (below ? estimate_of(link) >= bits : estimate_of(link) <= bits)) {
		run_elastic(link, 1);
		ms++;
	}
	return ms;
}

/* What of a span it was above so much, in thousandths. */
static unsigned above(struct link *link, uint64_t bits, unsigned span)
{
	unsigned count = 0;

	for (unsigned ms = 0; ms < span; ms++) {
		run_elastic(link, 1);
		count += estimate_of(link) > bits;
	}
	return count * 1000 / span;
}

struct weather {
	const char *name;
	uint64_t cross;
	int64_t jitter_us;
	unsigned loss, overtaken, unheard;
};

static const struct weather weathers[] = {
	{"clear", 0, 0, 0, 0, 0},
	{"jitter", 0, 8000, 0, 0, 0},
	{"loss", 0, 0, 20, 0, 20},
	{"cross traffic", 100000, 0, 0, 0, 0},
	{"all at once", 100000, 8000, 20, 20, 50},
};

/* The longest of all runs, in ms; and the largest share of the time, in thousandths. */
struct steps {
	unsigned up, down, above, back;
};

static void note(unsigned *most, unsigned value)
{
	*most = value > *most ? value : *most;
}

static void run_steps(const struct weather *weather, uint64_t seed, struct steps *steps)
{
	begin(&sim, 2000000);
	sim.random = seed;
	sim.cross = weather->cross;
	sim.jitter_us = weather->jitter_us;
	sim.loss = weather->loss;
	sim.overtaken = weather->overtaken;
	sim.unheard = weather->unheard;
	note(&steps->up, elastic_until(&sim, false, 1200000, 60000));
	run_elastic(&sim, 20000);
	sim.capacity = 300000;
	note(&steps->down, elastic_until(&sim, true, 300000, 10000));
	run_elastic(&sim, 5000);
	note(&steps->above, above(&sim, 375000, 20000));
	assert_true(estimate_of(&sim) > 80000);
	sim.capacity = 2000000;
	note(&steps->back, elastic_until(&sim, false, 1200000, 60000));
}

/* 2 Mbit/s, 300 kbit/s, 2 Mbit/s. It feels its way up: a quarter more at most, mostly. */
static void test_steps_are_followed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof weathers / sizeof *weathers; i++) {
		struct steps steps = {0};

		for (uint64_t seed = 1; seed <= 5; seed++)
			run_steps(&weathers[i], seed, &steps);
		print_message("# %s: at 1.2 Mbit/s in %u ms, under 300 kbit/s in %u, too high for "
			      "%u of 1000, back in %u\n",
			      weathers[i].name, steps.up, steps.down, steps.above, steps.back);
		assert_in_range(steps.up, 1, 40000);
		assert_in_range(steps.down, 1, 4999);
		assert_in_range(steps.above, 0, 100);
		assert_in_range(steps.back, 1, 45000);
	}
}

/* Who sends too much and does not listen still gets to know how much. */
static void test_deaf_sender(void **state)
{
	unsigned high = 0;

	(void)state;
	begin(&sim, 2000000);
	run_fixed(&sim, 1200000, 10000);
	assert_in_range(estimate_of(&sim), 1200000 * 9 / 10, 1200000 * 3 / 2 + 60000);
	sim.capacity = 300000;
	run_fixed(&sim, 1200000, 4000);
	for (unsigned ms = 0; ms < 20000; ms++) {
		run_fixed(&sim, 1200000, 1);
		high += estimate_of(&sim) > 300000;
	}
	print_message("# too much for %u of 20000 ms\n", high);
	assert_in_range(high, 0, 1000);
	assert_in_range(estimate_of(&sim), 150000, 300000);
}

/* A queue that is never full has no loss: it is seen by its growth alone. */
static void test_deep_queue(void **state)
{
	(void)state;
	begin(&sim, 2000000);
	sim.queue_us = 20000000;
	run_fixed(&sim, 1200000, 10000);
	sim.capacity = 600000;
	run_fixed(&sim, 1200000, 3000);
	assert_in_range(estimate_of(&sim), 300000, 600000);
	assert_int_equal(sim.bandwidth.lost_share, 0);
}

/* Losses that are none of the queue's: few do nothing, many do. */
static void test_losses(void **state)
{
	(void)state;
	begin(&sim, 5000000);
	sim.loss = 30;
	run_fixed(&sim, 1000000, 20000);
	assert_true(estimate_of(&sim) > 1000000);
	sim.loss = 250;
	run_fixed(&sim, 1000000, 3000);
	assert_in_range(estimate_of(&sim), 500000, 1000000 * 85 / 100);
	sim.loss = 0;
	run_fixed(&sim, 1000000, 3000);
	assert_true(estimate_of(&sim) > 950000);
}

/* Little that is sent says little; and what was known is forgotten bit by bit. */
static void test_never_much_more_than_is_sent(void **state)
{
	(void)state;
	begin(&sim, 20000000);
	run_fixed(&sim, 100000, 60000);
	assert_in_range(estimate_of(&sim), 100000, 100000 * 3 / 2 + 60000);
	run_fixed(&sim, 2000000, 10000);
	assert_true(estimate_of(&sim) > 1900000);
	run_fixed(&sim, 100000, 60000);
	assert_in_range(estimate_of(&sim), 100000, 250000);
}

/* Both numbers and their clock begin anew, and nothing is seen of it. */
static void test_wraps(void **state)
{
	uint64_t least = UINT64_MAX;

	(void)state;
	begin(&sim, 3000000);
	sim.bandwidth.next = 64000;
	sim.theirs_us = TWCC_CLOCK_US - sim.now_us - 9000000;
	run_fixed(&sim, 1000000, 5000);
	for (unsigned ms = 0; ms < 30000; ms++) {
		run_fixed(&sim, 1000000, 1);
		least = estimate_of(&sim) < least ? estimate_of(&sim) : least;
		assert_int_equal(sim.bandwidth.trend.count, 60); /* not begun anew */
	}
	assert_true(sim.bandwidth.next > 65536 + 1000);
	assert_true(sim.now_us + sim.theirs_us > TWCC_CLOCK_US + 9000000);
	assert_true(least > 950000);
	assert_in_range(sim.bandwidth.lost_share, 0, 5);
}

/* 65535 is its first number: seven that came in a vector of two bits, each a quarter of a ms after the other;
 * then a run of three that did not; then one of one bit a packet. */
static const char CHUNKS[] = "0001 000e 000100 00 d555 0003 b000 0404040404040404 04 00";

static void test_chunks(void **state)
{
	uint8_t buf[64];
	struct bytes in;

	(void)state;
	begin(&sim, 1);
	for (unsigned i = 0; i < 14; i++)
		(void)bandwidth_sent(&sim.bandwidth, 1000, (mono_t){1000000 + i * 1000});
	in = guarded(from_hex(CHUNKS, buf));
	assert_true(bandwidth_heard(&sim.bandwidth, in, (mono_t){1100000}));
	assert_int_equal(sim.bandwidth.spoken_of, 14);
	assert_int_equal(sim.bandwidth.lost, 5);
	/* The same again counts nothing twice, but what was missed is looked at. */
	(void)bandwidth_heard(&sim.bandwidth, in, (mono_t){1200000});
	assert_int_equal(sim.bandwidth.spoken_of, 14);
	assert_int_equal(sim.bandwidth.lost, 5);
	guarded_free(in);
	/* Nothing that was never sent is believed, nor what is cut off. */
	in = guarded(from_hex("0100 0001 000100 00 2001 04 00", buf));
	assert_false(bandwidth_heard(&sim.bandwidth, in, (mono_t){1200000}));
	guarded_free(in);
	for (size_t len = 0; len < 12; len++) {
		in = guarded(bytes_first(from_hex(CHUNKS, buf), len));
		assert_false(bandwidth_heard(&sim.bandwidth, in, (mono_t){1200000}));
		guarded_free(in);
	}
	assert_int_equal(sim.bandwidth.spoken_of, 14);
}

/* What was only late is not lost. */
static void test_late_is_not_lost(void **state)
{
	uint8_t buf[64];
	struct bytes in;

	(void)state;
	begin(&sim, 1);
	for (unsigned i = 0; i < 3; i++)
		(void)bandwidth_sent(&sim.bandwidth, 1000, (mono_t){1000000 + i * 1000});
	in = guarded(from_hex("0001 0003 000100 00 d100 0404", buf));
	assert_true(bandwidth_heard(&sim.bandwidth, in, (mono_t){1100000}));
	guarded_free(in);
	assert_int_equal(sim.bandwidth.lost, 1);
	in = guarded(from_hex("0002 0001 000100 01 2001 0c 00", buf));
	assert_true(bandwidth_heard(&sim.bandwidth, in, (mono_t){1200000}));
	guarded_free(in);
	assert_int_equal(sim.bandwidth.lost, 0);
	assert_int_equal(sim.bandwidth.spoken_of, 3);
}

/* A thousand packets that did not come, in a few bytes, again and again: looked at no more often than packets leave. */
static void test_reports_are_bounded_by_what_is_sent(void **state)
{
	struct bytes in;
	uint8_t buf[64];
	unsigned taken = 0;

	(void)state;
	begin(&sim, 1);
	for (unsigned i = 0; i < 1024; i++)
		(void)bandwidth_sent(&sim.bandwidth, 1000, (mono_t){1000000 + i * 1000});
	in = guarded(from_hex("0001 0400 000100 00 0400", buf));
	while (taken < 1000 && bandwidth_heard(&sim.bandwidth, in, (mono_t){2100000}))
		taken++;
	assert_in_range(taken, 4, 16);
	/* Who was silenced is heard again. */
	for (unsigned i = 0; i < 256; i++)
		(void)bandwidth_sent(&sim.bandwidth, 1000, (mono_t){2200000 + i * 1000});
	assert_true(bandwidth_heard(&sim.bandwidth, in, (mono_t){3100000}));
	guarded_free(in);
}

static void test_memory(void **state)
{
	(void)state;
	print_message("# %zu bytes\n", sizeof(struct bandwidth));
	assert_in_range(sizeof(struct bandwidth), 8192, 9216);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_are_followed),
		cmocka_unit_test(test_deaf_sender),
		cmocka_unit_test(test_deep_queue),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_never_much_more_than_is_sent),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_late_is_not_lost),
		cmocka_unit_test(test_reports_are_bounded_by_what_is_sent),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
