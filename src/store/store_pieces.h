/* store_pieces: a text as runs without blanks, in small letters and without accents, and each run as the pieces
 * by which an index finds any part of it.
 *
 *   "Grün, 東京都" ─▶ grun,  東京都 ─▶ gru run un,  東 東京 京 京都 都
 *
 * Three letters are a piece; where a script has no blanks, or one sign is a word, so are one and two. All pieces of a
 * part of a run are pieces of the run, so what holds the part is among what holds its pieces, and is asked itself
 * then. How letters are made small is SQLite's (unicode61). Thread: the store's. */
#pragma once

#include <sqlite3.h>

#include "core/bytes.h"
#include "core/check.h"

struct store_pieces {
	fts5_tokenizer unicode;
	Fts5Tokenizer *runs;
};

/* Makes FTS5's tokenizer "pieces" known to a connection. SQLite's result. */
MUST_CHECK int pieces_open(struct store_pieces *pieces, sqlite3 *sqlite);
void pieces_close(struct store_pieces *pieces); /* before the connection */

/* The pieces of a run, one after another. */
struct piece_walk {
	struct bytes rest;
	bool pairs; /* the first letter itself was told */
};

bool piece_next(struct piece_walk *walk, struct bytes *piece);

#define PIECES_WORDS 24u

/* What is looked for. */
struct pieces_words {
	unsigned count;
	struct bytes word[PIECES_WORDS]; /* in text */
	char text[1100];
	/* Lines that may hold them, as FTS5 has it; "": no word has a piece, all lines may. */
	char match[1100];
};

/* count 0: nothing that could be found. */
void pieces_words_take(const struct store_pieces *pieces, struct pieces_words *words,
		       struct bytes text);

/* Whether all of them stand in the text. */
bool pieces_hold(const struct store_pieces *pieces, const struct pieces_words *words,
		 struct bytes text);
