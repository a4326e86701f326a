/* advice: what to do when the server does not start, for the person at the terminal. The log has said why.
 *
 * Thread: control. */
#pragma once

#include "core/conf.h"

/* at is the door that could not be opened, "127.0.0.1:8000" or "127.0.0.1:8189 (UDP)"; "": it was none. */
void advice_print(FILE *out, const struct conf *conf, int error, const char *at);
