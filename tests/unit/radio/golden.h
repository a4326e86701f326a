/* golden: the recordings of tests/golden, what ffprobe said of them, and what a framer makes of an
 * input, checked for every way to feed it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "core/writer.h"

#define FRAMING_CHECK(what) assert_true(what)
#include "framing.h"

/* A framer without its type. */
struct framing_kind {
	void (*init)(void *framer);
	framing_next *next;
	void *framer;
};

static inline struct bytes golden_load(const char *name)
{
	char path[4096];
	const char *dir = getenv("GOLDEN_DIR");

	assert_non_null(dir);
	snprintf(path, sizeof path, "%s/%s", dir, name);

	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(65536);

	assert_non_null(file);
	assert_non_null(data);
	size_t len = fread(data, 1, 65536, file);

	assert_true(len > 0 && len < 65536);
	fclose(file);
	return bytes_of(data, len);
}

static inline void golden_free(struct bytes in)
{
	free((void *)(uintptr_t)in.at);
}

static inline struct cuts cuts_of(const struct framing_kind *kind, struct bytes in,
				  struct framing_feed feed)
{
	struct cuts cuts = {0};

	kind->init(kind->framer);
	framing_run(kind->next, kind->framer, in, feed, &cuts);
	return cuts;
}

/* The cuts, the same for every feed: whole, byte by byte, by chance, and (where `every` is not 0)
 * in two parts split at every such position. */
static inline struct cuts cuts_always(const struct framing_kind *kind, struct bytes in,
				      size_t every)
{
	struct cuts whole = cuts_of(kind, in, FRAMING_WHOLE);
	struct framing_feed feeds[] = {
		{.step = 1},
		{.step = 7},
		{.step = 1460},
		{.step = 100, .seed = 1},
		{.step = 5000, .seed = 2},
		{.step = 3, .seed = 3},
	};

	for (size_t i = 0; i < sizeof feeds / sizeof feeds[0]; i++) {
		struct cuts cuts = cuts_of(kind, in, feeds[i]);

		assert_true(framing_same(&whole, &cuts));
		free(cuts.list);
	}
	for (size_t at = 1; every && at < in.len; at += every) {
		struct cuts cuts =
			cuts_of(kind, in, (struct framing_feed){.first = at, .step = SIZE_MAX});

		assert_true(framing_same(&whole, &cuts));
		free(cuts.list);
	}
	return whole;
}

static inline size_t cuts_units(const struct cuts *cuts, uint32_t flag)
{
	size_t count = 0;

	for (size_t i = 0; i < cuts->count; i++)
		count += !cuts->list[i].skip && (cuts->list[i].flags & flag);
	return count;
}

static inline uint64_t cuts_duration(const struct cuts *cuts)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < cuts->count; i++)
		sum += cuts->list[i].duration_us;
	return sum;
}

/* The units but the headers are the packets of NAME.packets: same places, sizes and durations (which
 * ffprobe rounds). Returns how many they were. */
static inline size_t assert_packets(const struct cuts *cuts, const char *name)
{
	char path[4096];
	unsigned long at, len, us;
	size_t count = 0;
	size_t i = 0;

	snprintf(path, sizeof path, "%s/%s.packets", getenv("GOLDEN_DIR"), name);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	while (fscanf(file, "%lu %lu %lu", &at, &len, &us) == 3) {
		while (i < cuts->count && (cuts->list[i].skip || cuts->list[i].flags & UNIT_HEADER))
			i++;
		assert_true(i < cuts->count);
		assert_int_equal(cuts->list[i].at, at);
		assert_int_equal(cuts->list[i].len, len);
		assert_in_range(cuts->list[i].duration_us, us - 1, us + 1);
		i++;
		count++;
	}
	fclose(file);
	for (; i < cuts->count; i++)
		assert_true(cuts->list[i].skip);
	return count;
}
