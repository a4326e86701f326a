/* document: one tree of facts, written as JSON or as XML, so that both say the same.
 *
 * The tree is jansson's. In XML an object is an element with its members as children, in their
 * order; an array is its name repeated; a member "@name" is an attribute; null is left out. In JSON
 * the "@" goes. Numbers and truth values are written as themselves in JSON and as text in XML.
 * Takes the tree. Thread: any. */
#pragma once

#include <jansson.h>

#include "edge/reply.h"

enum document_form { DOCUMENT_XML, DOCUMENT_JSON };

/* Fills in status 200, type and body; root names the outermost element (or member). tree NULL (no
 * memory when it was made): 503. */
void document_reply(struct reply *reply, enum document_form form, const char *root, json_t *tree);

/* A string of any bytes: what is no UTF-8 becomes U+FFFD. NULL when there is no memory. */
json_t *document_text(const char *text);
