#include "irc/irc_journal.h"

#include <stdlib.h>

#include "guarded.h"
#include "random.h"

#define RINGS   5u
#define READERS 6u
#define LIMIT   4096u

/* A network as the family has it, without sockets: rings of a few lines, a store that is a little behind and may lose
 * some, and readers of every speed. What each is told is checked against what was said. */
struct model {
	struct random random;
	struct irc_journal journal;
	struct irc_ring ring[RINGS];
	struct irc_reader reader[READERS];
	uint64_t want[READERS][RINGS], lost[READERS], told[READERS];
	uint64_t said, lapped, filled;
	uint64_t hole;    /* the store has lost every so-manieth line; 0: none */
	unsigned laggard; /* this one reads seldom */
};

static bool store_has(const struct model *model, uint64_t seq)
{
	return !model->hole || seq % model->hole;
}

/* One line to one reader: each one once, in order, and what is left out is counted. */
static void told(struct model *model, unsigned r, unsigned k, uint64_t seq)
{
	assert_int_equal(seq, model->want[r][k]);
	model->want[r][k]++;
	model->told[r]++;
}

/* What the feed does with a run that the journal does not give: the ring, or else the store. */
static void fetch(struct model *model, unsigned r, unsigned k, uint64_t from, uint64_t to)
{
	struct irc_record record;

	assert_true(to <= model->ring[k].head);
	for (uint64_t seq = from; seq < to; seq++)
		if (irc_ring_get(&model->ring[k], seq, &record) || store_has(model, seq)) {
			told(model, r, k, seq);
		} else {
			assert_int_equal(seq, model->want[r][k]);
			model->want[r][k]++;
			model->lost[r]++;
		}
	assert_true(irc_reader_set(&model->reader[r], model->ring[k].slot, to));
	model->filled += to - from;
}

static void read_on(struct model *model, unsigned r, unsigned most)
{
	struct irc_reader *reader = &model->reader[r];
	struct irc_note note;
	struct irc_record record;

	for (unsigned i = 0; i < most; i++)
		switch (irc_reader_next(reader, &model->journal, &note)) {
		case IRC_READ_END: return;
		case IRC_READ_LAPPED:
			model->lapped++;
			irc_reader_end(reader, &model->journal);
			for (unsigned k = 0; k < RINGS; k++)
				fetch(model, r, k, irc_reader_place(reader, &model->ring[k]),
				      model->ring[k].head);
			break;
		case IRC_READ_GAP:
			fetch(model, r, (unsigned)(note.ring - model->ring),
			      irc_reader_place(reader, note.ring), note.seq);
			break;
		case IRC_READ_LINE:
			assert_true(irc_ring_get(note.ring, note.seq, &record));
			told(model, r, (unsigned)(note.ring - model->ring), note.seq);
			assert_true(irc_reader_take(reader, &note));
			break;
		}
}

static void say(struct model *model)
{
	static char text[200];
	unsigned k = (unsigned)(random_next(&model->random) % RINGS);
	struct irc_record record = {.line = bytes_of(text, 20 + random_next(&model->random) % 150)};
	uint64_t slowest = model->journal.head;

	assert_true(irc_ring_put(&model->ring[k], &record, LIMIT));
	for (unsigned r = 0; irc_journal_asks(&model->journal) && r < READERS; r++)
		if (model->reader[r].note < slowest)
			slowest = model->reader[r].note;
	irc_journal_put(&model->journal, &model->ring[k], record.seq, slowest);
	model->said++;
}

static void begin(struct model *model, uint64_t hole)
{
	*model = (struct model){.random = random_start("journal"), .hole = hole};
	for (unsigned k = 0; k < RINGS; k++) {
		irc_ring_init(&model->ring[k], 1 + k * 100);
		model->ring[k].slot = k;
	}
	for (unsigned r = 0; r < READERS; r++)
		for (unsigned k = 0; k < RINGS; k++) {
			model->want[r][k] = model->ring[k].head;
			assert_true(irc_reader_set(&model->reader[r], k, model->ring[k].head));
		}
}

static void end(struct model *model)
{
	for (unsigned r = 0; r < READERS; r++) {
		read_on(model, r, UINT32_MAX);
		for (unsigned k = 0; k < RINGS; k++)
			assert_int_equal(model->want[r][k], model->ring[k].head);
		assert_int_equal(model->told[r] + model->lost[r], model->said);
		irc_reader_fini(&model->reader[r]);
	}
	for (unsigned k = 0; k < RINGS; k++)
		irc_ring_fini(&model->ring[k]);
	irc_journal_fini(&model->journal);
}

/* Bursts as the burst that was short had them: far more than rings and journal hold, and readers that are now at the
 * front, now lapped. */
static void run(struct model *model, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		unsigned burst = (unsigned)(random_next(&model->random) % 400);

		while (burst--)
			say(model);
		for (unsigned r = 0; r < READERS; r++)
			if (random_next(&model->random) % (1 + r * r * 4) == 0)
				read_on(model, r, (unsigned)(random_next(&model->random) % 2000));
	}
}

static void test_each_line_once_and_in_order(void **state)
{
	struct model model;

	(void)state;
	begin(&model, 0);
	run(&model, 2000);
	end(&model);
	for (unsigned r = 0; r < READERS; r++)
		assert_int_equal(model.lost[r], 0);
	/* It was no easy life. */
	assert_true(model.lapped > 3);
	assert_true(model.filled > 1000);
}

static void test_what_the_store_has_lost_is_counted(void **state)
{
	struct model model;
	uint64_t lost = 0;

	(void)state;
	begin(&model, 7);
	run(&model, 1000);
	end(&model);
	for (unsigned r = 0; r < READERS; r++)
		lost += model.lost[r];
	assert_true(lost > 100);
}

/* Without memory for notes all is fetched. */
static void test_without_notes(void **state)
{
	struct model model;

	(void)state;
	begin(&model, 0);
	for (int i = 0; i < 100; i++)
		say(&model);
	irc_journal_fini(&model.journal);
	end(&model);
	assert_int_equal(model.lapped, READERS);
}

/* The journal grows before it laps anybody, up to its limit. */
static void test_grows_in_time(void **state)
{
	struct model model;

	(void)state;
	begin(&model, 0);
	for (uint32_t i = 0; i < IRC_JOURNAL_MAX; i++)
		say(&model);
	assert_int_equal(model.journal.size, IRC_JOURNAL_MAX);
	end(&model);
	assert_int_equal(model.lapped, 0);
}

/* Of a ring that goes nothing is read any more, and who takes its slot begins anew. */
static void test_rings_go(void **state)
{
	struct irc_journal journal = {0};
	struct irc_reader reader = {0};
	struct irc_ring a, b;
	struct irc_note note;
	struct irc_record record = {.line = BYTES("x")};

	(void)state;
	irc_ring_init(&a, 1);
	irc_ring_init(&b, 50);
	b.slot = 1;
	assert_true(irc_reader_set(&reader, 0, 1) && irc_reader_set(&reader, 1, 50));
	assert_true(irc_ring_put(&a, &record, LIMIT));
	irc_journal_put(&journal, &a, record.seq, 0);
	assert_true(irc_ring_put(&b, &record, LIMIT));
	irc_journal_put(&journal, &b, record.seq, 0);
	irc_journal_forget(&journal, &a);
	irc_reader_move(&reader, 1, 0);
	b.slot = 0;
	assert_int_equal(irc_reader_next(&reader, &journal, &note), IRC_READ_LINE);
	assert_ptr_equal(note.ring, &b);
	assert_int_equal(note.seq, 50);
	assert_true(irc_reader_take(&reader, &note));
	assert_int_equal(irc_reader_next(&reader, &journal, &note), IRC_READ_END);
	assert_int_equal(reader.place[1], 0);
	irc_ring_fini(&a);
	irc_ring_fini(&b);
	irc_reader_fini(&reader);
	irc_journal_fini(&journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_line_once_and_in_order),
		cmocka_unit_test(test_what_the_store_has_lost_is_counted),
		cmocka_unit_test(test_without_notes),
		cmocka_unit_test(test_grows_in_time),
		cmocka_unit_test(test_rings_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
