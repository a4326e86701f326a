/* api_server: the server itself over the API: what it uses, how it is, what it logged; and the two
 * plain paths that machines ask, /healthz and /readyz. Control thread. */
#pragma once

#include "edge/api.h"

extern const struct api_operation server_operations[];
extern const struct route health_routes[];

enum health { HEALTH_GOOD, HEALTH_WARNING, HEALTH_BAD };

/* A room says how it is: it calls health_say() for each thing it looks at. Before the workers
 * start. */
void health_add(void (*look)(json_t *list));
void health_say(json_t *list, const char *name, enum health health, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* From now on the server is ready; or, when it stops, no more. */
RUNS_ON(on_control) void server_ready(bool ready);

/* The server's facts, as in GET /api/v1/server and in the events. */
json_t *server_facts(void);

/* A room adds members to them, called on the control thread; before the workers start. */
void server_add_facts(void (*add)(json_t *tree));

/* Puts the server's numbers into trends. */
void server_sample(void);
