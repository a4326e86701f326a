/* say: the one voice of a helper: a line on standard error that names the program, the slot, what and where.
 * Secrets never pass through here: addresses are shown without what follows "?", users and passwords. */
#pragma once

#include <stddef.h>

__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* What stands behind the program's name from now on. */
void say_as(const char *slot);

/* An address that anybody may see; an RTMP address ends at its application, as its stream is a key. */
void say_url(const char *url, char *out, size_t size);
