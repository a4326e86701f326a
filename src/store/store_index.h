/* store_index: what was said on IRC, by word (FTS5), so that a search of years takes milliseconds.
 *
 *   irc_lines ─▶ a few thousand lines at a time, when the house is kept ─▶ irc_words
 *                └─ and those of the user at hand, before he searches
 *
 * Indexing a line costs more than writing it, so it is not done when it comes. Thread: the store's,
 * within a transaction. */
#pragma once

#include "store/store_db.h"

/* Some lines of whatever buffer; *more: there may be more. */
enum store_fault index_some(struct store_db *db, bool *more);

/* All lines of this user's buffers, in one network or (0) all, as far as a search may take. */
enum store_fault index_user(struct store_db *db, const char *user, int64_t network);
