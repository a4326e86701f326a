/* irc_lines: a message of several lines as one text (IRCv3 draft/multiline), for rings and the store.
 *
 *   BATCH +m …                               :bob!b@h PRIVMSG #ring :hello\nhow is \reveryone?
 *   @batch=m PRIVMSG #ring :hello        ─▶                              │         │
 *   @batch=m PRIVMSG #ring :how is       ◀─                     the next line   the same line goes on
 *   @batch=m;…concat PRIVMSG #ring :everyone?
 *
 * Neither byte can come over the wire within a line (RFC 2812 section 2.3.1), so a text of one line is
 * what it always was. Pure. */
#pragma once

#include "irc/proto/irc_line.h"

#define IRC_LINES_NEXT '\n'
#define IRC_LINES_GLUE '\r' /* draft/multiline-concat */

/* Whether a text has more than one piece. */
bool irc_is_lines(struct bytes text);

/* irc_line_parse() for what a ring has: the last parameter may have several pieces. */
bool irc_lines_parse(struct bytes in, struct irc_line *out);

/* One piece after the other, from {.rest = text} on; a text has at least one. False at the end. */
struct irc_pieces {
	struct bytes rest;
	bool began, glued; /* glued: the piece at hand goes on the line before it */
};

bool irc_pieces_next(struct irc_pieces *pieces, struct bytes *piece);

/* How many pieces, and how long the whole message is: line feeds between lines count (max-bytes). */
struct irc_lines_size {
	unsigned lines;
	size_t bytes;
	bool blank; /* there is nothing in any of them */
};

struct irc_lines_size irc_lines_measure(struct bytes text);

/* draft/react: of all that a line without words may say, what is of use tomorrow. */
bool irc_is_reaction(const struct irc_line *line);

/* In one line, for where there is no more: blanks for what is between lines. */
void irc_lines_flatten(char *text);
