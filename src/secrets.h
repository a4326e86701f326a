/* secrets: passwords that nobody has set: invented once, kept in the data directory, mode 0600.
 *
 * A directory that cannot be written costs the next start its passwords, not this one: they are in
 * force all the same, and the log says so. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SECRET_SIZE 128 /* "name=value" with its NUL */

/* Puts "name=value" for --set into out: read from DIR/passwords, or what out holds from an earlier
 * time, or else invented; the latter two are added to the file. False when that could not be. */
bool secret_for(const char *dir, const char *name, char out[SECRET_SIZE], bool *invented);
