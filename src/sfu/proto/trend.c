#include "sfu/proto/trend.h"

#define GROUP_US      5000
#define BURST_US      100000 /* so long may be what comes in one piece */
#define JUMP_US       3000000
#define SMOOTHING     0.9
#define GAIN          4.0
#define COUNT_MAX     60u
#define OVER_MS       10.0
#define THRESHOLD     12.5
#define THRESHOLD_MIN 6.0
#define THRESHOLD_MAX 600.0
#define SPIKE         15.0
#define LEARN_UP      0.0087
#define LEARN_DOWN    0.039

void trend_init(struct trend *trend)
{
	*trend = (struct trend){.threshold = THRESHOLD};
}

/* Least squares: how many ms later each ms. */
static double slope_of(const struct trend *trend)
{
	double mean_x = 0, mean_y = 0, up = 0, down = 0;

	for (unsigned i = 0; i < TREND_GROUPS; i++) {
		mean_x += trend->x[i] / TREND_GROUPS;
		mean_y += trend->y[i] / TREND_GROUPS;
	}
	for (unsigned i = 0; i < TREND_GROUPS; i++) {
		double x = trend->x[i] - mean_x;

		up += x * (trend->y[i] - mean_y);
		down += x * x;
	}
	return down > 0 ? up / down : trend->slope;
}

static double size_of(double value)
{
	return value < 0 ? -value : value;
}

/* 5.4: slowly up, so that a flow that fills queues does not starve this one; faster down. */
static void learn(struct trend *trend, double value, int64_t came_us)
{
	double distance = size_of(value) - trend->threshold;
	double ms = (double)(came_us - trend->learnt) / 1000;

	trend->learnt = came_us;
	if (distance > SPIKE || ms < 0)
		return;
	trend->threshold +=
		distance * (distance < 0 ? LEARN_DOWN : LEARN_UP) * (ms > 100 ? 100 : ms);
	if (trend->threshold < THRESHOLD_MIN)
		trend->threshold = THRESHOLD_MIN;
	if (trend->threshold > THRESHOLD_MAX)
		trend->threshold = THRESHOLD_MAX;
}

/* 5.4: over when it has been so for a while and does not get better. */
static void judge(struct trend *trend, double slope, double sent_ms, int64_t came_us)
{
	double value = slope * GAIN * trend->count;

	if (value > trend->threshold) {
		trend->over_ms += trend->over_count ? sent_ms : sent_ms / 2;
		trend->over_count++;
		if (trend->over_ms > OVER_MS && trend->over_count > 1 && slope >= trend->slope) {
			trend->over_ms = 0;
			trend->over_count = 1;
			trend->state = TREND_OVER;
		}
	} else {
		trend->over_ms = 0;
		trend->over_count = 0;
		trend->state = value < -trend->threshold ? TREND_UNDER : TREND_EVEN;
	}
	trend->slope = slope;
	learn(trend, value, came_us);
}

static void difference(struct trend *trend, int64_t sent_us, int64_t late_us, int64_t came_us)
{
	unsigned at = trend->at++ % TREND_GROUPS; /* a line does not ask in which order */

	if (trend->count < COUNT_MAX)
		trend->count++;
	trend->late += (double)late_us / 1000;
	trend->smooth = trend->smooth * SMOOTHING + trend->late * (1 - SMOOTHING);
	trend->x[at] = (double)(came_us - trend->came0) / 1000;
	trend->y[at] = trend->smooth;
	if (trend->count >= TREND_GROUPS)
		judge(trend, slope_of(trend), (double)sent_us / 1000, came_us);
}

/* A group is whole: how it differs from the one before. */
static void close_group(struct trend *trend)
{
	const struct trend_group *now = &trend->now, *before = &trend->before;
	int64_t sent = now->last_sent - before->last_sent;
	int64_t came = now->last_came - before->last_came;

	if (trend->groups >= 2)
		difference(trend, sent, came - sent, now->last_came);
	trend->before = trend->now;
}

static void begin_group(struct trend *trend, int64_t sent_us, int64_t came_us)
{
	trend->now = (struct trend_group){sent_us, sent_us, came_us, came_us};
	if (trend->groups == 0)
		trend->came0 = came_us;
	if (trend->groups < 2)
		trend->groups++;
}

/* What queued up somewhere and comes in one piece says nothing about the piece's inside. */
static bool belongs(const struct trend_group *group, int64_t sent_us, int64_t came_us)
{
	int64_t came = came_us - group->last_came;

	if (sent_us - group->first_sent <= GROUP_US)
		return true;
	return came <= GROUP_US && came < sent_us - group->last_sent &&
	       came_us - group->first_came < BURST_US;
}

void trend_packet(struct trend *trend, int64_t sent_us, int64_t came_us)
{
	struct trend_group *now = &trend->now;
	int64_t sent = sent_us - now->last_sent, came = came_us - now->last_came;

	if (trend->groups && (sent > JUMP_US || came > JUMP_US || came < -JUMP_US)) {
		/* A pause, or another clock: nothing can be said across it. */
		double threshold = trend->threshold;

		trend_init(trend);
		trend->threshold = threshold;
	}
	if (trend->groups == 0) {
		begin_group(trend, sent_us, came_us);
	} else if (sent_us < now->first_sent) {
		return; /* overtaken */
	} else if (belongs(now, sent_us, came_us)) {
		if (sent_us > now->last_sent)
			now->last_sent = sent_us;
		if (came_us > now->last_came)
			now->last_came = came_us;
	} else {
		close_group(trend);
		begin_group(trend, sent_us, came_us);
	}
}
