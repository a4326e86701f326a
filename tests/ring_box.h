/* ring_box: a ring in a memfd for tests, and payloads that can be told from any others.
 *
 * The bytes of a payload follow from its record's seq and a salt (the writer's epoch, say), so
 * that who reads it, in whichever process, knows what they must be. */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/ring.h"
#include "random.h"

/* The memfd of a new ring. It and the views are the caller's. */
static inline int ring_box(uint64_t data_size, uint32_t entry_count)
{
	struct ring_shape shape = {data_size, entry_count};
	int fd = memfd_create("ring-box", MFD_CLOEXEC);

	CHECK(fd != -1 && ring_file_size(&shape) != 0);
	CHECK(ftruncate(fd, (off_t)ring_file_size(&shape)) == 0);
	CHECK(ring_format(fd, 0, &shape) == 0);
	return fd;
}

static inline struct ring ring_view(int fd, bool writable)
{
	struct ring ring;

	CHECK(ring_open(&ring, fd, 0, writable) == 0);
	return ring;
}

static inline uint64_t payload_word(uint64_t seq, uint64_t salt, size_t i)
{
	return (seq + i * 0x10001) * 0x9e3779b97f4a7c15ull ^ salt * 0x94d049bb133111ebull;
}

static inline struct bytes payload_fill(uint8_t *buf, size_t len, uint64_t seq, uint64_t salt)
{
	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = payload_word(seq, salt, at / 8);

		memcpy(buf + at, &word, len - at < 8 ? len - at : 8);
	}
	return bytes_of(buf, len);
}

static inline bool payload_is(struct bytes in, uint64_t seq, uint64_t salt)
{
	bool same = true;

	for (size_t at = 0; at < in.len; at += 8) {
		uint64_t word = payload_word(seq, salt, at / 8), got = 0;
		size_t n = in.len - at < 8 ? in.len - at : 8;

		memcpy(&got, in.at + at, n);
		same &= n == 8 ? got == word : memcmp(&got, &word, n) == 0;
	}
	return same;
}

/* Publishes len bytes that follow from seq and salt, with salt in word[0]. The wake bits. */
static inline uint64_t ring_put(struct ring *ring, uint8_t *buf, size_t len, uint64_t salt)
{
	struct record record = {.flags = RECORD_KEY, .word = {salt, ~salt}};
	uint64_t wake;

	CHECK(ring_publish(ring, &record, payload_fill(buf, len, ring->next_seq, salt), &wake) ==
	      0);
	return wake;
}
