/* irc_index: things with a name, found by it: open addressing with linear probing, at most three quarters
 * full, grown by doubling. Names are compared by a casemapping that is the same for all of an index.
 *
 * Owns the places, not the things. Thread: the worker's. */
#pragma once

#include "core/check.h"
#include "irc/proto/irc_name.h"

struct irc_named {
	uint32_t hash;
	uint32_t len;
	const char *name; /* NUL-terminated */
};

static inline struct bytes irc_named_bytes(const struct irc_named *named)
{
	return bytes_of(named->name, named->len);
}

struct irc_index {
	struct irc_named **slot;
	uint32_t size, used;
};

void irc_index_fini(struct irc_index *index);
struct irc_named *irc_index_find(const struct irc_index *index, enum irc_casemap map,
				 struct bytes name);

/* Fills in hash and len. False: no memory. */
MUST_CHECK bool irc_index_put(struct irc_index *index, enum irc_casemap map,
			      struct irc_named *named);
void irc_index_drop(struct irc_index *index, struct irc_named *named);

/* Hashes all anew: the casemapping is another one. */
void irc_index_rehash(struct irc_index *index, enum irc_casemap map);

/* Each in turn, from *at = 0 on; NULL at the end. Nothing may be put or dropped meanwhile. */
struct irc_named *irc_index_next(const struct irc_index *index, uint32_t *at);
