/* rights: what somebody may do: a rank, and the mounts that it holds for. Pure.
 *
 *   NONE < DJ (titles and encoders of his mounts) < OPERATOR (the station) < ADMIN (the server) */
#pragma once

#include "core/bytes.h"

enum rank { RANK_NONE, RANK_DJ, RANK_OPERATOR, RANK_ADMIN };

#define RIGHTS_MOUNTS_SIZE 512u

struct rights {
	enum rank rank;
	char mounts[RIGHTS_MOUNTS_SIZE]; /* names and patterns (/events/…*) apart by blanks */
};

/* "none" "dj" "operator" "admin" */
const char *rank_name(enum rank rank);
bool rank_of_name(struct bytes name, enum rank *rank);

/* All mounts: a pattern "*", or, from OPERATOR on, none named. */
bool rights_hold_everywhere(const struct rights *rights);

/* Whether somebody with these rights may do what needs this rank; on a mount, or, when it is empty,
 * on the server as a whole: then who is confined to mounts may do no more than a DJ. */
bool rights_allow(const struct rights *rights, enum rank rank, struct bytes mount);

/* Whether text is a list of mounts and patterns: each begins with a slash or a star, no controls. */
bool rights_mounts_valid(struct bytes text);

/* The lesser rank, and the mounts of the one that is confined; of two that both are, inner's that
 * outer names literally or by a pattern. What a token may do is never more than what its owner may. */
struct rights rights_within(const struct rights *inner, const struct rights *outer);
