/* framing: runs a framer over an input that becomes visible bit by bit, checks what every framer
 * promises, and writes down what was cut. For unit tests and fuzz targets, which say what a failure
 * does: FRAMING_CHECK(condition).
 *
 * The visible bytes end at an unmapped page and move whenever more become visible, as in a caller's
 * buffer. What may differ between two ways to feed the same input is evened out: skips in a row are
 * one, the pieces of a unit (UNIT_PART) are one, and so are raw runs. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "radio/proto/unit.h"

#ifndef FRAMING_CHECK
#	error "define FRAMING_CHECK"
#endif

typedef enum framer_status framing_next(void *framer, struct bytes in, bool end, struct unit *unit);

struct cut {
	size_t at;
	size_t len;
	bool skip;
	uint32_t flags; /* of the first piece */
	uint64_t duration_us;
	unsigned pieces;
};

struct cuts {
	struct cut *list;
	size_t count;
	size_t room;
	bool raw; /* any byte is a boundary: units in a row are one */
};

/* How many more bytes become visible: the step, or, with a seed, 1 to step by chance. */
struct framing_feed {
	size_t first; /* visible at the beginning; 0: one step */
	size_t step;
	uint32_t seed;
};

#define FRAMING_WHOLE ((struct framing_feed){.step = SIZE_MAX})

static inline size_t framing_step(struct framing_feed *feed)
{
	if (feed->seed == 0)
		return feed->step;
	feed->seed = feed->seed * 1664525u + 1013904223u;
	return (feed->seed >> 8) % feed->step + 1;
}

static inline void framing_note(struct cuts *cuts, size_t at, bool skip, const struct unit *unit)
{
	struct cut *last = cuts->count ? &cuts->list[cuts->count - 1] : NULL;

	FRAMING_CHECK(!(unit->flags & UNIT_PART) || (last && !last->skip));
	FRAMING_CHECK(!(unit->flags & UNIT_CHAIN) || (unit->flags & UNIT_HEADER));
	if (last && (skip ? last->skip : !last->skip && (cuts->raw || unit->flags & UNIT_PART))) {
		last->len += unit->data.len;
		last->duration_us += unit->duration_us;
		last->pieces++;
		return;
	}
	if (cuts->count == cuts->room) {
		cuts->room = cuts->room ? cuts->room * 2 : 64;
		cuts->list = realloc(cuts->list, cuts->room * sizeof *cuts->list);
		FRAMING_CHECK(cuts->list);
	}
	cuts->list[cuts->count++] =
		(struct cut){at, unit->data.len, skip, unit->flags, unit->duration_us, 1};
}

static inline void framing_run(framing_next *next, void *framer, struct bytes in,
			       struct framing_feed feed, struct cuts *cuts)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t span = (in.len + page - 1) / page * page;
	uint8_t *map =
		mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at = 0;
	size_t visible = feed.first;
	bool end = false;

	FRAMING_CHECK(map != MAP_FAILED);
	FRAMING_CHECK(mprotect(map + span, page, PROT_NONE) == 0);
	cuts->count = 0;
	if (visible == 0)
		visible = framing_step(&feed);
	end = visible >= in.len;
	for (;;) {
		visible = visible < in.len ? visible : in.len;
		struct bytes shown = bytes_of(map + span - (visible - at), visible - at);

		if (shown.len)
			memcpy(map + span - shown.len, in.at + at, shown.len);
		while (true) {
			struct unit unit = {.flags = ~0u};
			enum framer_status status = next(framer, shown, end, &unit);

			if (status == FRAMER_MORE)
				break;
			FRAMING_CHECK(unit.data.at == shown.at);
			FRAMING_CHECK(unit.data.len >= 1 && unit.data.len <= FRAMER_UNIT_MAX);
			FRAMING_CHECK(unit.data.len <= shown.len);
			if (status == FRAMER_SKIP)
				FRAMING_CHECK(unit.flags == 0 && unit.duration_us == 0);
			framing_note(cuts, at, status == FRAMER_SKIP, &unit);
			shown = bytes_skip(shown, unit.data.len);
			at += unit.data.len;
		}
		FRAMING_CHECK(shown.len < FRAMER_UNIT_MAX);
		FRAMING_CHECK(!end || shown.len == 0);
		if (end)
			break;
		end = visible == in.len;
		if (!end) {
			size_t step = framing_step(&feed);

			visible += step < in.len - visible ? step : in.len - visible;
			/* The end may be known together with the last bytes, or later. */
			end = visible == in.len && feed.seed % 2 == 0;
		}
	}
	/* All bytes came out, each once and in order. */
	FRAMING_CHECK(at == in.len);
	munmap(map, span + page);
}

static inline bool framing_same(const struct cuts *a, const struct cuts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct cut *x = &a->list[i];
		const struct cut *y = &b->list[i];

		if (x->at != y->at || x->len != y->len || x->skip != y->skip ||
		    x->flags != y->flags || x->duration_us != y->duration_us)
			return false;
	}
	return true;
}
