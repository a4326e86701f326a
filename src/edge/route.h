/* route: which room serves a path.
 *
 * Rooms hand in their tables before the workers start; afterwards nothing changes. Paths are
 * matched whole, or as a prefix when they end in a slash; "/admin" therefore never shadows a mount
 * "/adminradio". The first row that fits, in the order of handing in, serves; a row without a path
 * takes all that none of the others serves, whichever was handed in first.
 *
 * A protocol is what does not begin like HTTP: it looks at a connection's first bytes. */
#pragma once

#include "edge/conn.h"

#define METHOD_GET     1u
#define METHOD_HEAD    2u
#define METHOD_POST    4u
#define METHOD_PUT     8u
#define METHOD_SOURCE  16u
#define METHOD_OPTIONS 32u
#define METHOD_DELETE  64u
#define METHOD_PATCH   128u
#define METHOD_ALL     255u

struct route {
	const char *path; /* "/status.xsl"; "/admin/" for all below it; NULL for all */
	unsigned methods;
	void (*serve)(struct conn *conn);
	bool (*has)(struct bytes path); /* instead of path, when not NULL: is it one of these? */
};

enum route_first {
	ROUTE_FIRST_OTHER, /* HTTP, or nobody's */
	ROUTE_FIRST_MORE,  /* cannot be said yet */
	ROUTE_FIRST_OURS,
};

struct protocol {
	enum route_first (*look)(struct bytes first);
	void (*serve)(struct conn *conn); /* all bytes so far are in conn_take */
};

/* A site is what one set of doors serves: SITE_MAIN is that of http.listen, others are numbered by
 * route_site() for families whose protocol has a port of its own. */
#define SITE_MAIN 0u
unsigned route_site(void);

/* Its clients are asked for a certificate, and any is taken: conn_certificate(). */
void route_site_ask(unsigned site);
bool route_site_asks(unsigned site);

/* Before the workers start. The tables end with a row without serve and must last. */
void route_add(const struct route *table);
void route_add_at(unsigned site, const struct route *table);
void protocol_add(const struct protocol *protocol);
void protocol_add_at(unsigned site, const struct protocol *protocol);

/* The route of this site for this request; NULL when there is none for the path (*allowed 0: 404) or only for
 * other methods (405), which *allowed then names. */
const struct route *route_find(unsigned site, struct bytes path, unsigned method,
			       unsigned *allowed);

/* "GET, HEAD": the value of an Allow header. */
void methods_write(unsigned methods, struct writer *w);

/* METHOD_…, or 0 for one that nobody serves. */
unsigned method_of(struct bytes name);

/* Asks all protocols of the site; *ours is set when it is ROUTE_FIRST_OURS. */
enum route_first protocol_look(unsigned site, struct bytes first, const struct protocol **ours);
