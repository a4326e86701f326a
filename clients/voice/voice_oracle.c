#include "voice_oracle.h"

#define MAGIC 0x72766f69u
#define HEAD  32u
#define TAIL  8u

static void put(uint8_t *at, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t seed_of(const struct oracle_payload *p)
{
	return mix(p->number ^ mix((uint64_t)p->run << 32 | p->speaker));
}

static size_t len_of(const struct oracle_payload *p, size_t size, size_t vary)
{
	size_t len = size + (vary ? (size_t)(seed_of(p) % (vary + 1)) : 0);

	return len < ORACLE_LEAST ? ORACLE_LEAST : len > ORACLE_MOST ? ORACLE_MOST : len;
}

static uint64_t hash_of(const uint8_t *at, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; len >= 8; at += 8, len -= 8)
		hash = mix(hash ^ get(at, 8));
	return mix(hash ^ get(at, len) ^ (uint64_t)len << 56);
}

struct bytes voice_oracle_write(const struct oracle_payload *p, size_t size, size_t vary,
				uint8_t *out)
{
	size_t len = len_of(p, size, vary);
	uint64_t state = seed_of(p);

	put(out, MAGIC, 4);
	put(out + 4, p->run, 4);
	put(out + 8, p->speaker, 4);
	put(out + 12, p->kind, 4);
	put(out + 16, p->number, 8);
	put(out + 24, (uint64_t)p->sent_us, 8);
	for (size_t i = HEAD; i < len - TAIL; i += 8) {
		state = mix(state + UINT64_C(0x9e3779b97f4a7c15));
		put(out + i, state, len - TAIL - i < 8 ? len - TAIL - i : 8);
	}
	put(out + len - TAIL, hash_of(out, len - TAIL), TAIL);
	return bytes_of(out, len);
}

bool voice_oracle_read(struct bytes in, size_t size, size_t vary, struct oracle_payload *p)
{
	uint8_t expected[ORACLE_MOST];

	if (in.len < ORACLE_LEAST || in.len > ORACLE_MOST || get(in.at, 4) != MAGIC)
		return false;
	p->run = (uint32_t)get(in.at + 4, 4);
	p->speaker = (uint32_t)get(in.at + 8, 4);
	p->kind = get(in.at + 12, 4) == ORACLE_MUTED ? ORACLE_MUTED : ORACLE_SAID;
	p->number = get(in.at + 16, 8);
	p->sent_us = (int64_t)get(in.at + 24, 8);
	/* Made again from what it says of itself: the hash guards the head, this the rest. */
	return bytes_equal(in, voice_oracle_write(p, size, vary, expected));
}

void voice_ear_take(struct voice_ear *ear, uint64_t number)
{
	uint64_t ahead = number - ear->next, behind = ear->next - 1 - number;

	if (number >= ear->next) {
		if (ear->excused)
			ear->lost_excused += ahead;
		else
			ear->lost += ahead;
		ear->excused = false;
		ear->seen = ahead < 63 ? ear->seen << (ahead + 1) | 1 : 1;
		ear->next = number + 1;
		ear->heard++;
	} else if (behind < 64 && !(ear->seen & UINT64_C(1) << behind)) {
		ear->seen |= UINT64_C(1) << behind;
		ear->heard++;
		ear->swapped++;
		if (ear->lost)
			ear->lost--;
	} else {
		ear->twice++;
	}
}

void voice_ear_end(struct voice_ear *ear, uint64_t said)
{
	if (said <= ear->next)
		return;
	if (ear->excused)
		ear->lost_excused += said - ear->next;
	else
		ear->lost += said - ear->next;
	ear->next = said;
}
