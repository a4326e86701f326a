/* store_search: what was said on IRC, looked for by any part of its words.
 *
 *   buffer by buffer, the newest first:  lines that are not in the index ─┐ each line is asked itself
 *                                        lines that the index names ──────┴─▶ the newest of all that fit
 *
 * It takes turns, between which others are written for and answered; of a user one search after another has them, so
 * that who asks for many at once keeps nobody. How many lines it looks at is bounded, and what it has not looked at is
 * said: words that have no piece (store_pieces.h) are in no index, of what came in large amounts the index follows, and
 * pieces of words may be in many lines that do not hold them. Thread: the store's, within a transaction. */
#pragma once

#include "store/store_irc.h"

/* The most lines that one question looks at without the index: some seconds. Of those that the index names it is a
 * fourth, as each is fetched by itself. */
#define SEARCH_MOST 1000000

/* A turn; ask->ask.again: there are more. At the end ask->rows are filled and ask->behind says how many lines were not
 * looked at. */
enum store_fault search_turn(struct store_db *db, struct store_irc_ask *ask);

struct store_search;
void search_free(struct store_search *search);
