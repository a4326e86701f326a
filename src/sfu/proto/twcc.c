#include "sfu/proto/twcc.h"

#define TICK_US      250
#define REFERENCE_US 64000
#define CHUNKS_MAX   100u
#define DELTAS_MAX   500u

enum symbol { LOST, SMALL, LARGE };

void twcc_came(struct twcc *twcc, uint16_t number, mono_t now)
{
	bool begun = twcc->count.begun;
	int64_t at = rtp_count16(&twcc->count, number);

	if (!begun || at > twcc->highest + (int64_t)TWCC_KEPT) {
		memset(twcc->came_us, 0, sizeof twcc->came_us);
		twcc->next = twcc->highest = at;
	}
	for (int64_t n = twcc->highest + 1; n <= at; n++)
		twcc->came_us[(uint64_t)n % TWCC_KEPT] = 0;
	if (at > twcc->highest)
		twcc->highest = at;
	if (twcc->next <= twcc->highest - (int64_t)TWCC_KEPT)
		twcc->next = twcc->highest - (int64_t)TWCC_KEPT + 1;
	if (at >= twcc->next)
		twcc->came_us[(uint64_t)at % TWCC_KEPT] = now.us;
}

/* --- writing -------------------------------------------------------------------------------------- */

/* What is gathered of one report. */
struct sheet {
	uint16_t chunks[CHUNKS_MAX];
	unsigned chunk_count;
	uint8_t deltas[DELTAS_MAX + 2];
	size_t delta_len;
	uint8_t symbols[7]; /* of the chunk that is being filled */
	unsigned symbol_count;
	unsigned run; /* that all of these and those before them are alike */
};

static void close_chunk(struct sheet *sheet)
{
	uint16_t chunk = 0xc000;

	if (sheet->run > 7) {
		chunk = (uint16_t)((unsigned)sheet->symbols[0] << 13 | sheet->run);
	} else {
		for (unsigned i = 0; i < sheet->symbol_count; i++)
			chunk |= (uint16_t)((unsigned)sheet->symbols[i] << (12 - 2 * i));
	}
	sheet->chunks[sheet->chunk_count++] = chunk;
	sheet->symbol_count = sheet->run = 0;
}

static bool all_alike(const struct sheet *sheet)
{
	for (unsigned i = 1; i < sheet->symbol_count; i++)
		if (sheet->symbols[i] != sheet->symbols[0])
			return false;
	return true;
}

/* Seven symbols go into a vector; seven that are alike begin a run. */
static void put_symbol(struct sheet *sheet, enum symbol symbol)
{
	if (sheet->run >= 7) {
		if (symbol == sheet->symbols[0] && sheet->run < 8191) {
			sheet->run++;
			return;
		}
		close_chunk(sheet);
	}
	sheet->symbols[sheet->symbol_count++] = (uint8_t)symbol;
	if (sheet->symbol_count < 7)
		return;
	if (all_alike(sheet))
		sheet->run = 7;
	else
		close_chunk(sheet);
}

static void put_delta(struct sheet *sheet, int64_t ticks)
{
	if (ticks >= 0 && ticks <= 255) {
		put_symbol(sheet, SMALL);
		sheet->deltas[sheet->delta_len++] = (uint8_t)ticks;
		return;
	}
	if (ticks > INT16_MAX)
		ticks = INT16_MAX;
	if (ticks < INT16_MIN)
		ticks = INT16_MIN;
	put_symbol(sheet, LARGE);
	sheet->deltas[sheet->delta_len++] = (uint8_t)((uint16_t)ticks >> 8);
	sheet->deltas[sheet->delta_len++] = (uint8_t)ticks;
}

static void write_report(const struct sheet *sheet, uint32_t ssrc, uint32_t media, int64_t base,
			 unsigned count, int64_t reference, uint8_t number, struct writer *w)
{
	size_t len = 8 + 8 + 2u * sheet->chunk_count + sheet->delta_len, words = (len + 3) / 4;

	writer_u8(w, 0x80 | RTPFB_TWCC);
	writer_u8(w, RTCP_RTPFB);
	writer_be(w, words, 2);
	writer_be(w, ssrc, 4);
	writer_be(w, media, 4);
	writer_be(w, (uint16_t)base, 2);
	writer_be(w, count, 2);
	writer_be(w, (uint64_t)reference & 0xffffff, 3);
	writer_u8(w, number);
	for (unsigned i = 0; i < sheet->chunk_count; i++)
		writer_be(w, sheet->chunks[i], 2);
	writer_put(w, bytes_of(sheet->deltas, sheet->delta_len));
	writer_fill(w, 0, words * 4 - len);
}

bool twcc_write(struct twcc *twcc, uint32_t ssrc, uint32_t media, struct writer *w)
{
	struct sheet sheet = {.chunk_count = 0};
	int64_t base = twcc->next, reference = -1, before = 0;
	unsigned count = 0;

	if (!twcc->count.begun || twcc->next > twcc->highest)
		return false;
	while (twcc->next <= twcc->highest && sheet.chunk_count < CHUNKS_MAX - 2 &&
	       sheet.delta_len < DELTAS_MAX) {
		int64_t at = twcc->came_us[(uint64_t)twcc->next++ % TWCC_KEPT];

		count++;
		if (!at) {
			put_symbol(&sheet, LOST);
			continue;
		}
		if (reference < 0) {
			reference = at / REFERENCE_US;
			before = reference * REFERENCE_US / TICK_US;
		}
		put_delta(&sheet, at / TICK_US - before);
		before = at / TICK_US;
	}
	if (reference < 0)
		return false;
	if (sheet.symbol_count)
		close_chunk(&sheet);
	write_report(&sheet, ssrc, media, base, count, reference, twcc->reports++, w);
	return writer_ok(w);
}

/* --- reading -------------------------------------------------------------------------------------- */

/* How many symbols a chunk says, whatever it is asked for. */
static unsigned symbols_of(uint16_t chunk)
{
	if (!(chunk & 0x8000))
		return chunk & 0x1fffu;
	return chunk & 0x4000 ? 7 : 14;
}

static unsigned symbol_at(uint16_t chunk, unsigned left)
{
	if (!(chunk & 0x8000))
		return chunk >> 13 & 3u;
	if (chunk & 0x4000)
		return (unsigned)chunk >> (2 * (left - 1)) & 3u;
	return (unsigned)chunk >> (left - 1) & 1u;
}

bool twcc_read(struct bytes entries, struct twcc_report *out)
{
	struct reader r = reader_of(entries);
	unsigned symbols = 0;
	const uint8_t *from;

	*out = (struct twcc_report){.number = reader_be16(&r), .left = reader_be16(&r)};
	out->at_us = (int64_t)reader_be(&r, 3) * REFERENCE_US;
	reader_skip(&r, 1);
	from = r.at;
	while (symbols < out->left && reader_ok(&r)) {
		unsigned more = symbols_of(reader_be16(&r));

		if (more == 0)
			return false;
		symbols += more;
	}
	out->chunks = bytes_of(from, (size_t)(r.at - from));
	out->deltas = bytes_of(r.at, reader_left(&r));
	return reader_ok(&r);
}

bool twcc_next(struct twcc_report *report, uint16_t *number, int64_t *at_us)
{
	struct reader r;
	unsigned symbol;

	if (report->left == 0)
		return false;
	if (report->chunk_left == 0) {
		r = reader_of(report->chunks);
		report->chunk = reader_be16(&r);
		report->chunks = bytes_of(r.at, reader_left(&r));
		report->chunk_left = symbols_of(report->chunk);
	}
	symbol = symbol_at(report->chunk, report->chunk_left--);
	report->left--;
	*number = report->number++;
	*at_us = -1;
	if (symbol == LOST)
		return true;
	r = reader_of(report->deltas);
	report->at_us += (symbol == SMALL ? (int64_t)reader_u8(&r) : (int16_t)reader_be16(&r)) *
			 (int64_t)TICK_US;
	report->deltas = bytes_of(r.at, reader_left(&r));
	if (report->at_us < 0)
		report->at_us += TWCC_CLOCK_US;
	*at_us = report->at_us;
	return reader_ok(&r) && symbol <= LARGE;
}
