/* command: a feed's command line, written once and filled in for each run.
 *
 *     ffmpeg -y {input} -c:v libx264 ?-c:a ?aac {out}/{slot}-{name}-{run}.mp4
 *
 * Words are separated by blanks; '…', "…" and \ keep them together; no shell has a say. {input} becomes the
 * words that tell ffmpeg what comes through its pipes. A word that begins with ? is left out where the slot
 * has no sound. What is filled in never makes a word into two. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fc_client.h"

#define COMMAND_WORDS 256

struct command_values {
	const char *slot, *name, *out;
	unsigned run;
	bool raw; /* bare pictures on pipe:0 and samples on pipe:3, instead of NUT on pipe:0 */
	const fc_info_t *info;
};

struct command {
	char *words[COMMAND_WORDS + 1]; /* ends with NULL */
	size_t count;
	char text[16384]; /* where they lie */
	size_t used;
};

/* False: fault says what is wrong with it. */
bool command_fill(struct command *command, const char *template,
		  const struct command_values *values, char *fault, size_t size);
