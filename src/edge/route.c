#include "edge/route.h"

#define TABLES_MAX 32

static struct {
	unsigned site;
	const struct route *table;
} tables[TABLES_MAX];
static struct {
	unsigned site;
	const struct protocol *protocol;
} protocols[TABLES_MAX];
static unsigned table_count, protocol_count, last_site = SITE_MAIN;
static uint32_t asking; /* sites, as bits */

unsigned route_site(void)
{
	return ++last_site;
}

void route_site_ask(unsigned site)
{
	CHECK(site < sizeof asking * 8);
	asking |= 1u << site;
}

bool route_site_asks(unsigned site)
{
	return site < sizeof asking * 8 && (asking >> site & 1);
}

void route_add_at(unsigned site, const struct route *table)
{
	CHECK(table_count < TABLES_MAX);
	tables[table_count].site = site;
	tables[table_count++].table = table;
}

void route_add(const struct route *table)
{
	route_add_at(SITE_MAIN, table);
}

void protocol_add_at(unsigned site, const struct protocol *protocol)
{
	CHECK(protocol_count < TABLES_MAX);
	protocols[protocol_count].site = site;
	protocols[protocol_count++].protocol = protocol;
}

void protocol_add(const struct protocol *protocol)
{
	protocol_add_at(SITE_MAIN, protocol);
}

static bool route_fits(const struct route *route, struct bytes path)
{
	struct bytes wanted = bytes_str(route->path);

	if (route->has)
		return route->has(path);
	if (!route->path)
		return true;
	return bytes_equal(path, wanted) || (wanted.len > 1 && bytes_end_with(wanted, BYTES("/")) &&
					     bytes_start_with(path, wanted));
}

static bool takes_all(const struct route *route)
{
	return !route->path && !route->has;
}

const struct route *route_find(unsigned site, struct bytes path, unsigned method, unsigned *allowed)
{
	const struct route *otherwise = NULL;

	*allowed = 0;
	for (unsigned t = 0; t < table_count; t++) {
		if (tables[t].site != site)
			continue;
		for (const struct route *route = tables[t].table; route->serve; route++) {
			if (!route_fits(route, path))
				continue;
			*allowed |= route->methods;
			if (!(route->methods & method))
				continue;
			if (!takes_all(route))
				return route;
			if (!otherwise)
				otherwise = route;
		}
	}
	return otherwise;
}

static const struct {
	const char *name;
	unsigned method;
} methods_known[] = {
	{"GET", METHOD_GET},       {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
	{"PUT", METHOD_PUT},       {"SOURCE", METHOD_SOURCE}, {"OPTIONS", METHOD_OPTIONS},
	{"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
};

unsigned method_of(struct bytes name)
{
	for (size_t i = 0; i < COUNT_OF(methods_known); i++)
		if (bytes_equal(name, bytes_str(methods_known[i].name)))
			return methods_known[i].method;
	return 0;
}

void methods_write(unsigned methods, struct writer *w)
{
	const char *comma = "";

	for (size_t i = 0; i < COUNT_OF(methods_known); i++)
		if (methods & methods_known[i].method) {
			writer_str(w, comma);
			writer_str(w, methods_known[i].name);
			comma = ", ";
		}
}

enum route_first protocol_look(unsigned site, struct bytes first, const struct protocol **ours)
{
	enum route_first verdict = ROUTE_FIRST_OTHER;

	for (unsigned i = 0; i < protocol_count; i++) {
		enum route_first one = protocols[i].site == site
					       ? protocols[i].protocol->look(first)
					       : ROUTE_FIRST_OTHER;

		if (one == ROUTE_FIRST_OURS) {
			*ours = protocols[i].protocol;
			return one;
		}
		if (one == ROUTE_FIRST_MORE)
			verdict = one;
	}
	return verdict;
}
