/* What the demo plays: the same for the same seed, at a sane level, without gaps or steps. */
#include "guarded.h"

#include <math.h>
#include <stdlib.h>

#include "composer.h"
#include "song.h"
#include "synth.h"

#define SECOND (SONG_RATE / SYNTH_BLOCK * SYNTH_BLOCK)

static float *rendered(uint64_t seed, size_t frames, size_t turn)
{
	float *pcm = calloc(2 * frames, sizeof *pcm);
	struct composer *composer = composer_create(seed);

	assert_non_null(pcm);
	assert_non_null(composer);
	for (size_t done = 0; done < frames; done += turn)
		composer_render(composer, pcm + 2 * done,
				turn < frames - done ? turn : frames - done);
	composer_destroy(composer);
	return pcm;
}

static void seed_decides_all(void **state)
{
	const size_t frames = 6 * SECOND, bytes = 2 * frames * sizeof(float);
	float *a = rendered(7, frames, frames);
	float *same = rendered(7, frames, frames);
	float *in_pieces = rendered(7, frames, 3 * SYNTH_BLOCK);
	float *other = rendered(8, frames, frames);

	(void)state;
	assert_memory_equal(a, same, bytes);
	assert_memory_equal(a, in_pieces, bytes);
	assert_true(memcmp(a, other, bytes) != 0);
	free(a);
	free(same);
	free(in_pieces);
	free(other);
}

/* Level in dBFS. */
static double level_of(const float *pcm, size_t samples, float *peak)
{
	double sum = 0.0;

	for (size_t i = 0; i < samples; i++) {
		assert_true(isfinite(pcm[i]));
		sum += (double)pcm[i] * (double)pcm[i];
		*peak = fmaxf(*peak, fabsf(pcm[i]));
	}
	return 10.0 * log10(sum / (double)samples + 1e-12);
}

static void level_in_bounds(void **state)
{
	float pcm[2 * SYNTH_BLOCK * 10];

	(void)state;
	for (uint64_t seed = 100; seed < 102; seed++) {
		struct composer *composer = composer_create(seed);
		double sum = 0.0;
		unsigned blocks = 0;
		float peak = 0.0F;
		double second = 0.0;

		assert_non_null(composer);
		for (; composer_number(composer) < 1; blocks++) {
			composer_render(composer, pcm, 10 * SYNTH_BLOCK);
			double level = level_of(pcm, sizeof pcm / sizeof pcm[0], &peak);

			sum += pow(10.0, level / 10.0);
			second += pow(10.0, level / 10.0) / 69.0;
			if (blocks % 69 == 68) { /* a second: never silent, never shouting */
				assert_true(second > pow(10.0, -2.6) && second < pow(10.0, -1.0));
				second = 0.0;
			}
		}
		sum = 10.0 * log10(sum / blocks);
		if (sum < -20.0 || sum > -14.0 || peak > 0.9F)
			fail_msg("seed %lu: %.1f dBFS, peak %.2f", (unsigned long)seed, sum,
				 (double)peak);
		assert_int_equal(composer_dropped(composer), 0);
		composer_destroy(composer);
	}
}

/* The first frames of a piece follow the last ones of the piece before as smoothly as any others:
 * a step would bend the curve far more than the music around it does. */
static void piece_border_without_step(void **state)
{
	struct composer *composer = composer_create(3);
	float pcm[2 * SYNTH_BLOCK];
	float before = 0.0F, at_border = 0.0F, last[2] = {0.0F, 0.0F};
	unsigned left = 3;

	(void)state;
	assert_non_null(composer);
	while (left > 0) {
		composer_render(composer, pcm, SYNTH_BLOCK);
		if (composer_number(composer) == 1)
			left--;
		for (unsigned i = 0; i < SYNTH_BLOCK; i++) {
			float bend = fabsf(pcm[2 * i] - 2.0F * last[0] + last[1]);

			if (composer_number(composer) == 1)
				at_border = fmaxf(at_border, bend);
			else
				before = fmaxf(before, bend);
			last[1] = last[0];
			last[0] = pcm[2 * i];
		}
	}
	assert_true(at_border < before * 0.5F);
	assert_true(before < 0.6F);
	composer_destroy(composer);
}

static int text_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void pieces_in_bounds(void **state)
{
	static struct song song;
	static char titles[667][sizeof song.title];

	(void)state;
	for (uint32_t number = 0; number < 667; number++) {
		song_compose(&song, 42, number);
		assert_in_range(song.length, 60 * SONG_RATE, 90 * SONG_RATE);
		assert_in_range(song.count, 200, SONG_NOTES - 1);
		for (uint32_t i = 0; i < song.count; i++) {
			const struct note *note = &song.notes[i];

			assert_true(i == 0 || song.notes[i - 1].at <= note->at);
			assert_true(note->at < song.length);
			assert_true(note->pitch >= 28.0F && note->pitch <= 96.0F);
			assert_true(note->level > 0.0F && note->level <= 1.0F);
			assert_true(note->pan >= -1.0F && note->pan <= 1.0F);
		}
		strcpy(titles[number], song.title);
	}
	qsort(titles, 667, sizeof titles[0], text_compare);
	for (unsigned i = 1; i < 667; i++)
		assert_string_not_equal(titles[i - 1], titles[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_decides_all),
		cmocka_unit_test(level_in_bounds),
		cmocka_unit_test(piece_border_without_step),
		cmocka_unit_test(pieces_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
