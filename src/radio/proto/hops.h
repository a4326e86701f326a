/* hops: which servers a stream came through, so that relays do not feed each other in a circle.
 *
 *     request of a relay:   Via: 1.1 rm-a, 1.1 rm-b        who waits for this stream (RFC 9110 7.6.3)
 *     answer, or SOURCE:    icy-via: rm-c, rm-d            where it came from
 *
 * A list has the nearest server last in a request and first in an answer. icy-via is named so
 * because Icecast hands on what begins with icy-, so a circle through one is found as well. Pure. */
#pragma once

#include "core/writer.h"

#define HOPS_MAX    8u   /* a longer way is no way */
#define HOPS_SIZE   256u /* of a list with its NUL */
#define HOPS_ID_MAX 24u

/* Whether the server with this id is in the list. The last word of each member counts. */
bool hops_hold(struct bytes list, struct bytes id);

/* Members of the list; more than HOPS_MAX: do not go there. */
size_t hops_count(struct bytes list);

/* "1.1 id" for each of ours in list, then for self: the value of Via. What is not ours is left out. */
void hops_write_via(struct writer *w, struct bytes list, struct bytes self);
