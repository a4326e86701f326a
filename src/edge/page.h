/* page: what every family shares at the front door: the embedded pages and /metrics. */
#pragma once

#include "edge/route.h"

extern const struct route page_routes[];

/* Rooms that have numbers of their own write them here; before the workers start. */
void page_add_metrics(void (*write)(FILE *out));
