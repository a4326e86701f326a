/* forwarded: who is really there, when reverse proxies stand in between.
 *
 *     client ──▶ proxy A ──▶ proxy B ──▶ us        X-Forwarded-For: client, A      peer: B
 *                            trusted  ◀── the walk goes from the right: B, A, client
 *
 * Anybody can write these headers, so only what a trusted hop wrote counts: the walk begins at the
 * peer of the connection, goes on as long as the hop it stands on is trusted, and ends at the first
 * that is not. When all are trusted it is the leftmost. A hop that will not say its client
 * ("unknown", "_hidden", RFC 7239 6.2 and 6.3) stands for it.
 *
 * Which of the two headers the proxies write is configuration, never a guess: a proxy that writes
 * one passes the other on as the client forged it. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "address.h"
#include "http1.h"

enum forwarded_by {
	FORWARDED_X_FORWARDED_FOR, /* "X-Forwarded-For: 192.0.2.1, [2001:db8::1]:80" */
	FORWARDED_RFC7239,         /* "Forwarded: for=192.0.2.1;proto=https, for=\"[::1]:80\"" */
};

/* Always sets *client (its port is 0 where the hop did not say it). False when the walk ended at
 * something unreadable that a trusted hop passed on: *client then is that hop, and the caller may
 * prefer to refuse the request. */
bool forwarded_client(const struct http1_head *head, enum forwarded_by by,
		      const struct address *peer, struct cidr_list trusted, struct address *client);
