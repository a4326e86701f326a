/* voice_ear: packets out of order, twice, lost: what is heard has its place and its length. */
#include "voice_ear.h"

#include <math.h>
#include <stdlib.h>

#include "core/check.h"
#include "guarded.h"

#define FRAME (EAR_TICK * 2)

static OpusEncoder *encoder;

/* 20 ms of a tone, as a packet. */
static struct voice_packet tone(uint32_t session, uint64_t frame, bool last, uint8_t *opus)
{
	float pcm[FRAME];
	int len;

	for (size_t i = 0; i < FRAME; i++)
		pcm[i] = 0.5f * sinf((float)(frame * EAR_TICK + i) * 0.06f);
	len = opus_encode_float(encoder, pcm, FRAME, opus, 400);
	assert_true(len > 0);
	return (struct voice_packet){.codec = VOICE_OPUS,
				     .session = session,
				     .frame = frame,
				     .last = last,
				     .payload = bytes_of(opus, (size_t)len)};
}

static bool is_loud(const float *pcm)
{
	float sum = 0;

	for (size_t i = 0; i < EAR_TICK; i++)
		sum += pcm[i] * pcm[i];
	return sum > 1;
}

/* Ticks in which something is heard. */
static unsigned loud_ticks(struct voice_ear *ear, unsigned ticks, unsigned *first)
{
	unsigned count = 0;

	*first = ticks;
	for (unsigned i = 0; i < ticks; i++) {
		float out[EAR_TICK];

		voice_ear_mix(ear, out, NULL, NULL);
		if (!is_loud(out))
			continue;
		if (count++ == 0)
			*first = i;
	}
	return count;
}

static void hear_all(struct voice_ear *ear, const unsigned *order, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t opus[400];
		struct voice_packet packet = tone(5, order[i] * 2, order[i] == 9, opus);

		voice_ear_hear(ear, &packet);
	}
}

static void test_in_whatever_order_they_come_it_is_one_speech(void **state)
{
	static const unsigned orders[][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
					      {1, 0, 3, 2, 5, 4, 7, 6, 9, 8},
					      {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
					      {0, 1, 2, 2, 2, 3, 4, 5, 6, 7}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		static struct voice_ear ear;
		unsigned first, count;

		hear_all(&ear, orders[i], 10);
		if (i == 3)
			hear_all(&ear, (const unsigned[]){8, 9}, 2);
		count = loud_ticks(&ear, 60, &first);
		assert_in_range(count, 18, 20);
		assert_in_range(first, EAR_DELAY, EAR_DELAY + 2);
		assert_int_equal(ear.speakers[0]->made_up, 0);
		assert_int_equal(ear.speakers[0]->late, 0);
		voice_ear_fini(&ear);
	}
}

static void test_what_is_missing_is_made_up_and_moves_nothing(void **state)
{
	static struct voice_ear ear;
	unsigned first;

	(void)state;
	hear_all(&ear, (const unsigned[]){0, 1, 2, 3, 5, 6, 7, 8, 9}, 9);
	assert_in_range(loud_ticks(&ear, 60, &first), 17, 20);
	assert_int_equal(ear.speakers[0]->made_up, 2);
	voice_ear_fini(&ear);
}

static void test_what_comes_too_late_is_counted(void **state)
{
	static struct voice_ear ear;
	uint8_t opus[400];
	struct voice_packet packet;
	unsigned first;

	(void)state;
	hear_all(&ear, (const unsigned[]){0, 2, 3, 4}, 4);
	loud_ticks(&ear, EAR_DELAY + 6, &first);
	packet = tone(5, 2, false, opus);
	assert_false(voice_ear_hear(&ear, &packet));
	assert_int_equal(ear.speakers[0]->late, 1);
	voice_ear_fini(&ear);
}

static void test_rubbish_is_silence(void **state)
{
	static struct voice_ear ear;
	struct voice_packet packet = {
		.codec = VOICE_OPUS, .session = 1, .payload = BYTES("\xff\xff\xff")};
	unsigned first;

	(void)state;
	assert_true(voice_ear_hear(&ear, &packet));
	packet.payload.len = 0;
	assert_false(voice_ear_hear(&ear, &packet));
	packet.codec = VOICE_SPEEX;
	packet.payload.len = 3;
	assert_false(voice_ear_hear(&ear, &packet));
	loud_ticks(&ear, 100, &first);
	assert_false(ear.speakers[0]->speaking);
	voice_ear_fini(&ear);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_whatever_order_they_come_it_is_one_speech),
		cmocka_unit_test(test_what_is_missing_is_made_up_and_moves_nothing),
		cmocka_unit_test(test_what_comes_too_late_is_counted),
		cmocka_unit_test(test_rubbish_is_silence),
	};
	int error;

	encoder = opus_encoder_create(EAR_RATE, 1, OPUS_APPLICATION_VOIP, &error);
	if (!encoder)
		return 1;
	error = cmocka_run_group_tests(tests, NULL, NULL);
	opus_encoder_destroy(encoder);
	return error;
}
