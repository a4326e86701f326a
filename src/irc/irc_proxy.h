/* irc_proxy: SOCKS5 (RFC 1928, RFC 1929) in front of a server: the name is looked up by the proxy, so that
 * nothing of it is known here. Steps as the proxy answers. */
#pragma once

#include "irc/irc_upstream.h"

enum irc_proxy_status { IRC_PROXY_READS, IRC_PROXY_DONE, IRC_PROXY_FAILED };

/* "socks5://[user:password@]host:port": where it is. */
bool irc_proxy_place(const char *text, struct irc_place *place);

/* Goes on; *why with IRC_PROXY_FAILED, a constant. */
RUNS_ON(on_worker) enum irc_proxy_status irc_proxy_step(struct irc_upstream *up, const char **why);
