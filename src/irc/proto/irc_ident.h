/* irc_ident: the question and the answer of the identification protocol (RFC 1413). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/writer.h"

#define IRC_IDENT_MAX 64u /* of a question with its line end */

/* "6193, 23": the port of ours (where who is asked for sits), the port of theirs. */
bool irc_ident_parse(struct bytes line, uint16_t *ours, uint16_t *theirs);

/* "6193 , 23 : USERID : UNIX : name"; name NULL: nobody has such a connection. With its line end. */
void irc_ident_write(struct writer *w, uint16_t ours, uint16_t theirs, const char *name);
