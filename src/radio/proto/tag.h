/* tag: finds the tags that files carry between audio frames, and how long they are.
 *
 * Encoders that send files as they are (and ffmpeg, at the start of each connection) put ID3v2,
 * ID3v1 and APE tags on the wire. They are for nobody here. Pure; does not read what a tag says. */
#pragma once

#include "radio/proto/cutting.h"

/* LOOK_YES: in begins with a tag of *size bytes, headers and footers included; most of it may lie
 * beyond in. Never LOOK_SHORT when in has TAG_LOOK_MAX bytes or more. */
#define TAG_LOOK_MAX 32u

enum look tag_look(struct bytes in, uint64_t *size);
