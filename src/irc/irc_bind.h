/* irc_bind: which address of ours a connection to a server comes from.
 *
 *   the network's -bind, else of irc.addresses the first range of the server's family: one that is the user's own
 *
 * A user's address is made of a hash of his name, so it is the same after each start, and servers that let in only
 * so many from one address, or shut one out, know users apart. Thread: any. */
#pragma once

#include <stdbool.h>

struct irc_network;

/* Binds a socket that is to connect; 0 or -errno. */
int irc_bind(int fd, const struct irc_network *network, bool v4);
