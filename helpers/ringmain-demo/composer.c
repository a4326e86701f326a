#include "composer.h"

#include <stdlib.h>

#include "song.h"
#include "synth.h"

struct composer {
	uint64_t seed;
	uint32_t number; /* of the piece that plays */
	uint32_t at;     /* frames of it that are rendered */
	uint32_t next;   /* its first note that is still to come */
	struct song song;
	struct synth synth;
};

static void composer_begin(struct composer *composer, uint32_t number)
{
	composer->number = number;
	composer->at = 0;
	composer->next = 0;
	song_compose(&composer->song, composer->seed, number);
	/* Three quarters of a beat: the echo falls between the notes of the arpeggio. */
	synth_set_echo(&composer->synth, composer->song.beat * 3 / 4);
}

struct composer *composer_create(uint64_t seed)
{
	struct composer *composer = calloc(1, sizeof *composer);

	if (!composer)
		return NULL;
	composer->seed = seed;
	synth_init(&composer->synth, seed);
	composer_begin(composer, 0);
	return composer;
}

void composer_destroy(struct composer *composer)
{
	free(composer);
}

void composer_render(struct composer *composer, float *out, size_t frames)
{
	struct song *song = &composer->song;

	for (size_t done = 0; done + SYNTH_BLOCK <= frames; done += SYNTH_BLOCK) {
		if (composer->at >= song->length)
			composer_begin(composer, composer->number + 1);
		while (composer->next < song->count &&
		       song->notes[composer->next].at < composer->at + SYNTH_BLOCK) {
			const struct note *note = &song->notes[composer->next++];

			synth_play(&composer->synth, note, note->at - composer->at);
		}
		synth_render(&composer->synth, out + 2 * done);
		composer->at += SYNTH_BLOCK;
	}
}

const char *composer_title(const struct composer *composer)
{
	return composer->song.title;
}

uint32_t composer_number(const struct composer *composer)
{
	return composer->number;
}

uint32_t composer_dropped(const struct composer *composer)
{
	return composer->synth.dropped;
}
