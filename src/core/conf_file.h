/* conf_file: the text of a configuration file as a tree of groups, lists and texts with places.
 *
 *     http:                          group "http" 1:1
 *       listen: ["0.0.0.0:8000"] ──▶   list "listen" 2:3 · text "0.0.0.0:8000" 2:12
 *
 * The only file that knows the grammar: YAML 1.1 as libyaml reads it, and so JSON too. Of it only
 * groups, lists and texts are taken. Anchors, aliases and tags are refused: a text that seems to
 * have one has lost its quotes, and an alias can make a small file huge. Nothing is included,
 * expanded or guessed: "no" is the text "no" until a setting of type BOOL asks.
 *
 * The nodes live in the kept list. Thread: the caller's. Does not know any setting. */
#pragma once

#include "core/bytes.h"
#include "core/conf_error.h"
#include "core/conf_value.h"

/* A file may be so long, and groups and lists in one another so deep. */
#define CONF_FILE_MAX   (1u << 20)
#define CONF_FILE_DEPTH 8

enum conf_node_kind {
	CONF_NODE_NONE, /* at fault and reported, or cut off by a fault behind it */
	CONF_NODE_TEXT,
	CONF_NODE_LIST,
	CONF_NODE_GROUP,
};

struct conf_node {
	enum conf_node_kind kind;
	unsigned line, column; /* of the value, from 1 */
	const char *key;       /* in a group */
	unsigned key_line, key_column;
	const char *text;        /* TEXT */
	bool plain;              /* TEXT without quotes */
	struct conf_node *first; /* LIST, GROUP */
	struct conf_node *next;
};

/* Fills *root, a group, with what the text says; after a fault of grammar with what stood before
 * it. The faults are added to errors under the name. */
void conf_file_parse(struct bytes text, const char *name, struct conf_node *root,
		     struct conf_kept **kept, struct conf_errors *errors);

/* Reads a whole file; false with the reason in errors. The caller frees *data. */
bool conf_file_read(const char *path, char **data, size_t *len, struct conf_errors *errors);
