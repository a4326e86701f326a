#include "synth.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define TURN_2PI   6.283185307F
#define RATE       ((float)SONG_RATE)
#define TABLE_BITS 11

/* Where an instrument stands in the mix. */
static const struct place {
	float gain, echo, hall;
} places[] = {
	[INSTRUMENT_PAD] = {0.150F, 0.00F, 0.45F},    [INSTRUMENT_PLUCK] = {0.520F, 0.30F, 0.30F},
	[INSTRUMENT_BELL] = {0.170F, 0.35F, 0.50F},   [INSTRUMENT_BASS] = {0.300F, 0.00F, 0.05F},
	[INSTRUMENT_SHAKER] = {0.085F, 0.06F, 0.12F}, [INSTRUMENT_PULSE] = {0.340F, 0.00F, 0.08F},
};

/* Lengths without common divisors, so that the hall's resonances do not pile up. */
static const uint32_t hall_delays[SYNTH_HALL] = {1427, 1637, 1871, 2053, 2297, 2549, 2791, 3089};

/* What the voices of one block add up in. */
struct mix {
	float dry[2][SYNTH_BLOCK];
	float echo[SYNTH_BLOCK];
	float hall[2][SYNTH_BLOCK];
};

static float noise_next(uint32_t *state)
{
	/* xorshift32 (Marsaglia 2003) */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return (float)(int32_t)*state / 2147483648.0F;
}

static float table_at(const float *table, uint32_t phase)
{
	uint32_t i = phase >> (32 - TABLE_BITS);
	float part = (float)(phase << TABLE_BITS) / 4294967296.0F;

	return table[i] + part * (table[i + 1] - table[i]);
}

static float pitch_hz(float pitch)
{
	return 440.0F * exp2f((pitch - 69.0F) / 12.0F);
}

static uint32_t hz_step(float hz)
{
	return (uint32_t)(hz / RATE * 4294967296.0F);
}

void synth_init(struct synth *synth, uint64_t seed)
{
	memset(synth, 0, sizeof *synth);
	synth->noise = (uint32_t)(seed ^ seed >> 32) | 1;
	synth->echo_delay = synth->echo_delay_old = SONG_RATE / 2;
	for (unsigned i = 0; i <= 2048; i++) {
		float turn = TURN_2PI * (float)i / 2048.0F;

		synth->sine[i] = sinf(turn);
		/* Ten harmonics that fall faster than a saw's: warm, and below half the sample rate
		 * for every pad note. */
		for (unsigned n = 1; n <= 10; n++)
			synth->soft[i] += sinf(turn * (float)n) / powf((float)n, 1.45F) * 0.7F;
	}
}

void synth_set_echo(struct synth *synth, uint32_t frames)
{
	synth->echo_delay_old = synth->echo_delay;
	synth->echo_delay = frames < SYNTH_ECHO ? frames : SYNTH_ECHO - 1;
	synth->echo_fade = 1.0F;
}

/* A string is a delay line filled with soft noise (Karplus and Strong 1983). What its whole length
 * lacks to the pitch, an allpass adds (Jaffe and Smith 1983). */
static void string_init(struct synth *synth, struct voice *voice, float hz)
{
	float period = RATE / hz - 0.5F; /* the averaging of string_next() is half a frame */
	float smooth = 0.0F, mean = 0.0F, part;

	if (period > (float)SYNTH_STRING - 2.0F)
		period = (float)SYNTH_STRING - 2.0F;
	voice->string_len = (uint32_t)(period - 0.1F);
	part = period - (float)voice->string_len;
	voice->string_tune = (1.0F - part) / (1.0F + part);
	for (uint32_t i = 0; i < voice->string_len; i++) {
		smooth += 0.32F * (noise_next(&synth->noise) - smooth);
		voice->string[i] = smooth;
		mean += smooth / (float)voice->string_len;
	}
	for (uint32_t i = 0; i < voice->string_len; i++)
		voice->string[i] -= mean;
	/* Loses as much in each turn as brings it to a thousandth in about two seconds. */
	voice->envelope2 = powf(0.001F, period / (RATE * 2.3F));
}

static float string_next(struct voice *voice)
{
	uint32_t at = voice->string_at;
	uint32_t next = at + 1 < voice->string_len ? at + 1 : 0;
	float out = voice->string[at];
	float mean = 0.5F * (out + voice->string[next]) * voice->envelope2;
	float tuned = voice->string_tune * (mean - voice->filter[1]) + voice->string_last;

	voice->string_last = mean;
	voice->filter[1] = tuned;
	voice->string[at] = tuned;
	voice->string_at = next;
	return out;
}

void synth_play(struct synth *synth, const struct note *note, uint32_t delay)
{
	static const float detune[][3] = {
		[INSTRUMENT_PAD] = {0.9975F, 1.0028F, 0.5F},
		[INSTRUMENT_BELL] = {1.0F, 3.51F, 2.0F},
		[INSTRUMENT_BASS] = {1.0F, 2.0F, 1.0F},
		[INSTRUMENT_PULSE] = {1.0F, 1.0F, 1.0F},
		[INSTRUMENT_PLUCK] = {1.0F, 1.0F, 1.0F},
		[INSTRUMENT_SHAKER] = {1.0F, 1.0F, 1.0F},
	};
	struct voice *voice = NULL;
	float hz = pitch_hz(note->pitch);

	for (unsigned i = 0; i < SYNTH_VOICES && !voice; i++)
		if (!synth->voices[i].busy)
			voice = &synth->voices[i];
	if (!voice) {
		synth->dropped++;
		return;
	}
	memset(voice, 0, offsetof(struct voice, string));
	voice->busy = true;
	voice->note = *note;
	voice->age = 0u - delay; /* counts up to its first frame */
	(void)noise_next(&synth->noise);
	voice->noise = synth->noise;
	for (unsigned i = 0; i < 3; i++)
		voice->step[i] = hz_step(hz * detune[note->instrument][i]);
	if (note->instrument == INSTRUMENT_PAD)
		for (unsigned i = 0; i < 3; i++)
			voice->phase[i] = synth->noise * (2 * i + 1);
	if (note->instrument == INSTRUMENT_PLUCK)
		string_init(synth, voice, hz);
	voice->envelope = note->instrument == INSTRUMENT_PAD ? 0.0F : 1.0F;
}

/* Each voice_… gives its next sample and says, by busy, whether there are more. */

static float voice_pad(const struct synth *synth, struct voice *v)
{
	float sway = table_at(synth->sine, v->age * 21000u + v->phase[2]);
	float goal = v->age < v->note.length ? 1.0F : 0.0F;
	float bright = 0.075F + 0.060F * v->envelope + 0.02F * sway;
	float raw = table_at(synth->soft, v->phase[0]) + table_at(synth->soft, v->phase[1]);

	v->envelope += (goal - v->envelope) * (goal > 0.0F ? 3.2e-5F : 2.2e-5F);
	if (goal <= 0.0F && v->envelope < 0.0006F)
		v->busy = false;
	v->filter[0] += bright * (raw - v->filter[0]);
	v->filter[1] += bright * (v->filter[0] - v->filter[1]);
	return v->filter[1] * v->envelope;
}

static float voice_pluck(struct voice *v)
{
	float attack = v->age < 90 ? (float)v->age / 90.0F : 1.0F;

	if (v->age > SONG_RATE * 3)
		v->busy = false;
	/* The last tenth of a second fades, so that no string ends in a step. */
	if (v->age > SONG_RATE * 29 / 10)
		v->envelope *= 0.9985F;
	return string_next(v) * v->envelope * attack;
}

/* Two sines, the second bending the first's phase (Chowning 1973): the bend dies away sooner. */
static float voice_bell(const struct synth *synth, struct voice *v)
{
	float attack = v->age < 160 ? (float)v->age / 160.0F : 1.0F;
	float bend = table_at(synth->sine, v->phase[1]) * v->envelope * v->envelope * 0.16F;
	uint32_t phase = v->phase[0] + (uint32_t)(int32_t)(bend * 2147483648.0F);

	v->envelope *= 0.99994F;
	if (v->envelope < 0.0006F)
		v->busy = false;
	return table_at(synth->sine, phase) * v->envelope * attack;
}

static float voice_bass(const struct synth *synth, struct voice *v)
{
	float attack = v->age < 900 ? (float)v->age / 900.0F : 1.0F;

	v->envelope *= v->age < v->note.length ? 0.99999F : 0.9997F;
	if (v->envelope < 0.0006F)
		v->busy = false;
	return (table_at(synth->sine, v->phase[0]) + 0.28F * table_at(synth->sine, v->phase[1])) *
	       v->envelope * attack;
}

/* Noise between about 4 and 10 kHz, shaped as a grain falling. */
static float voice_shaker(struct voice *v)
{
	float attack = v->age < 350 ? (float)v->age / 350.0F : 1.0F;
	float raw = noise_next(&v->noise);

	v->envelope *= 0.9989F;
	if (v->envelope < 0.0006F)
		v->busy = false;
	v->filter[0] += 0.62F * (raw - v->filter[0]);
	v->filter[1] += 0.40F * (v->filter[0] - v->filter[1]);
	return (v->filter[0] - v->filter[1]) * v->envelope * attack;
}

static float voice_pulse(const struct synth *synth, struct voice *v)
{
	float attack = v->age < 130 ? (float)v->age / 130.0F : 1.0F;

	/* The pitch falls from an octave above to its own, which the ear takes for the stroke. */
	v->phase[0] += (uint32_t)((float)v->step[0] * v->envelope * v->envelope);
	v->envelope *= 0.99984F;
	if (v->envelope < 0.0006F)
		v->busy = false;
	return table_at(synth->sine, v->phase[0]) * v->envelope * attack;
}

static float voice_next(const struct synth *synth, struct voice *voice)
{
	float sample = 0.0F;

	switch (voice->note.instrument) {
	case INSTRUMENT_PAD: sample = voice_pad(synth, voice); break;
	case INSTRUMENT_PLUCK: sample = voice_pluck(voice); break;
	case INSTRUMENT_BELL: sample = voice_bell(synth, voice); break;
	case INSTRUMENT_BASS: sample = voice_bass(synth, voice); break;
	case INSTRUMENT_SHAKER: sample = voice_shaker(voice); break;
	case INSTRUMENT_PULSE: sample = voice_pulse(synth, voice); break;
	}
	for (unsigned i = 0; i < 3; i++)
		voice->phase[i] += voice->step[i];
	voice->age++;
	return sample;
}

static void voice_render(const struct synth *synth, struct voice *voice, struct mix *mix)
{
	const struct place *place = &places[voice->note.instrument];
	float angle = (voice->note.pan + 1.0F) * TURN_2PI / 8.0F;
	float left = cosf(angle), right = sinf(angle);
	unsigned i = 0;

	while ((int32_t)voice->age < 0 && i < SYNTH_BLOCK) {
		voice->age++;
		i++;
	}
	for (; i < SYNTH_BLOCK && voice->busy; i++) {
		float sample = voice_next(synth, voice) * voice->note.level * place->gain;

		mix->dry[0][i] += sample * left;
		mix->dry[1][i] += sample * right;
		mix->echo[i] += sample * place->echo;
		mix->hall[0][i] += sample * left * place->hall;
		mix->hall[1][i] += sample * right * place->hall;
	}
}

/* What leaves one side comes back, softer and duller, from the other. */
static void echo_render(struct synth *s, struct mix *mix)
{
	for (unsigned i = 0; i < SYNTH_BLOCK; i++) {
		uint32_t at = s->echo_at;
		float heard[2];

		for (unsigned side = 0; side < 2; side++) {
			float now = s->echo[side][(at - s->echo_delay) % SYNTH_ECHO];
			float old = s->echo[side][(at - s->echo_delay_old) % SYNTH_ECHO];

			heard[side] = now + (old - now) * s->echo_fade;
			s->echo_damp[side] += 0.35F * (heard[side] - s->echo_damp[side]);
			mix->dry[side][i] += heard[side];
			mix->hall[side][i] += heard[side] * 0.25F;
		}
		s->echo[0][at % SYNTH_ECHO] = mix->echo[i] + s->echo_damp[1] * 0.42F;
		s->echo[1][at % SYNTH_ECHO] = s->echo_damp[0] * 0.62F;
		s->echo_fade = s->echo_fade > 0.0001F ? s->echo_fade - 0.0001F : 0.0F;
		s->echo_at++;
	}
}

/* A feedback delay network: eight lines, mixed by a Householder matrix, which loses nothing by
 * itself (Jot 1991); what is lost is the damping's. */
static void hall_render(struct synth *s, struct mix *mix)
{
	for (unsigned i = 0; i < SYNTH_BLOCK; i++) {
		float sum = 0.0F, wet[2] = {0.0F, 0.0F};

		for (unsigned n = 0; n < SYNTH_HALL; n++) {
			float out = s->hall[n][(s->hall_at - hall_delays[n]) % SYNTH_HALL_LINE];

			s->hall_damp[n] += 0.45F * (out - s->hall_damp[n]);
			sum += s->hall_damp[n];
			wet[n % 2] += n % 4 < 2 ? out : -out;
		}
		for (unsigned n = 0; n < SYNTH_HALL; n++)
			s->hall[n][s->hall_at % SYNTH_HALL_LINE] =
				mix->hall[n % 2][i] + 0.88F * (s->hall_damp[n] - sum * 0.25F);
		s->hall_at++;
		mix->dry[0][i] += wet[0] * 0.32F;
		mix->dry[1][i] += wet[1] * 0.32F;
	}
}

/* Leaves what is quiet as it is and bends what is loud towards 0.9: nothing is ever cut off. */
static float limit(float x)
{
	const float knee = 0.5F, room = 0.4F;
	float over = fabsf(x) - knee;

	if (over <= 0.0F)
		return x;
	return copysignf(knee + room * over / (room + over), x);
}

void synth_render(struct synth *synth, float out[2 * SYNTH_BLOCK])
{
	struct mix mix = {0};

	for (unsigned i = 0; i < SYNTH_VOICES; i++)
		if (synth->voices[i].busy)
			voice_render(synth, &synth->voices[i], &mix);
	echo_render(synth, &mix);
	hall_render(synth, &mix);
	for (unsigned i = 0; i < SYNTH_BLOCK; i++)
		for (unsigned side = 0; side < 2; side++) {
			float sample = mix.dry[side][i];

			synth->dc[side] += 0.002F * (sample - synth->dc[side]);
			out[2 * i + side] = limit(0.85F * (sample - synth->dc[side]));
		}
}
