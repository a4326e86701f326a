/* proxy_protocol: takes the PROXY header of a load balancer off the front of a connection, versions
 * 1 and 2 (HAProxy's proxy-protocol.txt).
 *
 *     v1:  "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" then the connection's own bytes
 *     v2:  12 bytes of signature, version and command, family, length, addresses, TLVs
 *
 * Whoever may connect can write one, so it is asked for only on connections from trusted networks;
 * and there it must be asked for always, since a client could send its own. TLVs are walked, so
 * that broken ones are noticed, and not used: the CRC32c among them is not checked, for the header
 * comes over the same TCP as the stream. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "address.h"

#define PROXY_V1_MAX 107u  /* with its CR LF, as the document says */
#define PROXY_V2_MAX 4096u /* the document bounds it by 65551; what balancers send is below 600 */

enum proxy_status {
	PROXY_OK,   /* a header; the connection's own bytes begin at in.at + used */
	PROXY_MORE, /* all bytes so far can begin a header: call again with more behind them */
	PROXY_BAD,  /* a header of the protocol, but a broken one: see fault, and close */
	PROXY_NONE, /* not a PROXY header: nothing was used */
};

struct proxy_info {
	bool known; /* the addresses are set; otherwise those of the connection are the truth: it
		     * is the balancer's own (LOCAL, health checks), or of a family without IP */
	struct address source;
	struct address destination;
	size_t used;
	const char *fault; /* with PROXY_BAD */
};

enum proxy_status proxy_parse(struct bytes in, struct proxy_info *info);
