/* irc_gap: what was said in a channel or conversation while we were not there, asked of a server that keeps
 * history (IRCv3 chathistory), and told once.
 *
 *   joined ─▶ the newest lines that we have (store) ─▶ CHATHISTORY AFTER … ─▶ batch ─▶ ring, without those that
 *             are known ─▶ the next page, or what was said meanwhile, which had to wait
 *
 * A line is known by its msgid, or where one of the two has none, by its words and about its time. What is said
 * in the channel while its gap is open waits, so that the ring stays in order; not for longer than
 * irc.answer_timeout: then it is told before what was said earlier. A few are asked for at a time, so that what users
 * say does not wait behind hundreds of questions; a server has irc.answer_timeout for each from when it has gone out.
 * History that answers no question of ours is not heard at all: who came and went in it would be taken for now.
 * Belongs to the upstream; runs on the worker of the user. */
#pragma once

#include "irc/irc_part.h"

struct irc_gap;

/* We are in a channel, or a conversation is known to have gone on. Nothing where the server keeps no history, or
 * nothing was said there before. */
void irc_gap_open(struct irc_upstream *up, struct irc_buffer *buffer);

/* Asks for the conversations that went on; when the welcome is over. */
void irc_gap_ask_targets(struct irc_upstream *up);

/* A line that the user said himself, and that was put into the buffer: it does not come again. */
void irc_gap_said(struct irc_upstream *up, const struct irc_buffer *buffer,
		  const struct irc_record *record);

/* True: the line was of a gap, or has to wait for one. */
bool irc_gap_hear(struct irc_upstream *up, const struct irc_line *line);

/* Gives up what is late. */
void irc_gaps_tick(struct irc_upstream *up, mono_t now);
/* Gives up all: what waits is heard. */
void irc_gaps_finish(struct irc_upstream *up);
void irc_gaps_drop(struct irc_upstream *up);
void irc_gap_forget(struct irc_upstream *up, const struct irc_buffer *buffer);
