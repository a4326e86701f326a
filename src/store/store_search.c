#include "store/store_search.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/store_db.h"
#include "store/store_index.h"

#define TURN      10000 /* lines that a turn looks at: some 20 ms */
#define CANDIDATE 4     /* a line that the index names costs as many: it is fetched by itself */
#define LONG      256   /* so many bytes of one cost as much as another */
#define VISIT     50    /* and each buffer */
#define SHARE     20000 /* lines that each buffer has at least, of SEARCH_MOST */
#define HITS_MOST 10000
/* Lines that the index may name: as long a work. */
#define NAMED_MOST (SEARCH_MOST / CANDIDATE)
#define TURN_MS    10000 /* one that had none for so long is no more */

/* Lines of a buffer are in the order of their time but for the clocks of servers, which differ by less. */
#define DAY_MS 86400000

#define SEQ_BITS "40"

/* ?1 buffer, ?2 above, ?3 up to, ?4 from when, ?5 to when, ?6 who, ?7 pieces. Each line is a row, whether it fits or
 * not, so that a step is short: seq, time, text or NULL */
#define TEXT_IF_FITS                                                                      \
	"SELECT l.seq, l.at, CASE WHEN " INDEX_SAID(                                      \
		"l.kind") " AND l.at >= ?4 AND l.at < ?5 "                                \
			  "AND (?6 = '' OR l.line LIKE ?6 ESCAPE '\\') THEN " INDEX_TEXT( \
				  "l.line") " END "
static const char scan_sql[] = TEXT_IF_FITS
	"FROM irc_lines l WHERE l.buffer = ?1 AND l.seq > ?2 AND l.seq <= ?3 ORDER BY l.seq DESC";
static const char match_sql[] = TEXT_IF_FITS
	"FROM irc_pieces p CROSS JOIN irc_lines l ON l.buffer = ?1 AND l.seq = p.rowid - (?1 "
	"<< " SEQ_BITS ") WHERE irc_pieces MATCH ?7 AND p.rowid > (?1 << " SEQ_BITS
	") + ?2 AND p.rowid <= "
	"(?1 << " SEQ_BITS ") + ?3 ORDER BY p.rowid DESC";

/* ?1 network, ?2 time, ?3 user, ?4 buffer: id, indexed, the first seq, the last before what is too new */
static const char buffers_sql[] =
	"SELECT b.id, b.indexed, coalesce((SELECT min(seq) FROM irc_lines WHERE buffer = b.id), "
	"1), "
	"coalesce((SELECT seq - 1 FROM irc_lines WHERE buffer = b.id AND at >= ?2 ORDER BY at, seq "
	"LIMIT "
	"1), (SELECT max(seq) FROM irc_lines WHERE buffer = b.id), 0) FROM irc_networks n JOIN "
	"irc_buffers b ON b.network = n.id WHERE n.user = ?3 AND (?1 = 0 OR n.id = ?1) AND (?4 = "
	"'' OR "
	"b.name = ?4 COLLATE NOCASE)";
static const char row_sql[] = "SELECT b.name, n.name, l.seq, l.at, l.kind, l.tags, l.line FROM "
			      "irc_lines l JOIN irc_buffers b "
			      "ON b.id = l.buffer JOIN irc_networks n ON n.id = b.network WHERE "
			      "l.buffer = ?1 AND l.seq = ?2";

struct place {
	int64_t buffer, indexed, first, head;
};

struct hit {
	int64_t buffer, seq, at;
};

struct store_search {
	struct pieces_words words;
	struct place *places;
	size_t count, at; /* of places; the one that is looked at */
	int64_t seq;      /* in it: those above are done */
	int64_t low;      /* and those up to here are not looked at */
	int64_t indexed;  /* its lines up to here are in the index */
	int64_t found;    /* in it */
	int64_t left;     /* of SEARCH_MOST */
	int64_t named;    /* lines that the index may name yet */
	int64_t share;    /* of them, this buffer's */
	bool entered;     /* it was begun with */
	bool by_index;    /* what lies above is scanned */
	size_t hits, most;
	struct hit hit[]; /* the newest first */
};

void search_free(struct store_search *search)
{
	if (search)
		free(search->places);
	free(search);
}

static enum store_fault done(struct store_db *db, sqlite3_stmt *statement, int code)
{
	sqlite3_finalize(statement);
	db->code = code;
	return db_fault_of(code);
}

/* --- the beginning -------------------------------------------------------------------------- */

static bool place_add(struct store_search *search, size_t *size, sqlite3_stmt *statement)
{
	if (search->count == *size) {
		size_t larger = *size ? *size * 2 : 64;
		struct place *places = realloc(search->places, larger * sizeof *places);

		if (!places)
			return false;
		search->places = places;
		*size = larger;
	}
	search->places[search->count++] = (struct place){sqlite3_column_int64(statement, 0),
							 sqlite3_column_int64(statement, 1),
							 sqlite3_column_int64(statement, 2),
							 sqlite3_column_int64(statement, 3)};
	return true;
}

static enum store_fault find_places(struct store_db *db, struct store_irc_ask *ask)
{
	int64_t before = ask->number[2] < INT64_MAX - DAY_MS ? ask->number[2] + DAY_MS : INT64_MAX;
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, buffers_sql, -1, &statement, NULL);
	size_t size = 0;

	if (code == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, ask->number[0]);
		sqlite3_bind_int64(statement, 2, before);
		sqlite3_bind_text(statement, 3, ask->text[0], -1, SQLITE_STATIC);
		sqlite3_bind_text(statement, 4, ask->text[2], -1, SQLITE_STATIC);
		while ((code = sqlite3_step(statement)) == SQLITE_ROW)
			if (!place_add(ask->search, &size, statement)) {
				ask->out_of_memory = true;
				code = SQLITE_DONE;
				break;
			}
	}
	return done(db, statement, code);
}

static enum store_fault begin(struct store_db *db, struct store_irc_ask *ask)
{
	size_t most = ask->number[4] > 0 && ask->number[4] < HITS_MOST ? (size_t)ask->number[4]
								       : HITS_MOST;

	ask->search = calloc(1, sizeof *ask->search + most * sizeof(struct hit));
	if (!ask->search) {
		ask->out_of_memory = true;
		return STORE_GOOD;
	}
	ask->search->most = most;
	ask->search->left = SEARCH_MOST;
	ask->search->named = NAMED_MOST;
	pieces_words_take(&db->pieces, &ask->search->words, bytes_str(ask->text[1]));
	/* What holds nothing that can be found is not found; without words it is all that was said. */
	if (ask->text[1][0] && !ask->search->words.count)
		return STORE_GOOD;
	return find_places(db, ask);
}

/* --- a buffer ------------------------------------------------------------------------------- */

static bool is_full(const struct store_search *search)
{
	return search->hits == search->most;
}

static void hit_add(struct store_search *search, struct hit hit)
{
	size_t low = 0, high = search->hits;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct hit *other = &search->hit[middle];

		if (other->at > hit.at || (other->at == hit.at && other->seq > hit.seq))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == search->most)
		return;
	if (is_full(search))
		search->hits--;
	memmove(&search->hit[low + 1], &search->hit[low],
		(search->hits - low) * sizeof *search->hit);
	search->hit[low] = hit;
	search->hits++;
}

/* Whether the index may name more lines of this buffer. */
static bool may_look(const struct store_search *search)
{
	return !search->by_index || search->share > 0;
}

/* Whether nothing older than this can be wanted of this buffer. */
static bool is_enough(const struct store_search *search, const struct store_irc_ask *ask,
		      int64_t at)
{
	return search->found >= (int64_t)search->most || at < ask->number[1] - DAY_MS ||
	       (is_full(search) && at < search->hit[search->hits - 1].at - DAY_MS);
}

static void bind_look(sqlite3_stmt *statement, const struct store_irc_ask *ask)
{
	const struct store_search *search = ask->search;

	sqlite3_bind_int64(statement, 1, search->places[search->at].buffer);
	sqlite3_bind_int64(statement, 2, search->low);
	sqlite3_bind_int64(statement, 3, search->seq);
	sqlite3_bind_int64(statement, 4, ask->number[1]);
	sqlite3_bind_int64(statement, 5, ask->number[2]);
	sqlite3_bind_text(statement, 6, ask->text[3], -1, SQLITE_STATIC);
	if (search->by_index)
		sqlite3_bind_text(statement, 7, search->words.match, -1, SQLITE_STATIC);
}

/* Lines of this buffer from its seq on down, as many as the turn has left. *ended: there are no more. */
static enum store_fault look(struct store_db *db, struct store_irc_ask *ask, int64_t *turn,
			     bool *ended, bool *enough)
{
	struct store_search *search = ask->search;
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, search->by_index ? match_sql : scan_sql, -1,
				      &statement, NULL);

	*enough = false;
	if (code == SQLITE_OK)
		bind_look(statement, ask);
	while (code == SQLITE_OK && *turn > 0 && !*enough && may_look(search) &&
	       (code = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(statement, 0),
			at = sqlite3_column_int64(statement, 1);
		const char *text = (const char *)sqlite3_column_text(statement, 2);
		int len = sqlite3_column_bytes(statement, 2);

		code = SQLITE_OK;
		if (text && pieces_hold(&db->pieces, &search->words, bytes_of(text, (size_t)len))) {
			hit_add(search, (struct hit){search->places[search->at].buffer, seq, at});
			search->found++;
		}
		*enough = is_enough(search, ask, at);
		*turn -= (search->by_index ? CANDIDATE : 1) + len / LONG;
		search->left -= search->by_index ? 0 : 1;
		search->named -= search->by_index ? 1 : 0;
		search->share -= search->by_index ? 1 : 0;
		search->seq = seq - 1;
	}
	*ended = code == SQLITE_DONE;
	return done(db, statement, code);
}

/* Each has an equal share of what is left, so that none is passed over for the length of another. */
static int64_t share_of(const struct store_search *search, int64_t left, int64_t least)
{
	int64_t share = left / (int64_t)(search->count - search->at);

	return share > least ? share : least < left ? least : left;
}

static void enter(struct store_search *search)
{
	const struct place *place = &search->places[search->at];
	int64_t share = share_of(search, search->left, SHARE);
	int64_t low = search->words.match[0] ? place->indexed : 0;

	search->entered = true;
	search->seq = place->head;
	search->found = 0;
	search->by_index = false;
	search->indexed = low < place->first  ? place->first - 1
			  : low < place->head ? low
					      : place->head;
	search->low = search->seq - search->indexed > share ? search->seq - share : search->indexed;
}

static void leave(struct store_search *search)
{
	search->at++;
	search->entered = false;
}

static enum store_fault visit(struct store_db *db, struct store_irc_ask *ask, int64_t *turn)
{
	struct store_search *search = ask->search;
	enum store_fault fault;
	bool ended, enough;

	*turn -= VISIT;
	if (!search->entered)
		enter(search);
	fault = look(db, ask, turn, &ended, &enough);
	if (fault || (!ended && !enough && may_look(search)))
		return fault;
	if (!search->by_index && !enough)
		ask->behind += search->low - search->indexed;
	else if (!ended && !enough && search->seq >= search->places[search->at].first)
		ask->behind += search->seq - search->places[search->at].first + 1;
	if (search->by_index || enough || !search->words.match[0]) {
		leave(search);
		return STORE_GOOD;
	}
	search->by_index = true;
	search->share = share_of(search, search->named, SHARE / CANDIDATE);
	search->seq = search->indexed;
	search->low = 0;
	return STORE_GOOD;
}

/* --- the end -------------------------------------------------------------------------------- */

static enum store_fault fetch(struct store_db *db, struct store_irc_ask *ask)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, row_sql, -1, &statement, NULL);

	ask->rows.columns = 7;
	for (size_t i = 0; code == SQLITE_OK && i < ask->search->hits; i++) {
		sqlite3_bind_int64(statement, 1, ask->search->hit[i].buffer);
		sqlite3_bind_int64(statement, 2, ask->search->hit[i].seq);
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW && !store_rows_take(&ask->rows, statement)) {
			ask->out_of_memory = true;
			break;
		}
		if (code == SQLITE_ROW || code == SQLITE_DONE)
			code = sqlite3_reset(statement);
	}
	return done(db, statement, code);
}

static enum store_fault take_turn(struct store_db *db, struct store_irc_ask *ask)
{
	enum store_fault fault = ask->search ? STORE_GOOD : begin(db, ask);
	int64_t turn = TURN;

	while (!fault && ask->search && ask->search->at < ask->search->count && turn > 0)
		fault = visit(db, ask, &turn);
	if (fault || !ask->search)
		return fault;
	ask->ask.again = ask->search->at < ask->search->count;
	return ask->ask.again ? STORE_GOOD : fetch(db, ask);
}

/* Whose searches have turns; NULL: too many have. */
static struct store_turn *turn_of(struct store_db *db, const char *user, mono_t now)
{
	struct store_turn *found = NULL;

	for (struct store_turn *turn = db->turns; turn < db->turns + STORE_TURNS; turn++) {
		if (!turn->ask || !mono_before(now, mono_add_ms(turn->last, TURN_MS)))
			found = turn;
		else if (strncmp(turn->user, user, sizeof turn->user - 1) == 0)
			return turn;
	}
	if (found) {
		found->ask = NULL;
		bytes_to_str(bytes_str(user), found->user, sizeof found->user);
	}
	return found;
}

enum store_fault search_turn(struct store_db *db, struct store_irc_ask *ask)
{
	mono_t now = mono_now();
	struct store_turn *turn = turn_of(db, ask->text[0], now);
	enum store_fault fault;

	if (turn && turn->ask && turn->ask != ask) {
		ask->ask.again = true;
		return STORE_GOOD;
	}
	if (turn) {
		turn->ask = ask;
		turn->last = now;
	}
	fault = take_turn(db, ask);
	if (turn && (fault || !ask->ask.again))
		turn->ask = NULL;
	return fault;
}
