#include "irc/irc_journal.h"

#include <stdlib.h>

#define FIRST_SIZE 16u

static struct irc_note *note_at(const struct irc_journal *journal, uint64_t at)
{
	return &journal->notes[at & (journal->size - 1)];
}

/* A reader that is less than half a round behind now cannot be lapped before it is asked for again. */
bool irc_journal_asks(const struct irc_journal *journal)
{
	return !journal->size ||
	       (journal->size < IRC_JOURNAL_MAX && journal->head % (journal->size / 2) == 0);
}

/* Without memory it stays as it is. */
static void grow(struct irc_journal *journal, uint64_t slowest)
{
	struct irc_journal larger = {.size = journal->size ? journal->size * 2 : FIRST_SIZE};

	if (!irc_journal_asks(journal) ||
	    (journal->size && journal->head - slowest < journal->size / 2))
		return;
	larger.notes = calloc(larger.size, sizeof *larger.notes);
	if (!larger.notes)
		return;
	for (uint64_t i = 1; i <= journal->size && i <= journal->head; i++)
		*note_at(&larger, journal->head - i) = *note_at(journal, journal->head - i);
	free(journal->notes);
	journal->notes = larger.notes;
	journal->size = larger.size;
}

void irc_journal_put(struct irc_journal *journal, struct irc_ring *ring, uint64_t seq,
		     uint64_t slowest)
{
	grow(journal, slowest);
	if (journal->size)
		*note_at(journal, journal->head) = (struct irc_note){ring, seq};
	journal->head++;
}

void irc_journal_forget(struct irc_journal *journal, const struct irc_ring *ring)
{
	for (uint32_t i = 0; i < journal->size; i++)
		if (journal->notes[i].ring == ring)
			journal->notes[i].ring = NULL;
}

void irc_journal_fini(struct irc_journal *journal)
{
	free(journal->notes);
	journal->notes = NULL;
	journal->size = 0;
}

/* --- readers -------------------------------------------------------------------------------- */

uint64_t irc_reader_place(const struct irc_reader *reader, const struct irc_ring *ring)
{
	uint64_t seq = ring->slot < reader->slots ? reader->place[ring->slot] : 0;

	return seq ? seq : 1;
}

bool irc_reader_set(struct irc_reader *reader, uint32_t slot, uint64_t seq)
{
	uint32_t slots = reader->slots ? reader->slots : 4;
	uint64_t *larger;

	if (slot >= reader->slots) {
		while (slots <= slot)
			slots *= 2;
		larger = realloc(reader->place, slots * sizeof *larger);
		if (!larger)
			return false;
		memset(larger + reader->slots, 0, (slots - reader->slots) * sizeof *larger);
		reader->place = larger;
		reader->slots = slots;
	}
	reader->place[slot] = seq;
	return true;
}

void irc_reader_move(struct irc_reader *reader, uint32_t from, uint32_t to)
{
	uint64_t seq = from < reader->slots ? reader->place[from] : 0;

	if (to < reader->slots)
		reader->place[to] = from == to ? 0 : seq;
	if (from < reader->slots)
		reader->place[from] = 0;
}

void irc_reader_fini(struct irc_reader *reader)
{
	free(reader->place);
	reader->place = NULL;
	reader->slots = 0;
}

enum irc_read irc_reader_next(struct irc_reader *reader, const struct irc_journal *journal,
			      struct irc_note *note)
{
	for (; reader->note < journal->head; reader->note++) {
		uint64_t place;

		if (journal->head - reader->note > journal->size)
			return IRC_READ_LAPPED;
		*note = *note_at(journal, reader->note);
		if (!note->seq)
			return IRC_READ_LAPPED;
		if (!note->ring)
			continue;
		place = irc_reader_place(reader, note->ring);
		if (note->seq < place)
			continue;
		if (note->seq == place && note->seq >= note->ring->kept)
			return IRC_READ_LINE;
		/* The line itself may be gone from the ring, and what is behind it too. */
		if (note->seq < note->ring->kept)
			note->seq = note->ring->kept;
		return IRC_READ_GAP;
	}
	return IRC_READ_END;
}

bool irc_reader_take(struct irc_reader *reader, const struct irc_note *note)
{
	if (!irc_reader_set(reader, note->ring->slot, note->seq + 1))
		return false;
	reader->note++;
	return true;
}

void irc_reader_end(struct irc_reader *reader, const struct irc_journal *journal)
{
	reader->note = journal->head;
}
