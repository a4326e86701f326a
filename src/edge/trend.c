#include "edge/trend.h"

#include <stdlib.h>

#include "core/clock.h"

#define HOUR_STEPS     720u
#define DAY_STEPS      1440u
#define STEPS_A_MINUTE 12u /* steps in a minute */
#define SAMPLERS_MAX   8
#define NAME_MAX_SIZE  272

struct series {
	struct series *next;
	char name[NAME_MAX_SIZE];
	uint64_t last_step; /* of the newest value */
	uint64_t count;     /* trend_put_count's last */
	bool counted;
	float hour[HOUR_STEPS]; /* negative: nothing was put */
	float day[DAY_STEPS];
};

static struct series *all OWNED_BY(on_control);
static unsigned series_count OWNED_BY(on_control);
static uint64_t step OWNED_BY(on_control); /* steps since the start */
static uv_timer_t timer;
static void (*samplers[SAMPLERS_MAX])(void);
static unsigned sampler_count;

void trend_add(void (*sample)(void))
{
	CHECK(sampler_count < SAMPLERS_MAX);
	samplers[sampler_count++] = sample;
}

RUNS_ON(on_control) static struct series *series_find(const char *name)
{
	struct series *series = all;

	while (series && strcmp(series->name, name) != 0)
		series = series->next;
	return series;
}

/* NULL: there are too many, or no memory; then there is no chart. */
RUNS_ON(on_control) static struct series *series_make(const char *name)
{
	struct series *series = series_count < TREND_MAX ? calloc(1, sizeof *series) : NULL;

	if (!series)
		return NULL;
	bytes_to_str(bytes_str(name), series->name, sizeof series->name);
	for (unsigned i = 0; i < HOUR_STEPS; i++)
		series->hour[i] = -1;
	for (unsigned i = 0; i < DAY_STEPS; i++)
		series->day[i] = -1;
	series->next = all;
	all = series;
	series_count++;
	return series;
}

RUNS_ON(on_control) static struct series *series_of(const char *name)
{
	struct series *series = series_find(name);

	return series ? series : series_make(name);
}

RUNS_ON(on_control) static void put_value(struct series *series, double value)
{
	series->hour[step % HOUR_STEPS] = (float)value;
	series->last_step = step;
}

void trend_put(const char *name, double value)
{
	struct series *series = series_of(name);

	if (series)
		put_value(series, value);
}

void trend_put_count(const char *name, uint64_t count)
{
	struct series *series = series_of(name);

	if (!series)
		return;
	if (series->counted && count >= series->count)
		put_value(series, (double)(count - series->count) / TREND_STEP_S);
	else
		series->last_step = step;
	series->count = count;
	series->counted = true;
}

/* The mean of the minute that ends with this step; negative when nothing was put in it. */
static float minute_of(const struct series *series, uint64_t at)
{
	float sum = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < STEPS_A_MINUTE && i <= at; i++)
		if (series->hour[(at - i) % HOUR_STEPS] >= 0) {
			sum += series->hour[(at - i) % HOUR_STEPS];
			n++;
		}
	return n ? sum / (float)n : -1;
}

RUNS_ON(on_control) static void drop_old(void)
{
	for (struct series **link = &all; *link;) {
		struct series *series = *link;

		if (step - series->last_step <= HOUR_STEPS) {
			link = &series->next;
			continue;
		}
		*link = series->next;
		series_count--;
		free(series);
	}
}

static void on_step(uv_timer_t *handle)
{
	(void)handle;
	enter_control();
	step++;
	for (struct series *series = all; series; series = series->next)
		series->hour[step % HOUR_STEPS] = -1;
	for (unsigned i = 0; i < sampler_count; i++)
		samplers[i]();
	if (step % STEPS_A_MINUTE == 0)
		for (struct series *series = all; series; series = series->next)
			series->day[step / STEPS_A_MINUTE % DAY_STEPS] = minute_of(series, step);
	drop_old();
}

void trend_start(uv_loop_t *loop)
{
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_step, 1000, TREND_STEP_S * 1000);
}

void trend_stop(void)
{
	uv_close((uv_handle_t *)&timer, NULL);
}

void trend_fini(void)
{
	while (all) {
		struct series *series = all;

		all = series->next;
		free(series);
	}
	series_count = 0;
}

/* --- /api/v1/trends ------------------------------------------------------------------------- */

static json_t *value_tree(float value)
{
	return value < 0 ? json_null() : json_real((double)(int64_t)(value * 100 + .5f) / 100);
}

/* Oldest first. A minute under way is not yet in the day's. */
RUNS_ON(on_control) static json_t *values_of(const struct series *series, bool day)
{
	uint64_t size = day ? DAY_STEPS : HOUR_STEPS;
	uint64_t newest = day ? step / STEPS_A_MINUTE : step;
	uint64_t count = newest < size ? newest : size;
	const float *at = day ? series->day : series->hour;
	json_t *list = json_array();

	for (uint64_t i = newest - count + 1; i <= newest; i++)
		json_array_append_new(list, value_tree(at[i % size]));
	return list;
}

RUNS_ON(on_control)
static void answer_trends(struct call *call, const struct api_input *input)
{
	char span[8] = "hour", names[2048];
	struct bytes rest;
	json_t *tree, *list;
	bool day;

	(void)input;
	if (call_param(call, "span", span, sizeof span) && strcmp(span, "hour") != 0 &&
	    strcmp(span, "day") != 0) {
		api_fault(call, 400, "bad_span", "span is hour or day");
		return;
	}
	day = strcmp(span, "day") == 0;
	if (!call_param(call, "series", names, sizeof names))
		bytes_to_str(BYTES("listeners,bytes_out,bytes_in,cpu"), names, sizeof names);
	tree = json_object();
	list = json_object();
	for (rest = bytes_str(names); rest.len;) {
		struct bytes name = bytes_cut(&rest, ',');
		char text[NAME_MAX_SIZE];
		const struct series *series;

		bytes_to_str(name, text, sizeof text);
		series = series_find(text);
		if (series)
			json_object_set_new(list, series->name, values_of(series, day));
	}
	json_object_set_new(tree, "step", json_integer(day ? 60 : TREND_STEP_S));
	json_object_set_new(tree, "end", json_integer(wall_now_us() / 1000000));
	json_object_set_new(tree, "series", list);
	api_answer(call, tree);
}

const struct api_operation trend_operations[] = {
	{"GET", API_ROOT "/trends", RANK_OPERATOR, answer_trends,
	 "How numbers went over the last hour or day, for charts: ?span=hour|day&series=NAME,NAME.",
	 NULL, "Trends", NULL},
	{0},
};
