/* voice_oracle: payloads that can be told apart, and whether each came once, whole and in order.
 *
 *     0       4      8         12     16       24      32
 *     +-------+------+---------+------+--------+-------+------ … ------+--------+
 *     | magic | run  | speaker | kind | number | sent  | pseudo-random |  hash  |
 *     +-------+------+---------+------+--------+-------+------ … ------+--------+
 *
 * Integers are little-endian; the hash is over all before it, the length is the speaker's and the
 * number's. One ear for each hearer and speaker. Pure: no allocation. */
#pragma once

#include "core/bytes.h"

#define ORACLE_LEAST 48u
#define ORACLE_MOST  900u

enum oracle_kind { ORACLE_SAID, ORACLE_MUTED /* nobody may hear it */ };

struct oracle_payload {
	uint32_t run, speaker;
	enum oracle_kind kind;
	uint64_t number;
	int64_t sent_us;
};

/* Into out, which has ORACLE_MOST bytes. size is the least, and up to vary bytes come on top. */
struct bytes voice_oracle_write(const struct oracle_payload *payload, size_t size, size_t vary,
				uint8_t *out);

/* False: not one bit for bit. */
bool voice_oracle_read(struct bytes in, size_t size, size_t vary, struct oracle_payload *payload);

struct voice_ear {
	uint64_t next; /* number */
	uint64_t seen; /* bit n: next - 1 - n was here */
	uint64_t heard, lost, twice, swapped, lost_excused;
	bool excused; /* the next gap is our own doing */
};

void voice_ear_take(struct voice_ear *ear, uint64_t number);

/* All up to this number were said: those that are not here are lost. */
void voice_ear_end(struct voice_ear *ear, uint64_t said);
