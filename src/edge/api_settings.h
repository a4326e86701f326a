/* api_settings: the settings over the API: what is in force and who said so, whether a text would be
 * good, and the reload. Secrets are never shown. Control thread. */
#pragma once

#include "core/conf.h"
#include "edge/api.h"

/* What only main knows. faults: one line for each thing that is wrong is written there. */
struct api_settings_owner {
	const struct conf *(*in_force)(void);
	bool (*reload)(FILE *faults);
	bool (*check)(struct bytes text, FILE *faults);
	const char *file; /* NULL: there is none */
};

extern const struct api_operation settings_operations[];

/* Before the workers start; owner must last. */
void api_settings_own(const struct api_settings_owner *owner);
