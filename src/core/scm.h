/* scm: messages with descriptors between our own processes, over a SOCK_SEQPACKET socket.
 *
 * Any thread; the caller's sockets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/check.h"

#define SCM_MOST 253u /* descriptors in one message: the kernel's SCM_MAX_FD */

/* One whole message. Its length, or -errno. */
MUST_CHECK ssize_t scm_send(int socket, const void *data, size_t len, const int *fds, size_t count);

/* The next message, at most size bytes and *count descriptors (close-on-exec), which are the
 * caller's; what does not fit makes it -EMSGSIZE and none are left open. Its length, 0 when the other
 * end is closed, or -errno. */
MUST_CHECK ssize_t scm_recv(int socket, void *data, size_t size, int *fds, size_t *count);
