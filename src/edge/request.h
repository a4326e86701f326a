/* request: from the bytes of a head to what routes are given. conn.c's other half. Pure but for the
 * settings; on_worker. */
#pragma once

#include "edge/conn.h"

/* Fills in all but body and head, which is parsed: path into the given buffer, method, query, host,
 * and the peer that trusted proxies name. 0, or the status to refuse the request with and why. */
unsigned request_prepare(struct request *request, const struct address *peer,
			 char path[CONN_PATH_MAX], const char **fault);

/* A parameter of the query or else of a form's body, decoded into buf and NUL-terminated; false when
 * it is not there or does not fit. One that cannot be decoded is taken as it stands. */
bool request_param(const struct request *request, const char *name, char *buf, size_t size);

/* The user name of its Basic credentials, in *out (cut to size); false without any. */
bool request_user(const struct request *request, char *out, size_t size);

/* Whether the connection may carry another request after this one. */
bool request_keeps_alive(const struct request *request);
