/* composer: music without end: one piece after the other, as a run of samples.
 *
 *     composer_render() ──▶ stereo samples, SONG_RATE a second, and the title they belong to
 *
 * A piece begins where the one before ends, whose last tones ring on: there is no gap and no step.
 * Everything follows from the seed. It allocates itself once; any thread, one at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct composer;

/* NULL when there is no memory. */
struct composer *composer_create(uint64_t seed);
void composer_destroy(struct composer *composer);

/* Writes frames (a multiple of SYNTH_BLOCK) of left and right in turn, each between -1 and 1. */
void composer_render(struct composer *composer, float *out, size_t frames);

/* Title of the piece that the last frame belongs to (UTF-8), and how many came before it. */
const char *composer_title(const struct composer *composer);
uint32_t composer_number(const struct composer *composer);

/* Notes that were not played because all voices were busy: none, if the instruments are right. */
uint32_t composer_dropped(const struct composer *composer);
