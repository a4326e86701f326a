/* record_name: what files of a room's recording are called, and whose a file is.
 *
 *   room "sh-w" ◀──▶ "sh%2Dw" -20260102-030405[-2].mkv
 *
 * Rooms with other names have other names here, and none means anything to a shell or a directory. Pure. */
#pragma once

#include "core/bytes.h"

#define RECORD_NAME_MAX 220u /* of the 255 bytes that a name may have */

/* What all of them look like, for glob(7). */
#define RECORD_NAME_DIGITS2 "[0-9][0-9]"
#define RECORD_NAME_STAMP                                                                   \
	"-" RECORD_NAME_DIGITS2 RECORD_NAME_DIGITS2 RECORD_NAME_DIGITS2 RECORD_NAME_DIGITS2 \
	"-" RECORD_NAME_DIGITS2 RECORD_NAME_DIGITS2 RECORD_NAME_DIGITS2
#define RECORD_NAME_GLOB RECORD_NAME_STAMP "*.mkv"

void record_name_write(const char *room, char out[RECORD_NAME_MAX + 1]);

/* The room of such a file; of one whose name was too long its beginning and three dots. False: it is none. */
bool record_name_room(struct bytes file, char out[RECORD_NAME_MAX + 4]);
