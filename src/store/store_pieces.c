#include "store/store_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "core/writer.h"

#define WORD_PIECES 8u /* of a word that are asked the index for: more of them find hardly less */

/* --- pieces of a run ------------------------------------------------------------------------ */

/* How long the first letter is, in UTF-8 as SQLite writes it (RFC 3629 section 3). */
static size_t letter_len(struct bytes text)
{
	uint8_t first = text.at[0];
	size_t len = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	return len < text.len ? len : text.len;
}

static uint32_t letter_of(struct bytes text, size_t len)
{
	static const uint8_t masks[] = {0, 0xff, 0x1f, 0x0f, 0x07};
	uint32_t letter = text.at[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		letter = letter << 6 | (text.at[i] & 0x3f);
	return letter;
}

/* Scripts that have no blanks between words, or in which one sign is a word: also the little pictures. */
static bool is_dense(uint32_t letter)
{
	static const uint32_t ranges[][2] = {
		{0x0e00, 0x0eff},   /* Thai, Lao */
		{0x1000, 0x109f},   /* Myanmar */
		{0x1100, 0x11ff},   /* Hangul Jamo */
		{0x1780, 0x17ff},   /* Khmer */
		{0x2600, 0x27bf},   /* symbols */
		{0x2e80, 0xd7ff},   /* Han, kana, Hangul, Yi */
		{0xf900, 0xfaff},   /* Han */
		{0xff00, 0xffef},   /* forms of half and full width */
		{0x1f000, 0x1fbff}, /* pictures */
		{0x20000, 0x3ffff}, /* Han */
	};

	for (size_t i = 0; i < COUNT_OF(ranges); i++)
		if (letter >= ranges[i][0] && letter <= ranges[i][1])
			return true;
	return false;
}

bool piece_next(struct piece_walk *walk, struct bytes *piece)
{
	while (walk->rest.len) {
		struct bytes at = walk->rest, second, third;
		size_t one = letter_len(at), two;

		second = bytes_of(at.at + one, at.len - one);
		two = second.len ? one + letter_len(second) : 0;
		if (is_dense(letter_of(at, one))) {
			bool is_first = !walk->pairs;

			walk->pairs = is_first;
			if (!is_first)
				walk->rest = second;
			*piece = bytes_of(at.at, is_first ? one : two);
			if (piece->len)
				return true;
			continue;
		}
		walk->rest = second;
		if (!two || two == at.len)
			continue;
		third = bytes_of(at.at + two, at.len - two);
		*piece = bytes_of(at.at, two + letter_len(third));
		return true;
	}
	return false;
}

/* --- FTS5's tokenizer ----------------------------------------------------------------------- */

/* Whatever is no blank and no control character is part of a run. */
static int runs_make(fts5_api *api, fts5_tokenizer *unicode, Fts5Tokenizer **runs)
{
	const char *options[] = {"remove_diacritics", "2", "categories", "L* N* M* P* S* Cf Cn Co"};
	void *context;
	int code = api->xFindTokenizer(api, "unicode61", &context, unicode);

	return code == SQLITE_OK ? unicode->xCreate(context, options, COUNT_OF(options), runs)
				 : code;
}

static int tokenizer_make(void *context, const char **options, int count, Fts5Tokenizer **made)
{
	struct store_pieces *pieces = calloc(1, sizeof *pieces);
	int code = pieces ? runs_make(context, &pieces->unicode, &pieces->runs) : SQLITE_NOMEM;

	(void)options, (void)count;
	if (code != SQLITE_OK)
		free(pieces);
	else
		*made = (Fts5Tokenizer *)(void *)pieces;
	return code;
}

static void tokenizer_free(Fts5Tokenizer *made)
{
	struct store_pieces *pieces = (struct store_pieces *)(void *)made;

	pieces_close(pieces);
	free(pieces);
}

struct giving {
	void *context;
	int (*take)(void *context, int flags, const char *token, int len, int from, int to);
};

static int on_run(void *context, int flags, const char *run, int len, int from, int to)
{
	struct giving *giving = context;
	struct piece_walk walk = {.rest = bytes_of(run, (size_t)len)};
	struct bytes piece;
	int code = SQLITE_OK;

	(void)flags;
	while (code == SQLITE_OK && piece_next(&walk, &piece))
		code = giving->take(giving->context, 0, (const char *)piece.at, (int)piece.len,
				    from, to);
	return code;
}

/* What is asked for is a piece as it stands. */
static int tokenizer_run(Fts5Tokenizer *made, void *context, int flags, const char *text, int len,
			 int (*take)(void *context, int flags, const char *token, int len, int from,
				     int to))
{
	struct store_pieces *pieces = (struct store_pieces *)(void *)made;
	struct giving giving = {context, take};

	if (flags & FTS5_TOKENIZE_QUERY)
		return take(context, 0, text, len, 0, len);
	return pieces->unicode.xTokenize(pieces->runs, &giving, flags, text, len, on_run);
}

int pieces_open(struct store_pieces *pieces, sqlite3 *sqlite)
{
	static fts5_tokenizer tokenizer = {tokenizer_make, tokenizer_free, tokenizer_run};
	sqlite3_stmt *statement;
	fts5_api *api = NULL;
	int code = sqlite3_prepare_v2(sqlite, "SELECT fts5(?1)", -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	sqlite3_bind_pointer(statement, 1, (void *)&api, "fts5_api_ptr", NULL);
	sqlite3_step(statement);
	code = sqlite3_finalize(statement);
	if (code == SQLITE_OK && !api)
		code = SQLITE_ERROR;
	if (code == SQLITE_OK)
		code = api->xCreateTokenizer(api, "pieces", api, &tokenizer, NULL);
	return code == SQLITE_OK ? runs_make(api, &pieces->unicode, &pieces->runs) : code;
}

void pieces_close(struct store_pieces *pieces)
{
	if (pieces->runs)
		pieces->unicode.xDelete(pieces->runs);
	*pieces = (struct store_pieces){0};
}

/* --- looking for words ---------------------------------------------------------------------- */

/* Some pieces of a word, from all of its length. */
static void match_add(struct writer *w, struct bytes word)
{
	struct piece_walk walk = {.rest = word};
	struct bytes piece;
	size_t count = 0, step;

	while (piece_next(&walk, &piece))
		count++;
	step = count / WORD_PIECES + 1;
	walk = (struct piece_walk){.rest = word};
	for (size_t i = 0; piece_next(&walk, &piece); i++) {
		if (i % step != 0)
			continue;
		writer_str(w, w->len ? " \"" : "\"");
		for (size_t at = 0; at < piece.len; at++) {
			if (piece.at[at] == '"')
				writer_u8(w, '"');
			writer_u8(w, piece.at[at]);
		}
		writer_u8(w, '"');
	}
}

struct taking {
	struct pieces_words *words;
	struct writer text, match;
};

static int on_word(void *context, int flags, const char *run, int len, int from, int to)
{
	struct taking *taking = context;
	struct pieces_words *words = taking->words;
	size_t at = taking->text.len, match = taking->match.len;

	(void)flags, (void)from, (void)to;
	if (!len)
		return SQLITE_OK;
	writer_put(&taking->text, bytes_of(run, (size_t)len));
	if (words->count == PIECES_WORDS || !writer_ok(&taking->text))
		return SQLITE_DONE;
	words->word[words->count] = bytes_of(words->text + at, (size_t)len);
	match_add(&taking->match, words->word[words->count++]);
	/* The index is asked for fewer, and the lines for all. */
	if (!writer_ok(&taking->match)) {
		taking->match = writer_of(words->match, sizeof words->match - 1);
		taking->match.len = match;
	}
	return SQLITE_OK;
}

void pieces_words_take(const struct store_pieces *pieces, struct pieces_words *words,
		       struct bytes text)
{
	struct taking taking = {words, writer_of(words->text, sizeof words->text),
				writer_of(words->match, sizeof words->match - 1)};

	words->count = 0;
	(void)pieces->unicode.xTokenize(pieces->runs, &taking, FTS5_TOKENIZE_QUERY,
					(const char *)text.at, (int)text.len, on_word);
	words->match[taking.match.len] = '\0';
}

struct holding {
	const struct pieces_words *words;
	uint32_t missing; /* a bit for each */
};

static_assert(PIECES_WORDS < 32, "a bit for each");

static int on_held(void *context, int flags, const char *run, int len, int from, int to)
{
	struct holding *holding = context;

	(void)flags, (void)from, (void)to;
	for (unsigned i = 0; i < holding->words->count; i++) {
		struct bytes word = holding->words->word[i];

		if (holding->missing & 1u << i && word.len <= (size_t)len &&
		    memmem(run, (size_t)len, word.at, word.len))
			holding->missing &= ~(1u << i);
	}
	return holding->missing ? SQLITE_OK : SQLITE_DONE;
}

bool pieces_hold(const struct store_pieces *pieces, const struct pieces_words *words,
		 struct bytes text)
{
	struct holding holding = {words, (1u << words->count) - 1};

	if (holding.missing)
		(void)pieces->unicode.xTokenize(pieces->runs, &holding, FTS5_TOKENIZE_AUX,
						(const char *)text.at, (int)text.len, on_held);
	return !holding.missing;
}
