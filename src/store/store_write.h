/* store_write: events become rows. Thread: the store's, within a transaction. */
#pragma once

#include "store/store_db.h"
#include "store/store_port.h"

/* All events of a batch. A fault that is the file's ends it; an event that does not fit the tables is
 * counted as lost and passed over. */
enum store_fault write_batch(struct store_db *db, const struct store_batch *batch);

/* What an earlier run of the server left open ends when that was last heard of. */
enum store_fault write_end_of_earlier_run(struct store_db *db);

/* Numbers of minutes go into those of their hours and days. */
enum store_fault write_roll_up(struct store_db *db);

/* Deletes at most a few hundred rows of what is older than it is to be kept; *more: there are more. */
enum store_fault write_prune(struct store_db *db, const struct store_conf *conf, int64_t now_ms,
			     bool *more);
