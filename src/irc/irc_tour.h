/* irc_tour: what a client that comes is told of its channels and people, as there is room for it.
 *
 *   all its buffers ─▶ what is known of each (METADATA), in a batch ─▶ channels: JOIN, topic, names ─▶ rings
 *
 * A user may have thousands of them, and what waits for a client is bounded: rings are read when it is
 * through. Belongs to the client; runs on the worker of its user. */
#pragma once

#include "irc/irc_client.h"

/* Begins. False: no memory. */
MUST_CHECK bool irc_tour_begin(struct irc_client *client);
/* Of all of a network, which is called otherwise now. */
MUST_CHECK bool irc_tour_again(struct irc_client *client, const struct irc_network *network);
/* Goes on until the client is full, or it is over. */
void irc_tour_go_on(struct irc_client *client);

/* A buffer goes; a network does; the client does. */
void irc_tour_forget(struct irc_client *client, const struct irc_buffer *buffer);
void irc_tour_part(struct irc_client *client, const struct irc_network *network);
void irc_tour_free(struct irc_client *client);
