/* irc_buffer: HUB: a channel or conversation: its ring, its place in the store, its readers' places.
 *
 *   line ─▶ ring ─▶ journal of the network ─▶ clients, at the end of the turn
 *             └───▶ the store, which is a reader too: it has a place of its own, and comes back when
 *                   it was busy
 *
 * What a buffer is is in irc_part.h. Runs on the worker of its user. */
#pragma once

#include "irc/irc_part.h"

struct irc_buffer *irc_buffer_find(const struct irc_network *network, struct bytes name);

/* Finds or makes; a new one is told to the store. NULL: no memory, or irc.channels are there. */
struct irc_buffer *irc_buffer_make(struct irc_network *network, struct bytes name);

/* One that the store has; head: the seq of its next line. */
struct irc_buffer *irc_buffer_add(struct irc_network *network, uint64_t id, struct bytes name,
				  uint64_t head);

/* The one for lines of no channel: not in the index, not in the store. NULL: no memory. */
struct irc_buffer *irc_buffer_status(struct irc_network *network);

void irc_buffer_drop(struct irc_buffer *buffer, bool keep);
void irc_buffer_rename(struct irc_buffer *buffer, struct bytes name);

/* Tells the store how it is set; and takes such a text (JSON). */
void irc_buffer_keep(const struct irc_buffer *buffer);
void irc_buffer_take(struct irc_buffer *buffer, struct bytes settings);

#define IRC_KEY_MAX 200u /* with IRC_NAME_MAX it fits into a JOIN */

/* The word that lets us in. False: it cannot be kept: too long, or no UTF-8. */
bool irc_buffer_set_key(struct irc_buffer *buffer, struct bytes key);

/* Puts a line in: into the ring, the journal, and onto the list of what is to be saved. */
void irc_buffer_put(struct irc_buffer *buffer, struct irc_record *record);

/* A reader's place; where it never was: the beginning. */
uint64_t irc_buffer_place(const struct irc_buffer *buffer, unsigned device);
bool irc_buffer_has_place(const struct irc_buffer *buffer, unsigned device);
/* Only ever forward. */
void irc_buffer_set_place(struct irc_buffer *buffer, unsigned device, uint64_t seq);
/* Back: what was sent did not arrive. */
void irc_buffer_rewind(struct irc_buffer *buffer, unsigned device, uint64_t seq);
/* A row of the file of cursors that is this one's. */
void irc_buffer_adopt_row(struct irc_buffer *buffer, unsigned device, uint32_t row);
void irc_buffers_forget_device(struct irc_network *network, unsigned device);

/* Hands lines to the store, as many as it takes. */
void irc_buffers_save(void);

/* All that was said there before that time is gone, here and in the store. */
void irc_buffer_forget(struct irc_buffer *buffer, int64_t before_ms);

/* How long lines are kept; 0: for ever. What a user says cannot be longer than irc.retention. */
uint64_t irc_buffer_retention_ms(const struct irc_buffer *buffer);

/* Forward only; true: it moved. */
bool irc_buffer_mark(struct irc_buffer *buffer, int64_t ms);
