/* store_people: users and tokens are changed: on disk before they are in force, so that what was
 * answered is still so after a restart. */
#pragma once

#include "store/store.h"

enum store_change_kind {
	STORE_PUT_USER, /* makes or changes */
	STORE_DROP_USER,
	STORE_PUT_TOKEN,
	STORE_DROP_TOKEN,
	STORE_DROP_SESSIONS, /* of a user */
};

struct store_change {
	struct store_ask ask;
	enum store_change_kind kind;
	char name[64]; /* of the user, or what a token is for */
	char stored[256];
	char rank[16];
	char mounts[512];
	bool disabled;
	int64_t created_ms, seen_ms;
	/* tokens */
	int64_t number; /* made with STORE_PUT_TOKEN, when it is 0; says which with STORE_DROP_TOKEN */
	uint8_t hash[32];
	char prefix[16];
	char owner[64];
	bool of_settings;
	int64_t expires_ms;
};

/* For ask.run. */
enum store_fault store_change_run(struct store_db *db, struct store_ask *ask);
