/* local_socket: sockets that listen at a path of the file system, and what such a path is.
 *
 * A path is left behind when its server ends, as two servers may use it one after the other and neither
 * knows of the other. Who listens takes the place of a socket that nobody answers at, and of nothing
 * else. Thread-free. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/check.h"

#define LOCAL_PATH_SIZE 108u /* sun_path, with its zero */

/* "unix:/run/x": the path in it, or NULL when it has not the form: absolute, short enough. */
const char *local_path_in(const char *text);

/* A stream socket that listens there, with this mode; or -errno: -EADDRINUSE: somebody answers, or what is
 * there is no socket. */
MUST_CHECK int local_listen(const char *path, mode_t mode);

/* A datagram socket that is bound there, in place of any other socket; or -errno. */
MUST_CHECK int local_bind(const char *path, mode_t mode);

/* Where a socket of this kind listens; "" for any other. */
void local_path_of(int fd, char path[LOCAL_PATH_SIZE]);
