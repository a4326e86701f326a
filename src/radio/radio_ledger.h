/* radio_ledger: the mounts in the estate: what the hub must not forget of each.
 *
 * A row has two copies of the words and says which one holds; saving writes the other one first. The
 * hub saves after each change, and what workers count once a second. Thread: control. */
#pragma once

#include "core/estate.h"
#include "radio/radio_mount.h"

/* A mount as it is kept: no pointer. */
struct mount_words {
	char name[FEED_NAME_MAX + 1];
	uint64_t id;
	uint32_t state; /* enum mount_state */
	bool has_source;
	bool fallback_is_said;
	char fallback_said[FEED_NAME_MAX + 1];
	bool hidden_is_said, hidden_said;
	uint64_t feed; /* its number; 0: none */
	uint64_t first_pos;
	char title[TITLE_SIZE];
	char title_url[512];
	int64_t title_since_us;
	struct mount_source source; /* its worker is not kept */
	uint32_t peak;
	uint64_t bytes_in_first; /* when the present source came */
	uint64_t bytes_in, bytes_out, joins, skips, slow_drops;
};

extern const struct estate_kind ledger_kind;

/* 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int ledger_open(void);
RUNS_ON(on_control) void ledger_close(void);

/* A row for a new mount, of which nothing is kept before it is saved. False: there is none. */
RUNS_ON(on_control) bool ledger_take(uint32_t *row);
RUNS_ON(on_control) void ledger_give(uint32_t row);
RUNS_ON(on_control) void ledger_save(uint32_t row, const struct mount_words *words);

/* The mounts that were left: calls each() with the row of each. */
RUNS_ON(on_control) void ledger_each(void (*each)(uint32_t row, const struct mount_words *words));
