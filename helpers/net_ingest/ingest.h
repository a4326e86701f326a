/* ingest: sources, one after the other, become the frames of one slot.
 *
 *   input ─▶ pictures ─▶ held until their sound is there ─▶ timeline: which frame? ─▶ slot
 *         └▶ sound ────▶ held                                 └▶ its samples ──────────┘
 *
 * A source that goes is waited for: the slot says "no signal" meanwhile, its clock goes on, and the first
 * frame afterwards says "discontinuity". One of another shape makes a new slot of the same name. One thread;
 * decoders have their own. */
#pragma once

#include <signal.h>

#include "door.h"
#include "options.h"

/* Until *stopped, or the end. door: NULL, or where publishers come in. The exit status. */
int ingest_run(const struct options *options, struct door *door,
	       const volatile sig_atomic_t *stopped);
