/* slot: the slot that we write: asked of the service (POST /slots) or, without one, made by ourselves.
 *
 * A slot of our name that is there and has our shape is gone on with; one of another shape is replaced,
 * unless somebody else writes to it. */
#pragma once

#include <stdbool.h>

#include "fc_client.h"

struct slot_order {
	const char *id;
	const char *api;   /* "http://127.0.0.1:7435"; "none": without the service */
	const char *token; /* or USER:PASSWORD, or NULL */
	fc_config_t config;
};

enum { SLOT_NEVER = -1, SLOT_SHAPE = -2 /* no slot is like that */ };

/* Opens *writer, which is NULL or the one we had. 0; 1: later perhaps; or SLOT_…. It was said why. */
int slot_open(const struct slot_order *order, fc_writer_t **writer);

/* Whether a slot is as it was ordered. */
bool slot_is(const fc_info_t *info, const fc_config_t *config);
