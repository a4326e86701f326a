/* irc_journal: in which order lines came into the rings of a network, and how far a reader is in each ring.
 *
 *   journal  … (a, 7) (b, 3) (a, 8) …      reader: its next note, and for each ring the next seq it wants
 *
 * The journal is an order and no more: a reader's places count. A note of a line that it has is passed
 * over; one beyond its place says that notes are gone, and what lies between is fetched first, from the
 * ring or the store. So each line of each ring is read once and in order, whatever becomes of notes. The
 * journal doubles while somebody would be lapped, up to a limit; without memory there are no notes.
 *
 * Owns notes and places, not rings; a ring's slot is its number among those of its network. Thread: the
 * worker's. */
#pragma once

#include "irc/irc_ring.h"

#define IRC_JOURNAL_MAX \
	16384u /* notes: who is further behind goes on from its places in the rings */

struct irc_note {
	struct irc_ring *ring; /* NULL: it is gone */
	uint64_t seq;          /* 0: what was here before the journal grew */
};

struct irc_journal {
	struct irc_note *notes;
	uint32_t size; /* a power of two, or 0 */
	uint64_t head; /* goes on when the notes are freed */
};

/* Whether the next put has to know the slowest reader: twice a round. */
bool irc_journal_asks(const struct irc_journal *journal);
/* Notes a line; slowest: the note that the slowest reader wants next, where it asks for that. */
void irc_journal_put(struct irc_journal *journal, struct irc_ring *ring, uint64_t seq,
		     uint64_t slowest);
void irc_journal_forget(struct irc_journal *journal, const struct irc_ring *ring);
void irc_journal_fini(struct irc_journal *journal);

struct irc_reader {
	uint64_t note;
	uint64_t *place; /* by slot: the next seq */
	uint32_t slots;
};

enum irc_read {
	IRC_READ_END,  /* no more for now */
	IRC_READ_LINE, /* note says which; irc_reader_take() */
	IRC_READ_GAP, /* lines of note.ring from the reader's place to before note.seq come first */
	IRC_READ_LAPPED, /* notes are gone: all rings have to be looked at; irc_reader_end() */
};

enum irc_read irc_reader_next(struct irc_reader *reader, const struct irc_journal *journal,
			      struct irc_note *note);
/* The line that was given is read. False: no memory. */
MUST_CHECK bool irc_reader_take(struct irc_reader *reader, const struct irc_note *note);
/* Behind the last note. */
void irc_reader_end(struct irc_reader *reader, const struct irc_journal *journal);

/* The next seq of a ring; the first of all where it was never said. */
uint64_t irc_reader_place(const struct irc_reader *reader, const struct irc_ring *ring);
/* False: no memory. */
MUST_CHECK bool irc_reader_set(struct irc_reader *reader, uint32_t slot, uint64_t seq);
/* The ring in that slot is gone, and that of the last slot takes it over. */
void irc_reader_move(struct irc_reader *reader, uint32_t from, uint32_t to);
void irc_reader_fini(struct irc_reader *reader);
