/* veil: TLS under a client's socket, as the programs need it: one handshake, then reads and writes
 * that look like recv() and send().
 *
 * The server's certificate is not looked at: what these programs are for is on this machine. Thread:
 * the caller's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct veil; /* an SSL */

/* Over a connected, non-blocking socket, which stays the caller's. newest: 0, or 12 for TLS 1.2 at
 * most. NULL: no memory. */
struct veil *veil_open(int fd, int newest);
void veil_close(struct veil *veil);

/* 1: the handshake is over. 0: when there is more to read. Or -errno. */
int veil_shake(struct veil *veil);

/* As recv() and send(), errno included; a record at a time. */
ssize_t veil_read(struct veil *veil, void *buf, size_t size);
ssize_t veil_write(struct veil *veil, const void *buf, size_t size);

/* Bytes that are opened already: the socket says nothing of them. */
bool veil_has(struct veil *veil);
