/* golden: the files under tests/golden/container, and framers run over them for the tests to look at. */
#pragma once

#include "guarded.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../../fuzz/framing.h"

#define GOLDEN_MAX 65536u

/* The whole file, in memory that lives until the next call with the same slot. */
static inline struct bytes golden(const char *name, unsigned slot)
{
	static uint8_t data[2][GOLDEN_MAX];
	const char *dir = getenv("GOLDEN");
	char path[512];
	FILE *file;
	size_t len;

	assert_non_null(dir);
	snprintf(path, sizeof path, "%s/container/%s", dir, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(data[slot], 1, GOLDEN_MAX, file);
	fclose(file);
	assert_in_range(len, 1, GOLDEN_MAX - 1);
	return bytes_of(data[slot], len);
}

/* What came out of a run. */
struct tally {
	size_t chains, headers, keys, plain, skipped, units;
	uint64_t duration_us;
};

static inline struct tally tally_of(const struct framing_cuts *cuts)
{
	struct tally tally = {0};

	for (size_t i = 0; i < cuts->count; i++) {
		const struct framing_cut *cut = &cuts->at[i];

		tally.duration_us += cut->duration_us;
		if (cut->skip) {
			tally.skipped += cut->len;
			continue;
		}
		tally.units++;
		tally.chains += (cut->flags & UNIT_CHAIN) > 0;
		tally.headers += (cut->flags & UNIT_HEADER) > 0;
		tally.keys += (cut->flags & UNIT_KEY) > 0;
		tally.plain += cut->flags == 0;
	}
	return tally;
}

static inline struct tally golden_run(const struct framing *framing, struct bytes stream)
{
	struct framing_cuts cuts = framing_run(framing, stream, 1400, 0);
	struct tally tally = tally_of(&cuts);

	free(cuts.at);
	return tally;
}

/* Cut in two at every byte of the first `most`, and byte by byte: all must come out the same. No
 * byte behind an input is read. */
static inline void golden_split(const struct framing *framing, struct bytes stream, size_t most)
{
	struct bytes first = bytes_first(stream, most);
	struct framing_cuts whole = framing_run(framing, first, first.len, 0);

	framing_compare(framing, stream, 1, 0);
	framing_compare(framing, stream, 1371, 0);
	for (size_t cut = 1; cut < first.len; cut++) {
		struct framing_cuts two = framing_run(framing, first, cut, 0);

		framing_same(&whole, &two);
		free(two.at);
	}
	free(whole.at);
	for (size_t len = 1; len < first.len; len += 7) {
		struct bytes in = guarded(bytes_first(first, len));
		struct bytes rest = in;
		struct unit unit;

		framing->init(framing->state);
		while (framing->next(framing->state, rest, true, &unit) != FRAMER_MORE)
			rest = bytes_skip(rest, unit.data.len);
		assert_int_equal(rest.len, 0);
		guarded_free(in);
	}
}
