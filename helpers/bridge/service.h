/* service: asks the frame cache's service for a slot and gives it back: two HTTP requests, one connection
 * each, over TCP or a Unix socket.
 *
 * Blocks for five seconds at most. Not for the thread that a card waits for, but at the moments when there is
 * nothing to put a frame into anyway. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fc_client.h"

#define SERVICE_FAULT_SIZE 256u

struct service {
	const char *where; /* "http://ADDRESS:PORT" or "unix:PATH" */
	const char *token; /* or NULL */
};

/* Whether where has one of the two forms. */
bool service_where_ok(const char *where);

/* The status of the answer, or -errno. fault: why, in words, where it is not 201. */
int service_make(const struct service *service, const char *slot_id, const fc_config_t *config,
		 char fault[SERVICE_FAULT_SIZE]);
int service_remove(const struct service *service, const char *slot_id,
		   char fault[SERVICE_FAULT_SIZE]);
