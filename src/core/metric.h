/* metric: counters, gauges and histograms that cost one add to memory of the thread's own.
 *
 *     worker 1: metric_add ──▶ block 1 ─┐
 *     worker 2: metric_add ──▶ block 2 ─┼──▶ metric_sum / metric_write (any thread) ──▶ /metrics
 *     all others:  ──────────▶ shared  ─┘
 *
 * Rows stand in metric.def; a row makes the name in the code, the HELP and the TYPE. Each thread that
 * counts much calls metric_thread_start() and has a block that only it writes: plain load, add,
 * store, no locked instruction and no shared cache line. Threads without one (libuv's pool) add to a
 * shared block with a locked add. Readers sum over the blocks; each number they see is one that its
 * thread had, the sum over threads is not of one instant. A gauge is a sum of changes, and may go
 * down in another thread than it went up.
 *
 * A block is never freed, but handed to the next thread with what it has counted: counters never go
 * back. Numbers of one feed or mount are not here: their room writes them at the time of the scrape,
 * with the metric_write_…() below. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metric {
#define COUNTER(room, name, help)        METRIC_##room##_##name,
#define GAUGE(room, name, help)          METRIC_##room##_##name,
#define HISTOGRAM(room, name, help, ...) METRIC_##room##_##name,
#include "core/metric.def"
	METRIC_COUNT,
};

/* 0 or -ENOMEM: then the thread counts in the shared block, only slower. */
int metric_thread_start(void);
void metric_thread_stop(void);

/* Counters and gauges; n may be negative for a gauge only. */
void metric_add(enum metric metric, int64_t n);

/* Histograms; the sum of what is observed wraps after 2^63. */
void metric_observe(enum metric metric, uint64_t value);

/* Over all threads; a histogram's is the number of observations. */
int64_t metric_sum(enum metric metric);

/* "radio_skips", and what it is. Any thread. */
const char *metric_name(enum metric metric);
const char *metric_help(enum metric metric);

/* All of them in the Prometheus text format 0.0.4, which
 * "Content-Type: text/plain; version=0.0.4; charset=utf-8" announces. */
void metric_write(FILE *out);

/* For rooms: the head of a family of samples, and samples with labels. type is "counter" or
 * "gauge"; name without "ringmain_", a counter's with "_total". labels: name, value, name, value …
 * NULL; values are escaped. */
void metric_write_head(FILE *out, const char *name, const char *type, const char *help);
__attribute__((sentinel)) void metric_write_sample(FILE *out, const char *name, int64_t value, ...);
