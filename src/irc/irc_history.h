/* irc_history: CHATHISTORY, MARKREAD: the past as the client asks for it, from ring and store as
 * one. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"

void irc_history(struct irc_client *client, struct irc_network *network,
		 const struct irc_line *line);
void irc_markread(struct irc_client *client, struct irc_network *network,
		  const struct irc_line *line);
