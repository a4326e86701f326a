#include "song.h"

#include <stdio.h>
#include <stdlib.h>

#include "dice.h"

#define COUNT_OF(a)  ((unsigned)(sizeof(a) / sizeof((a)[0])))
#define BARS_MAX     24u
#define BEATS        4u
#define EIGHTHS      8u
#define SECTION_BARS 4u
#define CHORD_TONES  4u
#define MELODY_SLOTS 16u /* eighths in a melody of two bars */
#define NO_NOTE      (-100)

/* The modes, as semitones above the keynote, each with progressions of four chords (degrees, 0 is
 * the keynote's) that leave out the mode's diminished chord. */
static const struct mode {
	int steps[7];
	int progressions[3][4];
} modes[] = {
	{{0, 2, 4, 5, 7, 9, 11}, {{0, 5, 3, 4}, {0, 2, 3, 5}, {3, 0, 4, 5}}}, /* ionian */
	{{0, 2, 3, 5, 7, 9, 10}, {{0, 3, 0, 6}, {0, 2, 6, 3}, {0, 4, 3, 6}}}, /* dorian */
	{{0, 2, 4, 6, 7, 9, 11}, {{0, 1, 5, 4}, {0, 1, 0, 2}, {5, 1, 0, 4}}}, /* lydian */
	{{0, 2, 4, 5, 7, 9, 10}, {{0, 6, 3, 0}, {0, 4, 6, 3}, {0, 3, 5, 6}}}, /* mixolydian */
	{{0, 2, 3, 5, 7, 8, 10}, {{0, 5, 2, 6}, {0, 3, 5, 6}, {0, 6, 5, 2}}}, /* aeolian */
};

static const int arpeggios[][EIGHTHS] = {
	{0, 2, 4, 5, 4, 2, 3, 1}, {0, 1, 2, 3, 4, 5, 3, 2}, {4, 2, 5, 3, 2, 4, 1, 3},
	{0, 3, 1, 4, 2, 5, 3, 1}, {0, 4, 2, 4, 3, 5, 2, 4},
};

/* What plays in a section of four bars, as a level for each part. */
static const struct section {
	float pluck, melody, bass, shaker, pulse;
} sections[] = {
	{0.55F, 0.00F, 0.45F, 0.00F, 0.00F}, {0.85F, 0.40F, 0.75F, 0.45F, 0.00F},
	{0.95F, 0.80F, 0.95F, 0.80F, 0.80F}, {1.00F, 1.00F, 1.00F, 1.00F, 1.00F},
	{0.85F, 0.90F, 0.95F, 0.85F, 0.85F}, {0.65F, 0.50F, 0.70F, 0.40F, 0.00F},
};

static const char *const first_words[] = {
	"Copper",  "Amber",  "Quiet",  "Paper",   "Northern", "Velvet",   "Slow",    "Hollow",
	"Silver",  "Early",  "Winter", "Glass",   "Lantern",  "Drifting", "Salt",    "Cedar",
	"Distant", "Linen",  "Second", "Pale",    "Marble",   "Harbour",  "Feather", "Indigo",
	"Mossy",   "Golden", "Rainy",  "Coastal", "Dusty",
};

/* A prime number of words, as above: song_title() counts on it. Two are not ASCII, on purpose. */
static const char *const second_words[] = {
	"Dawn",  "Orbit",  "Meadow",  "Signal",  "Tide",      "Window",  "Carousel", "Garden",
	"Relay", "Valley", "Letter",  "Horizon", "Staircase", "Season",  "Café",     "Aurora",
	"River", "Atlas",  "Lullaby", "Fjäll",   "Antenna",   "Orchard", "Platform",
};

/* All that one piece is made from, chosen before its first note. */
struct plan {
	struct dice dice;
	const struct mode *mode;
	const int *progression;
	const int *arpeggio;
	int key; /* MIDI number of the keynote, around the middle of the keyboard */
	unsigned bars;
	int melody[MELODY_SLOTS]; /* degrees of the scale above the keynote, or NO_NOTE */
	bool shaker_in_sixteenths;
};

/* The pitch of a degree, which may lie above or below one octave. */
static int plan_pitch(const struct plan *plan, int degree)
{
	int octave = (degree + 70) / 7 - 10;

	return plan->key + 12 * octave + plan->mode->steps[(degree + 70) % 7];
}

static void song_add(struct song *song, struct note note)
{
	if (song->count < SONG_NOTES && note.at < song->length)
		song->notes[song->count++] = note;
}

/* A moment of a bar in frames, a few milliseconds off as a player's hand is. */
static uint32_t plan_moment(struct plan *plan, const struct song *song, unsigned bar, float beats)
{
	float exact = ((float)(bar * BEATS) + beats) * (float)song->beat;
	float late = dice_between(&plan->dice, 0.0F, 0.009F) * (float)SONG_RATE;

	return (uint32_t)(exact + late);
}

/* The tones of the chord on degree root, as degrees: minor chords get their seventh and major ones
 * their ninth, which keeps semitones from rubbing in close position. */
static void plan_chord(const struct plan *plan, int root, int tones[CHORD_TONES])
{
	bool minor = plan_pitch(plan, root + 2) - plan_pitch(plan, root) == 3;

	tones[0] = root;
	tones[1] = root + 2;
	tones[2] = root + 4;
	tones[3] = root + (minor ? 6 : 8);
}

static int plan_root(const struct plan *plan, unsigned bar)
{
	return plan->progression[bar % 4];
}

/* Each tone goes to the octave nearest the middle, so that chords follow one another closely. */
static void write_pad(struct plan *plan, struct song *song, unsigned bar)
{
	int tones[CHORD_TONES];

	plan_chord(plan, plan_root(plan, bar), tones);
	for (unsigned i = 0; i < CHORD_TONES; i++) {
		int pitch = plan_pitch(plan, tones[i]);

		while (pitch > 66)
			pitch -= 12;
		while (pitch < 55)
			pitch += 12;
		song_add(song, (struct note){.at = plan_moment(plan, song, bar, 0.0F),
					     .length = BEATS * song->beat,
					     .pitch = (float)pitch,
					     .level = dice_between(&plan->dice, 0.85F, 1.0F),
					     .pan = (float)i * 0.4F - 0.6F,
					     .instrument = INSTRUMENT_PAD});
	}
}

static void write_bass(struct plan *plan, struct song *song, unsigned bar, float level)
{
	int pitch = plan_pitch(plan, plan_root(plan, bar));

	while (pitch > 45)
		pitch -= 12;
	for (unsigned half = 0; half < 2; half++) {
		if (half && dice_chance(&plan->dice, 0.35F))
			continue;
		song_add(song, (struct note){.at = plan_moment(plan, song, bar, half ? 2.5F : 0.0F),
					     .length = song->beat * (half ? 1 : 2),
					     .pitch = (float)pitch,
					     .level = level * (half ? 0.7F : 1.0F),
					     .instrument = INSTRUMENT_BASS});
	}
}

static void write_pluck(struct plan *plan, struct song *song, unsigned bar, float level)
{
	int tones[CHORD_TONES];
	int ladder[6];

	plan_chord(plan, plan_root(plan, bar), tones);
	for (unsigned i = 0; i < COUNT_OF(ladder); i++)
		ladder[i] = plan_pitch(plan, tones[i % 3] + (i < 3 ? 0 : 7));
	for (unsigned i = 0; i < COUNT_OF(ladder); i++)
		ladder[i] += ladder[i] > 84 ? -12 : ladder[i] < 60 ? 12 : 0;
	for (unsigned i = 0; i < EIGHTHS; i++) {
		float accent = i % 4 == 0 ? 1.0F : 0.72F;

		if (i && dice_chance(&plan->dice, 0.14F))
			continue;
		song_add(song, (struct note){.at = plan_moment(plan, song, bar, (float)i * 0.5F),
					     .length = song->beat,
					     .pitch = (float)(ladder[plan->arpeggio[i]] +
							      (plan->key < 57 ? 12 : 0)),
					     .level = level * accent *
						      dice_between(&plan->dice, 0.8F, 1.0F),
					     .pan = dice_between(&plan->dice, -0.55F, 0.55F),
					     .instrument = INSTRUMENT_PLUCK});
	}
}

/* The melody is the same two bars each time, moved to the nearest tone of the chord where it falls
 * on a beat: what returns is heard as a tune, what was rolled anew each bar would not be. */
static void write_melody(struct plan *plan, struct song *song, unsigned bar, float level)
{
	int tones[CHORD_TONES];

	plan_chord(plan, plan_root(plan, bar), tones);
	for (unsigned i = 0; i < EIGHTHS; i++) {
		int degree = plan->melody[(bar % 2) * EIGHTHS + i];
		int best = 100;

		if (degree == NO_NOTE)
			continue;
		for (int t = 0; i % 2 == 0 && t < 3 * 5; t++) {
			int move = tones[t % 3] + 7 * (t / 3 - 2) - degree;

			if (abs(move) < abs(best))
				best = move;
		}
		if (best != 100)
			degree += best;
		song_add(song,
			 (struct note){.at = plan_moment(plan, song, bar, (float)i * 0.5F),
				       .length = song->beat * 2,
				       .pitch = (float)(plan_pitch(plan, degree) + 12),
				       .level = level * dice_between(&plan->dice, 0.75F, 1.0F),
				       .pan = dice_between(&plan->dice, -0.35F, 0.35F),
				       .instrument = INSTRUMENT_BELL});
	}
}

static void write_percussion(struct plan *plan, struct song *song, unsigned bar, float shaker,
			     float pulse)
{
	unsigned steps = plan->shaker_in_sixteenths ? 16 : 8;

	for (unsigned i = 0; i < steps && shaker > 0.0F; i++) {
		bool off_beat = i % (steps / 4) != 0;

		song_add(song, (struct note){.at = plan_moment(plan, song, bar,
							       (float)(i * BEATS) / (float)steps),
					     .pitch = off_beat ? 90.0F : 84.0F,
					     .level = shaker * (off_beat ? 0.9F : 0.5F) *
						      dice_between(&plan->dice, 0.5F, 1.0F),
					     .pan = off_beat ? 0.3F : -0.2F,
					     .instrument = INSTRUMENT_SHAKER});
	}
	for (unsigned i = 0; i < 2 && pulse > 0.0F; i++)
		song_add(song, (struct note){.at = plan_moment(plan, song, bar, i ? 2.0F : 0.0F),
					     .pitch = 33.0F,
					     .level = pulse * (i ? 0.75F : 1.0F),
					     .instrument = INSTRUMENT_PULSE});
}

/* Five to seven notes in two bars, walking by small steps through a five-note scale. */
static void plan_melody(struct plan *plan)
{
	static const int five[] = {0, 1, 2, 4, 5};
	int place = 5 + (int)dice_below(&plan->dice, 3);
	unsigned left = 5 + dice_below(&plan->dice, 3);

	for (unsigned i = 0; i < MELODY_SLOTS; i++) {
		unsigned slots = MELODY_SLOTS - i;

		plan->melody[i] = NO_NOTE;
		if (!dice_chance(&plan->dice, (float)left / (float)slots))
			continue;
		left--;
		plan->melody[i] = five[place % 5] + 7 * (place / 5 - 1);
		place += (int)dice_below(&plan->dice, 5) - 2;
		place = place < 2 ? 3 : place > 11 ? 10 : place;
	}
}

static void song_title(struct song *song, uint64_t seed, uint32_t number)
{
	struct dice dice = {seed};
	unsigned pairs = COUNT_OF(first_words) * COUNT_OF(second_words);
	unsigned pair = dice_below(&dice, pairs);
	unsigned stride = 1 + dice_below(&dice, pairs - 1);

	/* Without a divisor in common with the number of words, the stride meets each pair once
	 * before it meets any again. */
	while (stride % COUNT_OF(first_words) == 0 || stride % COUNT_OF(second_words) == 0)
		stride++;
	pair = (pair + number % pairs * stride) % pairs;
	snprintf(song->title, sizeof song->title, "Ringmain Demo - %s %s",
		 first_words[pair / COUNT_OF(second_words)],
		 second_words[pair % COUNT_OF(second_words)]);
}

static int note_compare(const void *left, const void *right)
{
	const struct note *a = left, *b = right;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->instrument != b->instrument)
		return a->instrument < b->instrument ? -1 : 1;
	return a->pitch != b->pitch ? (a->pitch < b->pitch ? -1 : 1) : 0;
}

void song_compose(struct song *song, uint64_t seed, uint32_t number)
{
	struct plan plan = {.dice = {seed ^ (number + 1) * 0xd1342543de82ef95u}};
	struct dice *dice = &plan.dice;
	unsigned tempo = 62 + dice_below(dice, 18);

	plan.mode = &modes[dice_below(dice, COUNT_OF(modes))];
	plan.progression = plan.mode->progressions[dice_below(dice, 3)];
	plan.arpeggio = arpeggios[dice_below(dice, COUNT_OF(arpeggios))];
	plan.key = 53 + (int)dice_below(dice, 9);
	plan.bars = tempo < 70 ? BARS_MAX - SECTION_BARS : BARS_MAX;
	plan.shaker_in_sixteenths = dice_chance(dice, 0.35F);
	plan_melody(&plan);

	song->beat = SONG_RATE * 60 / tempo;
	song->length = plan.bars * BEATS * song->beat;
	song->count = 0;
	song_title(song, seed, number);
	for (unsigned bar = 0; bar < plan.bars; bar++) {
		unsigned place = bar / SECTION_BARS;
		bool last = bar + SECTION_BARS >= plan.bars;
		const struct section *section = &sections[last ? COUNT_OF(sections) - 1 : place];

		write_pad(&plan, song, bar);
		write_bass(&plan, song, bar, section->bass);
		write_pluck(&plan, song, bar, section->pluck);
		if (section->melody > 0.0F)
			write_melody(&plan, song, bar, section->melody);
		write_percussion(&plan, song, bar, section->shaker, section->pulse);
	}
	qsort(song->notes, song->count, sizeof song->notes[0], note_compare);
}
