/* sfu_clip: a film of sfu.idle_clip, read from its file and judged.
 *
 * The bytes are the caller's to free; the clip points into them. Waits for the disk. Thread: any. */
#pragma once

#include "sfu/proto/clip.h"

/* NULL, or what is wrong, and *file is NULL then. rate: pictures a second of H.264. */
const char *clip_read(const char *path, unsigned rate, uint8_t **file, size_t *len,
		      struct clip *clip);
