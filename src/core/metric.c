#include "core/metric.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define CACHE_LINE  64
#define BUCKETS_MAX 16

enum kind {
	KIND_COUNTER,
	KIND_GAUGE,
	KIND_HISTOGRAM,
};

struct row {
	enum kind kind;
	const char *name;
	const char *help;
	uint64_t bounds[BUCKETS_MAX]; /* HISTOGRAM: the upper bounds, then zeroes */
};

static const struct row rows[] = {
#define COUNTER(room, name, help)        {KIND_COUNTER, #room "_" #name, help, {0}},
#define GAUGE(room, name, help)          {KIND_GAUGE, #room "_" #name, help, {0}},
#define HISTOGRAM(room, name, help, ...) {KIND_HISTOGRAM, #room "_" #name, help, {__VA_ARGS__}},
#include "core/metric.def"
};

/* Which histogram a metric is, from 0: they have buckets, the others do not. */
enum histogram {
#define COUNTER(room, name, help)
#define GAUGE(room, name, help)
#define HISTOGRAM(room, name, help, ...) HISTOGRAM_##room##_##name,
#include "core/metric.def"
	HISTOGRAM_COUNT,
};

static const unsigned char histogram_of[METRIC_COUNT] = {
#define COUNTER(room, name, help)
#define GAUGE(room, name, help)
#define HISTOGRAM(room, name, help, ...) [METRIC_##room##_##name] = HISTOGRAM_##room##_##name,
#include "core/metric.def"
};

/* Aligned so that no two threads' blocks share a cache line, nor the pair of lines that a
 * prefetcher takes at once. */
struct block {
	_Alignas(2 * CACHE_LINE) atomic_llong values[METRIC_COUNT];
	atomic_llong sums[HISTOGRAM_COUNT];
	atomic_llong buckets[HISTOGRAM_COUNT][BUCKETS_MAX + 1]; /* the last: above all bounds */
	struct block *next; /* in all: set before it is published, then never changed */
	bool used;          /* under lock */
};

static struct block shared;
static _Atomic(struct block *) all = &shared; /* release here; acquire in first_block() */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct block *own;

static struct block *first_block(void)
{
	return atomic_load_explicit(&all, memory_order_acquire);
}

static struct block *reuse_block(void)
{
	for (struct block *block = first_block(); block; block = block->next) {
		if (block != &shared && !block->used) {
			block->used = true;
			return block;
		}
	}
	return NULL;
}

static struct block *add_block(void)
{
	struct block *block = aligned_alloc(_Alignof(struct block), sizeof *block);

	if (!block)
		return NULL;
	memset(block, 0, sizeof *block);
	block->used = true;
	block->next = first_block();
	atomic_store_explicit(&all, block, memory_order_release);
	return block;
}

int metric_thread_start(void)
{
	assert(!own);
	/* The lock also orders the last adds of a block's thread before the first of the next. */
	pthread_mutex_lock(&lock);
	own = reuse_block();
	if (!own)
		own = add_block();
	pthread_mutex_unlock(&lock);
	return own ? 0 : -ENOMEM;
}

void metric_thread_stop(void)
{
	if (!own)
		return;
	pthread_mutex_lock(&lock);
	own->used = false;
	pthread_mutex_unlock(&lock);
	own = NULL;
}

/* Relaxed: each number stands for itself. A block of one's own has one writer, so that load and
 * store need not be one instruction; a reader sees the old or the new number. */
static void bump(atomic_llong *in_own, atomic_llong *in_shared, int64_t n)
{
	if (own)
		atomic_store_explicit(in_own,
				      atomic_load_explicit(in_own, memory_order_relaxed) + n,
				      memory_order_relaxed);
	else
		atomic_fetch_add_explicit(in_shared, n, memory_order_relaxed);
}

static struct block *mine(void)
{
	return own ? own : &shared;
}

void metric_add(enum metric metric, int64_t n)
{
	bump(&mine()->values[metric], &shared.values[metric], n);
}

void metric_observe(enum metric metric, uint64_t value)
{
	const struct row *row = &rows[metric];
	unsigned h = histogram_of[metric];
	size_t i = 0;

	assert(row->kind == KIND_HISTOGRAM);
	while (i < BUCKETS_MAX && row->bounds[i] && value > row->bounds[i])
		i++;
	if (i < BUCKETS_MAX && !row->bounds[i])
		i = BUCKETS_MAX;
	bump(&mine()->buckets[h][i], &shared.buckets[h][i], 1);
	bump(&mine()->sums[h], &shared.sums[h], (int64_t)value);
	bump(&mine()->values[metric], &shared.values[metric], 1);
}

/* Sums one number over all blocks; at is its place in the shared one. */
static int64_t sum_over_blocks(const atomic_llong *at)
{
	const void *place = at, *start = &shared;
	size_t offset = (size_t)((const char *)place - (const char *)start);
	uint64_t sum = 0;

	for (struct block *block = first_block(); block; block = block->next) {
		const void *number = (const char *)block + offset;

		sum += (uint64_t)atomic_load_explicit((const atomic_llong *)number,
						      memory_order_relaxed);
	}
	return (int64_t)sum;
}

int64_t metric_sum(enum metric metric)
{
	if (metric == METRIC_core_log_lines_lost)
		return (int64_t)
			log_lost(); /* the log counts for itself: it may not depend on this */
	return sum_over_blocks(&shared.values[metric]);
}

const char *metric_name(enum metric metric)
{
	return rows[metric].name;
}

const char *metric_help(enum metric metric)
{
	return rows[metric].help;
}

/* HELP: backslash and newline are escaped; in a label's value the quote as well. */
static void put_escaped(FILE *out, const char *text, bool label)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\\\", out);
		else if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '"' && label)
			fputs("\\\"", out);
		else
			fputc(*text, out);
	}
}

void metric_write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP ringmain_%s ", name);
	put_escaped(out, help, false);
	fprintf(out, "\n# TYPE ringmain_%s %s\n", name, type);
}

void metric_write_sample(FILE *out, const char *name, int64_t value, ...)
{
	const char *label;
	char between = '{';
	va_list labels;

	fprintf(out, "ringmain_%s", name);
	va_start(labels, value);
	while ((label = va_arg(labels, const char *))) {
		fprintf(out, "%c%s=\"", between, label);
		put_escaped(out, va_arg(labels, const char *), true);
		fputc('"', out);
		between = ',';
	}
	va_end(labels);
	fprintf(out, "%s %jd\n", between == ',' ? "}" : "", (intmax_t)value);
}

/* Buckets are cumulative in the exposition. The count is their sum and not a number of its own, so
 * that +Inf and _count agree while threads go on counting. */
static void write_histogram(FILE *out, enum metric metric)
{
	const struct row *row = &rows[metric];
	unsigned h = histogram_of[metric];
	int64_t count = 0;

	metric_write_head(out, row->name, "histogram", row->help);
	for (size_t i = 0; i < BUCKETS_MAX && row->bounds[i]; i++) {
		count += sum_over_blocks(&shared.buckets[h][i]);
		fprintf(out, "ringmain_%s_bucket{le=\"%ju\"} %jd\n", row->name,
			(uintmax_t)row->bounds[i], (intmax_t)count);
	}
	count += sum_over_blocks(&shared.buckets[h][BUCKETS_MAX]);
	fprintf(out, "ringmain_%s_bucket{le=\"+Inf\"} %jd\n", row->name, (intmax_t)count);
	fprintf(out, "ringmain_%s_sum %jd\n", row->name,
		(intmax_t)sum_over_blocks(&shared.sums[h]));
	fprintf(out, "ringmain_%s_count %jd\n", row->name, (intmax_t)count);
}

static void write_number(FILE *out, enum metric metric)
{
	const struct row *row = &rows[metric];
	bool counter = row->kind == KIND_COUNTER;
	char name[128];

	snprintf(name, sizeof name, "%s%s", row->name, counter ? "_total" : "");
	metric_write_head(out, name, counter ? "counter" : "gauge", row->help);
	metric_write_sample(out, name, metric_sum(metric), NULL);
}

void metric_write(FILE *out)
{
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		if (rows[metric].kind == KIND_HISTOGRAM)
			write_histogram(out, metric);
		else
			write_number(out, metric);
	}
}
