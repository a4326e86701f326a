/* store_index: what was said on IRC, by pieces of words (FTS5), so that a search of years takes milliseconds.
 *
 *   irc_lines ─▶ a thousand lines at a time, when the house is kept ─▶ irc_pieces
 *   irc_gone ──▶ what was deleted, the same way, and first          ─▶ out of it
 *
 * Indexing a line costs many times what writing it costs, so it is not done when it comes: a search looks at the
 * lines themselves that are not in the index (store_search.h). Thread: the store's, within a transaction. */
#pragma once

#include "store/store_db.h"

/* A line of which kind was said, and what stands in it: of PRIVMSG and NOTICE what is behind the first " :" (RFC 2812
 * section 2.3). One that goes on (irc/proto/irc_lines.h) is one. */
#define INDEX_SAID(kind) kind " & 256 = 0 AND " kind " & 255 IN (1, 2)"
#define INDEX_TEXT(line) "replace(substr(" line ", instr(" line ", ' :') + 2), char(13), '')"

/* Takes a step; *more: there may be more to do. */
enum store_fault index_some(struct store_db *db, bool *more);
