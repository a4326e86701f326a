/* client_profile: which players need something done differently, as one table
 * (client_profile.def).
 *
 * By User-Agent only, and only what was seen to be needed: whoever is not in the table gets what
 * the standards say. What can be told from the request itself (Range, Icy-MetaData) is not
 * decided here but in listener_answer. Pure: any thread, no allocation. */
#pragma once

#include "core/bytes.h"

#define QUIRK_ICY_STATUS         1u /* "ICY 200 OK" as the status line */
#define QUIRK_AACP_AS_AAC        2u /* audio/aacp is announced as audio/aac */
#define QUIRK_LOWER_CASE_HEADERS 4u /* header names in lower case */

/* The quirks (QUIRK_…) of the player that sends this User-Agent; 0 for most, and for an empty
 * one. */
uint32_t client_profile_of(struct bytes user_agent);
