/* playlist_read: the first stream address in a play list that a server answered instead of a stream.
 *
 * Many stations give out "listen.pls". M3U (with or without its # lines), PLS and XSPF are looked
 * through for the first http or https URL; what the format is called does not matter. Pure. */
#pragma once

#include "core/bytes.h"

#define PLAYLIST_READ_MAX 8192u /* bytes of a list that are looked at */

/* Whether an answer of this Content-Type is a list and no stream. */
bool playlist_is_type(struct bytes content_type);

/* The first address, inside in; {NULL, 0} when there is none. */
struct bytes playlist_first_url(struct bytes in);
