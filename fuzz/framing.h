/* framing: what must hold of any framer that cuts a stream into units (unit.h), whatever it is fed.
 *
 * framing_run() feeds a stream in chunks as a source connection would, checks each answer against
 * the contract, and writes down what came out so that two ways of feeding can be compared: junk,
 * the pieces of a large unit, and (runs) unflagged units behind one another count as one. */
#pragma once

#include "property.h"
#include "radio/proto/unit.h"

struct framing {
	void *state;
	void (*init)(void *state);
	enum framer_status (*next)(void *state, struct bytes in, bool end, struct unit *unit);
	void (*check)(void *state, enum framer_status status,
		      const struct unit *unit); /* or NULL */
	bool runs; /* where a unit ends depends on how the stream was fed, unless a KEY begins */
};

/* The adapters that struct framing needs for a framer whose functions are typed. */
#define FRAMING(name)                                                                         \
	static struct name##_framer name##_state;                                             \
	static void name##_framing_init(void *state)                                          \
	{                                                                                     \
		name##_init(state);                                                           \
	}                                                                                     \
	static enum framer_status name##_framing_next(void *state, struct bytes in, bool end, \
						      struct unit *unit)                      \
	{                                                                                     \
		return name##_next(state, in, end, unit);                                     \
	}

struct framing_cut {
	bool skip;
	uint32_t flags;
	size_t len;
	uint64_t duration_us;
};

struct framing_cuts {
	struct framing_cut *at;
	size_t count;
};

static inline void framing_note(const struct framing *framing, struct framing_cuts *cuts, bool skip,
				const struct unit *unit)
{
	struct framing_cut *last = cuts->count ? &cuts->at[cuts->count - 1] : NULL;

	if (last && last->skip == skip &&
	    (skip || unit->flags & UNIT_PART || (framing->runs && unit->flags == 0))) {
		last->len += unit->data.len;
		last->duration_us += unit->duration_us;
		return;
	}
	if ((cuts->count & (cuts->count - 1)) == 0) {
		cuts->at = realloc(cuts->at, (2 * cuts->count + 1) * sizeof *cuts->at);
		PROPERTY(cuts->at);
	}
	cuts->at[cuts->count++] =
		(struct framing_cut){skip, unit->flags, unit->data.len, unit->duration_us};
}

/* Each call sees a block of its own if the stream is small, so that ASan sees a read behind it. */
static inline enum framer_status framing_call(const struct framing *framing, struct bytes in,
					      bool end, struct unit *unit, bool copy)
{
	enum framer_status status;
	uint8_t *block;

	if (!copy)
		return framing->next(framing->state, in, end, unit);
	block = malloc(in.len ? in.len : 1);
	PROPERTY(block);
	if (in.len)
		memcpy(block, in.at, in.len);
	status = framing->next(framing->state, bytes_of(block, in.len), end, unit);
	PROPERTY(status == FRAMER_MORE || unit->data.at == block);
	unit->data.at = in.at;
	free(block);
	return status;
}

/* chunk: bytes a read; 0: of random size, by seed. */
static inline struct framing_cuts framing_run(const struct framing *framing, struct bytes stream,
					      size_t chunk, uint32_t seed)
{
	struct framing_cuts cuts = {NULL, 0};
	size_t at = 0;
	size_t to = 0;

	framing->init(framing->state);
	while (at < stream.len) {
		struct bytes in = {stream.at + at, to - at};
		bool end = to == stream.len;
		struct unit unit;
		enum framer_status status =
			framing_call(framing, in, end, &unit, stream.len <= 2048);

		if (status == FRAMER_MORE) {
			size_t more = chunk ? chunk : 1 + (seed >> 16) % 700;

			PROPERTY(in.len < FRAMER_UNIT_MAX && !(end && in.len));
			seed = seed * 1103515245 + 12345;
			to = stream.len - to < more ? stream.len : to + more;
			continue;
		}
		PROPERTY(unit.data.at == in.at && unit.data.len > 0);
		PROPERTY(unit.data.len <= in.len && unit.data.len <= FRAMER_UNIT_MAX);
		PROPERTY(unit.duration_us <= 60000000);
		PROPERTY(status == FRAMER_UNIT || (unit.flags == 0 && unit.duration_us == 0));
		if (framing->check)
			framing->check(framing->state, status, &unit);
		framing_note(framing, &cuts, status == FRAMER_SKIP, &unit);
		at += unit.data.len;
	}
	return cuts;
}

static inline void framing_same(const struct framing_cuts *a, const struct framing_cuts *b)
{
	PROPERTY(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		PROPERTY(a->at[i].skip == b->at[i].skip);
		PROPERTY(a->at[i].flags == b->at[i].flags);
		PROPERTY(a->at[i].len == b->at[i].len);
		PROPERTY(a->at[i].duration_us == b->at[i].duration_us);
	}
}

/* All at once, byte by byte, and in chunks: it must come out the same. */
static inline void framing_compare(const struct framing *framing, struct bytes stream, size_t chunk,
				   uint32_t seed)
{
	struct framing_cuts whole = framing_run(framing, stream, stream.len ? stream.len : 1, 0);
	struct framing_cuts cut = framing_run(framing, stream, chunk, seed);

	framing_same(&whole, &cut);
	free(whole.at);
	free(cut.at);
}
