/* slot_box: a directory of slots of one's own, and frames that say by themselves whether they are whole.
 *
 * Every word of a frame is made of its number, a salt (which writer it was) and the word's place, so that
 * one word of another frame is noticed. */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "fc_client.h"

/* More than any machine is busy for: of who is only slow nobody says that he gives no sign. */
#define SLOT_PATIENT_MS 600000

static char slot_box_dir[64];

static inline void slot_box_remove(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", slot_box_dir);
	CHECK(system(command) == 0);
}

/* In a tmpfs where there is one. FC_DIR names it from now on. */
static inline void slot_box_make(void)
{
	const char *base = getenv("FC_TEST_BASE");

	if (!base)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(slot_box_dir, sizeof slot_box_dir, "%s/fc-test-XXXXXX", base);
	CHECK(mkdtemp(slot_box_dir));
	CHECK(setenv("FC_DIR", slot_box_dir, 1) == 0);
}

/* The same for a group of tests. */
static inline int slot_box_setup(void **state)
{
	(void)state;
	slot_box_make();
	return 0;
}

static inline int slot_box_teardown(void **state)
{
	(void)state;
	slot_box_remove();
	return 0;
}

/* A child that does not outlive a test that fails. */
static inline pid_t slot_fork(void)
{
	pid_t child = fork();

	CHECK(child != -1);
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static inline uint64_t slot_word(uint64_t index, uint64_t salt, size_t i)
{
	uint64_t x = index * 0x9e3779b97f4a7c15u + salt * 0xc2b2ae3d27d4eb4fu + i;

	return (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
}

static inline void slot_fill(void *to, size_t size, uint64_t index, uint64_t salt)
{
	uint64_t *word = to;

	for (size_t i = 0; i < size / 8; i++)
		word[i] = slot_word(index, salt, i);
}

/* TSan is told that a torn frame is read on purpose. */
__attribute__((no_sanitize("thread"))) static inline bool slot_is(const void *at, size_t size,
								  uint64_t index, uint64_t salt)
{
	const uint64_t *word = at;

	for (size_t i = 0; i < size / 8; i++)
		if (word[i] != slot_word(index, salt, i))
			return false;
	return true;
}

static inline fc_config_t slot_config(uint32_t width, uint32_t height, uint32_t depth)
{
	return (fc_config_t){.width = width,
			     .height = height,
			     .fps_num = 60000,
			     .fps_den = 1001,
			     .ring_depth = depth};
}

static inline uint64_t slot_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void slot_nap_us(unsigned us)
{
	struct timespec nap = {us / 1000000, (long)(us % 1000000) * 1000};

	nanosleep(&nap, NULL);
}
