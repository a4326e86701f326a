/* session: browsers log in and out: /api/v1/login, /api/v1/logout, /api/v1/me.
 *
 *   POST login {"user", "password"} ─▶ cookie ringmain_session (HttpOnly, SameSite=Strict)
 *                                      cookie ringmain_csrf, the word for X-CSRF-Token
 *
 * The session itself is a row in the book of accounts (account.h) that knows only a hash of the
 * cookie. Each login makes a new one and ends the one that the browser came with, so nobody can be
 * handed a session beforehand. What may be done with it is access.h's. */
#pragma once

#include "edge/api.h"

extern const struct api_operation session_operations[];
