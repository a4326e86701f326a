/* store_voice: what the voice family keeps: things with a kind and a number, as text of its own.
 *
 * Asked with store_ask() from control. A save is one transaction: all of its rows are kept, or none. */
#pragma once

#include "store/store.h"

#define STORE_VOICE_KIND_SIZE 12u

struct store_voice_row {
	char kind[STORE_VOICE_KIND_SIZE];
	int64_t id;
	char *body; /* an allocation; NULL in a save: the row goes */
};

struct store_voice {
	struct store_ask ask;
	struct store_voice_row *rows;
	size_t count;
	bool out_of_memory;
};

/* For ask.run. */
enum store_fault store_voice_load(struct store_db *db, struct store_ask *ask);
enum store_fault store_voice_save(struct store_db *db, struct store_ask *ask);

/* Frees the rows. */
void store_voice_fini(struct store_voice *voice);
