/* sfu_signal: WHIP and WHEP for the load: an offer posted, the answer's path and keys taken.
 *
 *   struct signal_line (a connection that is kept) ── POST offer ──▶ 201, answer ──▶ struct signal_peer
 *
 * Blocking; each thread has a line of its own. It offers one video and nothing else. */
#pragma once

#include "sfu/proto/ice.h"
#include "wire.h"

struct signal_line {
	struct sockaddr_storage to;
	const struct wire_url *url;
	const char *token; /* NULL: none */
	int fd;            /* -1: not connected */
};

struct signal_peer {
	struct ice_names names;
	struct sockaddr_in at;
	char resource[256];
	unsigned status; /* of the answer; 0: none */
};

/* The offer is that of a publisher with these SSRCs, or of a viewer (ssrc 0). rtx: retransmissions in
 * a stream of their own. names.ufrag and pwd are ours. */
bool signal_offer(struct signal_line *line, bool h264, bool rtx, uint32_t ssrc, uint32_t rtx_ssrc,
		  struct signal_peer *peer);
/* The status; 0: no answer. */
unsigned signal_delete(struct signal_line *line, const struct signal_peer *peer);
void signal_close(struct signal_line *line);

#define SIGNAL_PT     96u
#define SIGNAL_RTX_PT 97u
