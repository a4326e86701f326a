/* irc_detach: channels that are put aside: joined, kept, and not shown until somebody asks or is meant.
 * Runs on the worker of the user. */
#pragma once

#include "irc/irc_part.h"

void irc_detach(struct irc_buffer *buffer);
void irc_detach_attach(struct irc_buffer *buffer);

/* Somebody said something there that counts against being put aside (detach-on). */
void irc_detach_said(struct irc_buffer *buffer);

/* Puts aside what has been silent for as long as its user wants. */
void irc_detach_tick(struct irc_network *network, mono_t now);
